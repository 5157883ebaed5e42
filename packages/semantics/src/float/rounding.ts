/**
 * Rounding and packing (SDM volume 1, sections 4.8.4 and 4.9.1.4-6): one algorithm for the extended format under precision
 * control and for f32 and f64. Its input is a normalized significand (bit 63 set) with 64 more bits behind it, of which
 * the lowest is sticky, and a biased exponent of any size. Tininess is detected after rounding. Unmasked overflow and
 * underflow give the extended result with its exponent moved by 24576; f32 and f64 destinations are then not written at all.
 */
import { irFunction, type Builder } from "../builder.ts";
import type { Value } from "../ir.ts";
import { FTZ, INTEGER_BIT, MAX_EXPONENT, OE, PE, raise, returnExtended, ROUNDED_UP, roundingOf, UE } from "./scratch.ts";
import { shiftRightJam } from "./wide.ts";

/** A storage format: bytes, bits of the significand that fall away, exponent width and bias. */
export interface Format {
  readonly name: "f32" | "f64";
  readonly type: "i32" | "i64";
  readonly size: 4 | 8;
  readonly drop: number;
  readonly fraction: number;
  readonly maxExponent: number;
  readonly bias: number;
}
export const F32: Format = { name: "f32", type: "i32", size: 4, drop: 40, fraction: 23, maxExponent: 0xff, bias: 0x7f };
export const F64: Format = { name: "f64", type: "i64", size: 8, drop: 11, fraction: 52, maxExponent: 0x7ff, bias: 0x3ff };

/** Whether a significand is to be incremented: `low` is what falls away as a fraction of 2^64, `odd` the last bit that stays. */
export function incrementFor(b: Builder, rc: Value, negative: Value, odd: Value, low: Value): Value {
  const nearest = b.gtU(low, b.sub(b.i64(INTEGER_BIT), odd));
  const directed = b.and(b.ne(low, 0), b.eq(rc, b.sub(b.i32(2), negative)));
  return b.select(rc, directed, nearest);
}

interface Rounded {
  /** The kept bits, in place, after the increment; zero when it carried out. */
  readonly significand: Value;
  readonly inexact: Value;
  readonly incremented: Value;
}

/** Rounds at `drop` bits from the bottom. */
function roundAt(b: Builder, drop: Value | number, rc: Value, negative: Value, sig: Value, extra: Value): Rounded {
  const fixed = typeof drop === "number" ? b.i64(drop) : b.extendU(drop);
  const unit = b.shl(b.i64(1), fixed);
  const behind = b.or(b.shl(sig, b.sub(b.i64(64), fixed)), b.extendU(b.ne(extra, 0)));
  const low = typeof drop === "number" ? behind : b.select(drop, behind, extra);
  const kept = b.and(sig, b.sub(b.i64(0), unit));
  const odd = b.extendU(b.ne(b.and(sig, unit), 0));
  const incremented = incrementFor(b, rc, negative, odd, low);
  return {
    significand: b.add(kept, b.select(incremented, unit, b.i64(0))),
    inexact: b.ne(low, 0),
    incremented,
  };
}

function raiseInexact(b: Builder, rounded: Rounded): void {
  b.if(rounded.inexact, () => raise(b, b.or(b.i32(PE), b.shl(rounded.incremented, 9))));
}

/** Whether an overflowing result becomes infinity rather than the largest number. */
function overflowsToInfinity(b: Builder, rc: Value, negative: Value): Value {
  return b.select(rc, b.eq(rc, b.sub(b.i32(2), negative)), b.i32(1));
}

/** Bits below the precision that precision control keeps: 40, 0 (reserved), 11, 0. */
function precisionDrop(b: Builder, control: Value): Value {
  const pc = b.and(b.shrU(control, 8), 3);
  return b.select(b.eqz(pc), b.i32(40), b.select(b.eq(pc, 2), b.i32(11), b.i32(0)));
}

