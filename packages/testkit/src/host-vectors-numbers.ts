/**
 * Floating-point boundary values: zeros, denormals, the ends of the normal range, powers of two at which integers overflow, ones and
 * their neighbours, infinities, NaNs, and for the 80-bit format the encodings that no longer mean a number (SDM volume 1, 4.8 and 8.2).
 */
import { type Random, randomBytes } from "./host-vectors-random.ts";

/** Single precision, as bits. */
export const SINGLES: readonly number[] = [
  0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x80800001, 0x3f800000, 0xbf800000, 0x3f800001, 0x3f7fffff, 0x3fc00000, 0xc0200000,
  0x3f000000, 0x40490fdb, 0x4b000001, 0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
  0xffc12345, 0x7f800001, 0xffbfffff,
];

/** Double precision, as bits. */
export const DOUBLES: readonly bigint[] = [
  0n, 0x8000000000000000n, 1n, 0x800fffffffffffffn, 0x0010000000000000n, 0x8010000000000001n, 0x3ff0000000000000n, 0xbff0000000000000n,
  0x3ff0000000000001n, 0x3fefffffffffffffn, 0x3ff8000000000000n, 0xc004000000000000n, 0x3fe0000000000000n, 0x400921fb54442d18n,
  0x36a0000000000000n, 0x380fffffe0000000n, 0x47efffffe0000000n, 0x47f0000000000000n, 0x41dfffffffc00000n, 0x41dfffffffe00000n,
  0x41e0000000000000n, 0xc1e0000000000000n, 0xc1e0000000200000n, 0x7fefffffffffffffn, 0xffefffffffffffffn, 0x7ff0000000000000n, 0xfff0000000000000n,
  0x7ff8000000000000n, 0xfff8123456789abcn, 0x7ff0000000000001n, 0xfff7ffffffffffffn,
];

/** Double extended precision: sign and exponent, significand. */
export const EXTENDED: readonly (readonly [number, bigint])[] = [
  [0x0000, 0n], [0x8000, 0n], [0x0000, 1n], [0x8000, 0x7fffffffffffffffn], [0x0000, 0x8000000000000000n], [0x0001, 0x8000000000000000n],
  [0x3fff, 0x8000000000000000n], [0xbfff, 0x8000000000000000n], [0x3fff, 0x8000000000000001n], [0x3ffe, 0xffffffffffffffffn],
  [0x3fff, 0xc000000000000000n], [0xc000, 0xa000000000000000n], [0x3ffe, 0x8000000000000000n], [0x4000, 0xc90fdaa22168c235n],
  [0x400e, 0xffff000000000000n], [0xc00e, 0x8000000000000000n], [0x401e, 0x8000000000000000n], [0x401d, 0xfffffffe80000000n],
  [0x403d, 0xffffffffffffffffn], [0xc03e, 0x8000000000000000n], [0x403e, 0x8000000000000000n], [0x4039, 0xde0b6b3a763fffffn],
  [0x407f, 0x8000000000000000n], [0x3f6a, 0x8000000000000000n], [0x7ffe, 0xffffffffffffffffn], [0xfffe, 0xffffffffffffffffn],
  [0x7fff, 0x8000000000000000n], [0xffff, 0x8000000000000000n], [0x7fff, 0xc000000000000000n], [0xffff, 0xd123456789abcdefn],
  [0x7fff, 0x8000000000000001n], [0xffff, 0xbfffffffffffffffn],
  // Unsupported: unnormal, pseudo-infinity, pseudo-NaN.
  [0x3fff, 0x4000000000000000n], [0x7fff, 0n], [0x7fff, 0x4000000000000001n],
];

/** Writes a single; random ones have an exponent near 1 half of the time. */
export function putSingle(random: Random, view: DataView, at: number, n: number): void {
  let bits = n >= 0 ? SINGLES[n % SINGLES.length]! : random.oneIn(12) ? random.pick(SINGLES) : random.next();
  if (n < 0 && random.oneIn(2)) bits = (bits & 0x80ffffff) | ((0x70 + random.below(32)) << 23);
  view.setUint32(at, bits, true);
}

/** The same for a double. */
export function putDouble(random: Random, view: DataView, at: number, n: number): void {
  if (n >= 0) return view.setBigUint64(at, DOUBLES[n % DOUBLES.length]!, true);
  if (random.oneIn(12)) return view.setBigUint64(at, random.pick(DOUBLES), true);
  let high = random.next();
  if (random.oneIn(2)) high = (high & 0x800fffff) | ((0x3e0 + random.below(64)) << 20);
  view.setUint32(at, random.next(), true);
  view.setUint32(at + 4, high, true);
}

/** The same for an 80-bit number. */
export function putExtended(random: Random, view: DataView, at: number, n: number): void {
  const known = n >= 0 ? EXTENDED[n % EXTENDED.length]! : random.oneIn(12) ? random.pick(EXTENDED) : undefined;
  if (known !== undefined) {
    view.setBigUint64(at, known[1], true);
    return view.setUint16(at + 8, known[0], true);
  }
  view.setUint32(at, random.oneIn(4) ? 0 : random.next(), true);
  view.setUint32(at + 4, (random.next() | 0x80000000) >>> 0, true);
  const kind = random.below(4);
  const exponent = kind === 0 ? random.next() & 0x7fff : kind === 1 ? 0x3fff + random.below(80) - 40 : 0x3fff + random.below(8) - 4;
  view.setUint16(at + 8, (random.next() & 0x8000) | exponent, true);
}

/** Packed BCD: mostly valid digits. */
export function putDecimal(random: Random, bytes: Uint8Array, at: number): void {
  randomBytes(random, bytes, at, 8);
  const digits = random.oneIn(8) ? 0 : 9;
  for (let n = 0; n < 9; n++) {
    const byte = n < 8 ? bytes[at + n]! : random.next() & 0xff;
    bytes[at + n] = digits === 9 ? (((byte >> 4) % 10) << 4) | ((byte & 15) % 10) : n > 4 ? 0 : 0x99;
  }
  bytes[at + 9] = random.pick([0, 0x80, 0x00, 0x80, 0x55]);
}
