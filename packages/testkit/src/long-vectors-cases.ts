/**
 * Inputs of the 64-bit host vectors: registers with boundary values of every size, all addressing modes and REX prefixes, operands that
 * fault, and what an instruction needs besides: a stack, a count, a dividend that fits, text to compare.
 */
import { putDouble, putExtended, putSingle } from "./host-vectors-numbers.ts";
import { Random, randomBytes } from "./host-vectors-random.ts";
import { aimLong, chooseLongMemory, encodeLong, type LongChoice, longImmediateSize } from "./long-vectors-encoding.ts";
import type { LongGroup } from "./long-vectors-groups.ts";
import {
  BEHIND_READ_ONLY, CODE, CODE_OFFSET, DATA, DATA_WINDOW, EFLAGS, FCW, FSW, FTW, HIGH, LENGTH, type LongRecord, LOW, MXCSR, READ_ONLY, RIP, ST,
  STACK, STACK_CEILING, STACK_FLOOR, STACK_WINDOW, UNMAPPED, WINDOW_SIZE, XMM,
} from "./long-vectors-record.ts";

const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
const ARITHMETIC_FLAGS = 0x8d5;
const DF = 0x400;
const CASES = 40;
const FEW_CASES = 12;
const BOUNDARY = [
  0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x100n, 0x7fffn, 0x8000n, 0xffffn, 0x10000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n,
  0x5555_5555_5555_5555n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn,
];
const NON_CANONICAL = [0x8000_0000_8000n, 0x9000_1234_5678_0000n, 0x7fff_ffff_ffff_fff8n, 0xffff_7fff_ffff_8000n];
const SHIFTS = new Set(["ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAR", "SHLD", "SHRD"]);
const STACK_USERS = new Set(["PUSH", "POP", "PUSHF", "POPF", "CALL", "RET", "ENTER", "LEAVE"]);
const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS"]);
const OPERAND_FAULTS = [UNMAPPED, UNMAPPED - 1, UNMAPPED - 3, READ_ONLY + 0x200, BEHIND_READ_ONLY - 1, BEHIND_READ_ONLY - 8, UNMAPPED + 0x120, READ_ONLY + 0x3f8];
const STACK_FAULTS = [STACK_FLOOR, STACK_FLOOR + 1, STACK_CEILING, STACK_CEILING - 1, STACK_CEILING - 4, 0x8800];

/** 64 bits: anything, something small, or near a boundary. */
export function randomLong(random: Random): bigint {
  const value = (BigInt(random.next()) << 32n) | BigInt(random.next());
  switch (random.below(6)) {
    case 0: return value >> BigInt(random.below(64));
    case 1: return BigInt.asUintN(64, BigInt.asIntN(64, value) >> BigInt(random.below(64)));
    case 2: return BigInt.asUintN(64, random.pick(BOUNDARY) + BigInt(random.below(5)) - 2n);
    case 3: return random.pick(BOUNDARY);
    default: return value;
  }
}

function fill(record: LongRecord, random: Random, group: LongGroup): void {
  const { bytes } = record;
  bytes.fill(0);
  record.setU64(RIP, HIGH + BigInt(CODE_OFFSET));
  for (let n = 0; n < 16; n++) record.setGpr(n, randomLong(random));
  record.setU32(EFLAGS, 0x202 | (random.next() & (ARITHMETIC_FLAGS | DF)));
  record.setU16(FCW, 0x37f);
  record.setU32(MXCSR, 0x1f80);
  randomBytes(random, bytes, DATA, WINDOW_SIZE);
  randomBytes(random, bytes, STACK, WINDOW_SIZE);
  const x87 = group.form.feature === "FPU" || (group.form.map === 0 && group.form.opcodeByte >= 0xd8 && group.form.opcodeByte <= 0xdf);
  const mmx = group.form.operands.some(({ kind }) => "PQN".includes(kind)) || group.form.mnemonic === "EMMS";
  if (x87 || mmx || group.form.mnemonic.startsWith("FX")) {
    record.setU16(FSW, random.next() & 0x7f00);
    record.bytes[FTW] = random.oneIn(3) ? random.next() : 0xff;
    if (x87) record.setU16(FCW, (random.next() & 0xf00) | 0x7f);
    for (let n = 0; n < 8; n++) putExtended(random, record.view, ST + 16 * n, -1);
  }
}

