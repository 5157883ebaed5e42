/**
 * Segment and system descriptors and selectors (SDM volume 3, sections 3.4.2, 3.4.5, 3.5). `DESCRIPTOR_*` are bits of a descriptor's second dword.
 */
/** Requested privilege level, table indicator (LDT) and index of a selector. */
export const SELECTOR_RPL = 3;
export const SELECTOR_TI = 4;
export const SELECTOR_INDEX = 0xfff8;

export const DESCRIPTOR_TYPE_SHIFT = 8;
export const DESCRIPTOR_TYPE = 0xf << 8;
/** Code or data segment (clear: system). */
export const DESCRIPTOR_S = 1 << 12;
export const DESCRIPTOR_DPL_SHIFT = 13;
export const DESCRIPTOR_DPL = 3 << 13;
export const DESCRIPTOR_P = 1 << 15;
export const DESCRIPTOR_AVL = 1 << 20;
export const DESCRIPTOR_L = 1 << 21;
/** D of a code, B of a data segment. */
export const DESCRIPTOR_DB = 1 << 22;
export const DESCRIPTOR_G = 1 << 23;
/** Type bits of code and data segments. */
export const DESCRIPTOR_ACCESSED = 1 << 8;
/** Data: writable; code: readable. */
export const DESCRIPTOR_WRITABLE = 1 << 9;
export const DESCRIPTOR_READABLE = 1 << 9;
/** Data: expand down; code: conforming. */
export const DESCRIPTOR_EXPAND_DOWN = 1 << 10;
export const DESCRIPTOR_CONFORMING = 1 << 10;
export const DESCRIPTOR_CODE = 1 << 11;

/** Types of system descriptors. The 32-bit ones of TSS, call, interrupt and trap gate are the 64-bit ones in long mode. */
export const TYPE_TSS16_AVAILABLE = 1;
export const TYPE_LDT = 2;
export const TYPE_TSS16_BUSY = 3;
export const TYPE_CALL_GATE16 = 4;
export const TYPE_TASK_GATE = 5;
export const TYPE_INTERRUPT_GATE16 = 6;
export const TYPE_TRAP_GATE16 = 7;
export const TYPE_TSS32_AVAILABLE = 9;
export const TYPE_TSS32_BUSY = 11;
export const TYPE_CALL_GATE32 = 12;
export const TYPE_INTERRUPT_GATE32 = 14;
export const TYPE_TRAP_GATE32 = 15;
