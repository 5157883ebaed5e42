/** The README's example. */
import { Arena, Frames, PhysicalMap } from "@doppel/memory";
import { TLB_SIZE } from "@doppel/mmu";
import { assemble } from "@doppel/x86";
import { expect, test } from "vitest";
import { Cpu, Interpreter } from "./index.ts";

test("README example", () => {
  const arena = new Arena(16 << 20);
  arena.reserve(4096);
  const tlbBase = arena.reserve(TLB_SIZE);
  const frames = new Frames(arena, 256);
  const physical = new PhysicalMap(frames);
  physical.addRam(0, 1 << 20);
  const bus = { readPort: () => 0xff, writePort: () => {}, readMmio: () => 0xff, writeMmio: () => {} };
  const cpu = new Cpu({ buffer: arena.buffer, tlbBase, physical, bus });
  const engine = new Interpreter({ cpu, frames, recordsSize: 1 << 20 });
  physical.load(0xffff0, assemble("mov ax, 6\n mov bx, 7\n mul bx\n hlt", { bits: 16 }));
  cpu.state.setSegmentBase(1, 0xf0000);
  expect(engine.run(100)).toEqual({ reason: "halted" });
  expect(cpu.state.gpr16(0)).toBe(42);
});
