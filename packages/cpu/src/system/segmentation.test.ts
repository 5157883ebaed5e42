/** Segment registers; expectations from SDM volume 3, chapters 3 and 5, and volume 2, MOV. */
import { describe, expect, test } from "vitest";
import { MODE_CODE32, MODE_FLAT, MODE_PROTECTED, MODE_STACK32, MODE_USER } from "../mode.ts";
import { CS, DS, ES, FS, SEGMENT, SEGMENT_STRIDE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, SS } from "../state-layout.ts";
import { CODE0, CODE3, CODE, DATA, DATA0, DATA3, descriptor, FREE, GDT, LDT, Machine, TSS_SELECTOR } from "./fixture.ts";

const lengths = (m: Machine, segment: number): number[] =>
  [SEG_READ_LENGTH, SEG_WRITE_LENGTH].map((field) => m.cpu.state.address(SEGMENT + segment * SEGMENT_STRIDE + field));

describe("SDM 20.1 real mode", () => {
  test("power-on: CS base FFFF0000, EIP FFF0, sixteen-bit, nothing flat", () => {
    const { state } = new Machine().cpu;
    expect([state.selector(CS), state.segmentBase(CS), state.rip, state.mode]).toEqual([0xf000, 0xffff0000, 0xfff0, 0]);
  });
  test("a load changes base and selector only: unreal mode keeps its limit", () => {
    const m = new Machine().protect();
    m.helpers.writeControl(0, 0x10, 0);
    m.helpers.loadSegment(DS, 0x1234);
    expect([m.cpu.state.segmentBase(DS), m.cpu.state.segmentLimit(DS)]).toEqual([0x12340, 0xffffffff]);
    expect(lengths(m, DS)).toEqual([2 ** 32, 2 ** 32]);
  });
});

describe("SDM 3.4 and 5.6 data segments", () => {
  test("flat protected mode", () => {
    expect(new Machine().protect().cpu.state.mode).toBe(MODE_PROTECTED | MODE_CODE32 | MODE_STACK32 | MODE_FLAT);
    expect(new Machine().protect(3).cpu.state.mode & MODE_USER).toBe(MODE_USER);
  });
  test("null is loaded and unusable; an access is #GP(0)", () => {
    const m = new Machine().protect();
    expect(m.fault(m.helpers.loadSegment(ES, 3))).toBe("ok");
    expect(lengths(m, ES)).toEqual([0, 0]);
    expect(m.fault(m.helpers.segmentCheck(ES, 0, 0, 1, 0))).toBe("13(0)");
    expect(m.cpu.state.mode & MODE_FLAT).toBe(0);
  });
  test("privilege, type, presence and table limit", () => {
    const m = new Machine().protect(3);
    m.put(GDT + FREE, descriptor(0, 0xffff, 0x98));
    m.put(GDT + FREE + 8, descriptor(0, 0xffff, 0x72));
    m.put(GDT + FREE + 16, descriptor(0, 0xffff, 0x9e));
    expect(m.fault(m.helpers.loadSegment(DS, DATA0))).toBe("13(10)");
    expect(m.fault(m.helpers.loadSegment(DS, FREE))).toBe("13(40)");
    expect(m.fault(m.helpers.loadSegment(DS, FREE + 8))).toBe("11(48)");
    expect(m.fault(m.helpers.loadSegment(DS, FREE + 16))).toBe("ok");
    expect(m.fault(m.helpers.loadSegment(DS, TSS_SELECTOR))).toBe("13(28)");
    expect(m.fault(m.helpers.loadSegment(DS, 0x400))).toBe("13(400)");
    expect(m.fault(m.helpers.loadSegment(DS, 7))).toBe("13(4)");
  });
  test("the accessed bit is set in memory", () => {
    const m = new Machine().protect();
    m.put(GDT + FREE, descriptor(0, 0xffff, DATA));
    m.helpers.loadSegment(FS, FREE);
    expect(m.ram.getUint8(GDT + FREE + 5)).toBe(DATA | 1);
  });
  test("SS: RPL, DPL and writability are #GP, absence is #SS, null is #GP(0)", () => {
    const m = new Machine().protect();
    m.put(GDT + FREE, descriptor(0, 0xffff, 0x90));
    m.put(GDT + FREE + 8, descriptor(0, 0xffff, 0x12));
    expect(m.fault(m.helpers.loadSegment(SS, DATA3))).toBe("13(20)");
    expect(m.fault(m.helpers.loadSegment(SS, FREE))).toBe("13(40)");
    expect(m.fault(m.helpers.loadSegment(SS, FREE + 8))).toBe("12(48)");
    expect(m.fault(m.helpers.loadSegment(SS, 0))).toBe("13(0)");
  });
  test("LDT", () => {
    const m = new Machine().protect();
    m.put(GDT + FREE, descriptor(LDT, 15, 0x82));
    m.put(LDT + 8, descriptor(0x5000, 0xfff, DATA));
    expect(m.fault(m.helpers.lldt(FREE))).toBe("ok");
    expect(m.fault(m.helpers.loadSegment(FS, 0xc))).toBe("ok");
    expect(m.cpu.state.segmentBase(FS)).toBe(0x5000);
    expect(m.fault(m.helpers.loadSegment(FS, 0x14))).toBe("13(14)");
    expect(m.fault(m.helpers.lldt(CODE0))).toBe("13(8)");
  });
});

