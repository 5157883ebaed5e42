export { Builder, irFunction, SemanticsError, typeOfSize, type BuilderOptions } from "./builder.ts";
export { DEFINITIONS } from "./definitions.ts";
export { FLOAT_EXTRA, FLOAT_FLAGS, FLOAT_FUNCTIONS, FLOAT_HOST, FLOAT_INCOMPLETE, FLOAT_LANES, FLOAT_SE } from "./float/index.ts";
export { gpr, InstructionBuilder, type Definition, type Shape } from "./instruction.ts";
export type { Address, Block, Field, FlagUpdate, IrFunction, IrType, Place, SegmentRef, Size, Statement, Value, Variable } from "./ir.ts";
export { type IrNames, irText } from "./ir-text.ts";
export { stateName } from "./state-names.ts";
export {
  STATE, STATE_SIZE, GPR, ZERO, RIP, FLAG_RESULT, FLAG_AUX, EFLAGS_REST, BUDGET, MODE, TLB_VIEW, FPU_TRAP, FAULT_VECTOR, FAULT_CODE, FAULT_HAS_CODE,
  CPL, SCRATCH, RUN_CONTROL, STACK_MASK, FAULT_ADDRESS, GENERATION, GLOBAL_GENERATION, BUDGET_KEPT, SAMPLE_BEYOND, SAMPLE_IN, RESUME_FLAG_AT, RESUME_FLAG_NOT, RESUME_FLAG_SHOWN, RESUME, STI_AT, ATTENTION, JUMP_CACHE, SEGMENT, SEGMENT_STRIDE, SEG_BASE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, SEG_LIMIT,
  SEG_ATTRIBUTES, SEG_SELECTOR, ES, CS, SS, DS, FS, GS, LDTR, TR, FPR, FPR_STRIDE, FPU_CONTROL, FPU_STATUS, FPU_TAGS, FPU_OPCODE, FPU_IP, FPU_DP,
  FPU_CS, FPU_DS, XMM, XMM_STRIDE, MXCSR, BLOCK_ENDED, EFER, FMASK, GDTR_BASE, GDTR_LIMIT, HIDDEN_BASES, IDTR_BASE, IDTR_LIMIT, KERNEL_GS_BASE, LSTAR, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, FLOAT_SCRATCH, AUX_CF, AUX_CIN, AUX_AF, AUX_SFX, AUX_PFX_SHIFT, STATUS_OK, STATUS_FAULT,
} from "./state-layout.ts";
