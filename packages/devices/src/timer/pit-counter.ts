/**
 * One counter of an 8254 programmable interval timer (Intel data sheet 231164), as a function of time: nothing runs between two
 * accesses. Times are ticks of the 1.193182 MHz input clock, and the counting element is known from the tick at which it was loaded.
 *
 *   write: control word -> (LSB, MSB) -> count register -> counting element, loaded one tick later (modes 0, 4), at the end of
 *   the running period (2, 3) or by a rising GATE (1, 5)
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";

const NULL_COUNT = 0x40;
const OUT = 0x80;

/**
 * `start` is the tick at which `count` was loaded, or -1 when nothing counts. `next` is a count that waits for its load, or 0, and
 * `nextAt` the tick at which it takes over with `nextStart` as its start (-1: at a rising GATE). `held` says how many ticks had
 * passed when GATE stopped the count, or -1; `latched` is a latched count, or -1, `latchedStatus` the same.
 */
export type PitCounterState = {
  mode: number; access: number; bcd: boolean; gate: boolean; start: number; count: number; next: number; nextAt: number; nextStart: number;
  held: number; writeLow: number; writeHigh: boolean; readHigh: boolean; latched: number; latchedStatus: number;
};

const FRESH: PitCounterState = {
  mode: 0, access: 3, bcd: false, gate: true, start: -1, count: 0x10000, next: 0, nextAt: -1, nextStart: 0, held: -1,
  writeLow: 0, writeHigh: false, readHigh: false, latched: -1, latchedStatus: -1,
};

const fromBcd = (value: number): number => ((value >> 12) & 15) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
const toBcd = (value: number): number =>
  ((Math.floor(value / 1000) % 10) << 12) | ((Math.floor(value / 100) % 10) << 8) | ((Math.floor(value / 10) % 10) << 4) | (value % 10);

/** Counter 0, 1 or 2. */
export class PitCounter implements Persist<PitCounterState> {
  #state: PitCounterState = copy(FRESH);

  /** Power-on state: mode 0, nothing counting, GATE as given. */
  reset(gate: boolean): void {
    this.#state = { ...FRESH, gate };
  }

  /** A control word for this counter, latch and read-back commands excepted. */
  control(value: number): void {
    const mode = (value >> 1) & 7;
    const { gate } = this.#state;
    this.#state = { ...FRESH, gate, access: (value >> 4) & 3, mode: mode > 5 ? mode - 4 : mode, bcd: (value & 1) !== 0 };
  }

