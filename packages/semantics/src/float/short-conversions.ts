/**
 * Conversions and comparisons of f32 and f64 as SSE does them (SDM volume 1, sections 11.5.2 and 4.9; volume 2, CVT*, COMISS, CMPPS, MINPS).
 */
import { irFunction, type Builder } from "../builder.ts";
import type { IrFunction, Value } from "../ir.ts";
import { fieldsOf, normalizedFraction } from "./conversions.ts";
import { F32, F64, incrementFor, packBits, roundF32, roundF64, type Format } from "./rounding.ts";
import { DE, IE, INTEGER_BIT, PE, raise, raiseOnly, roundingOf } from "./scratch.ts";
import { take } from "./short.ts";
import { shiftRightJam } from "./wide.ts";

/** f32 or f64 to a signed integer: (bits, control); out of range IE and 80...0. Denormals raise no DE: they are merely inexact. */
function toInteger(format: Format, width: 32 | 64): IrFunction {
  const type = width === 32 ? "i32" : "i64";
  return irFunction(`${format.name}_to_i${width}`, [format.type, "i32"], type, (b, bits, control) => {
    const x = take(b, format, bits, control);
    const invalid = (): void => {
      raise(b, IE);
      b.return(type === "i32" ? b.i32(1 << 31) : b.i64(INTEGER_BIT));
    };
    b.if(b.geU(x.exponent, format.bias + width), invalid);
    const significand = b.select(x.exponent, b.or(x.fraction, b.i64(INTEGER_BIT)), x.fraction);
    const split = shiftRightJam(b, significand, b.i64(0), b.sub(b.i32(format.bias + 63), x.exponent));
    const increment = incrementFor(b, roundingOf(b, control), x.negative, b.and(split.hi, 1), split.lo);
    const value = b.add(split.hi, b.extendU(increment));
    const limit = b.add(b.i64((1n << BigInt(width - 1)) - 1n), b.extendU(x.negative));
    b.if(b.gtU(value, limit), invalid);
    b.if(b.ne(split.lo, 0), () => raise(b, PE));
    const result = b.select(x.negative, b.sub(b.i64(0), value), value);
    b.return(type === "i32" ? b.wrap(result) : result);
  });
}
export const f32ToI32 = toInteger(F32, 32);
export const f32ToI64 = toInteger(F32, 64);
export const f64ToI32 = toInteger(F64, 32);
export const f64ToI64 = toInteger(F64, 64);

/** A signed integer, sign-extended to 64 bits, to f32 or f64: (value, control). */
function fromInteger(format: Format): IrFunction {
  return irFunction(`i64_to_${format.name}`, ["i64", "i32"], format.type, (b, value, control) => {
    b.if(b.eqz(value), () => b.return(packBits(b, format, b.i32(0), b.i32(0), b.i64(0))));
    const mask = b.shrS(value, 63);
    const size = b.sub(b.xor(value, mask), mask);
    const n = b.op("i64_clz", [size]);
    const round = format === F32 ? roundF32 : roundF64;
    b.return(b.call(round, [b.and(b.wrap(mask), 1), b.sub(b.i32(format.bias + 63), b.wrap(n)), b.shl(size, n), b.i64(0), control]));
  });
}
export const i64ToF32 = fromInteger(F32);
export const i64ToF64 = fromInteger(F64);

/** f32 to f64 or back: (bits, control). */
function convert(from: Format, to: Format): IrFunction {
  return irFunction(`${from.name}_to_${to.name}`, [from.type, "i32"], to.type, (b, bits, control) => {
    const x = take(b, from, bits, control);
    b.if(x.nan, () => {
      b.if(x.signaling, () => raise(b, IE));
      b.return(packBits(b, to, x.negative, b.i32(to.maxExponent), b.or(x.fraction, b.i64(1n << 62n))));
    });
    b.if(b.or(x.infinite, x.zero), () => b.return(packBits(b, to, x.negative, b.select(x.infinite, b.i32(to.maxExponent), b.i32(0)), b.i64(0))));
    b.if(x.denormal, () => raise(b, DE));
    const small = normalizedFraction(b, x.fraction);
    const exponent = b.add(b.select(x.exponent, x.exponent, small.exponent), to.bias - from.bias);
    const significand = b.select(x.exponent, b.or(x.fraction, b.i64(INTEGER_BIT)), small.significand);
    b.return(b.call(to === F32 ? roundF32 : roundF64, [x.negative, exponent, significand, b.i64(0), control]));
  });
}
export const f32ToF64 = convert(F32, F64);
export const f64ToF32 = convert(F64, F32);

/** Order of two numbers that are not NaNs, through integers in the same order. */
function orderKey(b: Builder, format: Format, bits: Value): Value {
  const { negative } = fieldsOf(b, format, bits);
  const wide = format === F32 ? b.extendU(b.and(bits, 0x7fff_ffff)) : b.and(bits, b.i64(0x7fff_ffff_ffff_ffffn));
  return b.select(negative, b.sub(b.i64(0), wide), wide);
}

/**
 * Compares: (x, y, quiet, control). CF, PF, ZF at their places as COMISS sets them: 0 greater, 1 less, 40h equal, 45h unordered. Signaling
 * NaNs are invalid, quiet ones too without `quiet`.
 */
function comparison(format: Format): IrFunction {
  return irFunction(`${format.name}_compare`, [format.type, format.type, "i32", "i32"], "i32", (b, xBits, yBits, quiet, control) => {
    const x = take(b, format, xBits, control);
    const y = take(b, format, yBits, control);
    b.if(b.or(x.nan, y.nan), () => {
      raiseOnly(b, b.or(b.or(x.signaling, y.signaling), b.eqz(quiet)));
      b.return(b.i32(0x45));
    });
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    const zero = format === F32 ? b.i32(0) : b.i64(0);
    const [p, q] = [orderKey(b, format, b.select(x.zero, zero, xBits)), orderKey(b, format, b.select(y.zero, zero, yBits))];
    b.return(b.select(b.eq(p, q), b.i32(0x40), b.ltS(p, q)));
  });
}
export const f32Compare = comparison(F32);
export const f64Compare = comparison(F64);

/** MIN and MAX: (x, y, control). The second operand when either is a NaN (invalid) or both are zeros. */
function extreme(format: Format, name: "min" | "max"): IrFunction {
  return irFunction(`${format.name}_${name}`, [format.type, format.type, "i32"], format.type, (b, xBits, yBits, control) => {
    const zero = (negative: Value): Value => packBits(b, format, negative, b.i32(0), b.i64(0));
    const x = take(b, format, xBits, control);
    const y = take(b, format, yBits, control);
    // Under DAZ a denormal is replaced by a zero of its sign, also as the result.
    const u = b.select(x.zero, zero(x.negative), xBits);
    const v = b.select(y.zero, zero(y.negative), yBits);
    b.if(b.or(x.nan, y.nan), () => {
      raiseOnly(b, IE);
      b.return(v);
    });
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    b.if(b.and(x.zero, y.zero), () => b.return(v));
    const [p, q] = [orderKey(b, format, u), orderKey(b, format, v)];
    b.return(b.select(name === "min" ? b.ltS(p, q) : b.gtS(p, q), u, v));
  });
}
export const f32Min = extreme(F32, "min");
export const f32Max = extreme(F32, "max");
export const f64Min = extreme(F64, "min");
export const f64Max = extreme(F64, "max");

