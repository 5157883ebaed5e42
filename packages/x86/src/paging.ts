/**
 * Bits of paging-structure entries (SDM volume 3, sections 4.3 to 4.5). The names of the low half serve every paging mode; XD is bit 63, so
 * it is bit 31 of an entry's high half.
 */
export const PTE_P = 1 << 0;
export const PTE_RW = 1 << 1;
export const PTE_US = 1 << 2;
export const PTE_PWT = 1 << 3;
export const PTE_PCD = 1 << 4;
export const PTE_A = 1 << 5;
export const PTE_D = 1 << 6;
/** Page size, in a directory entry: the entry maps a page. */
export const PTE_PS = 1 << 7;
/** PAT, in an entry that maps a 4 KiB page. */
export const PTE_PAT = 1 << 7;
export const PTE_G = 1 << 8;
/** PAT, in an entry that maps a larger page. */
export const PTE_PAT_LARGE = 1 << 12;
/** Execute disable, in the high half of a 64-bit entry. */
export const PTE_XD_HIGH = 1 << 31;

export const PAGE_SIZE = 0x1000;
export const PAGE_SHIFT = 12;
export const PAGE_MASK = 0xfff;
