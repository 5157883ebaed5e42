/**
 * The section headers of a kernel as multiboot 2 hands them on (Multiboot Specification 2.0, section 3.6.7): sections that are no part of
 * the program, such as its symbols, are loaded behind it, and their headers say where.
 */
import type { ElfFile } from "./elf.ts";

const SHT_NULL = 0;
const SHT_NOBITS = 8;
const PAGE = 4096;

/** The headers with addresses filled in, what to write where, and the first free page after it. */
export interface LoadedSections { headers: Uint8Array; loaded: { at: number; bytes: Uint8Array }[]; free: number }

/** Places sections that have no address from `free` on; one that lies outside the file keeps its header and is not loaded. */
export function loadSections(file: Uint8Array, elf: ElfFile, free: number): LoadedSections {
  const { count, entrySize, wide } = elf.sections;
  const headers = elf.sections.headers.slice();
  const view = new DataView(headers.buffer);
  const field = (at: number, narrow: number, broad: number): number =>
    wide ? Number(view.getBigUint64(at + broad, true)) : view.getUint32(at + narrow, true);
  const loaded: LoadedSections["loaded"] = [];
  let next = free;
  for (let n = 0; n < count; n++) {
    const at = n * entrySize;
    const type = view.getUint32(at + 4, true);
    const offset = field(at, 16, 24);
    const size = field(at, 20, 32);
    if (type === SHT_NULL || type === SHT_NOBITS || size === 0 || field(at, 12, 16) !== 0 || offset + size > file.length) continue;
    const alignment = Math.min(Math.max(field(at, 32, 48), 16), PAGE);
    next = Math.ceil(next / alignment) * alignment;
    loaded.push({ at: next, bytes: file.subarray(offset, offset + size) });
    if (wide) view.setBigUint64(at + 16, BigInt(next), true);
    else view.setUint32(at + 12, next, true);
    next += size;
  }
  return { headers, loaded, free: Math.ceil(next / PAGE) * PAGE };
}
