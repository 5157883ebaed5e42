/**
 * 80-bit numbers as TypeScript values, and rounding of an exact or sticky BigInt to one (SDM volume 1, 4.8 and 8.5): what the transcendental helpers
 * read and write. Precision control does not apply to them; rounding control and unmasked overflow and underflow do.
 */
import { FCW_RC, FCW_RC_SHIFT, FPU_OE, FPU_PE, FPU_UE, FSW_C1 } from "@doppel/x86";

/** Significand with the integer bit at 63, and sign (bit 15) with the biased exponent. */
export interface ExtendedNumber {
  readonly significand: bigint;
  readonly se: number;
}

/** A finite number as (-1)^negative * significand * 2^exponent; zero has significand 0. */
export interface Finite {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

export const BIAS = 16383;
const MAX_EXPONENT = 0x7fff;
const INTEGER_BIT = 1n << 63n;
/** What unmasked overflow and underflow move the exponent by. */
const WRAP = 24576;

export function zero(negative: boolean): ExtendedNumber {
  return { significand: 0n, se: negative ? 0x8000 : 0 };
}
export function infinity(negative: boolean): ExtendedNumber {
  return { significand: INTEGER_BIT, se: (negative ? 0x8000 : 0) | MAX_EXPONENT };
}
/** The real indefinite. */
export const INDEFINITE: ExtendedNumber = { significand: 3n << 62n, se: 0xffff };

/** A finite number in parts. */
export function finite({ significand, se }: ExtendedNumber): Finite {
  return { negative: (se & 0x8000) !== 0, significand, exponent: Math.max(se & MAX_EXPONENT, 1) - BIAS - 63 };
}
export function isInfinite({ significand, se }: ExtendedNumber): boolean {
  return (se & MAX_EXPONENT) === MAX_EXPONENT && significand === INTEGER_BIT;
}
export function isZero({ significand, se }: ExtendedNumber): boolean {
  return significand === 0n && (se & MAX_EXPONENT) === 0;
}
export function isDenormal({ significand, se }: ExtendedNumber): boolean {
  return significand !== 0n && (se & MAX_EXPONENT) === 0;
}
export function isNegative({ se }: ExtendedNumber): boolean {
  return (se & 0x8000) !== 0;
}

/** Number of bits of a positive BigInt. */
export function bitLength(n: bigint): number {
  return n.toString(2).length;
}

/** Drops `bits` bits of a magnitude, rounding as the control word says. */
function roundAway(magnitude: bigint, bits: number, negative: boolean, control: number, sticky: boolean): { value: bigint; inexact: boolean; up: boolean } {
  if (bits <= 0) {
    const value = magnitude << BigInt(-bits);
    if (!sticky) return { value, inexact: false, up: false };
    return { ...roundAway((value << 2n) | 1n, 2, negative, control, false) };
  }
  const value = magnitude >> BigInt(bits);
  const rest = magnitude - (value << BigInt(bits));
  const half = 1n << BigInt(bits - 1);
  const inexact = rest !== 0n || sticky;
  const above = rest > half || (rest === half && (sticky || (value & 1n) === 1n));
  const mode = (control & FCW_RC) >> FCW_RC_SHIFT;
  const up = mode === 0 ? above : inexact && mode === (negative ? 1 : 2);
  return { value: up ? value + 1n : value, inexact, up };
}

/**
 * Rounds (-1)^negative * magnitude * 2^exponent, `sticky` when the true magnitude is a little larger.
 * @returns the number and the exception flags with C1
 */
export function roundNumber(negative: boolean, magnitude: bigint, exponent: number, sticky: boolean, control: number): { number: ExtendedNumber; flags: number } {
  const sign = negative ? 0x8000 : 0;
  const length = bitLength(magnitude);
  const flagsOf = (r: { inexact: boolean; up: boolean }): number => (r.inexact ? FPU_PE | (r.up ? FSW_C1 : 0) : 0);
  const whole = roundAway(magnitude, length - 64, negative, control, sticky);
  let biased = exponent + length - 1 + BIAS;
  let significand = whole.value;
  if (significand >> 64n) {
    significand >>= 1n;
    biased++;
  }
  if (biased >= MAX_EXPONENT) {
    if (!(control & FPU_OE)) return { number: { significand, se: sign | (biased - WRAP) }, flags: flagsOf(whole) | FPU_OE };
    const mode = (control & FCW_RC) >> FCW_RC_SHIFT;
    const toInfinity = mode === 0 || mode === (negative ? 1 : 2);
    const number = toInfinity ? infinity(negative) : { significand: (1n << 64n) - 1n, se: sign | (MAX_EXPONENT - 1) };
    return { number, flags: FPU_OE | FPU_PE | (toInfinity ? FSW_C1 : 0) };
  }
  if (biased > 0) return { number: { significand, se: sign | biased }, flags: flagsOf(whole) };
  if (!(control & FPU_UE)) return { number: { significand, se: sign | (biased + WRAP) }, flags: flagsOf(whole) | FPU_UE };
  const small = roundAway(magnitude, 1 - BIAS - 63 - exponent, negative, control, sticky);
  return { number: { significand: small.value, se: sign | Number(small.value >> 63n) }, flags: flagsOf(small) | (small.inexact ? FPU_UE : 0) };
}
