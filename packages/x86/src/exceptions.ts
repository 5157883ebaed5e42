/**
 * Exception vectors and error codes (SDM volume 3, sections 6.3, 6.13 and 6.15).
 */

/** Divide error. */
export const VECTOR_DE = 0;
/** Debug. */
export const VECTOR_DB = 1;
/** Non-maskable interrupt. */
export const VECTOR_NMI = 2;
/** Breakpoint (INT3). */
export const VECTOR_BP = 3;
/** Overflow (INTO). */
export const VECTOR_OF = 4;
/** BOUND range exceeded. */
export const VECTOR_BR = 5;
/** Invalid opcode. */
export const VECTOR_UD = 6;
/** Device not available. */
export const VECTOR_NM = 7;
/** Double fault. */
export const VECTOR_DF = 8;
/** Coprocessor segment overrun, not raised since the 386. */
export const VECTOR_CSO = 9;
/** Invalid TSS. */
export const VECTOR_TS = 10;
/** Segment not present. */
export const VECTOR_NP = 11;
/** Stack-segment fault. */
export const VECTOR_SS = 12;
/** General protection. */
export const VECTOR_GP = 13;
/** Page fault. */
export const VECTOR_PF = 14;
/** x87 floating-point error. */
export const VECTOR_MF = 16;
/** Alignment check. */
export const VECTOR_AC = 17;
/** Machine check. */
export const VECTOR_MC = 18;
/** SIMD floating-point exception. */
export const VECTOR_XM = 19;
/** Virtualization exception. */
export const VECTOR_VE = 20;
/** Control protection. */
export const VECTOR_CP = 21;

/** Bit n: the exception with vector n pushes an error code. */
export const VECTORS_WITH_ERROR_CODE =
  (1 << VECTOR_DF) | (1 << VECTOR_TS) | (1 << VECTOR_NP) | (1 << VECTOR_SS) | (1 << VECTOR_GP) | (1 << VECTOR_PF) | (1 << VECTOR_AC) | (1 << VECTOR_CP);

/** Bit of a selector error code: the event was external to the program. */
export const ERROR_EXT = 1;
/** The index is of the IDT. */
export const ERROR_IDT = 2;
/** The index is of the LDT. */
export const ERROR_TI = 4;

/** Bit of the page-fault error code: the page was present, so the access was forbidden. */
export const PF_P = 1 << 0;
/** The access was a write. */
export const PF_WR = 1 << 1;
/** The access was made in user mode. */
export const PF_US = 1 << 2;
/** A reserved bit was set in a paging-structure entry. */
export const PF_RSVD = 1 << 3;
/** The access was an instruction fetch (with NX or SMEP). */
export const PF_ID = 1 << 4;
/** A protection key forbade the access. */
export const PF_PK = 1 << 5;

/** Names of the vectors, by number. */
export const VECTOR_NAMES: readonly string[] = [
  "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
  "#VE", "#CP",
];