function mxcsr(random: Random): number {
  let value = 0x1f80 | (random.below(4) << 13);
  if (random.oneIn(4)) value |= 0x8040;
  if (random.oneIn(2)) value |= random.next() & 0x3f;
  if (random.oneIn(10)) value = (value & ~0x1f80) | (random.next() & 0x1f80);
  return value;
}

/** Sixteen bytes as the mnemonic takes them. */
function putVector(random: Random, mnemonic: string, view: DataView, at: number): void {
  const bytes = new Uint8Array(view.buffer);
  const kind = /^CVTT?(PI|PS|SS|PD|SD|DQ|SI)2/.exec(mnemonic)?.[1] ?? mnemonic.slice(-2);
  if (mnemonic.startsWith("PCMP") && mnemonic[5] === "S") {
    // Strings of few letters, some of them ended by a zero.
    const letters = [0x61, 0x62, 0x63, 0x80, 0xfe];
    for (let n = 0; n < 16; n++) bytes[at + n] = random.oneIn(14) ? 0 : random.pick(letters);
    if (random.oneIn(2)) for (let n = 1; n < 16; n += 2) bytes[at + n] = 0;
  } else if (kind === "PS" || kind === "SS") for (let n = 0; n < 16; n += 4) putSingle(random, view, at + n, -1);
  else if (kind === "PD" || (kind === "SD" && mnemonic !== "MOVSD")) for (let n = 0; n < 16; n += 8) putDouble(random, view, at + n, -1);
  else if (random.oneIn(3)) randomBytes(random, bytes, at, 16);
  else for (let n = 0; n < 16; n += 8) view.setBigUint64(at + n, randomLong(random), true);
}

/** A place for a jump: within the INT3 bytes, but not within the instruction. */
function codeTarget(random: Random, within: number): bigint {
  const distance = 16 + random.below(within - 16);
  return HIGH + BigInt(CODE_OFFSET + (random.oneIn(2) ? distance : -distance));
}

function immediateOf(group: LongGroup, random: Random, target: bigint): bigint {
  const { form, operandSize } = group;
  const kinds = form.operands.map(({ kind }) => kind);
  if (kinds.includes("O")) return target;
  if (kinds.includes("J")) return codeTarget(random, longImmediateSize({ form, operandSize, addressSize: 8 }) === 1 ? 110 : 0xe00) - HIGH - BigInt(CODE_OFFSET);
  if (SHIFTS.has(form.mnemonic) || form.mnemonic === "RORX") return BigInt(random.below(72));
  if (form.mnemonic === "ENTER") return BigInt(random.pick([0, 1, 8, 0x10, 0x40]) | (random.pick([0, 1, 2, 3, 7, 32, 33]) << 16));
  if (form.mnemonic === "RET") return BigInt(random.pick([0, 1, 8, 0x10, 0x7fff, 0xffff]));
  if (form.mnemonic.startsWith("CMP") && form.feature !== "") return BigInt(random.below(8));
  return randomLong(random);
}

/** Whether the group writes where its memory operand is: such an address must lie in a window, or fault. */
function choose(group: LongGroup, random: Random): LongChoice {
  const { form } = group;
  const implicit = form.mnemonic === "XLAT" || form.mnemonic.startsWith("MASKMOV") || form.operands.some(({ kind }) => "XYO".includes(kind));
  const counts = form.mnemonic.startsWith("LOOP") || form.mnemonic === "JCXZ";
  const prefixes: number[] = [];
  if (group.rep !== 0) prefixes.push(group.rep);
  if (form.lockable && group.memory && random.oneIn(4)) prefixes.push(0xf0);
  else if ((group.memory || implicit) && !form.vex && random.oneIn(6)) prefixes.push(random.pick([0x26, 0x2e, 0x36, 0x3e, 0x65]));
  // CALL through RSP would push into the code.
  const branch = form.mnemonic === "CALL" || form.mnemonic === "JMP";
  let rm = random.below(16);
  if (branch && rm === RSP) rm = 11;
  return {
    operandSize: group.operandSize, addressSize: (group.memory || implicit || counts) && random.oneIn(5) ? 4 : 8, prefixes, rex: random.oneIn(2),
    reg: form.operands.some(({ kind }) => kind === "S") ? random.below(6) : random.below(16), rm: form.stackRegister ? rm & 7 : rm, vvvv: random.below(16),
    memory: group.memory ? chooseLongMemory(random) : undefined, condition: random.below(16), immediate: 0n,
  };
}

