/** Hardware tasks; expectations from SDM volume 3, chapter 7 (tables 7-1 and 7-2, figures 7-2 and 7-10). */
import { describe, expect, test } from "vitest";
import { CS, DS, ES, LDTR, SS, TR } from "../state-layout.ts";
import { CODE0, CODE16, CODE3, DATA0, DATA16, DATA3, descriptor, FREE, gate, GDT, IDT, LDT, Machine, TSS, TSS_SELECTOR } from "./fixture.ts";

const NEW = 0x4000;
const NEW_SELECTOR = FREE;
const TASK_GATE = FREE + 8;
const LDT_SELECTOR = FREE + 16;
const OLD16 = 0x5000;

/** A machine whose second task, at level 3, waits in a 32-bit TSS. */
function tasks(change: Record<number, number> = {}): Machine {
  const m = new Machine().protect();
  m.put(GDT + NEW_SELECTOR, descriptor(NEW, 0x67, 0x89));
  m.put(GDT + TASK_GATE, gate(NEW_SELECTOR, 0, 0x85));
  m.put(GDT + LDT_SELECTOR, descriptor(LDT, 0xff, 0x82));
  m.words(NEW + 28, 0x12345000, 0x9000, 0x202, 1, 2, 3, 4, 0x2e000, 6, 7, 8, DATA3, CODE3, DATA3, DATA3, 0, 0, LDT_SELECTOR, 0);
  for (const [at, value] of Object.entries(change)) m.words(NEW + Number(at), value);
  return m;
}
const jump = (m: Machine, selector = NEW_SELECTOR): string => m.fault(m.helpers.farJump(4, selector, 0, 0, 0x7007, 0));
const call = (m: Machine, selector = NEW_SELECTOR): string => m.fault(m.helpers.farCall(4, selector, 0, 0, 0x7007, 0));
const busy = (m: Machine, selector: number): boolean => (m.word(GDT + selector + 4) & 0x200) !== 0;

