/**
 * Where the hot architectural state of the running vCPU stands in linear memory, as byte offsets from `STATE`.
 * Generated code (interpreter and translator) and TypeScript helpers address the same bytes; everything that generated
 * code never reads (control registers, other MSRs) is a field of `Cpu` instead.
 *
 *   +0x000  GPR[16]        64 bits each: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15
 *   +0x080  ZERO           64 bits, always zero: the "register" of an absent base or index
 *   +0x088  RIP            64 bits (EIP zero-extended; IP in 16-bit code)
 *   +0x090  FLAG_RESULT    64 bits: last result, sign-extended from its size (ZF, SF, low byte for PF)
 *   +0x098  FLAG_AUX       32 bits: CF, OF, AF and corrections to SF and PF (see lazy flags below)
 *   +0x09c  EFLAGS_REST    32 bits: EFLAGS without CF PF AF ZF SF OF; bit 1 is set
 *   +0x0a0  BUDGET ...     run control, faults, scratch
 *   +0x100  SEGMENT[8]     48 bytes each: ES CS SS DS FS GS LDTR TR
 *   +0x280  model-specific registers of fast system calls, GDTR and IDTR, hidden bases
 *   +0x2f0  SAMPLE_BEYOND ...  what the engine counts
 *   +0x300  FPR[8]         16 bytes each, physical register R0..R7: significand u64, sign+exponent u16
 *   +0x380  FPU control
 *   +0x400  XMM[16]        16 bytes each
 *   +0x500  MXCSR          +0x504  EFER           +0x508  BLOCK_ENDED
 *   +0x520  what soft float hands back to definitions and helpers, not architectural (`float/scratch.ts` of `semantics`)
 *
 * Lazy flags. Two words hold all six arithmetic flags without knowing which operation made them:
 *   ZF = FLAG_RESULT == 0
 *   SF = (FLAG_RESULT < 0) ^ AUX.SFX
 *   PF = even parity of (low byte of FLAG_RESULT ^ AUX.PFX)
 *   AF = AUX.AF,  CF = AUX.CF,  OF = AUX.CF ^ AUX.CIN   (carry out of and into the most significant bit)
 */

/** Address of the hot state in linear memory. */
export const STATE = 0x1000;
/** Bytes of hot state that a vCPU switch swaps. */
export const STATE_SIZE = 0x600;

export const GPR = 0x000;
export const ZERO = 0x080;
export const RIP = 0x088;
export const FLAG_RESULT = 0x090;
export const FLAG_AUX = 0x098;
export const EFLAGS_REST = 0x09c;

/** Instructions that may still retire in this visit (i32); generated code leaves when it would go below zero. */
export const BUDGET = 0x0a0;
/** Mode key of the code being run (i32): see `mode.ts` in `cpu`. Blocks are looked up by linear address and mode key. */
export const MODE = 0x0a4;
/** Linear-memory address of the TLB view in use (i32): supervisor or user. */
export const TLB_VIEW = 0x0a8;
/** Non-zero when x87/MMX instructions must raise #NM (CR0.EM or CR0.TS), bit 0 x87, bit 1 MMX, bit 2 SSE (#NM), bit 3 SSE #UD, bit 4 WAIT. */
export const FPU_TRAP = 0x0ac;
/** Pending fault, valid when a helper returned `STATUS_FAULT`: vector, error code, 1 if it has an error code. */
export const FAULT_VECTOR = 0x0b0;
export const FAULT_CODE = 0x0b4;
export const FAULT_HAS_CODE = 0x0b8;
/** Current privilege level (i32). */
export const CPL = 0x0bc;
/** Values that helpers hand back to generated code, 16 bytes. */
export const SCRATCH = 0x0c0;
/** Record or exit bookkeeping of the interpreter, 16 bytes. */
export const RUN_CONTROL = 0x0d0;
/** Linear address of the stack mask, i64: 0xffff, 0xffffffff or all ones (SS.B, 64-bit mode). */
export const STACK_MASK = 0x0e0;
/** Linear address reported by the pending page fault (CR2 candidate), i64. */
export const FAULT_ADDRESS = 0x0e8;
/** Linear-memory address of the vCPU's jump cache (i32). */
export const JUMP_CACHE = 0x0f0;
/** Counts what makes looked-up code stale: TLB flushes and invalidated code (i32). */
export const GENERATION = 0x0f4;
/** The same for code on global pages, which a flush of the others leaves alone; its numbers are never those of GENERATION. */
export const GLOBAL_GENERATION = 0x0f8;
/** Instructions that may retire behind those of BUDGET (i32): they are kept back while BUDGET ends at the next sample. */
export const BUDGET_KEPT = 0x0fc;

