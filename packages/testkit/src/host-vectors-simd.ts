/**
 * Inputs of the MMX and SSE groups: every pair of floating-point boundary values lane by lane, packed boundary integers of every element
 * size, shift counts, rounding modes, DAZ and FTZ, unmasked exceptions, misaligned and faulting operands, a pending x87 exception before MMX.
 */
import { absolute, aim, chooseMemory, effectiveOffset, encode, type EncodingChoice, immediateSizes } from "./host-vectors-encoding.ts";
import type { Group } from "./host-vectors-groups.ts";
import { fillAtRandom } from "./host-vectors-initial.ts";
import { DOUBLES, putDouble, putSingle, SINGLES } from "./host-vectors-numbers.ts";
import { BOUNDARIES, Random, randomBytes, randomValue } from "./host-vectors-random.ts";
import {
  BEHIND_READ_ONLY, type CaseRecord, CODE, DATA_WINDOW, FSW, FTW, GENERAL, LENGTH, MXCSR, READ_ONLY, UNMAPPED, XMM,
} from "./host-vectors-record.ts";

const RANDOM_CASES = 52;
const EDI = 7;
const FSW_ES_B = 0x8080;
const SHIFT_COUNTS = [...Array.from({ length: 18 }, (_, n) => n), 23, 24, 31, 32, 33, 47, 48, 63, 64, 65, 127, 128, 255];
const FAULTS = [UNMAPPED, UNMAPPED - 1, UNMAPPED - 8, READ_ONLY + 0x200, READ_ONLY + 0x208, BEHIND_READ_ONLY - 4, UNMAPPED + 0x100, BEHIND_READ_ONLY];

/** What the lanes of an operand are. */
type Element = "single" | "double" | "integer";

/** Element type of an instruction's sources, from its name. */
function elementOf(mnemonic: string): Element {
  const conversion = /^CVTT?(PI|PS|SS|PD|SD|DQ|SI)2/.exec(mnemonic);
  const kind = conversion?.[1] ?? mnemonic.slice(-2);
  if (kind === "PS" || kind === "SS") return "single";
  if (kind === "PD" || (kind === "SD" && mnemonic !== "MOVSD")) return "double";
  return "integer";
}

function scalar(group: Group): boolean {
  return group.form.operands.some(({ size }) => size === "ss" || size === "sd");
}

function operandBytes(size: string, operandSize: number): number {
  switch (size) {
    case "b": return 1;
    case "w": return 2;
    case "d": case "y": case "ss": return 4;
    case "q": case "sd": return 8;
    default: return size === "v" ? operandSize : 16;
  }
}

/** Which pair of boundary values a lane of a case takes: case 0 has the first pairs, one for each lane. */
interface Plan {
  readonly element: Element;
  readonly size: number;
  readonly cases: number;
}

function plans(group: Group): Plan[] {
  const { mnemonic } = group.form;
  const element = elementOf(mnemonic);
  const wide = group.family !== "mmx";
  const lanes = (size: number): number => (scalar(group) ? 1 : (wide ? 16 : 8) / size);
  if (element === "single") return [{ element, size: 4, cases: Math.ceil(SINGLES.length ** 2 / lanes(4)) }];
  if (element === "double") return [{ element, size: 8, cases: Math.ceil(DOUBLES.length ** 2 / lanes(8)) }];
  return [1, 2, 4].map((size) => ({ element, size, cases: Math.ceil(BOUNDARIES[size]!.length ** 2 / lanes(size)) }));
}

/** Fills 16 bytes: side 0 takes the first value of each pair, side 1 the second; without a plan the bytes are random. */
function putLanes(random: Random, record: CaseRecord, at: number, plan: Plan | undefined, element: Element, n: number, side: number, one: boolean): void {
  const { bytes, view } = record;
  const size = plan?.size ?? (element === "double" ? 8 : 4);
  const count = element === "single" ? SINGLES.length : element === "double" ? DOUBLES.length : BOUNDARIES[size === 8 ? 4 : size]!.length;
  const lanes = one ? 1 : 16 / size;
  if (plan === undefined && element === "integer") return randomBytes(random, bytes, at, 16);
  for (let lane = 0; lane < 16 / size; lane++) {
    const pair = n * lanes + lane;
    const index = plan === undefined || lane >= lanes ? -1 : (side === 0 ? pair % count : Math.floor(pair / count) % count);
    if (element === "single") putSingle(random, view, at + 4 * lane, index);
    else if (element === "double") putDouble(random, view, at + 8 * lane, index);
    else {
      const value = index < 0 ? random.next() : BOUNDARIES[size]![index]!;
      for (let byte = 0; byte < size; byte++) bytes[at + size * lane + byte] = value >>> (8 * byte);
    }
  }
}

