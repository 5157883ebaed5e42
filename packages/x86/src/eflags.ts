/**
 * EFLAGS (SDM volume 1, section 3.4.3; volume 3, section 2.3).
 */
export const EFLAGS_CF = 1 << 0;
/** Bit 1, always set. */
export const EFLAGS_FIXED = 1 << 1;
export const EFLAGS_PF = 1 << 2;
export const EFLAGS_AF = 1 << 4;
export const EFLAGS_ZF = 1 << 6;
export const EFLAGS_SF = 1 << 7;
export const EFLAGS_TF = 1 << 8;
export const EFLAGS_IF = 1 << 9;
export const EFLAGS_DF = 1 << 10;
export const EFLAGS_OF = 1 << 11;
/** Both bits of the I/O privilege level. */
export const EFLAGS_IOPL = 3 << 12;
export const EFLAGS_IOPL_SHIFT = 12;
export const EFLAGS_NT = 1 << 14;
export const EFLAGS_RF = 1 << 16;
export const EFLAGS_VM = 1 << 17;
export const EFLAGS_AC = 1 << 18;
export const EFLAGS_VIF = 1 << 19;
export const EFLAGS_VIP = 1 << 20;
export const EFLAGS_ID = 1 << 21;
/** The six arithmetic flags: CF PF AF ZF SF OF. */
export const EFLAGS_ARITHMETIC = EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF;
