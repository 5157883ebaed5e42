/**
 * Where everything lies in the memory of a fuzzed program, and the selectors of its descriptor tables.
 *
 *   0x0000 IVT   0x1000 GDT  0x1800 LDT  0x2000 IDT  0x3000 TSS  0x4000 TSS of double faults  0x5000 16-bit TSS  0x6000 a free 64-bit TSS
 *   0x8000 page directory, PDPT or PML4  0x9000 page table or PDPT  0xa000 PAE directory  0xb000 PAE table  0x10f00 the program
 *   0x14000 to 0x1d000 data  0x1e000, 0x2e000 stacks of level 0 and 3  0x2c000 stacks of the TSS  0x30000 handlers  0x31000 NEXT
 */

export const RAM = 0x40000;
export const GDT = 0x1000;
export const GDT_LIMIT = 0x1ff;
export const LDT = 0x1800;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const TSS_LIMIT = 0xfff;
/** What CR3 points to. */
export const DIRECTORY = 0x8000;
/** The tables below it; under 32-bit paging the page table is the first of them. */
export const TABLE = 0x9000;
export const PAE_DIRECTORY = 0xa000;
export const PAE_TABLE = 0xb000;
export const TABLES_END = 0xc000;
/** The program lies in two pages. */
export const CODE = 0x10f00;
export const CODE_BYTES = 0x800;
export const DATA = 0x14000;
export const DATA_END = 0x1d000;
export const STACK0 = 0x1ef00;
export const STACK3 = 0x2ef00;
/** Top of the stack for level 0 in the TSS; those for levels 1 and 2 and the interrupt stacks lie below it. */
export const TSS_STACK = 0x2c000;
export const HANDLERS = 0x30000;
/** What follows the instruction at an offset, by its low 12 bits: four bytes each, eight in IA-32e mode. */
export const NEXT = 0x31000;
export const NEXT_ENTRIES = 0x1000;

/**
 * In IA-32e mode all memory is seen at three places: at 0, at FFFF8000_00000000h, and at FFFFFFFF_80000000h, which sign-extended
 * 32-bit addresses reach.
 */
export const LOW = 0, UPPER = -0x8000_0000_0000, TOP = -0x8000_0000;
export const BASES: readonly number[] = [LOW, UPPER, TOP];
/** Ends of what 32 bits, the lower canonical half and 64 bits address. Before each of them lies one page of data. */
export const EDGES: readonly number[] = [0x1_0000_0000, 0x8000_0000_0000, 0];
/** The large pages of 4-level paging: memory once more. */
export const PAGE_2M = 0x200000, PAGE_1G = 0x40000000;

/** Selectors of the GDT. */
export const CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TSS1 = 0x28, TSS2 = 0x30, TSS3 = 0x38, TABLE_SELECTOR = 0x40;
export const CODE16_0 = 0x48, DATA16_0 = 0x50, CODE16_3 = 0x5b, DATA16_3 = 0x63, SMALL0 = 0x68, SMALL3 = 0x73, DOWN0 = 0x78, DOWN3 = 0x83;
export const DOWN16 = 0x88, CONFORMING = 0x90, EXECUTE_ONLY = 0x98, READ_ONLY = 0xa0, ABSENT = 0xa8, GATE32 = 0xb3, GATE16 = 0xbb;
export const TASK_GATE = 0xc3, STACK16_3 = 0xcb, STACK16_0 = 0xd0, ODD_CODE3 = 0xdb, ODD_CODE0 = 0xe0, HANDLER_CODE = 0xe8, LDT_DATA = 0x0f;
/**
 * Those that only IA-32e mode has. The first six stand as SYSCALL, SYSRET, SYSENTER and SYSEXIT want them; what describes a system
 * segment or a gate takes sixteen bytes.
 */
export const LONG_CODE0 = 0xf0, LONG_DATA0 = 0xf8, FAST_CODE3 = 0x103, FAST_DATA3 = 0x10b, LONG_CODE3 = 0x113, LONG_DATA3 = 0x11b;
export const LONG_TSS = 0x120, FREE_TSS = 0x130, LONG_LDT = 0x140, GATE_INNER = 0x153, GATE_SAME = 0x163, LONG_CONFORMING = 0x170, LONG_AND_32 = 0x178;

