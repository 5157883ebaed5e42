/**
 * The x87 transcendental instructions (SDM volume 1, 8.3.7 to 8.3.10; volume 2): within one unit of the last of 64 bits, by computing with 256 and
 * rounding once. Trigonometric arguments are reduced with the processor's own pi of 66 bits. NaNs, unsupported encodings and empty registers have been
 * dealt with before.
 */
import { FPU_DE, FPU_IE, FPU_PE, FPU_ZE } from "@doppel/x86";
import {
  BIAS, bitLength, finite, INDEFINITE, infinity, isDenormal, isInfinite, isNegative, isZero, roundNumber, zero, type ExtendedNumber,
} from "./extended-number.ts";
import { arcTangent, divide, FRACTION, LN2, logarithm2, ONE, PI, powerMinusOne, sineCosine } from "./fixed-point.ts";

/** What an instruction gives: one result or two (the second is pushed), exception flags with C1; or nothing when C2 says that the argument is too large. */
export interface Outcome {
  readonly results: readonly ExtendedNumber[];
  readonly flags: number;
  readonly outOfRange: boolean;
}

/** The processor's pi, as an integer over 2^66 (SDM volume 1, 8.3.8). */
const PROCESSOR_PI = 0xc90f_daa2_2168_c234_cn;
const FRACTION_BITS = Number(FRACTION);
/** Below 2^-66 a function's first term is the result up to the last bit and a little. */
const TINY = -66;

const invalid = (results = 1): Outcome => ({ results: Array<ExtendedNumber>(results).fill(INDEFINITE), flags: FPU_IE, outOfRange: false });
const exact = (number: ExtendedNumber, flags = 0): Outcome => ({ results: [number], flags, outOfRange: false });

/** Position of the leading bit: floor(log2 |x|). */
function magnitudeOf(x: ExtendedNumber): number {
  const { significand, exponent } = finite(x);
  return exponent + bitLength(significand) - 1;
}
/** A finite number in fixed point, for |x| < 2^64; bits below the fraction are lost. */
function toFixed(x: ExtendedNumber): bigint {
  const { negative, significand, exponent } = finite(x);
  const shift = exponent + FRACTION_BITS;
  const value = shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift);
  return negative ? -value : value;
}
/** Rounds an irrational fixed-point result. */
function irrational(value: bigint, control: number, scale = 0): { number: ExtendedNumber; flags: number } {
  const negative = value < 0n;
  return roundNumber(negative, negative ? -value : value, scale - FRACTION_BITS, true, control);
}
const one = (r: { number: ExtendedNumber; flags: number }, flags = 0): Outcome => ({ results: [r.number], flags: r.flags | flags, outOfRange: false });

/** x a little nearer to zero (or farther from it) than it is: the result of sin x and the like for tiny x. */
function nudged(x: ExtendedNumber, farther: boolean, control: number): { number: ExtendedNumber; flags: number } {
  const { negative, significand, exponent } = finite(x);
  const wide = significand << 80n;
  return roundNumber(negative, farther ? wide : wide - 1n, exponent - 80, true, control);
}

function denormalFlag(...operands: ExtendedNumber[]): number {
  return operands.some(isDenormal) ? FPU_DE : 0;
}

/** Sine and cosine of a number below 2^63, after reduction by the processor's pi. */
function reduced(x: ExtendedNumber): { sine: bigint; cosine: bigint } {
  const value = toFixed(x);
  const quarter = PROCESSOR_PI << (FRACTION - 67n);
  const twice = 2n * value + quarter;
  const period = 2n * quarter;
  const quotient = twice >= 0n ? twice / period : -((-twice + period - 1n) / period);
  const { sine, cosine } = sineCosine(value - quotient * quarter);
  switch (Number(((quotient % 4n) + 4n) % 4n)) {
    case 0: return { sine, cosine };
    case 1: return { sine: cosine, cosine: -sine };
    case 2: return { sine: -sine, cosine: -cosine };
    default: return { sine: -cosine, cosine: sine };
  }
}

