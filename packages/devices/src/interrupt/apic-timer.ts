/**
 * The timer of a local APIC (SDM volume 3, section "APIC Timer"): one-shot, periodic, or armed with a value of the time-stamp counter.
 * Its input clock is 1 GHz, so one undivided count is one nanosecond.
 */

import { Alarm } from "@doppel/clock";
import type { Clock } from "@doppel/clock";
import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";

/** Counts per second before division. */
export const APIC_TIMER_HZ = 1e9;
/** A period shorter than this would leave the guest no time between two interrupts. */
const MIN_PERIOD_NS = 10_000;

/** LVT timer mode, bits 18:17. */
export const TIMER_MODE = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;

/** `start` is when `initial` was loaded; the armed TSC value is kept as two halves. */
export type ApicTimerState = { mode: number; initial: number; divide: number; start: number; deadlineHigh: number; deadlineLow: number; expiresAt: number };

const FRESH: ApicTimerState = { mode: 0, initial: 0, divide: 0, start: 0, deadlineHigh: 0, deadlineLow: 0, expiresAt: Infinity };

/** Tells when a time-stamp counter reaches a value given as two 32-bit halves, in nanoseconds of the machine's clock. */
export type TscDeadline = (high: number, low: number) => number;

/** The counter; what its expiry does is the owner's. */
export class ApicTimer implements Persist<ApicTimerState> {
  readonly #clock: Clock;
  readonly #tscDeadline: TscDeadline;
  readonly #alarm: Alarm;
  #state: ApicTimerState = copy(FRESH);

  constructor(clock: Clock, label: string, tscDeadline: TscDeadline, expired: () => void) {
    this.#clock = clock;
    this.#tscDeadline = tscDeadline;
    this.#alarm = new Alarm(clock, label, () => {
      if (this.#state.mode === TIMER_MODE.PERIODIC) this.#schedule();
      this.#state.deadlineHigh = 0;
      this.#state.deadlineLow = 0;
      expired();
    });
  }

  reset(): void {
    this.#state = copy(FRESH);
    this.#alarm.clear();
  }

  /** Changes the mode; into or out of TSC-deadline mode the timer is disarmed. */
  setMode(mode: number): void {
    const state = this.#state;
    if (mode === state.mode) return;
    if (mode === TIMER_MODE.TSC_DEADLINE || state.mode === TIMER_MODE.TSC_DEADLINE) {
      this.#state = { ...copy(FRESH), divide: state.divide };
      this.#alarm.clear();
    }
    this.#state.mode = mode;
    if (this.#state.initial !== 0) this.#schedule();
  }

  /** Initial count; writing it starts the count, and 0 stops it. */
  get initialCount(): number {
    return this.#state.initial;
  }

  set initialCount(value: number) {
    if (this.#state.mode === TIMER_MODE.TSC_DEADLINE) return;
    this.#state.initial = value;
    this.#state.start = this.#clock.now();
    this.#schedule(this.#state.start);
  }

  /** What is left of the count. */
  get currentCount(): number {
    return this.#countAt(this.#clock.now());
  }

  #countAt(now: number): number {
    const { initial, start, mode } = this.#state;
    if (initial === 0) return 0;
    const passed = Math.floor((now - start) / this.#divisor());
    if (mode === TIMER_MODE.PERIODIC) return initial - (passed % initial);
    return Math.max(0, initial - passed);
  }

  /** Divide configuration register; a running count goes on from where it is. */
  get divideConfiguration(): number {
    return this.#state.divide;
  }

  set divideConfiguration(value: number) {
    const now = this.#clock.now();
    const left = this.#countAt(now);
    const state = this.#state;
    state.divide = value & 0x0b;
    if (state.initial === 0) return;
    state.start = now - (state.initial - left) * this.#divisor();
    if (left > 0) this.#schedule(now);
  }

  /** IA32_TSC_DEADLINE: armed value as two halves, 0 when disarmed; ignored in the other modes. */
  get tscDeadline(): { high: number; low: number } {
    return { high: this.#state.deadlineHigh, low: this.#state.deadlineLow };
  }

  setTscDeadline(high: number, low: number): void {
    const state = this.#state;
    if (state.mode !== TIMER_MODE.TSC_DEADLINE) return;
    state.deadlineHigh = high >>> 0;
    state.deadlineLow = low >>> 0;
    this.#alarm.set(high === 0 && low === 0 ? Infinity : this.#tscDeadline(high >>> 0, low >>> 0));
  }

  /** The time-stamp counter was written: an armed deadline is at another time now. */
  counterWritten(): void {
    this.setTscDeadline(this.#state.deadlineHigh, this.#state.deadlineLow);
  }

  save(): ApicTimerState {
    return { ...this.#state, expiresAt: this.#alarm.deadline };
  }

  restore(state: ApicTimerState): void {
    this.#state = conform(state, FRESH);
    this.#alarm.set(this.#state.expiresAt);
  }

  /** Bits 3, 1 and 0 of the register: 2, 4, ... 128, and 1. */
  #divisor(): number {
    const { divide } = this.#state;
    const code = (divide & 3) | ((divide & 8) >> 1);
    return code === 7 ? 1 : 2 << code;
  }

  /** @param now the moment that `start` was derived from: a host that stalls between two looks at its clock must not lose the timer */
  #schedule(now = this.#clock.now()): void {
    const { initial, start, mode } = this.#state;
    if (initial === 0) return this.#alarm.clear();
    const period = initial * this.#divisor();
    if (mode !== TIMER_MODE.PERIODIC) {
      this.#alarm.set(start + period > now ? start + period : Infinity);
      return;
    }
    // Periods that went by while the host was late are dropped; the phase is kept.
    const earliest = period < MIN_PERIOD_NS ? now + MIN_PERIOD_NS : now + 1;
    this.#alarm.set(Math.max(earliest, start + Math.ceil((earliest - start) / period) * period));
  }
}
