/**
 * The comparison: both machines execute one instruction at a time, and after each one their registers and what was stored must be the
 * same. What cannot be the same (a port's value, the time, undefined flags) is taken over from QEMU, so that the run stays in step.
 */
import { currentInstruction, readLinear, writeLinear } from "@doppel/debug";
import { isOwnResult, mnemonic, differInPushedRf, undefinedAfter } from "./differences.ts";
import type { Doppel, Store } from "./doppel.ts";
import { type RegisterBytes, word } from "./gdb-client.ts";
import type { Qemu } from "./qemu.ts";

const HISTORY = 16;
const IF = 1 << 9;
/** FSW: C1 says which way a result was rounded; QEMU leaves it clear. */
const C1 = 1 << 9;
/** The port whose write starts a transfer of fw_cfg. */
const FW_CFG_DMA = 0x518;
const LONGEST_STORE = 4096;

/** Something that is not the same in both machines. */
export interface Difference {
  /** A register, or "[address]". */
  readonly place: string;
  /** Most significant digit first for registers, byte by byte for memory. */
  readonly doppel: string;
  readonly qemu: string;
}

/** How a comparison ended. */
export interface Outcome {
  /** `halted`: both machines wait for an interrupt that will not come. */
  readonly kind: "agree" | "halted" | "difference";
  /** Instructions compared. */
  readonly instructions: number;
  /** Interrupts that QEMU took, and ours with it. */
  readonly interrupts: number;
  readonly differences: readonly Difference[];
  /** The last instructions, the one that differs at the end. */
  readonly history: readonly string[];
}

/** What to compare. */
export interface CompareOptions {
  readonly count: number;
  /** QEMU takes interrupts, and ours takes the same ones at the same places. */
  readonly interrupts?: boolean;
  /** Called now and then with the number of instructions that agree. */
  readonly progress?: (instructions: number) => void;
}

/** Runs two machines that stand at the same state. */
export async function compare(doppel: Doppel, qemu: Qemu, options: CompareOptions): Promise<Outcome> {
  const history: string[] = [];
  const { cpu } = doppel.vm;
  let interrupts = 0;
  for (let n = 0; n < options.count; n++) {
    const { address, text, bytes } = currentInstruction(doppel.vm);
    history.push(`${address.toString(16).padStart(8, "0")}  ${text}`);
    if (history.length > HISTORY) history.shift();
    const name = mnemonic(text);
    if (name === "hlt" && options.interrupts !== true) return { kind: "halted", instructions: n, interrupts, differences: [], history };
    const end = await advance(doppel, qemu, name, text, cpu.state.rip, bytes.length, options.interrupts === true, history);
    if (end.interrupt) interrupts++;
    const own = isOwnResult(text) || end.device;
    const differences = [...registerDifferences(doppel, end.theirs, text, own), ...(await storeDifferences(doppel, qemu, end.stores, own))];
    if (differences.length > 0) return { kind: "difference", instructions: n + 1, interrupts, differences, history };
    if ((n + 1) % 10_000 === 0) options.progress?.(n + 1);
  }
  return { kind: "agree", instructions: options.count, interrupts, differences: [], history };
}

interface Step {
  readonly theirs: RegisterBytes;
  readonly stores: readonly Store[];
  /** A device answered, and ours need not answer alike. */
  readonly device: boolean;
  readonly interrupt: boolean;
}

/** One instruction on both sides, or an interrupt that QEMU took instead or behind it. */
async function advance(
  doppel: Doppel, qemu: Qemu, name: string, text: string, at: number, length: number, interrupts: boolean, history: string[],
): Promise<Step> {
  const { vm } = doppel;
  const { gdb } = qemu;
  const reads = vm.stats().exits.mmioReads;
  const transfers = name === "out" && (vm.cpu.state.gpr32(2) & 0xffff) === FW_CFG_DMA;
  const mayInterrupt = interrupts && (vm.cpu.state.systemFlags & IF) !== 0;
  const repeats = /^rep/.test(text);
  let theirs: RegisterBytes | undefined;
  // No stub shows the SYSENTER registers, and none says that an interrupt came: QEMU goes first, and its step tells.
  if (mayInterrupt || name === "sysenter") {
    await gdb.step();
    theirs = await gdb.registers();
    if (word(theirs, "eip") === at && !repeats) theirs = await stepAgain(qemu, theirs);
    if (name === "sysenter") doppel.learnSysenter(theirs);
    const vector = mayInterrupt && name !== "hlt" ? await interruptTaken(doppel, qemu, theirs, at) : -1;
    if (vector >= 0) {
      history.push(`          interrupt ${vector}`);
      return { theirs, stores: doppel.interrupt(vector), device: false, interrupt: true };
    }
  }
  let stores = [...doppel.step()];
  if (name === "hlt" && theirs !== undefined) {
    const vector = await interruptTaken(doppel, qemu, theirs, at + length);
    if (vector >= 0) {
      history.push(`          interrupt ${vector}`);
      stores = [...doppel.interrupt(vector)];
    }
    return { theirs, stores, device: false, interrupt: vector >= 0 };
  }
  if (repeats && !mayInterrupt) {
    while (vm.cpu.state.rip === at) stores.push(...doppel.step());
    await finishRepeat(doppel, qemu, at, at + length);
    theirs = undefined;
  } else if (theirs === undefined) await gdb.step();
  theirs ??= await gdb.registers();
  // What a machine's firmware interface says is its own, and comes by DMA.
  if (transfers) doppel.adoptRam(await qemu.ram());
  if (word(theirs, "eip") === at && vm.cpu.state.rip !== at) theirs = await stepAgain(qemu, theirs);
  return { theirs, stores, device: vm.stats().exits.mmioReads !== reads, interrupt: false };
}

