/**
 * What single instructions need of a random state to do something: a stack, a divisor that fits, a comparand that agrees, a selector
 * that exists, strings of like bytes; and where operands are placed so that they lie in the windows, across pages, or fault.
 */
import { aim, effectiveOffset, type EncodingChoice } from "./host-vectors-encoding.ts";
import type { Group } from "./host-vectors-groups.ts";
import { codeTarget } from "./host-vectors-initial.ts";
import type { Random } from "./host-vectors-random.ts";
import {
  BEHIND_READ_ONLY, type CaseRecord, DATA, DATA_WINDOW, GENERAL, READ_ONLY, STACK_CEILING, STACK_FLOOR, STACK_WINDOW, UNMAPPED, WINDOW_SIZE,
} from "./host-vectors-record.ts";

/** A value operand: in a register, or in memory. */
export interface Slot {
  readonly size: number;
  /** Register number, or -1 for the memory operand. */
  readonly register: number;
}

/** What the adjustments of an instruction see. */
export interface Case {
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
const TF = 0x100;
const SELECTOR_VALUES = [0, 0, 0x2b, 0x2b, 0x28, 0x29, 0x23, 0x10, 0x18, 0x1b];
/** Selectors to ask about: those of the process, of the kernel, and beyond the table. */
const QUERIED = [0, 0x2b, 0x23, 0x20, 0x28, 0x29, 0x08, 0x10, 0x18, 0x1b, 0x1000, 0xfff3];
/** Selectors for CS, good and bad. */
export const CODE_SELECTORS = [0x23, 0x23, 0x23, 0x23, 0x20, 0x2b, 0, 0x10, 0x13];

/** Bytes of an operand size; 0 where it has no plain size. */
export function plainSize(size: string, operandSize: number): number {
  switch (size) {
    case "b": return 1;
    case "w": return 2;
    case "v": case "z": return operandSize;
    case "y": case "d": return 4;
    default: return 0;
  }
}

/** Stack pointers and operand addresses that fault. */
export const STACK_FAULTS = [STACK_FLOOR, STACK_FLOOR + 1, STACK_FLOOR + 2, STACK_CEILING, STACK_CEILING - 1, STACK_CEILING - 2, STACK_CEILING - 3, 0x8800];
/** The same for operands. */
export const OPERAND_FAULTS = [UNMAPPED, UNMAPPED - 1, UNMAPPED + 0x120, READ_ONLY + 0x200, READ_ONLY + 0x3ff, BEHIND_READ_ONLY - 1, BEHIND_READ_ONLY - 3, UNMAPPED - 2];

/** Before the memory operand is aimed: implicit registers. */
export const BEFORE: Readonly<Record<string, (c: Case) => void>> = {
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
  if (size === 1) record.bytes[GENERAL + 1] = high;
  else record.setRegister(EDX, size, size === 2 ? high & 0xffff : high >>> 0);
}

/** After it: what stands in memory, and registers that must agree with it. */
export const AFTER: Readonly<Record<string, (c: Case) => void>> = {
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

/** Registers of a string instruction, and memory with few distinct bytes so that comparisons go on for a while. */
export function aimStrings({ record, random, group, choice }: Case, fault: number): void {
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

/** A slot may have put a value into ESP; a stack instruction needs an address there. */
export function prepareStack({ record, random }: Case): void {
  const at = record.gpr(ESP);
  if (at < STACK_WINDOW + 0x80 || at > STACK_WINDOW + 0x180) record.setGpr(ESP, STACK_WINDOW + 0xc0 + 4 * random.below(32));
}

/** Places the memory operand, in the windows or where it faults, and puts its value there. */
export function place(state: Case, fault: number, fixed: number): void {
  const { group, record, random, choice, slots, values } = state;
  const { memory } = choice;
  const locked = choice.prefixes.includes(0xf0);
  let target = DATA_WINDOW + 0x80 + 4 * random.below(0x40) + (random.oneIn(4) && !locked ? random.below(8) : 0);
  if (fault >= 0) target = locked ? OPERAND_FAULTS[fault]! & ~7 : OPERAND_FAULTS[fault]!;
  if (memory === undefined) state.target = group.form.mnemonic === "XLAT" ? target : fixed;
  else if (group.form.mnemonic === "LEA") return;
  else {
    if (locked) target &= ~7;
    aim(record, memory, target);
    state.target = effectiveOffset(record, memory);
  }
  for (const [s, slot] of slots.entries()) if (slot.register < 0) record.poke(state.target, slot.size, values[s]!);
}
