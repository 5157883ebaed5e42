/**
 * An ELF executable for x86, 32 or 64 bit: its loadable part, its notes and its section headers. System V ABI, chapter 4 "Object
 * Files" and chapter 5 "Program Header", and their 64-bit form in the x86-64 supplement.
 *
 *               ELF32: entry 18h  phoff 1Ch  shoff 20h  sizes 2Ah..32h    p_offset 04h  paddr 0Ch  filesz 10h  memsz 14h
 *               ELF64: entry 18h  phoff 20h  shoff 28h  sizes 36h..3Eh    p_offset 08h  paddr 18h  filesz 20h  memsz 28h
 */
import { FirmwareError } from "./errors.ts";

/** A piece of a program: where it is loaded, its bytes, and how much memory it takes with the zeros behind them. */
export interface LoadSegment { physical: number; bytes: Uint8Array; memorySize: number }

/** A program ready to be loaded; `entry` is a physical address. */
export interface LoadedProgram { segments: LoadSegment[]; entry: number }

/** The section header table as it stands in the file. */
export interface ElfSections { headers: Uint8Array; count: number; entrySize: number; names: number; wide: boolean }

/** What a loader can want of an executable. */
export interface ElfFile extends LoadedProgram {
  /** Contents of the PT_NOTE segments. */
  notes: Uint8Array[];
  sections: ElfSections;
}

const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
/** A physical address that no machine of ours has, for what is beyond exact arithmetic. */
const BEYOND = 2 ** 52;

/** Whether the file starts like an ELF file of any class. */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;
}

/**
 * Reads the headers of an executable.
 * @throws {FirmwareError} `FIRMWARE_TRUNCATED` when the file ends before what its headers name, `FIRMWARE_UNSUPPORTED` for
 * another byte order or processor.
 */
export function parseElf(file: Uint8Array): ElfFile {
  if (file.length < 52) throw truncated();
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const wide = file[4] === ELFCLASS64;
  const machine = view.getUint16(18, true);
  if ((!wide && file[4] !== ELFCLASS32) || file[5] !== ELFDATA2LSB || (machine !== EM_386 && machine !== EM_X86_64))
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel is no x86 ELF file; give one that was built for this processor.");
  if (wide && file.length < 64) throw truncated();
  /** A field that has four bytes in ELF32 and eight in ELF64. */
  const word = (narrowAt: number, wideAt: number): bigint => (wide ? view.getBigUint64(wideAt, true) : BigInt(view.getUint32(narrowAt, true)));
  const number = (narrowAt: number, wideAt: number): number => exact(word(narrowAt, wideAt));
  /** The bytes of a table or segment, proven to be in the file. */
  const part = (offset: number, length: number): Uint8Array => {
    if (offset + length > file.length) throw truncated();
    return file.subarray(offset, offset + length);
  };

  const start = number(0x1c, 0x20);
  const sizes = wide ? 0x36 : 0x2a;
  const size = view.getUint16(sizes, true);
  const count = view.getUint16(sizes + 2, true);
  if (count > 0 && size < (wide ? 56 : 32)) throw truncated();
  part(start, size * count);
  const linked = word(0x18, 0x18);
  let entry: number | undefined;
  const segments: LoadSegment[] = [];
  const notes: Uint8Array[] = [];
  for (let at = start; at < start + size * count; at += size) {
    const type = view.getUint32(at, true);
    if (type !== PT_LOAD && type !== PT_NOTE) continue;
    const bytes = part(number(at + 0x04, at + 0x08), number(at + 0x10, at + 0x20));
    if (type === PT_NOTE) {
      notes.push(bytes);
      continue;
    }
    const memorySize = Math.max(number(at + 0x14, at + 0x28), bytes.length);
    if (memorySize === 0) continue;
    const physical = number(at + 0x0c, at + 0x18);
    segments.push({ physical, bytes, memorySize });
    // The entry is linked at a virtual address, and paging is off when it is called.
    const within = linked - word(at + 0x08, at + 0x10);
    if (within >= 0n && within < BigInt(memorySize)) entry ??= physical + Number(within);
  }
  const entrySize = view.getUint16(sizes + 4, true);
  const sectionCount = view.getUint16(sizes + 6, true);
  const headers = entrySize >= (wide ? 64 : 40) ? part(number(0x20, 0x28), entrySize * sectionCount) : file.subarray(0, 0);
  const sections = { headers, count: headers.length === 0 ? 0 : sectionCount, entrySize, names: view.getUint16(sizes + 8, true), wide };
  return { segments, entry: entry ?? exact(linked), notes, sections };
}

/**
 * The descriptor of a note, or nothing when the file has no such note. Name and descriptor are padded to four bytes each.
 */
export function findNote(elf: ElfFile, name: string, type: number): Uint8Array | undefined {
  const pad = (length: number): number => Math.ceil(length / 4) * 4;
  for (const notes of elf.notes) {
    const view = new DataView(notes.buffer, notes.byteOffset, notes.byteLength);
    for (let at = 0; at + 12 <= notes.length;) {
      const nameSize = view.getUint32(at, true);
      const size = view.getUint32(at + 4, true);
      const descriptor = at + 12 + pad(nameSize);
      if (descriptor + size > notes.length) break;
      const owner = String.fromCharCode(...notes.subarray(at + 12, at + 12 + Math.min(nameSize, name.length + 1)));
      if (view.getUint32(at + 8, true) === type && owner === `${name}\0`) return notes.subarray(descriptor, descriptor + size);
      at = descriptor + pad(size);
    }
  }
  return undefined;
}

function exact(value: bigint): number {
  return value < BigInt(BEYOND) ? Number(value) : BEYOND;
}

function truncated(): FirmwareError {
  return new FirmwareError("FIRMWARE_TRUNCATED", "The ELF file ends before what its headers name; check the file.");
}
