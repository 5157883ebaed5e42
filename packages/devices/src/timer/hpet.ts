/**
 * A high precision event timer block (IA-PC HPET specification 1.0a): a 64-bit counter at 100 MHz and three comparators, each periodic
 * or one-shot, 32 or 64 bits wide, edge or level triggered. With legacy replacement, comparators 0 and 1 take the place of the 8254 and
 * of the real-time clock.
 *
 *   000 capabilities  010 configuration  020 interrupt status  0F0 main counter
 *   100 + 20h * n: configuration and capabilities, +8 comparator n
 */

import { Alarm } from "@doppel/clock";
import type { Clock } from "@doppel/clock";
import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { MmioBus } from "../bus/mmio-bus.ts";
import { HpetTimer } from "./hpet-timer.ts";
import type { HpetTimerState } from "./hpet-timer.ts";
import { LegacyGate } from "./legacy-gate.ts";

/** Where the registers stand. */
export const HPET_BASE = 0xfed0_0000;
const HPET_SIZE = 0x400;
/** Nanoseconds per count. */
const COUNT_NS = 10;
/** COUNTER_CLK_PERIOD, in femtoseconds. */
const COUNTER_CLK_PERIOD = COUNT_NS * 1e6;
const TIMERS = 3;
/** VENDOR_ID, LEG_RT_CAP, COUNT_SIZE_CAP, the last comparator's number and the revision. */
export const HPET_CAPABILITIES = 0x8086_0000 + (1 << 15) + (1 << 13) + ((TIMERS - 1) << 8) + 1;
/** Inputs of the I/O APIC that nothing else on the board uses. */
const ROUTES = [20, 21, 22, 23];
const ROUTE_CAP = ROUTES.reduce((bits, route) => bits | (1 << route), 0);

const ENABLE_CNF = 1 << 0;
const LEG_RT_CNF = 1 << 1;

/** A period shorter than this would leave the guest no time between two interrupts. */
const MIN_PERIOD_NS = 10_000;
/** A high half that is read so soon after the low one belongs to it: an 8-byte read arrives as two of four bytes. */
const PAIR_NS = 1000;
/** Farther ahead than this a match is never: 2^53 ns are 104 days. */
const FARTHEST = 2n ** 49n;

/** The counter is `counter` plus what the clock counted since `since`; `pair` is the high half of the counter read at `pairAt`. */
export type HpetState = {
  config: number; status: number; counter: bigint; since: number; pair: number; pairAt: number; timers: HpetTimerState[]; deadlines: number[];
  gates: boolean[];
};

/** Where the interrupts go, and whose place they may take. */
export type HpetLines = {
  /** The 8254's interrupt and the clock's; comparators 0 and 1 with legacy replacement. */
  readonly legacy: readonly [InterruptLine, InterruptLine];
  /** A source of a global interrupt. */
  readonly global: (global: number) => InterruptLine;
};

/** The timer block. Its 8254 and its clock must be given `pit` and `rtc` as their interrupt lines. */
export class Hpet implements BusDevice, Persist<HpetState> {
  readonly #clock: Clock;
  readonly #timers = Array.from({ length: TIMERS }, () => new HpetTimer(ROUTE_CAP));
  readonly #alarms: Alarm[];
  readonly #gates: readonly [LegacyGate, LegacyGate];
  readonly #legacy: readonly [InterruptLine, InterruptLine];
  readonly #routed: ReadonlyMap<number, InterruptLine>;
  #config = 0;
  #status = 0;
  #counter = 0n;
  #since = 0;
  #pair = 0;
  #pairAt = -PAIR_NS;

  constructor(clock: Clock, lines: HpetLines) {
    this.#clock = clock;
    this.#legacy = lines.legacy;
    this.#gates = [new LegacyGate(lines.legacy[0]), new LegacyGate(lines.legacy[1])];
    this.#routed = new Map(ROUTES.map((route) => [route, lines.global(route)]));
    this.#alarms = this.#timers.map((_, n) => new Alarm(clock, `hpet${n}`, () => this.#match(n)));
  }

  /** The 8254's way to its interrupt. */
  get pit(): InterruptLine {
    return this.#gates[0];
  }

  /** The real-time clock's way to its interrupt. */
  get rtc(): InterruptLine {
    return this.#gates[1];
  }

  /** Claims the registers. */
  attach(memory: MmioBus): void {
    memory.register(HPET_BASE, HPET_SIZE, this, "HPET");
  }

