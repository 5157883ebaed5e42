/** FPU images; expectations from SDM volume 1, 8.1.10 and 10.5.1, and volume 2, FXSAVE (table 3-43), FSTENV. */
import { describe, expect, test } from "vitest";
import { Machine } from "./fixture.ts";

/** TOP 6: R6 is 1.0, R7 is zero, R0 is an infinity; the others are empty. */
function loaded(m: Machine): Machine {
  const { state } = m.cpu;
  state.fpuControl = 0x37f;
  state.fpuStatus = 6 << 11;
  state.fpuTags = 0b1100_0001;
  state.fpr(6).set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
  state.fpr(7).fill(0);
  state.fpr(0).set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f]);
  state.fpuOpcode = 0x1d9;
  state.setFpuPointers(0x12345, 0x1b, 0x23456, 0x23);
  state.xmm(7).fill(0x77);
  return m;
}

describe("FXSAVE and FXRSTOR", () => {
  test("layout", () => {
    const m = loaded(new Machine().protect());
    m.words(0x6000 + 416, 0x11111111);
    m.words(0x6000 + 288, 0x22222222);
    expect(m.fault(m.helpers.fxsave(0x6000, 0, 4))).toBe("ok");
    expect([m.half(0x6000), m.half(0x6002), m.ram.getUint8(0x6004), m.half(0x6006), m.word(0x6008), m.half(0x600c), m.word(0x6010), m.half(0x6014)])
      .toEqual([0x37f, 0x3000, 0xc1, 0x1d9, 0x12345, 0x1b, 0x23456, 0x23]);
    expect([m.word(0x6018), m.word(0x601c), m.half(0x6028), m.half(0x6048), m.word(0x6000 + 160 + 7 * 16)]).toEqual([0x1f80, 0xffff, 0x3fff, 0x7fff, 0x77777777]);
    expect([m.word(0x6000 + 288), m.word(0x6000 + 416)]).toEqual([0x22222222, 0x11111111]);
  });
  test("back again; MXCSR's reserved bits; without OSFXSR the SSE state stays", () => {
    const m = loaded(new Machine().protect());
    m.helpers.fxsave(0x6000, 0, 4);
    m.cpu.state.xmm(7).fill(0);
    m.cpu.state.fpuTags = 0;
    m.helpers.fxrstor(0x6000, 0, 4);
    expect([m.cpu.state.fpuTags, m.cpu.state.xmm(7)[0], m.cpu.state.fpuDs]).toEqual([0xc1, 0, 0x23]);
    m.cpu.cr4 |= 0x200;
    m.helpers.fxrstor(0x6000, 0, 4);
    expect(m.cpu.state.xmm(7)[0]).toBe(0x77);
    m.words(0x6018, 0x11f80);
    expect(m.fault(m.helpers.fxrstor(0x6000, 0, 4))).toBe("13(0)");
  });
  test("#GP(0) unless 16-byte aligned, #NM with CR0.TS", () => {
    const m = new Machine().protect();
    expect(m.fault(m.helpers.fxsave(0x6008, 0, 4))).toBe("13(0)");
    m.cpu.cr0 |= 8;
    expect(m.fault(m.helpers.fxsave(0x6000, 0, 4))).toBe("7");
  });
});

describe("FSTENV, FLDENV, FSAVE, FRSTOR", () => {
  test("32-bit protected mode", () => {
    const m = loaded(new Machine().protect());
    m.cpu.state.fpuControl = 0x340;
    m.helpers.fstenv(0x6000, 0, 4);
    expect([0, 1, 2, 3, 4, 5, 6].map((i) => m.word(0x6000 + 4 * i))).toEqual([0xffff0340, 0xffff3000, 0xffff4ffe, 0x12345, 0x01d9001b, 0x23456, 0xffff0023]);
    expect(m.cpu.state.fpuControl).toBe(0x37f);
    m.cpu.state.fpuTags = 0;
    m.cpu.state.setFpuPointers(0, 0, 0, 0);
    m.helpers.fldenv(0x6000, 0, 4);
    expect([m.cpu.state.fpuControl, m.cpu.state.fpuTags, m.cpu.state.fpuIp, m.cpu.state.fpuCs, m.cpu.state.fpuOpcode]).toEqual([0x340, 0xc1, 0x12345, 0x1b, 0x1d9]);
  });
  test("16-bit real mode", () => {
    const m = loaded(new Machine());
    m.cpu.state.setFpuPointers(0x2345, 0x1000, 0x3456, 0x2000);
    m.helpers.fstenv(0x6000, 0, 2);
    expect([0, 1, 2, 3, 4, 5, 6].map((i) => m.half(0x6000 + 2 * i))).toEqual([0x37f, 0x3000, 0x4ffe, 0x2345, 0x11d9, 0x3456, 0x2000]);
  });
  test("FSAVE stores ST(0) first and initialises", () => {
    const m = loaded(new Machine().protect());
    m.helpers.fsave(0x6000, 0, 4);
    expect([m.half(0x6000 + 36), m.half(0x6000 + 28 + 28)]).toEqual([0x3fff, 0x7fff]);
    expect([m.cpu.state.fpuControl, m.cpu.state.fpuStatus, m.cpu.state.fpuTags]).toEqual([0x37f, 0, 0]);
    m.cpu.state.fpr(6).fill(0);
    m.helpers.frstor(0x6000, 0, 4);
    expect([m.cpu.state.fpr(6)[9], m.cpu.state.fpuStatus, m.cpu.state.fpuTags]).toEqual([0x3f, 0x3000, 0xc1]);
  });
});
