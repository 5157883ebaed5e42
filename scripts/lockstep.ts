/**
 * Runs a guest in lockstep with QEMU and prints the first difference, in registers or in what was stored:
 *
 *   node --conditions=@doppel/source scripts/lockstep.ts --guest debian-12-i386 --at 0x100000 --count 20000
 *
 * QEMU runs to the address, our machine takes over its registers and RAM, and from there both execute one instruction at a time;
 * `docs/debugging.md` says more. The exit status is 1 when the machines differ, and 2 when the run cannot begin.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createVm } from "doppel";
import { getGuest } from "doppel/node";
import { compare, type Outcome } from "./lockstep/compare.ts";
import { Doppel } from "./lockstep/doppel.ts";
import { Qemu } from "./lockstep/qemu.ts";

const USAGE = `what to run:  --guest NAME | --kernel FILE [--initrd FILE] [--append TEXT] | --multiboot FILE [--append TEXT] | --bios FILE
from where:   --at ADDRESS [--hits N]   a linear address, at its Nth arrival; without it, the reset vector
how far:      --count N                 instructions (10000)
how:          --interrupts              let QEMU take interrupts, and ours the same ones
              --memory MIB              RAM (256)
`;

const { values: options } = parseArgs({
  options: {
    guest: { type: "string" }, kernel: { type: "string" }, initrd: { type: "string" }, append: { type: "string", default: "console=ttyS0 nokaslr" },
    multiboot: { type: "string" }, bios: { type: "string" }, memory: { type: "string", default: "256" }, at: { type: "string" },
    hits: { type: "string", default: "1" }, count: { type: "string", default: "10000" }, interrupts: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) console.log(USAGE);
else process.exitCode = await main();

async function main(): Promise<number> {
  const memory = Number(options.memory) << 20;
  const boot = await bootSource();
  if (boot === undefined) {
    console.error(USAGE);
    return 2;
  }
  const qemu = await Qemu.start(boot.args, memory, options.interrupts);
  process.on("exit", () => qemu.stop());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  if (options.at !== undefined) await qemu.gdb.runTo(Number(options.at), Number(options.hits));
  const doppel = new Doppel(memory, boot.bios);
  doppel.adopt(await qemu.cpu(), await qemu.ram());
  const outcome = await compare(doppel, qemu, {
    count: Number(options.count), interrupts: options.interrupts, progress: (n) => console.error(`${n} instructions agree`),
  });
  report(outcome);
  qemu.stop();
  return outcome.kind === "difference" ? 1 : 0;
}

/** What QEMU is started with, and the BIOS image if the run begins in one. */
async function bootSource(): Promise<{ args: string[]; bios?: Uint8Array } | undefined> {
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(tmpdir(), `doppel-lockstep-${name}`);
    writeFileSync(path, bytes);
    return path;
  };
  if (options.guest === "embedded") {
    const { machine } = await createVm({ guest: "embedded" });
    return { args: ["-kernel", file("embedded", machine.options.multiboot!.image)] };
  }
  if (options.guest !== undefined) {
    const { boot } = await getGuest(options.guest, (line) => console.error(line));
    if (boot.kind === "bios") return { args: ["-bios", file("bios", boot.bios)], bios: boot.bios };
    if (boot.kind === "multiboot") {
      const modules = boot.modules.map(({ data, args }, n) => `${file(`module${n}`, data)} ${args.split(" ").slice(1).join(" ")}`.replaceAll(",", ",,"));
      return { args: ["-kernel", file("multiboot", boot.image), "-initrd", modules.join(","), "-append", `${boot.append} ${options.append}`] };
    }
    return { args: ["-kernel", file("kernel", boot.kernel), ...(boot.initrd ? ["-initrd", file("initrd", boot.initrd)] : []), "-append", `${boot.append} ${options.append}`] };
  }
  if (options.bios !== undefined) return { args: ["-bios", options.bios], bios: readFileSync(options.bios) };
  if (options.multiboot !== undefined) return { args: ["-kernel", options.multiboot, "-append", options.append] };
  if (options.kernel === undefined) return undefined;
  return { args: ["-kernel", options.kernel, ...(options.initrd === undefined ? [] : ["-initrd", options.initrd]), "-append", options.append] };
}

function report({ kind, instructions, interrupts, differences, history }: Outcome): void {
  if (kind === "agree") console.log(`${instructions} instructions agree${options.interrupts ? `, ${interrupts} interrupts among them` : ""}`);
  else if (kind === "halted") console.log(`both machines halted after ${instructions} instructions`);
  else {
    console.log(`difference after ${instructions} instructions:\n${history.join("\n")}\n`);
    for (const { place, doppel, qemu } of differences) console.log(`${place.padEnd(10)} doppel ${doppel}   qemu ${qemu}`);
  }
}
