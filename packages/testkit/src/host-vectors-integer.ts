/**
 * Inputs of the integer groups: every pair of boundary values, fifty and more random ones, all conditions and shift counts, every
 * addressing mode, and operands that fault. What an instruction needs beyond that (a stack, a divisor that fits) it gets here.
 */
import {
  absolute, aim, chooseMemory, effectiveOffset, encode, type EncodingChoice, immediateSizes, type MemoryChoice,
} from "./host-vectors-encoding.ts";
import type { Group } from "./host-vectors-groups.ts";
import { BOUNDARIES, boundaryPairs, Random, randomBytes, randomValue } from "./host-vectors-random.ts";
import {
  BEHIND_READ_ONLY, type CaseRecord, CODE, CODE_ADDRESS, DATA, DATA_SELECTOR, DATA_WINDOW, EFLAGS, EIP, FCW, LENGTH, MXCSR,
  READ_ONLY, SELECTORS, STACK, STACK_CEILING, STACK_FLOOR, STACK_WINDOW, UNMAPPED, VECTOR, WINDOW_SIZE,
} from "./host-vectors-record.ts";

/** A value operand: in a register, or in memory. */
interface Slot {
  readonly size: number;
  /** Register number, or -1 for the memory operand. */
  readonly register: number;
}

/** What the adjustments of an instruction see. */
interface Case {
  readonly group: Group;
  readonly record: CaseRecord;
  readonly random: Random;
  readonly choice: EncodingChoice;
  readonly slots: readonly Slot[];
  readonly values: number[];
  /** Linear address of the memory operand, where there is one. */
  target: number;
}

const EAX = 0, ECX = 1, EDX = 2, EBX = 3, ESP = 4, EBP = 5, ESI = 6, EDI = 7;
const ARITHMETIC_FLAGS = 0x8d5;
const DF = 0x400;
const TF = 0x100;
const AC = 0x40000;
const RANDOM_CASES = 52;
const FAULT_CASES = 8;
const SELECTOR_VALUES = [0, 0, 0x2b, 0x2b, 0x28, 0x29, 0x23, 0x10, 0x18, 0x1b];
/** Selectors to ask about: those of the process, of the kernel, and beyond the table. */
const QUERIED = [0, 0x2b, 0x23, 0x20, 0x28, 0x29, 0x08, 0x10, 0x18, 0x1b, 0x1000, 0xfff3];
const CODE_SELECTORS = [0x23, 0x23, 0x23, 0x23, 0x20, 0x2b, 0, 0x10, 0x13];
const SHIFTS = new Set(["ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAR", "SHLD", "SHRD"]);
const COUNTS = [...Array.from({ length: 35 }, (_, n) => n), 40, 63, 64, 65, 0x80, 0xe1, 0xff];
const SHIFTED: Readonly<Record<number, readonly number[]>> = {
  1: [0, 1, 0x55, 0x80, 0xfe, 0xff], 2: [0, 1, 0x5555, 0x8000, 0xfffe, 0xffff], 4: [0, 1, 0x55555555, 0x80000000, 0xfffffffe, 0xffffffff],
};
const BIT_TESTS = new Set(["BT", "BTS", "BTR", "BTC"]);
const NEAR = new Set(["Jcc", "JMP", "CALL", "LOOP", "LOOPE", "LOOPNE", "JCXZ"]);

function plainSize(size: string, operandSize: number): number {
  switch (size) {
    case "b": return 1;
    case "w": return 2;
    case "v": case "z": return operandSize;
    case "y": case "d": return 4;
    default: return 0;
  }
}

function slotsOf(group: Group, reg: number, rm: number): Slot[] {
  const slots: Slot[] = [];
  for (const { kind, size, register } of group.form.operands) {
    const bytes = plainSize(size, group.operandSize);
    if (bytes === 0) continue;
    if (kind === "G") slots.push({ size: bytes, register: reg });
    else if (kind === "reg") slots.push({ size: bytes, register });
    else if (kind === "E" || kind === "M" || kind === "R" || kind === "Z") slots.push({ size: bytes, register: group.memory ? -1 : rm });
  }
  return slots;
}

/** A place for a jump: within the INT3 bytes, but not within the instruction. */
function codeTarget(random: Random, within = 0xe00): number {
  const distance = 16 + random.below(within - 16);
  return CODE_ADDRESS + (random.oneIn(2) ? distance : -distance);
}

