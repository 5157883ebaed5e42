/**
 * The machines that are compared, each as a process of its own whose standard input and output are the guest's first serial line.
 * An engine says how it is started and what version it is; the harness knows nothing else of it.
 */
import type { Progress } from "doppel/node";
import type { BenchGuest } from "./workload.ts";
import { cacheFolder, getGuest } from "doppel/node";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { native } from "./native.ts";

/** Files of a guest on the host's disk. */
export interface GuestFiles { readonly kernel: string; readonly initrd?: string; readonly busybox?: string }

/** The version of what would run a guest, or what an engine lacks to do so, as the end of a sentence that begins with its name. */
export type Availability = { readonly version: string } | { readonly lacks: string };

/** A machine that boots a guest. */
export interface BenchEngine {
  readonly name: string;
  /** Set for the host itself, which has no boot, and whose processes' memory is not one machine's. */
  readonly isHost?: true;
  /** Whether it can run this guest. */
  availability(guest: BenchGuest): Availability;
  /** Fetches what it needs beside the guest, once, and says what that is for the report. */
  prepare?(guest: BenchGuest, progress: Progress): Promise<string | undefined>;
  /** Program and arguments. */
  command(guest: BenchGuest, files: GuestFiles): string[];
  /** Arguments for so many processors; without it there can only be one. */
  processors?(count: string): string[];
}

const root = join(import.meta.dirname, "../../..");
/** The guest whose files are SeaBIOS. */
const BIOS = "seabios";
const node = `node ${process.version}, V8 ${process.versions.v8}`;
const qemuFor = ({ architecture }: BenchGuest): string => (architecture === "amd64" ? "qemu-system-x86_64" : "qemu-system-i386");

function initrdAndAppend(guest: BenchGuest, files: GuestFiles, dashes: string): string[] {
  return [
    ...(files.initrd === undefined ? [] : [`${dashes}initrd`, files.initrd]),
    ...(guest.append === undefined ? [] : [`${dashes}append`, guest.append]),
  ];
}

/** What of Doppel is measured: the commit, and whether it was changed; nothing where this is no clone or there is no git. */
function commit(): string {
  const { status, stdout } = spawnSync("git", ["describe", "--always", "--dirty"], { cwd: root, encoding: "utf8" });
  return status === 0 ? `${stdout.trim()}, ` : "";
}

/** Builds the packages, so that what is measured is what their users run. */
function build(progress: Progress): void {
  progress("building the packages");
  // turbo looks for its package manager on PATH, where only pnpm itself puts it.
  const { status } = spawnSync("npx", ["-y", "pnpm@12.21.0", "exec", "turbo", "run", "build", "--output-logs=errors-only"], {
    cwd: root, stdio: ["ignore", process.stderr, process.stderr], env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" },
  });
  if (status !== 0) throw new Error("the packages could not be built: see above, or measure their sources with --source.");
}

/**
 * Doppel's command line with one of its engines; start-up of Node and of the interpreter counts.
 * @param fromSource runs the packages' sources, whose types Node strips at every start
 */
function doppel(engine: string, fromSource: boolean): BenchEngine {
  return {
    name: `doppel-${engine}`,
    availability: () => ({ version: `${commit()}${node}` }),
    prepare: (_guest, progress) => {
      if (!fromSource) build(progress);
      return Promise.resolve(fromSource ? "from its sources" : undefined);
    },
    command: (guest, files) => [
      process.execPath, ...(fromSource ? ["--conditions=@doppel/source"] : []), join(root, "apps/cli/src/main.js"), "run", "--engine", engine, "--no-reboot", "--cpu", guest.architecture === "amd64" ? "x86-64" : "i686",
      "--memory", `${guest.memory}M`, guest.protocol === "linux" ? "--kernel" : "--multiboot", files.kernel,
      ...initrdAndAppend(guest, files, "--"),
    ],
    processors: (count) => ["--cpus", count],
  };
}

/** QEMU's translator; KVM is off, so that both machines are software. Its firmware counts, as it is part of the boot. */
const qemu: BenchEngine = {
  name: "qemu-tcg",
  availability: (guest) => {
    const { status, stdout } = spawnSync(qemuFor(guest), ["--version"], { encoding: "utf8" });
    return status === 0 ? { version: stdout.split("\n")[0]!.replace(/^QEMU emulator version /, "") } : { lacks: "is not installed" };
  },
  command: (guest, files) => [
    qemuFor(guest), "-M", "pc", "-accel", "tcg", "-m", `${guest.memory}`, "-nographic", "-no-reboot", "-kernel", files.kernel,
    ...initrdAndAppend(guest, files, "-"),
  ],
  processors: (count) => ["-smp", count],
};

/**
 * The other emulator in JavaScript and WebAssembly, from npm, in the same Node. Its package has no BIOS, and it boots Linux through an option
 * ROM, so that it gets Debian's SeaBIOS, whose time counts as QEMU's does. It starts multiboot kernels by itself.
 */
const v86: BenchEngine = {
  name: "v86",
  availability: ({ architecture }) => {
    if (architecture !== "i386") return { lacks: "has a processor of 32 bits only" };
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.resolve("v86")), "utf8")) as { version: string };
    return { version: `${version}, ${node}` };
  },
  prepare: async ({ protocol }, progress) => {
    if (protocol !== "linux") return undefined;
    const { packages } = await getGuest(BIOS, progress);
    return packages.map(({ name, version }) => `${name} ${version}`).join(", ");
  },
  command: (guest, files) => {
    const bios = join(cacheFolder(), "guests", BIOS);
    return [
      process.execPath, join(import.meta.dirname, "v86-machine.ts"), "--memory", `${guest.memory}`,
      ...(guest.protocol === "linux" ? ["--kernel", files.kernel, "--bios", join(bios, "bios"), "--vga-bios", join(bios, "vgabios")] : ["--multiboot", files.kernel]),
      ...initrdAndAppend(guest, files, "--"),
    ];
  },
};

/** All engines; the last is the one that the others are compared with. @param fromSource Doppel's packages are not built first */
export const benchEngines = (fromSource: boolean): readonly BenchEngine[] => [doppel("auto", fromSource), doppel("interpreter", fromSource), v86, native, qemu];
