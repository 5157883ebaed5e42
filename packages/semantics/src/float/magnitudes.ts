/**
 * The four operations and the square root on normalized finite numbers: significands with bit 63 set and biased exponents of
 * any size, in one bias for operands and result. They are macros that hand an unrounded result of 128 bits (the
 * lowest sticky) to `finish`, so that the extended format and f32/f64 share them.
 */
import type { Builder } from "../builder.ts";
import type { Value } from "../ir.ts";
import { INTEGER_BIT } from "./scratch.ts";
import { divideWide, multiplyWide, shiftOutJam } from "./wide.ts";

/** A normalized finite number. */
export interface Magnitude {
  /** 0 or 1. */
  readonly negative: Value;
  readonly exponent: Value;
  readonly significand: Value;
}

/** Receives an unrounded result; ends the function. */
export type Finish = (negative: Value, exponent: Value, significand: Value, extra: Value) => void;

/** x + y. `zero` ends the function for an exact zero of operands that differ in sign. */
export function addMagnitudes(b: Builder, x: Magnitude, y: Magnitude, finish: Finish, zero: () => void): void {
  const swap = b.or(b.ltS(x.exponent, y.exponent), b.and(b.eq(x.exponent, y.exponent), b.ltU(x.significand, y.significand)));
  const pick = (u: Value, v: Value): Value => b.select(swap, u, v);
  const negative = pick(y.negative, x.negative);
  const exponent = pick(y.exponent, x.exponent);
  const large = pick(y.significand, x.significand);
  const distance = b.sub(exponent, pick(x.exponent, y.exponent));
  const small = shiftOutJam(b, pick(x.significand, y.significand), distance);
  b.if(b.eq(x.negative, y.negative), () => {
    const sum = b.add(large, small.hi);
    const carry = b.ltU(sum, large);
    const shiftedLow = b.or(b.or(b.shrU(small.lo, 1), b.and(small.lo, 1)), b.shl(sum, 63));
    const shifted = b.or(b.shrU(sum, 1), b.i64(INTEGER_BIT));
    finish(negative, b.add(exponent, carry), b.select(carry, shifted, sum), b.select(carry, shiftedLow, small.lo));
  });
  const low = b.sub(b.i64(0), small.lo);
  const difference = b.sub(b.sub(large, small.hi), b.extendU(b.ne(small.lo, 0)));
  b.if(b.eqz(b.or(difference, low)), zero);
  // Only a difference of one or less in the exponents can cancel 64 bits, and then nothing was lost below.
  const whole = b.eqz(difference);
  const high = b.select(whole, low, difference);
  const rest = b.select(whole, b.i64(0), low);
  const n = b.op("i64_clz", [high]);
  const normal = b.or(b.shl(high, n), b.shrU(b.shrU(rest, 1), b.sub(b.i64(63), n)));
  finish(negative, b.sub(b.sub(exponent, b.wrap(n)), b.shl(whole, 6)), normal, b.shl(rest, n));
}

/** x * y. */
export function multiplyMagnitudes(b: Builder, x: Magnitude, y: Magnitude, bias: number, finish: Finish): void {
  const product = multiplyWide(b, x.significand, y.significand);
  const high = b.ltS(product.hi, 0);
  const exponent = b.sub(b.add(b.add(x.exponent, y.exponent), high), bias);
  const shifted = b.or(b.shl(product.hi, 1), b.shrU(product.lo, 63));
  finish(b.xor(x.negative, y.negative), exponent, b.select(high, product.hi, shifted), b.select(high, product.lo, b.shl(product.lo, 1)));
}

/** x / y. */
export function divideMagnitudes(b: Builder, x: Magnitude, y: Magnitude, bias: number, finish: Finish): void {
  const divisor = y.significand;
  const whole = b.geU(x.significand, divisor);
  const high = b.select(whole, b.shrU(x.significand, 1), x.significand);
  const low = b.select(whole, b.shl(x.significand, 63), b.i64(0));
  const { quotient, remainder } = divideWide(b, high, low, divisor);
  // The next bit is 1 when twice the remainder reaches the divisor; what is left is sticky.
  const complement = b.sub(divisor, remainder);
  const above = b.select(b.gtU(remainder, complement), b.i64(INTEGER_BIT + 1n), b.i64(INTEGER_BIT));
  const extra = b.select(b.geU(remainder, complement), above, b.extendU(b.ne(remainder, 0)));
  const exponent = b.add(b.sub(b.sub(x.exponent, y.exponent), b.eqz(whole)), bias);
  finish(b.xor(x.negative, y.negative), exponent, quotient, extra);
}

/**
 * Square root of a positive number. The root of N = significand * 2^61 or 2^62 has 63 bits: one step of Newton from the host's
 * f64 root is at most one too large. Two more bits follow from the remainder R = N - root^2 without another division:
 * (4 root + t)^2 <= 16 N exactly when 8 (2 R - root t) >= t^2.
 */
export function rootMagnitude(b: Builder, x: Magnitude, bias: number, finish: Finish): void {
  const unbiased = b.sub(x.exponent, bias);
  const odd = b.and(unbiased, 1);
  const odd64 = b.extendU(odd);
  const guess = b.op("f64_sqrt", [b.op("f64_mul", [
    b.op("f64_convert_i64_u", [x.significand]),
    b.select(odd, b.float("f64", 2 ** 62), b.float("f64", 2 ** 61)),
  ])]);
  const start = b.op("i64_trunc_sat_f64_s", [guess]);
  // Twice N over twice the guess: the divisor of `divideWide` has its top bit set.
  const high = b.shrU(x.significand, b.sub(b.i64(2), odd64));
  const low = b.shl(x.significand, b.add(b.i64(62), odd64));
  const { quotient } = divideWide(b, high, low, b.shl(start, 1));
  const next = b.shrU(b.add(start, quotient), 1);
  const square = multiplyWide(b, next, next);
  const nHigh = b.shrU(x.significand, b.sub(b.i64(3), odd64));
  const nLow = b.shl(x.significand, b.add(b.i64(61), odd64));
  const over = b.or(b.gtU(square.hi, nHigh), b.and(b.eq(square.hi, nHigh), b.gtU(square.lo, nLow)));
  const root = b.sub(next, b.extendU(over));
  const rest = b.sub(nLow, b.mul(root, root));
  const beyond = b.sub(rest, root);
  const above = b.gtU(rest, root);
  // t = 3 when 2 (R - root) - root >= 2; t = 2 when R > root; t = 1 when 2 R > root.
  const three = b.and(above, b.and(b.gtU(b.shl(beyond, 1), root), b.geU(b.sub(b.shl(beyond, 1), root), 2)));
  const one = b.gtU(rest, b.shrU(root, 1));
  const t = b.select(above, b.add(b.i32(2), three), one);
  const t64 = b.extendU(t);
  finish(b.i32(0), b.add(b.shrS(unbiased, 1), bias), b.or(b.shl(root, 1), b.shrU(t64, 1)), b.or(b.shl(t64, 63), b.extendU(b.ne(rest, 0))));
}
