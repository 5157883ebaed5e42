/**
 * f32 and f64 arithmetic as SSE does it (SDM volume 1, sections 11.5.2 and 4.8.3.5): exact, with every rounding mode, DAZ, FTZ and flags.
 * Arguments: bits of the operands, then the control argument of `scratch.ts`. The host's own arithmetic is used where it
 * gives the same bits and flags: rounding to nearest, inexact already set and masked, and operands and result well inside the normal
 * range, so that neither a NaN nor tininess nor overflow can occur.
 */
import { irFunction, type Builder } from "../builder.ts";
import type { IrFunction, Value } from "../ir.ts";
import { fieldsOf, normalizedFraction } from "./conversions.ts";
import { addMagnitudes, divideMagnitudes, multiplyMagnitudes, rootMagnitude, type Finish, type Magnitude } from "./magnitudes.ts";
import { F32, F64, packBits, roundF32, roundF64, type Format } from "./rounding.ts";
import { DAZ, DE, IE, INDEFINITE, INTEGER_BIT, raise, raiseOnly, roundingOf, ZE } from "./scratch.ts";

/** Set in a control argument when the host's arithmetic may be used: nearest, PE set and masked. */
export const HOST = 1 << 16;

interface Short {
  readonly bits: Value;
  readonly negative: Value;
  readonly exponent: Value;
  readonly fraction: Value;
  readonly nan: Value;
  readonly signaling: Value;
  readonly infinite: Value;
  readonly zero: Value;
  readonly denormal: Value;
}

/** Takes a number apart; with DAZ a denormal is a zero of its sign. */
export function take(b: Builder, format: Format, bits: Value, control: Value): Short {
  const { negative, exponent, fraction: raw } = fieldsOf(b, format, bits);
  const fraction = b.select(b.and(b.eqz(exponent), b.ne(b.and(control, DAZ), 0)), b.i64(0), raw);
  const top = b.eq(exponent, format.maxExponent);
  const some = b.ne(fraction, 0);
  const nan = b.and(top, some);
  const bottom = b.eqz(exponent);
  return {
    bits, negative, exponent, fraction, nan,
    signaling: b.and(nan, b.geS(b.shl(fraction, 1), 0)),
    infinite: b.and(top, b.eqz(some)), zero: b.and(bottom, b.eqz(some)), denormal: b.and(bottom, some),
  };
}

/** The quiet bit in the number itself. */
export function quieted(b: Builder, format: Format, bits: Value): Value {
  return b.or(bits, b.like(bits, format.name === "f32" ? 0x40_0000 : 0x8_0000_0000_0000n));
}

/** The default NaN of a format. */
export function defaultNaN(b: Builder, format: Format): Value {
  return packBits(b, format, b.i32(1), b.i32(format.maxExponent), b.i64(INDEFINITE));
}

function magnitude(b: Builder, x: Short): Magnitude {
  const small = normalizedFraction(b, x.fraction);
  return {
    negative: x.negative,
    exponent: b.select(x.exponent, x.exponent, small.exponent),
    significand: b.select(x.exponent, b.or(x.fraction, b.i64(INTEGER_BIT)), small.significand),
  };
}

/** Ends with the NaN of two operands: the first if it is one, else the second, quieted; IE when either signals. */
export function returnNaN(b: Builder, format: Format, x: Short, y: Short): void {
  raiseOnly(b, b.or(x.signaling, y.signaling));
  b.return(quieted(b, format, b.select(x.nan, x.bits, y.bits)));
}

function returnDefault(b: Builder, format: Format): void {
  raiseOnly(b, IE);
  b.return(defaultNaN(b, format));
}

function returnInfinity(b: Builder, format: Format, negative: Value): void {
  b.return(packBits(b, format, negative, b.i32(format.maxExponent), b.i64(0)));
}

function returnZero(b: Builder, format: Format, negative: Value): void {
  b.return(packBits(b, format, negative, b.i32(0), b.i64(0)));
}

/** Whether a number is zero, or its exponent is at least 2 and below that of infinity. */
function regular(b: Builder, format: Format, bits: Value): Value {
  return b.or(plain(b, format, bits), isZero(b, bits));
}
function isZero(b: Builder, bits: Value): Value {
  return b.eqz(b.shl(bits, 1));
}

/** Whether a number's exponent is at least 2 and below that of infinity. */
function plain(b: Builder, format: Format, bits: Value): Value {
  return b.ltU(b.sub(fieldsOf(b, format, bits).exponent, 2), format.maxExponent - 2);
}

type Special = (b: Builder, x: Short, y: Short, control: Value) => void;
type Core = (b: Builder, x: Magnitude, y: Magnitude, control: Value, finish: Finish) => void;

