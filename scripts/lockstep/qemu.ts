/**
 * QEMU as the other machine: started halted with its gdb stub on a Unix socket, and read out whole (registers with their hidden
 * parts, and RAM) through its monitor, so that our machine can go on from the same state.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GdbClient } from "./gdb-client.ts";

/** A segment register with its hidden part, as descriptors' second dwords have it. */
export interface SegmentImage { selector: number; base: number; limit: number; attributes: number }

/** The state of QEMU's CPU, by the names that its monitor prints. */
export interface CpuImage {
  values: Record<string, number>;
  segments: Record<"ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "LDT" | "TR", SegmentImage>;
  gdt: { base: number; limit: number };
  idt: { base: number; limit: number };
  /** ST(0) to ST(7): 64-bit significand and sign with exponent. */
  st: { significand: bigint; exponent: number }[];
  xmm: bigint[];
}

/** A running QEMU. */
export class Qemu {
  readonly gdb: GdbClient;
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #memory: number;

  private constructor(gdb: GdbClient, child: ChildProcess, folder: string, memory: number) {
    this.gdb = gdb;
    this.#process = child;
    this.#folder = folder;
    this.#memory = memory;
  }

  /**
   * Starts `qemu-system-i386` with further arguments, stopped before its first instruction.
   * @param interrupts lets interrupts and timers through while it steps; 128 ns pass per instruction then, however slow the steps are
   */
  static async start(args: readonly string[], memory: number, interrupts = false): Promise<Qemu> {
    const folder = mkdtempSync(join(tmpdir(), "doppel-lockstep-"));
    const socket = join(folder, "gdb");
    const child = spawn("qemu-system-i386", [
      "-M", "pc,hpet=off", "-cpu", "pentium3,+nx,+sse2,+pni,+clflush", "-m", `${memory >> 20}`,
      "-display", "none", "-serial", "null", "-net", "none", "-no-reboot", "-S", "-gdb", `unix:${socket},server=on,wait=off`,
      ...(interrupts ? ["-icount", "shift=7,sleep=off"] : []), ...args,
    ], { stdio: ["ignore", "ignore", "inherit"] });
    await new Promise<void>((resolve, reject) => {
      child.on("spawn", resolve);
      child.on("error", () => reject(new Error("qemu-system-i386 cannot be started; install QEMU to run in lockstep with it")));
    });
    const gdb = await GdbClient.connect(socket);
    if (interrupts) await gdb.request("Qqemu.sstep=1");
    return new Qemu(gdb, child, folder, memory);
  }

  stop(): void {
    this.gdb.close();
    this.#process.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** All RAM below the PCI hole. */
  async ram(): Promise<Uint8Array> {
    const file = join(this.#folder, "ram");
    await this.gdb.monitor(`pmemsave 0 ${this.#memory} ${JSON.stringify(file)}`);
    return readFileSync(file);
  }

  /** The CPU's state. */
  async cpu(): Promise<CpuImage> {
    return parseRegisters(await this.gdb.monitor("info registers"));
  }
}

/** Reads what `info registers` prints for a 32-bit CPU. */
export function parseRegisters(text: string): CpuImage {
  const values: Record<string, number> = {};
  for (const [, name, value] of text.matchAll(/\b(E[A-Z]{2}|EFL|CR\d|DR\d|EFER|FCW|FSW|FTW|MXCSR|CPL|A20|HLT)=([0-9a-f]+)/g))
    values[name!] = Number.parseInt(value!, 16);
  const segments = {} as CpuImage["segments"];
  for (const [, name, selector, base, limit, attributes] of text.matchAll(/^([A-Z]{2,3}) *=([0-9a-f]{4}) ([0-9a-f]{8,}) ([0-9a-f]{8}) ([0-9a-f]{8})/gm))
    segments[name as "ES"] = {
      selector: Number.parseInt(selector!, 16), base: Number.parseInt(base!, 16), limit: Number.parseInt(limit!, 16), attributes: Number.parseInt(attributes!, 16),
    };
  const table = (name: string): { base: number; limit: number } => {
    const match = new RegExp(`^${name}= +([0-9a-f]+) ([0-9a-f]+)`, "m").exec(text)!;
    return { base: Number.parseInt(match[1]!, 16), limit: Number.parseInt(match[2]!, 16) };
  };
  const st = [...text.matchAll(/FPR\d=([0-9a-f]{16}) ([0-9a-f]{4})/g)].map((match) => ({ significand: BigInt(`0x${match[1]}`), exponent: Number.parseInt(match[2]!, 16) }));
  const xmm = [...text.matchAll(/XMM\d+=([0-9a-f ]+)/g)].map((match) => BigInt(`0x${match[1]!.replaceAll(" ", "")}`));
  return { values, segments, gdt: table("GDT"), idt: table("IDT"), st, xmm };
}