/** A new random input without regard to the instruction. */
export function fillAtRandom(record: CaseRecord, random: Random): void {
  const { bytes } = record;
  bytes.fill(0);
  record.setU32(EIP, CODE_ADDRESS);
  record.setU32(VECTOR, 0);
  record.setU16(SELECTORS, DATA_SELECTOR);
  record.setU16(SELECTORS + 2, DATA_SELECTOR);
  record.setU16(SELECTORS + 4, DATA_SELECTOR);
  for (let n = 0; n < 8; n++) record.setGpr(n, randomValue(random, 4));
  record.setGpr(ESP, STACK_WINDOW + 0xc0 + 4 * random.below(32) + (random.oneIn(8) ? random.below(4) : 0));
  record.setU32(EFLAGS, 0x202 | (random.next() & (ARITHMETIC_FLAGS | DF)) | (random.oneIn(16) ? AC : 0));
  record.setU16(FCW, 0x37f);
  record.setU32(MXCSR, 0x1f80);
  randomBytes(random, bytes, DATA, WINDOW_SIZE);
  randomBytes(random, bytes, STACK, WINDOW_SIZE);
}

function immediatesOf(group: Group, random: Random): number[] {
  const { form, operandSize } = group;
  if (SHIFTS.has(form.mnemonic)) return [...COUNTS];
  if (form.mnemonic === "ENTER") return [0, 1, 2, 4, 8, 16, 32, 63];
  if (form.mnemonic === "RET" || form.mnemonic === "RETF") return [0, 1, 2, 4, 8, 0x10, 0x7fff, 0x8000, 0xffff];
  const size = immediateSizes(form, operandSize, 4)[0]!;
  const list = [...BOUNDARIES[size]!];
  for (let n = 0; n < 4; n++) list.push(random.next());
  return list;
}

/** Displacement of a relative branch, or where a far pointer points. */
function branchImmediate(group: Group, random: Random): number {
  if (group.form.operands[0]!.kind === "A") return codeTarget(random);
  const short = group.form.operands[0]!.size === "b";
  const distance = short ? 16 + random.below(100) : codeTarget(random) - CODE_ADDRESS;
  return short ? (random.oneIn(2) ? distance : -distance) : distance;
}

function chooseEncoding(group: Group, random: Random, n: number, last: boolean, immediate: number): EncodingChoice {
  const { form, memory } = group;
  const operand = form.operands.find(({ kind }) => "SCD".includes(kind) && kind !== "");
  let reg = random.below(8);
  if (operand?.kind === "S") reg = random.pick(form.operands[0]!.kind === "S" ? [0, 2, 3, 5] : [0, 1, 2, 3, 4, 5]);
  if (operand?.kind === "C") reg = random.pick([0, 2, 3, 4]);
  if (operand?.kind === "D") reg = random.pick([0, 1, 2, 3, 6, 7]);
  const implicit = form.mnemonic === "XLAT" || form.operands.some(({ kind }) => "XYO".includes(kind));
  const counts = form.mnemonic.startsWith("LOOP") || form.mnemonic === "JCXZ";
  const addressSize = (memory || implicit || counts) && random.oneIn(4) ? 2 : 4;
  const prefixes: number[] = [];
  if (group.rep !== 0) prefixes.push(group.rep);
  const place = memory ? chooseMemory(random, addressSize) : undefined;
  // LOCK is #UD where the destination is a register; the last encoding shows it.
  const locked = form.lockable && (memory ? random.oneIn(4) : last);
  if (locked) prefixes.push(0xf0);
  if ((memory || form.mnemonic === "XLAT" || form.operands.some(({ kind }) => kind === "X" || kind === "O")) && random.oneIn(6)) {
    prefixes.push(random.pick([0x26, 0x2e, 0x36, 0x3e]));
  }
  const far = form.operands[0]?.kind === "A";
  return {
    operandSize: group.operandSize, addressSize, prefixes, reg, rm: form.opcode === "90" ? 0 : random.below(8), memory: place, condition: n & 15,
    immediate, immediate2: far ? random.pick(CODE_SELECTORS) : form.mnemonic === "ENTER" ? random.pick([0, 1, 2, 3, 7, 30, 31, 32, 33, 255]) : 0,
  };
}

