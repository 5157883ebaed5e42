/** RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE (SDM volume 2): #UD while CR4.FSGSBASE is clear. */
import { CR4_FSGSBASE, VECTOR_GP, VECTOR_UD } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { canonicalHalves } from "./non-canonical.ts";

function enabled(cpu: Cpu): boolean {
  return (cpu.cr4 & CR4_FSGSBASE) !== 0 || cpu.fault(VECTOR_UD);
}

/** The base of FS or GS goes to SCRATCH. */
export function readSegmentBase(cpu: Cpu, segment: number): boolean {
  if (!enabled(cpu)) return false;
  const base = cpu.state.segmentBase(segment);
  cpu.state.setScratch64(base | 0, Math.floor(base / 0x1_0000_0000));
  return true;
}

/** Sets the base of FS or GS; #GP(0) unless it is canonical. */
export function writeSegmentBase(cpu: Cpu, segment: number, low: number, high: number): boolean {
  if (!enabled(cpu)) return false;
  if (!canonicalHalves(low, high)) return cpu.fault(VECTOR_GP, 0);
  cpu.state.setSegmentBase(segment, high * 0x1_0000_0000 + (low >>> 0));
  return true;
}
