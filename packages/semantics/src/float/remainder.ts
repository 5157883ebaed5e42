/**
 * Partial remainders, scaling and the exponent of an extended number (SDM volume 2, FPREM, FPREM1, FSCALE, FXTRACT).
 */
import { irFunction } from "../builder.ts";
import type { IrFunction } from "../ir.ts";
import { extended, isDenormal, isInfinite, isNaN, isUnsupported, isZero, normalized, propagateNaN } from "./extended.ts";
import { i64ToF80 } from "./conversions.ts";
import { roundExtended } from "./rounding.ts";
import { BIAS, DE, FLOAT_EXTRA, INTEGER_BIT, MAX_EXPONENT, raise, raiseOnly, returnExtended, returnInvalid, ZE } from "./scratch.ts";

/** FLOAT_EXTRA of a remainder that needs further steps; otherwise it holds the quotient's low bits. */
export const INCOMPLETE = 1 << 8;
/** Precision control does not apply: 64 bits. */
const FULL_PRECISION = 0x300;

/** (x, y, control): the remainder, FLOAT_EXTRA with the quotient. `nearest`: of the quotient rounded to nearest even (FPREM1), else toward zero. */
function remainder(name: string, nearest: boolean): IrFunction {
  return irFunction(name, ["i64", "i32", "i64", "i32", "i32"], "i64", (b, xs, xe, ys, ye, control) => {
    const x = extended(b, xs, xe);
    const y = extended(b, ys, ye);
    b.setState("i64_store", FLOAT_EXTRA, b.i64(0));
    b.if(b.or(isUnsupported(b, x), isUnsupported(b, y)), () => returnInvalid(b));
    b.if(b.or(isNaN(b, x), isNaN(b, y)), () => b.return(b.call(propagateNaN, [xs, xe, ys, ye])));
    b.if(b.or(isInfinite(b, x), isZero(b, y)), () => returnInvalid(b));
    b.if(b.or(isDenormal(b, x), isDenormal(b, y)), () => raise(b, DE));
    b.if(isZero(b, x), () => returnExtended(b, xe, xs));
    const u = normalized(b, x);
    const v = normalized(b, y);
    const full = b.or(control, FULL_PRECISION);
    const distance = b.sub(u.exponent, v.exponent);
    b.if(b.or(isInfinite(b, y), b.ltS(distance, nearest ? -1 : 0)), () =>
      b.return(b.call(roundExtended, [u.negative, u.exponent, u.significand, b.i64(0), full])));
    if (nearest) {
      b.if(b.ltS(distance, 0), () => {
        const more = b.gtU(u.significand, v.significand);
        b.setState("i64_store", FLOAT_EXTRA, b.extendU(more));
        const other = b.sub(v.significand, b.sub(u.significand, v.significand));
        const rest = b.select(more, other, u.significand);
        const n = b.op("i64_clz", [rest]);
        b.return(b.call(roundExtended, [b.xor(u.negative, more), b.sub(u.exponent, b.wrap(n)), b.shl(rest, n), b.i64(0), full]));
      });
    }
    // A distance of 64 or more is shortened by 32 to 63 bits at a time.
    const partial = b.geS(distance, 64);
    const steps = b.select(partial, b.or(b.and(distance, 31), 32), distance);
    const exponent = b.add(v.exponent, b.sub(distance, steps));
    const rest = b.variable(u.significand);
    const quotient = b.variable(b.i64(0));
    const carry = b.variable(b.i32(0));
    const left = b.variable(steps);
    b.loop(() => {
      const fits = b.or(b.get(carry), b.geU(b.get(rest), v.significand));
      b.setVariable(quotient, b.or(b.shl(b.get(quotient), 1), b.extendU(fits)));
      b.setVariable(rest, b.select(fits, b.sub(b.get(rest), v.significand), b.get(rest)));
      b.breakIf(b.eqz(b.get(left)));
      b.setVariable(carry, b.ltS(b.get(rest), 0));
      b.setVariable(rest, b.shl(b.get(rest), 1));
      b.setVariable(left, b.sub(b.get(left), 1));
    });
    const negative = b.variable(u.negative);
    if (nearest) {
      const complement = b.sub(v.significand, b.get(rest));
      const tie = b.and(b.eq(b.get(rest), complement), b.wrap(b.get(quotient)));
      const up = b.and(b.or(b.gtU(b.get(rest), complement), tie), b.eqz(partial));
      b.if(up, () => {
        b.setVariable(rest, complement);
        b.setVariable(quotient, b.add(b.get(quotient), 1));
        b.setVariable(negative, b.xor(b.get(negative), 1));
      });
    }
    b.setState("i64_store", FLOAT_EXTRA, b.select(partial, b.i64(INCOMPLETE), b.and(b.get(quotient), 7)));
    b.if(b.eqz(b.get(rest)), () => returnExtended(b, b.shl(x.negative, 15), 0n));
    const n = b.op("i64_clz", [b.get(rest)]);
    b.return(b.call(roundExtended, [b.get(negative), b.sub(exponent, b.wrap(n)), b.shl(b.get(rest), n), b.i64(0), full]));
  });
}
export const f80Remainder = remainder("f80_rem_truncated", false);
export const f80IeeeRemainder = remainder("f80_rem", true);

