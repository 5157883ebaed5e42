/**
 * Conversion between nanoseconds and the ticks of an oscillator. Whole seconds are split off first, so that products stay below
 * 2^53 and the result is exact for oscillators up to 9 MHz; above, it is rounded but still never goes backwards.
 */

const SECOND = 1e9;

/** An oscillator that ticks `hz` times a second, its first tick at time 0. */
export class Frequency {
  /** Ticks per second. */
  readonly hz: number;

  /** @param hz ticks per second, a whole number. */
  constructor(hz: number) {
    this.hz = hz;
  }

  /** How many ticks have passed at time `ns`. */
  ticksAt(ns: number): number {
    const seconds = Math.floor(ns / SECOND);
    return seconds * this.hz + Math.floor(((ns - seconds * SECOND) * this.hz) / SECOND);
  }

  /** The first nanosecond at which `tick` ticks have passed. */
  nsAt(tick: number): number {
    const seconds = Math.floor(tick / this.hz);
    const ns = seconds * SECOND + Math.ceil(((tick - seconds * this.hz) * SECOND) / this.hz);
    // An alarm set for a tick must find that tick passed, whatever the rounding did.
    return this.ticksAt(ns) < tick ? ns + 1 : ns;
  }
}
