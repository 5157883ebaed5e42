/**
 * The 8254 programmable interval timer of a PC and port 61h: counter 0 is IRQ0, counter 1 once refreshed memory, counter 2 is
 * gated by port 61h and drives the speaker, and its OUT can be read there (8254 data sheet; PIIX3 data sheet, "NMI status and control").
 *
 *   40h, 41h, 42h counters    43h control word    61h system control port B
 */

import { Alarm, Frequency } from "@doppel/clock";
import type { Clock } from "@doppel/clock";
import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";
import { PitCounter } from "./pit-counter.ts";
import type { PitCounterState } from "./pit-counter.ts";

/** Ticks per second of the counters' input clock. */
export const PIT_HZ = 1_193_182;

const SELECT_READ_BACK = 3;
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;

const GATE_2 = 0x01;
const PORT_61_WRITABLE = 0x0f;
const REFRESH = 0x10;
const OUT_2 = 0x20;
/** Half of the 30 us in which a PC refreshes two rows. */
const REFRESH_NS = 15_085;

/** The counters, port 61h, and the time of the next rise of counter 0. */
export type PitState = { counters: PitCounterState[]; portB: number; deadline: number };

/** Three counters and port 61h. */
export class Pit implements BusDevice, Persist<PitState> {
  readonly #clock: Clock;
  readonly #irq: InterruptLine;
  readonly #rate = new Frequency(PIT_HZ);
  readonly #counters = [new PitCounter(), new PitCounter(), new PitCounter()];
  readonly #alarm: Alarm;
  #portB = 0;

  /** @param irq pulled by OUT of counter 0; ticks that fall behind the present are dropped, not delivered late in a burst. */
  constructor(clock: Clock, irq: InterruptLine) {
    this.#clock = clock;
    this.#irq = irq;
    this.#alarm = new Alarm(clock, "pit", () => {
      // Only the rising edge matters to an edge-triggered input, so one event serves a whole period.
      irq.set(false);
      this.#follow();
    });
    this.reset();
  }

  /** Claims ports 40h to 43h and 61h. */
  attach(ports: PortBus): void {
    ports.register(0x40, 4, this, "8254");
    const portB: BusDevice = {
      read: () => this.#readPortB(),
      write: (_offset, _size, value) => {
        this.#portB = value & PORT_61_WRITABLE;
        this.#counters[2].setGate(this.#now(), (value & GATE_2) !== 0);
      },
    };
    ports.register(0x61, 1, portB, "system control port B");
  }

  /** Power-on state. */
  reset(): void {
    this.#counters.forEach((counter, i) => counter.reset(i < 2));
    this.#portB = 0;
    this.#alarm.clear();
    this.#irq.set(false);
  }

  read(offset: number, _size: AccessSize): number {
    return offset === 3 ? 0xff : this.#counters[offset].read(this.#now());
  }

  write(offset: number, _size: AccessSize, value: number): void {
    const now = this.#now();
    if (offset < 3) {
      this.#counters[offset].write(now, value);
    } else if (value >> 6 === SELECT_READ_BACK) {
      this.#counters.forEach((counter, i) => {
        if ((value & (2 << i)) === 0) return;
        if ((value & READ_BACK_NO_COUNT) === 0) counter.latch(now);
        if ((value & READ_BACK_NO_STATUS) === 0) counter.latchStatus(now);
      });
    } else if ((value & 0x30) === 0) {
      this.#counters[value >> 6].latch(now);
    } else {
      this.#counters[value >> 6].control(value);
    }
    if (offset === 0 || (offset === 3 && value >> 6 === 0 && (value & 0x30) !== 0)) this.#follow();
  }

  /** Whether counter 2's OUT and the speaker gate make a tone, and its frequency: what a host may play. */
  speaker(): { on: boolean; ticks: number } {
    return { on: (this.#portB & 3) === 3, ticks: this.#counters[2].save().count };
  }

  save(): PitState {
    return { counters: this.#counters.map((counter) => counter.save()), portB: this.#portB, deadline: this.#alarm.deadline };
  }

  restore(state: PitState): void {
    const { counters, portB, deadline } = conform(state, this.save());
    this.#counters.forEach((counter, i) => counter.restore(counters[i]));
    this.#portB = portB;
    this.#alarm.set(deadline);
  }

  #now(): number {
    return this.#rate.ticksAt(this.#clock.now());
  }

  #readPortB(): number {
    const refresh = Math.floor(this.#clock.now() / REFRESH_NS) % 2 === 1 ? REFRESH : 0;
    return this.#portB | refresh | (this.#counters[2].output(this.#now()) ? OUT_2 : 0);
  }

  /** Drives IRQ0 as OUT stands and waits for its next rise. */
  #follow(): void {
    const now = this.#now();
    this.#irq.set(this.#counters[0].output(now));
    const rise = this.#counters[0].nextRise(now);
    // Never again at the present moment, whatever a damaged state says: the clock would not get past it.
    this.#alarm.set(rise === Infinity ? Infinity : Math.max(this.#rate.nsAt(rise), this.#clock.now() + 1));
  }
}
