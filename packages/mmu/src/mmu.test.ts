/** The TLB's invariants: what an access fills, what a flush forgets (SDM 4.10), and the inline check of generated code. */
import { describe, expect, test } from "vitest";
import { EXECUTE, Mmu, READ, TLB_ENTRIES, TLB_EXEC_TAG, TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_SIZE, TLB_VIEW_SIZE, TLB_WRITE_TAG, VIEW_CHECKED, VIEW_OPEN, VIEW_SUPERVISOR, WRITE } from "./index.ts";
import type { PhysicalMap } from "./index.ts";

const RAM = TLB_SIZE;
/** Linear addresses that far apart share an entry. */
const REACH = TLB_ENTRIES * 4096;

/** 1 MiB of RAM at physical 0, which is linear memory from `RAM` on; everything above is no memory. */
function machine() {
  const buffer = new ArrayBuffer(RAM + 0x100000);
  const view = new DataView(buffer);
  const observed = new Set<number>();
  const physical: PhysicalMap = {
    hostAddress: (page) => (page < 256 ? RAM + page * 4096 : -1),
    writable: (page) => !observed.has(page),
    frameOf: (page) => page + 7,
    read8: (a) => view.getUint8(RAM + a), read16: (a) => view.getUint16(RAM + a, true), read32: (a) => view.getInt32(RAM + a, true),
    write8: (a, v) => view.setUint8(RAM + a, v), write16: (a, v) => view.setUint16(RAM + a, v, true), write32: (a, v) => view.setInt32(RAM + a, v, true),
    aboutToWrite: (a) => RAM + a,
  };
  const mmu = new Mmu(buffer, 0, physical);
  /** What generated code does: the comparison of a tag. */
  const inline = (linear: number, size: number, tag: number, viewNumber = 0): number => {
    const at = viewNumber * TLB_VIEW_SIZE + tag + ((linear >>> TLB_SHIFT) & TLB_MASK);
    const off = BigInt.asUintN(64, BigInt(linear) + (tag === TLB_EXEC_TAG ? -1n : 1n) * view.getBigInt64(at, true));
    return off < BigInt(4097 - size) ? view.getUint32(at + TLB_HOST, true) + Number(off) : -1;
  };
  const page = (linear: number, entry: number): void => {
    physical.write32(0x1000 + (linear >>> 22) * 4, 0x2007);
    physical.write32(0x2000 + ((linear >>> 12) & 1023) * 4, entry);
  };
  const paging = (): void => {
    mmu.configure({ paging: true, globalPages: true });
    mmu.setRoot(0x1000);
  };
  return { mmu, physical, view, observed, inline, page, paging };
}

describe("runs through a large page", () => {
  function large() {
    const made = machine();
    made.physical.write32(0x1000, 0x83);
    made.physical.write32(0x1004, 0x400083);
    made.mmu.configure({ paging: true, pageSizeExtension: true });
    made.mmu.setRoot(0x1000);
    const present = (tag = TLB_READ_TAG): number[] => Array.from({ length: 2048 }, (_, n) => n).filter((n) => made.mmu.tlb.lookup(VIEW_SUPERVISOR, n * 4096, tag) >= 0);
    return { ...made, present };
  }

  test("the second page in a row brings the seven behind it, another order none", () => {
    const { mmu, present } = large();
    for (const page of [40, 20, 22]) mmu.translate(page * 4096, READ, false);
    expect(present()).toEqual([20, 22, 40]);
    mmu.translate(23 * 4096, READ, false);
    expect([mmu.walks, present()]).toEqual([4, [20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 40]]);
    mmu.translate(31 * 4096, READ, false);
    expect(present()).toContain(38);
    // The page tables have said nothing of writes yet.
    expect(present(TLB_WRITE_TAG)).toEqual([]);
  });

  test("they end with the large page, with memory, and at a page that is watched; frames somebody watches get no write tag", () => {
    const { mmu, present, observed } = large();
    for (const page of [1020, 1021]) mmu.translate(page * 4096, READ, false);
    expect(present()).toEqual([]);
    for (const page of [250, 251]) mmu.translate(page * 4096, READ, false);
    expect(present()).toEqual([250, 251, 252, 253, 254, 255]);
    observed.add(103);
    for (const page of [100, 101]) mmu.translate(page * 4096, WRITE, false);
    expect(present(TLB_WRITE_TAG)).toEqual([100, 101, 102, 104, 105, 106, 107, 108]);
    mmu.watch([203 * 4096]);
    for (const page of [200, 201]) mmu.translate(page * 4096, READ, false);
    expect(present().filter((page) => page >= 200 && page < 210)).toEqual([200, 201, 202]);
  });

  test("a flush ends a run: what is restored goes on as what was saved", () => {
    const { mmu, present } = large();
    mmu.translate(20 * 4096, READ, false);
    mmu.tlb.flush();
    mmu.translate(21 * 4096, READ, false);
    expect(present()).toEqual([21]);
  });

  test("INVLPG takes all pieces", () => {
    const { mmu, present } = large();
    for (const page of [20, 21]) mmu.translate(page * 4096, READ, false);
    mmu.tlb.flushPage(22 * 4096);
    expect(present()).toEqual([]);
  });
});

