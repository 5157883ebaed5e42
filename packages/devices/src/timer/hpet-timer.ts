/**
 * One comparator of an HPET (IA-PC HPET specification 1.0a, section 2.3.8): its configuration, the value it waits for, and in periodic
 * mode what is added to that value at each match. Counter values are 64-bit integers; nothing here knows the time.
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";

/** Tn_INT_TYPE_CNF. */
const LEVEL = 1 << 1;
/** Tn_INT_ENB_CNF. */
const ENABLED = 1 << 2;
/** Tn_TYPE_CNF. */
const PERIODIC = 1 << 3;
/** Tn_PER_INT_CAP and Tn_SIZE_CAP: periodic, 64 bits. */
const CAPABILITIES = (1 << 4) | (1 << 5);
/** Tn_VAL_SET_CNF. */
const VALUE_SET = 1 << 6;
/** Tn_32MODE_CNF. */
const MODE_32 = 1 << 8;
const ROUTE_SHIFT = 9;
const ROUTE_MASK = 0x1f;
const WRITABLE = LEVEL | ENABLED | PERIODIC | VALUE_SET | MODE_32 | (ROUTE_MASK << ROUTE_SHIFT);
const ALL_ONES = 2n ** 64n - 1n;

/** Registers; `setHigh` says that the high half of a comparator write under Tn_VAL_SET_CNF is still to come. */
export type HpetTimerState = { config: number; comparator: bigint; period: bigint; setHigh: boolean };

const FRESH: HpetTimerState = { config: 0, comparator: ALL_ONES, period: 0n, setHigh: false };

/** The registers of one comparator, as 32-bit halves. */
export class HpetTimer implements Persist<HpetTimerState> {
  readonly #routes: number;
  #state: HpetTimerState = { ...FRESH };

  /** @param routes Tn_INT_ROUTE_CAP: a bit for each input of the I/O APIC that the interrupt can reach. */
  constructor(routes: number) {
    this.#routes = routes;
  }

  reset(): void {
    this.#state = { ...FRESH };
  }

  get level(): boolean {
    return (this.#state.config & LEVEL) !== 0;
  }

  get enabled(): boolean {
    return (this.#state.config & ENABLED) !== 0;
  }

  /** Tn_INT_ROUTE_CNF. */
  get route(): number {
    return (this.#state.config >> ROUTE_SHIFT) & ROUTE_MASK;
  }

  /** Bits that are compared. */
  get width(): 32 | 64 {
    return (this.#state.config & MODE_32) !== 0 ? 32 : 64;
  }

  /** Counts from `counter` to the next match, 1 to 2^width. */
  distance(counter: bigint): bigint {
    const left = BigInt.asUintN(this.width, this.#state.comparator - counter);
    return left === 0n ? 2n ** BigInt(this.width) : left;
  }

  /** What is added at each match, or 0 when there is no next one. */
  get period(): bigint {
    return (this.#state.config & PERIODIC) !== 0 ? BigInt.asUintN(this.width, this.#state.period) : 0n;
  }

  /** In periodic mode, moves the comparator past `counter`: matches that it was too late for are dropped, the phase is kept. */
  advance(counter: bigint): void {
    const { period, width } = this;
    if (period === 0n) return;
    const behind = BigInt.asIntN(width, counter - this.#state.comparator);
    if (behind >= 0n) this.#state.comparator = BigInt.asUintN(width, this.#state.comparator + (behind / period + 1n) * period);
  }

  /** Whether the comparator is written but for its high half. */
  get halfSet(): boolean {
    return this.#state.setHigh;
  }

  /** Registers at 0, 4, 8 and 12; the FSB route behind them does not exist and reads 0. */
  read(offset: number): number {
    const { config, comparator } = this.#state;
    switch (offset) {
      case 0: return config | CAPABILITIES;
      case 4: return this.#routes;
      case 8: return Number(BigInt.asUintN(32, comparator));
      case 12: return this.width === 32 ? 0 : Number(comparator >> 32n);
      default: return 0;
    }
  }

  write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0) this.#configure(value);
    if (offset === 8 || offset === 12) this.#compare(offset === 12, BigInt(value));
    if (offset !== 8) state.setHigh = false;
  }

  save(): HpetTimerState {
    return { ...this.#state };
  }

  restore(state: HpetTimerState): void {
    const taken = conform(state, FRESH);
    const cut = (value: bigint) => BigInt.asUintN(64, value);
    this.#state = { ...taken, config: taken.config & WRITABLE, comparator: cut(taken.comparator), period: cut(taken.period) };
  }

  #configure(value: number): void {
    const state = this.#state;
    const route = (value >> ROUTE_SHIFT) & ROUTE_MASK;
    // A route that is not among the capabilities does not stick: software tells by reading back.
    const reachable = ((this.#routes >>> route) & 1) !== 0;
    const kept = reachable ? value : (value & ~(ROUTE_MASK << ROUTE_SHIFT)) | (state.config & (ROUTE_MASK << ROUTE_SHIFT));
    state.config = kept & ((value & PERIODIC) !== 0 ? WRITABLE : WRITABLE & ~VALUE_SET);
    if (this.width === 32) {
      state.comparator = BigInt.asUintN(32, state.comparator);
      state.period = BigInt.asUintN(32, state.period);
    }
  }

  /**
   * A one-shot comparator takes what is written. In periodic mode a write is the period, and under Tn_VAL_SET_CNF the comparator too;
   * the bit goes off with the first write, but a 64-bit write arrives in two halves and counts as one.
   */
  #compare(high: boolean, half: bigint): void {
    const state = this.#state;
    const put = (old: bigint) => (high ? (half << 32n) | BigInt.asUintN(32, old) : ((old >> 32n) << 32n) | half);
    const periodic = (state.config & PERIODIC) !== 0;
    const set = (state.config & VALUE_SET) !== 0 || (high && state.setHigh);
    if (high && this.width === 32) return;
    if (!periodic || set) state.comparator = put(state.comparator);
    if (periodic) state.period = put(state.period);
    state.setHigh = !high && set && this.width === 64;
    state.config &= ~VALUE_SET;
  }
}
