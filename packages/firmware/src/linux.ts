/**
 * Starts a Linux bzImage the way a boot loader does: Linux documentation, "The Linux/x86 Boot Protocol", sections "32-bit Boot
 * Protocol", "64-bit Boot Protocol" and "Loading The Rest of The Kernel".
 *
 *   0_1000  page tables of the 64-bit entry, 24 KiB
 *   0_f000  descriptor table of the 32-bit and 64-bit entries
 *   1_0000  boot_params (32-bit and 64-bit entries), or boot sector and setup code (16-bit entry)
 *   2_0000  command line
 *  10_0000  protected-mode kernel
 *     ...   initial RAM disk: as high as the kernel, the memory and the ACPI tables let it be
 */
import type { EntryState, PhysicalWrite } from "./entry-state.ts";
import type { LinuxHeader } from "./linux-header.ts";
import { bootParams, fillHeader } from "./boot-params.ts";
import { isElf } from "./elf.ts";
import { flatGdt, longEntry, longGdt, protectedEntry, realEntry } from "./entry-state.ts";
import { FirmwareError, formatSize } from "./errors.ts";
import { identityTables } from "./identity-tables.ts";
import { LOADED_HIGH, XLF_KERNEL_64, parseLinuxHeader } from "./linux-header.ts";
import { HIGH_MEMORY, e820Map, layoutMemory } from "./memory-map.ts";
import { loadPvh } from "./pvh.ts";

const PAGE_TABLES = 0x1000;
const GDT = 0xf000;
const REAL_MODE = 0x10000;
const COMMAND_LINE = 0x20000;
/** Heap of the setup code: from its end to here, relative to its segment; the stack starts at the same place. */
const HEAP_END = 0xe000;
const PAGE = 4096;
/** From the start of the protected-mode kernel. */
const ENTRY_64 = 0x200;

/**
 * How a bzImage is entered: `"protected"` is its 32-bit entry and `"long"` the 64-bit one of a 64-bit kernel, which need no BIOS;
 * `"real"` runs its setup code, which calls one.
 */
export type LinuxEntry = "protected" | "real" | "long";

/** What to boot, and on how large a machine. */
export interface LinuxBoot {
  /** The bzImage file, or an ELF file with a PVH entry, such as vmlinux. */
  kernel: Uint8Array;
  /** An initial RAM disk in any format the kernel knows. */
  initrd?: Uint8Array;
  /** Kernel command line, for example `"console=ttyS0"`. */
  commandLine?: string;
  /** RAM of the machine in bytes. */
  memorySize: number;
  /** Physical address of the ACPI root pointer, as `installTables` gives it. */
  rsdp?: number;
  /** `"protected"` when absent. */
  entry?: LinuxEntry;
  write: PhysicalWrite;
}

/**
 * Loads a bzImage, its initial RAM disk and its command line into guest memory, and says how the CPU must start. An ELF kernel goes
 * to {@link loadPvh}.
 * @throws {FirmwareError} when the kernel is not a complete bzImage of protocol 2.02 or later, when kernel or RAM disk do not
 * fit into the memory, or when the command line is longer than the kernel accepts.
 * @example
 * ```ts
 * const ram = new Uint8Array(64 << 20);
 * const entry = loadLinux({ kernel, commandLine: "console=ttyS0", memorySize: ram.length, write: (at, bytes) => ram.set(bytes, at) });
 * entry.registers.eip; // 0x100000
 * ```
 */
export function loadLinux(boot: LinuxBoot): EntryState {
  const { kernel, write } = boot;
  if (isElf(kernel)) {
    if (boot.entry === "real" || boot.entry === "long")
      throw new FirmwareError("FIRMWARE_UNSUPPORTED", "An ELF kernel starts by its PVH entry, in 32-bit mode; leave `entry` out, or give a bzImage.");
    return loadPvh(boot);
  }
  const header = parseLinuxHeader(kernel);
  const layout = layoutMemory(boot.memorySize);
  const code = kernel.subarray(header.setupSize);
  const start = (header.loadflags & LOADED_HIGH) !== 0 ? HIGH_MEMORY : 0x10000;
  if (start < HIGH_MEMORY && boot.entry !== "real")
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel is a zImage, which loads below 1 MiB; give a bzImage.");
  if (boot.entry === "long" && (header.xloadflags & XLF_KERNEL_64) === 0)
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel has no 64-bit entry (XLF_KERNEL_64); start it by its 32-bit one, or give a 64-bit kernel.");

  const end = kernelEnd(header, start, code.length);
  if (end > layout.acpiArea)
    throw new FirmwareError(
      "FIRMWARE_MEMORY_TOO_SMALL",
      `The kernel needs memory up to ${formatSize(end)}, and ${formatSize(layout.acpiArea)} can be used; give the machine more memory.`,
    );
  const initrd = placeInitrd(boot.initrd?.length ?? 0, end, Math.min(header.initrdAddressMax + 1, layout.acpiArea));
  const commandLine = encodeCommandLine(boot.commandLine ?? "", header.commandLineSize);
  const parameters = { e820: e820Map(layout), commandLine: COMMAND_LINE, initrd, rsdp: boot.rsdp ?? 0 };

  write(start, code);
  write(COMMAND_LINE, commandLine);
  if (boot.initrd && boot.initrd.length > 0) write(initrd.base, boot.initrd);
  if (boot.entry === "real") {
    const setup = kernel.slice(0, header.setupSize);
    const view = new DataView(setup.buffer);
    fillHeader(view, header, parameters);
    view.setUint16(0x224, HEAP_END - 0x200, true);
    write(REAL_MODE, setup);
    return realEntry(REAL_MODE >> 4, (REAL_MODE >> 4) + 0x20, { esp: HEAP_END });
  }
  write(REAL_MODE, bootParams(kernel, header, parameters));
  if (boot.entry === "long") {
    write(PAGE_TABLES, identityTables(PAGE_TABLES));
    write(GDT, longGdt());
    return longEntry(GDT, PAGE_TABLES, { eip: start + ENTRY_64, esi: REAL_MODE, esp: REAL_MODE - PAGE });
  }
  write(GDT, flatGdt());
  return protectedEntry(GDT, { eip: header.code32Start, esi: REAL_MODE, esp: REAL_MODE - PAGE });
}

/** First byte after what the kernel occupies while it unpacks itself, before it reads the memory map. */
function kernelEnd(header: LinuxHeader, start: number, length: number): number {
  const loaded = start + length;
  if (header.initSize === 0) return loaded;
  const alignment = Math.max(header.kernelAlignment, 1);
  const runtime = header.relocatable
    ? Math.max(Math.ceil(start / alignment) * alignment, header.preferredAddress)
    : header.preferredAddress;
  return Math.max(loaded, runtime + header.initSize);
}

function placeInitrd(length: number, lowest: number, limit: number): { base: number; length: number } {
  if (length === 0) return { base: 0, length: 0 };
  const base = Math.floor((limit - length) / PAGE) * PAGE;
  if (base < lowest)
    throw new FirmwareError(
      "FIRMWARE_INITRD_TOO_LARGE",
      `The initial RAM disk of ${formatSize(length)} does not fit between the kernel's end at ${formatSize(lowest)} and ${formatSize(limit)}; `
      + "give the machine more memory or a smaller RAM disk.",
    );
  return { base, length };
}

function encodeCommandLine(text: string, longest: number): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.length - 1 > longest)
    throw new FirmwareError("FIRMWARE_COMMAND_LINE_TOO_LONG", `The command line has ${bytes.length - 1} bytes and this kernel takes ${longest}; shorten it.`);
  return bytes;
}
