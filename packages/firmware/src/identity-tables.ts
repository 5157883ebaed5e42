/**
 * Page tables that map the first 4 GiB to themselves, for kernels that are entered in 64-bit mode: Intel SDM volume 3, section
 * "4-Level Paging", with pages of 2 MiB, which every 64-bit processor has.
 *
 *   base + 0     PML4, one entry       base + 1000h  page-directory pointers, four entries
 *   base + 2000h four page directories of 512 pages
 */
import { ByteWriter } from "./byte-writer.ts";

const TABLE = 4096;
const DIRECTORIES = 4;
const LARGE_PAGE = 0x20_0000;
const PRESENT = 1 << 0;
const WRITABLE = 1 << 1;
const PAGE_SIZE = 1 << 7;

/** The six tables as one piece to be written at `base`, a multiple of 4 KiB. */
export function identityTables(base: number): Uint8Array {
  const out = new ByteWriter().u64((base + TABLE) | PRESENT | WRITABLE).padTo(TABLE);
  for (let n = 0; n < DIRECTORIES; n++) out.u64((base + (2 + n) * TABLE) | PRESENT | WRITABLE);
  out.padTo(2 * TABLE);
  for (let page = 0; page < DIRECTORIES * 512; page++) out.u64(page * LARGE_PAGE + (PRESENT | WRITABLE | PAGE_SIZE));
  return out.finish();
}
