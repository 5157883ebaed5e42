/**
 * Arithmetic of the 80-bit extended format (SDM volume 1, chapters 4.8 and 8): addition, subtraction, multiplication, division
 * and square root, with the processor's treatment of NaNs, infinities, zeros, denormals and encodings it does not support.
 * Arguments: significand and sign+exponent of each operand, then the control word. Result: significand, FLOAT_SE beside it.
 */
import { irFunction, type Builder } from "../builder.ts";
import type { IrFunction, Value } from "../ir.ts";
import { addMagnitudes, divideMagnitudes, multiplyMagnitudes, rootMagnitude, type Finish, type Magnitude } from "./magnitudes.ts";
import { roundExtended } from "./rounding.ts";
import { BIAS, DE, FLOAT_SE, IE, INTEGER_BIT, MAX_EXPONENT, raise, raiseOnly, returnExtended, returnInvalid, roundingOf, ZE } from "./scratch.ts";

/** An 80-bit number as a pair of values, with what is often asked of it. */
export interface Extended {
  readonly significand: Value;
  readonly se: Value;
  readonly exponent: Value;
  readonly negative: Value;
}

/** Splits sign and exponent. */
export function extended(b: Builder, significand: Value, se: Value): Extended {
  return { significand, se, exponent: b.and(se, MAX_EXPONENT), negative: b.and(b.shrU(se, 15), 1) };
}

/** Integer bit set and an exponent between the extremes. */
export function isNormal(b: Builder, x: Extended): Value {
  return b.and(b.ltU(b.sub(x.exponent, 1), MAX_EXPONENT - 1), b.ltS(x.significand, 0));
}
/** Unnormals, pseudo-infinities and pseudo-NaNs: the integer bit is clear though the exponent is not zero. */
export function isUnsupported(b: Builder, x: Extended): Value {
  return b.and(b.ne(x.exponent, 0), b.geS(x.significand, 0));
}
/** A NaN, quiet or signaling, of a supported encoding. */
export function isNaN(b: Builder, x: Extended): Value {
  return b.and(b.eq(x.exponent, MAX_EXPONENT), b.gtU(x.significand, b.i64(INTEGER_BIT)));
}
/** A NaN whose quiet bit is clear. */
export function isSignaling(b: Builder, x: Extended): Value {
  return b.and(isNaN(b, x), b.eqz(b.and(b.shrU(x.significand, 62), 1)));
}
export function isInfinite(b: Builder, x: Extended): Value {
  return b.and(b.eq(x.exponent, MAX_EXPONENT), b.eq(x.significand, b.i64(INTEGER_BIT)));
}
export function isZero(b: Builder, x: Extended): Value {
  return b.eqz(b.or(b.extendU(x.exponent), x.significand));
}
/** Exponent zero, but not zero: denormals and pseudo-denormals. */
export function isDenormal(b: Builder, x: Extended): Value {
  return b.and(b.eqz(x.exponent), b.ne(x.significand, 0));
}

/** A finite number other than zero with its integer bit set; a denormal gets an exponent of 1 or less. */
export function normalized(b: Builder, x: Extended): Magnitude {
  const n = b.op("i64_clz", [x.significand]);
  const exponent = b.select(x.exponent, x.exponent, b.sub(b.i32(1), b.wrap(n)));
  return { negative: x.negative, exponent, significand: b.shl(x.significand, n) };
}

/** Raises DE when one of two operands is a denormal. */
function raiseDenormal(b: Builder, x: Extended, y: Extended): void {
  b.if(b.or(isDenormal(b, x), isDenormal(b, y)), () => raise(b, DE));
}

const QUIET_BIT = 1n << 62n;

/**
 * The NaN that an operation on two operands, at least one of them a NaN, gives (SDM volume 1, table 4-7): the quiet one of a quiet and a
 * signaling NaN, else the one with the larger significand, else the positive one.
 */
