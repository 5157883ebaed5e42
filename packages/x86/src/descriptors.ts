/**
 * Segment and system descriptors and selectors (SDM volume 3, sections 3.4.2, 3.4.5, 3.5). `DESCRIPTOR_*` are bits of a descriptor's second dword.
 */

/** Requested privilege level of a selector. */
export const SELECTOR_RPL = 3;
/** The selector is of the LDT. */
export const SELECTOR_TI = 4;
/** Byte offset of the descriptor in its table. */
export const SELECTOR_INDEX = 0xfff8;

/** Position of the type. */
export const DESCRIPTOR_TYPE_SHIFT = 8;
/** Type field. */
export const DESCRIPTOR_TYPE = 0xf << 8;
/** Code or data segment (clear: system). */
export const DESCRIPTOR_S = 1 << 12;
/** Position of the privilege level. */
export const DESCRIPTOR_DPL_SHIFT = 13;
/** Privilege level. */
export const DESCRIPTOR_DPL = 3 << 13;
/** Present. */
export const DESCRIPTOR_P = 1 << 15;
/** Free for software. */
export const DESCRIPTOR_AVL = 1 << 20;
/** 64-bit code segment. */
export const DESCRIPTOR_L = 1 << 21;
/** D of a code, B of a data segment. */
export const DESCRIPTOR_DB = 1 << 22;
/** The limit counts 4 KiB units. */
export const DESCRIPTOR_G = 1 << 23;
/** Accessed (code and data segments). */
export const DESCRIPTOR_ACCESSED = 1 << 8;
/** Data: writable; code: readable. */
export const DESCRIPTOR_WRITABLE = 1 << 9;
/** Code: readable. */
export const DESCRIPTOR_READABLE = 1 << 9;
/** Data: expand down; code: conforming. */
export const DESCRIPTOR_EXPAND_DOWN = 1 << 10;
/** Code: conforming. */
export const DESCRIPTOR_CONFORMING = 1 << 10;
/** Code segment (clear: data). */
export const DESCRIPTOR_CODE = 1 << 11;

/** Available 16-bit TSS. In long mode the 32-bit types of TSS, call, interrupt and trap gate are the 64-bit ones. */
export const TYPE_TSS16_AVAILABLE = 1;
/** LDT. */
export const TYPE_LDT = 2;
/** Busy 16-bit TSS. */
export const TYPE_TSS16_BUSY = 3;
/** 16-bit call gate. */
export const TYPE_CALL_GATE16 = 4;
/** Task gate. */
export const TYPE_TASK_GATE = 5;
/** 16-bit interrupt gate. */
export const TYPE_INTERRUPT_GATE16 = 6;
/** 16-bit trap gate. */
export const TYPE_TRAP_GATE16 = 7;
/** Available 32-bit TSS. */
export const TYPE_TSS32_AVAILABLE = 9;
/** Busy 32-bit TSS. */
export const TYPE_TSS32_BUSY = 11;
/** 32-bit call gate. */
export const TYPE_CALL_GATE32 = 12;
/** 32-bit interrupt gate. */
export const TYPE_INTERRUPT_GATE32 = 14;
/** 32-bit trap gate. */
export const TYPE_TRAP_GATE32 = 15;
