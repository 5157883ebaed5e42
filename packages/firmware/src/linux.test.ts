// Expectations: Linux documentation, "The Linux/x86 Boot Protocol" (offsets, 32-bit entry) and "Zero Page".
import { describe, expect, it } from "vitest";
import { FirmwareError, loadLinux, parseLinuxHeader } from "./index.ts";

interface Image { version?: number; codeSize?: number; initrdMax?: number; initSize?: number; loadflags?: number; xloadflags?: number }

/** A bzImage with a header and code that counts. */
function bzImage({ version = 0x20f, codeSize = 64, initrdMax = 0x7fff_ffff, initSize = 0x10000, loadflags = 1, xloadflags = 0 }: Image = {}): Uint8Array {
  const image = new Uint8Array(1024 + codeSize);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, Math.ceil(codeSize / 16), true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x201, 0x6a);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  view.setUint8(0x211, loadflags);
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, initrdMax, true);
  view.setUint32(0x230, 0x100000, true);
  view.setUint8(0x234, 1);
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x258, 0x100000, true);
  view.setUint32(0x260, initSize, true);
  for (let i = 0; i < codeSize; i++) image[1024 + i] = i;
  return image;
}

const MIB = 1 << 20;
function machine(size = 16 * MIB): { ram: Uint8Array; view: DataView; write: (at: number, bytes: Uint8Array) => void } {
  const ram = new Uint8Array(size);
  return { ram, view: new DataView(ram.buffer), write: (at, bytes) => ram.set(bytes, at) };
}
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof FirmwareError) return error.code;
    throw error;
  }
  return "none";
};

describe("32-bit boot protocol", () => {
  it("enters code32_start with flat segments, interrupts off and boot_params in ESI", () => {
    const { ram, view, write } = machine();
    const entry = loadLinux({ kernel: bzImage(), commandLine: "console=ttyS0", memorySize: ram.length, rsdp: 0xf0000, write });
    expect(entry.registers).toMatchObject({ eip: 0x100000, ebx: 0, ebp: 0, edi: 0, eflags: 2 });
    expect(entry.segments.cs).toEqual({ selector: 0x10, base: 0, limit: 0xffffffff, attributes: 0x00cf9b00 });
    expect(entry.segments.ss).toEqual({ selector: 0x18, base: 0, limit: 0xffffffff, attributes: 0x00cf9300 });
    expect([view.getUint32(entry.gdt.base + 0x10, true), view.getUint32(entry.gdt.base + 0x14, true)]).toEqual([0xffff, 0x00cf9b00]);
    expect(ram.subarray(0x100000, 0x100004)).toEqual(Uint8Array.of(0, 1, 2, 3));

    const params = entry.registers.esi;
    expect(view.getUint32(params + 0x202, true)).toBe(0x53726448);
    expect(view.getUint8(params + 0x210)).toBe(0xff);
    expect(view.getUint32(params + 0x70, true)).toBe(0xf0000);
    // The sentinel shows the kernel whether the page was cleared before the header was copied.
    expect(view.getUint8(params + 0x1ef)).toBe(0);
    const commandLine = view.getUint32(params + 0x228, true);
    expect(new TextDecoder().decode(ram.subarray(commandLine, commandLine + 14))).toBe("console=ttyS0\0");
  });

  it("describes the memory in e820 entries of 20 bytes at 2d0h", () => {
    const { ram, view, write } = machine();
    const params = loadLinux({ kernel: bzImage(), memorySize: ram.length, write }).registers.esi;
    expect(view.getUint8(params + 0x1e8)).toBe(6);
    const entry = (i: number): number[] => [0, 8, 16].map((offset) => view.getUint32(params + 0x2d0 + i * 20 + offset, true));
    expect(entry(0)).toEqual([0, 0x9fc00, 1]);
    expect(entry(3)).toEqual([0x100000, 16 * MIB - 0x20000 - 0x100000, 1]);
    expect(entry(4)).toEqual([16 * MIB - 0x20000, 0x20000, 2]);
  });

  it("puts the initial RAM disk as high as initrd_addr_max lets it be", () => {
    const initrd = Uint8Array.of(1, 2, 3);
    for (const [initrdMax, base] of [[0x7fff_ffff, 16 * MIB - 0x20000 - 4096], [0x7f_ffff, 0x7ff000]] as const) {
      const { ram, view, write } = machine();
      const params = loadLinux({ kernel: bzImage({ initrdMax }), initrd, memorySize: ram.length, write }).registers.esi;
      expect(view.getUint32(params + 0x218, true)).toBe(base);
      expect(view.getUint32(params + 0x21c, true)).toBe(3);
      expect(ram.subarray(base, base + 3)).toEqual(initrd);
    }
  });
});

describe("16-bit boot protocol", () => {
  it("enters 20h paragraphs after the setup segment with a heap and a stack", () => {
    const { ram, view, write } = machine();
    const entry = loadLinux({ kernel: bzImage(), entry: "real", memorySize: ram.length, write });
    expect(entry.segments.cs).toMatchObject({ selector: 0x1020, base: 0x10200, limit: 0xffff });
    expect(entry.segments.ds.selector).toBe(0x1000);
    expect(entry.registers.eip).toBe(0);
    expect(view.getUint16(0x10000 + 0x224, true)).toBe(0xde00);
    expect(view.getUint8(0x10000 + 0x211) & 0x80).toBe(0x80);
  });
});

