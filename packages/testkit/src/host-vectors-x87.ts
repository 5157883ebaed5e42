/**
 * Inputs of the x87 groups: every pair of boundary values in ST(0) and the other operand, all rounding and precision controls, any TOP
 * and tags (so that stacks over- and underflow), sticky flags, unmasked exceptions and ones that are pending before the instruction.
 */
import { absolute, aim, chooseMemory, effectiveOffset, encode, type EncodingChoice } from "./host-vectors-encoding.ts";
import type { Group } from "./host-vectors-groups.ts";
import { fillAtRandom } from "./host-vectors-initial.ts";
import { DOUBLES, EXTENDED, putDecimal, putDouble, putExtended, putSingle, SINGLES } from "./host-vectors-numbers.ts";
import { BOUNDARIES, Random, randomBytes, randomValue } from "./host-vectors-random.ts";
import {
  BEHIND_READ_ONLY, type CaseRecord, CODE, DATA, DATA_WINDOW, FCW, FSW, FTW, LENGTH, MXCSR, READ_ONLY, ST, UNMAPPED, WINDOW_SIZE, XMM,
} from "./host-vectors-record.ts";

const RANDOM_CASES = 60;
const FAULTS = [UNMAPPED, UNMAPPED - 1, READ_ONLY + 0x200, READ_ONLY + 0x3f8, BEHIND_READ_ONLY - 3, UNMAPPED + 0x100, UNMAPPED - 9, BEHIND_READ_ONLY];
const EXCEPTIONS = 0x3f;
const ES_AND_B = 0x8080;
const INTEGERS: readonly bigint[] = [
  0n, 1n, -1n, 2n, 10n, 0x7fn, 0x7fffn, 0x8000n, -0x8000n, 0x7fffffffn, -0x80000000n, 0x100000000n, 0x7fffffffffffffffn, -0x8000000000000000n, 999999999999999999n,
];
/** Instructions whose first operand alone matters. */
const UNARY = new Set([
  "FCHS", "FABS", "FTST", "FXAM", "FSQRT", "FRNDINT", "FXTRACT", "F2XM1", "FPTAN", "FSIN", "FCOS", "FSINCOS", "FST", "FSTP", "FIST", "FISTP", "FISTTP", "FBSTP", "FLD",
  "FILD", "FBLD", "FFREE", "FFREEP",
]);
const NO_OPERAND = new Set([
  "FWAIT", "FNOP", "FLD1", "FLDL2T", "FLDL2E", "FLDPI", "FLDLG2", "FLDLN2", "FLDZ", "FDECSTP", "FINCSTP", "FNCLEX", "FNINIT", "FNENI", "FNDISI", "FNSETPM", "FNSTSW",
  "FNSTCW", "FLDCW", "FNSTENV", "FLDENV", "FNSAVE", "FRSTOR", "FXSAVE", "FXRSTOR",
]);

function memoryCount(mnemonic: string, size: string): number {
  if (mnemonic.startsWith("FI")) return INTEGERS.length;
  if (mnemonic === "FBLD") return 40;
  return size === "d" ? SINGLES.length : size === "q" ? DOUBLES.length : EXTENDED.length;
}

function fillControl(record: CaseRecord, random: Random): void {
  let control = 0x40 | (random.below(4) << 10) | (random.pick([3, 3, 3, 2, 0]) << 8);
  control |= random.oneIn(5) ? random.next() & EXCEPTIONS : EXCEPTIONS;
  let status = (random.next() & 0x7f00) & ~0x80;
  if (random.oneIn(3)) status |= random.next() & 0x7f;
  // A flag that is set and not masked is a pending exception: mostly that is avoided.
  if ((status & ~control & EXCEPTIONS) !== 0 && !random.oneIn(6)) status &= ~EXCEPTIONS | control;
  if (random.oneIn(40)) {
    control &= ~1;
    status |= 1;
  }
  if ((status & ~control & EXCEPTIONS) !== 0) status |= ES_AND_B;
  record.setU16(FCW, control);
  record.setU16(FSW, status);
}

/** Tags: a well-used stack, a full one, an empty one, or anything. The first two operands are mostly there. */
function fillTags(record: CaseRecord, random: Random, pushes: boolean): void {
  const top = (record.u16(FSW) >> 11) & 7;
  const kind = random.below(12);
  let used = 0xff;
  if (kind < 7) used = (1 << (2 + random.below(6))) - 1;
  else if (kind === 10) used = 0;
  else if (kind === 11) used = random.next() & 0xff;
  if (pushes && kind < 9) used &= 0x7f;
  record.bytes[FTW] = ((used << top) | (used >> (8 - top))) & 0xff;
}