/** [selector, base, limit as the descriptor has it, access byte, flags]. Flags: 8 G, 4 D/B, 2 L. */
export type SegmentLine = readonly [selector: number, base: number, limit: number, access: number, flags: number];

/** Code and data of every mode. */
export const SEGMENTS: readonly SegmentLine[] = [
  [CODE0, 0, 0xfffff, 0x9a, 0xc], [DATA0, 0, 0xfffff, 0x92, 0xc], [CODE3, 0, 0xfffff, 0xfa, 0xc], [DATA3, 0, 0xfffff, 0xf2, 0xc],
  [CODE16_0, 0x10000, 0xffff, 0x9a, 0], [DATA16_0, DATA, 0xffff, 0x92, 0], [CODE16_3, 0x10000, 0xffff, 0xfa, 0], [DATA16_3, DATA, 0xffff, 0xf2, 0],
  [SMALL0, DATA + 3, 0xffd, 0x92, 4], [SMALL3, DATA + 3, 0xffd, 0xf2, 4], [DOWN0, 0x10000, 0x4fff, 0x96, 4], [DOWN3, 0x10000, 0x4fff, 0xf6, 4],
  [DOWN16, 0x10000, 0x4fff, 0x96, 0], [CONFORMING, 0, 0xfffff, 0x9e, 0xc], [EXECUTE_ONLY, 0, 0xfffff, 0x98, 0xc], [READ_ONLY, 0, 0xfffff, 0xf0, 0xc],
  [ABSENT, 0, 0xfffff, 0x72, 0xc], [STACK16_3, 0x20000, 0xffff, 0xf2, 0], [STACK16_0, 0x10000, 0xffff, 0x92, 0],
  [HANDLER_CODE, HANDLERS, 0xfff, 0x9a, 4], [ODD_CODE3, 0xff03, 0x2fff, 0xfa, 4], [ODD_CODE0, 0xff03, 0x2fff, 0x9a, 4],
];

/** Tasks and the LDT of legacy modes. */
export const LEGACY_SEGMENTS: readonly SegmentLine[] = [
  [TSS1, TSS, TSS_LIMIT, 0x8b, 0], [TSS2, 0x4000, 0x67, 0x89, 0], [TSS3, 0x5000, 0x2b, 0x81, 0], [TABLE_SELECTOR, LDT, 0xff, 0x82, 0],
];

/** What IA-32e mode has instead; the upper halves of the system segments' bases follow. */
export const LONG_SEGMENTS: readonly SegmentLine[] = [
  [LONG_CODE0, 0, 0xfffff, 0x9a, 0xa], [LONG_DATA0, 0, 0xfffff, 0x92, 0xc], [FAST_CODE3, 0, 0xfffff, 0xfa, 0xc], [FAST_DATA3, 0, 0xfffff, 0xf2, 0xc],
  [LONG_CODE3, 0, 0xfffff, 0xfa, 0xa], [LONG_DATA3, 0, 0xfffff, 0xf2, 0xc], [LONG_CONFORMING, 0, 0xfffff, 0x9e, 0xa], [LONG_AND_32, 0, 0xfffff, 0xfa, 0xe],
  [LONG_TSS, TSS, TSS_LIMIT, 0x8b, 0], [FREE_TSS, 0x6000, 0x67, 0x89, 0], [LONG_LDT, LDT, 0xff, 0x82, 0],
];

const both = SEGMENTS.map(([selector]) => selector);
const OF_NO_USE = [0, 3, 0x1f8, 0x200];
/** Selectors for programs in protected mode, some of them of no use. */
export const SELECTORS = [...both, ...LEGACY_SEGMENTS.map(([selector]) => selector), GATE32, GATE16, TASK_GATE, LDT_DATA, ...OF_NO_USE];
/** The same for IA-32e mode. */
export const LONG_SELECTORS = [...both, ...LONG_SEGMENTS.map(([selector]) => selector), GATE_INNER, GATE_SAME, LDT_DATA, ...OF_NO_USE];
