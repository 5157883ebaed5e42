/**
 * Where a PC keeps its memory, as the i440FX board of QEMU's `pc` machine lays it out, and the e820 map that tells the guest
 * (ACPI 6.4, 15.4 "INT 15H, E820H").
 *
 *   0000_0000  RAM, 639 KiB
 *   0009_fc00  extended BIOS data area, 1 KiB
 *   000a_0000  video memory, option ROMs
 *   000f_0000  BIOS segment: RSDP, MP floating pointer
 *   0010_0000  RAM up to `lowEnd`, of which the last 128 KiB hold the ACPI tables
 *   lowEnd     PCI memory window, up to FEC0_0000 (I/O APIC, local APIC, flash)
 * 1_0000_0000  the rest of RAM, where there is more than fits below
 */
import { FirmwareError, formatSize } from "./errors.ts";

/** e820 types (ACPI 6.4, table 15-374). */
export const E820_RAM = 1;
export const E820_RESERVED = 2;
export const E820_ACPI = 3;
export const E820_NVS = 4;

/** One range of the e820 map: base and length in bytes, and its type. */
export interface E820Entry { base: number; length: number; type: number }

/** Start of the extended BIOS data area, which is the end of conventional memory. */
export const EBDA = 0x9fc00;
/** Start of the BIOS segment. */
export const BIOS_SEGMENT = 0xf0000;
/** Start of extended memory. */
export const HIGH_MEMORY = 0x100000;
/** Bytes at the top of low RAM that hold ACPI tables and that the e820 map reserves. */
export const ACPI_AREA = 0x20000;
const FOUR_GIB = 0x1_0000_0000;
/** A machine with more RAM than this has its low RAM cut at {@link LOW_SPLIT}, to leave PCI a gigabyte. */
const LOW_LIMIT = 0xe000_0000;
const LOW_SPLIT = 0xc000_0000;
/** The least memory that leaves room for the BIOS area and the ACPI tables. */
const LEAST = 0x20_0000;

/** The split of RAM around the PCI hole. */
export interface MemoryLayout {
  /** All RAM, in bytes. */
  size: number;
  /** First byte after the RAM below 4 GiB. */
  lowEnd: number;
  /** First byte after the RAM above 4 GiB; 4 GiB itself when there is none. */
  highEnd: number;
  /** First byte of the ACPI area at the top of low RAM. */
  acpiArea: number;
}

/**
 * Lays out `size` bytes of RAM.
 * @throws {FirmwareError} `FIRMWARE_BAD_SIZE` when the size is below 2 MiB or no multiple of 4 KiB.
 */
export function layoutMemory(size: number): MemoryLayout {
  if (!Number.isSafeInteger(size) || size < LEAST || size % 4096 !== 0)
    throw new FirmwareError("FIRMWARE_BAD_SIZE", `A PC cannot have ${formatSize(size)} of memory; give a multiple of 4 KiB from 2 MiB on.`);
  const lowEnd = size > LOW_LIMIT ? LOW_SPLIT : size;
  return { size, lowEnd, highEnd: FOUR_GIB + size - lowEnd, acpiArea: lowEnd - ACPI_AREA };
}

/** The e820 map of a layout, in ascending order. */
export function e820Map(layout: MemoryLayout): E820Entry[] {
  const range = (base: number, end: number, type: number): E820Entry => ({ base, length: end - base, type });
  const map = [
    range(0, EBDA, E820_RAM),
    range(EBDA, 0xa0000, E820_RESERVED),
    range(BIOS_SEGMENT, HIGH_MEMORY, E820_RESERVED),
    range(HIGH_MEMORY, layout.acpiArea, E820_RAM),
    range(layout.acpiArea, layout.lowEnd, E820_RESERVED),
    range(0xfffc_0000, FOUR_GIB, E820_RESERVED),
  ];
  if (layout.highEnd > FOUR_GIB) map.push(range(FOUR_GIB, layout.highEnd, E820_RAM));
  return map;
}
