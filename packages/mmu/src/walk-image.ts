/**
 * What a page walk goes by, in linear memory for generated code that walks in the usual cases:
 *
 *   +0  i32 kind: WALK_NONE where TypeScript is to walk, else that of the tables
 *   +4  i32 flags: WALK_WRITE_PROTECT and so on
 *   +8  i64 physical address of the first table, where the kind has one
 *   +16 i64 bits that a 64-bit entry must not have
 *   +24 i64 the four PDPTE registers of PAE paging
 */
import { type PagingMode, reservedHigh } from "./page-walk.ts";

export const WALK_NONE = 0;
/** 32-bit, PAE and 4-level paging. */
export const WALK_32 = 1;
export const WALK_PAE = 2;
export const WALK_LONG = 3;
export const WALK_KIND = 0;
export const WALK_FLAGS = 4;
export const WALK_ROOT = 8;
export const WALK_RESERVED = 16;
export const WALK_PDPTES = 24;
export const WALK_WRITE_PROTECT = 1 << 0;
export const WALK_LARGE_4M = 1 << 1;
export const WALK_GLOBAL = 1 << 2;
export const WALK_GIGABYTE = 1 << 3;
export const WALK_SMEP = 1 << 4;
export const WALK_SMAP = 1 << 5;

const TWO_32 = 0x1_0000_0000;

/** One vCPU's image. */
export class WalkImage {
  readonly #words: Int32Array;

  /** @param buffer the buffer of the linear memory  @param base byte address of 56 bytes */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.#words = new Int32Array(buffer, base, 14);
  }

  /** Writes a mode. @param isUsual whether generated code may walk by it */
  write(mode: PagingMode, isUsual: boolean): void {
    const words = this.#words;
    const kind = !mode.physicalAddressExtension ? WALK_32 : mode.longMode ? WALK_LONG : WALK_PAE;
    words[WALK_KIND >> 2] = isUsual && mode.paging ? kind : WALK_NONE;
    words[WALK_FLAGS >> 2] = (mode.writeProtect ? WALK_WRITE_PROTECT : 0) | (mode.pageSizeExtension ? WALK_LARGE_4M : 0) | (mode.globalPages ? WALK_GLOBAL : 0)
      | (mode.gigabytePages ? WALK_GIGABYTE : 0) | (mode.executionPrevention ? WALK_SMEP : 0) | (mode.accessPrevention ? WALK_SMAP : 0);
    words[WALK_ROOT >> 2] = mode.root & ~0xfff;
    words[(WALK_ROOT >> 2) + 1] = Math.floor(mode.root / TWO_32);
    words[WALK_RESERVED >> 2] = 0;
    words[(WALK_RESERVED >> 2) + 1] = reservedHigh(mode);
    words.set(mode.pdptes, WALK_PDPTES >> 2);
  }
}