const UNITY: ExtendedNumber = { significand: 1n << 63n, se: BIAS };

function trigonometric(x: ExtendedNumber, control: number, kind: "sin" | "cos" | "sincos" | "tan"): Outcome {
  const double = kind === "sincos" || kind === "tan";
  if (isInfinite(x)) return invalid(double ? 2 : 1);
  if (isZero(x)) return { results: kind === "cos" ? [UNITY] : double ? [x, UNITY] : [x], flags: 0, outOfRange: false };
  const magnitude = magnitudeOf(x);
  if (magnitude >= 63) return { results: [], flags: 0, outOfRange: true };
  const tiny = magnitude < TINY;
  const { sine, cosine } = tiny ? { sine: 0n, cosine: 0n } : reduced(x);
  const sin = (): { number: ExtendedNumber; flags: number } => (tiny ? nudged(x, false, control) : irrational(sine, control));
  const cos = (): { number: ExtendedNumber; flags: number } => (tiny ? nudged(UNITY, false, control) : irrational(cosine, control));
  const denormal = denormalFlag(x);
  if (kind === "sin") return one(sin(), denormal);
  if (kind === "cos") return one(cos(), denormal);
  if (kind === "tan") {
    const tan = tiny ? nudged(x, true, control) : irrational(divide(sine, cosine), control);
    return { results: [tan.number, UNITY], flags: tan.flags | denormal, outOfRange: false };
  }
  const [s, c] = [sin(), cos()];
  return { results: [s.number, c.number], flags: s.flags | c.flags | denormal, outOfRange: false };
}

/** FPATAN: the angle of the point (x, y), x = ST(0), y = ST(1). */
function arcTangentOf(x: ExtendedNumber, y: ExtendedNumber, control: number): Outcome {
  const [left, below] = [isNegative(x), isNegative(y)];
  const flags = denormalFlag(x, y);
  const angle = (value: bigint): Outcome => one(irrational(below ? -value : value, control), flags);
  if (isInfinite(y)) return angle(isInfinite(x) ? (left ? (3n * PI) / 4n : PI / 4n) : PI / 2n);
  if (isInfinite(x) || isZero(y)) return left ? angle(PI) : exact(zero(below), flags);
  if (isZero(x)) return angle(PI / 2n);
  const distance = magnitudeOf(y) - magnitudeOf(x);
  if (distance > 100) return angle(PI / 2n);
  const [a, b] = [finite(y), finite(x)];
  if (distance < -100) {
    if (left) return angle(PI);
    // The quotient itself: its cube is out of sight, and only makes it a little smaller.
    const quotient = (a.significand << 256n) / b.significand;
    return one(roundNumber(below, quotient - 1n, a.exponent - b.exponent - 256, true, control), flags);
  }
  const shift = BigInt(a.exponent - b.exponent) + FRACTION;
  const ratio = shift >= 0n ? (a.significand << shift) / b.significand : a.significand / (b.significand << -shift);
  const inner = ratio <= ONE ? arcTangent(ratio) : PI / 2n - arcTangent(divide(ONE, ratio));
  return angle(left ? PI - inner : inner);
}

/** F2XM1. Outside -1..+1 the result is undefined: the operand stays. */
function power(x: ExtendedNumber, control: number): Outcome {
  if (isInfinite(x)) return isNegative(x) ? exact({ significand: 1n << 63n, se: 0x8000 | BIAS }) : exact(x);
  if (isZero(x)) return exact(x);
  const magnitude = magnitudeOf(x);
  const { negative, significand, exponent } = finite(x);
  const flags = denormalFlag(x);
  if (magnitude >= 0) {
    if (magnitude > 0 || significand !== 1n << 63n) return exact(x, flags);
    return exact(negative ? { significand: 1n << 63n, se: 0x8000 | (BIAS - 1) } : x, flags);
  }
  if (magnitude < TINY) return one(roundNumber(negative, significand * LN2, exponent - FRACTION_BITS, true, control), flags);
  return one(irrational(powerMinusOne(toFixed(x)), control), flags);
}

