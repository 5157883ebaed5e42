/** Interrupts, exceptions and IRET; expectations from SDM volume 3, chapter 6 and 20, and volume 2, INT n and IRET. */
import { describe, expect, test } from "vitest";
import { CS, DS, ES, FS, GS, SS } from "../state-layout.ts";
import { CODE, CODE0, CODE16, CODE3, DATA0, DATA3, descriptor, FREE, gate, GDT, IDT, Machine, TSS, TSS_SELECTOR } from "./fixture.ts";

const INTERRUPT = 0x8e;
const TRAP3 = 0xef;

describe("SDM 20.1.4 real mode", () => {
  test("INT pushes FLAGS, CS, IP; IRET brings them back", () => {
    const m = new Machine();
    const { state } = m.cpu;
    m.words(0x21 * 4, 0x0300_0010);
    m.helpers.loadSegment(SS, 0x1000);
    state.setGpr32(4, 0x100);
    state.eflags = 0x302;
    m.helpers.farJump(2, 0x200, 0x50, 0, 0, 0);
    expect(m.fault(m.helpers.softInterrupt(0x21, 0, 0x52, 0))).toBe("ok");
    expect([state.selector(CS), state.rip, state.eflags, state.gpr16(4)]).toEqual([0x300, 0x10, 2, 0xfa]);
    expect(m.stack(3, 2)).toEqual([0x52, 0x200, 0x302]);
    expect(m.fault(m.helpers.iret(2, 0, 0))).toBe("ok");
    expect([state.selector(CS), state.rip, state.eflags, state.gpr16(4)]).toEqual([0x200, 0x52, 0x302, 0x100]);
  });
  test("a vector past IDTR's limit is #GP, then #DF, then shutdown", () => {
    const m = new Machine();
    m.helpers.lidt(3, 0, 0);
    expect(m.fault(m.helpers.softInterrupt(0x21, 0, 0, 0))).toBe("13(0)");
    expect(m.cpu.deliver(13, 0, 0)).toBe("triple-fault");
  });
});

describe("SDM 6.12 gates", () => {
  test("the same level: EFLAGS, CS, EIP and the error code; an interrupt gate clears IF", () => {
    const m = new Machine().protect();
    const { state } = m.cpu;
    m.put(IDT + 13 * 8, gate(CODE0, 0x1_2345, INTERRUPT));
    state.eflags = 0x4302;
    expect(m.cpu.deliver(13, 0x18, 0)).toBe("ok");
    expect(m.stack(4)).toEqual([0x18, 0x7000, CODE0, 0x14302]);
    expect([state.rip, state.eflags]).toEqual([0x12345, 2]);
  });
  test("an inner level: the TSS's stack, with SS:ESP; IRET back to the outer level", () => {
    const m = new Machine().protect(3);
    const { state } = m.cpu;
    m.put(IDT + 0x80 * 8, gate(CODE0, 0x9000, TRAP3));
    state.eflags = 0x202;
    expect(m.fault(m.helpers.softInterrupt(0x80, 0, 0x7002, 0))).toBe("ok");
    expect(m.stack(5)).toEqual([0x7002, CODE3, 0x202, 0x2f000, DATA3]);
    expect([state.cpl, state.selector(SS), state.eflags, state.gpr32(4)]).toEqual([0, DATA0, 0x202, 0x1efec]);
    m.helpers.loadSegment(DS, DATA0);
    expect(m.fault(m.helpers.iret(4, 0, 0))).toBe("ok");
    expect([state.cpl, state.selector(CS), state.selector(SS), state.gpr32(4), state.rip]).toEqual([3, CODE3, DATA3, 0x2f000, 0x7002]);
    expect([state.selector(DS), state.selector(ES)]).toEqual([0, DATA3]);
  });
  test("16-bit gate", () => {
    const m = new Machine().protect();
    m.put(IDT + 0x20 * 8, gate(CODE16, 0x1234, 0x86));
    expect(m.cpu.interrupt(0x20)).toBe("ok");
    expect(m.stack(3, 2)).toEqual([0x7000, CODE0, 2]);
    expect([m.cpu.state.selector(CS), m.cpu.state.rip]).toEqual([CODE16, 0x1234]);
  });
  test("checks and error codes", () => {
    const m = new Machine().protect(3);
    const int = (vector: number, kind = 0): string => m.fault(m.helpers.softInterrupt(vector, kind, 0, 0));
    m.put(IDT + 3 * 8, gate(CODE0, 0, INTERRUPT));
    m.put(IDT + 0x30 * 8, gate(CODE0, 0, 0x6e));
    m.put(IDT + 0x31 * 8, gate(DATA0, 0, 0xee));
    m.put(IDT + 0x32 * 8, gate(0, 0, 0xee));
    m.put(IDT + 0x33 * 8, gate(0x400, 0, 0xee));
    expect(int(0x20)).toBe("13(102)");
    expect(int(3)).toBe("13(1a)");
    expect(int(3, 1)).toBe("13(1a)");
    expect(int(0x30)).toBe("11(182)");
    expect(int(0x31)).toBe("13(10)");
    expect(int(0x32)).toBe("13(0)");
    expect(int(0x33)).toBe("13(400)");
    m.put(IDT + 0x34 * 8, gate(CODE0, 0, 0xee));
    m.words(TSS + 8, 0);
    expect(int(0x34)).toBe("10(0)");
    m.words(TSS + 8, DATA3);
    expect(int(0x34)).toBe("10(20)");
    m.cpu.idtr.limit = 0x1a6;
    expect(int(0x34)).toBe("13(1a2)");
  });
  test("an external interrupt ignores the gate's DPL and sets EXT in codes", () => {
    const m = new Machine().protect(3);
    m.put(IDT + 0x20 * 8, gate(CODE0, 0x9000, INTERRUPT));
    expect(m.cpu.interrupt(0x20)).toBe("ok");
    const n = new Machine().protect(3);
    n.put(IDT + 13 * 8, gate(CODE0, 0x9100, INTERRUPT));
    expect(n.cpu.interrupt(0x20)).toBe("ok");
    expect([n.cpu.state.rip, n.stack(1)[0]]).toEqual([0x9100, 0x103]);
  });
});