describe("SDM 5.3 limit checking", () => {
  test("the last byte counts; SS faults with #SS", () => {
    const m = new Machine().protect();
    m.put(GDT + FREE, descriptor(0, 0xfff, DATA, 4));
    m.helpers.loadSegment(DS, FREE);
    expect(lengths(m, DS)).toEqual([0x1000, 0x1000]);
    expect(m.fault(m.helpers.segmentCheck(DS, 0xffc, 0, 4, 1))).toBe("ok");
    expect(m.fault(m.helpers.segmentCheck(DS, 0xffd, 0, 4, 1))).toBe("13(0)");
    m.helpers.loadSegment(SS, FREE);
    expect(m.fault(m.helpers.segmentCheck(SS, 0xfff, 0, 2, 0))).toBe("12(0)");
  });
  test("expand-down: offsets above the limit, up to 64 KiB or 4 GiB", () => {
    const m = new Machine().protect();
    m.put(GDT + FREE, descriptor(0, 0xfff, 0x96, 0));
    m.put(GDT + FREE + 8, descriptor(0, 0xfff, 0x96, 4));
    m.helpers.loadSegment(DS, FREE);
    expect(lengths(m, DS)).toEqual([0, 0]);
    expect(m.fault(m.helpers.segmentCheck(DS, 0xfff, 0, 1, 0))).toBe("13(0)");
    expect(m.fault(m.helpers.segmentCheck(DS, 0x1000, 0, 1, 1))).toBe("ok");
    expect(m.fault(m.helpers.segmentCheck(DS, 0xffff, 0, 2, 1))).toBe("13(0)");
    m.helpers.loadSegment(DS, FREE + 8);
    expect(m.fault(m.helpers.segmentCheck(DS, 0xfffffffc, 0, 4, 1))).toBe("ok");
  });
  test("read-only data and execute-only code", () => {
    const m = new Machine().protect();
    m.put(GDT + FREE, descriptor(0, 0xfff, 0x90));
    m.helpers.loadSegment(DS, FREE);
    expect(lengths(m, DS)).toEqual([0x1000, 0]);
    expect(m.fault(m.helpers.segmentCheck(DS, 0, 0, 4, 1))).toBe("13(0)");
    m.put(GDT + FREE + 8, descriptor(0, 0xfff, 0x98, 4));
    m.helpers.farJump(4, FREE + 8, 0, 0, 0, 0);
    expect(m.fault(m.helpers.segmentCheck(CS, 0, 0, 4, 0))).toBe("13(0)");
  });
});

describe("SDM volume 2: LAR, LSL, VERR, VERW, ARPL", () => {
  test("visible descriptors answer, others clear ZF", () => {
    const m = new Machine().protect(3);
    const scratch = (): number[] => [m.cpu.state.scratch(0), m.cpu.state.scratch(2)];
    m.helpers.lar(CODE3);
    expect(scratch()).toEqual([0x00c0fa00, 1]);
    m.helpers.lsl(DATA3);
    expect(scratch()).toEqual([0xffffffff, 1]);
    m.helpers.lar(DATA0);
    expect(scratch()[1]).toBe(0);
    m.helpers.verw(CODE3);
    expect(scratch()[1]).toBe(0);
    m.helpers.verr(CODE3);
    expect(scratch()[1]).toBe(1);
    m.helpers.verr(0);
    expect(scratch()[1]).toBe(0);
  });
  test("#UD in real mode", () => {
    const m = new Machine();
    for (const name of ["lar", "lsl", "verr", "verw", "lldt", "ltr"] as const) expect(m.fault(m.helpers[name](8))).toBe("6");
    for (const name of ["sldt", "str", "checkProtected"] as const) expect(m.fault(m.helpers[name]())).toBe("6");
  });
  test("CODE is what the manual's type 10 says", () => expect(CODE & 0x1f).toBe(0x1a));
});
