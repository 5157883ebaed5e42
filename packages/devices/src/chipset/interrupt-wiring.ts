/**
 * How interrupt lines reach the controllers of a PC: global interrupts 0 to 15 go to the 8259 pair and to the I/O APIC at once, the
 * timer's to pin 2 of the latter; 16 to 23 go to the I/O APIC only.
 */

import type { Persist } from "@doppel/persist";
import type { InterruptLine } from "../bus/bus-device.ts";
import { SharedLine } from "../bus/shared-line.ts";
import type { SharedLineState } from "../bus/shared-line.ts";
import type { IoApic } from "../interrupt/io-apic.ts";
import type { PicPair } from "../interrupt/pic-pair.ts";

/** Number of global interrupts. */
export const GLOBAL_INTERRUPTS = 24;
const ISA_INTERRUPTS = 16;
const TIMER_PIN = 2;

/** Sources of each line. */
export type InterruptWiringState = SharedLineState[];

/** The lines between devices and controllers. */
export class InterruptWiring implements Persist<InterruptWiringState> {
  readonly #lines: SharedLine[];

  constructor(pic: PicPair, ioApic: IoApic | undefined) {
    this.#lines = Array.from({ length: GLOBAL_INTERRUPTS }, (_, global) => new SharedLine({
      set: (level) => {
        if (global < ISA_INTERRUPTS) pic.setLine(global, level);
        ioApic?.setLine(global === 0 ? TIMER_PIN : global, level);
      },
    }));
  }

  /** A further source of a global interrupt. */
  line(global: number): InterruptLine {
    return this.#lines[global].source();
  }

  save(): InterruptWiringState {
    return this.#lines.map((line) => line.save());
  }

  restore(state: InterruptWiringState): void {
    this.#lines.forEach((line, i) => line.restore(state[i]));
  }
}
