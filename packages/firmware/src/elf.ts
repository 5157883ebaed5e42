/**
 * The loadable part of a 32-bit ELF executable: System V ABI, chapter 4 "Object Files" and chapter 5 "Program Header", for x86.
 */
import { FirmwareError } from "./errors.ts";

/** A piece of a program: where it is loaded, its bytes, and how much memory it takes with the zeros behind them. */
export interface LoadSegment { physical: number; virtual: number; bytes: Uint8Array; memorySize: number }

/** A program ready to be loaded; `entry` is a physical address. */
export interface LoadedProgram { segments: LoadSegment[]; entry: number }

const ELFCLASS32 = 1;
const ELFDATA2LSB = 1;
const EM_386 = 3;
const PT_LOAD = 1;
const HEADER_SIZE = 52;
const PROGRAM_HEADER_SIZE = 32;

/** Whether the file starts like an ELF file of any class. */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;
}

/**
 * Reads the program headers of an executable.
 * @throws {FirmwareError} `FIRMWARE_TRUNCATED` when the file ends before what its headers name, `FIRMWARE_UNSUPPORTED` for
 * another class, byte order or processor.
 */
export function parseElf32(file: Uint8Array): LoadedProgram {
  const truncated = (): FirmwareError =>
    new FirmwareError("FIRMWARE_TRUNCATED", "The ELF file ends before what its headers name; check the file.");
  if (file.length < HEADER_SIZE) throw truncated();
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file[4] !== ELFCLASS32 || file[5] !== ELFDATA2LSB || view.getUint16(18, true) !== EM_386)
    throw new FirmwareError("FIRMWARE_UNSUPPORTED", "The kernel is no 32-bit x86 ELF file; multiboot starts kernels in 32-bit mode.");

  let entry = view.getUint32(24, true);
  const start = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (size < PROGRAM_HEADER_SIZE || start + size * count > file.length) throw truncated();
  const segments: LoadSegment[] = [];
  let moved = false;
  for (let i = 0; i < count; i++) {
    const at = start + i * size;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = view.getUint32(at + 4, true);
    const virtual = view.getUint32(at + 8, true);
    const physical = view.getUint32(at + 12, true);
    const fileSize = view.getUint32(at + 16, true);
    const memorySize = Math.max(view.getUint32(at + 20, true), fileSize);
    if (offset + fileSize > file.length) throw truncated();
    if (memorySize === 0) continue;
    segments.push({ physical, virtual, bytes: file.subarray(offset, offset + fileSize), memorySize });
    // The entry is linked at a virtual address, and paging is off when it is called.
    if (!moved && entry >= virtual && entry < virtual + memorySize) {
      entry += physical - virtual;
      moved = true;
    }
  }
  return { segments, entry };
}
