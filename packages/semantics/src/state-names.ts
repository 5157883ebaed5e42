/** Names of what stands in the hot state, for people who read IR or generated code. */
import { REGISTER_NAMES } from "@doppel/x86";
import * as layout from "./state-layout.ts";

const { FPR, FPR_STRIDE, GPR, SEGMENT, SEGMENT_STRIDE, STATE_SIZE, XMM, XMM_STRIDE, ZERO } = layout;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];
const SEGMENT_PARTS = new Map([
  [layout.SEG_BASE, "base"], [layout.SEG_READ_LENGTH, "read length"], [layout.SEG_WRITE_LENGTH, "write length"], [layout.SEG_LIMIT, "limit"],
  [layout.SEG_ATTRIBUTES, "attributes"], [layout.SEG_SELECTOR, "selector"],
]);
const SINGLE = new Map<number, string>([
  [ZERO, "zero"], [layout.RIP, "rip"], [layout.FLAG_RESULT, "flag result"], [layout.FLAG_AUX, "flag aux"], [layout.EFLAGS_REST, "eflags rest"],
  [layout.BUDGET, "budget"], [layout.MODE, "mode"], [layout.TLB_VIEW, "tlb view"], [layout.FPU_TRAP, "fpu trap"], [layout.FAULT_VECTOR, "fault vector"],
  [layout.FAULT_CODE, "fault code"], [layout.FAULT_HAS_CODE, "fault has code"], [layout.CPL, "cpl"], [layout.SCRATCH, "scratch"],
  [layout.RUN_CONTROL, "run control"], [layout.STACK_MASK, "stack mask"], [layout.FAULT_ADDRESS, "fault address"], [layout.JUMP_CACHE, "jump cache"],
  [layout.GENERATION, "generation"], [layout.GLOBAL_GENERATION, "global generation"], [layout.BUDGET_KEPT, "budget kept"], [layout.SAMPLE_BEYOND, "sample beyond"], [layout.SAMPLE_IN, "sample in"], [layout.RESUME_FLAG_AT, "resume flag at"], [layout.RESUME, "resume"],
  [layout.FPU_CONTROL, "fpu control"], [layout.FPU_STATUS, "fpu status"], [layout.FPU_TAGS, "fpu tags"], [layout.FPU_OPCODE, "fpu opcode"],
  [layout.FPU_IP, "fpu ip"], [layout.FPU_DP, "fpu dp"], [layout.FPU_CS, "fpu cs"], [layout.FPU_DS, "fpu ds"], [layout.MXCSR, "mxcsr"],
]);

/**
 * Name of what stands at an offset of the hot state; a part of something has its distance behind the name. Undefined outside of it.
 * @param size bytes of it, which decide between `al`, `ax`, `eax` and `rax`; 8 when absent
 * @example
 * ```ts
 * stateName(GPR + 8, 4); // "ecx"
 * ```
 */
export function stateName(offset: number, size = 8): string | undefined {
  if (offset < GPR || offset >= STATE_SIZE) return undefined;
  if (offset < ZERO) return registerName((offset - GPR) >> 3, (offset - GPR) & 7, size);
  if (offset >= SEGMENT && offset < SEGMENT + SEGMENTS.length * SEGMENT_STRIDE) {
    const at = offset - SEGMENT;
    const part = at % SEGMENT_STRIDE;
    return `${SEGMENTS[Math.floor(at / SEGMENT_STRIDE)]!} ${SEGMENT_PARTS.get(part) ?? `+${part}`}`;
  }
  if (offset >= FPR && offset < FPR + 8 * FPR_STRIDE) return further(`r${(offset - FPR) >> 4}`, (offset - FPR) % FPR_STRIDE);
  if (offset >= XMM && offset < XMM + 16 * XMM_STRIDE) return further(`xmm${(offset - XMM) >> 4}`, (offset - XMM) % XMM_STRIDE);
  for (const back of [0, 4, 8, 12]) {
    const name = SINGLE.get(offset - back);
    if (name !== undefined) return further(name, back);
  }
  return `state+0x${offset.toString(16)}`;
}

function registerName(n: number, part: number, size: number): string {
  if (size === 1 && part === 1 && n < 4) return REGISTER_NAMES.high8[n + 4]!;
  const names = size === 1 ? REGISTER_NAMES.r8 : size === 2 ? REGISTER_NAMES.r16 : size === 4 ? REGISTER_NAMES.r32 : REGISTER_NAMES.r64;
  return further(names[n]!, part);
}

const further = (name: string, distance: number): string => (distance === 0 ? name : `${name}+${distance}`);
