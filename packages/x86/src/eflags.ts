/**
 * EFLAGS (SDM volume 1, section 3.4.3; volume 3, section 2.3).
 */

/** Carry. */
export const EFLAGS_CF = 1 << 0;
/** Bit 1, always set. */
export const EFLAGS_FIXED = 1 << 1;
/** Parity of the low byte: set when even. */
export const EFLAGS_PF = 1 << 2;
/** Auxiliary carry, out of bit 3. */
export const EFLAGS_AF = 1 << 4;
/** Zero. */
export const EFLAGS_ZF = 1 << 6;
/** Sign. */
export const EFLAGS_SF = 1 << 7;
/** Trap: single step. */
export const EFLAGS_TF = 1 << 8;
/** Maskable interrupts are enabled. */
export const EFLAGS_IF = 1 << 9;
/** Direction: string instructions go down. */
export const EFLAGS_DF = 1 << 10;
/** Overflow. */
export const EFLAGS_OF = 1 << 11;
/** Both bits of the I/O privilege level. */
export const EFLAGS_IOPL = 3 << 12;
/** Position of IOPL. */
export const EFLAGS_IOPL_SHIFT = 12;
/** Nested task. */
export const EFLAGS_NT = 1 << 14;
/** Resume: no instruction breakpoint on the next instruction. */
export const EFLAGS_RF = 1 << 16;
/** Virtual-8086 mode. */
export const EFLAGS_VM = 1 << 17;
/** Alignment check; with SMAP, access to user pages. */
export const EFLAGS_AC = 1 << 18;
/** Virtual interrupt flag. */
export const EFLAGS_VIF = 1 << 19;
/** Virtual interrupt pending. */
export const EFLAGS_VIP = 1 << 20;
/** Can be changed where CPUID exists. */
export const EFLAGS_ID = 1 << 21;
/** The six arithmetic flags: CF PF AF ZF SF OF. */
export const EFLAGS_ARITHMETIC = EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF;
