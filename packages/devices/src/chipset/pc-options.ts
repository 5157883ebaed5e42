/** What a PC's chipset is given: its configuration, and the machine around it. */

import type { Clock } from "@doppel/clock";
import type { GuestMemory } from "../bus/bus-device.ts";
import type { CpuEvents } from "../interrupt/interrupt-source.ts";
import type { ShadowRange } from "../pci/i440fx.ts";
import type { SerialBackend } from "../serial/uart.ts";
import type { MemorySize } from "./memory-size.ts";

/** What a chipset asks of its machine. All of it may be called in the middle of a guest instruction, so the machine acts after it. */
export interface PcHost {
  /** The guest asked for a reset of the whole machine: `PcChipset.reset` and the CPUs' are the machine's to call. */
  reset(): void;
  /** The guest switched the machine off. */
  powerOff(): void;
  /** Address line 20 is driven from now on, or held at 0. */
  setA20(open: boolean): void;
  /** An interrupt has become pending for a CPU, so that it may leave its slice. */
  interrupt(cpu: number): void;
  /** NMI, INIT, start-up and SMI of a CPU. */
  cpuEvents(cpu: number): CpuEvents;
  /** A value was written to the debug exit port. */
  debugExit?(value: number): void;
  /** A byte was written to port E9h or 402h. */
  debugOutput?(byte: number): void;
  /** A byte was written to port 80h. */
  postCode?(code: number): void;
  /** The keyboard's LEDs changed, see `LED`. */
  leds?(leds: number): void;
  /** Where accesses to C0000h to FFFFFh go has changed. */
  shadow?(ranges: ShadowRange[]): void;
  /** Port F0h: numeric errors are to be held back. */
  ignoreNumericError?(): void;
}

/** Configuration; a state can be restored only into a chipset of the same configuration. */
export type PcOptions = {
  readonly clock: Clock;
  readonly memory: GuestMemory;
  readonly memorySize: MemorySize;
  readonly host: PcHost;
  /** Seconds since 1970 (UTC) at time 0 of the clock; default 0. */
  readonly wallClock?: number;
  /** Number of CPUs, default 1. */
  readonly cpus?: number;
  /** Local and I/O APICs; default true. */
  readonly apic?: boolean;
  /** A high precision event timer at FED00000h; default true. */
  readonly hpet?: boolean;
  /** COM1 to COM4, each where a back end is given. */
  readonly serial?: readonly (SerialBackend | undefined)[];
  /** The `isa-debug-exit` port F4h; default false. */
  readonly debugExit?: boolean;
  /** What a CPU's time-stamp counter, which counts nanoseconds, is ahead of the clock; default 0. */
  readonly tscOffset?: (cpu: number) => number;
};