/** QEMU's step sometimes comes back without an instruction, when its main loop had something to do. */
async function stepAgain({ gdb }: Qemu, before: RegisterBytes): Promise<RegisterBytes> {
  await gdb.step();
  const after = await gdb.registers();
  return word(after, "eip") === word(before, "eip") ? before : after;
}

/** The vector of an interrupt that QEMU delivered before the instruction at `at`: it stands at a gate's target and has pushed `at`. */
async function interruptTaken(doppel: Doppel, qemu: Qemu, theirs: RegisterBytes, at: number): Promise<number> {
  const eip = word(theirs, "eip");
  if (eip === at) return -1;
  const vector = doppel.vectorOf(eip);
  if (vector < 0) return -1;
  const pushed = await qemu.gdb.memory(word(theirs, "esp"), 4);
  if (pushed === undefined) return -1;
  const value = new DataView(pushed.buffer, pushed.byteOffset).getUint32(0, true);
  return (doppel.vm.cpu.cr0 & 1) !== 0 ? (value === at ? vector : -1) : (value & 0xffff) === at ? vector : -1;
}

/**
 * Lets QEMU finish a repeated instruction that ours has finished, or left with a fault. A breakpoint behind it is much faster than a
 * step for each iteration, but lets interrupts in where the guest allows them.
 */
async function finishRepeat(doppel: Doppel, qemu: Qemu, at: number, next: number): Promise<void> {
  const interruptible = (word(await qemu.gdb.registers(), "eflags") & IF) !== 0;
  if (doppel.vm.cpu.state.rip === next && !interruptible) return qemu.gdb.runTo(doppel.linearRip());
  do await qemu.gdb.step(); while (word(await qemu.gdb.registers(), "eip") === at);
}

/** Compares the registers; takes over what may differ. */
function registerDifferences(doppel: Doppel, theirs: RegisterBytes, text: string, own: boolean): Difference[] {
  const ours = doppel.registers();
  const differences: Difference[] = [];
  const inStep = word(ours, "eip") === word(theirs, "eip");
  for (const [name, bytes] of Object.entries(ours)) {
    const other = theirs[name]!;
    if (bytes.every((byte, i) => byte === other[i])) continue;
    const bits = bytes.length === 4 ? word(ours, name) ^ word(theirs, name) : -1;
    const tolerated = name === "eflags" ? (bits & ~undefinedAfter(text)) === 0 : name === "fstat" ? (bits & ~C1) === 0
      : own || (bytes.length === 4 && differInPushedRf(word(ours, name), word(theirs, name)));
    if (inStep && tolerated && name !== "eip" && doppel.take(name, other)) continue;
    const digits = (value: Uint8Array): string => Buffer.from(value).reverse().toString("hex");
    differences.push({ place: name, doppel: digits(bytes), qemu: digits(other) });
  }
  return differences;
}

/** Compares what ours has stored; takes over what may differ. Stores to devices are the devices' business. */
async function storeDifferences(doppel: Doppel, qemu: Qemu, stores: readonly Store[], own: boolean): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const { linear, length } of merged(stores)) {
    const ours = readLinear(doppel.vm, linear, length);
    if (ours.length < length) continue;
    const theirs = await qemu.gdb.memory(linear, length);
    if (theirs === undefined || ours.every((byte, i) => byte === theirs[i])) continue;
    const flags = length === 4 && differInPushedRf(new DataView(ours.buffer).getUint32(0, true), new DataView(theirs.buffer, theirs.byteOffset).getUint32(0, true));
    if ((own || flags || isAccessedBit(doppel, linear, ours, theirs)) && writeLinear(doppel.vm, linear, theirs)) continue;
    const from = ours.findIndex((byte, i) => byte !== theirs[i]);
    const show = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(from, from + 16)).toString("hex");
    differences.push({ place: `[${(linear + from).toString(16).padStart(8, "0")}]`, doppel: show(ours), qemu: show(theirs) });
  }
  return differences;
}

/** Whether two pieces of a descriptor differ in its accessed bit alone: QEMU's far transfers leave it as it is. */
function isAccessedBit({ vm }: Doppel, linear: number, ours: Uint8Array, theirs: Uint8Array): boolean {
  const { base, limit } = vm.cpu.gdtr;
  if (linear < base || linear > base + limit) return false;
  return ours.every((byte, i) => byte === theirs[i] || ((linear + i - base) % 8 === 5 && (byte ^ theirs[i]!) === 1));
}

/** Stores in runs: a repeated instruction has thousands. What a frame is pushed with stays apart, word by word. */
function merged(stores: readonly Store[]): Store[] {
  if (stores.length < 64) return [...stores];
  const runs: { linear: number; length: number }[] = [];
  for (const { linear, length } of [...stores].sort((a, b) => a.linear - b.linear)) {
    const last = runs.at(-1);
    const end = last === undefined ? -1 : last.linear + last.length;
    if (last === undefined || linear > end || linear + length - last.linear > LONGEST_STORE) runs.push({ linear, length });
    else last.length = Math.max(last.length, linear + length - last.linear);
  }
  return runs;
}
