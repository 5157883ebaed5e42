/**
 * The clock of one machine: virtual time over an exchangeable source, and the queue of what happens when. Time can stand still
 * (the machine is paused), jump ahead (a halted processor in deterministic mode) and go on after a restore; the source only ticks.
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import { TimerQueue } from "./timer-queue.ts";
import type { QueuedTimer } from "./timer-queue.ts";
import type { TimeSource } from "./time-source.ts";

/** Something that will happen at a time. */
export interface Timer {
  /** When it happens, in nanoseconds of the clock that made it. */
  readonly deadline: number;
  /** Lets it not happen; harmless when it already did. */
  cancel(): void;
}

/** What a clock saves. Timers are not in it: each device saves its own deadlines and schedules them again. */
export type ClockState = { readonly now: number; readonly paused: boolean };

/**
 * Virtual time in whole nanoseconds, and callbacks ordered by it.
 *
 * @example
 * let instructions = 0;
 * const clock = new Clock(new CountTime(() => instructions));
 * clock.schedule(100, () => console.log("at", clock.now()), "tick");
 * instructions = 100;
 * clock.runDue(); // at 100
 */
export class Clock implements TimeSource, Persist<ClockState> {
  /** Told of a timer that is due before all others as soon as it is scheduled, with its deadline: whoever waits for the next one waits too long. */
  onSooner: ((deadline: number) => void) | undefined;
  readonly #source: TimeSource;
  readonly #queue = new TimerQueue();
  #offset: number;
  #stoppedAt: number | undefined;
  #order = 0;

  /** A running clock that starts at 0. */
  constructor(source: TimeSource) {
    this.#source = source;
    this.#offset = -source.now();
  }

  /** Nanoseconds since the machine was switched on, pauses left out. */
  now(): number {
    return this.#stoppedAt ?? this.#source.now() + this.#offset;
  }

  /** Whether time stands still. */
  get paused(): boolean {
    return this.#stoppedAt !== undefined;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#queue.size;
  }

  /**
   * Lets `callback` be called by the first `runDue` at or after `at`. Timers due at the same time go by label, in code-unit order,
   * then by insertion: give each timer of a machine a label of its own, and the order survives save and restore.
   *
   * @param at nanoseconds of this clock, rounded up; one in the past is due at once, `Infinity` never.
   */
  schedule(at: number, callback: () => void, label = ""): Timer {
    const entry: QueuedTimer = { deadline: Math.ceil(at), label, order: this.#order++, callback, place: -1 };
    if (entry.deadline < Infinity) {
      this.#queue.add(entry);
      if (entry.place === 0) this.onSooner?.(entry.deadline);
    }
    return { deadline: entry.deadline, cancel: () => this.#queue.remove(entry) };
  }

  /** When the next timer is due, or `Infinity`. */
  nextDeadline(): number {
    return this.#queue.first?.deadline ?? Infinity;
  }

  /** Calls everything that is due now, in order, what the callbacks themselves make due included. */
  runDue(): void {
    const now = this.now();
    for (let timer = this.#queue.first; timer !== undefined && timer.deadline <= now; timer = this.#queue.first) {
      this.#queue.remove(timer);
      timer.callback();
    }
  }

  /** Stops time. */
  pause(): void {
    this.#stoppedAt ??= this.now();
  }

  /** Lets time go on from where it stopped. */
  resume(): void {
    if (this.#stoppedAt === undefined) return;
    this.#offset = this.#stoppedAt - this.#source.now();
    this.#stoppedAt = undefined;
  }

  /** Jumps ahead to `at`, where that is in the future: what a halted machine does when its time is the instruction count. */
  advanceTo(at: number): void {
    const ahead = at - this.now();
    if (!(ahead > 0 && ahead < Infinity)) return;
    if (this.#stoppedAt === undefined) this.#offset += ahead;
    else this.#stoppedAt += ahead;
  }

  /** The time, and whether it stands still. */
  save(): ClockState {
    return { now: this.now(), paused: this.paused };
  }

  /** Goes on from the saved time. Restore what the source counts (retired instructions) first, and the devices afterwards. */
  restore(state: ClockState): void {
    const { now, paused } = conform(state, this.save(), "clock");
    this.#offset = now - this.#source.now();
    this.#stoppedAt = paused ? now : undefined;
  }
}
