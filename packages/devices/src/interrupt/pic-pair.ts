/**
 * The two 8259As of a PC: the slave's INT is input 2 of the master; together they have inputs IRQ0 to IRQ15. ELCR at 4D0h and 4D1h
 * makes inputs level-triggered (82371SB PIIX3 data sheet, section 2.5.2).
 *
 *   master 20h, 21h   slave A0h, A1h   ELCR1 4D0h   ELCR2 4D1h
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";
import type { InterruptSource } from "./interrupt-source.ts";
import { Pic } from "./pic.ts";
import type { PicState } from "./pic.ts";

/** Inputs that may be level-triggered: not the timer, the keyboard, the cascade, the clock and the coprocessor. */
const ELCR_WRITABLE = [0xf8, 0xde] as const;

/** State of both chips. */
export type PicPairState = { master: PicState; slave: PicState };

/** The interrupt controller of a PC without APIC; with one, its output goes to LINT0. */
export class PicPair implements InterruptSource, Persist<PicPairState> {
  readonly #master: Pic;
  readonly #slave: Pic;
  readonly #output: InterruptLine;
  #level = false;

  /** @param output the INTR pin; told of changes only. */
  constructor(output: InterruptLine) {
    this.#output = output;
    this.#master = new Pic(true, () => this.#update());
    this.#slave = new Pic(false, () => this.#update());
  }

  /** Claims ports 20h, 21h, A0h, A1h, 4D0h and 4D1h. */
  attach(ports: PortBus): void {
    ports.register(0x20, 2, this.#master, "8259 master");
    ports.register(0xa0, 2, this.#slave, "8259 slave");
    const elcr: BusDevice = {
      read: (offset) => (offset === 0 ? this.#master : this.#slave).elcr,
      write: (offset, _size, value) => {
        (offset === 0 ? this.#master : this.#slave).elcr = value & ELCR_WRITABLE[offset];
      },
    };
    ports.register(0x4d0, 2, elcr, "8259 ELCR");
  }

  /** Puts both chips into the power-on state. */
  reset(): void {
    this.#master.reset();
    this.#slave.reset();
  }

  /** Drives IRQ0 to IRQ15; IRQ2 is the cascade and has no pin. */
  setLine(irq: number, level: boolean): void {
    if (irq === 2) return;
    if (irq < 8) this.#master.setLine(irq, level);
    else this.#slave.setLine(irq - 8, level);
  }

  pending(): boolean {
    return this.#level;
  }

  acknowledge(): number {
    const irq = this.#master.request();
    if (irq < 0) return this.#master.spurious();
    if (irq !== 2) return this.#master.accept(irq);
    const slaveIrq = this.#slave.request();
    this.#master.accept(2);
    return slaveIrq < 0 ? this.#slave.spurious() : this.#slave.accept(slaveIrq);
  }

  save(): PicPairState {
    return { master: this.#master.save(), slave: this.#slave.save() };
  }

  restore(state: PicPairState): void {
    const { master, slave } = conform(state, this.save());
    this.#master.restore(master);
    this.#slave.restore(slave);
    this.#level = this.#master.request() >= 0;
  }

  #update(): void {
    this.#master.setCascade(this.#slave.request() >= 0);
    const level = this.#master.request() >= 0;
    if (level === this.#level) return;
    this.#level = level;
    this.#output.set(level);
  }
}
