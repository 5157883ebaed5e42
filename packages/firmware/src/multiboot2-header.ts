/**
 * The header of a multiboot 2 kernel: Multiboot Specification 2.0, section 3.1. It stands in the first 32 KiB of the file, on a boundary
 * of eight bytes, and ends with a list of tags.
 *
 *   00 magic  04 architecture  08 length of all  0C checksum  10 tags: type (16), flags (16, bit 0 optional), size (32), contents
 */
import { FirmwareError } from "./errors.ts";

/** In the kernel's header. */
export const MULTIBOOT2_HEADER_MAGIC = 0xe852_50d6;
const ARCHITECTURE_I386 = 0;
const SEARCH = 32768;
const OPTIONAL = 1 << 0;

/** Types of the header tags. Those that ask for a screen, a console, aligned modules or EFI want nothing that a PC's BIOS state lacks. */
const END = 0;
const INFORMATION_REQUEST = 1;
const ADDRESS = 2;
const ENTRY_ADDRESS = 3;
const CONSOLE_FLAGS = 4;
const FRAMEBUFFER = 5;
const MODULE_ALIGN = 6;
const EFI_BOOT_SERVICES = 7;
const EFI_I386_ENTRY = 8;
const EFI_AMD64_ENTRY = 9;
const RELOCATABLE = 10;
const NOTHING_TO_DO = new Set([CONSOLE_FLAGS, FRAMEBUFFER, MODULE_ALIGN, EFI_BOOT_SERVICES, EFI_I386_ENTRY, EFI_AMD64_ENTRY, RELOCATABLE]);

/** What the header asks for. */
export interface Multiboot2Header {
  /** Types of boot information that the kernel cannot do without. */
  requested: number[];
  /** Which part of the file goes where, when the kernel does not leave that to ELF. */
  load: { first: number; physical: number; size: number; memorySize: number } | undefined;
  entry: number | undefined;
}

/** Where the header of a multiboot 2 kernel stands, or nothing. */
export function findMultiboot2Header(image: Uint8Array): number | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at + 16 <= Math.min(image.length, SEARCH); at += 8) {
    if (view.getUint32(at, true) !== MULTIBOOT2_HEADER_MAGIC) continue;
    const sum = [0, 4, 8, 12].reduce((total, offset) => (total + view.getUint32(at + offset, true)) | 0, 0);
    if (sum === 0) return at;
  }
  return undefined;
}

/**
 * Reads the header.
 * @throws {FirmwareError} `FIRMWARE_BAD_MAGIC` when there is none, `FIRMWARE_TRUNCATED`, or `FIRMWARE_UNSUPPORTED` for another
 * architecture and for tags that the kernel requires and nobody knows.
 */
export function parseMultiboot2Header(image: Uint8Array): Multiboot2Header {
  const start = findMultiboot2Header(image);
  if (start === undefined) throw new FirmwareError("FIRMWARE_BAD_MAGIC", "The file has no multiboot 2 header in its first 32 KiB; give a multiboot 2 kernel.");
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint32(start + 4, true) !== ARCHITECTURE_I386)
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The multiboot 2 kernel is for another architecture; give one for i386.");
  const header: Multiboot2Header = { requested: [], load: undefined, entry: undefined };
  const end = start + view.getUint32(start + 8, true);
  if (end > image.length) throw truncated();
  for (let at = start + 16; at + 8 <= end;) {
    const type = view.getUint16(at, true);
    const optional = (view.getUint16(at + 2, true) & OPTIONAL) !== 0;
    const size = view.getUint32(at + 4, true);
    if (type === END) break;
    const least = type === ADDRESS ? 24 : type === ENTRY_ADDRESS ? 12 : 8;
    if (size < least || at + size > end) throw truncated();
    const word = (n: number): number => view.getUint32(at + 8 + 4 * n, true);
    if (type === INFORMATION_REQUEST && !optional) for (let n = 0; n < (size - 8) >> 2; n++) header.requested.push(word(n));
    else if (type === ADDRESS) header.load = loadAddresses(image, start, [word(0), word(1), word(2), word(3)]);
    else if (type === ENTRY_ADDRESS) header.entry = word(0);
    else if (type !== INFORMATION_REQUEST && !optional && !NOTHING_TO_DO.has(type))
      throw new FirmwareError("FIRMWARE_UNSUPPORTED", `The kernel requires a multiboot 2 feature that does not exist here (header tag ${type}).`);
    at += Math.ceil(size / 8) * 8;
  }
  return header;
}

/** Header address, load address (all ones: from the file's start), end of the data (0: the file's end) and of the zeros after it. */
function loadAddresses(image: Uint8Array, header: number, [address, load, loadEnd, bssEnd]: [number, number, number, number]): Multiboot2Header["load"] {
  const physical = load === 0xffff_ffff ? address - header : load;
  const first = header - (address - physical);
  const size = loadEnd === 0 ? image.length - first : loadEnd - physical;
  if (physical < 0 || first < 0 || size < 0 || first + size > image.length) throw truncated();
  return { first, physical, size, memorySize: Math.max(size, bssEnd === 0 ? 0 : bssEnd - physical) };
}

function truncated(): FirmwareError {
  return new FirmwareError("FIRMWARE_TRUNCATED", "The kernel file ends before what its multiboot 2 header names; check the file.");
}
