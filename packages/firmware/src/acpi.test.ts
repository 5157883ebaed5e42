// Expectations: ACPI 6.4, sections 5.2 (tables), 6.4 (resource descriptors) and 20.2 (AML); MultiProcessor Specification 1.4, chapter 4.
// That Linux 6.1 takes these tables, routes interrupts by them and powers off was seen under QEMU 7.2, with both FADT revisions and through SeaBIOS.
import { describe, expect, it } from "vitest";
import { buffer, eisaId, integer, interrupts, irq, name, packageOf, ports } from "./aml.ts";
import { ACPI_LOADER_FILE, acpiFwCfgFiles, buildAcpiTables, buildMpTable, installTables, mapBios, placeAcpiTables } from "./index.ts";

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const signature = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
const options = { pciMemory: 0x1000_0000 };

/** Tables by signature, reached from the RSDP as a guest reaches them. */
function tablesOf(memory: (address: number, length: number) => Uint8Array, rsdp: number): Map<string, Uint8Array> {
  const word = (address: number): number => new DataView(memory(address, 4).slice().buffer).getUint32(0, true);
  const found = new Map<string, Uint8Array>();
  const add = (address: number): void => {
    const table = memory(address, word(address + 4));
    found.set(signature(table, 0), table);
  };
  expect(sum(memory(rsdp, 20))).toBe(0);
  const rsdt = word(rsdp + 16);
  for (let i = 36; i < word(rsdt + 4); i += 4) add(word(rsdt + i));
  add(rsdt);
  const facp = new DataView(found.get("FACP")!.slice().buffer);
  add(facp.getUint32(36, true));
  add(facp.getUint32(40, true));
  return found;
}

describe("5.2, system description tables", () => {
  it.each([1, 3] as const)("are linked from the root pointer and sum to zero (FADT revision %i)", (fadtRevision) => {
    const ram = new Uint8Array(4 << 20);
    const { rsdp } = installTables({ memorySize: ram.length, fadtRevision, write: (at, bytes) => ram.set(bytes, at) });
    expect(rsdp % 16).toBe(0);
    const tables = tablesOf((at, length) => ram.subarray(at, at + length), rsdp);
    expect([...tables.keys()].sort()).toEqual(["APIC", "DSDT", "FACP", "FACS", "HPET", "RSDT"]);
    for (const [key, table] of tables) if (key !== "FACS") expect([key, sum(table)]).toEqual([key, 0]);
    const facp = new DataView(tables.get("FACP")!.slice().buffer);
    expect(facp.byteLength).toBe(fadtRevision === 1 ? 116 : 244);
    expect([facp.getUint16(46, true), facp.getUint32(48, true), facp.getUint32(64, true), facp.getUint32(76, true)]).toEqual([9, 0xb2, 0x604, 0x608]);
    expect([facp.getUint8(88), facp.getUint8(89), facp.getUint8(91), facp.getUint8(108)]).toEqual([4, 2, 4, 0x32]);
  });

  it("5.2.12: a MADT entry says its own length, and there is a local APIC per processor", () => {
    const { tables } = placeAcpiTables(buildAcpiTables({ ...options, cpus: 3 }), 0);
    let at = 0;
    while (signature(tables, at) !== "APIC") at += 4;
    const length = new DataView(tables.buffer).getUint32(at + 4, true);
    const types: number[] = [];
    let entry = at + 44;
    for (; entry < at + length; entry += tables[entry + 1]!) types.push(tables[entry]!);
    expect(entry).toBe(at + length);
    expect(types).toEqual([0, 0, 0, 1, 2, 2, 2, 2, 2, 4]);
  });
});

describe("IA-PC HPET specification 1.0a, 3.2.4", () => {
  const tablesWith = (hpet: boolean): Map<string, Uint8Array> => {
    const ram = new Uint8Array(4 << 20);
    const { rsdp, root } = installTables({ memorySize: ram.length, hpet, write: (at, bytes) => ram.set(bytes, at) });
    expect(root).toEqual(ram.subarray(rsdp, rsdp + 20));
    return tablesOf((at, length) => ram.subarray(at, at + length), rsdp);
  };
  it("describes the timer block in 56 bytes, where there is one", () => {
    const table = tablesWith(true).get("HPET")!;
    const view = new DataView(table.slice().buffer);
    expect([table.length, view.getUint32(36, true), view.getUint32(40, true), view.getUint32(44, true), view.getUint32(48, true)])
      .toEqual([56, 0x8086a201, 0, 0xfed00000, 0]);
    expect([view.getUint8(52), view.getUint8(55)]).toEqual([0, 0]);
    expect(tablesWith(false).has("HPET")).toBe(false);
    expect(tablesWith(true).get("DSDT")!.length).toBeGreaterThan(tablesWith(false).get("DSDT")!.length);
  });
});

