/**
 * Two dispatch functions for one table of handlers, because the engine underneath compiles a function well only some time
 * after it has become hot, and the longer the bigger it is: V8 needs 0.2 s for the one without pairs and more than a second for the
 * one with them. The small one runs from the start; meanwhile the big one gets a visit now and then, which makes it hot, and
 * takes over as soon as such a visit is faster. Both do the same, so nothing but time depends on which of them runs.
 */

/** Executes up to so many instructions; returns how the visit ended. */
export type Dispatch = (budget: number) => number;

/** Instructions that the small function runs before the big one is tried, and between two trials. */
const BETWEEN_TRIALS = 30_000_000;
/** Instructions of a trial, at least: enough to measure, little enough not to matter. */
const TRIAL = 1_500_000;
/** How much faster than the small function a trial must be. */
const GAIN = 1.05;
/** Trials after which the big function is taken as it is. */
const LAST_TRIAL = 40;

/** Chooses between two dispatch functions by measurement. */
export class DispatchTiers {
  private readonly small: Dispatch;
  private readonly big: Dispatch;
  private readonly now: () => number;
  private settled = false;
  private trials = 0;
  private trying = false;
  private instructions = 0;
  private milliseconds = 0;
  /** Instructions per millisecond of the small function, lately. */
  private speed = 0;

  /** @param now host milliseconds */
  constructor(small: Dispatch, big: Dispatch, now: () => number) {
    this.small = small;
    this.big = big;
    this.now = now;
  }

  /** The function for the next visit. */
  get current(): Dispatch {
    return this.settled || this.trying ? this.big : this.small;
  }

  /** Runs a visit, and learns from it. `left` reads the budget that the visit did not use. */
  run(budget: number, left: () => number): number {
    if (this.settled) return this.big(budget);
    const start = this.now();
    const exit = this.current(budget);
    this.milliseconds += this.now() - start;
    this.instructions += budget - left();
    if (this.instructions >= (this.trying ? TRIAL : BETWEEN_TRIALS)) this.judge();
    return exit;
  }

  private judge(): void {
    const speed = this.instructions / Math.max(this.milliseconds, 0.001);
    if (this.trying) {
      this.trials++;
      this.settled = speed > this.speed * GAIN || this.trials >= LAST_TRIAL;
    } else this.speed = speed;
    this.trying = !this.trying;
    this.instructions = this.milliseconds = 0;
  }
}