/** Lists of values for the value slots, boundaries first. */
function valueLists(group: Group, slots: readonly Slot[], withImmediate: boolean): number[][] {
  const { mnemonic } = group.form;
  const first = slots[0];
  if (first === undefined) return [[]];
  if (SHIFTS.has(mnemonic)) {
    const values = SHIFTED[first.size]!;
    const counts = withImmediate || group.form.operands.at(-1)!.kind === "1" ? [0] : COUNTS;
    return counts.flatMap((count) => values.map((value, n) => (slots.length === 3 ? [value, values[(n + 1 + count) % values.length]!, count] : slots.length === 2 && !withImmediate ? [value, count] : [value, values[(n * 3 + 1) % values.length]!])));
  }
  const second = slots[1];
  if (second === undefined || withImmediate) return BOUNDARIES[first.size]!.map((value, n) => [value, BOUNDARIES[second?.size ?? 1]![n]!]);
  return boundaryPairs(first.size, second.size);
}

/** Before the memory operand is aimed: implicit registers. */
const BEFORE: Readonly<Record<string, (c: Case) => void>> = {
  DIV: (c) => dividend(c, false),
  IDIV: (c) => dividend(c, true),
  LOOP: loopCount, LOOPE: loopCount, LOOPNE: loopCount, JCXZ: loopCount,
  LEAVE: framePointer, ENTER: framePointer,
  RET: (c) => c.record.poke(c.record.gpr(ESP), c.group.operandSize, codeTarget(c.random)),
  RETF: (c) => farFrame(c),
  IRET: (c) => {
    farFrame(c);
    c.record.poke(c.record.gpr(ESP) + 2 * c.group.operandSize, c.group.operandSize, (c.random.next() & 0x244ed5) | 2);
  },
  POPF: (c) => c.record.poke(c.record.gpr(ESP), c.group.operandSize, c.random.next() & ~TF),
};

function loopCount({ record, random, choice }: Case): void {
  const count = random.pick([0, 1, 2, 3, 0xffff, 0x10000, 0x10001]);
  record.setGpr(ECX, choice.addressSize === 2 && random.oneIn(2) ? (random.next() & 0xffff0000) >>> 0 | count & 0xffff : count);
}

function framePointer({ record, random }: Case): void {
  record.setGpr(EBP, STACK_WINDOW + 0xc0 + 4 * random.below(48));
  record.setGpr(ESP, STACK_WINDOW + 0x100 + 4 * random.below(32));
}

function farFrame({ record, random, group }: Case): void {
  record.poke(record.gpr(ESP), group.operandSize, codeTarget(random));
  record.poke(record.gpr(ESP) + group.operandSize, group.operandSize, random.pick(CODE_SELECTORS));
}

/** Most random dividends overflow; three of four are made to fit. */
function dividend({ record, random, slots, values }: Case, signed: boolean): void {
  if (random.oneIn(4)) return;
  const { size } = slots[0]!;
  const bits = 8 * size;
  const divisor = signed ? Math.abs((values[0]! << (32 - bits)) >> (32 - bits)) >>> 1 : values[0]!;
  let high = random.oneIn(3) ? 0 : divisor === 0 ? random.next() : random.next() % divisor;
  if (signed && random.oneIn(2)) high = ~high;
  if (size === 1) record.bytes[0x10 + 1] = high;
  else record.setRegister(EDX, size, size === 2 ? high & 0xffff : high >>> 0);
}

/** After it: what stands in memory, and registers that must agree with it. */
const AFTER: Readonly<Record<string, (c: Case) => void>> = {
  CMPXCHG: ({ record, random, slots, values }) => {
    if (random.oneIn(2)) record.setRegister(EAX, slots[0]!.size, values[0]!);
  },
  CMPXCHG8B: ({ record, random, target }) => {
    const at = DATA + target - DATA_WINDOW;
    if (random.oneIn(2) || at < 0 || at + 8 > DATA + WINDOW_SIZE) return;
    record.setGpr(EAX, record.u32(at));
    record.setGpr(EDX, record.u32(at + 4));
  },
  XLAT: ({ record, choice, target }) => {
    const offset = target - (record.gpr(EAX) & 0xff);
    if (choice.addressSize === 2) record.setRegister(EBX, 2, offset & 0xffff);
    else record.setGpr(EBX, offset);
  },
  BOUND: ({ record, random, group, choice, target }) => {
    const size = group.operandSize;
    const index = record.gpr(choice.reg);
    const around = (): number => random.pick([0, 1, -1, 100, 0x8000]);
    record.poke(target, size, index - around());
    record.poke(target + size, size, index + around());
  },
  JMP: ({ record, random, slots, target, group }) => {
    if (group.form.operands[0]!.kind !== "E") return;
    const to = codeTarget(random);
    if (group.memory) record.poke(target, group.operandSize, to);
    else record.setRegister(slots[0]!.register, group.operandSize, to);
  },
  CALL: (c) => AFTER["JMP"]!(c),
  JMPF: ({ record, random, group, target }) => {
    if (!group.memory) return;
    record.poke(target, group.operandSize, codeTarget(random));
    record.poke(target + group.operandSize, 2, random.pick(CODE_SELECTORS));
  },
  CALLF: (c) => AFTER["JMPF"]!(c),
  MOV: ({ record, random, group, choice, target }) => {
    if (group.form.operands[0]!.kind !== "S") return;
    const selector = random.pick(SELECTOR_VALUES);
    if (group.memory) record.poke(target, 2, selector);
    else record.setRegister(choice.rm, 2, selector);
  },
  POP: ({ record, random, group }) => {
    if (group.form.operands[0]!.kind === "seg") record.poke(record.gpr(ESP), 2, random.pick(SELECTOR_VALUES));
  },
  LAR: segmentOperand, LSL: segmentOperand, VERR: segmentOperand, VERW: segmentOperand,
  LES: farPointer, LDS: farPointer, LSS: farPointer, LFS: farPointer, LGS: farPointer,
};

