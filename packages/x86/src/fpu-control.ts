/**
 * x87 control and status words and MXCSR (SDM volume 1, sections 8.1.3, 8.1.5 and 10.2.3).
 */
/** Exception flags of the status word, and masks of the control word; MXCSR has the flags at the same bits and the masks 7 higher. */
export const FPU_IE = 1 << 0;
export const FPU_DE = 1 << 1;
export const FPU_ZE = 1 << 2;
export const FPU_OE = 1 << 3;
export const FPU_UE = 1 << 4;
export const FPU_PE = 1 << 5;
export const FSW_SF = 1 << 6;
export const FSW_ES = 1 << 7;
export const FSW_C0 = 1 << 8;
export const FSW_C1 = 1 << 9;
export const FSW_C2 = 1 << 10;
export const FSW_TOP_SHIFT = 11;
export const FSW_TOP = 7 << 11;
export const FSW_C3 = 1 << 14;
export const FSW_B = 1 << 15;
export const FCW_PC_SHIFT = 8;
export const FCW_PC = 3 << 8;
export const FCW_RC_SHIFT = 10;
export const FCW_RC = 3 << 10;
/** After FNINIT. */
export const FCW_RESET = 0x37f;
export const MXCSR_DAZ = 1 << 6;
export const MXCSR_MASK_SHIFT = 7;
export const MXCSR_RC_SHIFT = 13;
export const MXCSR_RC = 3 << 13;
export const MXCSR_FTZ = 1 << 15;
export const MXCSR_RESET = 0x1f80;
/** Bits that software may set; another one raises #GP(0). */
export const MXCSR_WRITABLE = 0xffff;
