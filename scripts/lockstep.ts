/**
 * Runs a guest in lockstep with QEMU and prints the first difference:
 *
 *   node --conditions=@doppel/source scripts/lockstep.ts --guest debian-12-i386 --at 0x100000 --count 20000
 *
 * QEMU boots to the address, our machine takes over its registers and RAM, and from there both execute one instruction at a time,
 * without interrupts. After an instruction whose result is a machine's own (a port, the time, a device's memory) QEMU's is taken over.
 * Stores are not compared; what was stored wrongly shows when it is loaded.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { disassemble } from "@doppel/x86";
import { getGuest } from "doppel/node";
import { differInPushedRf, isOwnResult, undefinedAfter } from "./lockstep/differences.ts";
import { Doppel } from "./lockstep/doppel.ts";
import { REGISTERS } from "./lockstep/gdb-client.ts";
import { Qemu } from "./lockstep/qemu.ts";

const HISTORY = 12;
const EIP = 8;
const EFLAGS = 9;
const IF = 1 << 9;

const { values: options } = parseArgs({
  options: {
    guest: { type: "string" }, kernel: { type: "string" }, initrd: { type: "string" }, append: { type: "string", default: "console=ttyS0 nokaslr" },
    bios: { type: "string" }, memory: { type: "string", default: "256" }, at: { type: "string" }, count: { type: "string", default: "10000" },
  },
});
const memory = Number(options.memory) << 20;
const count = Number(options.count);
const { args, bios } = await machine();
const qemu = await Qemu.start(args, memory);
process.on("exit", () => qemu.stop());
if (options.at !== undefined) await qemu.gdb.runTo(Number(options.at));
const doppel = new Doppel(memory, bios);
doppel.adopt(await qemu.cpu(), await qemu.ram());
process.exitCode = await compare();
qemu.stop();

/** What QEMU is started with, and the BIOS image if the run begins in one. */
async function machine(): Promise<{ args: string[]; bios?: Uint8Array }> {
  if (options.guest !== undefined) {
    const { boot } = await getGuest(options.guest, (line) => console.error(line));
    const file = (name: string, bytes: Uint8Array): string => {
      const path = join(tmpdir(), `doppel-lockstep-${name}`);
      writeFileSync(path, bytes);
      return path;
    };
    if (boot.kind === "bios") return { args: ["-bios", file("bios", boot.bios)], bios: boot.bios };
    return { args: ["-kernel", file("kernel", boot.kernel), ...(boot.initrd ? ["-initrd", file("initrd", boot.initrd)] : []), "-append", `${boot.append} ${options.append}`] };
  }
  if (options.bios !== undefined) return { args: ["-bios", options.bios], bios: readFileSync(options.bios) };
  if (options.kernel === undefined) throw new Error("name what to run: --guest NAME, --kernel FILE or --bios FILE");
  return { args: ["-kernel", options.kernel, ...(options.initrd === undefined ? [] : ["-initrd", options.initrd]), "-append", options.append] };
}

/** Steps both; gives 0 when nothing differed. */
async function compare(): Promise<number> {
  const history: string[] = [];
  for (let n = 0; n < count; n++) {
    const at = doppel.vm.cpu.state.rip;
    const codeSize = (doppel.vm.cpu.state.segmentAttributes(1) & 0x400000) !== 0 ? 4 : 2;
    const bytes = doppel.code();
    const { text, length } = bytes.length > 0 ? disassemble(bytes, 0, codeSize, at) : { text: "(not mapped)", length: 0 };
    history.push(`${at.toString(16).padStart(8, "0")}  ${text}`);
    if (history.length > HISTORY) history.shift();
    if (text === "hlt") {
      console.log(`both machines halted after ${n} instructions`);
      return 0;
    }
    // No stub shows these registers; QEMU's step tells what they hold.
    const ahead = text === "sysenter";
    if (ahead) {
      await qemu.gdb.step();
      doppel.learnSysenter(await qemu.gdb.registers());
    }
    const repeats = /^rep/.test(text);
    const deviceReads = doppel.vm.stats().exits.mmioReads;
    do doppel.vm.step(); while (repeats && doppel.vm.cpu.state.rip === at);
    if (repeats) await finishRepeat(at, at + length);
    else if (!ahead) await qemu.gdb.step();
    let theirs = await qemu.gdb.registers();
    let ours = doppel.registers();
    // A fault retires nothing: our step went on into the handler.
    for (let extra = 0; extra < 2 && ours[EIP] !== theirs[EIP]; extra++) {
      await qemu.gdb.step();
      theirs = await qemu.gdb.registers();
    }
    if (ours[EIP] === theirs[EIP] && (isOwnResult(text) || doppel.vm.stats().exits.mmioReads !== deviceReads)) {
      doppel.take(theirs);
      ours = doppel.registers();
    }
    if (REGISTERS.some((_, i) => i < EIP && differInPushedRf(ours[i]!, theirs[i]!)) && ours[EIP] === theirs[EIP]) {
      doppel.take(theirs.map((value, i) => (differInPushedRf(ours[i]!, value) ? value : ours[i]!)));
      ours = doppel.registers();
    }
    const mayDiffer = undefinedAfter(text);
    if (((ours[EFLAGS]! ^ theirs[EFLAGS]!) & ~mayDiffer) === 0 && ours[EFLAGS] !== theirs[EFLAGS]) {
      ours[EFLAGS] = theirs[EFLAGS]!;
      doppel.vm.cpu.state.eflags = theirs[EFLAGS]!;
    }
    const different = REGISTERS.filter((_, i) => ours[i] !== theirs[i]);
    if (different.length > 0) {
      console.log(`difference after ${n + 1} instructions:\n${history.join("\n")}\n`);
      for (const name of different) {
        const i = REGISTERS.indexOf(name);
        console.log(`${name.padEnd(7)} doppel ${ours[i]!.toString(16).padStart(8, "0")}   qemu ${theirs[i]!.toString(16).padStart(8, "0")}`);
      }
      return 1;
    }
    if ((n + 1) % 10_000 === 0) console.error(`${n + 1} instructions agree`);
  }
  console.log(`${count} instructions agree`);
  return 0;
}

/**
 * Lets QEMU finish a repeated instruction that ours has finished, or interrupted with a fault. A breakpoint behind it is much faster
 * than a step for each iteration, but lets interrupts in where the guest allows them.
 */
async function finishRepeat(at: number, next: number): Promise<void> {
  const interruptible = ((await qemu.gdb.registers())[EFLAGS]! & IF) !== 0;
  if (doppel.vm.cpu.state.rip === next && !interruptible) return qemu.gdb.runTo(doppel.linearRip());
  do await qemu.gdb.step(); while ((await qemu.gdb.registers())[EIP] === at);
}
