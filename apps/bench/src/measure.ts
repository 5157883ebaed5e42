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
 * @throws {SilenceError} when a machine ends early or hangs; the signal's reason when it is aborted
 */
export async function measure({ guest, engines, runs, only, prefix, progress, signal }: Measurement): Promise<Record<string, Run[]>> {
  const folder = await mkdtemp(join(tmpdir(), "doppel-bench-"));
  try {
    const files = { kernel: join(folder, "kernel"), ...(guest.initrd === undefined ? {} : { initrd: join(folder, "initrd") }) };
    await writeFile(files.kernel, guest.kernel);
    if (guest.initrd !== undefined) await writeFile(join(folder, "initrd"), guest.initrd);
    const raw: Record<string, Run[]> = Object.fromEntries(engines.map(({ name }) => [name, []]));
    for (let run = 1; run <= runs; run++)
      for (const engine of run % 2 === 1 ? engines : [...engines].reverse()) {
        const told = (sample: Sample): void => progress(`run ${run}/${runs}  ${engine.name.padEnd(20)} ${sample.work.padEnd(12)} ${(sample.elapsed / 1000).toFixed(2)} s`);
        raw[engine.name]!.push(await session([...prefix, ...engine.command(guest, files)], guest, only, told, signal));
      }
    return raw;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
