/**
 * Random instructions that nearly always retire, however often they are executed: what they need of registers and memory is put there before
 * them, as far as chance would not. What it is differs from round to round where it may.
 */
import { decode, type Form, Instruction, OK, PREFIX_LOCK, PREFIX_REP, PREFIX_REPNE, PREFIX_REX } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import { dword, move, type Pieces } from "./code-pieces.ts";
import { BASES, CODE, LOW } from "./image-layout.ts";
import { drawInstruction, type Surroundings } from "./random-instruction.ts";
import { freshStack, goal, point, small } from "./round-setup.ts";

/** An instruction that wants operands. */
export interface Wanting {
  /** Its operand must be aligned. */
  readonly aligned: boolean;
  readonly one: Instruction;
  readonly bytes: number[];
  /** Where its ModRM byte ends. */
  readonly field: number;
  /** Address of its memory operand, where it has one. */
  readonly target: number;
}

const TRIES = 60;
/** Of a stack pointer's displacement, at most. */
const FAR = 0x800;
const MODRM_SIB = 4;
const SP = 4;
const A = 0, C = 1, D = 2, B = 3, SI = 6, DI = 7;
const FS = 4;
const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);
const BITS = new Set(["BT", "BTS", "BTR", "BTC"]);
/** Their memory is at a place that no register chooses: words are put there before. */
const STEADY = new Set([
  "FLDCW", "LDMXCSR", "FLDENV", "FRSTOR", "FXRSTOR", "BOUND", "LDS", "LES", "LSS", "LFS", "LGS", "LLDT", "LTR", "LGDT", "LIDT", "LMSW", "JMP", "CALL", "JMPF", "CALLF", "INVPCID", "XSAVE", "XSAVEOPT", "XRSTOR",
]);
/** Operands that must lie on a boundary of 16 bytes, or more, in most instructions. */
const ALIGNED = new Set(["dq", "ps", "pd", "fx"]);

/** Writes a number into an instruction's bytes. */
export const patch = (bytes: number[], at: number, value: number, size: number): void => {
  for (const [n, byte] of dword(value).slice(0, size).entries()) bytes[at + n] = byte;
  for (let n = 4; n < size; n++) bytes[at + n] = (Math.floor(value / 0x1_0000_0000) >>> (8 * (n - 4))) & 0xff;
};

/** Whether the stack pointer is an operand: little of what follows would find its stack. */
function namesStack({ form, reg, rm, mod, vvvv, prefixes }: Instruction, long: boolean): boolean {
  return form.operands.some(({ kind, size }) => {
    if (size === "b" && (!long || (prefixes & PREFIX_REX) === 0)) return false;
    if (kind === "G" || kind === "R" || kind === "Z" || kind === "E") return (kind === "G" ? reg : kind === "E" && mod !== 3 ? -1 : rm) === SP;
    return kind === "B" && vvvv === SP;
  });
}

/** An instruction of the form whose operands can be made good. */
function draw(random: Random, form: Form, around: Surroundings, at: number): Wanting | undefined {
  const long = around.codeSize === 8;
  for (let left = TRIES; left > 0; left--) {
    const { bytes, field } = drawInstruction(random, form, around, at);
    const one = new Instruction();
    if (decode(Uint8Array.from(bytes), 0, bytes.length, around.codeSize, one) !== OK || one.form !== form) continue;
    if ((one.prefixes & PREFIX_LOCK) !== 0 && (!form.lockable || one.mod === 3) && !random.oneIn(16)) continue;
    if (namesStack(one, long) && !random.oneIn(16)) continue;
    // Code cannot be written by its own segment.
    if (one.memory && !long && one.segment === 1) continue;
    if (form.hasModrm && one.mod !== 3 && (one.base === one.index && one.base >= 0)) continue;
    if (BITS.has(form.mnemonic) && one.mod !== 3 && one.reg === one.base) continue;
    // The stack that faults are handled on at level 0 must not lie in the program.
    if (form.hasModrm && one.mod !== 3 && one.base === SP && Math.abs(one.displacement) > FAR) continue;
    const short = one.addressSize === 2;
    const segmented = one.segment >= FS;
    const steady = STEADY.has(form.mnemonic) || form.operands.some(({ kind }) => kind === "S");
    if (steady && segmented && long) continue;
    const aligned = steady || ALIGNED.has(form.operands[form.memoryOperand]?.size ?? "") && !random.oneIn(form.mnemonic.includes("U") ? 3 : 24);
    let target = goal(random, short) & ~(aligned ? 63 : 0);
    // What has no registers, or is wanted at a known place, has an address of 32 bits.
    if (one.addressSize === 8 && !segmented && !steady && one.base >= 0 && random.oneIn(3)) target += random.pick(BASES);
    return { one, bytes, field, target, aligned };
  }
  return undefined;
}

