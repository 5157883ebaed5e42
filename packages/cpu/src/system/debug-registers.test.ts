/** Debug registers and what happens between instructions; expectations from SDM volume 3, chapter 17, and 6.8.3. */
import { describe, expect, test } from "vitest";
import { SHADOW_NONE } from "../activity.ts";
import { MODE_STEP } from "../mode.ts";
import { SS } from "../state-layout.ts";
import { CODE0, DATA0, gate, IDT, Machine } from "./fixture.ts";

const before = (m: Machine): string => m.fault(m.cpu.beforeInstruction());
const after = (m: Machine): string => m.fault(m.cpu.afterInstruction());
const step = (m: Machine): boolean => (m.cpu.state.mode & MODE_STEP) !== 0;

describe("SDM 17.2 breakpoints", () => {
  test("instruction breakpoint: a fault, which RF holds off for one instruction", () => {
    const m = new Machine().protect();
    m.helpers.writeDebug(0, 0x7000, 0);
    m.helpers.writeDebug(7, 1, 0);
    expect(step(m)).toBe(true);
    expect(before(m)).toBe("1");
    expect(m.cpu.dr[6]).toBe(0xffff0ff1);
    m.cpu.state.systemFlags |= 1 << 16;
    expect([before(m), after(m), m.cpu.state.systemFlags & (1 << 16)]).toEqual(["ok", "ok", 0]);
    expect(before(m)).toBe("1");
  });
  test("data breakpoints: a trap after the access, only for what overlaps", () => {
    const m = new Machine().protect();
    m.helpers.writeDebug(1, 0x6004, 0);
    m.helpers.writeDebug(7, 0x00d00004, 0);
    before(m);
    m.helpers.storeSlow(0x6000, 0, 4);
    expect(after(m)).toBe("ok");
    before(m);
    m.helpers.loadSlow(0x6004, 0, 4);
    expect(after(m)).toBe("ok");
    before(m);
    m.helpers.storeSlow(0x6002, 0, 4);
    expect(after(m)).toBe("1");
    expect(m.cpu.dr[6] & 0xf).toBe(2);
  });
  test("I/O breakpoints need CR4.DE", () => {
    const m = new Machine().protect();
    m.helpers.writeDebug(2, 0x80, 0);
    m.helpers.writeDebug(7, 0x02000020, 0);
    before(m);
    m.helpers.portOut(0x80, 1, 5);
    expect(after(m)).toBe("ok");
    m.cpu.cr4 |= 8;
    before(m);
    m.helpers.portOut(0x80, 1, 5);
    expect(after(m)).toBe("1");
  });
  test("DR4 and DR5: aliases, or #UD with CR4.DE; general detect; level 0 only", () => {
    const m = new Machine().protect();
    m.helpers.writeDebug(5, 0x2000, 0);
    expect(m.fault(m.helpers.readDebug(0))).toBe("1");
    expect(m.cpu.dr[6] & 0x2000).toBe(0x2000);
    m.put(IDT + 8, gate(CODE0, 0x9000, 0x8e));
    expect(m.cpu.deliverFault()).toBe("ok");
    expect(m.cpu.dr[7] & 0x2000).toBe(0);
    m.cpu.cr4 |= 8;
    expect(m.fault(m.helpers.readDebug(4))).toBe("6");
    const user = new Machine().protect(3);
    expect(user.fault(user.helpers.readDebug(0))).toBe("13(0)");
  });
  test("fixed bits of DR6 and DR7", () => {
    const m = new Machine().protect();
    m.helpers.writeDebug(6, -1, 0);
    m.helpers.writeDebug(7, 0xffffdfff, 0);
    expect([m.cpu.dr[6], m.cpu.dr[7]]).toEqual([0xffffefff, 0xffff07ff]);
  });
});

describe("SDM 17.3.1.4 single step", () => {
  test("a trap after the instruction that began with TF; POPF that sets it does not trap itself", () => {
    const m = new Machine().protect();
    before(m);
    m.helpers.popFlags(0x102, 4);
    expect(after(m)).toBe("ok");
    expect(step(m)).toBe(true);
    before(m);
    expect(after(m)).toBe("1");
    expect(m.cpu.dr[6] & 0x4000).toBe(0x4000);
  });
  test("the handler of INT n runs without a trap", () => {
    const m = new Machine().protect();
    m.put(IDT + 0x20 * 8, gate(CODE0, 0x9000, 0x8e));
    m.helpers.popFlags(0x102, 4);
    before(m);
    m.helpers.softInterrupt(0x20, 0, 0x7002, 0);
    expect([after(m), step(m)]).toEqual(["ok", false]);
  });
  test("MOV SS loses the trap and holds interrupts and NMI back for one instruction", () => {
    const m = new Machine().protect();
    m.cpu.state.eflags = 0x302;
    m.cpu.updateMode();
    before(m);
    m.helpers.loadSegment(SS, DATA0);
    expect([after(m), m.cpu.interruptible, m.cpu.nmiDeliverable]).toEqual(["ok", false, false]);
    before(m);
    expect([after(m), m.cpu.interruptible, m.cpu.nmiDeliverable]).toEqual(["1", true, true]);
  });
});

describe("SDM 6.8.3 STI", () => {
  test("interrupts wait for one more instruction when IF was clear", () => {
    const m = new Machine().protect();
    m.helpers.sti();
    expect(m.cpu.interruptible).toBe(false);
    before(m);
    expect([after(m), m.cpu.interruptible, m.cpu.shadow]).toEqual(["ok", true, SHADOW_NONE]);
    m.helpers.sti();
    expect(m.cpu.interruptible).toBe(true);
  });
});
