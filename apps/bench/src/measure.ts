/** Runs the engines in turns, so that whatever else the host does hits all of them. */
import type { BenchEngine } from "./engines.ts";
import { type Run, type Sample, session } from "./session.ts";
import type { BenchGuest } from "./workload.ts";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How to measure. */
export interface Measurement {
  readonly guest: BenchGuest;
  readonly engines: readonly BenchEngine[];
  readonly runs: number;
  readonly only?: ReadonlySet<string>;
  /** Stands before each command, to pin it. */
  readonly prefix: readonly string[];
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Gives the runs by engine. Every second round goes in the opposite order.
 * @throws the signal's reason when it is aborted
 */
export async function measure({ guest, engines, runs, only, prefix, progress, signal }: Measurement): Promise<Record<string, Run[]>> {
  const folder = await mkdtemp(join(tmpdir(), "doppel-bench-"));
  try {
    const files: Record<string, string> & { kernel: string } = { kernel: join(folder, "kernel") };
    for (const name of ["kernel", "initrd", "busybox"] as const) {
      if (guest[name] === undefined) continue;
      files[name] = join(folder, name);
      await writeFile(files[name], guest[name], { mode: 0o755 });
    }
    const raw: Record<string, Run[]> = Object.fromEntries(engines.map(({ name }) => [name, []]));
    for (let run = 1; run <= runs; run++)
      for (const engine of run % 2 === 1 ? engines : [...engines].reverse()) {
        // What fails once would fail again, after as long a silence.
        if (raw[engine.name]!.some(({ failure }) => failure !== undefined)) continue;
        const told = (sample: Sample): void => progress(`run ${run}/${runs}  ${engine.name.padEnd(20)} ${sample.work.padEnd(12)} ${(sample.elapsed / 1000).toFixed(2)} s`);
        const works = engine.isHost ? new Set(guest.workloads.map(({ name }) => name).filter((name) => only?.has(name) ?? true)) : only;
        const { peakMemory, ...result } = await session([...prefix, ...engine.command(guest, files)], guest, works, told, signal);
        raw[engine.name]!.push({ ...result, ...(peakMemory === undefined || engine.isHost ? {} : { peakMemory }) });
        if (result.failure !== undefined) progress(`run ${run}/${runs}  ${engine.name.padEnd(20)} ${result.failure.work.padEnd(12)} failed: ${result.failure.why}`);
      }
    return raw;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
