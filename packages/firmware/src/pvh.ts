/**
 * Starts a kernel by its PVH entry: Xen's "HVM direct boot ABI (PVH)" and the structures of `hvm/start_info.h`, version 1. The kernel is
 * an ELF executable, such as Linux's uncompressed vmlinux, with a note that names a 32-bit entry.
 *
 *   area: descriptor table, start info, module list, memory map, strings
 */
import type { EntryState, PhysicalWrite } from "./entry-state.ts";
import type { Module, PlacedModule } from "./program-placement.ts";
import { ByteWriter } from "./byte-writer.ts";
import { findNote, parseElf } from "./elf.ts";
import { flatGdt, protectedEntry } from "./entry-state.ts";
import { FirmwareError } from "./errors.ts";
import { type MemoryLayout, e820Map, layoutMemory } from "./memory-map.ts";
import { placeArea, placeProgram, writePlaced } from "./program-placement.ts";

/** Type of the note, whose owner is "Xen"; its descriptor is a physical address of four or eight bytes. */
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
/** First field of the start info: "xEn3" with the last bit of E set. */
export const XEN_HVM_START_MAGIC_VALUE = 0x336ec578;
const VERSION = 1;
const START_INFO_SIZE = 56;
const MODULE_ENTRY_SIZE = 32;

/** What to boot, and on how large a machine. */
export interface PvhBoot {
  /** The ELF file, 32 or 64 bit. */
  kernel: Uint8Array;
  /** The first module, which Linux takes as its initial RAM disk. */
  initrd?: Uint8Array;
  /** Modules after the initial RAM disk, each with its own command line. */
  modules?: readonly Module[];
  commandLine?: string;
  /** RAM of the machine in bytes. */
  memorySize: number;
  /** Physical address of the ACPI root pointer, as `installTables` gives it. */
  rsdp?: number;
  write: PhysicalWrite;
}

/**
 * Loads an ELF kernel and says how the CPU must start: in 32-bit mode with the start info's address in EBX.
 * @throws {FirmwareError} when the file is truncated, is no x86 ELF file, has no PVH entry, or does not fit into the memory.
 */
export function loadPvh(boot: PvhBoot): EntryState {
  const { kernel, initrd, write } = boot;
  const layout = layoutMemory(boot.memorySize);
  const elf = parseElf(kernel);
  const note = findNote(elf, "Xen", XEN_ELFNOTE_PHYS32_ENTRY);
  if (note === undefined || note.length < 4)
    throw new FirmwareError(
      "FIRMWARE_UNSUPPORTED",
      "The ELF kernel has no PVH entry (note XEN_ELFNOTE_PHYS32_ENTRY); give one built with CONFIG_PVH, a bzImage, or start it by multiboot.",
    );
  const modules = [...(initrd === undefined || initrd.length === 0 ? [] : [{ data: initrd, args: "" }]), ...(boot.modules ?? [])];
  const placement = placeProgram(elf, modules, layout);
  const area = (base: number): ByteWriter => startInfo(base, boot.commandLine ?? "", placement.modules, layout, boot.rsdp ?? 0);
  const base = placeArea(placement, area(0).length, layout);
  writePlaced(placement, write);
  write(base, area(base).finish());
  const entry = new DataView(note.buffer, note.byteOffset, note.byteLength).getUint32(0, true);
  return protectedEntry(base, { eip: entry, ebx: base + flatGdt().length });
}

/** Descriptor table and start info, with everything it points to, for the address `base`. */
function startInfo(base: number, commandLine: string, modules: readonly PlacedModule[], layout: MemoryLayout, rsdp: number): ByteWriter {
  const map = e820Map(layout);
  const out = new ByteWriter().bytes(flatGdt());
  const info = out.length;
  const list = info + START_INFO_SIZE;
  const memory = list + modules.length * MODULE_ENTRY_SIZE;
  out.padTo(memory);
  for (const entry of map) out.u64(entry.base).u64(entry.length).u32(entry.type).u32(0);
  const string = (text: string): number => {
    const at = base + out.length;
    out.bytes(new TextEncoder().encode(text)).u8(0);
    return at;
  };
  modules.forEach((module, i) => {
    const at = list + i * MODULE_ENTRY_SIZE;
    out.patch(at, 8, module.start).patch(at + 8, 8, module.end - module.start);
    out.patch(at + 16, 8, module.args === "" ? 0 : string(module.args));
  });
  out.patch(info, 4, XEN_HVM_START_MAGIC_VALUE).patch(info + 4, 4, VERSION);
  out.patch(info + 12, 4, modules.length).patch(info + 16, 8, modules.length === 0 ? 0 : base + list);
  out.patch(info + 24, 8, string(commandLine)).patch(info + 32, 8, rsdp);
  out.patch(info + 40, 8, base + memory).patch(info + 48, 4, map.length);
  return out;
}