function segmentOperand({ record, random, group, choice, target }: Case): void {
  const selector = random.pick(QUERIED);
  if (group.memory) record.poke(target, 2, selector);
  else record.setRegister(choice.rm, 2, selector);
}

function farPointer({ record, random, group, target }: Case): void {
  record.poke(target + group.operandSize, 2, random.pick(SELECTOR_VALUES));
}

const STACK_FAULTS = [STACK_FLOOR, STACK_FLOOR + 1, STACK_FLOOR + 2, STACK_CEILING, STACK_CEILING - 1, STACK_CEILING - 2, STACK_CEILING - 3, 0x8800];
const OPERAND_FAULTS = [UNMAPPED, UNMAPPED - 1, UNMAPPED + 0x120, READ_ONLY + 0x200, READ_ONLY + 0x3ff, BEHIND_READ_ONLY - 1, BEHIND_READ_ONLY - 3, UNMAPPED - 2];

/** Registers of a string instruction, and memory with few distinct bytes so that comparisons go on for a while. */
function aimStrings({ record, random, group, choice }: Case, fault: number): void {
  const { bytes } = record;
  const element = plainSize(group.form.operands.find(({ kind }) => kind === "X" || kind === "Y")!.size, group.operandSize);
  const alike = random.next();
  if (!random.oneIn(3)) for (let n = 0; n < WINDOW_SIZE; n++) if ((n * 7 + alike) % 23 > 1) bytes[DATA + n] = alike;
  if (random.oneIn(2)) record.setGpr(EAX, Math.imul(alike & 0xff, 0x01010101) >>> 0);
  const count = group.rep === 0 ? random.next() : random.pick([0, 1, 2, 3, 4, 7, 12, 15]);
  const place = (): number => DATA_WINDOW + 0x80 + random.below(0x100);
  let source = place();
  let destination = random.oneIn(4) ? source + random.below(8) - 4 : place();
  if (fault >= 0) {
    // Only sources and comparands reach into the pages behind: a store there would not be seen.
    const reads = group.form.mnemonic;
    if (reads === "SCAS" || (reads === "CMPS" && fault % 2 === 0)) destination = OPERAND_FAULTS[fault]! - element * random.below(3);
    else if (reads !== "STOS") source = OPERAND_FAULTS[fault]! - element * random.below(3);
    else destination = READ_ONLY + 0x100 + fault;
  }
  const set = (register: number, value: number): void => {
    if (choice.addressSize === 2) record.setRegister(register, 2, value & 0xffff);
    else record.setGpr(register, value >>> 0);
  };
  set(ESI, source);
  set(EDI, destination);
  if (group.rep !== 0) set(ECX, count);
}

