/** Far transfers and call gates; expectations from SDM volume 2, JMP, CALL and RET, and volume 3, 5.8. */
import { describe, expect, test } from "vitest";
import { CS, DS, SS } from "../state-layout.ts";
import { CODE, CODE0, CODE16, CODE3, DATA0, DATA3, descriptor, FREE, gate, GDT, Machine, TSS } from "./fixture.ts";

const jump = (m: Machine, selector: number, offset = 0): string => m.fault(m.helpers.farJump(4, selector, offset, 0, 0x7007, 0));
const call = (m: Machine, selector: number, offset = 0): string => m.fault(m.helpers.farCall(4, selector, offset, 0, 0x7007, 0));

describe("real mode", () => {
  test("CALL and RETF n", () => {
    const m = new Machine();
    const { state } = m.cpu;
    m.helpers.loadSegment(SS, 0x1000);
    state.setGpr32(4, 0x10);
    expect(m.fault(m.helpers.farCall(2, 0x3000, 0x1234, 0, 0x105, 0))).toBe("ok");
    expect([state.segmentBase(CS), state.rip, ...m.stack(2, 2)]).toEqual([0x30000, 0x1234, 0x105, 0xf000]);
    expect(m.fault(m.helpers.farReturn(2, 6))).toBe("ok");
    expect([state.selector(CS), state.rip, state.gpr16(4)]).toEqual([0xf000, 0x105, 0x16]);
  });
  test("an offset past CS's limit is #GP", () => {
    const m = new Machine();
    expect(m.fault(m.helpers.farJump(4, 0x3000, 0x10000, 0, 0, 0))).toBe("13(0)");
  });
  test("a stack that wraps: SP 1 pushes at FFFF", () => {
    const m = new Machine();
    m.cpu.state.setGpr32(4, 1);
    expect(m.fault(m.helpers.farCall(2, 0x3000, 0, 0, 0, 0))).toBe("12(0)");
  });
});

describe("protected mode, direct", () => {
  test("privilege rules of conforming and other code", () => {
    const m = new Machine().protect(3);
    m.put(GDT + FREE, descriptor(0, 0xffff, 0x9e, 4));
    m.put(GDT + FREE + 8, descriptor(0, 0xffff, 0x7a, 4));
    expect(jump(m, CODE0)).toBe("13(8)");
    expect(jump(m, 0)).toBe("13(0)");
    expect(jump(m, DATA3)).toBe("13(20)");
    expect(jump(m, FREE + 8)).toBe("11(48)");
    expect(jump(m, FREE, 0x10000)).toBe("13(0)");
    expect(jump(m, FREE, 0x500)).toBe("ok");
    expect([m.cpu.state.selector(CS), m.cpu.state.cpl]).toEqual([FREE | 3, 3]);
  });
  test("CALL pushes CS and EIP; nothing moves when it faults", () => {
    const m = new Machine().protect();
    expect(call(m, CODE16, 0x10)).toBe("ok");
    expect(m.stack(2)).toEqual([0x7007, CODE0]);
    const n = new Machine().protect();
    n.cpu.state.setGpr32(4, 6);
    n.put(GDT + FREE, descriptor(0, 0xfff, 0x92, 4));
    n.helpers.loadSegment(SS, FREE);
    expect(call(n, CODE16, 0x10)).toBe("12(0)");
    expect([n.cpu.state.gpr32(4), n.cpu.state.rip, n.cpu.state.selector(CS)]).toEqual([6, 0x7000, CODE0]);
  });
  test("RETF to the outer level drops data segments", () => {
    const m = new Machine().protect();
    m.cpu.state.setGpr32(4, 0x1e000);
    m.words(0x1e000, 0x7100, CODE3, 1, 2, 0x2f000, DATA3);
    expect(m.fault(m.helpers.farReturn(4, 8))).toBe("ok");
    const { state } = m.cpu;
    expect([state.cpl, state.rip, state.gpr32(4), state.selector(SS), state.selector(DS)]).toEqual([3, 0x7100, 0x2f008, DATA3, 0]);
  });
  test("RETF inwards is #GP with the selector", () => {
    const m = new Machine().protect(3);
    m.words(0x2f000, 0, CODE0);
    expect(m.fault(m.helpers.farReturn(4, 0))).toBe("13(8)");
  });
});

describe("SDM 5.8 call gates", () => {
  test("to an inner level: stack of the TSS, parameters copied, and RETF n back", () => {
    const m = new Machine().protect(3);
    const { state } = m.cpu;
    m.put(GDT + FREE, gate(CODE0, 0x9000, 0xec, 2));
    m.words(0x2f000, 0x111, 0x222);
    expect(call(m, FREE | 3, 0x55)).toBe("ok");
    expect(m.stack(6)).toEqual([0x7007, CODE3, 0x111, 0x222, 0x2f000, DATA3]);
    expect([state.cpl, state.rip, state.selector(CS), state.selector(SS)]).toEqual([0, 0x9000, CODE0, DATA0]);
    expect(m.fault(m.helpers.farReturn(4, 8))).toBe("ok");
    expect([state.cpl, state.rip, state.gpr32(4)]).toEqual([3, 0x7007, 0x2f008]);
  });
  test("16-bit gate", () => {
    const m = new Machine().protect(3);
    m.put(GDT + FREE, gate(CODE0, 0x9000, 0xe4, 1));
    m.words(0x2f000, 0x111);
    expect(call(m, FREE | 3)).toBe("ok");
    expect(m.stack(5, 2)).toEqual([0x7007, CODE3, 0x111, 0xf000, DATA3]);
  });
  test("checks", () => {
    const m = new Machine().protect(3);
    m.put(GDT + FREE, gate(CODE0, 0, 0x8c));
    m.put(GDT + FREE + 8, gate(CODE0, 0, 0x6c));
    m.put(GDT + FREE + 16, gate(DATA0, 0, 0xec));
    m.put(GDT + FREE + 24, gate(CODE0, 0, 0xec));
    m.put(GDT + FREE + 32, gate(0, 0, 0xec));
    m.put(GDT + FREE + 40, descriptor(0, 0xfff, CODE & ~0x80));
    m.put(GDT + FREE + 48, gate(FREE + 40, 0, 0xec));
    expect(call(m, FREE)).toBe("13(40)");
    expect(call(m, FREE + 8)).toBe("11(48)");
    expect(call(m, FREE + 16)).toBe("13(10)");
    expect(jump(m, FREE + 24)).toBe("13(8)");
    expect(call(m, FREE + 32)).toBe("13(0)");
    expect(call(m, FREE + 48)).toBe("11(68)");
    m.words(TSS + 8, 0x400);
    expect(call(m, FREE + 24)).toBe("10(400)");
    m.words(TSS + 4, 0x1f000, CODE0);
    expect(call(m, FREE + 24)).toBe("10(8)");
    m.put(GDT + FREE + 56, descriptor(0, 0xffff, 0x12, 4));
    m.words(TSS + 8, FREE + 56);
    expect(call(m, FREE + 24)).toBe("12(78)");
    m.put(GDT + FREE + 56, descriptor(0, 0xff, 0x92, 4));
    expect(call(m, FREE + 24)).toBe("12(78)");
    expect(m.cpu.state.gpr32(4)).toBe(0x2f000);
  });
});
