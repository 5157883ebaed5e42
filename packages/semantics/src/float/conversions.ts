/**
 * Conversions between the extended format and f32, f64, integers and packed decimals; rounding to an integer; comparison (SDM volume 1,
 * sections 4.8, 4.9.1 and 8.1.2; volume 2, FLD, FST, FILD, FIST, FBLD, FBSTP, FRNDINT, FCOM).
 */
import { irFunction, type Builder } from "../builder.ts";
import type { IrFunction, Value } from "../ir.ts";
import { extended, isDenormal, isNaN, isSignaling, isUnsupported, isZero, propagateNaN } from "./extended.ts";
import { F32, F64, incrementFor, packBits, roundF32, roundF64, type Format } from "./rounding.ts";
import {
  BIAS, DE, FLOAT_EXTRA, FLOAT_FLAGS, FLOAT_SE, IE, INDEFINITE, INTEGER_BIT, MAX_EXPONENT, PE, raise, raiseOnly, returnExtended, returnInvalid, roundingOf,
} from "./scratch.ts";
import { shiftRightJam } from "./wide.ts";

/** Fields of a number in a storage format. */
export function fieldsOf(b: Builder, format: Format, bits: Value): { negative: Value; exponent: Value; fraction: Value } {
  const wide = b.extendU(bits);
  return {
    negative: b.wrap(b.shrU(wide, format.name === "f32" ? 31 : 63)),
    exponent: b.and(b.wrap(b.shrU(wide, format.fraction)), format.maxExponent),
    fraction: b.shl(b.and(wide, 2 ** format.fraction - 1), format.drop),
  };
}

/** A denormal's exponent in `bias` and its significand with bit 63 set; `fraction` stands in the upper bits without the integer bit. */
export function normalizedFraction(b: Builder, fraction: Value): { exponent: Value; significand: Value } {
  const n = b.op("i64_clz", [fraction]);
  return { exponent: b.sub(b.i32(1), b.wrap(n)), significand: b.shl(fraction, n) };
}

/** f32 or f64 to extended. As an arithmetic operand a signaling NaN stays one; FLD (`quiet`) signals and quiets it. */
function widen(format: Format, quiet: boolean): IrFunction {
  return irFunction(`${format.name}_to_f80${quiet ? "" : "_operand"}`, [format.type], "i64", (b, bits) => {
    const { negative, exponent, fraction } = fieldsOf(b, format, bits);
    const sign = b.shl(negative, 15);
    b.if(b.geU(b.sub(exponent, 1), format.maxExponent - 1), () => {
      b.if(exponent, () => {
        const signaling = b.and(b.ne(fraction, 0), b.eqz(b.and(b.shrU(fraction, 62), 1)));
        if (quiet) b.if(signaling, () => raise(b, IE));
        const whole = b.or(fraction, b.i64(INTEGER_BIT));
        const payload = quiet ? b.select(signaling, b.or(whole, b.i64(INDEFINITE)), whole) : whole;
        returnExtended(b, b.or(sign, MAX_EXPONENT), payload);
      });
      b.if(b.eqz(fraction), () => returnExtended(b, sign, 0n));
      raise(b, DE);
      const { exponent: small, significand } = normalizedFraction(b, fraction);
      returnExtended(b, b.or(sign, b.add(small, BIAS - format.bias)), significand);
    }, undefined, false);
    returnExtended(b, b.or(sign, b.add(exponent, BIAS - format.bias)), b.or(fraction, b.i64(INTEGER_BIT)));
  });
}
export const f32ToF80 = widen(F32, true);
export const f64ToF80 = widen(F64, true);
export const f32Operand = widen(F32, false);
export const f64Operand = widen(F64, false);

/** Extended to f32 or f64: (significand, se, control). */
function narrow(format: Format, round: IrFunction): IrFunction {
  return irFunction(`f80_to_${format.name}`, ["i64", "i32", "i32"], format.type, (b, significand, se, control) => {
    const x = extended(b, significand, se);
    b.if(b.or(b.geU(b.sub(x.exponent, 1), MAX_EXPONENT - 1), b.geS(significand, 0)), () => {
      const top = b.i32(format.maxExponent);
      b.if(isUnsupported(b, x), () => {
        raise(b, IE);
        b.return(packBits(b, format, b.i32(1), top, b.i64(INDEFINITE)));
      });
      b.if(b.eq(x.exponent, MAX_EXPONENT), () => {
        b.if(isSignaling(b, x), () => raise(b, IE));
        const nan = isNaN(b, x);
        b.return(packBits(b, format, x.negative, top, b.select(nan, b.or(significand, b.i64(1n << 62n)), significand)));
      });
      b.if(b.eqz(significand), () => b.return(packBits(b, format, x.negative, b.i32(0), significand)));
      const n = b.op("i64_clz", [significand]);
      const exponent = b.sub(b.i32(1 - BIAS + format.bias), b.wrap(n));
      b.return(b.call(round, [x.negative, exponent, b.shl(significand, n), b.i64(0), control]));
    }, undefined, false);
    b.return(b.call(round, [x.negative, b.sub(x.exponent, BIAS - format.bias), significand, b.i64(0), control]));
  });
}
export const f80ToF32 = narrow(F32, roundF32);
export const f80ToF64 = narrow(F64, roundF64);