/** Which alias of the pages an address of this form reaches. */
function pageBase({ addressSize, memory }: LongChoice, random: Random): bigint {
  if (addressSize === 4 || (memory !== undefined && !memory.relative && memory.base < 0)) return LOW;
  return memory?.relative === true || random.oneIn(2) ? HIGH : LOW;
}

const SIZES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, ss: 4, q: 8, sd: 8, t: 10 };
function operandBytes(group: LongGroup): number {
  const size = group.form.operands[group.form.memoryOperand]?.size ?? "";
  if (size === "v") return group.operandSize;
  if (size === "z") return Math.min(group.operandSize, 4);
  if (size === "y") return group.operandSize === 8 ? 8 : 4;
  return SIZES[size] ?? 16;
}

interface Case {
  readonly group: LongGroup;
  readonly record: LongRecord;
  readonly random: Random;
  readonly choice: LongChoice;
  readonly target: bigint;
  readonly faults: boolean;
}

/** Registers that an instruction uses without naming them, and memory that has to mean something. */
function prepare(c: Case): void {
  const { group, record, random, choice, target } = c;
  const { form } = group;
  const { mnemonic } = form;
  const mask = choice.addressSize === 8 ? (1n << 64n) - 1n : 0xffff_ffffn;
  const set = (register: number, value: bigint): void => record.setGpr(register, (record.gpr(register) & ~mask & ((1n << 64n) - 1n)) | (value & mask));
  if (SHIFTS.has(mnemonic) && form.operands.at(-1)!.kind === "reg") record.setGpr(RCX, (record.gpr(RCX) & ~0xffn) | BigInt(random.oneIn(6) ? random.below(256) : random.below(70)));
  if (STRINGS.has(mnemonic)) prepareStrings(c, set);
  if (mnemonic === "DIV" || mnemonic === "IDIV") {
    if (!random.oneIn(5)) record.setGpr(RDX, random.oneIn(3) ? randomLong(random) >> BigInt(1 + random.below(60)) : mnemonic === "DIV" ? 0n : BigInt.asUintN(64, BigInt.asIntN(64, record.gpr(RAX)) >> 63n));
    if (group.form.operands[0]!.size === "b" && !random.oneIn(4)) record.setGpr(RAX, record.gpr(RAX) & ~0xff00n);
  }
  if (mnemonic.startsWith("LOOP") || mnemonic === "JCXZ") set(RCX, random.pick([0n, 1n, 2n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n]));
  if (mnemonic.startsWith("PCMPE")) for (const register of [RAX, RDX]) if (!random.oneIn(4)) record.setGpr(register, BigInt.asUintN(64, BigInt(random.below(40) - 20)));
  if (mnemonic === "XLAT") set(RBX, target - (record.gpr(RAX) & 0xffn));
  if (mnemonic.startsWith("MASKMOV")) set(RDI, target);
  if (mnemonic === "BEXTR" && random.oneIn(2)) record.setGpr(choice.vvvv, BigInt(random.below(70) | (random.below(70) << 8)));
  if (mnemonic === "BZHI" && random.oneIn(2)) record.setGpr(choice.vvvv, BigInt(random.below(80)));
  if (STACK_USERS.has(mnemonic)) prepareStack(c);
}

