/** Page walks against SDM volume 3, sections 4.3 to 4.7; expectations from the manual's figures and tables. */
import { describe, expect, test } from "vitest";
import { createPagingMode, EXECUTE, loadPdptes, PF_I, PF_P, PF_RSVD, PF_U, PF_W, READ, Translation, walk, WRITE } from "./index.ts";
import type { Access, PagingMode, TableMemory } from "./index.ts";

function setup(change: Partial<PagingMode>, entries: Record<number, number>) {
  const words = new Map(Object.entries(entries).map(([address, value]) => [Number(address), value | 0]));
  const memory: TableMemory = {
    read32: (address) => words.get(address) ?? 0,
    write32: (address, value) => void words.set(address, value | 0),
  };
  const mode = { ...createPagingMode(), paging: true, root: 0x1000, ...change };
  const out = new Translation();
  const go = (linear: number, access: Access = READ, user = false) =>
    walk(memory, mode, linear, access, user, out) ? out.physical : -1 - out.faultCode;
  return { words, memory, mode, out, go };
}

describe("SDM 4.3 32-bit paging", () => {
  const tables = { 0x1004: 0x2007, 0x200c: 0x5007, 0x2010: 0x6005, 0x2014: 0x7003, 0x1008: 0x0080_0083 | 0 };
  test("translates through directory and table", () => expect(setup({}, tables).go(0x403123)).toBe(0x5123));
  test("not present: only W and U of the access", () => {
    const m = setup({}, tables);
    expect(m.go(0xc0000000)).toBe(-1);
    expect(m.go(0xc0000000, WRITE)).toBe(-1 - PF_W);
    expect(m.go(0xc0000000, WRITE, true)).toBe(-1 - PF_W - PF_U);
    expect(m.go(0xc0000000, EXECUTE, true)).toBe(-1 - PF_U);
  });
  test("user access to a supervisor page, user write to a read-only one", () => {
    const m = setup({}, tables);
    expect(m.go(0x405000, READ, true)).toBe(-1 - PF_P - PF_U);
    expect(m.go(0x404000, WRITE, true)).toBe(-1 - PF_P - PF_U - PF_W);
  });
  test("CR0.WP decides about supervisor writes", () => {
    expect(setup({}, tables).go(0x404000, WRITE)).toBe(0x6000);
    expect(setup({ writeProtect: true }, tables).go(0x404000, WRITE)).toBe(-1 - PF_P - PF_W);
  });
  test("accessed on every level, dirty on the leaf, neither on a fault", () => {
    const m = setup({ writeProtect: true }, tables);
    m.go(0x404000, WRITE);
    expect([m.words.get(0x1004), m.words.get(0x2010)]).toEqual([0x2007, 0x6005]);
    m.go(0x403000);
    expect([m.words.get(0x1004), m.words.get(0x200c)]).toEqual([0x2027, 0x5027]);
    m.go(0x403000, WRITE);
    expect([m.words.get(0x1004), m.words.get(0x200c)]).toEqual([0x2027, 0x5067]);
  });
  test("4 MiB page with CR4.PSE; PS is ignored without", () => {
    const m = setup({ pageSizeExtension: true }, tables);
    expect(m.go(0x812345)).toBe(0x812345);
    expect(m.out.pageShift).toBe(22);
    expect(setup({}, tables).go(0x800000)).toBe(-1);
  });
  test("PSE-36: bits 13-16 are address bits 32-35, bit 21 and those above MAXPHYADDR are reserved", () => {
    expect(setup({ pageSizeExtension: true }, { 0x1000: 0x0040_6083 }).go(1)).toBe(0x3_0040_0001);
    expect(setup({ pageSizeExtension: true }, { 0x1000: 0x0060_0083 }).go(1)).toBe(-1 - PF_P - PF_RSVD);
    expect(setup({ pageSizeExtension: true }, { 0x1000: 0x0042_0083 }).go(1, WRITE)).toBe(-1 - PF_P - PF_RSVD - PF_W);
  });
});

describe("SDM 4.4 PAE paging", () => {
  const pae = { physicalAddressExtension: true };
  const tables = {
    0x1018: 0x2001, 0x2ff8: 0x3007, 0x3008: 0x4003, 0x300c: 0x8000_0000 | 0, 0x3010: 0x5003, 0x3014: 2,
    0x3018: 0x6003, 0x301c: 0x10, 0x2ff0: 0x0060_0083, 0x2fe8: 0x0060_2083,
  };
  const loaded = (change: Partial<PagingMode>) => {
    const m = setup({ ...pae, ...change }, tables);
    expect(loadPdptes(m.memory, m.mode, 0x1000)).toBe(true);
    return m;
  };
  test("NX: a fetch faults with I; without EFER.NXE bit 63 is reserved", () => {
    expect(loaded({ noExecute: true }).go(0xffe01000)).toBe(0x4000);
    expect(loaded({ noExecute: true }).go(0xffe01000, EXECUTE)).toBe(-1 - PF_P - PF_I);
    expect(loaded({}).go(0xffe01000)).toBe(-1 - PF_P - PF_RSVD);
  });
  test("36-bit frames; bits above MAXPHYADDR are reserved", () => {
    expect(loaded({}).go(0xffe02004)).toBe(0x2_0000_5004);
    expect(loaded({}).go(0xffe03000)).toBe(-1 - PF_P - PF_RSVD);
  });
  test("2 MiB page; bits 13-20 are reserved", () => {
    const m = loaded({});
    expect(m.go(0xffd23456, WRITE)).toBe(0x723456);
    expect(m.words.get(0x2ff0)).toBe(0x6000e3);
    expect(m.go(0xffb00000)).toBe(-1 - PF_P - PF_RSVD);
  });
  test("PDPTE registers: absent gives P clear, reserved bits refuse the load", () => {
    expect(loaded({}).go(0x1000)).toBe(-1);
    const m = setup(pae, { 0x1000: 0x2003 });
    expect(loadPdptes(m.memory, m.mode, 0x1000)).toBe(false);
  });
});