  /** Power-on state: the counter stands at 0. */
  reset(): void {
    this.#configure(0);
    this.#status = 0;
    this.#counter = 0n;
    for (const timer of this.#timers) timer.reset();
  }

  read(offset: number, size: AccessSize): number {
    const within = offset & 3;
    if (within + size > 4) return 0;
    return this.#read(offset & ~3) >>> (8 * within);
  }

  /** Only aligned accesses of four bytes change anything; eight bytes arrive as two of them. */
  write(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    if (offset === 0x10) this.#configure(value & (ENABLE_CNF | LEG_RT_CNF));
    else if (offset === 0x20) this.#status &= ~value;
    else if (offset === 0xf0 || offset === 0xf4) this.#load(offset === 0xf4, BigInt(value));
    else if (offset >= 0x100 && offset < 0x100 + 0x20 * TIMERS) this.#writeTimer((offset - 0x100) >> 5, offset & 0x1f, value);
    else return;
    this.#apply();
  }

  save(): HpetState {
    this.#catchUp();
    return {
      config: this.#config, status: this.#status, counter: this.#counter, since: this.#since, pair: this.#pair, pairAt: this.#pairAt,
      timers: this.#timers.map((timer) => timer.save()), deadlines: this.#alarms.map((alarm) => alarm.deadline),
      gates: this.#gates.map((gate) => gate.level),
    };
  }

  restore(state: HpetState): void {
    const taken = conform(state, this.save());
    this.#config = taken.config & (ENABLE_CNF | LEG_RT_CNF);
    this.#status = taken.status & ((1 << TIMERS) - 1);
    this.#counter = BigInt.asUintN(64, taken.counter);
    // A moment in the future would make the counter run backwards.
    this.#since = Math.floor(Math.min(Math.max(0, taken.since), this.#clock.now()));
    this.#pair = taken.pair >>> 0;
    this.#pairAt = taken.pairAt;
    this.#timers.forEach((timer, n) => timer.restore(taken.timers[n]));
    this.#gates.forEach((gate, n) => gate.restore(this.#isLegacy, taken.gates[n]));
    this.#alarms.forEach((alarm, n) => alarm.set(taken.deadlines[n]));
  }

  get #running(): boolean {
    return (this.#config & ENABLE_CNF) !== 0;
  }

  get #isLegacy(): boolean {
    return (this.#config & (ENABLE_CNF | LEG_RT_CNF)) === (ENABLE_CNF | LEG_RT_CNF);
  }

  #now(): bigint {
    return BigInt.asUintN(64, this.#counter + BigInt(this.#passed()));
  }

  /** Counts since `since`. */
  #passed(): number {
    return this.#running ? Math.floor((this.#clock.now() - this.#since) / COUNT_NS) : 0;
  }

  #read(register: number): number {
    switch (register) {
      case 0x00: return HPET_CAPABILITIES;
      case 0x04: return COUNTER_CLK_PERIOD;
      case 0x10: return this.#config;
      case 0x20: return this.#status;
      case 0xf0: {
        const counter = this.#now();
        this.#pair = Number(counter >> 32n);
        this.#pairAt = this.#clock.now();
        return Number(BigInt.asUintN(32, counter));
      }
      case 0xf4: return this.#clock.now() - this.#pairAt < PAIR_NS ? this.#pair : Number(this.#now() >> 32n);
      default: {
        this.#catchUp();
        return this.#timers[(register - 0x100) >> 5]?.read(register & 0x1f) ?? 0;
      }
    }
  }

  #configure(config: number): void {
    const passed = this.#passed();
    this.#counter = BigInt.asUintN(64, this.#counter + BigInt(passed));
    if ((config & ENABLE_CNF) === 0) this.#since = 0;
    else this.#since = this.#running ? this.#since + passed * COUNT_NS : this.#clock.now();
    this.#pairAt = -PAIR_NS;
    // Level interrupts that nobody can see any more must not stay behind on the lines they had.
    this.#release();
    this.#config = config;
    this.#gates.forEach((gate) => gate.setOpen(!this.#isLegacy));
    this.#schedule();
  }

  /** Moves periodic comparators past matches that nobody was told of. */
  #catchUp(): void {
    if (!this.#running) return;
    const counter = this.#now();
    for (const timer of this.#timers) if (!timer.halfSet) timer.advance(counter);
  }

  /** The counter can be written while it stands. */
  #load(high: boolean, half: bigint): void {
    if (this.#running) return;
    this.#counter = high ? (half << 32n) | BigInt.asUintN(32, this.#counter) : ((this.#counter >> 32n) << 32n) | half;
    this.#pairAt = -PAIR_NS;
  }

  #writeTimer(n: number, register: number, value: number): void {
    const timer = this.#timers[n];
    this.#release();
    timer.write(register, value);
    if (!timer.level) this.#status &= ~(1 << n);
    this.#schedule(n);
  }

  /** Waits for the next matches. */
  #schedule(only?: number): void {
    const now = this.#clock.now();
    const passed = this.#passed();
    const counter = BigInt.asUintN(64, this.#counter + BigInt(passed));
    this.#timers.forEach((timer, n) => {
      if (only !== undefined && only !== n) return;
      // A host that stalls while its guest starts a periodic comparator costs one period, not a turn of the whole counter.
      if (!timer.halfSet) timer.advance(counter);
      const distance = timer.distance(counter);
      // A match that neither interrupts nor leaves a status is not worth waking the host: the comparator catches up when it is looked at.
      const matters = timer.enabled || timer.level;
      const at = this.#running && matters && distance < FARTHEST ? this.#since + (passed + Number(distance)) * COUNT_NS : Infinity;
      const often = timer.period !== 0n && timer.period < MIN_PERIOD_NS / COUNT_NS;
      this.#alarms[n].set(often ? Math.max(at, now + MIN_PERIOD_NS) : at);
    });
  }

  #match(n: number): void {
    const timer = this.#timers[n];
    timer.advance(this.#now());
    this.#schedule(n);
    if (timer.level) {
      this.#status |= 1 << n;
      this.#apply();
    } else if (timer.enabled) {
      const line = this.#line(n);
      line?.set(true);
      line?.set(false);
      // Another comparator may hold the same line.
      this.#apply();
    }
  }

  /** Where the interrupt of a comparator goes, if it goes anywhere. */
  #line(n: number): InterruptLine | undefined {
    return this.#isLegacy && n < 2 ? this.#legacy[n] : this.#routed.get(this.#timers[n].route);
  }

  #release(): void {
    for (let n = 0; n < TIMERS; n++) if (this.#timers[n].level) this.#line(n)?.set(false);
  }

  /** Drives the lines of level-triggered comparators. */
  #apply(): void {
    const levels = new Map<InterruptLine, boolean>();
    this.#timers.forEach((timer, n) => {
      const line = this.#line(n);
      const asserted = this.#running && timer.level && timer.enabled && (this.#status & (1 << n)) !== 0;
      if (line !== undefined) levels.set(line, asserted || (levels.get(line) ?? false));
    });
    for (const [line, level] of levels) line.set(level);
  }
}
