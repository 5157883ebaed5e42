// A ROM of our own on both machines, QEMU being the reference; and the proof that the tool finds what is wrong: a wrong definition.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { assembleProgram, FORMS, type Instruction } from "@doppel/x86";
import { createVm } from "doppel";
import { compare } from "./compare.ts";
import { Doppel } from "./doppel.ts";
import { Qemu } from "./qemu.ts";

const hasQemu = spawnSync("qemu-system-i386", ["--version"]).status === 0;
const ROM_SIZE = 0x10000;
const MEMORY = 16 << 20;

const SOURCE = `
bits 16
start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  mov cx, 5
again:
  mov eax, 0xfffffff0
  add eax, 0x20
  adc ebx, 0x7fffffff
  push ebx
  rcl ebx, 3
  mul ebx
  mov [0x1000], edx
  fninit
  fld1
  fldpi
  fdivp st1, st0
  fstp qword [0x1010]
  in al, 0x40
  loop again
  mov di, 0x2000
  mov cx, 100
  rep stosd
  int 3
  mov byte [0x3000], 0x55
  hlt
handler:
  pushf
  pop dx
  iret
`;

/** The ROM: code at F000:0000, the jump to it at the reset vector; interrupt 3 leads to `handler`. */
function rom(): { image: Uint8Array; labels: Map<string, number> } {
  const { bytes, labels } = assembleProgram(SOURCE, { origin: 0, bits: 16 });
  const image = new Uint8Array(ROM_SIZE).fill(0xf4);
  image.set(bytes, 0);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return { image, labels };
}

/** Both machines at the reset vector. */
async function both(): Promise<{ doppel: Doppel; qemu: Qemu }> {
  const { image, labels } = rom();
  const folder = mkdtempSync(join(tmpdir(), "doppel-rom-"));
  const file = join(folder, "rom");
  writeFileSync(file, image);
  const qemu = await Qemu.start(["-bios", file], MEMORY);
  onTestFinished(() => {
    qemu.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  // The interrupt table, which firmware would make: vector 3.
  const handler = labels.get("handler")!;
  await qemu.gdb.request(`Mc,4:${Buffer.from(Uint8Array.of(handler, handler >> 8, 0x00, 0xf0)).toString("hex")}`);
  const doppel = new Doppel(MEMORY, image);
  doppel.adopt(await qemu.cpu(), await qemu.ram());
  return { doppel, qemu };
}

test.skipIf(!hasQemu)("a ROM runs to its HLT with no difference", async () => {
  const { doppel, qemu } = await both();
  const outcome = await compare(doppel, qemu, { count: 1000 });
  expect(outcome.differences).toEqual([]);
  expect(outcome.kind).toBe("halted");
}, 60_000);

test.skipIf(!hasQemu)("a wrong definition is found at its first use: ADC that adds no carry", async () => {
  const { doppel, qemu } = await both();
  const { engine } = doppel.vm;
  const right = engine.handlers.handler.bind(engine.handlers);
  const add = FORMS.filter((form) => form.mnemonic === "ADD");
  engine.handlers.handler = (instruction: Instruction, long, flat) => {
    const { form } = instruction;
    const wrong = form.mnemonic === "ADC" ? add.find((other) => JSON.stringify(other.operands) === JSON.stringify(form.operands)) : undefined;
    return right(wrong === undefined ? instruction : Object.assign(Object.create(Object.getPrototypeOf(instruction)), instruction, { form: wrong }), long, flat);
  };
  const outcome = await compare(doppel, qemu, { count: 1000 });
  expect(outcome.kind).toBe("difference");
  expect(outcome.history.at(-1)).toMatch(/adc ebx, 0x7fffffff/);
  expect(outcome.differences.map(({ place }) => place)).toContain("ebx");
}, 60_000);

test.skipIf(!hasQemu)("a wrong store is found where it is stored, not where it is loaded", async () => {
  const { doppel, qemu } = await both();
  doppel.vm.memory.map.load(0xf0000 + rom().image.indexOf(0x55), Uint8Array.of(0x56));
  doppel.vm.memory.map.load(0xffff0000 + rom().image.indexOf(0x55), Uint8Array.of(0x56));
  const outcome = await compare(doppel, qemu, { count: 1000 });
  expect(outcome.differences).toEqual([{ place: "[00003000]", doppel: "56", qemu: "55" }]);
}, 60_000);

test.skipIf(!hasQemu)("interrupts are mirrored: the embedded guest ticks in its idle loop", async () => {
  const vm = await createVm({ guest: "embedded", memory: MEMORY });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  await vm.pause();
  const idle = vm.machine.cpu.state.rip;
  vm.stop();
  await end;
  const folder = mkdtempSync(join(tmpdir(), "doppel-embedded-"));
  writeFileSync(join(folder, "kernel"), vm.machine.options.multiboot!.image);
  const qemu = await Qemu.start(["-kernel", join(folder, "kernel")], MEMORY, true);
  onTestFinished(() => {
    qemu.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await qemu.gdb.runTo(idle, 3);
  const doppel = new Doppel(MEMORY);
  doppel.adopt(await qemu.cpu(), await qemu.ram());
  const outcome = await compare(doppel, qemu, { count: 1000, interrupts: true });
  expect(outcome.differences).toEqual([]);
  expect(outcome.interrupts).toBeGreaterThan(5);
}, 60_000);
