/**
 * Random numbers of RDRAND and RDSEED (SDM volume 1, 7.3.17). The host program injects a source of entropy; without one, numbers come
 * from a generator whose state is saved with the processor, so that a deterministic machine stays one.
 */
import type { Cpu } from "../cpu.ts";

/** 32 random bits. */
function random32(cpu: Cpu): number {
  if (cpu.entropy !== undefined) return cpu.entropy() | 0;
  // Marsaglia's xorshift: any state but zero goes round 2^32 - 1 values.
  let x = cpu.random;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  cpu.random = x | 0;
  return x;
}

/** Puts a random number of 2, 4 or 8 bytes into SCRATCH; there is always one, so CF is 1. */
export function randomNumber(cpu: Cpu, size: number): true {
  const low = random32(cpu);
  cpu.state.setScratch64(size === 2 ? low & 0xffff : low, size === 8 ? random32(cpu) : 0);
  return true;
}
