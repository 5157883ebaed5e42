/** What definitions name of the machine: the hot state's layout, and the numbers of the general registers. */
export {
  GPR, EFLAGS_REST, MODE, FPU_TRAP, SCRATCH, STACK_MASK, SEGMENT, SEGMENT_STRIDE, SEG_LIMIT, SEG_SELECTOR, FPR, FPU_CONTROL, FPU_STATUS, FPU_TAGS,
  FPU_OPCODE, FPU_IP, FPU_DP, FPU_CS, FPU_DS, XMM, MXCSR, FLOAT_SCRATCH, ES, CS, SS, DS, FS, GS,
} from "./state-layout.ts";

/** Bit of the mode key (`mode.ts` of `cpu`): protected mode, not virtual-8086 mode. */
export const MODE_PROTECTED = 1 << 2;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
