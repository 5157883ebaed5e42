/**
 * 128-bit steps in 64-bit arithmetic that soft float is made of. They are macros: each writes its IR at the place where it is used.
 */
import type { Builder } from "../builder.ts";
import type { Value } from "../ir.ts";

/** A 128-bit number. */
export interface Wide {
  readonly hi: Value;
  readonly lo: Value;
}

/** x * y. */
export function multiplyWide(b: Builder, x: Value, y: Value): Wide {
  const low = (v: Value): Value => b.and(v, 0xffff_ffff);
  const [x0, x1, y0, y1] = [low(x), b.shrU(x, 32), low(y), b.shrU(y, 32)];
  const bottom = b.mul(x0, y0);
  const cross = b.add(b.mul(x1, y0), b.shrU(bottom, 32));
  const other = b.add(b.mul(x0, y1), low(cross));
  return {
    hi: b.add(b.add(b.mul(x1, y1), b.shrU(cross, 32)), b.shrU(other, 32)),
    lo: b.or(b.shl(other, 32), low(bottom)),
  };
}

/** Quotient and remainder of hi:lo by a divisor whose top bit is set and which is greater than hi (Knuth, algorithm D, base 2^32). */
export function divideWide(b: Builder, hi: Value, lo: Value, divisor: Value): { quotient: Value; remainder: Value } {
  const d1 = b.shrU(divisor, 32);
  const d0 = b.and(divisor, 0xffff_ffff);
  const digit = (high: Value, next: Value): { q: Value; rest: Value } => {
    const q = b.variable(b.op("i64_div_u", [high, d1]));
    const r = b.variable(b.sub(high, b.mul(b.get(q), d1)));
    b.loop(() => {
      // The estimate is at most two too large; once r has a digit in its upper half it is right.
      const tooLarge = b.or(b.ne(b.shrU(b.get(q), 32), 0), b.gtU(b.mul(b.get(q), d0), b.or(b.shl(b.get(r), 32), next)));
      b.breakIf(b.eqz(tooLarge));
      b.setVariable(q, b.sub(b.get(q), 1));
      const r2 = b.add(b.get(r), d1);
      b.setVariable(r, r2);
      b.breakIf(b.ne(b.shrU(b.get(r), 32), 0));
    });
    const quotient = b.get(q);
    return { q: quotient, rest: b.sub(b.or(b.shl(high, 32), next), b.mul(quotient, divisor)) };
  };
  const first = digit(hi, b.shrU(lo, 32));
  const second = digit(first.rest, b.and(lo, 0xffff_ffff));
  return { quotient: b.or(b.shl(first.q, 32), second.q), remainder: second.rest };
}

/** x:0 >> n for x with its top bit set and any n of 0 or more; bits that fall out stay as a set lowest bit. */
export function shiftOutJam(b: Builder, x: Value, n: Value): Wide {
  const n64 = b.extendU(n);
  const hi = b.variable(b.shrU(x, n64));
  // `(x << 1) << (63 - n)` is right for n = 0 too.
  const lo = b.variable(b.shl(b.shl(x, 1), b.sub(b.i64(63), n64)));
  b.if(b.geU(n, 64), () => {
    const far = b.extendU(b.select(b.ltU(n, 127), b.sub(n, 64), b.i32(63)));
    const lost = b.ne(b.and(x, b.sub(b.shl(b.i64(1), far), 1)), 0);
    b.setVariable(hi, b.i64(0));
    b.setVariable(lo, b.or(b.shrU(x, far), b.extendU(lost)));
  }, undefined, false);
  return { hi: b.get(hi), lo: b.get(lo) };
}

/** hi:lo >> n for any n of 0 or more; bits that fall out stay as a set lowest bit. */
export function shiftRightJam(b: Builder, hi: Value, lo: Value, n: Value): Wide {
  const n64 = b.extendU(n);
  const below = b.ltU(n, 64);
  const far = b.extendU(b.select(b.ltU(n, 127), b.sub(n, 64), b.i32(63)));
  const mask = (count: Value): Value => b.sub(b.shl(b.i64(1), count), 1);
  const sticky = (condition: Value): Value => b.extendU(condition);
  // Up to 63: the low half gets bits of the high one; `(x << 1) << (63 - n)` is right for n = 0 too.
  const carried = b.shl(b.shl(hi, 1), b.sub(b.i64(63), n64));
  const near = b.or(b.or(b.shrU(lo, n64), carried), sticky(b.ne(b.and(lo, mask(n64)), 0)));
  const beyond = b.or(b.shrU(hi, far), sticky(b.ne(b.or(b.and(hi, mask(far)), lo), 0)));
  return { hi: b.select(below, b.shrU(hi, n64), b.i64(0)), lo: b.select(below, near, b.select(b.ltU(n, 128), beyond, sticky(b.ne(b.or(hi, lo), 0)))) };
}
