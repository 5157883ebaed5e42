/** `npx pnpm@12.21.0 bench`: the same guest, the same work, on Doppel and on a peer, in one session. See `--help`. */
import type { BenchEngine } from "./engines.ts";
import process from "node:process";
import { availableParallelism } from "node:os";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { chart } from "./chart.ts";
import { benchEngines } from "./engines.ts";
import { benchGuest } from "./guests.ts";
import { describeHost, load, pinTo } from "./host.ts";
import { measure } from "./measure.ts";
import { HELP, parseOptions, UsageError } from "./options.ts";
import { markdown, type Report, standingsTable, table } from "./report.ts";
import { failures, standings, summarise } from "./summary.ts";
import { BOOT } from "./workload.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const args = process.argv.slice(2);
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());

async function main(): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const known = benchEngines(options.source);
  const guest = await benchGuest(options.guest, options.scale, say);
  const works = [{ name: BOOT, says: "boot to the first line of user space" }, ...guest.workloads];
  if (options.list) {
    for (const { name, says } of works) process.stdout.write(`${name.padEnd(20)} ${says}\n`);
    for (const engine of known) {
      const found = engine.availability(guest);
      process.stdout.write(`${engine.name.padEnd(20)} ${"lacks" in found ? found.lacks : found.version}\n`);
    }
    return 0;
  }
  for (const name of options.only ?? [])
    if (!works.some((work) => work.name === name)) throw new UsageError(`There is no work called ${name}; there is ${works.map((work) => work.name).join(", ")}.`);
  const engines = (options.engines ?? known.map(({ name }) => name)).map((name) => {
    const engine = known.find((candidate) => candidate.name === name);
    if (engine === undefined) throw new UsageError(`There is no engine called ${name}; there is ${known.map((candidate) => candidate.name).join(", ")}.`);
    return engine;
  });
  const usable: { engine: BenchEngine; version: string }[] = [];
  for (const engine of engines) {
    const found = engine.availability(guest);
    if ("version" in found) usable.push({ engine, version: [found.version, await engine.prepare?.(guest, say)].filter(Boolean).join(", ") });
    else if (options.engines !== undefined) throw new UsageError(`${engine.name} ${found.lacks}.`);
    else say(`bench: ${engine.name} ${found.lacks}; there are no ratios with it.`);
  }

  const last = availableParallelism() - 1;
  const processors = options.cpus ?? (last > 0 ? [last - 1, last] : [last]);
  const prefix = options.pin ? pinTo(processors) : [];
  const before = load();
  const raw = await measure({
    guest, engines: usable.map(({ engine }) => engine), runs: options.runs, prefix, progress: say, signal: interrupted.signal,
    ...(options.only === undefined ? {} : { only: options.only }),
  });
  const lines = summarise(raw);
  const report: Report = {
    date: new Date().toISOString().slice(0, 10), command: ["npx pnpm@12.21.0 bench", ...args].join(" ").replaceAll(`${process.cwd()}/`, ""),
    guest: { name: guest.name, versions: guest.versions, memory: guest.memory },
    host: describeHost(), load: [before, load()], pinned: prefix.length > 0 ? processors.length : 0,
    engines: Object.fromEntries(usable.map(({ engine, version }) => [engine.name, version])), lines,
    standings: standings(raw, lines), failures: failures(raw), raw,
  };
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${table(Object.keys(report.engines), lines, guest.workloads)}\n\n${standingsTable(report.standings)}\n`);
  const differing = lines.filter(({ answers }) => answers.length > 1);
  for (const failure of report.failures) say(`bench: ${failure}`);
  for (const { work, answers } of differing) say(`bench: the machines disagree about ${work}: ${answers.join(" / ")}`);
  if (options.out !== undefined && differing.length === 0) {
    mkdirSync(dirname(options.out), { recursive: true });
    const picture = chart(report);
    writeFileSync(`${options.out}.json`, `${JSON.stringify(report, null, 1)}\n`);
    writeFileSync(`${options.out}.md`, markdown(report, guest.workloads, picture === undefined ? undefined : `${basename(options.out)}.svg`));
    if (picture !== undefined) writeFileSync(`${options.out}.svg`, picture);
  }
  return differing.length === 0 && report.failures.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (interrupted.signal.aborted) process.exitCode = 130;
  else if (error instanceof UsageError || (error instanceof Error && "code" in error)) {
    say(`bench: ${error.message}`);
    process.exitCode = 2;
  } else throw error;
}
