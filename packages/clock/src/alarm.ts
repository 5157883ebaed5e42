/**
 * A device's one timer: at most one deadline is pending, setting it anew replaces it, and the deadline is a number that the
 * device saves with its state and sets again on restore.
 */

import type { Clock, Timer } from "./clock.ts";

/** A timer that can be set, cleared and set again. Its deadline is `Infinity` while it is not set. */
export class Alarm {
  readonly #clock: Clock;
  readonly #label: string;
  readonly #callback: (deadline: number) => void;
  #timer: Timer | undefined;

  /**
   * @param label unique in its machine, see `Clock.schedule`.
   * @param callback told the deadline that has come; the alarm is clear by then and may be set again.
   */
  constructor(clock: Clock, label: string, callback: (deadline: number) => void) {
    this.#clock = clock;
    this.#label = label;
    this.#callback = callback;
  }

  /** The pending deadline in nanoseconds, or `Infinity`. */
  get deadline(): number {
    return this.#timer?.deadline ?? Infinity;
  }

  /** Replaces the deadline; `Infinity` clears it. */
  set(at: number): void {
    this.#timer?.cancel();
    this.#timer = at < Infinity ? this.#clock.schedule(at, () => this.#fire(), this.#label) : undefined;
  }

  /** Lets nothing happen any more. */
  clear(): void {
    this.set(Infinity);
  }

  #fire(): void {
    const deadline = this.deadline;
    this.#timer = undefined;
    this.#callback(deadline);
  }
}