export const propagateNaN = irFunction("f80_nan", ["i64", "i32", "i64", "i32"], "i64", (b, xs, xe, ys, ye) => {
  const x = extended(b, xs, xe);
  const y = extended(b, ys, ye);
  const [xNaN, yNaN, xSignals, ySignals] = [isNaN(b, x), isNaN(b, y), isSignaling(b, x), isSignaling(b, y)];
  raiseOnly(b, b.select(b.or(xSignals, ySignals), b.i32(IE), b.i32(0)));
  const quietX = b.or(xs, b.i64(QUIET_BIT));
  const quietY = b.or(ys, b.i64(QUIET_BIT));
  const larger = b.or(b.ltU(xs, ys), b.and(b.eq(xs, ys), x.negative));
  // Y wins when x is no NaN, or when x signals and y does not, or by size among equals.
  const rank = b.select(b.eq(xSignals, ySignals), larger, xSignals);
  const second = b.or(b.eqz(xNaN), b.and(yNaN, rank));
  returnExtended(b, b.select(second, ye, xe), b.select(second, quietY, quietX));
});

/** Rounds an unrounded result and ends the function. */
function finishExtended(b: Builder, control: Value): Finish {
  return (negative, exponent, significand, extra) => b.return(b.call(roundExtended, [negative, exponent, significand, extra, control]));
}

type Core = (b: Builder, x: Magnitude, y: Magnitude, control: Value) => void;
type Special = (b: Builder, x: Extended, y: Extended, control: Value) => void;

/** A two-operand function: normal numbers go straight to the core, all others through the special cases first. */
function operation(name: string, core: Core, special: Special): IrFunction {
  const coreFunction = irFunction(`${name}_core`, ["i32", "i32", "i64", "i32", "i32", "i64", "i32"], "i64", (b, xn, xe, xs, yn, ye, ys, control) => {
    core(b, { negative: xn, exponent: xe, significand: xs }, { negative: yn, exponent: ye, significand: ys }, control);
  });
  const specialFunction = irFunction(`${name}_special`, ["i64", "i32", "i64", "i32", "i32"], "i64", (b, xs, xe, ys, ye, control) => {
    const x = extended(b, xs, xe);
    const y = extended(b, ys, ye);
    b.if(b.or(isUnsupported(b, x), isUnsupported(b, y)), () => returnInvalid(b));
    b.if(b.or(isNaN(b, x), isNaN(b, y)), () => b.return(b.call(propagateNaN, [xs, xe, ys, ye])));
    special(b, x, y, control);
    raiseDenormal(b, x, y);
    const u = normalized(b, x);
    const v = normalized(b, y);
    b.return(b.call(coreFunction, [u.negative, u.exponent, u.significand, v.negative, v.exponent, v.significand, control]));
  });
  return irFunction(name, ["i64", "i32", "i64", "i32", "i32"], "i64", (b, xs, xe, ys, ye, control) => {
    const x = extended(b, xs, xe);
    const y = extended(b, ys, ye);
    b.if(b.eqz(b.and(isNormal(b, x), isNormal(b, y))), () => b.return(b.call(specialFunction, [xs, xe, ys, ye, control])), undefined, false);
    b.return(b.call(coreFunction, [x.negative, x.exponent, xs, y.negative, y.exponent, ys, control]));
  });
}

/** Sign+exponent word of a zero that two operands of different sign give: negative only when rounding down. */
function exactZero(b: Builder, control: Value): Value {
  return b.shl(b.eq(roundingOf(b, control), 1), 15);
}