/** A signed 64-bit integer to extended; exact. Narrower ones are sign-extended by the caller. */
export const i64ToF80 = irFunction("i64_to_f80", ["i64"], "i64", (b, value) => {
  b.if(b.eqz(value), () => returnExtended(b, 0, 0n));
  const mask = b.shrS(value, 63);
  const size = b.sub(b.xor(value, mask), mask);
  const n = b.op("i64_clz", [size]);
  returnExtended(b, b.or(b.and(b.wrap(mask), 0x8000), b.sub(b.i32(BIAS + 63), b.wrap(n))), b.shl(size, n));
});

/** Magnitude of an extended number rounded to an integer, and the flags; for exponents below BIAS + 64. */
function roundedMagnitude(b: Builder, significand: Value, exponent: Value, negative: Value, control: Value): { whole: Value; value: Value; flags: Value } {
  const split = shiftRightJam(b, significand, b.i64(0), b.sub(b.i32(BIAS + 63), exponent));
  const increment = incrementFor(b, roundingOf(b, control), negative, b.and(split.hi, 1), split.lo);
  const flags = b.select(b.ne(split.lo, 0), b.or(b.i32(PE), b.shl(increment, 9)), b.i32(0));
  return { whole: split.hi, value: b.add(split.hi, b.extendU(increment)), flags };
}

/** Extended to a signed integer of a width: (significand, se, control). Out of range: IE and the integer indefinite 80...0. */
function toInteger(name: string, largest: bigint, indefinite: bigint): IrFunction {
  return irFunction(name, ["i64", "i32", "i32"], "i64", (b, significand, se, control) => {
    const x = extended(b, significand, se);
    const invalid = (): void => {
      raise(b, IE);
      b.return(b.i64(indefinite));
    };
    b.if(b.or(b.geU(x.exponent, BIAS + 64), isUnsupported(b, x)), invalid);
    const { whole, value, flags } = roundedMagnitude(b, significand, x.exponent, x.negative, control);
    const limit = b.add(b.i64(largest), indefinite === 0n ? b.i64(0) : b.extendU(x.negative));
    b.if(b.or(b.gtU(value, limit), b.ltU(value, whole)), invalid);
    raise(b, flags);
    b.return(b.select(x.negative, b.sub(b.i64(0), value), value));
  });
}
export const f80ToI16 = toInteger("f80_to_i16", 0x7fffn, -0x8000n);
export const f80ToI32 = toInteger("f80_to_i32", 0x7fff_ffffn, -0x8000_0000n);
export const f80ToI64 = toInteger("f80_to_i64", (1n << 63n) - 1n, -(1n << 63n));
/** The limit of packed decimals; 0 with IE when out of range. The sign of a result of zero is the operand's. */
export const f80ToDecimalInteger = toInteger("f80_to_i18", 10n ** 18n - 1n, 0n);

/** FRNDINT: (significand, se, control). */
export const f80RoundToInteger = irFunction("f80_round_to_integer", ["i64", "i32", "i32"], "i64", (b, significand, se, control) => {
  const x = extended(b, significand, se);
  b.if(isUnsupported(b, x), () => returnInvalid(b));
  b.if(isNaN(b, x), () => b.return(b.call(propagateNaN, [significand, se, significand, se])));
  b.if(b.or(b.geU(x.exponent, BIAS + 63), b.eqz(significand)), () => returnExtended(b, se, significand));
  b.if(isDenormal(b, x), () => raise(b, DE));
  const { value, flags } = roundedMagnitude(b, significand, x.exponent, x.negative, control);
  raise(b, flags);
  const sign = b.and(se, 0x8000);
  b.if(b.eqz(value), () => returnExtended(b, sign, 0n));
  const n = b.op("i64_clz", [value]);
  returnExtended(b, b.or(sign, b.sub(b.i32(BIAS + 63), b.wrap(n))), b.shl(value, n));
});

