/** REP MOVS and REP STOS do whole runs at once wherever the page tables put them. What they do is the vectors' business. */
import { bareMachine } from "@doppel/testkit";
import { assemble, DESCRIPTOR_L } from "@doppel/x86";
import { expect, test } from "vitest";
import { CPU_MODELS } from "./system/cpu-model.ts";
import { CS } from "./state-layout.ts";

const CODE = 0x1000;
const MIB = 1 << 20;

/** 64-bit code; the first 4 MiB of both halves are identical to RAM, and page 10h of the 2 MiB behind them is physical page 20h. */
function machine(source: string): ReturnType<typeof bareMachine> {
  const made = bareMachine({ model: CPU_MODELS["x86-64"] });
  const { cpu, physical } = made;
  const entry = (table: number, index: number, value: number): void => physical.load(table + 8 * index, Uint8Array.of(value, value >> 8, value >> 16, 0, 0, 0, 0, 0));
  for (const index of [0, 256]) entry(0x8000, index, 0x9003);
  entry(0x9000, 0, 0xa003);
  for (const index of [0, 1]) entry(0xa000, index, 0x83);
  entry(0xa000, 2, 0xb003);
  entry(0xb000, 0x10, 0x20003);
  for (let segment = 0; segment < 6; segment += 1) cpu.state.setSegmentAttributes(segment, segment === CS ? 0x008f9b00 | DESCRIPTOR_L : 0x00cf9300);
  cpu.state.setSegmentBase(CS, 0);
  Object.assign(cpu, { cr0: 0x80000011 | 0, cr3: 0x8000, cr4: 0x20, efer: 0x500 });
  cpu.applyPaging();
  cpu.mmu.setRoot(0x8000);
  cpu.deriveSegments();
  physical.load(CODE, assemble(source, { origin: CODE, bits: 64 }));
  cpu.state.rip = CODE;
  return made;
}

/** Runs the program to its HLT; how often generated code asked for a run of iterations. */
function calls({ engine, cpu }: ReturnType<typeof machine>, helper: string): number {
  const { helpers } = engine as unknown as { helpers: Record<string, (...args: number[]) => number> };
  const original = helpers[helper]!;
  let count = 0;
  helpers[helper] = (...args) => (count++, original(...args));
  cpu.state.setGpr64(1, 512, 0);
  expect(engine.run(10_000).reason).toBe("halted");
  expect([cpu.state.gpr32(1), engine.retired]).toEqual([0, 512 + 1]);
  return count;
}

test("REP STOS in the upper half of the address space takes a page at once", () => {
  const made = machine("rep stosq\nhlt");
  made.cpu.state.setGpr64(0, 0x11223344, 0x55667788);
  made.cpu.state.setGpr64(7, 0x10000, -0x8000);
  expect(calls(made, "bulkStos")).toBeLessThan(6);
  expect([0x10000, 0x10ff8, 0x10ffc, 0x11000].map((at) => made.physical.read32(at))).toEqual([0x11223344, 0x11223344, 0x55667788, 0]);
});

test("REP MOVS between pages with one place in the TLB takes a page at once", () => {
  const made = machine("rep movsq\nhlt");
  made.physical.load(0x10000, Uint8Array.from({ length: 4096 }, (_, n) => n));
  made.cpu.state.setGpr64(6, 0x10000, -0x8000);
  made.cpu.state.setGpr64(7, 4 * MIB + 0x10000, -0x8000);
  expect(calls(made, "bulkMovs")).toBeLessThan(6);
  expect(made.cpu.mmu.walks).toBeLessThan(12);
  const copy = new Uint8Array(4096);
  made.physical.readBytes(0x20000, copy);
  expect(copy).toEqual(Uint8Array.from({ length: 4096 }, (_, n) => n));
});

