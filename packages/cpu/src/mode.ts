/**
 * The mode key: everything about the processor's mode that decides how an instruction is decoded and executed, in one
 * word. Blocks of decoded or translated code are looked up by linear address and this key (SDM volume 1, section 3.1).
 */

/** CS.D: 32-bit operands and addresses by default. */
export const MODE_CODE32 = 1 << 0;
/** SS.B: the stack pointer is ESP. */
export const MODE_STACK32 = 1 << 1;
/** CR0.PE set and EFLAGS.VM clear. */
export const MODE_PROTECTED = 1 << 2;
/** EFLAGS.VM set. */
export const MODE_V86 = 1 << 3;
/** 64-bit mode: EFER.LMA and CS.L. */
export const MODE_LONG = 1 << 4;
/** CPL is 3. */
export const MODE_USER = 1 << 5;
/** CS, DS, ES and SS have base 0 and limit 4 GiB - 1 and permit reads (and, but for CS, writes): they need no checks. */
export const MODE_FLAT = 1 << 6;
/** One instruction at a time: TF, RF or an enabled breakpoint asks for a look between instructions. */
export const MODE_STEP = 1 << 7;
/** EFER.LMA: IA-32e mode, also in compatibility mode. */
export const MODE_IA32E = 1 << 8;
/** Set by the engine for visits of one instruction: blocks without fused pairs. */
export const MODE_SINGLE = 1 << 9;
