/**
 * The run loop: slices of guest instructions between timers, in real time or in the time of the instruction count. In real
 * time a slice ends about when the next timer is due, and after a fraction of a millisecond at the latest; every few milliseconds
 * the host's own work is done; a halted guest sleeps until the next timer or until input wakes it. In deterministic time a
 * slice ends exactly at the next timer, and a halted guest jumps there.
 */
import type { Clock, CountTime } from "@doppel/clock";
import type { Engine, Exit } from "@doppel/cpu";

/** What the loop needs of its host: to let other work run, and to wait. */
export interface Pace {
  /** Resolves as soon as the host has done other pending work. */
  yield(): Promise<void>;
  /** Resolves after so many milliseconds, or when `wake` is called. */
  sleep(milliseconds: number): Promise<void>;
  /** Ends a sleep. */
  wake(): void;
}

/** Milliseconds in real time after which other work of the host gets its turn. */
const TURN_MS = 4;
/**
 * Longest slice in real time, in milliseconds. It is a count of instructions, from the speed of those before, and code that runs for
 * the first time is up to a hundred times slower than a loop before it: the longer the slice, the longer the host waits then. While
 * Debian booted with the translator, the 99th percentile of the event loop's delay was 11 ms; with slices of 1 ms 17, of 4 ms 25.
 * A slice costs 1 to 4 us.
 */
const SLICE_MS = 0.25;
/** Instructions per millisecond at the least: what code does that is all new. */
const SLOWEST = 1000;
/** Milliseconds that a clock can measure. */
const MEASURABLE_MS = 0.05;
const SHORTEST_SLICE = 500;
/** Unless a timer is nearer, slow code runs as long as this: the translator looks every 16,381 instructions at what runs. */
const SAMPLED_SLICE = 10_000;
const LONGEST_SLICE = 20_000_000;
/** Instructions of a deterministic slice: bounds the time between two turns of the host, not the result. */
const COUNTED_SLICE = 2_000_000;
/** Timers in a row that do not wake the guest, after which an exact run gives up. */
const IDLE_TIMERS = 100_000;
/** The longest sleep: the host may have changed its clock. */
const LONGEST_SLEEP_MS = 1000;

/** Runs one vCPU against one clock. */
export class RunLoop {
  private readonly engine: Engine;
  private readonly clock: Clock;
  private readonly counted: CountTime | undefined;
  private readonly pace: Pace;
  private readonly now: () => number;
  /** Instructions per millisecond: follows what is measured at once when it falls, and by a quarter when it rises. */
  private speed = SLOWEST;
  /** When the slice that runs is to end for the next timer; before all times while none runs. */
  private sliceDeadline = -Infinity;
  private ended = false;

  /** @param counted the source of deterministic time, or undefined for real time @param now host milliseconds */
  constructor(engine: Engine, clock: Clock, counted: CountTime | undefined, pace: Pace, now: () => number) {
    this.engine = engine;
    this.clock = clock;
    this.counted = counted;
    this.pace = pace;
    this.now = now;
    clock.onSooner = (deadline) => {
      if (deadline < this.sliceDeadline) this.engine.requestExit();
    };
  }

  /** Ends `run` at the next instruction boundary. */
  end(): void {
    this.ended = true;
    this.engine.requestExit();
    this.pace.wake();
  }

  /** Ends a sleep of `run`: there is work. */
  wake(): void {
    this.pace.wake();
  }

  /** Runs until `end` is called or the engine reports something that only its caller can decide. */
  async run(): Promise<Exit> {
    this.ended = false;
    // A guest that resets itself at once comes here again and again, and the host must still be able to end it.
    await this.pace.yield();
    let lastTurn = this.now();
    for (;;) {
      this.clock.runDue();
      if (this.ended) return { reason: "requested" };
      const exit = this.counted === undefined ? this.realSlice() : this.countedSlice(this.counted, COUNTED_SLICE);
      this.sliceDeadline = -Infinity;
      if (exit.reason === "shutdown" || exit.reason === "breakpoint") return exit;
      if (exit.reason === "halted" && !this.ended) {
        await this.idle();
        lastTurn = this.now();
      } else if (this.now() - lastTurn > TURN_MS) {
        await this.pace.yield();
        lastTurn = this.now();
      }
    }
  }

  /**
   * Runs exactly `count` more instructions in deterministic time, timers included; ends early as `run` does, and with "halted"
   * when the guest has slept through so many timers that no instruction of it will come.
   */
  runCounted(counted: CountTime, count: number): Exit {
    this.ended = false;
    const goal = this.engine.retired + count;
    let before = this.engine.retired;
    for (let idle = 0; ; idle++) {
      this.clock.runDue();
      if (this.ended) return { reason: "requested" };
      if (this.engine.retired !== before) idle = 0;
      before = this.engine.retired;
      if (idle > IDLE_TIMERS) return { reason: "halted" };
      const left = goal - this.engine.retired;
      if (left <= 0) return { reason: "budget" };
      const exit = this.countedSlice(counted, left);
      this.sliceDeadline = -Infinity;
      if (exit.reason === "shutdown" || exit.reason === "breakpoint") return exit;
      if (exit.reason === "halted" && !this.jump()) return exit;
    }
  }

  private realSlice(): Exit {
    this.sliceDeadline = this.clock.nextDeadline();
    const untilTimer = Math.max(((this.sliceDeadline - this.clock.now()) / 1e6) * this.speed, SHORTEST_SLICE);
    const budget = Math.floor(Math.min(untilTimer, Math.max(SLICE_MS * this.speed, SAMPLED_SLICE), LONGEST_SLICE));
    const start = this.now();
    const before = this.engine.retired;
    const exit = this.engine.run(budget);
    this.learnSpeed(this.engine.retired - before, this.now() - start);
    return exit;
  }

  /** A slice too short to be measured says only what the speed is at the least. */
  private learnSpeed(done: number, elapsed: number): void {
    const measured = Math.max(done / Math.max(elapsed, MEASURABLE_MS), SLOWEST);
    if (measured > this.speed) this.speed += (measured - this.speed) / 4;
    else if (elapsed > MEASURABLE_MS) this.speed = measured;
  }

  private countedSlice(counted: CountTime, most: number): Exit {
    this.sliceDeadline = this.clock.nextDeadline();
    const until = counted.instructionsFor(this.sliceDeadline - this.clock.now());
    return this.engine.run(Math.max(1, Math.min(until, most)));
  }

  /** Jumps to the next timer; false when there is none. */
  private jump(): boolean {
    const deadline = this.clock.nextDeadline();
    if (deadline === Infinity) return false;
    this.clock.advanceTo(deadline);
    return true;
  }

  private async idle(): Promise<void> {
    if (this.counted !== undefined && this.jump()) {
      await this.pace.yield();
      return;
    }
    const milliseconds = (this.clock.nextDeadline() - this.clock.now()) / 1e6;
    if (milliseconds > 0) await this.pace.sleep(Math.min(milliseconds, LONGEST_SLEEP_MS));
  }
}
