/** INVPCID (SDM volume 2; volume 3, 4.10.4.1): forgets translations by address, by process context, or all of them. */
import { CR4_PCIDE, VECTOR_GP } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { requireSupervisor } from "./control-registers.ts";
import { canonicalHalves } from "./non-canonical.ts";

const ADDRESS = 0;
const CONTEXT = 1;
const ALL = 2;
const ALL_BUT_GLOBAL = 3;
const PCID = 0xfff;

/**
 * Type, context and address come as halves. #GP(0) outside level 0, for an unknown type, for
 * reserved bits, for a context other than 0 without CR4.PCIDE, and for an address that is not canonical.
 */
export function invalidateContext(
  cpu: Cpu, typeLow: number, typeHigh: number, context: number, contextHigh: number, low: number, high: number,
): boolean {
  const { mmu } = cpu;
  if (!requireSupervisor(cpu)) return false;
  const type = typeHigh === 0 ? typeLow >>> 0 : -1;
  if (type < ADDRESS || type > ALL_BUT_GLOBAL || context & ~PCID || contextHigh !== 0) return cpu.fault(VECTOR_GP, 0);
  if (type <= CONTEXT && context !== 0 && !(cpu.cr4 & CR4_PCIDE)) return cpu.fault(VECTOR_GP, 0);
  if (type === ADDRESS) {
    if (!canonicalHalves(low, high)) return cpu.fault(VECTOR_GP, 0);
    mmu.flushPage((high | 0) * 0x1_0000_0000 + (low >>> 0));
  } else if (type === ALL) {
    mmu.tlb.flush();
  } else {
    // Only one context is held at a time, so that all of it is what can be held of any.
    mmu.tlb.flushLocal();
  }
  return true;
}