describe("SDM 6.15 double fault", () => {
  test("#GP while delivering #NP is a double fault with code 0", () => {
    const m = new Machine().protect();
    m.put(IDT + 8 * 8, gate(CODE0, 0x9000, INTERRUPT));
    expect(m.cpu.deliver(11, 0x40, 0)).toBe("ok");
    expect([m.cpu.state.rip, m.stack(1)[0]]).toEqual([0x9000, 0]);
  });
  test("#GP while delivering #UD is handled as #GP", () => {
    const m = new Machine().protect();
    m.put(IDT + 13 * 8, gate(CODE0, 0x9000, INTERRUPT));
    m.cpu.deliver(6, -1, 0);
    expect([m.cpu.state.rip, m.stack(1)[0]]).toEqual([0x9000, 6 * 8 + 3]);
  });
  test("no handler for the double fault: shutdown", () => expect(new Machine().protect().cpu.deliver(14, 2, 0)).toBe("triple-fault"));
  test("page fault: CR2 and error code", () => {
    const m = new Machine().protect();
    m.put(IDT + 14 * 8, gate(CODE0, 0x9000, INTERRUPT));
    m.cpu.pageFault(0xdeadb000, 2);
    expect(m.cpu.deliverFault()).toBe("ok");
    expect([m.cpu.cr2, m.stack(1)[0], m.stack(4)[3] & 0x10000]).toEqual([0xdeadb000, 2, 0x10000]);
  });
});

