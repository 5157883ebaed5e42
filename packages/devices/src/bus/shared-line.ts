/**
 * One interrupt input that several devices pull: asserted while any of them asserts it. COM1 and COM3 share one, and so do the
 * functions behind a PCI interrupt pin.
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { InterruptLine } from "./bus-device.ts";

/** Which sources assert the line, one bit each. */
export type SharedLineState = { asserted: number };

/** Ors up to 31 sources onto one line. A restore drives nothing: the controller behind it has a state of its own. */
export class SharedLine implements Persist<SharedLineState> {
  readonly #target: InterruptLine;
  #sources = 0;
  #asserted = 0;

  constructor(target: InterruptLine) {
    this.#target = target;
  }

  /** A further source; its number depends on the order of calls, which is part of a machine's configuration. */
  source(): InterruptLine {
    const bit = 1 << this.#sources++;
    return {
      set: (level) => {
        const before = this.#asserted;
        this.#asserted = level ? before | bit : before & ~bit;
        if ((before !== 0) !== (this.#asserted !== 0)) this.#target.set(level);
      },
    };
  }

  save(): SharedLineState {
    return { asserted: this.#asserted };
  }

  restore(state: SharedLineState): void {
    this.#asserted = conform(state, this.save()).asserted;
  }
}
