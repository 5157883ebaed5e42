/** Runs a ROM that prints its answers on port E9h: here, and on QEMU. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bareMachine } from "@doppel/testkit";
import { expect } from "vitest";
import type { CpuModel } from "./cpu-model.ts";

export const RF = 0x10000;
const MAX_INSTRUCTIONS = 40_000_000;

/**
 * What the ROM prints; it has to end with HLT, on a whole line.
 * @param translate threshold of a translator, which must find something to do then; without it everything is interpreted
 * @param pairs fused pairs from the first instruction on; false is what machines do
 */
export function runHere(rom: Uint8Array, model?: CpuModel, translate?: number, pairs = true): string {
  let text = "";
  const machine = bareMachine({
    pairs, ...(model !== undefined && { model }), ...(translate !== undefined && { translate }),
    bus: {
      readPort: () => 0xff,
      writePort: (port, _size, value) => void (port === 0xe9 && (text += String.fromCharCode(value))),
      readMmio: () => 0xffffffff,
      writeMmio: () => {},
    },
  });
  machine.physical.load(0xf0000, rom);
  machine.cpu.state.setSegmentBase(1, 0xf0000);
  machine.cpu.updateMode();
  expect([machine.engine.run(MAX_INSTRUCTIONS).reason, text.split("\n").at(-1)]).toEqual(["halted", ""]);
  if (translate === 0) expect(machine.translator!.counters.regions).toBeGreaterThan(50);
  return text;
}

/** Asks QEMU (`system` is its program, `cpu` its `-cpu`) and writes what it prints to `file`. */
export function recordQemu(file: URL, rom: Uint8Array, system: string, cpu: string): void {
  const folder = mkdtempSync(join(tmpdir(), "doppel-"));
  writeFileSync(join(folder, "rom"), rom);
  const options = `-cpu ${cpu} -m 16 -display none -serial none -monitor none -net none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=0x04`;
  spawnSync(system, [...options.split(" "), "-bios", join(folder, "rom"), "-debugcon", `file:${join(folder, "out")}`], { timeout: 60_000 });
  const text = readFileSync(join(folder, "out"), "latin1");
  rmSync(folder, { recursive: true });
  writeFileSync(file, text.split("\n").filter((line) => line !== "").map((line) => `${line.trimEnd()}\n`).join(""));
}

/** One line a case: its name, and what the handler found. QEMU pushes RF as zero with every fault, so RF is left out. */
export function answers(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.lastIndexOf(":");
    if (at < 0) continue;
    const [frame, ...rest] = line.slice(at + 1).split("|").map((part) => part.trim());
    const fields = frame.split(" ");
    fields[4] = (Number.parseInt(fields[4] ?? "0", 16) & ~RF).toString(16);
    found.set(line.slice(0, at), [fields.join(" "), ...rest].join(" | "));
  }
  return found;
}