const roundExtreme = irFunction("f80_round_extreme", ["i32", "i32", "i64", "i64", "i32"], "i64", (b, negative, exponent, sig, extra, control) => {
  const rc = roundingOf(b, control);
  const drop = precisionDrop(b, control);
  const sign = b.shl(negative, 15);
  const rounded = roundAt(b, drop, rc, negative, sig, extra);
  const carried = b.eqz(rounded.significand);
  const final = b.add(exponent, carried);
  const significand = b.select(carried, b.i64(INTEGER_BIT), rounded.significand);
  b.if(b.gtS(exponent, 0), () => {
    b.if(b.geS(final, MAX_EXPONENT), () => {
      b.if(b.and(control, OE), () => {
        const infinite = overflowsToInfinity(b, rc, negative);
        raise(b, b.or(b.i32(OE | PE), b.shl(infinite, 9)));
        const largest = b.shl(b.i64(-1), b.extendU(drop));
        returnExtended(b, b.or(sign, b.sub(b.i32(MAX_EXPONENT), b.eqz(infinite))), b.select(infinite, b.i64(INTEGER_BIT), largest));
      });
      const biased = b.sub(final, 24576);
      // FSCALE can overflow even the moved exponent: infinity, which counts as rounded up.
      const massive = b.geS(biased, MAX_EXPONENT);
      raise(b, b.or(b.i32(OE), b.select(massive, b.i32(PE | ROUNDED_UP), b.i32(0))));
      raiseInexact(b, rounded);
      returnExtended(b, b.or(sign, b.select(massive, b.i32(MAX_EXPONENT), biased)), b.select(massive, b.i64(INTEGER_BIT), significand));
    });
    raiseInexact(b, rounded);
    returnExtended(b, b.or(sign, final), significand);
  });
  const tiny = b.leS(final, 0);
  b.if(b.and(tiny, b.eqz(b.and(control, UE))), () => {
    const biased = b.add(final, 24576);
    const massive = b.leS(biased, 0);
    raise(b, b.or(b.i32(UE), b.select(massive, b.i32(PE), b.i32(0))));
    raiseInexact(b, rounded);
    returnExtended(b, b.or(sign, b.select(massive, b.i32(0), biased)), b.select(massive, b.i64(0), significand));
  });
  const shifted = shiftRightJam(b, sig, extra, b.sub(b.i32(1), exponent));
  const small = roundAt(b, drop, rc, negative, shifted.hi, shifted.lo);
  b.if(b.and(tiny, small.inexact), () => raise(b, UE));
  raiseInexact(b, small);
  returnExtended(b, b.or(sign, b.ltS(small.significand, 0)), small.significand);
});

/** Rounds to the precision of the control word: (negative, exponent, significand, extra, control), FLOAT_SE beside the result. */
export const roundExtended = irFunction("f80_round", ["i32", "i32", "i64", "i64", "i32"], "i64", (b, negative, exponent, sig, extra, control) => {
  b.if(b.geU(b.sub(exponent, 1), MAX_EXPONENT - 2), () => b.return(b.call(roundExtreme, [negative, exponent, sig, extra, control])), undefined, false);
  const rounded = roundAt(b, precisionDrop(b, control), roundingOf(b, control), negative, sig, extra);
  const carried = b.eqz(rounded.significand);
  raiseInexact(b, rounded);
  returnExtended(b, b.or(b.shl(negative, 15), b.add(exponent, carried)), b.select(carried, b.i64(INTEGER_BIT), rounded.significand));
});

/** Sign, biased exponent field and fraction (given as the significand's upper bits) as one number of the format. */
export function packBits(b: Builder, format: Format, negative: Value, exponent: Value, significand: Value): Value {
  const fraction = b.and(b.shrU(significand, format.drop), 2 ** format.fraction - 1);
  const bits = b.or(b.or(b.shl(b.extendU(negative), format.name === "f32" ? 31 : 63), b.shl(b.extendU(exponent), format.fraction)), fraction);
  return format.type === "i32" ? b.wrap(bits) : bits;
}

const roundShort = (format: Format) => irFunction(`${format.name}_round`, ["i32", "i32", "i64", "i64", "i32"], format.type, (b, negative, exponent, sig, extra, control) => {
  const rc = roundingOf(b, control);
  const rounded = roundAt(b, format.drop, rc, negative, sig, extra);
  const carried = b.eqz(rounded.significand);
  const final = b.add(exponent, carried);
  b.if(b.leS(exponent, 0), () => {
    const tiny = b.leS(final, 0);
    b.if(b.and(tiny, b.eqz(b.and(control, UE))), () => {
      raise(b, UE);
      raiseInexact(b, rounded);
      b.return(b.like(format.type === "i32" ? negative : sig, 0));
    });
    b.if(b.and(tiny, b.ne(b.and(control, FTZ), 0)), () => {
      raise(b, UE | PE);
      b.return(packBits(b, format, negative, b.i32(0), b.i64(0)));
    });
    const shifted = shiftRightJam(b, sig, extra, b.sub(b.i32(1), exponent));
    const small = roundAt(b, format.drop, rc, negative, shifted.hi, shifted.lo);
    b.if(b.and(tiny, small.inexact), () => raise(b, UE));
    raiseInexact(b, small);
    b.return(packBits(b, format, negative, b.ltS(small.significand, 0), small.significand));
  }, undefined, false);
  b.if(b.geS(final, format.maxExponent), () => {
    b.if(b.and(control, OE), () => {
      const infinite = overflowsToInfinity(b, rc, negative);
      raise(b, b.or(b.i32(OE | PE), b.shl(infinite, 9)));
      b.return(packBits(b, format, negative, b.sub(b.i32(format.maxExponent), b.eqz(infinite)), b.select(infinite, b.i64(0), b.i64(-1))));
    });
    raise(b, OE);
    raiseInexact(b, rounded);
    b.return(b.like(format.type === "i32" ? negative : sig, 0));
  }, undefined, false);
  raiseInexact(b, rounded);
  b.return(packBits(b, format, negative, final, rounded.significand));
});

/** Rounds to f32: (negative, exponent, significand, extra, control). */
export const roundF32 = roundShort(F32);
/** Rounds to f64. */
export const roundF64 = roundShort(F64);