function prepareStrings({ group, random, record, faults, choice }: Case, set: (register: number, value: bigint) => void): void {
  const base = pageBase(choice, random);
  const place = (): bigint => base + BigInt(DATA_WINDOW + 0x80 + random.below(0x100));
  const alike = random.next() & 0xff;
  if (!random.oneIn(3)) for (let n = 0; n < WINDOW_SIZE; n++) if ((n * 7 + alike) % 23 > 1) record.bytes[DATA + n] = alike;
  if (random.oneIn(2)) record.setGpr(RAX, BigInt(alike) * 0x0101_0101_0101_0101n);
  const fault = base + BigInt(random.pick(OPERAND_FAULTS));
  const read = (): bigint => (faults ? fault : place());
  const loads = group.form.mnemonic;
  set(RSI, loads === "MOVS" || loads === "LODS" || loads === "CMPS" ? read() : place());
  // A store into the page behind the window would not be seen.
  set(RDI, loads === "SCAS" || (loads === "CMPS" && random.oneIn(2)) ? read() : loads === "STOS" && faults ? base + BigInt(READ_ONLY + 0x100) : place());
  if (group.rep !== 0) set(RCX, BigInt(random.pick([0, 1, 2, 3, 4, 7, 12])));
}

function prepareStack({ group, record, random, choice, target, faults }: Case): void {
  const { mnemonic, operands } = group.form;
  const base = random.oneIn(2) ? HIGH : LOW;
  const pointer = faults ? (random.oneIn(4) ? random.pick(NON_CANONICAL) : base + BigInt(random.pick(STACK_FAULTS)))
    : base + BigInt(STACK_WINDOW + 0x80 + 8 * random.below(24) + (random.oneIn(6) ? random.below(8) : 0));
  const { memory } = choice;
  const stackIs = mnemonic === "LEAVE" ? RBP : RSP;
  const takesPart = memory !== undefined && (memory.base === stackIs || memory.index === stackIs);
  if (!takesPart) record.setGpr(stackIs, pointer);
  else if (memory.base === stackIs) record.setGpr(stackIs, base + BigInt(STACK_WINDOW + 0x100));
  const to = random.oneIn(10) ? random.pick(NON_CANONICAL) : codeTarget(random, 0xe00);
  if (mnemonic === "RET") record.poke(pointer, 8, to);
  // The frame pointers that ENTER copies lie below RBP.
  if (mnemonic === "ENTER") record.setGpr(RBP, base + BigInt(faults && random.oneIn(2) ? random.pick(STACK_FAULTS) : STACK_WINDOW + 0x100 + 8 * random.below(16)));
  if (mnemonic === "POPF") record.poke(pointer, 8, BigInt((random.next() & 0x244ed5) | 2));
  if (mnemonic === "CALL" && operands[0]!.kind === "E") branchOperand(record, choice, target, to);
}

function branchOperand(record: LongRecord, choice: LongChoice, target: bigint, to: bigint): void {
  if (choice.memory === undefined) record.setGpr(choice.rm, to);
  else record.poke(target, 8, to);
}