/** y * logarithm, for a logarithm in fixed point, `rational` when it is exact. Processors raise PE even then. */
function timesLogarithm(y: ExtendedNumber, logarithm: bigint, rational: boolean, control: number, flags: number): Outcome {
  const { negative, significand, exponent } = finite(y);
  const below = logarithm < 0n;
  return one(roundNumber(negative !== below, significand * (below ? -logarithm : logarithm), exponent - FRACTION_BITS, !rational, control), flags | FPU_PE);
}

/** FYL2X: y * log2 x, x = ST(0), y = ST(1). */
function logarithmOf(x: ExtendedNumber, y: ExtendedNumber, control: number): Outcome {
  if (isNegative(x) && !isZero(x)) return invalid();
  const flags = denormalFlag(x, y);
  if (isZero(x)) {
    if (isZero(y)) return invalid();
    return exact(infinity(!isNegative(y)), isInfinite(y) ? 0 : FPU_ZE);
  }
  if (isInfinite(x)) return isZero(y) ? invalid() : exact(infinity(isNegative(y)), flags);
  const { significand, exponent } = finite(x);
  const length = bitLength(significand);
  const powerOfTwo = significand === 1n << BigInt(length - 1);
  const whole = exponent + length - 1;
  const unity = powerOfTwo && whole === 0;
  const less = whole < 0;
  if (isInfinite(y)) return unity ? invalid() : exact(infinity(isNegative(y) !== less), flags);
  if (isZero(y) || unity) return exact(zero(isNegative(y) !== less), flags);
  const mantissa = significand << (FRACTION - BigInt(length - 1));
  // Near 1 from below the logarithm is small: it must not be the difference of 1 and something.
  const logarithm = whole === -1 ? logarithm2(mantissa >> 1n) : BigInt(whole) * ONE + logarithm2(mantissa);
  return timesLogarithm(y, logarithm, powerOfTwo, control, flags);
}

/** FYL2XP1: y * log2(x + 1). Where x + 1 is not positive the result is undefined: invalid. */
function logarithmPlusOne(x: ExtendedNumber, y: ExtendedNumber, control: number): Outcome {
  const flags = denormalFlag(x, y);
  const negative = isNegative(x) !== isNegative(y);
  if (isInfinite(x)) return isNegative(x) || isZero(y) ? invalid() : exact(infinity(isNegative(y)), flags);
  if (isZero(x)) return isInfinite(y) ? invalid() : exact(zero(negative), flags);
  if (isNegative(x) && magnitudeOf(x) >= 0) return invalid();
  if (isInfinite(y)) return exact(infinity(negative), flags);
  if (isZero(y)) return exact(zero(negative), flags);
  const magnitude = magnitudeOf(x);
  if (magnitude >= 64) return logarithmOf(x, y, control);
  if (magnitude < TINY) {
    const [a, b] = [finite(x), finite(y)];
    return one(roundNumber(negative, a.significand * b.significand * divide(ONE, LN2), a.exponent + b.exponent - FRACTION_BITS, true, control), flags);
  }
  const sum = ONE + toFixed(x);
  return timesLogarithm(y, logarithm2(sum), (sum & (sum - 1n)) === 0n, control, flags);
}

/** Instructions by the number that generated code passes. */
export const TRANSCENDENTAL: readonly ((x: ExtendedNumber, y: ExtendedNumber, control: number) => Outcome)[] = [
  (x, _y, control) => power(x, control),
  logarithmOf,
  (x, _y, control) => trigonometric(x, control, "tan"),
  arcTangentOf,
  logarithmPlusOne,
  (x, _y, control) => trigonometric(x, control, "sincos"),
  (x, _y, control) => trigonometric(x, control, "sin"),
  (x, _y, control) => trigonometric(x, control, "cos"),
];
