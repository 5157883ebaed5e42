/**
 * An I/O APIC with 24 pins (Intel 82093AA data sheet; version 20h, which adds the EOI register). Each pin has an entry of 64 bits in
 * the redirection table that says what message its interrupt becomes.
 *
 *   00 IOREGSEL  10 IOWIN  40 EOI     index 00 ID  01 version  02 arbitration  10h + 2n, 11h + 2n redirection entry n
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";
import type { MmioBus } from "../bus/mmio-bus.ts";
import { DELIVERY } from "./apic-message.ts";
import type { ApicNetwork } from "./apic-network.ts";

/** Where the registers stand. */
export const IO_APIC_BASE = 0xfec0_0000;
/** Number of pins. */
export const IO_APIC_PINS = 24;

const VERSION = 0x20;
const RTE_LOGICAL = 0x800;
const RTE_REMOTE_IRR = 0x4000;
const RTE_LEVEL = 0x8000;
const RTE_MASKED = 0x10000;
const RTE_LOW_WRITABLE = 0x1afff;

/** Registers; `low` and `high` are the halves of the redirection entries, `lines` a bit for each asserted pin. */
export type IoApicState = { index: number; id: number; low: number[]; high: number[]; lines: number };

const FRESH: IoApicState = {
  index: 0, id: 0, low: new Array<number>(IO_APIC_PINS).fill(RTE_MASKED), high: new Array<number>(IO_APIC_PINS).fill(0), lines: 0,
};

/** The I/O APIC of a PC. */
export class IoApic implements BusDevice, Persist<IoApicState> {
  readonly #network: ApicNetwork;
  #state: IoApicState = copy(FRESH);

  constructor(network: ApicNetwork) {
    this.#network = network;
  }

  /** Claims its page. */
  attach(memory: MmioBus): void {
    memory.register(IO_APIC_BASE, 0x1000, this, "I/O APIC");
  }

  /** Power-on: all pins masked. */
  reset(): void {
    this.#state = { ...copy(FRESH), lines: this.#state.lines };
  }

  /** Drives a pin. An edge on a masked pin is lost, as the data sheet has it. */
  setLine(pin: number, level: boolean): void {
    const state = this.#state;
    const bit = 1 << pin;
    const rises = level && (state.lines & bit) === 0;
    state.lines = level ? state.lines | bit : state.lines & ~bit;
    if ((state.low[pin] & RTE_LEVEL) !== 0 ? level : rises) this.#deliver(pin);
  }

  /** A local APIC ended a level-triggered vector: pins that are still asserted ask again. */
  endOfInterrupt(vector: number): void {
    const { low, lines } = this.#state;
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      if ((low[pin] & RTE_REMOTE_IRR) === 0 || (low[pin] & 0xff) !== vector) continue;
      low[pin] &= ~RTE_REMOTE_IRR;
      if ((lines & (1 << pin)) !== 0) this.#deliver(pin);
    }
  }

  read(offset: number, size: AccessSize): number {
    const within = offset & 3;
    if (within + size > 4) return 0;
    const register = offset & ~3;
    const value = register === 0x00 ? this.#state.index : register === 0x10 ? this.#readIndexed() : 0;
    return value >>> (8 * within);
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (offset === 0x00) this.#state.index = value & 0xff;
    else if (size !== 4) return;
    else if (offset === 0x10) this.#writeIndexed(value);
    else if (offset === 0x40) this.endOfInterrupt(value & 0xff);
  }

  save(): IoApicState {
    return copy(this.#state);
  }

  restore(state: IoApicState): void {
    this.#state = conform(state, FRESH);
  }

  #readIndexed(): number {
    const { index, id, low, high } = this.#state;
    if (index === 0 || index === 2) return (id << 24) >>> 0;
    if (index === 1) return VERSION | ((IO_APIC_PINS - 1) << 16);
    const pin = (index - 0x10) >> 1;
    if (index < 0x10 || pin >= IO_APIC_PINS) return 0;
    return (index & 1) === 0 ? low[pin] : high[pin];
  }

  #writeIndexed(value: number): void {
    const { index, low, high, lines } = this.#state;
    if (index === 0) this.#state.id = (value >>> 24) & 15;
    const pin = (index - 0x10) >> 1;
    if (index < 0x10 || pin >= IO_APIC_PINS) return;
    if ((index & 1) !== 0) {
      high[pin] = (value & 0xff00_0000) >>> 0;
      return;
    }
    // Switching a pin to edge drops what a level left pending.
    const kept = (value & RTE_LEVEL) !== 0 ? low[pin] & RTE_REMOTE_IRR : 0;
    low[pin] = (value & RTE_LOW_WRITABLE) | kept;
    if ((value & RTE_LEVEL) !== 0 && (lines & (1 << pin)) !== 0) this.#deliver(pin);
  }

  #deliver(pin: number): void {
    const { low, high } = this.#state;
    const entry = low[pin];
    const level = (entry & RTE_LEVEL) !== 0;
    if ((entry & RTE_MASKED) !== 0 || (level && (entry & RTE_REMOTE_IRR) !== 0)) return;
    const delivery = (entry >> 8) & 7;
    // An 8259 would be at LINT0, not here.
    if (delivery === DELIVERY.EXT_INT) return;
    const taken = this.#network.deliver({ delivery, vector: entry & 0xff, level, destination: high[pin] >>> 24, logical: (entry & RTE_LOGICAL) !== 0 });
    if (taken && level) low[pin] |= RTE_REMOTE_IRR;
  }
}
