/** What is timed inside a guest: a line typed at its prompt, and the texts on the serial line that start and stop the watch. */

/** A piece of work whose answer must be the same on every machine. */
export interface Workload {
  readonly name: string;
  /** What it does, for the list and the report. */
  readonly says: string;
  /** The line that is typed at the prompt. */
  readonly command: string;
  /** Starts the watch; without it the watch starts when the command is typed. */
  readonly begin?: string;
  /** Typed after `begin`, and starts the watch in its place: for a guest that sleeps until then, so that no machine is late with its mark. */
  readonly go?: string;
  /** Stops the watch; without it the answer does. */
  readonly end?: string;
  /** Finds the answer behind the command, in its first group. */
  readonly answer: RegExp;
}

/** Something that every engine can boot. */
export interface BenchGuest {
  readonly name: string;
  readonly architecture: "i386" | "amd64";
  /** What it was made from, with versions. */
  readonly versions: Readonly<Record<string, string>>;
  readonly kernel: Uint8Array;
  /** How the kernel is loaded. */
  readonly protocol: "linux" | "multiboot";
  readonly initrd?: Uint8Array;
  /** The program of its user space, which also runs without a machine. */
  readonly busybox?: Uint8Array;
  readonly append?: string;
  /** MiB of RAM. */
  readonly memory: number;
  /** Printed when user space (or what stands for it) runs: the end of the boot. */
  readonly banner: string;
  /** Printed when a line may be typed. */
  readonly prompt: string;
  readonly workloads: readonly Workload[];
}

/** The name under which the boot itself is reported. */
export const BOOT = "boot";
