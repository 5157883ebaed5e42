// Expectations: Multiboot Specification 0.6.96, sections 3.1 to 3.3.
import { describe, expect, it } from "vitest";
import type { FirmwareError } from "./index.ts";
import { loadMultiboot } from "./index.ts";

const MIB = 1 << 20;
const SIZE = 16 * MIB;

function header(flags: number, ...addresses: number[]): number[] {
  return [0x1badb002, flags, -(0x1badb002 + flags) >>> 0, ...addresses];
}
function image(size: number, words: Record<number, number[]>): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [at, list] of Object.entries(words)) list.forEach((word, i) => view.setUint32(Number(at) + i * 4, word, true));
  return bytes;
}
/** ELF32 with one segment of 16 bytes of file and 64 of memory, linked at c0100000h and loaded at 100000h. */
function elf(flags = 0): Uint8Array {
  return image(4096, {
    0: [0x464c457f, 0x00010101], 16: [0x00030002, 1, 0xc0100004, 52, 0, 0, 0x00200034, 1],
    52: [1, 0x200, 0xc0100000, 0x100000, 16, 64, 5, 4096], 0x100: header(flags), 0x200: [0x11111111, 0x22222222, 0x33333333, 0x44444444],
  });
}
function boot(kernel: Uint8Array, more: object = {}): { ram: Uint8Array; view: DataView; entry: ReturnType<typeof loadMultiboot> } {
  const ram = new Uint8Array(SIZE).fill(0xcc);
  const entry = loadMultiboot({ image: kernel, memorySize: SIZE, write: (at, bytes) => ram.set(bytes, at), ...more });
  return { ram, view: new DataView(ram.buffer), entry };
}
const text = (ram: Uint8Array, at: number): string => new TextDecoder("latin1").decode(ram.subarray(at, ram.indexOf(0, at)));

describe("section 3.2, machine state", () => {
  it("enters an ELF kernel at the physical address of its entry, with zeroed bss", () => {
    const { view, entry } = boot(elf());
    expect(entry.registers).toMatchObject({ eip: 0x100004, eax: 0x2badb002, eflags: 2 });
    expect(entry.mode).toBe("protected");
    expect([view.getUint32(0x10000c, true), view.getUint32(0x100010, true), view.getUint32(0x10003c, true)]).toEqual([0x44444444, 0, 0]);
    expect(view.getUint8(0x100040)).toBe(0xcc);
  });

  it("loads by the addresses in the header when bit 16 is set", () => {
    const kernel = image(512, { 16: header(0x10000, 0x200010, 0x200000, 0x200100, 0x200200, 0x200040), 64: [0xf4f4f4f4] });
    const { view, entry } = boot(kernel);
    expect(entry.registers.eip).toBe(0x200040);
    expect(view.getUint32(0x200040, true)).toBe(0xf4f4f4f4);
    expect([view.getUint8(0x2000ff), view.getUint8(0x2001ff), view.getUint8(0x200200)]).toEqual([0, 0, 0xcc]);
  });
});

describe("section 3.3, boot information", () => {
  it("gives memory, command line, modules on page boundaries, memory map and loader name", () => {
    const modules = [{ data: Uint8Array.of(1, 2, 3), args: "first a" }, { data: Uint8Array.of(4), args: "second" }];
    const { ram, view, entry } = boot(elf(3), { modules, commandLine: "kernel x=1" });
    const info = entry.registers.ebx;
    const word = (offset: number): number => view.getUint32(info + offset, true);
    expect(word(0)).toBe(0b1001001101);
    expect([word(4), word(8)]).toEqual([639, (SIZE - 0x20000 - MIB) / 1024]);
    expect(text(ram, word(16))).toBe("kernel x=1");
    expect(text(ram, word(64))).toBe("Doppel");
    expect(word(20)).toBe(2);
    const module = (i: number): number[] => [0, 4].map((offset) => view.getUint32(word(24) + i * 16 + offset, true));
    expect(module(0)).toEqual([0x101000, 0x101003]);
    expect(module(1)).toEqual([0x102000, 0x102001]);
    expect(text(ram, view.getUint32(word(24) + 8, true))).toBe("first a");
    expect(ram[0x102000]).toBe(4);
    expect([view.getUint32(word(48), true), word(44) % 24, view.getUint32(word(48) + 20, true)]).toEqual([20, 0, 1]);
  });
});

it("section 3.3: mem_upper counts kilobytes up to the PCI hole when there is more than 2 GiB", () => {
  const written = new Map<number, Uint8Array>();
  const { registers } = loadMultiboot({ image: elf(), memorySize: 3 * 2 ** 30, write: (at, bytes) => void written.set(at, bytes) });
  const area = written.get(registers.ebx - 32)!;
  expect(new DataView(area.buffer).getUint32(32 + 8, true)).toBe((3 * 2 ** 30 - 0x20000 - MIB) / 1024);
});

describe("kernels that cannot be booted", () => {
  it.each([
    ["FIRMWARE_BAD_MAGIC", new Uint8Array(4096)],
    ["FIRMWARE_BAD_MAGIC", new Uint8Array(0)],
    ["FIRMWARE_UNSUPPORTED", elf(0x8)],
    ["FIRMWARE_UNSUPPORTED", image(64, { 0: header(0) })],
    ["FIRMWARE_TRUNCATED", elf().subarray(0, 0x204)],
    ["FIRMWARE_TRUNCATED", image(16, { 0: header(0x10000) })],
    ["FIRMWARE_MEMORY_TOO_SMALL", image(64, { 0: header(0x10000, 0xf0000000, 0xf0000000, 0, 0, 0xf0000000) })],
  ])("are refused with %s", (code, kernel) => {
    expect(() => boot(kernel)).toThrow(expect.objectContaining({ code }) as FirmwareError);
  });
});