/** FSCALE: x * 2^trunc(y), (x, y, control). */
export const f80Scale = irFunction("f80_scale", ["i64", "i32", "i64", "i32", "i32"], "i64", (b, xs, xe, ys, ye, control) => {
  const x = extended(b, xs, xe);
  const y = extended(b, ys, ye);
  b.if(b.or(isUnsupported(b, x), isUnsupported(b, y)), () => returnInvalid(b));
  b.if(b.or(isNaN(b, x), isNaN(b, y)), () => b.return(b.call(propagateNaN, [xs, xe, ys, ye])));
  const sign = b.shl(x.negative, 15);
  b.if(isInfinite(b, y), () => {
    b.if(b.select(y.negative, isInfinite(b, x), isZero(b, x)), () => returnInvalid(b));
    b.if(isDenormal(b, x), () => raise(b, DE));
    returnExtended(b, b.or(sign, b.select(y.negative, b.i32(0), b.i32(MAX_EXPONENT))), b.select(y.negative, b.i64(0), b.i64(INTEGER_BIT)));
  });
  b.if(b.or(isDenormal(b, x), isDenormal(b, y)), () => raise(b, DE));
  b.if(b.or(isZero(b, x), isInfinite(b, x)), () => returnExtended(b, xe, xs));
  const u = normalized(b, x);
  // 2^17 already takes every number out of range, also with a moved exponent.
  const wide = b.geU(y.exponent, BIAS + 17);
  const whole = b.wrap(b.shrU(ys, b.extendU(b.sub(b.i32(BIAS + 63), y.exponent))));
  const amount = b.select(b.ltU(y.exponent, BIAS), b.i32(0), b.select(wide, b.i32(1 << 17), whole));
  const scale = b.select(y.negative, b.sub(b.i32(0), amount), amount);
  b.return(b.call(roundExtended, [u.negative, b.add(u.exponent, scale), u.significand, b.i64(0), b.or(control, FULL_PRECISION)]));
});

/** The unbiased exponent as an extended number: the first result of FXTRACT. */
export const f80Exponent = irFunction("f80_exponent", ["i64", "i32"], "i64", (b, significand, se) => {
  const x = extended(b, significand, se);
  b.if(isUnsupported(b, x), () => returnInvalid(b));
  b.if(isNaN(b, x), () => b.return(b.call(propagateNaN, [significand, se, significand, se])));
  b.if(isZero(b, x), () => {
    raiseOnly(b, ZE);
    returnExtended(b, 0xffff, INTEGER_BIT);
  });
  b.if(isInfinite(b, x), () => returnExtended(b, MAX_EXPONENT, INTEGER_BIT));
  b.if(isDenormal(b, x), () => raise(b, DE));
  b.return(b.call(i64ToF80, [b.extendS(b.sub(normalized(b, x).exponent, BIAS))]));
});

/** The significand as a number in [1, 2): the second result of FXTRACT. */
export const f80Fraction = irFunction("f80_fraction", ["i64", "i32"], "i64", (b, significand, se) => {
  const x = extended(b, significand, se);
  b.if(isUnsupported(b, x), () => returnInvalid(b));
  b.if(isNaN(b, x), () => b.return(b.call(propagateNaN, [significand, se, significand, se])));
  b.if(b.or(isZero(b, x), isInfinite(b, x)), () => returnExtended(b, se, significand));
  returnExtended(b, b.or(b.and(se, 0x8000), BIAS), normalized(b, x).significand);
});