describe("inline check", () => {
  test("nothing is valid after reset, not even neighbours of an entry", () => {
    const m = machine();
    for (let page = 0; page < 2048; page += 1) expect(m.inline(page * 4096, 1, 0)).toBe(-1);
    expect(m.inline(0x1000 - 1, 1, 0)).toBe(-1);
  });
  test("a page crossing fails, the last fitting access does not", () => {
    const m = machine();
    m.mmu.translate(0x3000, READ, false);
    expect(m.inline(0x3ffc, 4, 0)).toBe(RAM + 0x3ffc);
    expect(m.inline(0x3ffd, 4, 0)).toBe(-1);
    expect(m.inline(0x403000, 4, 0)).toBe(-1);
  });
});

describe("fills", () => {
  test("a read of a clean page gives no write tag, a write does", () => {
    const m = machine();
    m.page(0x5000, 0x9007);
    m.paging();
    expect(m.mmu.translate(0x5004, READ, false)).toBe(true);
    expect(m.mmu.host).toBe(RAM + 0x9004);
    expect([m.inline(0x5004, 4, 0), m.inline(0x5004, 4, TLB_WRITE_TAG)]).toEqual([RAM + 0x9004, -1]);
    m.mmu.translate(0x5004, WRITE, false);
    expect(m.inline(0x5004, 4, TLB_WRITE_TAG)).toBe(RAM + 0x9004);
    expect(m.physical.read32(0x2014)).toBe(0x9067);
    expect(m.inline(0x5004, 4, 0, 1)).toBe(-1);
  });
  test("an observed frame and no memory: the caller goes through physical memory or the bus", () => {
    const m = machine();
    m.observed.add(4);
    expect([m.mmu.translate(0x4001, WRITE, false), m.mmu.host, m.mmu.mmio, m.mmu.physical]).toEqual([true, -1, false, 0x4001]);
    expect(m.inline(0x4001, 1, TLB_WRITE_TAG)).toBe(-1);
    expect([m.mmu.translate(0xfee00020, READ, false), m.mmu.host, m.mmu.mmio, m.mmu.physical]).toEqual([true, -1, true, 0xfee00020]);
    expect(m.inline(0xfee00020, 4, 0)).toBe(-1);
  });
  test("a page that takes another one's place may be used for what is asked for, and for nothing else of before", () => {
    const m = machine();
    const { tlb } = m.mmu;
    const tags = [TLB_READ_TAG, TLB_WRITE_TAG, TLB_EXEC_TAG];
    const [first, second] = [0x5000, 0x5000 + REACH];
    const found = (linear: number): number[] => tags.map((tag) => tlb.lookup(VIEW_SUPERVISOR, linear, tag));
    tlb.fill(VIEW_SUPERVISOR, first, true, true, true, RAM, 7, false, 12);
    expect(found(first)).toEqual([RAM, RAM, RAM]);
    tlb.fill(VIEW_SUPERVISOR, second, false, true, false, RAM + 0x1000, 8, false, 12);
    expect([found(first), found(second)]).toEqual([[-1, -1, -1], [-1, RAM + 0x1000, -1]]);
    tlb.fill(VIEW_SUPERVISOR, first, true, false, true, RAM + 0x2000, 9, false, 12);
    expect([found(first), found(second)]).toEqual([[RAM + 0x2000, -1, RAM + 0x2000], [-1, -1, -1]]);
    tlb.grantWrite(VIEW_SUPERVISOR, first);
    expect(found(first + 4)).toEqual([RAM + 0x2004, RAM + 0x2004, RAM + 0x2004]);
    tlb.revokeWrite(9);
    expect(found(first)).toEqual([RAM + 0x2000, -1, RAM + 0x2000]);
    tlb.flushLocal();
    expect(found(first)).toEqual([-1, -1, -1]);
  });
  test("watched pages and the checked view have no data tags", () => {
    const m = machine();
    m.mmu.watch([0x6000]);
    m.mmu.translate(0x6000, WRITE, false);
    expect(m.inline(0x6000, 4, 0)).toBe(-1);
    m.mmu.userView = VIEW_CHECKED;
    m.mmu.translate(0x8000, READ, true);
    m.mmu.translate(0x8000, EXECUTE, true);
    expect([m.inline(0x8000, 4, 0, VIEW_CHECKED), m.inline(0x8000, 1, TLB_EXEC_TAG, VIEW_CHECKED)]).toEqual([-1, RAM + 0x8000]);
  });
  test("SMAP and SMEP: an entry of the supervisor's view has no tag that they refuse (SDM 4.6.1)", () => {
    const m = machine();
    m.page(0x5000, 0x9067);
    m.paging();
    m.mmu.configure({ accessPrevention: true });
    m.mmu.translate(0x5000, EXECUTE, false);
    expect([m.inline(0x5000, 1, 0), m.inline(0x5000, 1, TLB_EXEC_TAG)]).toEqual([-1, RAM + 0x9000]);
    m.mmu.supervisorView = VIEW_OPEN;
    m.mmu.translate(0x5000, WRITE, false);
    expect([m.inline(0x5000, 1, TLB_WRITE_TAG, VIEW_OPEN), m.inline(0x5000, 1, TLB_WRITE_TAG)]).toEqual([RAM + 0x9000, -1]);
    m.mmu.supervisorView = VIEW_SUPERVISOR;
    expect([m.mmu.translate(0x5000, READ, false), m.mmu.faultCode]).toEqual([false, 1]);
    m.mmu.configure({ accessPrevention: false, executionPrevention: true });
    m.mmu.translate(0x5000, READ, false);
    expect([m.inline(0x5000, 1, 0), m.inline(0x5000, 1, TLB_EXEC_TAG)]).toEqual([RAM + 0x9000, -1]);
  });
  test("a load of CR3 may keep what it finds (SDM 4.10.4.1, bit 63)", () => {
    const m = machine();
    m.page(0x5000, 0x9007);
    m.paging();
    m.mmu.translate(0x5000, READ, false);
    m.mmu.setRoot(0x1000, true);
    expect(m.inline(0x5000, 1, 0)).toBe(RAM + 0x9000);
  });
  test("A20 closed: the second megabyte is the first", () => {
    const m = machine();
    m.mmu.setA20(false);
    m.mmu.translate(0x100010, READ, false);
    expect(m.mmu.host).toBe(RAM + 0x10);
  });
});

