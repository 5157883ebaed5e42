/**
 * Bits of paging-structure entries (SDM volume 3, sections 4.3 to 4.5). The names of the low half serve every paging mode; XD is bit 63, so
 * it is bit 31 of an entry's high half.
 */

/** Present. */
export const PTE_P = 1 << 0;
/** Writable. */
export const PTE_RW = 1 << 1;
/** Accessible in user mode. */
export const PTE_US = 1 << 2;
/** Write-through. */
export const PTE_PWT = 1 << 3;
/** Caching disabled. */
export const PTE_PCD = 1 << 4;
/** Accessed. */
export const PTE_A = 1 << 5;
/** Dirty. */
export const PTE_D = 1 << 6;
/** Page size, in a directory entry: the entry maps a page. */
export const PTE_PS = 1 << 7;
/** PAT, in an entry that maps a 4 KiB page. */
export const PTE_PAT = 1 << 7;
/** Global. */
export const PTE_G = 1 << 8;
/** PAT, in an entry that maps a larger page. */
export const PTE_PAT_LARGE = 1 << 12;
/** Execute disable, in the high half of a 64-bit entry. */
export const PTE_XD_HIGH = 1 << 31;

/** Bytes of the smallest page. */
export const PAGE_SIZE = 0x1000;
/** log2 of `PAGE_SIZE`. */
export const PAGE_SHIFT = 12;
/** Offset bits within the smallest page. */
export const PAGE_MASK = 0xfff;