/** x + y. */
export const f80Add = operation(
  "f80_add",
  (b, x, y, control) => addMagnitudes(b, x, y, finishExtended(b, control), () => returnExtended(b, exactZero(b, control), 0n)),
  (b, x, y, control) => {
    const [xInfinite, yInfinite, xZero, yZero] = [isInfinite(b, x), isInfinite(b, y), isZero(b, x), isZero(b, y)];
    b.if(b.and(b.and(xInfinite, yInfinite), b.ne(x.negative, y.negative)), () => returnInvalid(b));
    b.if(b.or(xInfinite, yInfinite), () => {
      raiseDenormal(b, x, y);
      returnExtended(b, b.select(xInfinite, x.se, y.se), INTEGER_BIT);
    });
    b.if(b.and(xZero, yZero), () => returnExtended(b, b.select(b.eq(x.se, y.se), x.se, exactZero(b, control)), 0n));
    b.if(b.or(xZero, yZero), () => {
      // The other operand, rounded to the precision in force.
      const denormal = b.or(isDenormal(b, x), isDenormal(b, y));
      b.if(denormal, () => raise(b, DE));
      const other = normalized(b, {
        significand: b.select(xZero, y.significand, x.significand), se: b.select(xZero, y.se, x.se),
        exponent: b.select(xZero, y.exponent, x.exponent), negative: b.select(xZero, y.negative, x.negative),
      });
      finishExtended(b, control)(other.negative, other.exponent, other.significand, b.i64(0));
    });
  },
);

/** x - y. The sign of a NaN is not touched. */
export const f80Sub = irFunction("f80_sub", ["i64", "i32", "i64", "i32", "i32"], "i64", (b, xs, xe, ys, ye, control) => {
  const y = extended(b, ys, ye);
  b.return(b.call(f80Add, [xs, xe, ys, b.select(isNaN(b, y), ye, b.xor(ye, 0x8000)), control]));
});

/** x * y. */
export const f80Mul = operation(
  "f80_mul",
  (b, x, y, control) => multiplyMagnitudes(b, x, y, BIAS, finishExtended(b, control)),
  (b, x, y) => {
    const sign = b.shl(b.xor(x.negative, y.negative), 15);
    const infinite = b.or(isInfinite(b, x), isInfinite(b, y));
    const zero = b.or(isZero(b, x), isZero(b, y));
    b.if(b.and(infinite, zero), () => returnInvalid(b));
    b.if(b.or(infinite, zero), () => {
      raiseDenormal(b, x, y);
      returnExtended(b, b.or(sign, b.select(infinite, b.i32(MAX_EXPONENT), b.i32(0))), b.select(infinite, b.i64(INTEGER_BIT), b.i64(0)));
    });
  },
);

/** x / y. */
export const f80Div = operation(
  "f80_div",
  (b, x, y, control) => divideMagnitudes(b, x, y, BIAS, finishExtended(b, control)),
  (b, x, y) => {
    const sign = b.shl(b.xor(x.negative, y.negative), 15);
    const [xInfinite, yInfinite, xZero, yZero] = [isInfinite(b, x), isInfinite(b, y), isZero(b, x), isZero(b, y)];
    b.if(b.or(b.and(xInfinite, yInfinite), b.and(xZero, yZero)), () => returnInvalid(b));
    b.if(b.and(yZero, b.eqz(xInfinite)), () => {
      raiseOnly(b, ZE);
      returnExtended(b, b.or(sign, MAX_EXPONENT), INTEGER_BIT);
    });
    b.if(b.or(xInfinite, b.or(yInfinite, xZero)), () => {
      raiseDenormal(b, x, y);
      returnExtended(b, b.or(sign, b.select(xInfinite, b.i32(MAX_EXPONENT), b.i32(0))), b.select(xInfinite, b.i64(INTEGER_BIT), b.i64(0)));
    });
  },
);

/** Square root: (significand, se, control). */
export const f80Sqrt = irFunction("f80_sqrt", ["i64", "i32", "i32"], "i64", (b, xs, xe, control) => {
  const x = extended(b, xs, xe);
  b.if(isUnsupported(b, x), () => returnInvalid(b));
  b.if(isNaN(b, x), () => b.return(b.call(propagateNaN, [xs, xe, xs, xe])));
  b.if(isZero(b, x), () => returnExtended(b, xe, xs));
  b.if(x.negative, () => returnInvalid(b));
  b.if(isInfinite(b, x), () => returnExtended(b, xe, xs));
  b.if(isDenormal(b, x), () => raise(b, DE));
  rootMagnitude(b, normalized(b, x), BIAS, finishExtended(b, control));
});

/** Reads the sign and exponent that the last call left. */
export function resultSe(b: Builder): Value {
  return b.state("i32_load", FLOAT_SE);
}
