/** One run of one engine: boot the guest, do the chosen work at its prompt, end the machine. */
import { MachineProcess, type Moment, SilenceError } from "./machine-process.ts";
import { type BenchGuest, BOOT } from "./workload.ts";

/** One figure. */
export interface Sample {
  readonly work: string;
  /** Milliseconds on the host's clock. */
  readonly elapsed: number;
  /** Milliseconds of processor time, compilation threads included; undefined where the host does not tell. */
  readonly processor?: number;
  /** What the guest answered; the same on every machine, or one of them computes wrongly. */
  readonly answer: string;
}

/** One run of one engine. */
export interface Run {
  readonly samples: readonly Sample[];
  /** The most bytes of the host's memory that the machine's process held, from its start to the end of its work; undefined where the host does not tell. */
  readonly peakMemory?: number;
  /** Where and why the machine ended early or fell silent; nothing was measured from there on. */
  readonly failure?: { readonly work: string; readonly why: string };
}

/** Longest wait for one piece of work, in seconds. */
const PATIENCE = 600;

function sample(work: string, from: Moment, to: Moment, answer: string): Sample {
  const processor = from.processor === undefined || to.processor === undefined ? undefined : to.processor - from.processor;
  return { work, elapsed: to.time - from.time, ...(processor === undefined ? {} : { processor }), answer };
}

/**
 * Runs the boot and each workload of `only` (all when absent) once.
 * @param onSample is told of each figure as it is known
 * @throws the signal's reason when it is aborted
 */
export async function session(
  command: readonly string[], guest: BenchGuest, only: ReadonlySet<string> | undefined, onSample: (sample: Sample) => void, signal: AbortSignal,
): Promise<Run> {
  signal.throwIfAborted();
  using machine = new MachineProcess(command);
  const stop = (): void => machine[Symbol.dispose]();
  signal.addEventListener("abort", stop);
  const samples: Sample[] = [];
  let work = BOOT;
  try {
    const add = (one: Sample): void => {
      samples.push(one);
      onSample(one);
    };
    const { at } = await machine.waitFor(guest.banner, PATIENCE);
    if (only === undefined || only.has(BOOT)) add(sample(BOOT, machine.started, at, "up"));
    if (guest.banner !== guest.prompt) await machine.waitFor(guest.prompt, PATIENCE);
    for (const { name, command: line, begin, go, end, answer } of guest.workloads) {
      if (only !== undefined && !only.has(name)) continue;
      work = name;
      let from = machine.now();
      machine.type(line);
      if (begin !== undefined) from = (await machine.waitFor(begin, PATIENCE)).at;
      if (go !== undefined) {
        from = machine.now();
        machine.type(go);
      }
      const to = end === undefined ? undefined : (await machine.waitFor(end, PATIENCE)).at;
      const { at: told, match } = await machine.waitFor(answer, PATIENCE);
      add(sample(name, from, to ?? told, match[1]!));
      await machine.waitFor(guest.prompt, PATIENCE);
    }
    const peakMemory = machine.peakMemory();
    return { samples, ...(peakMemory === undefined ? {} : { peakMemory }) };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SilenceError)) throw error;
    return { samples, failure: { work, why: error.message } };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