/** Every input of a group, written into `record`, which is reused. */
export function* longCases(group: LongGroup, record: LongRecord): Generator<void> {
  const random = new Random(group.name);
  const { form } = group;
  const { mnemonic } = form;
  const vector = form.operands.some(({ kind }) => "VWUPQN".includes(kind));
  const x87 = form.map === 0 && form.opcodeByte >= 0xd8 && form.opcodeByte <= 0xdf;
  const cases = x87 ? FEW_CASES : form.operands.length === 0 ? FEW_CASES * 2 : CASES;
  const addressed = group.memory || mnemonic === "XLAT" || mnemonic.startsWith("MASKMOV") || form.operands.some(({ kind }) => "XYO".includes(kind));
  for (let n = 0; n < cases; n++) {
    const chosen = choose(group, random);
    const faults = (addressed || STACK_USERS.has(mnemonic)) && random.oneIn(7);
    fill(record, random, group);
    const bytes = operandBytes(group);
    const image = mnemonic.startsWith("FX");
    const aligned = bytes === 16 && !random.oneIn(8);
    const far = chosen.memory !== undefined && chosen.memory.base >= 0 && chosen.addressSize === 8 && random.oneIn(4);
    const bitOffset = /^BT[SRC]?$/.test(mnemonic) && group.memory && form.operands[1]!.kind === "G";
    let offset = image ? DATA_WINDOW : DATA_WINDOW + (bitOffset ? 0x100 : 0x40) + 16 * random.below(bitOffset ? 4 : 24) + (aligned ? 0 : random.below(16));
    if (chosen.prefixes.includes(0xf0)) offset &= ~15;
    if (faults) offset = random.pick(OPERAND_FAULTS) & (chosen.prefixes.includes(0xf0) || image ? ~15 : -1);
    const target = faults && far ? random.pick(NON_CANONICAL) : pageBase(chosen, random) + BigInt(offset);
    const choice = { ...chosen, immediate: immediateOf(group, random, target) };
    // The distance is from HIGH also where the address is cut to 32 bits.
    const code = encodeLong(form, choice, choice.memory?.relative === true ? HIGH + BigInt(offset) : target);
    if (code.length > 15) continue;
    record.bytes[LENGTH] = code.length;
    record.bytes.set(code, CODE);
    if (vector) {
      record.setU32(MXCSR, mxcsr(random));
      for (let register = 0; register < 16; register++) putVector(random, mnemonic, record.view, XMM + 16 * register);
    }
    if (bitOffset) record.setGpr(choice.reg, BigInt.asUintN(64, BigInt(random.below(0x600) - 0x300)));
    prepare({ group, record, random, choice, target, faults });
    if (bitOffset && choice.memory!.index === choice.reg) record.setGpr(choice.reg, BigInt(random.below(0x300)));
    aimLong(record, choice, target);
    const at = record.at(target);
    if (group.memory && at >= 0 && at + 16 <= DATA + WINDOW_SIZE) {
      if (image) putImage(record, random);
      else if (vector) putVector(random, mnemonic, record.view, at);
      else if (x87) putNumber(group, random, record.view, at);
      else record.poke(target, Math.max(bytes, 8), randomLong(random));
      if (mnemonic === "LDMXCSR") record.setU32(at, random.oneIn(6) ? random.next() : random.next() & 0xffff);
    }
    if (/^CMPXCHG/.test(mnemonic) && at >= 0 && random.oneIn(2)) {
      record.setGpr(RAX, record.u64(at));
      if (mnemonic === "CMPXCHG8B") record.setGpr(RDX, BigInt(record.u32(at + 4)));
      if (mnemonic === "CMPXCHG16B") record.setGpr(RDX, record.u64(at + 8));
      aimLong(record, choice, target);
    }
    if (mnemonic === "JMP" && form.operands[0]!.kind === "E") branchOperand(record, choice, target, random.oneIn(10) ? random.pick(NON_CANONICAL) : codeTarget(random, 0xe00));
    if (mnemonic === "CALL" && form.operands[0]!.kind === "E") branchOperand(record, choice, target, random.oneIn(10) ? random.pick(NON_CANONICAL) : codeTarget(random, 0xe00));
    yield;
  }
}

function putNumber({ form }: LongGroup, random: Random, view: DataView, at: number): void {
  const { size } = form.operands.find(({ kind }) => kind === "M" || kind === "E") ?? { size: "" };
  if (form.mnemonic.startsWith("FI") || form.mnemonic === "FBLD") view.setBigUint64(at, randomLong(random), true);
  else if (size === "d") putSingle(random, view, at, -1);
  else if (size === "q") putDouble(random, view, at, -1);
  else if (size === "t") putExtended(random, view, at, -1);
  else view.setUint16(at, (random.next() & 0xf00) | 0x7f, true);
}

/** An FXSAVE image that may be loaded. */
function putImage(record: LongRecord, random: Random): void {
  record.setU16(DATA, (random.next() & 0xf00) | 0x7f);
  record.setU16(DATA + 2, random.next() & 0x7f00);
  record.setU32(DATA + 24, random.next() & 0xffff);
  for (let n = 0; n < 8; n++) putExtended(random, record.view, DATA + 32 + 16 * n, -1);
}
