/**
 * Where the inputs of the host vectors come from: a seeded generator, the boundary values of each operand size, and mixtures of
 * the two. The generator is part of the vector files' format: inputs are not stored but made again from a group's name.
 */

/** A repeatable stream of 32-bit numbers (a multiplicative hash of a Weyl sequence), seeded by a text. */
export class Random {
  private state = 0x811c9dc5;

  constructor(seed: string) {
    for (let n = 0; n < seed.length; n++) this.state = Math.imul(this.state ^ seed.charCodeAt(n), 0x01000193);
  }
  /** The next number, unsigned. */
  next(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }
  /** A number from 0 to n - 1. */
  below(n: number): number {
    return this.next() % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
  /** True once in n times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}

/** Boundary values by operand size in bytes. */
export const BOUNDARIES: Readonly<Record<number, readonly number[]>> = {
  1: [0, 1, 2, 0x0f, 0x10, 0x55, 0x7f, 0x80, 0x81, 0x99, 0xfe, 0xff],
  2: [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x5555, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff],
  4: [0, 1, 0x7f, 0x80, 0xffff, 0x10000, 0x55555555, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff],
};

/** Every pair of boundary values of two sizes. */
export function boundaryPairs(first: number, second: number): [number, number][] {
  return BOUNDARIES[first]!.flatMap((a) => BOUNDARIES[second]!.map((b): [number, number] => [a, b]));
}

/** A number of `size` bytes: anything, something small, or near a boundary. */
export function randomValue(random: Random, size: number): number {
  const mask = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
  const kind = random.below(8);
  const value = random.next();
  if (kind < 5) return (value & mask) >>> 0;
  if (kind === 5) return ((value & mask) >>> (value >>> 27)) >>> 0;
  return ((random.pick(BOUNDARIES[size]!) + (kind === 6 ? 0 : (value % 5) - 2)) & mask) >>> 0;
}

/** Fills whole words at random: the same bytes as {@link randomBytes}, much faster. */
export function randomWords(random: Random, to: Int32Array, from: number, words: number): void {
  for (let n = 0; n < words; n++) to[from + n] = random.next();
}

/** Fills bytes at random. */
export function randomBytes(random: Random, to: Uint8Array, from: number, bytes: number): void {
  for (let n = 0; n < bytes; n += 4) {
    const word = random.next();
    to[from + n] = word;
    to[from + n + 1] = word >>> 8;
    to[from + n + 2] = word >>> 16;
    to[from + n + 3] = word >>> 24;
  }
}
