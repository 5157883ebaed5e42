/** What the machine did in the last minute, from its counters twice a second. */
import type { AnyVm } from "doppel/browser";

type Stats = Awaited<ReturnType<AnyVm["stats"]>>;

/** Figures per second, and sizes, at one moment. */
export interface Sample {
  /** Seconds since the machine was made. */
  readonly time: number;
  /** Instructions per second of the host's time. */
  readonly speed: number;
  readonly ports: number;
  readonly mmio: number;
  readonly lookups: number;
  readonly visits: number;
  readonly interrupts: number;
  readonly exceptions: number;
  readonly tlbFills: number;
  /** Instructions that the interpreter has decoded, and those in translated regions, both since the start. */
  readonly decoded: number;
  readonly translated: number;
}

const KEPT = 120;
const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, count) => total + count, 0);

/** The samples of a machine. */
export class History {
  readonly samples: Sample[] = [];
  stats: Stats | undefined;
  private before: { readonly at: number; readonly stats: Stats } | undefined;
  private readonly start = performance.now();

  /** Takes the counters of now. */
  add(stats: Stats): void {
    const at = performance.now();
    const { before } = this;
    this.before = { at, stats };
    this.stats = stats;
    if (before === undefined) return;
    const seconds = Math.max(0.001, (at - before.at) / 1000);
    const rate = (of: (stats: Stats) => number): number => Math.max(0, (of(stats) - of(before.stats)) / seconds);
    this.samples.push({
      time: (at - this.start) / 1000, speed: rate(({ instructions }) => instructions), ports: rate(({ exits }) => exits.portReads + exits.portWrites),
      mmio: rate(({ exits }) => exits.mmioReads + exits.mmioWrites), lookups: rate(({ exits }) => exits.lookups), visits: rate(({ exits }) => exits.visits),
      interrupts: rate(({ interrupts }) => sum(interrupts)), exceptions: rate(({ exceptions }) => sum(exceptions)), tlbFills: rate(({ tlb }) => tlb.fills),
      decoded: stats.code.decoded, translated: stats.translator.instructions,
    });
    if (this.samples.length > KEPT) this.samples.shift();
  }
}
