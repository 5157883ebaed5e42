/** Medians, spreads and ratios over the samples of all runs. */
import type { Sample } from "./session.ts";

/** The middle of some figures, and their extremes. */
export interface Spread { readonly median: number; readonly least: number; readonly most: number }

/** All figures of one engine for one piece of work. */
export interface Series {
  readonly engine: string;
  readonly elapsed: Spread;
  readonly processor: Spread | undefined;
}

/** One line of the report. */
export interface Line {
  readonly work: string;
  readonly series: readonly Series[];
  /** Median of the first engine over that of the last, by the clock; undefined with one engine. */
  readonly ratio: number | undefined;
  /** The same by processor time, which other work on the host disturbs less. */
  readonly processorRatio: number | undefined;
  /** More than one when the machines disagree. */
  readonly answers: readonly string[];
}

/** Samples by engine, then by run. */
export type Runs = Readonly<Record<string, readonly (readonly Sample[])[]>>;

/** Median (the mean of the two in the middle for an even count), least and most. */
export function spread(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

/** Geometric mean: the mean for ratios. */
export function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** The lines of the report, for each piece of work that every engine did. */
export function summarise(runs: Runs): Line[] {
  const names = Object.keys(runs);
  const works = [...new Set(Object.values(runs).flat(2).map(({ work }) => work))];
  return works.map((work): Line => {
    const answers = new Set<string>();
    const series = names.map((engine): Series => {
      const samples = runs[engine]!.flat().filter((sample) => sample.work === work);
      for (const { answer } of samples) answers.add(answer);
      const processor = samples.flatMap((sample) => sample.processor ?? []);
      return { engine, elapsed: spread(samples.map(({ elapsed }) => elapsed)), processor: processor.length === 0 ? undefined : spread(processor) };
    });
    const [first, last] = [series[0]!, series.at(-1)!];
    const several = series.length > 1;
    const busy = several && first.processor !== undefined && last.processor !== undefined && last.processor.median > 0;
    return {
      work, series, answers: [...answers],
      ratio: several ? first.elapsed.median / last.elapsed.median : undefined,
      processorRatio: busy ? first.processor!.median / last.processor!.median : undefined,
    };
  });
}