describe("SDM 4.5 4-level paging", () => {
  const long = { physicalAddressExtension: true, longMode: true, gigabytePages: true, noExecute: true, physicalBits: 40 };
  test("the last page of the address space", () => {
    const m = setup(long, { 0x1ff8: 0x2003, 0x2ff8: 0x3003, 0x3ff8: 0x4003, 0x4ff8: 0x9003, 0x4ffc: 0x11 });
    expect(m.go(-1)).toBe(0x11_0000_9fff);
    expect([m.words.get(0x1ff8), m.words.get(0x2ff8), m.words.get(0x3ff8), m.words.get(0x4ff8)]).toEqual([0x2023, 0x3023, 0x4023, 0x9023]);
  });
  test("rights are those of all levels; bits 52-62 are ignored", () => {
    const m = setup(long, { 0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4008: 0x9005, 0x400c: 0x7ff0_0000 });
    expect(m.go(0x1000, READ, true)).toBe(0x9000);
    expect(m.go(0x1000, WRITE, true)).toBe(-1 - PF_P - PF_W - PF_U);
  });
  test("1 GiB page", () => expect(setup(long, { 0x1000: 0x2003, 0x2008: 0x4000_0083 }).go(0x4012_3456)).toBe(0x4012_3456));
  test("PS in a PML4E is reserved", () => expect(setup(long, { 0x1000: 0x2083 }).go(0)).toBe(-1 - PF_P - PF_RSVD));
  test("PS in a PDPTE is reserved on a processor without 1 GiB pages, and bits 29:13 with them", () => {
    expect(setup({ ...long, gigabytePages: false }, { 0x1000: 0x2003, 0x2008: 0x4000_0083 }).go(0x4000_0000)).toBe(-1 - PF_P - PF_RSVD);
    expect(setup(long, { 0x1000: 0x2003, 0x2008: 0x4000_2083 }).go(0x4000_0000)).toBe(-1 - PF_P - PF_RSVD);
  });
  test("2 MiB page: bits 20:13 are reserved, XD forbids fetches, D is set on a write", () => {
    const m = setup(long, { 0x1000: 0x2007, 0x2000: 0x3007, 0x3008: 0x60_0087, 0x300c: 0x8000_0000, 0x3010: 0x60_2087 });
    expect(m.go(0x20_1234, WRITE)).toBe(0x60_1234);
    expect(m.words.get(0x3008)).toBe(0x60_00e7);
    expect(m.go(0x20_1234, EXECUTE)).toBe(-1 - PF_P - PF_I);
    expect(m.go(0x40_0000)).toBe(-1 - PF_P - PF_RSVD);
  });
  test("XD is reserved while EFER.NXE is clear, and I is not reported then", () => {
    const m = setup({ ...long, noExecute: false }, { 0x1000: 0x2007, 0x2000: 0x3007, 0x3008: 0x60_0087, 0x300c: 0x8000_0000 });
    expect(m.go(0x20_0000)).toBe(-1 - PF_P - PF_RSVD);
    expect(m.go(0x40_0000, EXECUTE)).toBe(-1);
  });
});

describe("SDM 4.6.1 supervisor accesses of user pages", () => {
  const long = { physicalAddressExtension: true, longMode: true, noExecute: true, physicalBits: 40 };
  const tables = { 0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4008: 0x9007, 0x4010: 0xa003 };
  test("SMEP: no fetches; I is reported also without NXE", () => {
    expect(setup({ ...long, executionPrevention: true }, tables).go(0x1000, EXECUTE)).toBe(-1 - PF_P - PF_I);
    expect(setup({ ...long, executionPrevention: true, noExecute: false }, tables).go(0x1000, EXECUTE)).toBe(-1 - PF_P - PF_I);
    const m = setup({ ...long, executionPrevention: true }, tables);
    expect([m.go(0x1000), m.go(0x1000, EXECUTE, true), m.go(0x2000, EXECUTE)]).toEqual([0x9000, 0x9000, 0xa000]);
  });
  test("SMAP: no reads and writes, unless EFLAGS.AC lifts it; fetches are SMEP's", () => {
    const m = setup({ ...long, accessPrevention: true }, tables);
    expect([m.go(0x1000), m.go(0x1000, WRITE)]).toEqual([-1 - PF_P, -1 - PF_P - PF_W]);
    expect([m.go(0x2000), m.go(0x1000, READ, true), m.go(0x1000, EXECUTE)]).toEqual([0xa000, 0x9000, 0x9000]);
    m.mode.accessOpen = true;
    expect(m.go(0x1000, WRITE)).toBe(0x9000);
  });
});
