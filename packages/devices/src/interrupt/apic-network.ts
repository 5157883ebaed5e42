/** What a local APIC needs from the rest of the machine. */

import type { Clock } from "@doppel/clock";
import type { ApicMessage } from "./apic-message.ts";
import type { TscDeadline } from "./apic-timer.ts";
import type { CpuEvents, InterruptSource } from "./interrupt-source.ts";

/** Someone who takes interrupt messages. */
export interface ApicReceiver {
  accept(message: ApicMessage): boolean;
}

/** What a local APIC sends to: the others, and the I/O APICs. */
export interface ApicNetwork {
  /** @returns whether any APIC took the message. */
  deliver(message: ApicMessage): boolean;
  /** Delivers to all APICs but, where it is given, one. */
  broadcast(message: ApicMessage, except: ApicReceiver | undefined): void;
  /** A level-triggered vector was ended. */
  endOfInterrupt(vector: number): void;
  /** Place or visibility of an APIC's page changed. */
  moved(): void;
}

/** What a local APIC is given. */
export type LocalApicOptions = {
  readonly id: number;
  readonly clock: Clock;
  readonly network: ApicNetwork;
  readonly cpu: CpuEvents;
  readonly tscDeadline: TscDeadline;
  /** The 8259 behind LINT0, on the boot processor only. */
  readonly pic?: InterruptSource;
  /** Called when `pending` has become true, so that a running CPU can leave its slice. */
  readonly onPending: () => void;
};
