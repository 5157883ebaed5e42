/** SYSENTER and SYSEXIT (SDM volume 2; volume 3, 5.8.7): level 0 and back, with segments that no table is read for. */
import { EFLAGS_IF, EFLAGS_RF, EFLAGS_VM, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP, VECTOR_GP } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, SS } from "../state-layout.ts";
import { ECX, EDX, ESP } from "./architecture.ts";
import { deriveLengths } from "./segmentation.ts";

/** Present, 32-bit, 4 GiB; code readable or data writable, accessed. */
const FLAT_CODE = 0x00c09b00;
const FLAT_DATA = 0x00c09300;

function setFlat(cpu: Cpu, segment: number, selector: number, attributes: number, level: number): void {
  const { state } = cpu;
  state.setSelector(segment, (selector & 0xfffc) | level);
  state.setSegmentBase(segment, 0);
  state.setSegmentLimit(segment, 0xffffffff);
  state.setSegmentAttributes(segment, attributes | (level << 13));
  deriveLengths(cpu, segment);
}

/** SYSENTER. #GP(0) in real mode and when IA32_SYSENTER_CS is null. */
export function systemEnter(cpu: Cpu): boolean {
  const { state, msr } = cpu;
  const selector = msr.value(IA32_SYSENTER_CS) & 0xfffc;
  if (!(cpu.cr0 & 1) || selector === 0) return cpu.fault(VECTOR_GP, 0);
  state.systemFlags &= ~(EFLAGS_VM | EFLAGS_IF | EFLAGS_RF);
  state.cpl = 0;
  cpu.updateMode();
  setFlat(cpu, CS, selector, FLAT_CODE, 0);
  setFlat(cpu, SS, selector + 8, FLAT_DATA, 0);
  state.setGpr32(ESP, msr.value(IA32_SYSENTER_ESP));
  state.rip = msr.value(IA32_SYSENTER_EIP);
  cpu.updateMode();
  return true;
}

/** SYSEXIT: ECX is the new ESP, EDX the new EIP. #GP(0) in real mode, outside level 0, or when IA32_SYSENTER_CS is null. */
export function systemExit(cpu: Cpu): boolean {
  const { state, msr } = cpu;
  const selector = msr.value(IA32_SYSENTER_CS) & 0xfffc;
  if (!(cpu.cr0 & 1) || selector === 0 || state.cpl !== 0) return cpu.fault(VECTOR_GP, 0);
  state.cpl = 3;
  setFlat(cpu, CS, selector + 16, FLAT_CODE, 3);
  setFlat(cpu, SS, selector + 24, FLAT_DATA, 3);
  state.setGpr32(ESP, state.gpr32(ECX));
  state.rip = state.gpr32(EDX);
  cpu.updateMode();
  return true;
}