export const SEGMENT = 0x100;
export const SEGMENT_STRIDE = 48;
/** i64 base (64-bit mode: zero for ES CS SS DS). */
export const SEG_BASE = 0;
/** i64 number of bytes from offset 0 that may be read without a further look: limit + 1, or 0 when a helper must decide (null, expand-down, execute-only, not present). */
export const SEG_READ_LENGTH = 8;
/** i64 the same for writes. */
export const SEG_WRITE_LENGTH = 16;
/** u32 limit in bytes (granularity applied). */
export const SEG_LIMIT = 24;
/** u32 access rights: the second dword of the descriptor masked with 0x00f0ff00 (type, S, DPL, P, AVL, L, D/B, G); bit 0 set when unusable (null selector). */
export const SEG_ATTRIBUTES = 28;
/** u16 selector in a u32. */
export const SEG_SELECTOR = 32;

export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;

/** Model-specific registers that fast system calls read, i64 each. */
export const SYSENTER_CS = 0x280;
export const SYSENTER_ESP = 0x288;
export const SYSENTER_EIP = 0x290;
export const STAR = 0x298;
export const LSTAR = 0x2a0;
export const FMASK = 0x2a8;
export const KERNEL_GS_BASE = 0x2b0;
/** Limits and bases of the descriptor tables: u16 in a u32, and i64. */
export const GDTR_LIMIT = 0x2b8;
export const IDTR_LIMIT = 0x2bc;
export const GDTR_BASE = 0x2c0;
export const IDTR_BASE = 0x2c8;
/** Bases of ES, CS, SS and DS while 64-bit mode takes them as zero, f64 each. */
export const HIDDEN_BASES = 0x2d0;

/** Interpreted instructions from the end of BUDGET to the next sample (i32), and, while regions run, from now to the next sample (i32). */
export const SAMPLE_BEYOND = 0x2f0;
export const SAMPLE_IN = 0x2f4;
/**
 * EFLAGS.RF is set, though it is not in EFLAGS_REST, while BUDGET and BUDGET_KEPT make this together (i32): an IRET loaded it, and no instruction has retired
 * since. Or one of these: nothing loaded it; and IRET is to put it where it belongs.
 */
export const RESUME_FLAG_AT = 0x2f8;
export const RESUME_FLAG_NOT = -1;
export const RESUME_FLAG_SHOWN = -2;
/** The record in front of which the last visit used up BUDGET (i32): the next one goes on there, without looking RIP up, unless it is 0. */
export const RESUME = 0x2fc;

export const FPR = 0x300;
export const FPR_STRIDE = 16;
/** u16 control word in a u32. */
export const FPU_CONTROL = 0x380;
/** u16 status word in a u32, TOP included (bits 11-13). */
export const FPU_STATUS = 0x384;
/** u32: bit i set when physical register Ri is not empty (the FXSAVE form of the tag word). */
export const FPU_TAGS = 0x388;
/** u16 last opcode (11 bits) in a u32. */
export const FPU_OPCODE = 0x38c;
/** u64 last instruction pointer, u64 last data pointer, and their selectors as u32. */
export const FPU_IP = 0x390;
export const FPU_DP = 0x398;
export const FPU_CS = 0x3a0;
export const FPU_DS = 0x3a4;

export const XMM = 0x400;
export const XMM_STRIDE = 16;
export const MXCSR = 0x500;
/** EFER (i32). */
export const EFER = 0x504;
/** An instruction that ends a basic block has begun since this was cleared (i32): kept only while somebody watches blocks. */
export const BLOCK_ENDED = 0x508;
/** The interrupt shadow of an STI covers the boundary at which BUDGET and BUDGET_KEPT make this together (i32). */
export const STI_AT = 0x50c;
/** Not zero unless it is known that nothing becomes deliverable when IF is set: no interrupt and no NMI is pending, and none is blocked by another (i32). */
export const ATTENTION = 0x510;
/** From here to the end of the hot state: what soft float hands from one function to the next; means nothing between two instructions. */
export const FLOAT_SCRATCH = 0x520;

/** FLAG_AUX bits. */
export const AUX_CF = 1 << 31;
export const AUX_CIN = 1 << 30;
export const AUX_AF = 1 << 3;
export const AUX_SFX = 1 << 0;
export const AUX_PFX_SHIFT = 8;

/** Status of a helper called by generated code. */
export const STATUS_OK = 0;
export const STATUS_FAULT = 1;
