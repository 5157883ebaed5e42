/**
 * Exception vectors and error codes (SDM volume 3, sections 6.3, 6.13 and 6.15).
 */
export const VECTOR_DE = 0;
export const VECTOR_DB = 1;
export const VECTOR_NMI = 2;
export const VECTOR_BP = 3;
export const VECTOR_OF = 4;
export const VECTOR_BR = 5;
export const VECTOR_UD = 6;
export const VECTOR_NM = 7;
export const VECTOR_DF = 8;
export const VECTOR_CSO = 9;
export const VECTOR_TS = 10;
export const VECTOR_NP = 11;
export const VECTOR_SS = 12;
export const VECTOR_GP = 13;
export const VECTOR_PF = 14;
export const VECTOR_MF = 16;
export const VECTOR_AC = 17;
export const VECTOR_MC = 18;
export const VECTOR_XM = 19;
export const VECTOR_VE = 20;
export const VECTOR_CP = 21;

/** Bit n: the exception with vector n pushes an error code. */
export const VECTORS_WITH_ERROR_CODE =
  (1 << VECTOR_DF) | (1 << VECTOR_TS) | (1 << VECTOR_NP) | (1 << VECTOR_SS) | (1 << VECTOR_GP) | (1 << VECTOR_PF) | (1 << VECTOR_AC) | (1 << VECTOR_CP);

/** Error code bits: the event was external; the index is of the IDT; the index is of the LDT. */
export const ERROR_EXT = 1;
export const ERROR_IDT = 2;
export const ERROR_TI = 4;

/** Page-fault error code. */
export const PF_P = 1 << 0;
export const PF_WR = 1 << 1;
export const PF_US = 1 << 2;
export const PF_RSVD = 1 << 3;
export const PF_ID = 1 << 4;
export const PF_PK = 1 << 5;

/** Names of the vectors, by number. */
export const VECTOR_NAMES: readonly string[] = [
  "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
  "#VE", "#CP",
];
