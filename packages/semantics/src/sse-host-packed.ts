/**
 * Packed floating point in the host's vector arithmetic, under the conditions of `sse-host.ts` for every lane. A lane that nobody uses is
 * mostly zero, so that zeros are looked at here, too: they are exact where an operand is zero, or in a sum.
 */
import type { Builder } from "./builder.ts";
import { F32, type Format } from "./float/rounding.ts";
import type { Value } from "./ir.ts";
import { type Attempt, roundsAsHost } from "./sse-host.ts";

/** An operation on all lanes, of the second operand where it has but one. */
export type PackedHostOperation = (b: Builder, format: Format, x: Value, y: Value) => Attempt;

/** Lanes as integers, and lanes as numbers. */
function shapesOf(format: Format): { whole: "i32x4" | "i64x2"; float: "f32x4" | "f64x2" } {
  return format === F32 ? { whole: "i32x4", float: "f32x4" } : { whole: "i64x2", float: "f64x2" };
}

function all(b: Builder, format: Format, value: bigint): Value {
  return b.op(`${shapesOf(format).whole}_splat`, [format === F32 ? b.i32(Number(value)) : b.i64(value)]);
}

/** All ones in the lanes that are zero but for what is shifted out. */
function isZero(b: Builder, format: Format, vector: Value): Value {
  return b.op(`${shapesOf(format).whole}_eq`, [vector, b.v128(new Uint8Array(16))]);
}
function withoutSign(b: Builder, format: Format, x: Value): Value {
  return b.op(`${shapesOf(format).whole}_shl`, [x, b.i32(1)]);
}

/** Lanes with denormal numbers (and the smallest that are not). */
function areDenormal(b: Builder, format: Format, x: Value): Value {
  const { whole } = shapesOf(format);
  const less = b.op(`${whole}_add`, [withoutSign(b, format, x), b.v128(new Uint8Array(16).fill(255))]);
  return isZero(b, format, b.op(`${whole}_shr_u`, [less, b.i32(format.fraction + 1)]));
}

/** Lanes with NaNs, infinities, and what is near to being denormal. */
function areNotPlain(b: Builder, format: Format, x: Value): Value {
  const unit = 1n << BigInt(format.fraction);
  const beyond = b.op(`${shapesOf(format).whole}_add`, [x, all(b, format, unit)]);
  return isZero(b, format, b.op("v128_and", [beyond, all(b, format, BigInt(format.maxExponent & ~3) * unit)]));
}

function none(b: Builder, lanes: readonly Value[]): Value {
  return b.eqz(b.op("v128_any_true", [lanes.reduce((p, q) => b.op("v128_or", [p, q]))]));
}

/** @param zeros the operands of which one is zero where a zero result is exact; without them, it always is */
const arithmetic = (name: string, count: 1 | 2, zeros?: (x: Value, y: Value) => Value[]): PackedHostOperation => (b, format, x, y) => {
  const operands = count === 1 ? [y] : [x, y];
  const result = b.op(`${shapesOf(format).float}_${name}`, operands);
  const areZero = (v: Value): Value => isZero(b, format, withoutSign(b, format, v));
  const exact = zeros === undefined ? areZero(result) : b.op("v128_and", [areZero(result), zeros(x, y).map(areZero).reduce((p, q) => b.op("v128_or", [p, q]))]);
  const bad = b.op("v128_andnot", [areNotPlain(b, format, result), exact]);
  return { result, fits: [roundsAsHost(b), none(b, [bad, ...operands.map((v) => areDenormal(b, format, v))])] };
};

/** What must be so of every lane for a comparison to raise no flag. */
function comparable(b: Builder, format: Format, x: Value, y: Value): Value[] {
  const { float } = shapesOf(format);
  const isNumber = (v: Value): Value => b.op(`${float}_eq`, [v, v]);
  const isNaN = b.op("v128_not", [b.op("v128_and", [isNumber(x), isNumber(y)])]);
  return [none(b, [isNaN, areDenormal(b, format, x), areDenormal(b, format, y)])];
}

/** The second operand where both are zeros: the pseudo-minimum of y and x is x where it is less than y. */
const extreme = (name: "pmin" | "pmax"): PackedHostOperation => (b, format, x, y) =>
  ({ result: b.op(`${shapesOf(format).float}_${name}`, [y, x]), fits: comparable(b, format, x, y) });

/** Operations by the beginning of their mnemonics. */
export const HOST_PACKED: Readonly<Record<string, PackedHostOperation>> = {
  ADD: arithmetic("add", 2), SUB: arithmetic("sub", 2), MUL: arithmetic("mul", 2, (x, y) => [x, y]), DIV: arithmetic("div", 2, (x) => [x]),
  SQRT: arithmetic("sqrt", 1, (_x, y) => [y]), MIN: extreme("pmin"), MAX: extreme("pmax"),
};

/** CMPPS, CMPPD; see `hostComparison`. */
export const hostPackedComparison = (predicate: Value): PackedHostOperation => (b, format, x, y) => {
  const { float } = shapesOf(format);
  const mask = (bit: Value): Value => b.op("i32x4_splat", [b.sub(b.i32(0), b.and(bit, 1))]);
  const equal = b.op("v128_and", [b.op(`${float}_eq`, [x, y]), mask(b.not(predicate))]);
  const less = b.op("v128_and", [b.op(`${float}_lt`, [x, y]), mask(b.xor(predicate, b.shrU(predicate, 1)))]);
  const result = b.op("v128_xor", [b.op("v128_or", [equal, less]), mask(b.shrU(predicate, 2))]);
  return { result, fits: comparable(b, format, x, y) };
};

/** Conversions of vectors by mnemonic. */
export const HOST_CONVERSION: Readonly<Record<string, (b: Builder, x: Value) => Attempt>> = {
  CVTDQ2PS: (b, x) => ({ result: b.op("f32x4_convert_i32x4_s", [x]), fits: [roundsAsHost(b)] }),
  CVTDQ2PD: (b, x) => ({ result: b.op("f64x2_convert_low_i32x4_s", [x]), fits: [] }),
};
