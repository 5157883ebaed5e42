/** The figures of a run, for people (`--stats`) and for programs (`--json`). */
import type { LoopDelay } from "./loop-delay.ts";
import type { Stop, Vm } from "./machine.ts";

/** Figures of the host beside those of the machine. */
export interface RunFigures { stop: Stop; status: number; milliseconds: number; loopDelay?: LoopDelay }

/** One JSON object on one line: how the run ended, the machine's own figures, the state hash, and the host's memory. */
export function jsonStatistics(vm: Vm, figures: RunFigures): string {
  const { stop } = figures;
  return `${JSON.stringify({
    stop: stop.kind === "host-fault" ? { kind: stop.kind, message: stop.error.message } : stop,
    status: figures.status,
    milliseconds: Math.round(figures.milliseconds),
    ...vm.stats(),
    stateHash: vm.stateHash(),
    eventLoopDelay: figures.loopDelay,
    hostMemory: process.memoryUsage().rss,
  }, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value))}\n`;
}

/** The same, one figure a line. */
export function textStatistics(vm: Vm, figures: RunFigures): string {
  const lines: string[] = [];
  const add = (name: string, value: unknown): void => {
    if (value !== null && typeof value === "object") {
      for (const [key, inner] of Object.entries(value)) add(`${name}.${key}`, inner);
      return;
    }
    const text = typeof value === "number" && !Number.isInteger(value) ? value.toFixed(2) : String(value);
    lines.push(`${name.padEnd(32)} ${text}`);
  };
  add("stop", figures.stop.kind);
  add("seconds", figures.milliseconds / 1000);
  for (const [name, value] of Object.entries(vm.stats())) add(name, value);
  add("state hash", vm.stateHash());
  add("event loop delay (ms)", figures.loopDelay);
  add("host memory (MiB)", process.memoryUsage().rss / 2 ** 20);
  return `${lines.join("\n")}\n`;
}
