/**
 * Starts a kernel of version 2 of the Multiboot Specification, sections 3.1 (header tags), 3.2 (load addresses), 3.3 (machine state)
 * and 3.6 (boot information). The kernel is an ELF executable of 32 or 64 bit, entered in 32-bit mode, or any file whose header gives
 * load addresses.
 *
 *   area: descriptor table, boot information: a size, then tags on boundaries of eight bytes
 */
import type { ElfFile, LoadedProgram } from "./elf.ts";
import type { EntryState } from "./entry-state.ts";
import type { MemoryLayout } from "./memory-map.ts";
import type { MultibootBoot } from "./multiboot.ts";
import type { Placement } from "./program-placement.ts";
import { ByteWriter } from "./byte-writer.ts";
import { loadSections } from "./elf-sections.ts";
import { isElf, parseElf } from "./elf.ts";
import { flatGdt, protectedEntry } from "./entry-state.ts";
import { FirmwareError, formatSize } from "./errors.ts";
import { EBDA, HIGH_MEMORY, e820Map, layoutMemory } from "./memory-map.ts";
import { type Multiboot2Header, parseMultiboot2Header } from "./multiboot2-header.ts";
import { placeArea, placeProgram, writePlaced } from "./program-placement.ts";

/** In EAX at entry. */
export const MULTIBOOT2_BOOTLOADER_MAGIC = 0x36d7_6289;
const LOADER_NAME = "Doppel";

/** Types of the information tags that there are here. */
const TAG = { end: 0, commandLine: 1, loaderName: 2, module: 3, basicMemory: 4, memoryMap: 6, framebuffer: 8, elfSections: 9, acpiOld: 14, loadBase: 21 } as const;
const PROVIDED = new Set<number>(Object.values(TAG));

/** The text screen that the firmware leaves: EGA text, 80 columns by 25 rows. */
const TEXT_SCREEN = { address: 0xb8000, pitch: 160, columns: 80, rows: 25, bitsPerCell: 16, type: 2 };

/**
 * Loads a multiboot 2 kernel and its modules into guest memory, and says how the CPU must start.
 * @throws {FirmwareError} when the file has no such header, is truncated, asks for what this loader does not know, or does not fit
 * into the memory.
 */
export function loadMultiboot2(boot: MultibootBoot): EntryState {
  const { image, write } = boot;
  const header = parseMultiboot2Header(image);
  const missing = header.requested.find((type) => !PROVIDED.has(type));
  if (missing !== undefined)
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", `The kernel requires boot information of type ${missing}, which does not exist here.`);
  const layout = layoutMemory(boot.memorySize);
  const { program, elf } = parseProgram(image, header);
  const placed = placeProgram(program, boot.modules ?? [], layout);
  const sections = elf === undefined ? undefined : loadSections(image, elf, placed.free);
  if (sections !== undefined && sections.free > layout.acpiArea)
    throw new FirmwareError("FIRMWARE_MEMORY_TOO_SMALL", `Kernel, modules and symbols reach up to ${formatSize(sections.free)}; give the machine more memory.`);
  const placement = { ...placed, free: sections?.free ?? placed.free };
  const tags = information(boot, placement, layout, sections?.headers, elf);
  const base = placeArea(placement, flatGdt().length + tags.length, layout);
  writePlaced(placement, write);
  for (const { at, bytes } of sections?.loaded ?? []) write(at, bytes);
  write(base, new ByteWriter().bytes(flatGdt()).bytes(tags).finish());
  return protectedEntry(base, { eip: header.entry ?? program.entry, eax: MULTIBOOT2_BOOTLOADER_MAGIC, ebx: base + flatGdt().length });
}

/** The load addresses of the header, or what the ELF file says. */
function parseProgram(image: Uint8Array, header: Multiboot2Header): { program: LoadedProgram; elf?: ElfFile } {
  if (header.load === undefined) {
    if (!isElf(image)) throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel is neither an ELF file nor does its header give load addresses.");
    const elf = parseElf(image);
    return { program: elf, elf };
  }
  const { first, physical, size, memorySize } = header.load;
  if (header.entry === undefined) throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel's header gives load addresses, but no entry address.");
  return { program: { segments: [{ physical, bytes: image.subarray(first, first + size), memorySize }], entry: header.entry } };
}

function information(
  boot: MultibootBoot, { modules, program }: Placement, layout: MemoryLayout, sectionHeaders: Uint8Array | undefined, elf: ElfFile | undefined,
): Uint8Array {
  const out = new ByteWriter().u32(0).u32(0);
  const tag = (type: number, body: () => void): void => {
    const start = out.align(8).length;
    out.u32(type).u32(0);
    body();
    out.patch(start + 4, 4, out.length - start);
  };
  const string = (text: string): unknown => out.bytes(new TextEncoder().encode(text)).u8(0);
  tag(TAG.commandLine, () => string(boot.commandLine ?? ""));
  tag(TAG.loaderName, () => string(LOADER_NAME));
  for (const module of modules) {
    tag(TAG.module, () => {
      out.u32(module.start).u32(module.end);
      string(module.args);
    });
  }
  tag(TAG.basicMemory, () => out.u32(EBDA >> 10).u32((layout.acpiArea - HIGH_MEMORY) >>> 10));
  tag(TAG.memoryMap, () => {
    out.u32(24).u32(0);
    for (const entry of e820Map(layout)) out.u64(entry.base).u64(entry.length).u32(entry.type).u32(0);
  });
  tag(TAG.framebuffer, () => {
    const { address, pitch, columns, rows, bitsPerCell, type } = TEXT_SCREEN;
    out.u64(address).u32(pitch).u32(columns).u32(rows).u8(bitsPerCell).u8(type).u16(0);
  });
  if (elf !== undefined && sectionHeaders !== undefined && elf.sections.count > 0) {
    const { count, entrySize, names } = elf.sections;
    tag(TAG.elfSections, () => out.u32(count).u32(entrySize).u32(names).bytes(sectionHeaders));
  }
  const { rootPointer } = boot;
  if (rootPointer !== undefined) tag(TAG.acpiOld, () => out.bytes(rootPointer));
  tag(TAG.loadBase, () => out.u32(Math.min(...program.segments.map((segment) => segment.physical))));
  tag(TAG.end, () => {});
  return out.patch(0, 4, out.length).finish();
}