function operation(format: Format, name: "add" | "sub" | "mul" | "div", special: Special, core: Core): IrFunction {
  const round = format === F32 ? roundF32 : roundF64;
  const slow = irFunction(`${format.name}_${name}_exact`, [format.type, format.type, "i32"], format.type, (b, xBits, yBits, control) => {
    const x = take(b, format, xBits, control);
    const given = take(b, format, yBits, control);
    b.if(b.or(x.nan, given.nan), () => returnNaN(b, format, x, given));
    const y = name === "sub" ? { ...given, negative: b.xor(given.negative, 1) } : given;
    special(b, x, y, control);
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    core(b, magnitude(b, x), magnitude(b, y), control, (negative, exponent, significand, extra) =>
      b.return(b.call(round, [negative, exponent, significand, extra, control])));
  });
  return irFunction(`${format.name}_${name}`, [format.type, format.type, "i32"], format.type, (b, x, y, control) => {
    b.if(b.and(control, HOST), () => {
      const reinterpret = (v: Value): Value => b.op(`${format.name}_reinterpret_${format.type}`, [v]);
      const result = b.op(`${format.type}_reinterpret_${format.name}`, [b.op(`${format.name}_${name}`, [reinterpret(x), reinterpret(y)])]);
      // A sum or a difference is exactly zero; a product or a quotient is, where it has no other reason to be.
      const zero = name === "add" || name === "sub" ? isZero(b, result) : b.and(isZero(b, result), name === "mul" ? b.or(isZero(b, x), isZero(b, y)) : isZero(b, x));
      const fits = b.and(b.and(regular(b, format, x), regular(b, format, y)), b.or(plain(b, format, result), zero));
      b.if(fits, () => b.return(result), undefined, true);
    });
    b.return(b.call(slow, [x, y, control]));
  });
}

const addSpecial = (format: Format): Special => (b, x, y, control) => {
  b.if(b.and(b.and(x.infinite, y.infinite), b.ne(x.negative, y.negative)), () => returnDefault(b, format));
  b.if(b.or(x.infinite, y.infinite), () => {
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    returnInfinity(b, format, b.select(x.infinite, x.negative, y.negative));
  });
  b.if(b.and(x.zero, y.zero), () => returnZero(b, format, b.select(b.eq(x.negative, y.negative), x.negative, b.eq(roundingOf(b, control), 1))));
  b.if(b.or(x.zero, y.zero), () => {
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    const other = magnitude(b, {
      ...x, negative: b.select(x.zero, y.negative, x.negative), exponent: b.select(x.zero, y.exponent, x.exponent),
      fraction: b.select(x.zero, y.fraction, x.fraction),
    });
    b.return(b.call(format === F32 ? roundF32 : roundF64, [other.negative, other.exponent, other.significand, b.i64(0), control]));
  });
};
const mulSpecial = (format: Format): Special => (b, x, y) => {
  const negative = b.xor(x.negative, y.negative);
  const infinite = b.or(x.infinite, y.infinite);
  const zero = b.or(x.zero, y.zero);
  b.if(b.and(infinite, zero), () => returnDefault(b, format));
  b.if(b.or(infinite, zero), () => {
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    b.if(infinite, () => returnInfinity(b, format, negative));
    returnZero(b, format, negative);
  });
};
const divSpecial = (format: Format): Special => (b, x, y) => {
  const negative = b.xor(x.negative, y.negative);
  b.if(b.or(b.and(x.infinite, y.infinite), b.and(x.zero, y.zero)), () => returnDefault(b, format));
  b.if(b.and(y.zero, b.eqz(x.infinite)), () => {
    raiseOnly(b, ZE);
    returnInfinity(b, format, negative);
  });
  b.if(b.or(b.or(x.infinite, y.infinite), x.zero), () => {
    b.if(b.or(x.denormal, y.denormal), () => raise(b, DE));
    b.if(x.infinite, () => returnInfinity(b, format, negative));
    returnZero(b, format, negative);
  });
};

function root(format: Format): IrFunction {
  const slow = irFunction(`${format.name}_sqrt_exact`, [format.type, "i32"], format.type, (b, bits, control) => {
    const x = take(b, format, bits, control);
    b.if(x.nan, () => returnNaN(b, format, x, x));
    b.if(x.zero, () => returnZero(b, format, x.negative));
    b.if(x.negative, () => returnDefault(b, format));
    b.if(x.infinite, () => b.return(bits));
    b.if(x.denormal, () => raise(b, DE));
    rootMagnitude(b, magnitude(b, x), format.bias, (negative, exponent, significand, extra) =>
      b.return(b.call(format === F32 ? roundF32 : roundF64, [negative, exponent, significand, extra, control])));
  });
  return irFunction(`${format.name}_sqrt`, [format.type, "i32"], format.type, (b, x, control) => {
    b.if(b.and(control, HOST), () => {
      const result = b.op(`${format.type}_reinterpret_${format.name}`, [b.op(`${format.name}_sqrt`, [b.op(`${format.name}_reinterpret_${format.type}`, [x])])]);
      b.if(b.and(plain(b, format, x), b.geS(x, 0)), () => b.return(result), undefined, true);
    });
    b.return(b.call(slow, [x, control]));
  });
}

/** Arithmetic of one format, by operation. */
export interface ShortArithmetic {
  readonly add: IrFunction;
  readonly sub: IrFunction;
  readonly mul: IrFunction;
  readonly div: IrFunction;
  readonly sqrt: IrFunction;
}

function arithmetic(format: Format): ShortArithmetic {
  const addCore: Core = (b, x, y, control, finish) =>
    addMagnitudes(b, x, y, finish, () => returnZero(b, format, b.eq(roundingOf(b, control), 1)));
  return {
    add: operation(format, "add", addSpecial(format), addCore),
    sub: operation(format, "sub", addSpecial(format), addCore),
    mul: operation(format, "mul", mulSpecial(format), (b, x, y, _control, finish) => multiplyMagnitudes(b, x, y, format.bias, finish)),
    div: operation(format, "div", divSpecial(format), (b, x, y, _control, finish) => divideMagnitudes(b, x, y, format.bias, finish)),
    sqrt: root(format),
  };
}

export const f32Arithmetic = arithmetic(F32);
export const f64Arithmetic = arithmetic(F64);