function mxcsr(random: Random): number {
  let value = 0x1f80 | (random.below(4) << 13);
  if (random.oneIn(4)) value |= 0x8000;
  if (random.oneIn(4)) value |= 0x40;
  if (random.oneIn(2)) value |= random.next() & 0x3f;
  if (random.oneIn(6)) value = (value & ~0x1f80) | (random.next() & 0x1f80);
  return value;
}

function immediates(group: Group, random: Random): number[] {
  const { mnemonic } = group.form;
  if (mnemonic.startsWith("CMP")) return [0, 1, 2, 3, 4, 5, 6, 7];
  if (/^PS[RL]/.test(mnemonic)) return SHIFT_COUNTS;
  return [0, 1, 2, 3, 4, 5, 6, 7, 0x1b, 0x4e, 0x80, 0xe4, 0xff, ...Array.from({ length: 8 }, () => random.below(256))];
}

/** Every input of an MMX or SSE group. */
export function* simdCases(group: Group, record: CaseRecord): Generator<void> {
  const random = new Random(group.name);
  const { form } = group;
  const list = immediateSizes(form, 4, 4).length > 0 ? immediates(group, random) : [];
  const element = elementOf(form.mnemonic);
  const one = scalar(group);
  const all: { plan: Plan | undefined; n: number; shift: number; fault: number }[] = [];
  for (const plan of plans(group)) for (let n = 0; n < plan.cases; n++) all.push({ plan, n, shift: -1, fault: -1 });
  if (/^PS[RL]/.test(form.mnemonic) && list.length === 0) for (const shift of SHIFT_COUNTS) all.push({ plan: undefined, n: 0, shift, fault: -1 });
  for (let n = 0; n < RANDOM_CASES; n++) all.push({ plan: undefined, n: 0, shift: -1, fault: -1 });
  if (group.memory || form.mnemonic.startsWith("MASKMOV")) for (let fault = 0; fault < FAULTS.length; fault++) all.push({ plan: undefined, n: 0, shift: -1, fault });
  // A comparison meets every pair of values under every predicate; any other immediate meets some of them.
  const everything = list.length === 0 || form.mnemonic.startsWith("CMP");
  const encodings = list.length === 0 ? 12 : list.length;
  const share = Math.ceil(all.length / encodings);
  for (let e = 0; e < encodings; e++) {
    const address = group.memory && random.oneIn(6) ? 2 : 4;
    const fixed = DATA_WINDOW + 0x80 + 16 * random.below(12);
    const choice: EncodingChoice = {
      operandSize: group.operandSize, addressSize: address, prefixes: [], reg: random.below(8), rm: random.below(8),
      memory: group.memory ? absolute(chooseMemory(random, address), fixed) : undefined, condition: 0, immediate: list[e] ?? 0, immediate2: 0,
    };
    const code = encode(form, choice);
    const some = list.length > 0 && everything ? all : list.length > 0 ? Array.from({ length: Math.max(share, 8) }, () => random.pick(all)) : all.slice(e * share, (e + 1) * share);
    for (const { plan, n, shift, fault } of some) {
      fillAtRandom(record, random);
      record.bytes[LENGTH] = code.length;
      record.bytes.set(code, CODE);
      record.setU32(MXCSR, mxcsr(random));
      fillRegisters(record, random, form.operands.some(({ kind }) => "PQN".includes(kind)) || form.mnemonic === "EMMS");
      fillOperands(group, record, random, choice, { plan, element, n, shift, one });
      if (choice.memory !== undefined) place(group, record, random, choice, fault, { plan, element, n, shift, one });
      else if (form.mnemonic.startsWith("MASKMOV")) record.setGpr(EDI, fault < 0 ? DATA_WINDOW + 0x80 + random.below(0x100) : FAULTS[fault]!);
      yield;
    }
  }
}