/** Puts an address into the registers that a memory operand is addressed by, or into its displacement. */
function aim(random: Random, around: Surroundings, { one, bytes, field, target, aligned }: Wanting, steady: boolean): Pieces {
  const { base, index, addressSize, displacement, modrm } = one;
  if (one.ripRelative) return [];
  const sib = addressSize !== 2 && (modrm & 7) === MODRM_SIB ? 1 : 0;
  const before = index < 0 ? [] : steady ? [move(around, index, 0)] : aligned ? [move(around, index, 16 * random.below(16))] : [small(random, around, index)];
  if (base < 0) {
    patch(bytes, field + sib, target, addressSize === 2 ? 2 : 4);
    return before;
  }
  const value = target - displacement;
  if (addressSize === 2) return [...before, move(around, base, value & 0xffff)];
  return [...before, ...point(random, around, base, addressSize === 4 && around.codeSize === 8 ? value | 0 : value, steady ? 0 : aligned ? 16 : 8)];
}

/** Registers of string instructions, XLAT and MASKMOV. */
function implicit(random: Random, around: Surroundings, { one, bytes }: Wanting): Pieces {
  const { form, addressSize } = one;
  const place = (): number => goal(random, addressSize === 2) + (addressSize === 8 && one.segment < FS ? random.pick(BASES) : LOW);
  if (form.operands.some(({ kind }) => kind === "O")) {
    const address = addressSize === 8 ? place() : goal(random, addressSize === 2);
    patch(bytes, bytes.length - addressSize, address, addressSize);
    return [];
  }
  if (form.mnemonic === "XLAT") return [move(around, B, place())];
  if (form.mnemonic.startsWith("MASKMOV")) return point(random, around, DI, place());
  if (!STRINGS.has(form.mnemonic)) return [];
  const out: Pieces = [];
  const kinds = form.operands.map(({ kind }) => kind);
  if (kinds.includes("X")) out.push(...point(random, around, SI, place()));
  if (kinds.includes("Y")) out.push(...point(random, around, DI, place()));
  if ((one.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0) out.push(random.oneIn(2) ? move(around, C, random.below(12)) : [0x83, 0xe1, random.pick([1, 3, 7, 15])]);
  return out;
}

/** Dividends that most divisors divide. */
function dividend(random: Random, around: Surroundings, { one }: Wanting): Pieces {
  const wide = one.operandSize === 8 ? [0x48] : [];
  if (one.form.operands.at(-1)!.size === "b") return [one.form.mnemonic === "IDIV" ? [0x66, 0x98] : small(random, around, A)];
  if (one.form.mnemonic === "IDIV" && !random.oneIn(4)) return [[...(one.operandSize === 2 ? [0x66] : wide), 0x99]];
  return [random.oneIn(3) ? small(random, around, D) : move(around, D, random.below(3))];
}

/** What stands before an instruction, so that it retires. */
function before(random: Random, around: Surroundings, wanting: Wanting): Pieces | undefined {
  const { one } = wanting;
  const { form } = one;
  const inMemory = form.hasModrm && one.mod !== 3 && form.memoryOperand >= 0;
  const steady = STEADY.has(form.mnemonic) || form.operands.some(({ kind }) => kind === "S");
  const out: Pieces = [];
  if (form.mnemonic === "DIV" || form.mnemonic === "IDIV") {
    if (!inMemory && (one.rm === D || (form.operands.at(-1)!.size === "b" && one.rm === SP))) return undefined;
    out.push(...dividend(random, around, wanting));
    if (inMemory && (one.base === D || one.index === D || one.base === A || one.index === A)) return undefined;
  }
  if (inMemory && !(form.mnemonic === "LEA" && random.oneIn(2))) out.push(...aim(random, around, wanting, steady));
  out.push(...implicit(random, around, wanting));
  if (inMemory && BITS.has(form.mnemonic) && form.operands.some(({ kind }) => kind === "G")) {
    if (one.reg === one.index) return out;
    out.push(small(random, around, one.reg));
  }
  return out;
}

/** What an instruction wants besides: pieces whose length does not depend on the address of what comes behind it. */
export interface Wants {
  readonly before?: (next: number) => Pieces;
  readonly behind?: (next: number) => Pieces;
}

/** Bytes of some pieces. */
export const lengthOf = (pieces: Pieces): number => pieces.reduce((sum, { length }) => sum + length, 0);

/**
 * An instruction of the form behind what it needs; undefined where chance found none.
 * @param at where in the program the first of them will stand
 * @param wantsOf what the form wants besides; undefined for an instruction that shall not be
 */
export function prepared(random: Random, form: Form, around: Surroundings, at: number, wantsOf?: (wanting: Wanting) => Wants | undefined): Pieces | undefined {
  for (let left = 24; left > 0; left--) {
    const wanting = draw(random, form, around, at);
    if (wanting === undefined) return undefined;
    const wants = wantsOf === undefined ? {} : wantsOf(wanting);
    const operands = wants === undefined ? undefined : before(random, around, wanting);
    if (wants === undefined || operands === undefined) continue;
    const { one, bytes, field, target } = wanting;
    const first = wants.before ?? (() => []);
    const end = at + lengthOf(first(0)) + lengthOf(operands) + bytes.length;
    if (one.ripRelative) patch(bytes, field, target - (CODE + end), 4);
    const behind = [...(wants.behind?.(around.codeFrom + end) ?? []), ...(namesStack(one, around.codeSize === 8) ? [freshStack(random, around)] : [])];
    return [...first(around.codeFrom + end), ...operands, bytes, ...behind];
  }
  return undefined;
}
