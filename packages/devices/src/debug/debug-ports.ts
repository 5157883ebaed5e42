/**
 * Ports that are not of a PC but of the emulators that small kernels and firmware are developed on: debug output (Bochs, E9h; SeaBIOS,
 * 402h), the debug exit and shutdown ports, and QEMU's `pc-testdev`.
 *
 *   E0h..E3h scratch  E4h flush  E9h, 402h output  F4h exit (doublewords)  2000h..2017h IRQ lines  8900h shutdown  FF000000h scratch
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { MmioBus } from "../bus/mmio-bus.ts";
import type { PortBus } from "../bus/port-bus.ts";

/** What SeaBIOS expects to read from a debug output port before it writes to it. */
const OUTPUT_PRESENT = 0xe9;
const SHUTDOWN = "Shutdown";
const SCRATCH_BASE = 0xff00_0000;
const SCRATCH_SIZE = 0x10000;

/** Where debug ports lead. */
export interface DebugOutputs {
  /** A byte written to port E9h or 402h. */
  output(byte: number): void;
  /** A value written to port F4h. */
  exit(value: number): void;
  /** "Shutdown" was written to port 8900h. */
  shutdown(): void;
}

/** Scratch memory, and how much of "Shutdown" has been written. */
export type DebugPortsState = { scratch: Uint8Array; memory: Uint8Array; shutdownProgress: number };

/** All of them. */
export class DebugPorts implements Persist<DebugPortsState> {
  readonly #outputs: DebugOutputs;
  readonly #irqs: readonly InterruptLine[];
  #scratch: Uint8Array = new Uint8Array(4);
  #memory: Uint8Array = new Uint8Array(SCRATCH_SIZE);
  #shutdownProgress = 0;

  /** @param irqs global interrupts 0 to 23, for ports 2000h on. */
  constructor(outputs: DebugOutputs, irqs: readonly InterruptLine[]) {
    this.#outputs = outputs;
    this.#irqs = irqs;
  }

  /** Claims the ports, except F4h, which is wanted only on machines that may end themselves, and the scratch memory. */
  attach(ports: PortBus, memory: MmioBus): void {
    const console: BusDevice = { read: () => OUTPUT_PRESENT, write: (_offset, _size, value) => this.#outputs.output(value) };
    ports.register(0xe9, 1, console, "debug output E9h");
    ports.register(0x402, 1, console, "debug output 402h");
    ports.register(0xe0, 4, this.#bytes(() => this.#scratch), "pc-testdev scratch", 4);
    ports.register(0xe4, 4, { read: () => 0, write: () => {} }, "pc-testdev flush", 4);
    ports.register(0x2000, this.#irqs.length, { read: () => 0xff, write: (offset, _size, value) => this.#irqs[offset].set(value !== 0) }, "pc-testdev interrupts");
    ports.register(0x8900, 1, { read: () => 0xff, write: (_offset, _size, value) => this.#spell(value) }, "shutdown port");
    memory.register(SCRATCH_BASE, SCRATCH_SIZE, this.#bytes(() => this.#memory), "pc-testdev memory");
  }

  /** Claims port F4h, four bytes: a write of any width ends the machine. */
  attachExit(ports: PortBus): void {
    ports.register(0xf4, 4, { read: () => 0, write: (_offset, _size, value) => this.#outputs.exit(value) }, "isa-debug-exit", 4);
  }

  save(): DebugPortsState {
    return { scratch: this.#scratch.slice(), memory: this.#memory.slice(), shutdownProgress: this.#shutdownProgress };
  }

  restore(state: DebugPortsState): void {
    const { scratch, memory, shutdownProgress } = conform(state, this.save());
    this.#scratch = scratch;
    this.#memory = memory;
    this.#shutdownProgress = shutdownProgress;
  }

  #bytes(store: () => Uint8Array): BusDevice {
    return {
      read: (offset, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) value |= store()[offset + i] << (8 * i);
        return value >>> 0;
      },
      write: (offset, size, value) => {
        for (let i = 0; i < size; i++) store()[offset + i] = value >>> (8 * i);
      },
    };
  }

  #spell(value: number): void {
    const isNext = value === SHUTDOWN.charCodeAt(this.#shutdownProgress);
    this.#shutdownProgress = isNext ? this.#shutdownProgress + 1 : value === SHUTDOWN.charCodeAt(0) ? 1 : 0;
    if (this.#shutdownProgress < SHUTDOWN.length) return;
    this.#shutdownProgress = 0;
    this.#outputs.shutdown();
  }
}
