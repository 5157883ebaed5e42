/**
 * The machines that are compared, each as a process of its own whose standard input and output are the guest's first serial line.
 * An engine says how it is started and what version it is; the harness knows nothing else of it.
 */
import type { BenchGuest } from "./workload.ts";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";

/** Files of a guest on the host's disk. */
export interface GuestFiles { readonly kernel: string; readonly initrd?: string }

/** A machine that boots a guest. */
export interface BenchEngine {
  readonly name: string;
  /** The version of what runs this guest, or undefined where it is not installed. */
  version(guest: BenchGuest): string | undefined;
  /** Program and arguments. */
  command(guest: BenchGuest, files: GuestFiles): string[];
}

const root = join(import.meta.dirname, "../../..");
const qemuFor = ({ architecture }: BenchGuest): string => (architecture === "amd64" ? "qemu-system-x86_64" : "qemu-system-i386");

function initrdAndAppend(guest: BenchGuest, files: GuestFiles, dashes: string): string[] {
  return [
    ...(files.initrd === undefined ? [] : [`${dashes}initrd`, files.initrd]),
    ...(guest.append === undefined ? [] : [`${dashes}append`, guest.append]),
  ];
}

/** Doppel's command line with one of its engines; start-up of Node and of the interpreter counts. */
function doppel(engine: string): BenchEngine {
  return {
    name: `doppel-${engine}`,
    version: () => `node ${process.version}, V8 ${process.versions.v8}`,
    command: (guest, files) => [
      process.execPath, "--conditions=@doppel/source", join(root, "apps/cli/src/main.ts"), "run", "--engine", engine, "--no-reboot", "--cpu", guest.architecture === "amd64" ? "x86-64" : "i686",
      "--memory", `${guest.memory}M`, guest.protocol === "linux" ? "--kernel" : "--multiboot", files.kernel,
      ...initrdAndAppend(guest, files, "--"),
    ],
  };
}

/** QEMU's translator; KVM is off, so that both machines are software. Its firmware counts, as it is part of the boot. */
const qemu: BenchEngine = {
  name: "qemu-tcg",
  version: (guest) => {
    const { status, stdout } = spawnSync(qemuFor(guest), ["--version"], { encoding: "utf8" });
    return status === 0 ? stdout.split("\n")[0]!.replace(/^QEMU emulator version /, "") : undefined;
  },
  command: (guest, files) => [
    qemuFor(guest), "-M", "pc", "-accel", "tcg", "-m", `${guest.memory}`, "-nographic", "-no-reboot", "-kernel", files.kernel,
    ...initrdAndAppend(guest, files, "-"),
  ],
};

/** All engines; the last is the one that the others are compared with. */
export const engines: readonly BenchEngine[] = [doppel("auto"), doppel("interpreter"), qemu];
