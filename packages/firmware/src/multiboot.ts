/**
 * Starts a multiboot kernel: Multiboot Specification 0.6.96, chapter 3. The kernel is an ELF executable, or any file whose
 * header gives load addresses ("a.out kludge"). A file whose header is of version 2 goes to `loadMultiboot2`.
 *
 *   area: descriptor table, information structure, memory map, module list, strings
 */
import type { EntryState, PhysicalWrite } from "./entry-state.ts";
import type { LoadedProgram } from "./elf.ts";
import type { Module, PlacedModule } from "./program-placement.ts";
import { ByteWriter } from "./byte-writer.ts";
import { isElf, parseElf } from "./elf.ts";
import { flatGdt, protectedEntry } from "./entry-state.ts";
import { FirmwareError } from "./errors.ts";
import { EBDA, HIGH_MEMORY, e820Map, layoutMemory } from "./memory-map.ts";
import { loadMultiboot2 } from "./multiboot2.ts";
import { findMultiboot2Header } from "./multiboot2-header.ts";
import { placeArea, placeProgram, writePlaced } from "./program-placement.ts";

/** In the kernel's header. */
export const MULTIBOOT_HEADER_MAGIC = 0x1badb002;
/** In EAX at entry. */
export const MULTIBOOT_BOOTLOADER_MAGIC = 0x2badb002;
/** The header stands within this many bytes from the start of the file. */
const SEARCH = 8192;
const LOADER_NAME = "Doppel";
const INFO_SIZE = 88;

// Header flags.
const PAGE_ALIGN = 1 << 0;
const MEMORY_INFO = 1 << 1;
const VIDEO_MODE = 1 << 2;
const ADDRESSES = 1 << 16;
const KNOWN = PAGE_ALIGN | MEMORY_INFO | VIDEO_MODE;
// Information flags.
const INFO_MEMORY = 1 << 0;
const INFO_COMMAND_LINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MEMORY_MAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;

/** What to boot, and on how large a machine. */
export interface MultibootBoot {
  /** The kernel file. */
  image: Uint8Array;
  /** Files that the loader puts into memory for the kernel; `args` is the string beside each, by custom its name first. */
  modules?: readonly Module[];
  /** The kernel's command line, by custom its name first. */
  commandLine?: string;
  /** RAM of the machine in bytes. */
  memorySize: number;
  /** A copy of the ACPI root pointer, as `installTables` gives it; version 2 hands it on. */
  rootPointer?: Uint8Array;
  write: PhysicalWrite;
}

/**
 * Loads a multiboot kernel, of version 1 or 2, and its modules into guest memory, and says how the CPU must start. A kernel with
 * both headers is started by version 1.
 * @throws {FirmwareError} when the file has no multiboot header, is truncated, asks for what this loader does not know, or
 * does not fit into the memory.
 */
export function loadMultiboot(boot: MultibootBoot): EntryState {
  const { image, write, modules = [] } = boot;
  if (findHeader(image) === undefined && findMultiboot2Header(image) !== undefined) return loadMultiboot2(boot);
  const layout = layoutMemory(boot.memorySize);
  const placement = placeProgram(parseProgram(image), modules, layout);
  const area = (base: number): ByteWriter => information(base, boot.commandLine ?? "", placement.modules, layout);
  const base = placeArea(placement, area(0).length, layout);
  writePlaced(placement, write);
  write(base, area(base).finish());
  return protectedEntry(base, { eip: placement.program.entry, eax: MULTIBOOT_BOOTLOADER_MAGIC, ebx: base + GDT_SIZE });
}

const GDT_SIZE = 32;

/** Descriptor table and information structure, with everything it points to, for the address `base`. */
function information(
  base: number,
  commandLine: string,
  modules: readonly PlacedModule[],
  layout: ReturnType<typeof layoutMemory>,
): ByteWriter {
  const out = new ByteWriter().bytes(flatGdt());
  const info = out.length;
  out.padTo(info + INFO_SIZE);
  const set = (offset: number, value: number): unknown => out.patch(info + offset, 4, value);
  const string = (text: string): number => {
    const at = base + out.length;
    out.bytes(new TextEncoder().encode(text)).u8(0);
    return at;
  };
  set(0, INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME);
  set(4, EBDA >> 10);
  set(8, (layout.acpiArea - HIGH_MEMORY) >>> 10);

  const map = e820Map(layout);
  set(44, map.length * 24);
  set(48, base + out.length);
  // An entry's size field does not count itself.
  for (const entry of map) out.u32(20).u64(entry.base).u64(entry.length).u32(entry.type);

  const list = out.length;
  set(20, modules.length);
  set(24, base + list);
  out.padTo(list + modules.length * 16);
  modules.forEach((module, i) => {
    const at = list + i * 16;
    out.patch(at, 4, module.start).patch(at + 4, 4, module.end).patch(at + 8, 4, string(module.args));
  });
  set(16, string(commandLine));
  set(64, string(LOADER_NAME));
  return out;
}

function parseProgram(image: Uint8Array): LoadedProgram {
  const header = findHeader(image);
  if (header === undefined)
    throw new FirmwareError("FIRMWARE_BAD_MAGIC", "The file has no multiboot header in its first 32 KiB; give a multiboot kernel, unpacked if it is a .gz.");
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const flags = view.getUint32(header + 4, true);
  if ((flags & 0xffff & ~KNOWN) !== 0)
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", `The kernel requires multiboot features that do not exist here (flags ${(flags >>> 0).toString(16)}h).`);
  if ((flags & ADDRESSES) === 0) {
    if (!isElf(image)) throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel is neither an ELF file nor does its header give load addresses.");
    return parseElf(image);
  }
  if (header + 32 > image.length) throw truncated();
  const [address, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((offset) => view.getUint32(header + offset, true)) as
    [number, number, number, number, number];
  const first = header - (address - load);
  const size = loadEnd === 0 ? image.length - first : loadEnd - load;
  if (first < 0 || size < 0 || first + size > image.length) throw truncated();
  const memorySize = Math.max(size, bssEnd === 0 ? 0 : bssEnd - load);
  return { segments: [{ physical: load, bytes: image.subarray(first, first + size), memorySize }], entry };
}

function findHeader(image: Uint8Array): number | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at + 12 <= Math.min(image.length, SEARCH); at += 4)
    if (view.getUint32(at, true) === MULTIBOOT_HEADER_MAGIC
      && ((MULTIBOOT_HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true)) | 0) === 0)
      return at;
  return undefined;
}

function truncated(): FirmwareError {
  return new FirmwareError("FIRMWARE_TRUNCATED", "The kernel file ends before what its multiboot header names; check the file.");
}
