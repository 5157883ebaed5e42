/**
 * v86 as a process like the other machines: boots a kernel, with the guest's first serial line on standard input and output. Started by
 * the engine `v86`; v86's own defaults hold for whatever its options do not name, so there is no ACPI and no APIC.
 *
 *   node apps/bench/src/v86-machine.ts --memory MIB (--kernel FILE --bios FILE --vga-bios FILE [--initrd FILE] [--append TEXT] | --multiboot FILE)
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { V86 } from "v86";

const { values } = parseArgs({
  options: {
    memory: { type: "string", default: "256" }, kernel: { type: "string" }, bios: { type: "string" }, "vga-bios": { type: "string" },
    initrd: { type: "string" }, append: { type: "string", default: "" }, multiboot: { type: "string" },
  },
});

/** Files as v86 takes them, by its own names; it wants buffers of exactly their size. */
const images: Record<string, { buffer: ArrayBuffer }> = {};
for (const [name, file] of Object.entries({
  bios: values.bios, vga_bios: values["vga-bios"], bzimage: values.kernel, initrd: values.initrd, multiboot: values.multiboot,
}))
  if (file !== undefined) images[name] = { buffer: Uint8Array.from(readFileSync(file)).buffer };

const machine = new V86({
  ...images, memory_size: Number(values.memory) << 20, cmdline: values.append, autostart: true, disable_speaker: true, log_level: 0,
  // Beside the module, where v86 itself looks only when it was started from there.
  wasm_path: fileURLToPath(new URL("v86.wasm", import.meta.resolve("v86"))),
});

// A write for each byte would cost more than the guest's output does. v86 runs for about a millisecond between turns of Node's loop, so a
// mark is late by no more than that.
let output: number[] = [];
machine.add_listener("serial0-output-byte", (byte) => {
  if (output.length === 0)
    setImmediate(() => {
      process.stdout.write(Uint8Array.from(output));
      output = [];
    });
  output.push(byte);
});
process.stdin.on("data", (typed: Buffer) => machine.serial0_send(typed.toString("latin1")));