/** Every input of an x87 group. */
export function* x87Cases(group: Group, record: CaseRecord): Generator<void> {
  const random = new Random(group.name);
  const { form } = group;
  const { mnemonic } = form;
  const size = form.operands.find(({ kind }) => kind === "M")?.size ?? "";
  const second = NO_OPERAND.has(mnemonic) || UNARY.has(mnemonic) ? 1 : group.memory ? memoryCount(mnemonic, size) : EXTENDED.length;
  const load = ["FLD", "FILD", "FBLD"].includes(mnemonic);
  const first = NO_OPERAND.has(mnemonic) ? 1 : load ? (group.memory ? memoryCount(mnemonic, size) : EXTENDED.length) : EXTENDED.length;
  const repeat = second === 1 ? 4 : 1;
  const ordinary = first * second * repeat;
  const total = ordinary + RANDOM_CASES + (group.memory ? FAULTS.length : 0);
  const encodings = form.stackRegister || group.memory ? 14 : 1;
  const share = Math.ceil(total / encodings);
  let k = 0;
  for (let e = 0; e < encodings; e++) {
    const addressSize = group.memory && random.oneIn(6) ? 2 : 4;
    const fixed = size === "fx" ? DATA_WINDOW : DATA_WINDOW + 0x80 + 8 * random.below(16);
    const choice: EncodingChoice = {
      operandSize: group.operandSize, addressSize, prefixes: [], reg: 0, rm: form.stackRegister ? (e + 1) & 7 : 0,
      memory: group.memory ? absolute(chooseMemory(random, addressSize), fixed) : undefined, condition: 0, immediate: 0, immediate2: 0,
    };
    const code = encode(form, choice);
    for (let s = 0; s < share; s++, k++) {
      const pair = k < ordinary ? k : -1;
      const fault = k >= ordinary + RANDOM_CASES ? (k - ordinary - RANDOM_CASES) % FAULTS.length : -1;
      fillAtRandom(record, random);
      record.bytes[LENGTH] = code.length;
      record.bytes.set(code, CODE);
      fillControl(record, random);
      fillTags(record, random, load || (NO_OPERAND.has(mnemonic) && mnemonic.startsWith("FLD")));
      for (let n = 0; n < 8; n++) putExtended(random, record.view, ST + 16 * n, -1);
      if (pair >= 0) {
        const [a, b] = [pair % first, Math.floor(pair / first) % second];
        if (!load || !group.memory) putExtended(random, record.view, ST, a);
        const other = form.stackRegister ? choice.rm : 1;
        if (load && !group.memory) putExtended(random, record.view, ST + 16 * other, a);
        else if (second > 1 && !group.memory && other !== 0) putExtended(random, record.view, ST + 16 * other, b);
        if (group.memory) place(group, record, random, choice, fault, load ? a : b);
      } else if (group.memory) place(group, record, random, choice, fault, -1);
      limitExponent(mnemonic, record, random);
      yield;
    }
  }
}

/** FSCALE and FPREM by anything, but mostly by what leaves a number. */
function limitExponent(mnemonic: string, record: CaseRecord, random: Random): void {
  if (mnemonic === "FSCALE" && random.oneIn(2)) {
    record.setU16(ST + 16 + 8, (record.u16(ST + 16 + 8) & 0x8000) | (0x3fff + random.below(15)));
    record.view.setUint32(ST + 16 + 4, (record.view.getUint32(ST + 16 + 4, true) | 0x80000000) >>> 0, true);
  } else if (mnemonic === "F2XM1" && random.oneIn(2)) record.setU16(ST + 8, (record.u16(ST + 8) & 0x8000) | (0x3fff - 1 - random.below(60)));
}

function place(group: Group, record: CaseRecord, random: Random, choice: EncodingChoice, fault: number, n: number): void {
  const memory = choice.memory!;
  const { mnemonic, operands } = group.form;
  const { size } = operands.find(({ kind }) => kind === "M")!;
  if (size === "fx") return placeImage(record, random, choice, fault);
  const target = fault >= 0 ? FAULTS[fault]! : DATA_WINDOW + 0x80 + 4 * random.below(0x28) + (random.oneIn(4) ? random.below(8) : 0);
  aim(record, memory, target);
  const at = effectiveOffset(record, memory) - DATA_WINDOW + DATA;
  if (at < DATA || at + 110 > DATA + WINDOW_SIZE) return;
  const { view, bytes } = record;
  if (mnemonic === "FBLD") putDecimal(random, bytes, at);
  else if (mnemonic.startsWith("FI")) view.setBigInt64(at, n < 0 ? BigInt.asIntN(64, BigInt(randomValue(random, 4)) << BigInt(random.below(33))) : INTEGERS[n]!, true);
  else if (size === "d") putSingle(random, view, at, n);
  else if (size === "q") putDouble(random, view, at, n);
  else if (size === "t") putExtended(random, view, at, n);
  else if (mnemonic === "FLDCW") view.setUint16(at, controlWord(random), true);
  else if (mnemonic === "FLDENV" || mnemonic === "FRSTOR") putEnvironment(group, record, random, at);
}

/** FXSAVE and FXRSTOR use the whole window; the image is one that may be loaded, or has a reserved bit of MXCSR. */
function placeImage(record: CaseRecord, random: Random, choice: EncodingChoice, fault: number): void {
  record.setU32(MXCSR, 0x1f80 | (random.next() & 0xffff));
  randomBytes(random, record.bytes, XMM, 128);
  aim(record, choice.memory!, fault >= 0 ? FAULTS[fault]! & ~15 : DATA_WINDOW + (random.oneIn(8) ? random.below(16) : 0));
  record.setU16(DATA, controlWord(random));
  record.setU32(DATA + 24, random.oneIn(6) ? random.next() : random.next() & 0xffff);
  for (let n = 0; n < 8; n++) putExtended(random, record.view, DATA + 32 + 16 * n, -1);
}

function controlWord(random: Random): number {
  return random.oneIn(4) ? random.pick(BOUNDARIES[2]!) : (random.next() & 0xf00) | 0x40 | (random.oneIn(2) ? EXCEPTIONS : random.next() & EXCEPTIONS);
}

function putEnvironment({ operandSize, form }: Group, record: CaseRecord, random: Random, at: number): void {
  const { view, bytes } = record;
  const environment = 7 * operandSize;
  randomBytes(random, bytes, at, 28);
  view.setUint16(at, controlWord(random) | 0x40, true);
  view.setUint16(at + operandSize, random.next(), true);
  view.setUint16(at + 2 * operandSize, random.next(), true);
  if (form.mnemonic === "FRSTOR") for (let n = 0; n < 8; n++) putExtended(random, view, at + environment + 10 * n, -1);
}
