/** The result as JSON (raw figures included) and as Markdown. */
import type { Host } from "./host.ts";
import type { Run } from "./session.ts";
import type { Workload } from "./workload.ts";
import { geometricMean, type Line, type Spread, type Standing } from "./summary.ts";
import { BOOT } from "./workload.ts";

/** Everything about one measurement. */
export interface Report {
  readonly date: string;
  /** The command line that made it. */
  readonly command: string;
  readonly guest: { readonly name: string; readonly versions: Readonly<Record<string, string>>; readonly memory: number };
  readonly host: Host;
  /** Load average of one minute before and after. */
  readonly load: readonly [before: number, after: number];
  /** To how many processors each machine was pinned; 0 when it was not. */
  readonly pinned: number;
  readonly engines: Readonly<Record<string, string>>;
  readonly lines: readonly Line[];
  readonly standings: readonly Standing[];
  /** Sentences about machines that ended early or fell silent. */
  readonly failures: readonly string[];
  /** Milliseconds and bytes, by engine and run. */
  readonly raw: Readonly<Record<string, readonly Run[]>>;
}

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(milliseconds < 100 ? 3 : milliseconds < 10_000 ? 2 : 1);
const cell = (spread: Spread | undefined): string =>
  spread === undefined ? "-" : `${seconds(spread.median)} (${seconds(spread.least)}-${seconds(spread.most)})`;
const times = (ratio: number | undefined): string => (ratio === undefined ? "-" : ratio.toFixed(2));
const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** The table: medians with extremes in seconds, ratios of the first engine over the last. */
export function table(engines: readonly string[], lines: readonly Line[], workloads: readonly Workload[]): string {
  const says = new Map(workloads.map((workload) => [workload.name, workload.says]));
  const rows = lines.map(({ work, series, ratio, processorRatio }) =>
    row([says.get(work) ?? "boot to the first line of user space", ...engines.map((engine) => cell(series.find((one) => one.engine === engine)?.elapsed)), times(ratio), times(processorRatio)]));
  const mean = (pick: (line: Line) => number | undefined): string => {
    const ratios = lines.filter(({ work }) => work !== BOOT).flatMap((line) => pick(line) ?? []);
    return ratios.length < 2 ? "-" : times(geometricMean(ratios));
  };
  const summary = row(["geometric mean without the boot", ...engines.map(() => ""), mean(({ ratio }) => ratio), mean(({ processorRatio }) => processorRatio)]);
  return [
    row(["work inside the guest", ...engines.map((engine) => `${engine} (s)`), "ratio", "ratio, processor time"]),
    row(["---", ...engines.map(() => "---:"), "---:", "---:"]), ...rows, summary,
  ].join("\n");
}

/** The machines against each other over all work, and what they took of the host's memory. */
export function standingsTable(standings: readonly Standing[]): string {
  const mebibytes = (spread: Spread | undefined): string => (spread === undefined ? "-" : (spread.median / 2 ** 20).toFixed(0));
  const peers = standings.filter(({ engine }) => standings.some(({ against }) => engine in against)).map(({ engine }) => engine);
  return [
    row(["machine", "peak host memory (MiB)", ...peers.map((peer) => `time over ${peer}'s`)]),
    row(["---", "---:", ...peers.map(() => "---:")]),
    ...standings.map(({ engine, peakMemory, against }) => row([engine, mebibytes(peakMemory), ...peers.map((peer) => times(against[peer]))])),
  ].join("\n");
}

function pinning(processors: number): string {
  return processors === 0 ? "not pinned" : processors === 1 ? "each machine pinned to one processor" : `each machine pinned to the same ${processors} processors`;
}

/** The whole report for people; `picture` is the name of the chart's file, if there is one. */
export function markdown(report: Report, workloads: readonly Workload[], picture?: string): string {
  const { host, guest } = report;
  const runs = Math.max(...Object.values(report.raw).map(({ length }) => length));
  const engines = Object.keys(report.engines);
  return `# ${guest.name} on ${engines.join(", ")}

Medians of ${runs} interleaved run${runs === 1 ? "" : "s"}, least and most in parentheses. The ratio divides the first column by the last: below 1 the first
machine is faster. Times are the host's, between marks on the guest's serial line; the boot starts with the process. Every answer
(checksum, sum, count) was the same on all machines.

    ${report.command}

- Guest: ${guest.name}, ${guest.memory} MiB of RAM${Object.entries(guest.versions).map(([name, version]) => `, ${name} ${version}`).join("")}
${Object.entries(report.engines).map(([name, version]) => `- ${name}: ${version}`).join("\n")}
- Host: ${host.processor}, ${host.cores} cores, ${host.memory}, ${host.system}; ${pinning(report.pinned)}; load average ${report.load[0]} before, ${report.load[1]} after
- Date: ${report.date}
${report.failures.map((failure) => `- ${failure}\n`).join("")}
${picture === undefined ? "" : `![Bars: how fast each machine does each piece of work, relative to ${engines.at(-1)}](${picture})\n\n`}${table(engines, report.lines, workloads)}

The whole of it: the most that each machine's process held of the host's memory (median of the runs), and geometric means of its times, without
the boot, over those of each other machine. Below 1 the machine of the row is faster.

${standingsTable(report.standings)}
`;
}
