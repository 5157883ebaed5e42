/** Medians, spreads and ratios over the samples of all runs. */
import type { Run } from "./session.ts";
import { BOOT } from "./workload.ts";

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
  /** Of the engines that did it. */
  readonly series: readonly Series[];
  /** Median of the first engine over that of the last, by the clock; undefined with one engine. */
  readonly ratio: number | undefined;
  /** The same by processor time, which other work on the host disturbs less. */
  readonly processorRatio: number | undefined;
  /** More than one when the machines disagree. */
  readonly answers: readonly string[];
}

/** One engine over the whole of the work. */
export interface Standing {
  readonly engine: string;
  /** Bytes of the host's memory, the peak of each run; undefined where the host does not tell. */
  readonly peakMemory: Spread | undefined;
  /** By peer: the geometric mean, over all work but the boot, of this engine's median by the clock over the peer's. */
  readonly against: Readonly<Record<string, number>>;
}

/** Runs by engine. */
export type Runs = Readonly<Record<string, readonly Run[]>>;

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

/** A ratio, unless one of the two is missing, or was too short to be told from nothing. */
function over(one: number | undefined, other: number | undefined): number | undefined {
  return one !== undefined && other !== undefined && one > 0 && other > 0 ? one / other : undefined;
}

/** The lines of the report, for each piece of work. */
export function summarise(runs: Runs): Line[] {
  const names = Object.keys(runs);
  const works = [...new Set(Object.values(runs).flat().flatMap(({ samples }) => samples.map(({ work }) => work)))];
  return works.map((work): Line => {
    const answers = new Set<string>();
    const series = names.flatMap((engine): Series[] => {
      const samples = runs[engine]!.flatMap((run) => run.samples.filter((sample) => sample.work === work));
      if (samples.length === 0) return [];
      for (const { answer } of samples) answers.add(answer);
      const processor = samples.flatMap((sample) => sample.processor ?? []);
      return [{ engine, elapsed: spread(samples.map(({ elapsed }) => elapsed)), processor: processor.length === 0 ? undefined : spread(processor) }];
    });
    const [first, last] = names.length < 2 ? [] : [names[0], names.at(-1)].map((name) => series.find(({ engine }) => engine === name));
    return {
      work, series, answers: [...answers],
      ratio: over(first?.elapsed.median, last?.elapsed.median), processorRatio: over(first?.processor?.median, last?.processor?.median),
    };
  });
}

/** A sentence about each run that did not come to its end. */
export function failures(runs: Runs): string[] {
  return Object.entries(runs).flatMap(([engine, all]) =>
    all.flatMap(({ failure }) => (failure === undefined ? [] : `${engine} failed at ${failure.work}: ${failure.why}`)));
}

/** How each engine stands against each other; there is no mean of fewer than two pieces of work. */
export function standings(runs: Runs, lines: readonly Line[]): Standing[] {
  const median = ({ series }: Line, engine: string): number | undefined => series.find((one) => one.engine === engine)?.elapsed.median;
  const engines = Object.keys(runs);
  return engines.map((engine): Standing => {
    const peaks = runs[engine]!.flatMap(({ peakMemory }) => peakMemory ?? []);
    const against = engines.filter((peer) => peer !== engine).flatMap((peer) => {
      const ratios = lines.filter(({ work }) => work !== BOOT).flatMap((line) => over(median(line, engine), median(line, peer)) ?? []);
      return ratios.length < 2 ? [] : [[peer, geometricMean(ratios)] as const];
    });
    return { engine, peakMemory: peaks.length === 0 ? undefined : spread(peaks), against: Object.fromEntries(against) };
  });
}
