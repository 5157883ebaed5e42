// Expectations: Multiboot Specification 2.0, sections 3.1 to 3.3 and 3.6; for section headers, the layout that GRUB 2 gives them.
import { describe, expect, it } from "vitest";
import type { FirmwareError } from "./index.ts";
import { elfImage } from "./elf-image.fixture.ts";
import { installTables, loadMultiboot } from "./index.ts";

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const LOAD = 0x20_0000;

/** Header tags: type, flags, contents as words. */
function header(tags: readonly [number, number, ...number[]][] = [], architecture = 0): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number): unknown => bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
  const size = 16 + [...tags, [0, 0]].reduce((total, [, , ...words]) => total + Math.ceil((8 + 4 * words.length) / 8) * 8, 0);
  for (const value of [0xe85250d6, architecture, size, -(0xe85250d6 + architecture + size)]) word(value);
  for (const [type, flags, ...words] of [...tags, [0, 0] as const]) {
    word(type | (flags << 16));
    word(8 + 4 * words.length);
    words.forEach(word);
    while (bytes.length % 8 !== 0) bytes.push(0);
  }
  return Uint8Array.from(bytes);
}
function elf(wide: boolean, head = header()): Uint8Array {
  const bytes = new Uint8Array(64 + head.length);
  bytes.set(head, 64);
  const sections = [{ type: 0, bytes: new Uint8Array() }, { type: 1, address: LOAD, bytes }, { type: 2, bytes: Uint8Array.of(1, 2, 3) }];
  return elfImage(wide, BigInt(LOAD + 4), [{ physical: LOAD, bytes, memorySize: 4096 }], sections);
}
/** Loads a kernel, and reads the tags as a kernel would. */
function boot(image: Uint8Array, more: object = {}): { ram: Uint8Array; view: DataView; entry: ReturnType<typeof loadMultiboot>; tags: Map<number, number[]> } {
  const ram = new Uint8Array(SIZE).fill(0xcc);
  const view = new DataView(ram.buffer);
  const entry = loadMultiboot({ image, memorySize: SIZE, write: (at, bytes) => ram.set(bytes, at), ...more });
  const tags = new Map<number, number[]>();
  const info = entry.registers.ebx;
  const end = info + view.getUint32(info, true);
  for (let at = info + 8; at < end; at += Math.ceil(view.getUint32(at + 4, true) / 8) * 8)
    tags.set(view.getUint32(at, true), [...(tags.get(view.getUint32(at, true)) ?? []), at]);
  return { ram, view, entry, tags };
}
const text = (ram: Uint8Array, at: number): string => new TextDecoder("latin1").decode(ram.subarray(at, ram.indexOf(0, at)));

