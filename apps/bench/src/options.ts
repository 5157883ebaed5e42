/** The command line of the benchmark. */
import { parseArgs } from "node:util";

/** The guests: Debian's, which are fetched once, our own kernel, and the micro-kernels. */
export const GUESTS = ["debian-12-i386", "debian-12-i386-pae", "debian-12-amd64", "embedded", "micro", "micro-64"] as const;
/** One of them. */
export type GuestName = (typeof GUESTS)[number];

/** What was asked for. */
export interface BenchOptions {
  readonly guest: GuestName;
  readonly runs: number;
  readonly only: ReadonlySet<string> | undefined;
  /** Names, or undefined for all that are installed. */
  readonly engines: readonly string[] | undefined;
  /** Divides the work. */
  readonly scale: number;
  /** Numbers of the processors to pin to. */
  readonly cpus: readonly number[] | undefined;
  readonly pin: boolean;
  /** Measures the packages' sources, without building them first. */
  readonly source: boolean;
  readonly json: boolean;
  /** Where to write NAME.json, NAME.md and NAME.svg. */
  readonly out: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

/** A command line that cannot be used. */
export class UsageError extends Error {}

/** What `--help` prints. */
export const HELP = `Usage: npx pnpm@12.21.0 bench [OPTIONS]

Boots the same guest on Doppel, on v86 and on QEMU's TCG (when it is installed), does the same work at its prompt on each, and
on the host itself where that runs programs of the guest, in turns, and prints medians and ratios. Progress goes to standard error.

  --runs N           runs of each engine (default 5)
  --only A,B         these pieces of work only; "boot" is one (default all)
  --engines A,B      these engines only; ratios are of the first over the last (default all that are installed)
  --guest NAME       debian-12-i386 (default), debian-12-i386-pae, debian-12-amd64; or, without a network, embedded: our own kernel, micro and
                     micro-64: kernels of a few instructions each (calls, system calls, page faults, ...) in 32 and in 64 bits
  --quick            a tenth of the work
  --cpu N[,N...]     the processors that the machines are pinned to (default the last two: compilers work beside the machine)
  --no-pin           leave the machines to the host's scheduler
  --source           run Doppel from its sources; without it the packages are built first, and measured as their users run them
  --json             print the report as JSON, raw figures included
  --out FILE         write FILE.json, FILE.md and, of two engines or more, FILE.svg as well
  --list             print the pieces of work and the engines
  --help             print this

Examples:
  npx pnpm@12.21.0 bench --quick --runs 1
  npx pnpm@12.21.0 bench --guest debian-12-amd64 --only boot,sort --runs 3
  npx pnpm@12.21.0 bench --only boot --cpu 0
  npx pnpm@12.21.0 bench --guest micro --engines doppel-auto,v86
  npx pnpm@12.21.0 bench --engines doppel-interpreter --only awk-float --json
  npx pnpm@12.21.0 bench --out docs/performance/interpreter

Ends with 0, 1 when machines disagree about an answer or one of them fails, 2 for a bad command line, 130 after Ctrl-C.
`;

function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least) throw new UsageError(`--${name} takes a whole number from ${least} on, not ${text}.`);
  return value;
}

/**
 * Reads the command line.
 * @throws {UsageError} with a sentence for the first thing that is wrong.
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: args.filter((arg) => arg !== "--"),
      options: {
        runs: { type: "string", default: "5" }, only: { type: "string" }, engines: { type: "string" }, guest: { type: "string", default: GUESTS[0] },
        quick: { type: "boolean", default: false }, cpu: { type: "string" }, "no-pin": { type: "boolean", default: false }, source: { type: "boolean", default: false },
        json: { type: "boolean", default: false }, out: { type: "string" }, list: { type: "boolean", default: false }, help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const guest = GUESTS.find((name) => name === values.guest);
  if (guest === undefined) throw new UsageError(`There is no guest called ${values.guest}; there is ${GUESTS.join(", ")}.`);
  return {
    guest, runs: count("runs", values.runs, 1),
    only: values.only === undefined ? undefined : new Set(values.only.split(",")),
    engines: values.engines?.split(","),
    scale: values.quick ? 10 : 1,
    cpus: values.cpu?.split(",").map((one) => count("cpu", one, 0)),
    pin: !values["no-pin"], source: values.source, json: values.json, out: values.out, list: values.list, help: values.help,
  };
}
