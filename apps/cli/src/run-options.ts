/** The options of `doppel run` after parsing: checked one by one and against each other, before any file is opened. */
import type { CpuName, EngineName, LinuxEntry } from "doppel";
import type { Address, OutputTarget, SerialTarget } from "./values.ts";
import { HostError } from "doppel/node";
import { parseAddress, parseCpus, parseDuration, parseMemory, parseModule, parseOutput, parseSerial } from "./values.ts";

/** Ways to execute instructions. */
export const ENGINES: readonly EngineName[] = ["interpreter", "auto"];
/** Entries of a Linux kernel. */
export const ENTRIES: readonly LinuxEntry[] = ["protected", "real", "long"];
/** Names of the processor models; the library that has them is loaded later, so that `--help` is quick. */
export const CPU_NAMES: readonly CpuName[] = ["pentium-pro", "i686", "x86-64", "x86-64-v2", "max"];

/** The options as the parser collects them: strings, and flags that are there or not. */
export interface RawRunOptions {
  kernel?: string; initrd?: string; append?: string; entry?: LinuxEntry;
  multiboot?: string; module?: string[];
  bios?: string; vgabios?: string; guest?: string;
  memory?: string; engine: EngineName; cpu?: CpuName; cpus?: string;
  save?: string; restore?: string;
  serial?: string[]; debugcon?: string; traceIo?: string;
  gdb?: string; gdbWait?: boolean;
  debugExit?: boolean; reboot?: boolean; timeout?: string;
  stats?: boolean; json?: boolean; deterministic?: boolean;
}

/** What to boot. */
export type BootSource =
  | { kind: "kernel"; kernel: string; initrd?: string }
  | { kind: "multiboot"; image: string; modules: { path: string; args: string }[] }
  | { kind: "bios"; image: string; vgaBios?: string }
  | { kind: "guest"; name: string }
  | { kind: "restore"; state: string };

/** A checked set of options. */
export interface RunOptions {
  source: BootSource;
  append?: string;
  entry?: LinuxEntry;
  /** RAM in bytes, where it was given. */
  memory?: number;
  engine: EngineName;
  /** Processor model, where it was given. */
  cpu?: CpuName;
  /** Virtual processors, where they were given. */
  cpus?: number;
  save?: string;
  /** One for each UART, at most four. */
  serial: SerialTarget[];
  /** Where the debug ports' bytes go; nowhere when absent. */
  debugcon?: OutputTarget;
  /** Where a line for each access of a device goes. */
  traceIo?: OutputTarget;
  gdb?: { address: Address; wait: boolean };
  debugExit: boolean;
  noReboot: boolean;
  /** Milliseconds. */
  timeout?: number;
  stats: boolean;
  json: boolean;
  deterministic: boolean;
}

const UARTS = 4;
const bad = (message: string): HostError => new HostError("HOST_BAD_VALUE", message);

/**
 * Checks the options.
 * @throws {HostError} `HOST_BAD_VALUE`, with a sentence, for the first thing that is wrong.
 */
export function checkRunOptions(raw: RawRunOptions): RunOptions {
  const source = bootSource(raw);
  if (raw.initrd !== undefined && source.kind !== "kernel") throw bad("--initrd goes with --kernel.");
  if (raw.entry !== undefined && source.kind !== "kernel") throw bad("--entry goes with --kernel.");
  if (raw.vgabios !== undefined && source.kind !== "bios") throw bad("--vgabios goes with --bios.");
  if (raw.module && source.kind !== "multiboot") throw bad("--module goes with --multiboot.");
  if (raw.append !== undefined && (source.kind === "bios" || source.kind === "restore"))
    throw bad("--append goes with --kernel, --multiboot or --guest: nothing else takes a command line.");
  if ((raw.cpu !== undefined || raw.cpus !== undefined) && source.kind === "restore") throw bad("--cpu and --cpus do not go with --restore: the saved machine has its processors.");
  if (raw.gdbWait && raw.gdb === undefined) throw bad("--gdb-wait goes with --gdb PORT.");
  const serial = (raw.serial ?? ["stdio"]).map(parseSerial);
  if (serial.length > UARTS) throw bad(`--serial was given ${serial.length} times, and the machine has four serial ports.`);
  if (serial.filter((target) => target.kind === "stdio").length > 1) throw bad("Only one --serial can be stdio.");
  return {
    source,
    ...(raw.append === undefined ? {} : { append: raw.append }),
    ...(raw.entry === undefined ? {} : { entry: raw.entry }),
    ...(raw.memory === undefined ? {} : { memory: parseMemory(raw.memory) }),
    engine: raw.engine,
    ...(raw.cpu === undefined ? {} : { cpu: raw.cpu }),
    ...(raw.cpus === undefined ? {} : { cpus: parseCpus(raw.cpus) }),
    ...(raw.save === undefined ? {} : { save: raw.save }),
    serial,
    ...(raw.debugcon === undefined ? {} : { debugcon: parseOutput("--debugcon", raw.debugcon) }),
    ...(raw.traceIo === undefined ? {} : { traceIo: parseOutput("--trace-io", raw.traceIo) }),
    ...(raw.gdb === undefined ? {} : { gdb: { address: parseAddress("--gdb", raw.gdb), wait: raw.gdbWait === true } }),
    debugExit: raw.debugExit === true,
    noReboot: raw.reboot === false,
    ...(raw.timeout === undefined ? {} : { timeout: parseDuration(raw.timeout) }),
    stats: raw.stats === true,
    json: raw.json === true,
    deterministic: raw.deterministic === true,
  };
}

function bootSource(raw: RawRunOptions): BootSource {
  const sources: BootSource[] = [];
  if (raw.kernel !== undefined) sources.push({ kind: "kernel", kernel: raw.kernel, ...(raw.initrd === undefined ? {} : { initrd: raw.initrd }) });
  if (raw.multiboot !== undefined) sources.push({ kind: "multiboot", image: raw.multiboot, modules: (raw.module ?? []).map(parseModule) });
  if (raw.bios !== undefined) sources.push({ kind: "bios", image: raw.bios, ...(raw.vgabios === undefined ? {} : { vgaBios: raw.vgabios }) });
  if (raw.guest !== undefined) sources.push({ kind: "guest", name: raw.guest });
  if (raw.restore !== undefined) sources.push({ kind: "restore", state: raw.restore });
  if (sources.length === 0) throw bad("There is nothing to boot; give --kernel, --multiboot, --bios, --guest or --restore.");
  if (sources.length > 1) throw bad("Give only one of --kernel, --multiboot, --bios, --guest and --restore.");
  return sources[0]!;
}
