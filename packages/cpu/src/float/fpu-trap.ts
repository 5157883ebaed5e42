/**
 * What stops an x87, MMX or SSE instruction before it begins: the unit is switched off, or an unmasked x87 exception is
 * pending (SDM volume 3, table 2-2 and 13.1; volume 1, 8.7); and what an unmasked SIMD exception does (volume 1, 11.5.3).
 */
import { CR4_OSXMMEXCPT, VECTOR_MF, VECTOR_NM, VECTOR_UD, VECTOR_XM } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";

const CR0_NE = 0x20;
/** Bits of FPU_TRAP that mean #UD; the others mean #NM. */
const TRAP_UNDEFINED = 8 | 32;
/** IE, DE, ZE: found before an operation is carried out. */
const PRE_COMPUTATION = 7;

/**
 * Raises #UD, #NM or #MF for an instruction.
 * @param traps bits of FPU_TRAP that concern it @param waits whether a pending exception stops it
 * @returns false when a fault is recorded. With CR0.NE clear a pending exception asserts FERR# and the instruction goes on.
 */
export function fpuTrap(cpu: Cpu, traps: number, waits: boolean): boolean {
  const off = cpu.state.fpuTrap & traps;
  if (off & TRAP_UNDEFINED) return cpu.fault(VECTOR_UD);
  if (off) return cpu.fault(VECTOR_NM);
  if (!waits) return true;
  if (cpu.cr0 & CR0_NE) return cpu.fault(VECTOR_MF);
  cpu.onFpuError?.();
  return true;
}

/**
 * Takes the flags of an SSE instruction with an unmasked exception into MXCSR and raises #XM, or #UD where the operating
 * system does not handle it. An unmasked exception found before the operation hides those of its result.
 */
export function simdException(cpu: Cpu, flags: number): boolean {
  const { state } = cpu;
  const unmasked = flags & ~(state.mxcsr >>> 7);
  state.mxcsr |= flags & (unmasked & PRE_COMPUTATION ? PRE_COMPUTATION : 0x3f);
  return cpu.fault(cpu.cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
}