describe("fw_cfg loader script", () => {
  it("leads a BIOS to the same tables that a direct boot places", () => {
    const files = acpiFwCfgFiles(options);
    const script = files[ACPI_LOADER_FILE]!;
    const view = new DataView(script.buffer);
    const string = (at: number): string => new TextDecoder().decode(script.subarray(at, script.indexOf(0, at)));
    const base = 0x7fe0000;
    const memory: Record<string, Uint8Array> = {};
    for (let at = 0; at < script.length; at += 128) {
      const file = string(at + 4);
      switch (view.getUint32(at, true)) {
        case 1: memory[file] = files[file]!.slice(); break;
        case 2: {
          expect(string(at + 60)).toBe("etc/acpi/tables");
          const field = new DataView(memory[file]!.buffer);
          const offset = view.getUint32(at + 116, true);
          field.setUint32(offset, field.getUint32(offset, true) + base, true);
          break;
        }
        case 3: {
          const [offset, start, length] = [60, 64, 68].map((operand) => view.getUint32(at + operand, true)) as [number, number, number];
          memory[file]![offset] = (memory[file]![offset]! - sum(memory[file]!.subarray(start, start + length))) & 0xff;
          break;
        }
        default: expect.unreachable();
      }
    }
    const placed = placeAcpiTables(buildAcpiTables(options), base);
    expect(memory["etc/acpi/tables"]).toEqual(placed.tables);
    expect(memory["etc/acpi/rsdp"]).toEqual(placed.rsdp);
  });
});

describe("20.2, AML encodings", () => {
  it("names, integers, EISA identifiers and package lengths", () => {
    expect(name("\\_SB.PCI0")).toEqual([0x5c, 0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30]);
    expect([integer(0), integer(1), integer(2), integer(0x1234), integer(0x12345678)]).toEqual(
      [[0], [1], [0x0a, 2], [0x0b, 0x34, 0x12], [0x0c, 0x78, 0x56, 0x34, 0x12]]);
    expect(eisaId("PNP0A03")).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    expect(packageOf(integer(0))).toEqual([0x12, 3, 1, 0]);
    // 62 bytes and the length byte just fit into six bits; one more byte needs two, the low nibble in the first.
    expect(buffer(new Array<number>(60).fill(7)).slice(0, 4)).toEqual([0x11, 0x3f, 0x0a, 60]);
    expect(buffer(new Array<number>(61).fill(7)).slice(0, 5)).toEqual([0x11, 0x41, 0x04, 0x0a, 61]);
  });
  it("6.4, resource descriptors", () => {
    expect(ports(0x3f8, 8)).toEqual([0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8]);
    expect(irq(4)).toEqual([0x22, 0x10, 0]);
    expect(interrupts(5, 10)).toEqual([0x89, 10, 0, 0x09, 2, 5, 0, 0, 0, 10, 0, 0, 0]);
  });
});

describe("MP specification, chapter 4", () => {
  it("has a floating pointer and a table that sum to zero", () => {
    const table = buildMpTable(0xf0100, 2);
    expect(signature(table, 0)).toBe("_MP_");
    expect(sum(table.subarray(0, 16))).toBe(0);
    expect(new DataView(table.buffer).getUint32(4, true)).toBe(0xf0110);
    expect(signature(table, 16)).toBe("PCMP");
    expect(new DataView(table.buffer).getUint16(20, true)).toBe(table.length - 16);
    expect(sum(table.subarray(16))).toBe(0);
  });
});

describe("what a BIOS does without being one", () => {
  it("maps an image to the end of the address space and its last 128 KiB below 1 MiB", () => {
    const image = new Uint8Array(256 << 10).map((_, i) => i >> 16);
    expect(mapBios(image)).toMatchObject({ high: { base: 0xfffc0000 }, legacy: { base: 0xe0000 } });
    expect([...new Set(mapBios(image).legacy.bytes)]).toEqual([2, 3]);
    expect(mapBios(new Uint8Array(65536)).legacy.base).toBe(0xf0000);
    for (const size of [0, 1000, 32 << 20]) expect(() => mapBios(new Uint8Array(size))).toThrow(expect.objectContaining({ code: "FIRMWARE_BAD_SIZE" }) as Error);
  });
});
