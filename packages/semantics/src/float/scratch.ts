/**
 * What soft-float functions share: the places of the hot state through which they hand back more than one value, and the
 * bits of their `control` argument. A function returns a significand or a whole f32/f64 and leaves the rest here:
 *
 *   +0x520  FLOAT_FLAGS   exception flags as in the status word (bits 0-5), bit 9 (C1) when the magnitude was rounded up
 *   +0x524  FLOAT_SE      sign (bit 15) and exponent of an 80-bit result
 *   +0x528  FLOAT_EXTRA   a second 64-bit result (low half of a remainder, quotient bits, low lane)
 *   +0x540  FLOAT_LANES   operands and results of vector operations and of the transcendental helpers
 *
 * Control: the layout of the x87 control word (masks in bits 0-5, PC in 8-9, RC in 10-11), with two bits of MXCSR that the
 * control word does not use: DAZ (6, only looked at by SSE) and FTZ (15).
 */
import type { Builder } from "../builder.ts";
import type { Value } from "../ir.ts";

export const FLOAT_FLAGS = 0x520;
export const FLOAT_SE = 0x524;
export const FLOAT_EXTRA = 0x528;
export const FLOAT_LANES = 0x540;

export const IE = 1 << 0;
export const DE = 1 << 1;
export const ZE = 1 << 2;
export const OE = 1 << 3;
export const UE = 1 << 4;
export const PE = 1 << 5;
/** The magnitude was rounded up: C1 of the status word. */
export const ROUNDED_UP = 1 << 9;

export const FTZ = 1 << 15;
export const DAZ = 1 << 6;

/** The integer bit of an extended significand. */
export const INTEGER_BIT = 1n << 63n;
/** Sign and exponent of the default NaN ("real indefinite"), and its significand. */
export const INDEFINITE_SE = 0xffff;
export const INDEFINITE = 0xc000_0000_0000_0000n;
/** Biased exponent of infinities and NaNs; bias of the extended format. */
export const MAX_EXPONENT = 0x7fff;
export const BIAS = 0x3fff;

/** Adds exception flags to those already raised. */
export function raise(b: Builder, flags: Value | number): void {
  const more = typeof flags === "number" ? b.i32(flags) : flags;
  b.setState("i32_store", FLOAT_FLAGS, b.or(b.state("i32_load", FLOAT_FLAGS), more));
}

/** Replaces the flags raised so far: an invalid operation or a NaN operand takes precedence over a denormal one. */
export function raiseOnly(b: Builder, flags: Value | number): void {
  b.setState("i32_store", FLOAT_FLAGS, typeof flags === "number" ? b.i32(flags) : flags);
}

/** Ends a function with an 80-bit result. */
export function returnExtended(b: Builder, se: Value | number, significand: Value | bigint): void {
  b.setState("i32_store", FLOAT_SE, typeof se === "number" ? b.i32(se) : se);
  b.return(typeof significand === "bigint" ? b.i64(significand) : significand);
}

/** Ends a function with the default NaN of an invalid operation. */
export function returnInvalid(b: Builder): void {
  raiseOnly(b, IE);
  returnExtended(b, INDEFINITE_SE, INDEFINITE);
}

/** Rounding control (0 nearest, 1 down, 2 up, 3 toward zero) of a control argument. */
export function roundingOf(b: Builder, control: Value): Value {
  return b.and(b.shrU(control, 10), 3);
}
