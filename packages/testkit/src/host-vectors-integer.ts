/**
 * Inputs of the integer groups: every pair of boundary values, fifty and more random ones, all conditions and shift counts, every
 * addressing mode, and operands that fault. What an instruction needs beyond that (a stack, a divisor that fits) it gets here.
 */
import {
  AFTER, aimStrings, BEFORE, type Case, CODE_SELECTORS, OPERAND_FAULTS, place, plainSize, prepareStack, type Slot, STACK_FAULTS,
} from "./host-vectors-adjustments.ts";
import { absolute, chooseMemory, encode, type EncodingChoice, immediateSizes } from "./host-vectors-encoding.ts";
import type { Group } from "./host-vectors-groups.ts";
import { codeTarget, fillAtRandom } from "./host-vectors-initial.ts";
import { BOUNDARIES, boundaryPairs, Random, randomValue } from "./host-vectors-random.ts";
import { type CaseRecord, CODE, CODE_ADDRESS, DATA_WINDOW, LENGTH } from "./host-vectors-record.ts";

const ESP = 4, EBP = 5;
const RANDOM_CASES = 52;
const FAULT_CASES = 8;
const SHIFTS = new Set(["ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAR", "SHLD", "SHRD"]);
const COUNTS = [...Array.from({ length: 35 }, (_, n) => n), 40, 63, 64, 65, 0x80, 0xe1, 0xff];
const SHIFTED: Readonly<Record<number, readonly number[]>> = {
  1: [0, 1, 0x55, 0x80, 0xfe, 0xff], 2: [0, 1, 0x5555, 0x8000, 0xfffe, 0xffff], 4: [0, 1, 0x55555555, 0x80000000, 0xfffffffe, 0xffffffff],
};
const BIT_TESTS = new Set(["BT", "BTS", "BTR", "BTC"]);
const NEAR = new Set(["Jcc", "JMP", "CALL", "LOOP", "LOOPE", "LOOPNE", "JCXZ"]);

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
