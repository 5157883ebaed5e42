/** Where calls and jumps by a register or by memory lead: regions tell until enough is known, and take in what is usual then. */

/** Where one leads less often than once in so many times is none of the usual places. */
const SELDOM = 16;
/** Places of one that are counted, and calls and jumps that are remembered. */
const MOST_COUNTED = 64;
const MOST_JUMPS = 10_000;

/** One call or jump, while it tells. */
interface Counts {
  total: number;
  /** By distances from it. */
  readonly times: Map<number, number>;
}

/** What is known of the indirect calls and jumps of one processor, by their host addresses. */
export class UsualTargets {
  private readonly counts = new Map<number, Counts>();
  private readonly known = new Map<number, readonly number[]>();
  private readonly enough: number;

  /** @param enough times that each tells */
  constructor(enough = 10_000) {
    this.enough = enough;
  }

  /** Takes note of a place, by its distance from the instruction that leads there; whether enough is known. */
  note(jump: number, distance: number): boolean {
    if (this.known.has(jump)) return true;
    if (this.counts.size >= MOST_JUMPS) this.counts.clear();
    let counts = this.counts.get(jump);
    if (counts === undefined) this.counts.set(jump, (counts = { total: 0, times: new Map() }));
    const times = counts.times.get(distance);
    if (times !== undefined || counts.times.size < MOST_COUNTED) counts.times.set(distance, (times ?? 0) + 1);
    if (++counts.total < this.enough) return false;
    this.counts.delete(jump);
    if (this.known.size >= MOST_JUMPS) this.known.clear();
    this.known.set(jump, [...counts.times].filter(([, n]) => n * SELDOM > this.enough).sort(([, a], [, b]) => b - a).map(([one]) => one));
    return true;
  }

  /** Distances of the usual places, the most usual first; undefined while too little is known. */
  usual(jump: number): readonly number[] | undefined {
    return this.known.get(jump);
  }
}
