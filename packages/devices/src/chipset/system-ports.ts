/**
 * Two small ports of a PC's board: 92h, which drives the A20 gate and a fast reset beside the keyboard controller, and F0h, by which
 * a handler of IRQ13 acknowledges an error of the numeric coprocessor (PIIX3 data sheet, sections 2.5.1.9 and 2.5.3).
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";

const FAST_RESET = 0x01;
const A20_OPEN = 0x02;

/** Gate and latches. */
export type SystemPortsState = { a20: boolean; port92: number; ferr: boolean };

/** What the two ports reach outside. */
export interface SystemPortOutputs {
  setA20(open: boolean): void;
  reset(): void;
  /** IGNNE# is asserted: numeric errors are held back until the pending one is cleared. */
  ignoreNumericError(): void;
}

/** The A20 gate, the fast reset, and the coprocessor's error latch. Whoever wrote the gate last has set it. */
export class SystemPorts implements Persist<SystemPortsState> {
  readonly #outputs: SystemPortOutputs;
  readonly #irq13: InterruptLine;
  #a20 = true;
  #port92 = 0;
  #ferr = false;

  constructor(irq13: InterruptLine, outputs: SystemPortOutputs) {
    this.#irq13 = irq13;
    this.#outputs = outputs;
  }

  /** Claims ports 92h and F0h. */
  attach(ports: PortBus): void {
    const port92: BusDevice = {
      read: () => (this.#port92 & ~A20_OPEN) | (this.#a20 ? A20_OPEN : 0),
      write: (_offset, _size, value) => {
        const before = this.#port92;
        this.#port92 = value;
        this.setA20((value & A20_OPEN) !== 0);
        if ((value & ~before & FAST_RESET) !== 0) this.#outputs.reset();
      },
    };
    ports.register(0x92, 1, port92, "system control port A");
    const busy: BusDevice = {
      read: () => 0xff,
      write: () => {
        if (!this.#ferr) return;
        this.#ferr = false;
        this.#irq13.set(false);
        this.#outputs.ignoreNumericError();
      },
    };
    ports.register(0xf0, 1, busy, "coprocessor error");
  }

  /** Power-on: A20 open. */
  reset(): void {
    this.#port92 = 0;
    this.#ferr = false;
    this.#irq13.set(false);
    this.setA20(true);
  }

  /** Whether address line 20 is driven. */
  get a20(): boolean {
    return this.#a20;
  }

  /** Opens or closes the gate. */
  setA20(open: boolean): void {
    if (open === this.#a20) return;
    this.#a20 = open;
    this.#outputs.setA20(open);
  }

  /** FERR#: the CPU met a numeric error with CR0.NE clear; IRQ13 until port F0h is written. */
  raiseNumericError(): void {
    this.#ferr = true;
    this.#irq13.set(true);
  }

  save(): SystemPortsState {
    return { a20: this.#a20, port92: this.#port92, ferr: this.#ferr };
  }

  restore(state: SystemPortsState): void {
    const { a20, port92, ferr } = conform(state, this.save());
    this.#a20 = a20;
    this.#port92 = port92;
    this.#ferr = ferr;
    this.#outputs.setA20(a20);
  }
}
