/**
 * What connects the APICs of a machine: it finds whom a message is for, arbitrates for the lowest priority, tells I/O APICs of ends of
 * interrupts, and shows the page of whichever local APIC belongs to the CPU that runs.
 */

import type { BusDevice } from "../bus/bus-device.ts";
import type { MmioBus } from "../bus/mmio-bus.ts";
import { DELIVERY } from "./apic-message.ts";
import type { ApicMessage } from "./apic-message.ts";
import type { ApicNetwork, ApicReceiver } from "./apic-network.ts";
import type { LocalApic } from "./local-apic.ts";

const PAGE = 0x1000;

/** What wants to know that a level-triggered vector was ended. */
export interface EndOfInterruptListener {
  endOfInterrupt(vector: number): void;
}

/** All local and I/O APICs of one machine. */
export class ApicBus implements ApicNetwork {
  readonly #memory: MmioBus;
  readonly #apics: LocalApic[] = [];
  readonly #listeners: EndOfInterruptListener[] = [];
  /** Whoever runs sees its own page at the same address as the others see theirs. */
  readonly #page: BusDevice = {
    read: (offset, size) => this.#apics[this.#current].read(offset, size),
    write: (offset, size, value) => this.#apics[this.#current].write(offset, size, value),
  };
  #current = 0;
  #claim: { address: number; range: Disposable } | undefined;

  constructor(memory: MmioBus) {
    this.#memory = memory;
  }

  /** Adds a local APIC; its index is that of its CPU. */
  addLocal(apic: LocalApic): void {
    this.#apics.push(apic);
    this.moved();
  }

  /** Adds an I/O APIC. */
  addListener(listener: EndOfInterruptListener): void {
    this.#listeners.push(listener);
  }

  /** Says which CPU runs from now on. */
  select(cpu: number): void {
    if (cpu === this.#current) return;
    this.#current = cpu;
    this.moved();
  }

  deliver(message: ApicMessage): boolean {
    const addressed = this.#apics.filter((apic) => apic.isAddressed(message.destination, message.logical));
    if (message.delivery !== DELIVERY.LOWEST_PRIORITY) return addressed.reduce((taken, apic) => apic.accept(message) || taken, false);
    // A stable sort: among equals the first wins, so that runs are repeatable.
    return addressed.sort((a, b) => a.processorPriority - b.processorPriority).some((apic) => apic.accept(message));
  }

  broadcast(message: ApicMessage, except: ApicReceiver | undefined): void {
    for (const apic of this.#apics) if (apic !== except) apic.accept(message);
  }

  endOfInterrupt(vector: number): void {
    for (const listener of this.#listeners) listener.endOfInterrupt(vector);
  }

  moved(): void {
    const apic = this.#apics[this.#current] as LocalApic | undefined;
    const address = apic?.isEnabled === true ? apic.address : -1;
    if (this.#claim?.address === address) return;
    this.#claim?.range[Symbol.dispose]();
    this.#claim = undefined;
    if (address >= 0 && this.#memory.isFree(address, PAGE)) this.#claim = { address, range: this.#memory.register(address, PAGE, this.#page, "local APIC") };
  }
}
