/** Linear memory, ports and their permissions; expectations from SDM volume 3, 4.7 and 6.15, and volume 1, 18.5. */
import { describe, expect, test } from "vitest";
import { FETCH_FAULT, FETCH_NO_MEMORY } from "./linear-memory.ts";
import { Machine, RAM, TSS } from "./fixture.ts";

/** Paging with an identity map of the first 4 MiB but for what `pages` says. */
function paged(pages: Record<number, number>, cpl: 0 | 3 = 0): Machine {
  const m = new Machine().protect(cpl);
  m.words(0x8000, 0x9007);
  for (let i = 0; i < 256; i += 1) m.words(0x9000 + 4 * i, (i << 12) | 7);
  for (const [page, entry] of Object.entries(pages)) m.words(0x9000 + 4 * Number(page), entry);
  m.cpu.cr3 = 0x8000;
  m.cpu.cr0 |= 0x80000000;
  m.cpu.applyPaging();
  m.cpu.mmu.setRoot(0x8000);
  return m;
}

describe("page crossing", () => {
  test("pages that do not lie together", () => {
    const m = paged({ 0x40: 0x50007, 0x41: 0x60007 });
    m.cpu.state.setScratch64(0x44332211, 0x88776655);
    expect(m.fault(m.helpers.storeSlow(0x40ffd, 0, 8))).toBe("ok");
    expect([m.ram.getUint8(0x50fff), m.ram.getUint8(0x60000), m.ram.getUint8(0x60004)]).toEqual([0x33, 0x44, 0x88]);
    m.cpu.state.setScratch64(0, 0);
    expect(m.fault(m.helpers.loadSlow(0x40ffd, 0, 8))).toBe("ok");
    expect([m.cpu.state.scratch(0), m.cpu.state.scratch(1)]).toEqual([0x44332211, 0x88776655]);
  });
  test("the second page faults with its own address, and nothing is written", () => {
    const m = paged({ 0x41: 0 });
    m.words(0x40ffc, 0x01020304);
    m.cpu.state.setScratch64(-1, -1);
    expect(m.fault(m.helpers.storeSlow(0x40ffe, 0, 4))).toBe("14(2)");
    expect([m.cpu.state.faultAddress, m.word(0x40ffc)]).toEqual([0x41000, 0x01020304]);
  });
  test("the end of the address space wraps", () => {
    const m = new Machine();
    m.words(0, 0x55667788);
    expect(m.fault(m.helpers.loadSlow(0xfffffffe, 0, 4))).toBe("ok");
    expect(m.cpu.state.scratch(0) >>> 16).toBe(0x7788);
  });
  test("16 and 10 bytes", () => {
    const m = new Machine();
    m.words(0x5000, 1, 2, 3, 4);
    m.helpers.loadSlow(0x5000, 0, 16);
    expect([0, 1, 2, 3].map((i) => m.cpu.state.scratch(i))).toEqual([1, 2, 3, 4]);
    m.helpers.storeSlow(0x6000, 0, 10);
    expect([m.word(0x6004), m.word(0x6008)]).toEqual([2, 3]);
    m.words(0x6008, -1);
    m.helpers.storeSlow(0x6000, 0, 10);
    expect(m.word(0x6008)).toBe(0xffff0003);
  });
});

describe("privilege and alignment", () => {
  test("level 3 has user privilege, and U in its error codes", () => {
    const m = paged({ 0x40: 0x40003 }, 3);
    expect(m.fault(m.helpers.loadSlow(0x40000, 0, 4))).toBe("14(5)");
    expect(m.fault(m.helpers.probeWrite(0x40000, 0, 4))).toBe("14(7)");
    expect(m.fault(m.cpu.linear.read(0x40000, 4, false))).toBe("ok");
  });
  test("#AC(0): level 3, CR0.AM and EFLAGS.AC, and every access takes the slow path", () => {
    const m = new Machine().protect(3);
    m.cpu.cr0 |= 1 << 18;
    m.helpers.popFlags(0x40002, 4);
    expect(m.fault(m.helpers.loadSlow(0x5001, 0, 4))).toBe("17(0)");
    expect(m.fault(m.helpers.loadSlow(0x5004, 0, 4))).toBe("ok");
    expect(m.fault(m.helpers.loadSlow(0x5001, 0, 1))).toBe("ok");
    expect(m.cpu.mmu.tlb.lookup(2, 0x5004, 0)).toBe(-1);
  });
});

describe("devices", () => {
  test("one call on the bus for each access", () => {
    const m = new Machine();
    expect(m.fault(m.helpers.loadSlow(0xfee00020, 0, 4))).toBe("ok");
    m.cpu.state.setScratch64(0x1ff, 0);
    m.helpers.storeSlow(0xfee000b0, 0, 1);
    m.helpers.loadSlow(0xfec00000, 0, 8);
    expect(m.log).toEqual(["read fee00020 4", "write fee000b0 1 ff", "read fec00000 4", "read fec00004 4"]);
  });
  test("code: memory, no memory, page fault", () => {
    const m = paged({ 0x40: 0, 0x41: 0xfee00007 | 0 });
    expect([m.cpu.linear.fetch(0x7004), m.cpu.linear.fetch(0x41000), m.cpu.linear.fetch(0x40000)]).toEqual([RAM + 0x7004, FETCH_NO_MEMORY, FETCH_FAULT]);
    expect(m.fault(false)).toBe("14(0)");
  });
});

describe("SDM volume 1, 18.5 I/O permission", () => {
  test("IOPL, then the bitmap, which must reach one byte further", () => {
    const m = new Machine().protect(3);
    const check = (port: number, size: number): string => m.fault(m.helpers.checkPort(port, size));
    m.ram.setUint8(TSS + 104 + 0x60 / 8, 0b0001_0000);
    expect([check(0x60, 1), check(0x60, 4), check(0x61, 4), check(0x64, 1)]).toEqual(["ok", "ok", "13(0)", "13(0)"]);
    expect([check(0x4b0, 1), check(0x4b8, 1), check(0xffff, 1)]).toEqual(["ok", "13(0)", "13(0)"]);
    m.cpu.state.systemFlags |= 3 << 12;
    expect(check(0xffff, 1)).toBe("ok");
  });
  test("values have the size of the access", () => {
    const m = new Machine();
    m.helpers.portIn(0x60, 1);
    expect(m.cpu.state.scratch(0)).toBe(0xa5);
    m.helpers.portIn(0x1_0060, 4);
    expect(m.cpu.state.scratch(0)).toBe(0xa5a5a5a5);
    m.helpers.portOut(0x80, 2, -1);
    expect(m.log.at(-1)).toBe("out 80 2 ffff");
  });
});

describe("alignment of implicit stack accesses", () => {
  test("a far CALL at level 3 with AC pushes to a misaligned stack: #AC(0), and nothing moves", () => {
    const m = new Machine().protect(3);
    m.cpu.cr0 |= 1 << 18;
    m.helpers.popFlags(0x40002, 4);
    m.cpu.state.setGpr32(4, 0x2f002);
    expect(m.fault(m.helpers.farCall(4, 0x1b, 0x7100, 0, 0x7007, 0))).toBe("17(0)");
    expect(m.cpu.state.rip).toBe(0x7000);
  });
});
