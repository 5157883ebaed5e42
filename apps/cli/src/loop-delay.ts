/**
 * How long the event loop, which takes typing in and lets output out, was kept waiting by the machine: the time from one tick of a
 * timer of one millisecond to the next. It is measured on request only, since the timer wakes the host a thousand times a second.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";

/** The figures of a histogram of ticks, in milliseconds. */
export interface LoopDelay { ticks: number; mean: number; p50: number; p90: number; p99: number; max: number }

/** Measures until it is disposed. */
export class LoopDelayMonitor implements Disposable {
  readonly #histogram = monitorEventLoopDelay({ resolution: 1 });

  constructor() {
    this.#histogram.enable();
  }

  [Symbol.dispose](): void {
    this.#histogram.disable();
  }

  /** What was measured so far. */
  get delay(): LoopDelay {
    const histogram = this.#histogram;
    const milliseconds = (nanoseconds: number): number => Math.round(nanoseconds / 1e4) / 100;
    const [p50, p90, p99] = [50, 90, 99].map((percentage) => milliseconds(histogram.percentile(percentage))) as [number, number, number];
    // A histogram without a tick has no mean.
    return { ticks: histogram.count, mean: milliseconds(histogram.mean || 0), p50, p90, p99, max: milliseconds(histogram.max) };
  }
}
