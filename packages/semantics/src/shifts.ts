/**
 * Shifts, rotates and double shifts (SDM volume 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD). The count is masked to 5 bits
 * (6 with 64-bit operands); a masked count of zero leaves every flag alone, which is a select, not a branch.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Size, Value } from "./ir.ts";

interface Shift {
  readonly size: Size;
  readonly bits: number;
  readonly value: Value;
  /** Masked count, i32. */
  readonly count: Value;
  /** The same in the value's type. */
  readonly by: Value;
}

function operands(i: InstructionBuilder, countOperand: number): Shift {
  const size = i.size(0);
  const raw = i.shape.form.operands[countOperand]!.kind === "I" ? i.field("immediate") : i.read(countOperand);
  const count = i.and(raw, size === 8 ? 63 : 31);
  const value = i.readForUpdate(0);
  return { size, bits: size * 8, value, count, by: value.type === "i64" ? i.extendU(count) : count };
}

/** Bit n of a value as 0 or 1, i32. */
function bit(i: InstructionBuilder, value: Value, n: number): Value {
  return i.wrap(i.and(i.shrU(value, n), 1));
}

function finish(i: InstructionBuilder, rule: "shl" | "shr" | "sar", { size, count, by }: Shift, value: Value, result: Value): void {
  i.write(0, result);
  i.setFlags({ rule, size, a: value, b: by, result }, whenCounted(i, count));
}

/** A count that is the constant 1 needs no condition. */
function whenCounted(i: InstructionBuilder, count: Value): Value | undefined {
  return count.op === "const" && count.data !== 0 ? undefined : i.ne(count, 0);
}

const shl: Definition = (i) => {
  const s = operands(i, 1);
  finish(i, "shl", s, s.value, i.shl(s.value, s.by));
};

const shr: Definition = (i) => {
  const s = operands(i, 1);
  finish(i, "shr", s, s.value, i.shrU(s.value, s.by));
};

const sar: Definition = (i) => {
  const s = operands(i, 1);
  const value = i.signExtend(s.value, s.size);
  finish(i, "sar", s, value, i.shrS(value, s.by));
};

function rotateFlags(i: InstructionBuilder, s: Shift, result: Value, cf: Value, of: Value): void {
  i.write(0, result);
  i.setFlags({ rule: "carry-overflow", cf, of }, whenCounted(i, s.count));
}

/** A narrow value repeated over 32 bits, so that a 32-bit rotate rotates it. */
function repeated(i: InstructionBuilder, { size, value }: Shift): Value {
  return size === 1 ? i.mul(value, 0x01010101) : size === 2 ? i.mul(value, 0x00010001) : value;
}

const rol: Definition = (i) => {
  const s = operands(i, 1);
  const result = i.rotl(repeated(i, s), s.by);
  const cf = bit(i, result, 0);
  rotateFlags(i, s, result, cf, i.xor(cf, bit(i, result, s.bits - 1)));
};

const ror: Definition = (i) => {
  const s = operands(i, 1);
  const result = i.rotr(repeated(i, s), s.by);
  const cf = bit(i, result, s.bits - 1);
  rotateFlags(i, s, result, cf, i.xor(cf, bit(i, result, s.bits - 2)));
};

const rotateThroughCarry = (left: boolean): Definition => (i) => {
  const s = operands(i, 1);
  const carry = i.flag("CF");
  if (s.size === 8) {
    // 65 bits: the two parts are shifted apart, and shifts by 64 and more are made of two.
    const one = i.sub(s.by, 1);
    const rest = i.sub(i.i64(64), s.by);
    const inserted = i.extendU(carry);
    const counted = left
      ? i.or(i.or(i.shl(s.value, s.by), i.shl(inserted, one)), i.shrU(i.shrU(s.value, 1), rest))
      : i.or(i.or(i.shrU(s.value, s.by), i.shl(inserted, rest)), i.shl(i.shl(s.value, 1), rest));
    const result = i.select(s.count, counted, s.value);
    const cf = left ? i.wrap(i.and(i.shrU(s.value, rest), 1)) : i.wrap(i.and(i.shrU(s.value, one), 1));
    const top = bit(i, result, 63);
    return rotateFlags(i, s, result, cf, left ? i.xor(cf, top) : i.xor(top, bit(i, result, 62)));
  }
  const width = s.bits + 1;
  const turn = i.extendU(s.size === 4 ? s.count : i.op("i32_rem_u", [s.count, i.i32(width)]));
  const wide = i.or(i.extendU(s.value), i.shl(i.extendU(carry), s.bits));
  const back = i.sub(i.i64(width), turn);
  const rotated = left ? i.or(i.shl(wide, turn), i.shrU(wide, back)) : i.or(i.shrU(wide, turn), i.shl(wide, back));
  const result = i.wrap(rotated);
  const cf = bit(i, rotated, s.bits);
  const top = bit(i, rotated, s.bits - 1);
  rotateFlags(i, s, result, cf, left ? i.xor(cf, top) : i.xor(top, bit(i, rotated, s.bits - 2)));
};

const doubleShift = (left: boolean): Definition => (i) => {
  const s = operands(i, 2);
  const filler = i.read(1);
  let result: Value;
  let cf: Value;
  if (s.size === 2) {
    // Counts above 16 are undefined; processors shift the destination in again behind the source.
    const wide = i.or(i.or(i.shl(i.extendU(s.value), 32), i.shl(i.extendU(filler), 16)), i.extendU(s.value));
    const by = i.extendU(s.count);
    const moved = left ? i.shl(wide, by) : i.shrU(wide, by);
    result = i.wrap(left ? i.shrU(moved, 32) : moved);
    cf = left ? bit(i, moved, 48) : i.wrap(i.and(i.shrU(wide, i.sub(by, 1)), 1));
  } else {
    const rest = i.sub(i.like(s.value, s.bits), s.by);
    const moved = left ? i.or(i.shl(s.value, s.by), i.shrU(filler, rest)) : i.or(i.shrU(s.value, s.by), i.shl(filler, rest));
    result = i.select(s.count, moved, s.value);
    cf = i.wrap(i.and(i.shrU(s.value, left ? rest : i.sub(s.by, 1)), 1));
  }
  i.write(0, result);
  i.setFlags({ rule: "result", size: s.size, result, cf, of: i.xor(bit(i, result, s.bits - 1), bit(i, s.value, s.bits - 1)), af: i.i32(0) }, whenCounted(i, s.count));
};

export const SHIFTS: Record<string, Definition> = {
  SHL: shl,
  SHR: shr,
  SAR: sar,
  ROL: rol,
  ROR: ror,
  RCL: rotateThroughCarry(true),
  RCR: rotateThroughCarry(false),
  SHLD: doubleShift(true),
  SHRD: doubleShift(false),
};