/**
 * Compares two extended numbers: (x, y, quiet). The result has CF, PF and ZF at their EFLAGS places, which are those of C0, C2 and C3 shifted
 * right by 8: 0 greater, 1 less, 40h equal, 45h unordered. Without `quiet` every NaN is invalid.
 */
export const f80Compare = irFunction("f80_compare", ["i64", "i32", "i64", "i32", "i32"], "i32", (b, xs, xe, ys, ye, quiet) => {
  const x = extended(b, xs, xe);
  const y = extended(b, ys, ye);
  const unsupported = b.or(isUnsupported(b, x), isUnsupported(b, y));
  b.if(b.or(unsupported, b.or(isNaN(b, x), isNaN(b, y))), () => {
    const signals = b.or(b.or(isSignaling(b, x), isSignaling(b, y)), unsupported);
    raiseOnly(b, b.or(signals, b.eqz(quiet)));
    b.return(b.i32(0x45));
  });
  b.if(b.or(isDenormal(b, x), isDenormal(b, y)), () => raise(b, DE));
  b.if(b.and(isZero(b, x), isZero(b, y)), () => b.return(b.i32(0x40)));
  b.if(b.ne(x.negative, y.negative), () => b.return(x.negative));
  // A pseudo-denormal is worth the same as the number with exponent 1.
  const step = (v: typeof x): Value => b.or(v.exponent, b.and(b.eqz(v.exponent), b.ltS(v.significand, 0)));
  const [p, q] = [step(x), step(y)];
  b.if(b.and(b.eq(p, q), b.eq(xs, ys)), () => b.return(b.i32(0x40)));
  const smaller = b.select(b.eq(p, q), b.ltU(xs, ys), b.ltU(p, q));
  b.return(b.xor(smaller, x.negative));
});

/** Packed decimal to extended: low eight bytes and the upper two; digits above 9 are taken by value. */
export const decimalToF80 = irFunction("decimal_to_f80", ["i64", "i32"], "i64", (b, low, high) => {
  const value = b.variable(b.extendU(b.add(b.mul(b.and(b.shrU(high, 4), 15), 10), b.and(high, 15))));
  const shift = b.variable(b.i64(60));
  b.loop(() => {
    const digit = b.and(b.shrU(low, b.get(shift)), 15);
    b.setVariable(value, b.add(b.mul(b.get(value), 10), digit));
    b.setVariable(shift, b.sub(b.get(shift), 4));
    b.breakIf(b.ltS(b.get(shift), 0));
  });
  const significand = b.call(i64ToF80, [b.get(value)]);
  const se = b.or(b.state("i32_load", FLOAT_SE), b.and(high, 0x8000));
  returnExtended(b, se, significand);
});

/** Extended to packed decimal: (significand, se, control). Low eight bytes are the result, FLOAT_EXTRA the upper two. */
export const f80ToDecimal = irFunction("f80_to_decimal", ["i64", "i32", "i32"], "i64", (b, significand, se, control) => {
  const integer = b.call(f80ToDecimalInteger, [significand, se, control]);
  b.if(b.and(b.state("i32_load", FLOAT_FLAGS), IE), () => {
    b.setState("i64_store", FLOAT_EXTRA, b.i64(0xffff));
    b.return(b.i64(INDEFINITE));
  });
  const mask = b.shrS(integer, 63);
  const rest = b.variable(b.sub(b.xor(integer, mask), mask));
  const digits = b.variable(b.i64(0));
  const shift = b.variable(b.i64(0));
  b.loop(() => {
    const quotient = b.op("i64_div_u", [b.get(rest), b.i64(10)]);
    const digit = b.sub(b.get(rest), b.mul(quotient, 10));
    b.setVariable(digits, b.or(b.get(digits), b.shl(digit, b.get(shift))));
    b.setVariable(rest, quotient);
    b.setVariable(shift, b.add(b.get(shift), 4));
    b.breakIf(b.geU(b.get(shift), 64));
  });
  const tens = b.op("i64_div_u", [b.get(rest), b.i64(10)]);
  const upper = b.or(b.shl(tens, 4), b.sub(b.get(rest), b.mul(tens, 10)));
  b.setState("i64_store", FLOAT_EXTRA, b.or(upper, b.extendU(b.and(se, 0x8000))));
  b.return(b.get(digits));
});