describe("64-bit boot protocol", () => {
  const kernel = bzImage({ xloadflags: 1, codeSize: 1024 });

  it("enters 200h behind the start in 64-bit mode, with flat __BOOT_CS and __BOOT_DS and boot_params in RSI", () => {
    const { view, write, ram } = machine();
    const entry = loadLinux({ kernel, memorySize: ram.length, entry: "long", write });
    expect(entry).toMatchObject({ mode: "long", cr0: 0x80000011, cr4: 0x20, efer: 0x500, registers: { eip: 0x100200, eflags: 2 } });
    expect(entry.segments.cs).toMatchObject({ selector: 0x10, attributes: 0x00af9b00 });
    expect(entry.segments.ss).toMatchObject({ selector: 0x18, attributes: 0x00cf9300 });
    expect(view.getUint32(entry.gdt.base + 0x14, true)).toBe(0x00af9b00);
    expect(view.getUint32(entry.registers.esi + 0x202, true)).toBe(0x53726448);
  });

  it("maps every address below 4 GiB to itself, in tables that lie in RAM of the e820 map and under nothing else", () => {
    const { view, write, ram } = machine();
    const { cr3 } = loadLinux({ kernel, memorySize: ram.length, entry: "long", commandLine: "x", write });
    const at = (table: number, index: number): number => view.getUint32(table + index * 8, true);
    for (const address of [0, 0x100200, 0x1234_5678, 0x8000_0000, 0xffff_ffff]) {
      const pointers = at(cr3, 0) & ~0xfff;
      const directory = at(pointers, Math.floor(address / 2 ** 30)) & ~0xfff;
      const page = at(directory, Math.floor(address / 2 ** 21) % 512);
      expect([page & 0x83, (page & ~0xfff) >>> 0]).toEqual([0x83, Math.floor(address / 2 ** 21) * 2 ** 21]);
    }
    expect(cr3).toBeGreaterThan(0x500);
    expect(cr3 + 6 * 4096).toBeLessThan(0xf000 - 4096);
  });

  it("wants a kernel that has that entry", () => {
    const { write } = machine();
    const run = (flags: number, version: number) => () =>
      loadLinux({ kernel: bzImage({ xloadflags: flags, version }), memorySize: 16 * MIB, entry: "long", write });
    expect([codeOf(run(0, 0x20f)), codeOf(run(1, 0x20b)), codeOf(run(1, 0x20c))]).toEqual(["FIRMWARE_UNSUPPORTED", "FIRMWARE_UNSUPPORTED", "none"]);
  });

  it("describes RAM above 4 GiB when there is more than 3.5 GiB", () => {
    const page = { at: 0, bytes: new Uint8Array() };
    const entry = loadLinux({
      kernel, memorySize: 5 * 2 ** 30, entry: "long",
      write: (at, bytes) => { if (bytes.length === 4096) Object.assign(page, { at, bytes: bytes.slice() }); },
    });
    expect(page.at).toBe(entry.registers.esi);
    const view = new DataView(page.bytes.buffer);
    const last = 0x2d0 + (view.getUint8(0x1e8) - 1) * 20;
    expect([0, 4, 8, 12, 16].map((offset) => view.getUint32(last + offset, true))).toEqual([0, 1, 0x8000_0000, 0, 1]);
    expect(view.getUint32(0x1e0, true)).toBe((0xc000_0000 - 0x20000 - MIB) / 1024);
  });
});

describe("images that cannot be booted", () => {
  const boot = (kernel: Uint8Array, more: object = {}) => (): unknown =>
    loadLinux({ kernel, memorySize: 16 * MIB, write: () => {}, ...more });
  it.each([
    ["FIRMWARE_TRUNCATED", boot(new Uint8Array(100))],
    ["FIRMWARE_TRUNCATED", boot(bzImage({ codeSize: 4096 }).subarray(0, 2000))],
    ["FIRMWARE_BAD_MAGIC", boot(new Uint8Array(4096))],
    ["FIRMWARE_PROTOCOL_TOO_OLD", boot(bzImage({ version: 0x201 }))],
    ["FIRMWARE_UNSUPPORTED", boot(bzImage({ loadflags: 0 }))],
    ["FIRMWARE_MEMORY_TOO_SMALL", boot(bzImage({ initSize: 32 * MIB }))],
    ["FIRMWARE_INITRD_TOO_LARGE", boot(bzImage(), { initrd: new Uint8Array(16 * MIB) })],
    ["FIRMWARE_COMMAND_LINE_TOO_LONG", boot(bzImage(), { commandLine: "x".repeat(2048) })],
    ["FIRMWARE_BAD_SIZE", boot(bzImage(), { memorySize: 1000 })],
  ])("are refused with %s", (code, run) => expect(codeOf(run)).toBe(code));

  it("are refused whatever their bytes are", () => {
    const image = bzImage();
    for (let i = 0x1f0; i < 0x270; i++) {
      const broken = image.slice();
      broken[i] = 0xff;
      expect(["none", ...codes]).toContain(codeOf(boot(broken)));
    }
  });
  const codes = ["FIRMWARE_TRUNCATED", "FIRMWARE_BAD_MAGIC", "FIRMWARE_PROTOCOL_TOO_OLD", "FIRMWARE_UNSUPPORTED", "FIRMWARE_MEMORY_TOO_SMALL"];

  it("keep defaults for fields that their protocol does not have yet", () => {
    expect(parseLinuxHeader(bzImage({ version: 0x202 }))).toMatchObject({ initrdAddressMax: 0x37ffffff, commandLineSize: 255, initSize: 0 });
  });
});