  /** Counter latch command: a second one before the first is read is ignored. */
  latch(now: number): void {
    if (this.#state.latched < 0) this.#state.latched = this.#element(now);
  }

  /** Status latch of the read-back command. */
  latchStatus(now: number): void {
    const state = this.#state;
    if (state.latchedStatus >= 0) return;
    this.#settle(now);
    const loading = state.next !== 0 || state.start < 0 || now < state.start;
    state.latchedStatus = (this.output(now) ? OUT : 0) | (loading ? NULL_COUNT : 0) | (state.access << 4) | (state.mode << 1) | (state.bcd ? 1 : 0);
  }

  /** One byte of the count, or the latched status. */
  read(now: number): number {
    const state = this.#state;
    if (state.latchedStatus >= 0) {
      const status = state.latchedStatus;
      state.latchedStatus = -1;
      return status;
    }
    const value = state.latched >= 0 ? state.latched : this.#element(now);
    const high = state.access === 2 || (state.access === 3 && state.readHigh);
    if (state.access === 3) state.readHigh = !state.readHigh;
    if (state.access !== 3 || high) state.latched = -1;
    return high ? value >> 8 : value & 0xff;
  }

  /** One byte of a new count. */
  write(now: number, value: number): void {
    const state = this.#state;
    if (state.access === 3 && !state.writeHigh) {
      state.writeLow = value;
      state.writeHigh = true;
      // Mode 0: the first byte stops the count and OUT falls at once.
      if (state.mode === 0) state.start = -1;
      return;
    }
    state.writeHigh = false;
    const raw = state.access === 1 ? value : state.access === 2 ? value << 8 : state.writeLow | (value << 8);
    const decoded = state.bcd ? fromBcd(raw) : raw;
    const count = decoded === 0 ? this.#modulus() : decoded;
    this.#settle(now);
    if (state.mode === 1 || state.mode === 5) state.next = count;
    else if ((state.mode === 2 || state.mode === 3) && state.start >= 0) this.#wait(now, count);
    else this.#load(now + 1, count);
  }

  /** Drives GATE. */
  setGate(now: number, level: boolean): void {
    const state = this.#state;
    if (level === state.gate) return;
    this.#settle(now);
    state.gate = level;
    const triggered = state.mode === 1 || state.mode === 2 || state.mode === 3 || state.mode === 5;
    if (level && triggered) {
      if (state.next !== 0 || state.start >= 0) this.#load(now + 1, state.next === 0 ? state.count : state.next);
    } else if (level && state.held >= 0) {
      state.start = now - state.held;
      state.held = -1;
    } else if (!level && state.mode !== 1 && state.mode !== 5 && state.start >= 0) {
      state.held = now - state.start;
    }
  }

  /** The level of GATE. */
  get gate(): boolean {
    return this.#state.gate;
  }

  /** The level of OUT. */
  output(now: number): boolean {
    const state = this.#state;
    this.#settle(now);
    if (state.start < 0) return state.mode !== 0;
    const passed = this.#passed(now);
    switch (state.mode) {
      case 0: return passed >= state.count;
      case 1: return passed < 0 || passed >= state.count;
      case 2: return state.held >= 0 || passed < 0 || passed % state.count !== state.count - 1;
      case 3: return state.held >= 0 || passed < 0 || passed % state.count < this.#highTicks(state.count);
      default: return passed !== state.count;
    }
  }

  /** The first tick after `now` at which OUT rises, or `Infinity`. */
  nextRise(now: number): number {
    const state = this.#state;
    this.#settle(now);
    const { start, count, mode } = state;
    if (start < 0 || state.held >= 0) return Infinity;
    if (state.nextAt >= 0) return state.nextStart === state.nextAt ? state.nextAt : state.nextStart + state.next;
    if (mode === 2 || mode === 3) {
      const first = start + count;
      return now < first ? first : first + (Math.floor((now - first) / count) + 1) * count;
    }
    const rise = mode >= 4 ? start + count + 1 : start + count;
    return rise > now ? rise : Infinity;
  }

  save(): PitCounterState {
    return copy(this.#state);
  }

  restore(state: PitCounterState): void {
    this.#state = conform(state, FRESH);
    this.#state.count = Math.max(1, this.#state.count);
  }

  #modulus(): number {
    return this.#state.bcd ? 10000 : 0x10000;
  }

  /** Mode 3, odd counts: OUT is high one tick longer than low. */
  #highTicks(count: number): number {
    return Math.ceil(count / 2);
  }

  #load(at: number, count: number): void {
    const state = this.#state;
    state.start = at;
    state.count = count;
    state.next = 0;
    state.nextAt = -1;
    const stopped = !state.gate && state.mode !== 1 && state.mode !== 5;
    state.held = stopped ? 0 : -1;
  }

  #passed(now: number): number {
    return this.#state.held >= 0 ? this.#state.held : now - this.#state.start;
  }

  /** Modes 2 and 3: a count written while another runs takes over at the end of the period (2) or of the half period (3). */
  #wait(now: number, next: number): void {
    const state = this.#state;
    const { start, count } = state;
    const period = start + Math.floor((now - start) / count) * count;
    const half = period + this.#highTicks(count);
    const inHighHalf = state.mode === 3 && now >= start && now < half;
    state.next = next;
    state.nextAt = inHighHalf ? half : period + count;
    // After a high half the new count begins with its low half.
    state.nextStart = inHighHalf ? half - this.#highTicks(next) : state.nextAt;
  }

  #settle(now: number): void {
    const state = this.#state;
    if (state.nextAt < 0 || state.held >= 0 || now < state.nextAt) return;
    state.start = state.nextStart;
    state.count = state.next;
    state.next = 0;
    state.nextAt = -1;
  }

  /** The counting element as it is read, in BCD where that is chosen. */
  #element(now: number): number {
    const state = this.#state;
    this.#settle(now);
    const { count, mode } = state;
    let value: number;
    if (state.start < 0) {
      value = count % this.#modulus();
    } else {
      const passed = Math.max(0, this.#passed(now));
      if (mode === 2) value = count - (passed % count);
      else if (mode === 3) value = this.#squareElement(passed % count);
      else value = count - passed;
    }
    const modulus = this.#modulus();
    value = ((value % modulus) + modulus) % modulus;
    return state.bcd ? toBcd(value) : value;
  }

  /** Mode 3 counts down by two in each half period, from the even number at or below the count. */
  #squareElement(phase: number): number {
    const { count } = this.#state;
    const half = this.#highTicks(count);
    return (count & ~1) - 2 * (phase < half ? phase : phase - half);
  }
}