describe("SDM 20.2 virtual-8086 mode", () => {
  function virtual(iopl: number): Machine {
    const m = new Machine().protect();
    m.cpu.state.setGpr32(4, 0x1f000 - 36);
    m.words(0x1f000 - 36, 0x100, 0x2000, 0x20202 | (iopl << 12), 0xfffe, 0x1800, 0x11, 0x22, 0x33, 0x44);
    expect(m.fault(m.helpers.iret(4, 0, 0))).toBe("ok");
    return m;
  }
  test("IRET into it", () => {
    const { state } = virtual(3).cpu;
    expect([CS, SS, ES, DS, FS, GS].map((s) => state.selector(s))).toEqual([0x2000, 0x1800, 0x11, 0x22, 0x33, 0x44]);
    expect([state.cpl, state.rip, state.gpr32(4), state.segmentBase(CS), state.segmentLimit(DS)]).toEqual([3, 0x100, 0xfffe, 0x20000, 0xffff]);
  });
  test("out of it through a gate: nine doublewords, and null data segments", () => {
    const m = virtual(3);
    m.put(IDT + 0x21 * 8, gate(CODE0, 0x9000, TRAP3));
    expect(m.fault(m.helpers.softInterrupt(0x21, 0, 0x102, 0))).toBe("ok");
    expect(m.stack(9)).toEqual([0x102, 0x2000, 0x23202, 0xfffe, 0x1800, 0x11, 0x22, 0x33, 0x44]);
    expect([ES, DS, FS, GS].map((s) => m.cpu.state.selector(s))).toEqual([0, 0, 0, 0]);
    expect(m.cpu.state.cpl).toBe(0);
  });
  test("INT n with IOPL below 3 is #GP(0), INT3 is not", () => {
    const m = virtual(0);
    m.put(IDT + 3 * 8, gate(CODE0, 0x9000, TRAP3));
    expect(m.fault(m.helpers.softInterrupt(3, 0, 0x102, 0))).toBe("13(0)");
    expect(m.fault(m.helpers.softInterrupt(3, 1, 0x102, 0))).toBe("ok");
  });
  test("the handler must be at level 0", () => {
    const m = virtual(3);
    m.put(IDT + 0x21 * 8, gate(CODE3, 0x9000, TRAP3));
    expect(m.fault(m.helpers.softInterrupt(0x21, 0, 0x102, 0))).toBe("13(18)");
  });
  test("20.3.3 VME redirects INT n by the bitmap below the I/O map, with VIF as IF", () => {
    const m = virtual(0);
    m.cpu.cr4 |= 1;
    m.ram.setUint16(TSS + 102, 136, true);
    m.words(0x21 * 4, 0x3000_0040);
    m.cpu.state.systemFlags |= 1 << 19;
    expect(m.fault(m.helpers.softInterrupt(0x21, 0, 0x102, 0))).toBe("ok");
    expect([m.cpu.state.selector(CS), m.cpu.state.rip, m.cpu.state.cpl]).toEqual([0x3000, 0x40, 3]);
    expect(m.stack(3, 2)).toEqual([0x102, 0x2000, 0x3202]);
    expect(m.cpu.state.systemFlags & (1 << 19)).toBe(0);
    expect(m.fault(m.helpers.iret(2, 0, 0))).toBe("ok");
    expect(m.cpu.state.systemFlags & (1 << 19)).toBe(1 << 19);
    m.ram.setUint8(TSS + 104 + 4, 0xff);
    expect(m.fault(m.helpers.softInterrupt(0x21, 0, 0x102, 0))).toBe("13(0)");
  });
  test("20.3.2 CLI, STI, PUSHF and POPF work on VIF", () => {
    const m = virtual(0);
    expect(m.fault(m.helpers.cli())).toBe("13(0)");
    expect(m.fault(m.helpers.pushFlags(2))).toBe("13(0)");
    m.cpu.cr4 |= 1;
    expect(m.fault(m.helpers.sti())).toBe("ok");
    expect(m.cpu.state.systemFlags & 0x80000).toBe(0x80000);
    m.helpers.pushFlags(2);
    expect(m.cpu.state.scratch(0)).toBe(0x3202);
    expect(m.fault(m.helpers.popFlags(2, 2))).toBe("ok");
    expect(m.cpu.state.systemFlags & 0x80200).toBe(0x200);
    m.cpu.state.systemFlags |= 1 << 20;
    expect(m.fault(m.helpers.sti())).toBe("13(0)");
    expect(m.fault(m.helpers.popFlags(0x202, 2))).toBe("13(0)");
    expect(m.fault(m.helpers.pushFlags(4))).toBe("13(0)");
  });
});

describe("SDM volume 2: IRET checks", () => {
  test("an inner level, a data segment, a bad stack segment", () => {
    const m = new Machine().protect(3);
    const iret = (...frame: number[]): string => {
      m.cpu.state.setGpr32(4, 0x2e000);
      m.words(0x2e000, ...frame);
      return m.fault(m.helpers.iret(4, 0, 0));
    };
    expect(iret(0, CODE0, 2)).toBe("13(8)");
    expect(iret(0, DATA3, 2)).toBe("13(20)");
    expect(iret(0, 0, 2)).toBe("13(0)");
    expect(m.cpu.state.gpr32(4)).toBe(0x2e000);
    const k = new Machine().protect();
    k.put(GDT + FREE, descriptor(0, 0xfff, CODE | 0x60));
    k.words(0x1f000, 0, CODE3, 2, 0x100, DATA0);
    expect(k.fault(k.helpers.iret(4, 0, 0))).toBe("13(10)");
    k.words(0x1f000, 0x1000, FREE | 3, 2, 0x100, DATA3);
    expect(k.fault(k.helpers.iret(4, 0, 0))).toBe("13(0)");
  });
  test("level 3 with IOPL 0 changes neither IF nor IOPL", () => {
    const m = new Machine().protect(3);
    m.cpu.state.eflags = 0x202;
    m.words(0x2f000, 0x7100, CODE3, 0x3cd5);
    expect(m.fault(m.helpers.iret(4, 0, 0))).toBe("ok");
    expect(m.cpu.state.eflags).toBe(0xed7);
  });
  test("NMI is blocked until IRET", () => {
    const m = new Machine().protect();
    m.put(IDT + 2 * 8, gate(CODE0, 0x9000, INTERRUPT));
    m.cpu.nmi();
    expect(m.cpu.nmiDeliverable).toBe(false);
    m.helpers.iret(4, 0, 0);
    expect(m.cpu.nmiDeliverable).toBe(true);
  });
  test("TSS_SELECTOR is busy after LTR", () => {
    const m = new Machine().protect();
    expect(m.word(GDT + TSS_SELECTOR + 4) & 0xf00).toBe(0xb00);
    expect(m.fault(m.helpers.ltr(TSS_SELECTOR))).toBe("13(28)");
  });
});
