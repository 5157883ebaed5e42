/** The hot state's accessors: lazy flags give back every combination (SDM volume 1, 3.4.3), and saves are complete. */
import { decode, encode, type Persist } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { HotState } from "./hot-state.ts";
import { CS, FLAG_AUX, FLAG_RESULT, SS } from "./state-layout.ts";
import { applyBreakpoints } from "./system/debug-registers.ts";
import { Machine } from "./system/fixture.ts";
import type { CpuImage } from "./system/save-image.ts";

describe("EFLAGS", () => {
  const state = new HotState(new ArrayBuffer(0x2000));
  test("all 64 combinations of the arithmetic flags", () => {
    for (let i = 0; i < 64; i += 1) {
      const flags = 2 | (i & 1) | ((i & 2) << 1) | ((i & 4) << 2) | ((i & 8) << 3) | ((i & 16) << 3) | ((i & 32) << 6);
      state.eflags = flags | 0x200;
      expect(state.eflags).toBe(flags | 0x200);
    }
  });
  test("from a result and carries, as generated code leaves them: 0x7f + 1 in a byte", () => {
    state.eflags = 2;
    state.setAddress(FLAG_RESULT, -128);
    state.setWord(FLAG_AUX, (1 << 30) | (1 << 3));
    expect(state.eflags).toBe(2 | 0x80 | 0x800 | 0x10);
  });
});

describe("addresses and registers", () => {
  const state = new HotState(new ArrayBuffer(0x2000));
  test("64 bits as a signed number", () => {
    for (const value of [0, 1, 0xffffffff, 2 ** 32, -1, -4096, -(2 ** 47), 2 ** 47 - 1]) {
      state.rip = value;
      expect(state.rip).toBe(value);
    }
  });
  test("a 32-bit write clears the upper half, a 16-bit one keeps the rest", () => {
    state.setGpr64(0, -1, -1);
    state.setGpr16(0, 0x1234);
    expect([state.gpr32(0), state.gprHigh(0)]).toEqual([0xffff1234, 0xffffffff]);
    state.setGpr32(0, 5);
    expect(state.gprAddress(0)).toBe(5);
  });
});

describe("save and restore", () => {
  test("a restored vCPU has the same image and goes on alike", () => {
    const m = new Machine().protect(3);
    const { cpu } = m;
    m.time = 1000;
    cpu.state.eflags = 0x8d7;
    cpu.msr.set(0x277, 0x01040506, 0);
    cpu.cr2 = 0xfedcb000;
    cpu.dr[0] = 0x6000;
    cpu.dr[7] = 0x00010401;
    applyBreakpoints(cpu);
    cpu.mmu.setA20(false);
    cpu.nmiBlocked = true;
    const image = structuredClone(cpu.save());
    const other = new Machine();
    other.time = 77;
    other.cpu.restore(image);
    expect(other.cpu.save()).toEqual(image);
    expect([other.cpu.state.mode, other.cpu.state.eflags, other.cpu.msr.tsc, other.cpu.protectedMode, other.cpu.dataBreakpoints])
      .toEqual([cpu.state.mode, 0x8d7, 1000, true, true]);
  });
  test("equal flags have equal images, however they came about", () => {
    const [a, b] = [new Machine(), new Machine()];
    a.cpu.state.eflags = 0x46;
    b.cpu.state.eflags = 0x46;
    b.cpu.state.setWord(FLAG_AUX, 3 << 8);
    expect(a.cpu.save().hot).toEqual(b.cpu.save().hot);
  });
  test("the image goes through the codec of @doppel/persist", () => {
    const part: Persist<CpuImage> = new Machine().protect(3).cpu;
    const image = part.save();
    expect(decode(encode(image))).toEqual(image);
  });
  test("an image of something else is refused, and nothing changes", () => {
    const { cpu } = new Machine().protect(3);
    const before = cpu.save();
    expect(() => cpu.restore({ ...before, dr: [] } as unknown as CpuImage)).toThrow(expect.objectContaining({ code: "PERSIST_SHAPE" }));
    expect(cpu.save()).toEqual(before);
  });
  test("SS.B is part of the mode, except in 64-bit code (SDM volume 3, 3.4.5)", () => {
    const { cpu } = new Machine().protect(0);
    const modes = (): number[] => [0x00cf9300, 0x008f9300].map((attributes) => {
      cpu.state.setSegmentAttributes(SS, attributes);
      cpu.updateMode();
      return cpu.state.mode;
    });
    expect(new Set(modes()).size).toBe(2);
    cpu.efer = 0x500;
    cpu.state.setSegmentAttributes(CS, 0x00af9b00);
    expect(new Set(modes()).size).toBe(1);
  });
  test("reset is the state after power-on", () => {
    const m = new Machine().protect(3);
    m.cpu.reset();
    expect(m.cpu.save()).toEqual(new Machine().cpu.save());
  });
});