describe.each([["ELF32", false], ["ELF64", true]] as const)("a multiboot 2 kernel as %s", (_, wide) => {
  it("3.3: is entered in 32-bit mode with the magic in EAX and the information, 8-byte aligned, in EBX", () => {
    const { entry, view } = boot(elf(wide));
    expect(entry).toMatchObject({ mode: "protected", registers: { eip: LOAD + 4, eax: 0x36d76289, eflags: 2 }, segments: { cs: { limit: 0xffffffff } } });
    expect([entry.registers.ebx % 8, view.getUint8(LOAD + 4095)]).toEqual([0, 0]);
  });

  it("3.6: finds command line, loader, modules, memory, text screen, root pointer and load address", () => {
    const { root } = installTables({ memorySize: SIZE, write: () => {} });
    const modules = [{ data: Uint8Array.of(1, 2, 3), args: "first a" }, { data: Uint8Array.of(4), args: "second" }];
    const { ram, view, tags } = boot(elf(wide), { modules, commandLine: "kernel x=1", rootPointer: root });
    const at = (type: number): number => tags.get(type)![0]!;
    expect([...tags.keys()]).toEqual([1, 2, 3, 4, 6, 8, 9, 14, 21, 0]);
    expect([text(ram, at(1) + 8), text(ram, at(2) + 8)]).toEqual(["kernel x=1", "Doppel"]);
    expect(tags.get(3)!.map((module) => [view.getUint32(module + 8, true), view.getUint32(module + 12, true), text(ram, module + 16)]))
      .toEqual([[0x201000, 0x201003, "first a"], [0x202000, 0x202001, "second"]]);
    expect(ram[0x202000]).toBe(4);
    expect([view.getUint32(at(4) + 8, true), view.getUint32(at(4) + 12, true)]).toEqual([639, (SIZE - 0x20000 - MIB) / 1024]);
    expect([8, 12, 16, 24, 32].map((offset) => view.getUint32(at(6) + offset, true))).toEqual([24, 0, 0, 0x9fc00, 1]);
    expect([view.getUint32(at(8) + 8, true), view.getUint32(at(8) + 16, true), view.getUint32(at(8) + 20, true), view.getUint8(at(8) + 28), view.getUint8(at(8) + 29)])
      .toEqual([0xb8000, 160, 80, 16, 2]);
    expect(ram.subarray(at(14) + 8, at(14) + 28)).toEqual(root);
    expect(view.getUint32(at(21) + 8, true)).toBe(LOAD);
  });

  it("3.6.7: finds its section headers, and what they name in memory", () => {
    const { ram, view, tags } = boot(elf(wide));
    const at = tags.get(9)![0]!;
    expect([8, 12, 16].map((offset) => view.getUint32(at + offset, true))).toEqual([3, wide ? 64 : 40, 0]);
    const address = (n: number): number => view.getUint32(at + 20 + n * (wide ? 64 : 40) + (wide ? 16 : 12), true);
    expect([address(0), address(1)]).toEqual([0, LOAD]);
    expect([...ram.subarray(address(2), address(2) + 3)]).toEqual([1, 2, 3]);
  });
});

describe("3.1, header tags", () => {
  it("load by address and enter by address, without ELF", () => {
    const image = new Uint8Array(512);
    image.set(header([[2, 0, LOAD + 64, LOAD, LOAD + 0x100, LOAD + 0x200], [3, 0, LOAD + 0xf0]]), 64);
    image[0xf0] = 0xf4;
    const { view, entry } = boot(image);
    expect(entry.registers.eip).toBe(LOAD + 0xf0);
    expect([view.getUint8(LOAD + 0xf0), view.getUint8(LOAD + 0x1ff), view.getUint8(LOAD + 0x200)]).toEqual([0xf4, 0, 0xcc]);
  });
  it("may ask for what exists, and for anything when it is optional", () => {
    const head = header([[1, 0, 1, 4, 6, 8, 9], [1, 1, 99], [4, 0, 3], [5, 1, 0, 0, 32], [6, 0], [10, 1, 0, 0, 0, 0], [77, 1, 5]]);
    expect(boot(elf(true, head)).entry.registers.eip).toBe(LOAD + 4);
  });
  it.each([
    ["FIRMWARE_UNSUPPORTED", elf(true, header([[1, 0, 12]]))],
    ["FIRMWARE_UNSUPPORTED", elf(true, header([[77, 0, 5]]))],
    ["FIRMWARE_UNSUPPORTED", elf(true, header([], 4))],
    ["FIRMWARE_UNSUPPORTED", header()],
    ["FIRMWARE_TRUNCATED", header([[2, 0, LOAD, LOAD, LOAD + 0x1000, 0], [3, 0, LOAD]])],
    ["FIRMWARE_TRUNCATED", header([[3, 0]])],
    ["FIRMWARE_TRUNCATED", header([[5, 0, 1, 2, 3]]).subarray(0, 32)],
    ["FIRMWARE_BAD_MAGIC", header().map((byte, n) => (n === 12 ? byte ^ 1 : byte))],
    ["FIRMWARE_MEMORY_TOO_SMALL", elfImage(true, 0x1_0000_0000n, [{ physical: 0x1_0000_0000, bytes: header() }])],
  ])("are refused with %s otherwise", (code, image) => {
    expect(() => boot(image)).toThrow(expect.objectContaining({ code }) as FirmwareError);
  });
});
