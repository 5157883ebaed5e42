/**
 * The way of an old timer's interrupt, which an HPET shuts while it takes the timer's place (IA-PC HPET specification 1.0a, section
 * 2.3.5, LEG_RT_CNF). The timer goes on behind the gate.
 */

import type { InterruptLine } from "../bus/bus-device.ts";

/** A line that can be held low. */
export class LegacyGate implements InterruptLine {
  readonly #target: InterruptLine;
  #open = true;
  #level = false;

  constructor(target: InterruptLine) {
    this.#target = target;
  }

  /** What the timer drives, whether it gets through or not. */
  get level(): boolean {
    return this.#level;
  }

  set(level: boolean): void {
    this.#level = level;
    if (this.#open) this.#target.set(level);
  }

  /** Lets the interrupt through, or holds it low. */
  setOpen(open: boolean): void {
    if (open === this.#open) return;
    this.#open = open;
    this.#target.set(open && this.#level);
  }

  /** Takes a saved position over; the line behind has a state of its own. */
  restore(shut: boolean, level: boolean): void {
    this.#open = !shut;
    this.#level = level;
  }
}
