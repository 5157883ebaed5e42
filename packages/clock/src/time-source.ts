/**
 * Where time comes from. Virtual time is a count of whole nanoseconds in a number: 2^53 ns are 104 days, more than a machine
 * runs between a save and a restore.
 */

import { DoppelError } from "@doppel/persist";

/** Anything that tells a time in whole nanoseconds, from an origin of its own, and never goes backwards. */
export interface TimeSource {
  /** Nanoseconds since the origin of this source. */
  now(): number;
}

/** The host's monotonic clock. The function that reads it is injected, because a package knows no host. */
export class HostTime implements TimeSource {
  readonly #milliseconds: () => number;
  #latest = 0;

  /** @param milliseconds a function like `performance.now`: milliseconds, with a fraction. */
  constructor(milliseconds: () => number) {
    this.#milliseconds = milliseconds;
  }

  /** Nanoseconds since the origin of the host's clock; held where the host's clock steps back. */
  now(): number {
    this.#latest = Math.max(this.#latest, Math.floor(this.#milliseconds() * 1e6));
    return this.#latest;
  }
}

/** Time as a function of the instructions retired: two runs of the same guest then see the same times. */
export class CountTime implements TimeSource {
  readonly #count: () => number;
  readonly #nsPerInstruction: number;

  /**
   * @param count how many instructions were retired.
   * @param nsPerInstruction the pace; 1 is a processor of 1000 MIPS, 10 one of 100 MIPS.
   * @throws DoppelError `CLOCK_PACE` for a pace that is not above zero.
   */
  constructor(count: () => number, nsPerInstruction = 1) {
    if (!(nsPerInstruction > 0 && nsPerInstruction < 1e9)) {
      throw new DoppelError("CLOCK_PACE", `The pace is ${nsPerInstruction} ns per instruction; give a number above 0.`);
    }
    this.#count = count;
    this.#nsPerInstruction = nsPerInstruction;
  }

  /** Nanoseconds that the retired instructions stand for, rounded down. */
  now(): number {
    return Math.floor(this.#count() * this.#nsPerInstruction);
  }

  /** How many instructions must retire for `ns` nanoseconds to pass, rounded up: the length of a slice up to a deadline. */
  instructionsFor(ns: number): number {
    return Math.ceil(ns / this.#nsPerInstruction);
  }
}