describe("SDM 4.10 invalidation", () => {
  test("a CR3 load keeps global pages, CR4 does not", () => {
    const m = machine();
    m.page(0x5000, 0x9007);
    m.page(0x6000, 0xa107);
    m.paging();
    m.mmu.translate(0x5000, READ, false);
    m.mmu.translate(0x6000, READ, false);
    m.mmu.setRoot(0x1000);
    expect([m.inline(0x5000, 1, 0), m.inline(0x6000, 1, 0)]).toEqual([-1, RAM + 0xa000]);
    m.mmu.configure({ globalPages: false });
    expect(m.inline(0x6000, 1, 0)).toBe(-1);
  });
  test("INVLPG forgets global pages in both views, and all of a large page", () => {
    const m = machine();
    m.physical.write32(0x1000, 0x187);
    m.mmu.configure({ paging: true, globalPages: true, pageSizeExtension: true });
    m.mmu.setRoot(0x1000);
    m.mmu.translate(0x5000, READ, true);
    m.mmu.translate(0x5000, READ, false);
    m.mmu.translate(0x6000, READ, false);
    m.mmu.flushPage(0x6123);
    expect([m.inline(0x5000, 1, 0), m.inline(0x5000, 1, 0, 1), m.inline(0x6000, 1, 0)]).toEqual([-1, -1, -1]);
  });
  test("revokeWrite and evictFrame go by machine frame", () => {
    const m = machine();
    m.mmu.translate(0x5000, WRITE, false);
    m.mmu.tlb.revokeWrite(5 + 7);
    expect([m.inline(0x5000, 1, 0), m.inline(0x5000, 1, TLB_WRITE_TAG)]).toEqual([RAM + 0x5000, -1]);
    m.mmu.tlb.evictFrame(5 + 7);
    expect(m.inline(0x5000, 1, 0)).toBe(-1);
  });
  test("lists stay exact when an entry turns from local to global and back, over many flushes", () => {
    const m = machine();
    m.paging();
    for (let round = 0; round < 50; round += 1) {
      m.page(0x5000, round & 1 ? 0x9107 : 0x9007);
      m.mmu.flushPage(0x5000);
      m.mmu.translate(0x5000, READ, false);
      if (round % 3 === 0) m.mmu.setRoot(0x1000);
      if (round % 7 === 0) m.mmu.tlb.flush();
    }
    m.mmu.tlb.flush();
    let left = 0;
    m.mmu.tlb.forEach(() => (left += 1));
    expect(left).toBe(0);
  });
});