describe("SDM 7.3 task switching", () => {
  test("JMP: state saved and loaded, busy bits moved, TS set", () => {
    const m = tasks();
    const { state } = m.cpu;
    state.eflags = 0x46;
    for (let r = 0; r < 8; r += 1) if (r !== 4) state.setGpr32(r, 0x100 + r);
    expect(jump(m)).toBe("ok");
    expect([state.rip, state.eflags, state.cpl]).toEqual([0x9000, 0x202, 3]);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((r) => state.gpr32(r))).toEqual([1, 2, 3, 4, 0x2e000, 6, 7, 8]);
    expect([CS, SS, DS, ES, LDTR, TR].map((s) => state.selector(s))).toEqual([CODE3, DATA3, DATA3, DATA3, LDT_SELECTOR, NEW_SELECTOR]);
    expect([m.word(TSS + 32), m.word(TSS + 36), m.word(TSS + 40), m.word(TSS + 56)]).toEqual([0x7007, 0x46, 0x100, 0x1f000]);
    expect([m.half(TSS + 72), m.half(TSS + 76), m.half(TSS + 80)]).toEqual([DATA0, CODE0, DATA0]);
    expect([busy(m, TSS_SELECTOR), busy(m, NEW_SELECTOR)]).toEqual([false, true]);
    expect([m.half(NEW), m.cpu.cr0 & 8, m.cpu.cr3]).toEqual([0, 8, 0]);
  });
  test("CALL through a task gate nests; IRET returns", () => {
    const m = tasks();
    const { state } = m.cpu;
    expect(call(m, TASK_GATE)).toBe("ok");
    expect([m.half(NEW), state.eflags & 0x4000, busy(m, TSS_SELECTOR)]).toEqual([TSS_SELECTOR, 0x4000, true]);
    expect(m.fault(m.helpers.iret(4, 0x9002, 0))).toBe("ok");
    expect([state.rip, state.cpl, state.selector(TR), state.gpr32(4)]).toEqual([0x7007, 0, TSS_SELECTOR, 0x1f000]);
    expect([busy(m, TSS_SELECTOR), busy(m, NEW_SELECTOR), m.word(NEW + 32), m.word(NEW + 36) & 0x4000]).toEqual([true, false, 0x9002, 0]);
  });
  test("an interrupt through a task gate finds its error code on the new stack", () => {
    const m = tasks();
    m.put(IDT + 13 * 8, gate(NEW_SELECTOR, 0, 0x85));
    expect(m.cpu.deliver(13, 0x50, 0)).toBe("ok");
    expect([m.stack(1), m.cpu.state.gpr32(4), m.half(NEW)]).toEqual([[0x50], 0x2dffc, TSS_SELECTOR]);
    expect(m.word(TSS + 36) & 0x10000).toBe(0x10000);
  });
  test("16-bit TSS: low halves, and back", () => {
    const m = tasks();
    m.put(GDT + FREE + 24, descriptor(OLD16, 0x2b, 0x81));
    const image = [0x300, 0x2, 1, 2, 3, 4, 0x5000, 6, 7, 8, DATA16, CODE16, DATA16, DATA16, 0];
    for (const [i, value] of image.entries()) m.ram.setUint16(OLD16 + 14 + 2 * i, value, true);
    m.cpu.state.setGpr32(0, 0xaaaabbbb);
    expect(call(m, FREE + 24)).toBe("ok");
    const { state } = m.cpu;
    expect([state.rip, state.gpr32(0), state.selector(CS), state.gpr16(4), m.half(OLD16)]).toEqual([0x300, 0xaaaa0001, CODE16, 0x5000, TSS_SELECTOR]);
    expect(m.fault(m.helpers.iret(2, 0x301, 0))).toBe("ok");
    expect([state.rip, state.gpr32(0), m.half(OLD16 + 14)]).toEqual([0x7007, 0xaaaabbbb, 0x301]);
  });
  test("into virtual-8086 mode", () => {
    const m = tasks({ 36: 0x20202, 32: 0x10, 76: 0x3000, 80: 0x1000 });
    expect(jump(m)).toBe("ok");
    expect([m.cpu.state.segmentBase(CS), m.cpu.state.cpl, m.cpu.protectedMode]).toEqual([0x30000, 3, false]);
  });
  test("T raises #DB with DR6.BT before the new task's first instruction", () => {
    const m = tasks({ 100: 1 });
    expect(jump(m)).toBe("ok");
    expect(m.fault(m.cpu.beforeInstruction())).toBe("1");
    expect(m.cpu.dr[6] & 0x8000).toBe(0x8000);
  });
});

describe("SDM table 7-1 exceptions", () => {
  test("before the commit point nothing has changed", () => {
    const m = tasks();
    m.put(GDT + NEW_SELECTOR, descriptor(NEW, 0x66, 0x89));
    expect(jump(m)).toBe("10(40)");
    m.put(GDT + NEW_SELECTOR, descriptor(NEW, 0x67, 0x09));
    expect(jump(m)).toBe("11(40)");
    m.put(GDT + NEW_SELECTOR, descriptor(NEW, 0x67, 0x8b));
    expect(jump(m)).toBe("13(40)");
    expect(call(m, TASK_GATE)).toBe("13(40)");
    expect([m.cpu.state.selector(TR), m.cpu.state.rip]).toEqual([TSS_SELECTOR, 0x7000]);
  });
  test("after it the fault is the new task's", () => {
    const faults: [Record<number, number>, string][] = [
      [{ 96: CODE0 }, "10(8)"],
      [{ 76: 0 }, "10(0)"],
      [{ 76: DATA3 }, "10(20)"],
      [{ 80: DATA0 }, "10(10)"],
      [{ 80: 0 }, "10(0)"],
      [{ 84: 0x400 }, "10(400)"],
    ];
    for (const [change, text] of faults) {
      const m = tasks(change);
      expect(jump(m)).toBe(text);
      expect([m.cpu.state.rip, m.cpu.state.selector(TR)]).toEqual([0x9000, NEW_SELECTOR]);
    }
  });
  test("IRET with NT to a task that is not busy is #TS", () => {
    const m = tasks();
    m.ram.setUint16(TSS, NEW_SELECTOR, true);
    m.cpu.state.eflags = 0x4002;
    expect(m.fault(m.helpers.iret(4, 0, 0))).toBe("10(40)");
  });
});
