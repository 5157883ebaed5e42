/** A set of the 256 interrupt vectors, as the eight registers of 32 bits in which a local APIC shows IRR, ISR and TMR. */

/** Bit v of register v >> 5 is vector v. */
export type VectorSet = number[];

export function emptyVectors(): VectorSet {
  return [0, 0, 0, 0, 0, 0, 0, 0];
}

export function hasVector(set: VectorSet, vector: number): boolean {
  return ((set[vector >> 5] >>> (vector & 31)) & 1) !== 0;
}

export function putVector(set: VectorSet, vector: number, present: boolean): void {
  const bit = 1 << (vector & 31);
  const register = vector >> 5;
  set[register] = (present ? set[register] | bit : set[register] & ~bit) >>> 0;
}

/** The highest vector of the set, which has the highest priority, or -1. */
export function highestVector(set: VectorSet): number {
  for (let register = 7; register >= 0; register--) {
    if (set[register] !== 0) return 32 * register + 31 - Math.clz32(set[register]);
  }
  return -1;
}
