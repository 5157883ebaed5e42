/** The machine that measures, without anything that names it: processor, cores, memory, load; and where a child may run. */
import { spawnSync } from "node:child_process";
import { cpus, loadavg, platform, release, totalmem } from "node:os";

/** What a reader must know to judge absolute figures. */
export interface Host { readonly processor: string; readonly cores: number; readonly memory: string; readonly system: string }

/** Describes this host. */
export function describeHost(): Host {
  const list = cpus();
  return {
    processor: list[0]?.model.trim() ?? "unknown", cores: list.length, memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${release().split("-")[0]}`,
  };
}

/** Processes that wanted to run, averaged over the last minute. */
export function load(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}

/** What pins a process to processors, to stand before its command; empty where the host cannot. */
export function pinTo(cpus: readonly number[]): string[] {
  const [command, ...args] = ["taskset", "-c", cpus.join(",")] as const;
  const { status } = spawnSync(command, [...args, "true"], { stdio: "ignore" });
  return status === 0 ? [command, ...args] : [];
}
