// Expectations: Xen's documents "x86/HVM direct boot ABI (PVH)" and its header hvm/start_info.h; System V ABI for ELF.
import { describe, expect, it } from "vitest";
import type { FirmwareError } from "./index.ts";
import { elfImage, elfNote } from "./elf-image.fixture.ts";
import { loadLinux, loadPvh } from "./index.ts";

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const PT_NOTE = 4;
const ENTRY = 0x100_0010;

function word(value: number, size: 4 | 8): Uint8Array {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
function memory(): { ram: Uint8Array; view: DataView; write: (at: number, bytes: Uint8Array) => void } {
  const ram = new Uint8Array(32 * MIB).fill(0xcc);
  return { ram, view: new DataView(ram.buffer), write: (at, bytes) => ram.set(bytes, at) };
}
const text = (ram: Uint8Array, at: number): string => new TextDecoder("latin1").decode(ram.subarray(at, ram.indexOf(0, at)));
const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** A kernel linked at the top of the address space and loaded at 16 MiB, with the note behind another one. */
function kernel(wide: boolean, notes = [elfNote("GNU", 3, new Uint8Array(20)), elfNote("Xen", 18, word(ENTRY, wide ? 8 : 4))]): Uint8Array {
  const note = Uint8Array.from(notes.flatMap((bytes) => [...bytes]));
  const virtual = wide ? 0xffff_ffff_8100_0000n : 0xc100_0000n;
  return elfImage(wide, virtual, [
    { virtual, physical: 0x100_0000, bytes: Uint8Array.of(1, 2, 3, 4), memorySize: 64 }, { type: PT_NOTE, bytes: note },
  ]);
}

describe.each([["ELF32", false], ["ELF64", true]] as const)("a PVH kernel as %s", (_, wide) => {
  it("is entered by its note, in 32-bit mode with flat segments and the start info in EBX", () => {
    const { ram, view, write } = memory();
    const initrd = Uint8Array.of(9, 8, 7);
    const entry = loadPvh({
      kernel: kernel(wide), initrd, modules: [{ data: Uint8Array.of(5), args: "second" }], commandLine: "console=ttyS0", memorySize: 32 * MIB, rsdp: 0xf0000, write,
    });
    expect(entry).toMatchObject({ mode: "protected", cr0: 0x11, cr4: 0, registers: { eip: ENTRY, eflags: 2 } });
    expect([...ram.subarray(0x100_0000, 0x100_0006), ram[0x100_0040]]).toEqual([1, 2, 3, 4, 0, 0, 0xcc]);
    const info = entry.registers.ebx;
    expect([view.getUint32(info, true), view.getUint32(info + 4, true), view.getUint32(info + 8, true), view.getUint32(info + 12, true)])
      .toEqual([0x336ec578, 1, 0, 2]);
    expect(text(ram, u64(view, info + 24))).toBe("console=ttyS0");
    expect(u64(view, info + 32)).toBe(0xf0000);
    const modules = u64(view, info + 16);
    expect([u64(view, modules), u64(view, modules + 8), u64(view, modules + 16), u64(view, modules + 24)]).toEqual([0x100_1000, 3, 0, 0]);
    expect([ram[0x100_1000], ram[u64(view, modules + 32)], text(ram, u64(view, modules + 48))]).toEqual([9, 5, "second"]);
    const map = u64(view, info + 40);
    expect(view.getUint32(info + 48, true)).toBe(6);
    expect([u64(view, map), u64(view, map + 8), view.getUint32(map + 16, true)]).toEqual([0, 0x9fc00, 1]);
    expect([u64(view, map + 72), u64(view, map + 80), view.getUint32(map + 88, true)]).toEqual([MIB, 31 * MIB - 0x20000, 1]);
  });

  it("is what loadLinux makes of an ELF file", () => {
    const { write } = memory();
    expect(loadLinux({ kernel: kernel(wide), memorySize: 32 * MIB, write }).registers.eip).toBe(ENTRY);
    expect(() => loadLinux({ kernel: kernel(wide), memorySize: 32 * MIB, entry: "long", write })).toThrow(expect.objectContaining({ code: "FIRMWARE_UNSUPPORTED" }) as FirmwareError);
  });

  it("is refused when it is cut anywhere, or lacks the note", () => {
    const { write } = memory();
    const whole = kernel(wide);
    for (let length = 4; length < whole.length; length++) {
      const run = (): unknown => loadPvh({ kernel: whole.subarray(0, length), memorySize: 32 * MIB, write });
      expect(run, `${length} bytes`).toThrow(expect.objectContaining({ code: "FIRMWARE_TRUNCATED" }) as FirmwareError);
    }
    for (const notes of [[], [elfNote("Xen", 17, word(ENTRY, 4))], [elfNote("Zen", 18, word(ENTRY, 4))], [Uint8Array.of(4, 0, 0, 0, 255, 255, 255, 255, 18, 0, 0, 0)]])
      expect(() => loadPvh({ kernel: kernel(wide, notes), memorySize: 32 * MIB, write })).toThrow(expect.objectContaining({ code: "FIRMWARE_UNSUPPORTED" }) as FirmwareError);
    expect(() => loadPvh({ kernel: whole, memorySize: SIZE, write })).toThrow(expect.objectContaining({ code: "FIRMWARE_MEMORY_TOO_SMALL" }) as FirmwareError);
  });

  it("never throws anything else, whatever its bytes are", () => {
    const whole = kernel(wide);
    for (let at = 4; at < whole.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const broken = whole.slice();
        broken[at] = value;
        try {
          loadPvh({ kernel: broken, memorySize: 32 * MIB, write: () => {} });
        } catch (error) {
          expect((error as FirmwareError).code).toMatch(/^FIRMWARE_/);
        }
      }
    }
  });
});