/** Every input of an integer group, written into `record`, which is reused. */
export function* integerCases(group: Group, record: CaseRecord): Generator<void> {
  const random = new Random(group.name);
  const { form } = group;
  const sizes = immediateSizes(form, group.operandSize, 4);
  const kinds = form.operands.map(({ kind }) => kind);
  const withImmediate = kinds.includes("I") && !kinds.includes("A");
  const branch = NEAR.has(form.mnemonic) && sizes.length > 0;
  const immediates = withImmediate ? immediatesOf(group, random) : [];
  const encodings = withImmediate ? immediates.length : form.range === "cc" ? 16 : kinds.includes("O") ? 16 : sizes.length > 0 ? 24 : 10;
  const lists = valueLists(group, slotsOf(group, 0, 0), withImmediate);
  const ordinary = withImmediate ? lists.length + Math.ceil(RANDOM_CASES / encodings) : Math.ceil((lists.length + RANDOM_CASES) / encodings);
  const stack = ["PUSH", "POP", "PUSHA", "POPA", "PUSHF", "POPF", "CALL", "RET", "RETF", "LEAVE", "ENTER", "CALLF", "IRET"].includes(form.mnemonic);
  const implicit = form.mnemonic === "XLAT" || kinds.includes("O");
  const strings = kinds.includes("X") || kinds.includes("Y");
  const faulting = group.memory || stack || implicit || strings ? Math.ceil(FAULT_CASES * 2 / encodings) : 0;
  let list = 0;
  let faults = 0;
  for (let n = 0; n < encodings; n++) {
    const immediate = withImmediate ? immediates[n]! : branch || kinds[0] === "A" ? branchImmediate(group, random) : 0;
    let choice = chooseEncoding(group, random, n, n === encodings - 1, immediate);
    // The address is part of the encoding where no register makes it.
    const fixed = DATA_WINDOW + 0x80 + random.below(0x60) * 2;
    if (choice.memory !== undefined) choice = { ...choice, memory: absolute(choice.memory, fixed) };
    if (kinds.includes("O")) choice = { ...choice, immediate: n < 8 ? fixed : n < 14 ? OPERAND_FAULTS[n - 8]! : fixed };
    const slots = slotsOf(group, choice.reg, choice.rm);
    const code = encode(form, choice);
    if (withImmediate) list = 0;
    for (let k = 0; k < ordinary + faulting; k++) {
      const fault = k >= ordinary ? faults++ % FAULT_CASES : -1;
      fillAtRandom(record, random);
      record.bytes[LENGTH] = code.length;
      record.bytes.set(code, CODE);
      const given = fault < 0 ? lists[list++] : undefined;
      const values = slots.map((slot, s) => given?.[s] ?? randomValue(random, slot.size));
      if (BIT_TESTS.has(form.mnemonic) && group.memory && !withImmediate) {
        // Bit offsets reach 112 bytes to both sides of the operand.
        values[1] = (random.below(0x700) - 0x380) & (group.operandSize === 2 ? 0xffff : -1);
      }
      if (SHIFTS.has(form.mnemonic) && given === undefined && kinds.at(-1) === "reg") values[slots.length - 1] = random.pick(COUNTS);
      for (const [s, slot] of slots.entries()) if (slot.register >= 0) record.setRegister(slot.register, slot.size, values[s]!);
      const state: Case = { group, record, random, choice, slots, values, target: -1 };
      if (stack) prepareStack(state);
      BEFORE[form.mnemonic]?.(state);
      if (strings) aimStrings(state, fault);
      else if (group.memory || implicit) place(state, fault, fixed);
      else if (fault >= 0 && stack) {
        record.setGpr(form.mnemonic === "LEAVE" ? EBP : ESP, STACK_FAULTS[fault]!);
      }
      AFTER[form.mnemonic]?.(state);
      yield;
    }
  }
}

/** A slot may have put a value into ESP; a stack instruction needs an address there. */
function prepareStack({ record, random }: Case): void {
  const at = record.gpr(ESP);
  if (at < STACK_WINDOW + 0x80 || at > STACK_WINDOW + 0x180) record.setGpr(ESP, STACK_WINDOW + 0xc0 + 4 * random.below(32));
}

function place(state: Case, fault: number, fixed: number): void {
  const { group, record, random, choice, slots, values } = state;
  const { memory } = choice;
  const locked = choice.prefixes.includes(0xf0);
  let target = DATA_WINDOW + 0x80 + 4 * random.below(0x40) + (random.oneIn(4) && !locked ? random.below(8) : 0);
  if (fault >= 0) target = locked ? OPERAND_FAULTS[fault]! & ~7 : OPERAND_FAULTS[fault]!;
  if (memory === undefined) state.target = group.form.mnemonic === "XLAT" ? target : fixed;
  else if (group.form.mnemonic === "LEA") return;
  else {
    if (locked) target &= ~7;
    aim(record, memory as MemoryChoice, target);
    state.target = effectiveOffset(record, memory);
  }
  for (const [s, slot] of slots.entries()) if (slot.register < 0) record.poke(state.target, slot.size, values[s]!);
}
