/**
 * The system ROM under the interpreter, against what QEMU 7.2 (`-cpu qemu32,+nx`, TCG) answered to the same image. Where QEMU
 * and the manual differ the manual decides, and the list below says so. `DOPPEL_RECORD_QEMU=1` asks QEMU again.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { answers, recordQemu, RF, runHere } from "./rom.fixture.ts";
import { SYSTEM_CASES } from "./system-rom-cases.ts";
import { systemRom, taskAddress } from "./system-rom.ts";

const RECORDED = new URL("system-rom.qemu.txt", import.meta.url);

/** What the manual says where QEMU says something else. */
const MANUAL: Record<string, { readonly begins: string; readonly why: string }> = {
  "LTR: null": { begins: "d 0", why: "volume 2, LTR: a null selector is #GP(0); QEMU loads it" },
  "LAR, LSL, VERR, VERW CODE0": { begins: "60 ffffffff", why: "volume 3, 3.4.5.1: the handler's gate set the accessed bit of CODE0; QEMU's gates do not" },
  "#GP while delivering #UD": { begins: "d 33", why: "volume 3, 6.13: EXT is set when an earlier exception was being delivered" },
  "task: T bit": { begins: "1 ffffffff", why: "volume 3, 7.2.1: #DB before the new task's first instruction; QEMU knows no T bit" },
  ...Object.fromEntries(
    ["limit: past the last byte", "limit: a write past it", "limit: expand-down", "limit: a string instruction", "type: a write to read-only data",
      "type: a read of execute-only code", "null: a read"].map((name) => [name, { begins: "d 0", why: "volume 3, 5.3 to 5.5; QEMU checks neither limits nor types" }]),
  ),
  "near JMP past the limit of CS": { begins: "d 0", why: "volume 3, 5.3; QEMU does not check the limit of CS" },
  "alignment check at level 3": { begins: "11 0", why: "volume 3, 6.15, interrupt 17; QEMU does not check alignment" },
  ...Object.fromEntries(
    ([["task: DS absent", "b 70"], ["task: ES past the table", "a 400"]] as const).map(([name, fault]) => [
      name, { begins: `${fault} ${taskAddress().toString(16)} 8 `, why: "volume 3, 7.3: past the commit point the saved EIP is the new task's; QEMU pushes an address of neither" },
    ]),
  ),
  "general detect": { begins: "1 ffffffff", why: "volume 3, 17.2.4: DR7.GD makes an access to a debug register #DB; QEMU does not" },
};

test("every case answers as QEMU does, or as the manual says", () => {
  const rom = systemRom();
  if (process.env["DOPPEL_RECORD_QEMU"]) recordQemu(RECORDED, rom, "qemu-system-i386", "qemu32,+nx");
  const ours = answers(runHere(rom));
  const theirs = answers(readFileSync(RECORDED, "utf8"));
  expect(ours.size).toBe(SYSTEM_CASES.length);
  for (const { name } of SYSTEM_CASES) {
    const manual = MANUAL[name];
    if (manual === undefined) expect(`${name}: ${ours.get(name)}`).toBe(`${name}: ${theirs.get(name)}`);
    else expect(ours.get(name)?.startsWith(manual.begins), `${name}: ${ours.get(name)}; ${manual.why}`).toBe(true);
  }
});

test("faults push RF, traps and software interrupts do not (SDM volume 3, 17.3.1.1)", () => {
  const lines = runHere(systemRom()).split("\n");
  const flags = (name: string): number => Number.parseInt(lines.find((line) => line.startsWith(`${name}:`))?.split(":").at(-1)?.split(" ")[4] ?? "", 16);
  expect(["DIV by zero", "UD2", "MOV DS: absent"].map((name) => flags(name) & RF)).toEqual([RF, RF, RF]);
  expect(["INT3", "INT 0x30", "single step", "instruction breakpoint"].map((name) => flags(name) & RF)).toEqual([0, 0, 0, 0]);
});

test.each([0, 1, 20])("the translator, with threshold %i, answers as the interpreter does", (threshold) => {
  expect(runHere(systemRom(), undefined, threshold)).toBe(runHere(systemRom()));
});