function fillRegisters(record: CaseRecord, random: Random, mmx: boolean): void {
  record.setU16(FSW, (random.next() & 0x7f00) | (random.oneIn(4) ? random.next() & 0x3f : 0));
  if (mmx && random.oneIn(24)) {
    // An unmasked exception is pending: #MF.
    record.setU16(FSW, record.u16(FSW) | FSW_ES_B | 1);
    record.setU16(FSW - 2, 0x37e);
  }
  record.bytes[FTW] = random.next();
  for (let n = 0; n < 8; n++) {
    randomBytes(random, record.bytes, record.mmxAt(n), 8);
    record.setU16(record.mmxAt(n) + 8, random.next() & 0xffff);
    randomBytes(random, record.bytes, XMM + 16 * n, 16);
  }
}

interface Lanes {
  readonly plan: Plan | undefined;
  readonly element: Element;
  readonly n: number;
  readonly shift: number;
  readonly one: boolean;
}

function put(random: Random, record: CaseRecord, at: number, bytes: number, side: number, { plan, element, n, shift, one }: Lanes): void {
  const keep = record.bytes.slice(at + bytes, at + 16);
  putLanes(random, record, at, plan, element, n, side, one);
  if (side === 1 && shift >= 0) {
    record.bytes.fill(0, at, at + Math.min(bytes, 8));
    record.bytes[at] = shift;
    if (shift > 64) record.bytes[at + (shift & 7)] = shift & 0xff;
  }
  record.bytes.set(keep, at + bytes);
}

function fillOperands(group: Group, record: CaseRecord, random: Random, choice: EncodingChoice, lanes: Lanes): void {
  for (const [index, { kind, size }] of group.form.operands.entries()) {
    const side = index === 0 ? 0 : 1;
    if (kind === "V" || kind === "P") {
      put(random, record, kind === "V" ? XMM + 16 * choice.reg : record.mmxAt(choice.reg), kind === "V" ? 16 : 8, side, lanes);
    } else if ((kind === "W" || kind === "U") && !group.memory) put(random, record, XMM + 16 * choice.rm, 16, side, lanes);
    else if ((kind === "Q" || kind === "N") && !group.memory) put(random, record, record.mmxAt(choice.rm), 8, side, lanes);
    else if ((kind === "E" || kind === "R") && !group.memory) record.setGpr(choice.rm, lanes.plan === undefined ? randomValue(random, 4) : BOUNDARIES[4]![lanes.n % 12]!);
    else if (kind === "G") record.setGpr(choice.reg, randomValue(random, operandBytes(size, 4)));
  }
}

function place(group: Group, record: CaseRecord, random: Random, choice: EncodingChoice, fault: number, lanes: Lanes): void {
  const operand = group.form.operands[group.form.memoryOperand]!;
  const bytes = operandBytes(operand.size, group.operandSize);
  const memory = choice.memory!;
  let target = DATA_WINDOW + 0x80 + 16 * random.below(16);
  if (random.oneIn(bytes === 16 ? 8 : 3)) target += 1 + random.below(15);
  aim(record, memory, fault < 0 ? target : FAULTS[fault]!);
  target = effectiveOffset(record, memory);
  const scratch = new Uint8Array(16);
  // The lanes are made in a register's place and copied.
  const spare = record.bytes.slice(GENERAL, GENERAL + 16);
  put(random, record, GENERAL, 16, group.form.memoryOperand === 0 ? 0 : 1, lanes);
  scratch.set(record.bytes.subarray(GENERAL, GENERAL + 16));
  record.bytes.set(spare, GENERAL);
  if (group.form.mnemonic === "LDMXCSR") new DataView(scratch.buffer).setUint32(0, random.oneIn(6) ? random.next() : random.next() & 0xffff, true);
  record.pokeBytes(target, scratch.subarray(0, bytes));
}
