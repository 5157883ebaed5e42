/**
 * x87 control and status words and MXCSR (SDM volume 1, sections 8.1.3, 8.1.5 and 10.2.3).
 */

/** Invalid operation. This and the next five are flags of the status word and masks of the control word; MXCSR has the flags at the same bits, the masks 7 higher. */
export const FPU_IE = 1 << 0;
/** Denormal operand. */
export const FPU_DE = 1 << 1;
/** Division by zero. */
export const FPU_ZE = 1 << 2;
/** Overflow. */
export const FPU_OE = 1 << 3;
/** Underflow. */
export const FPU_UE = 1 << 4;
/** Precision: inexact. */
export const FPU_PE = 1 << 5;
/** Stack fault. */
export const FSW_SF = 1 << 6;
/** Error summary: an unmasked exception is pending. */
export const FSW_ES = 1 << 7;
/** Condition code 0. */
export const FSW_C0 = 1 << 8;
/** Condition code 1. */
export const FSW_C1 = 1 << 9;
/** Condition code 2. */
export const FSW_C2 = 1 << 10;
/** Position of the top of the stack. */
export const FSW_TOP_SHIFT = 11;
/** Top of the stack. */
export const FSW_TOP = 7 << 11;
/** Condition code 3. */
export const FSW_C3 = 1 << 14;
/** Busy; equal to ES. */
export const FSW_B = 1 << 15;
/** Position of precision control. */
export const FCW_PC_SHIFT = 8;
/** Precision control. */
export const FCW_PC = 3 << 8;
/** Position of rounding control. */
export const FCW_RC_SHIFT = 10;
/** Rounding control. */
export const FCW_RC = 3 << 10;
/** After FNINIT. */
export const FCW_RESET = 0x37f;
/** Denormal operands are zeros. */
export const MXCSR_DAZ = 1 << 6;
/** Position of the exception masks. */
export const MXCSR_MASK_SHIFT = 7;
/** Position of rounding control. */
export const MXCSR_RC_SHIFT = 13;
/** Rounding control. */
export const MXCSR_RC = 3 << 13;
/** Underflowing results are zeros. */
export const MXCSR_FTZ = 1 << 15;
/** Value after reset: all exceptions masked. */
export const MXCSR_RESET = 0x1f80;
/** Bits that software may set; another one raises #GP(0). */
export const MXCSR_WRITABLE = 0xffff;