test("downwards as well: REP STOS and REP MOVS, also onto what lies ahead of them", () => {
  const stored = machine("rep stosq\nhlt");
  stored.cpu.state.systemFlags |= 0x400;
  stored.cpu.state.setGpr64(0, 0x11223344, 0x55667788);
  stored.cpu.state.setGpr64(7, 0x10ff8, -0x8000);
  expect(calls(stored, "bulkStos")).toBeLessThan(6);
  expect([0xfff8, 0x10000, 0x10004, 0x10ff8, 0x10ffc, 0x11000].map((at) => stored.physical.read32(at))).toEqual([0, 0x11223344, 0x55667788, 0x11223344, 0x55667788, 0]);
  // To eight bytes above, as one moves bytes up; to eight bytes below, where each element is what was written just before.
  const before = Uint8Array.from({ length: 4096 }, (_, n) => (n * 7) >> 3);
  for (const by of [8, -8]) {
    const moved = machine("rep movsq\nhlt");
    moved.cpu.state.systemFlags |= 0x400;
    moved.physical.load(0x10000, before);
    moved.cpu.state.setGpr64(6, 0x10ff8, -0x8000);
    moved.cpu.state.setGpr64(7, 0x10ff8 + by, -0x8000);
    expect(calls(moved, "bulkMovs")).toBeLessThan(8);
    const after = new Uint8Array(4096);
    moved.physical.readBytes(0x10000 + by, after);
    expect(after).toEqual(by > 0 ? before : Uint8Array.from({ length: 4096 }, (_, n) => before[0xff8 + (n & 7)]!));
    expect([moved.cpu.state.gpr32(6), moved.cpu.state.gpr32(7)]).toEqual([0xfff8, 0xfff8 + by]);
  }
});

test("where code was executed, REP STOS and REP MOVS take a page at once, and the code is as it was written", () => {
  for (const [source, helper] of [["call rdx\nrep stosq\nmov ebx, eax\ncall rdx\nhlt", "bulkStos"], ["call rdx\nrep movsq\nmov ebx, eax\ncall rdx\nhlt", "bulkMovs"]] as const) {
    const made = machine(source);
    const { cpu, physical } = made;
    physical.load(0x10100, assemble("mov eax, 1\nret", { origin: 0x10100, bits: 64 }));
    const after = assemble("mov eax, 2\nret\nnop\nnop", { origin: 0x10100, bits: 64 });
    for (let at = 0x30000; at < 0x31000; at += 8) physical.load(at, after);
    cpu.state.setGpr64(2, 0x10100, 0);
    cpu.state.setGpr64(4, 0x7000, 0);
    cpu.state.setGpr64(6, 0x30000, 0);
    cpu.state.setGpr64(7, 0x10000, 0);
    cpu.state.setGpr64(1, 512, 0);
    const { helpers } = made.engine as unknown as { helpers: Record<string, (...args: number[]) => number> };
    const original = helpers[helper]!;
    let count = 0;
    helpers[helper] = (...args) => (count++, original(...args));
    if (helper === "bulkStos") {
      // What is stored is in RAX, which the function at the place sets: the second call returns what the code there says now.
      physical.load(0x10100, assemble("mov rax, [0x30000]\nret", { origin: 0x10100, bits: 64 }));
    }
    expect(made.engine.run(10_000).reason).toBe("halted");
    expect(count).toBeLessThan(6);
    expect(cpu.state.gpr32(0)).toBe(2);
  }
});

test("a REP STOS that overwrites itself ends where it is no more", () => {
  const made = machine("rep stosb\nhlt");
  // The seventeenth iteration puts HLT where the instruction begins.
  made.cpu.state.setGpr64(0, 0xf4, 0);
  made.cpu.state.setGpr64(7, CODE - 16, 0);
  made.cpu.state.setGpr64(1, 512, 0);
  expect(made.engine.run(10_000).reason).toBe("halted");
  expect([made.cpu.state.gpr32(1), made.cpu.state.gpr32(7), made.cpu.state.rip]).toEqual([512 - 17, CODE + 1, CODE + 1]);
});

test("what is no RAM stays as it is: REP STOS onto ROM", () => {
  const made = machine("rep stosq\nhlt");
  made.physical.map(0x10, made.physical.frameOf(0x10), "rom");
  made.cpu.state.setGpr64(0, -1, -1);
  made.cpu.state.setGpr64(7, 0x10000, 0);
  calls(made, "bulkStos");
  expect([made.physical.read32(0x10000), made.physical.read32(0x10ffc), made.cpu.state.gpr32(7)]).toEqual([0, 0, 0x11000]);
});
