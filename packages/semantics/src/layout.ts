/**
 * The few places of the hot state that definitions name. The layout itself belongs to `cpu` (`state-layout.ts`), which
 * stands above this package and checks in a test that both agree; definitions need only the general registers, the flags
 * word and the places that helpers use to hand values back.
 */
export const GPR = 0x000;
export const EFLAGS_REST = 0x09c;
export const FPU_TRAP = 0x0ac;
export const SCRATCH = 0x0c0;
export const STACK_MASK = 0x0e0;
export const SEGMENT = 0x100;
export const SEGMENT_STRIDE = 48;
export const SEG_LIMIT = 24;
export const SEG_SELECTOR = 32;
export const FPR = 0x300;
export const FPU_CONTROL = 0x380;
export const FPU_STATUS = 0x384;
export const FPU_TAGS = 0x388;
export const FPU_OPCODE = 0x38c;
export const FPU_IP = 0x390;
export const FPU_DP = 0x398;
export const FPU_CS = 0x3a0;
export const FPU_DS = 0x3a4;
export const XMM = 0x400;
export const MXCSR = 0x500;
/** From here to the end of the hot state: what soft float hands back (`float/scratch.ts`); not architectural. */
export const FLOAT_SCRATCH = 0x520;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
