/**
 * SYSENTER, SYSEXIT, SYSCALL and SYSRET (SDM volume 2; volume 3, 5.8.7 and 5.8.8): level 0 and back, with segments that no table is
 * read for, and SWAPGS, which comes with them.
 */
import {
  DR6_BS, EFER_SCE, EFLAGS_IF, EFLAGS_RF, EFLAGS_TF, EFLAGS_VM, IA32_FMASK, IA32_KERNEL_GS_BASE, IA32_LSTAR, IA32_STAR, IA32_SYSENTER_CS,
  IA32_SYSENTER_EIP, IA32_SYSENTER_ESP, VECTOR_GP, VECTOR_UD,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, GPR, GS, SS } from "../state-layout.ts";
import { ECX, EDX, ESP, FLAT_CODE, FLAT_DATA, LONG_CODE, R11, SYSRET_FLAGS } from "./architecture.ts";
import { requireSupervisor } from "./control-registers.ts";
import { isCanonical } from "./non-canonical.ts";

const FLAT_LENGTH = 0x1_0000_0000;

function setFlat(cpu: Cpu, segment: number, selector: number, attributes: number, level: number): void {
  const { state } = cpu;
  state.setSelector(segment, (selector & 0xfffc) | level);
  cpu.setBase(segment, 0);
  state.setSegmentLimit(segment, 0xffffffff);
  state.setSegmentAttributes(segment, attributes | (level << 13));
  state.setSegmentLengths(segment, FLAT_LENGTH, segment === CS ? 0 : FLAT_LENGTH);
}

/** SYSENTER. #GP(0) in real mode and when IA32_SYSENTER_CS is null. In IA-32e mode it leads to 64-bit code. */
export function systemEnter(cpu: Cpu): boolean {
  const { state, msr } = cpu;
  const selector = msr.value(IA32_SYSENTER_CS) & 0xfffc;
  if (!(cpu.cr0 & 1) || selector === 0) return cpu.fault(VECTOR_GP, 0);
  const long = cpu.ia32e;
  const virtual = !cpu.protectedMode;
  state.systemFlags &= ~(EFLAGS_VM | EFLAGS_IF | EFLAGS_RF);
  state.cpl = 0;
  if (virtual) cpu.updateMode();
  setFlat(cpu, CS, selector, long ? LONG_CODE : FLAT_CODE, 0);
  setFlat(cpu, SS, selector + 8, FLAT_DATA, 0);
  if (long) state.setAddress(GPR + 8 * ESP, msr.address(IA32_SYSENTER_ESP));
  else state.setGpr32(ESP, msr.value(IA32_SYSENTER_ESP));
  state.rip = long ? msr.address(IA32_SYSENTER_EIP) : msr.value(IA32_SYSENTER_EIP);
  cpu.updateMode();
  return true;
}

/**
 * SYSEXIT: rCX is the new rSP, rDX the new rIP; with operand size 8 to 64-bit code. #GP(0) in real mode, outside level 0, when
 * IA32_SYSENTER_CS is null, and for addresses that are not canonical.
 */
export function systemExit(cpu: Cpu, size: number): boolean {
  const { state, msr } = cpu;
  const selector = msr.value(IA32_SYSENTER_CS) & 0xfffc;
  if (!(cpu.cr0 & 1) || selector === 0 || state.cpl !== 0) return cpu.fault(VECTOR_GP, 0);
  const long = size === 8;
  if (long && !(isCanonical(state.gprAddress(ECX)) && isCanonical(state.gprAddress(EDX)))) return cpu.fault(VECTOR_GP, 0);
  state.cpl = 3;
  setFlat(cpu, CS, selector + (long ? 32 : 16), long ? LONG_CODE : FLAT_CODE, 3);
  setFlat(cpu, SS, selector + (long ? 40 : 24), FLAT_DATA, 3);
  state.setGpr64(ESP, state.gpr32(ECX), long ? state.gprHigh(ECX) : 0);
  state.rip = long ? state.gprAddress(EDX) : state.gpr32(EDX);
  cpu.updateMode();
  return true;
}

/** The single step of SYSCALL and SYSRET looks at the TF that they leave behind. */
function stepByNewFlags(cpu: Cpu): void {
  cpu.debug.trap = false;
  if (cpu.state.systemFlags & EFLAGS_TF) cpu.debug.pending |= DR6_BS;
}

/** SYSCALL. #UD outside 64-bit mode, and while EFER.SCE is clear. */
export function systemCall(cpu: Cpu, nextIp: number): boolean {
  const { state, msr } = cpu;
  if (!cpu.longMode || !(cpu.efer & EFER_SCE)) return cpu.fault(VECTOR_UD);
  const flags = state.eflags;
  const selector = msr.high32(IA32_STAR) & 0xffff;
  state.setAddress(GPR + 8 * ECX, nextIp);
  state.setGpr32(R11, flags);
  state.eflags = (flags & ~msr.value(IA32_FMASK) & ~EFLAGS_RF) | 2;
  state.cpl = 0;
  setFlat(cpu, CS, selector, LONG_CODE, 0);
  setFlat(cpu, SS, (selector & 0xfffc) + 8, FLAT_DATA, 0);
  state.rip = msr.address(IA32_LSTAR);
  stepByNewFlags(cpu);
  cpu.updateMode();
  return true;
}

/**
 * SYSRET: to RCX with RFLAGS from R11; with operand size 8 to 64-bit code, else to compatibility mode. #UD outside 64-bit mode and
 * while EFER.SCE is clear; #GP(0) outside level 0, and, still at level 0, when RCX is not canonical.
 */
export function systemReturn(cpu: Cpu, size: number): boolean {
  const { state, msr } = cpu;
  if (!cpu.longMode || !(cpu.efer & EFER_SCE)) return cpu.fault(VECTOR_UD);
  if (!requireSupervisor(cpu)) return false;
  const long = size === 8;
  if (long && !isCanonical(state.gprAddress(ECX))) return cpu.fault(VECTOR_GP, 0);
  const selector = msr.high32(IA32_STAR) >>> 16;
  state.eflags = (state.gpr32(R11) & SYSRET_FLAGS) | 2;
  state.cpl = 3;
  setFlat(cpu, CS, selector + (long ? 16 : 0), long ? LONG_CODE : FLAT_CODE, 3);
  setFlat(cpu, SS, selector + 8, FLAT_DATA, 3);
  state.rip = long ? state.gprAddress(ECX) : state.gpr32(ECX);
  stepByNewFlags(cpu);
  cpu.updateMode();
  return true;
}

/** SWAPGS. #GP(0) outside level 0. */
export function swapGsBase(cpu: Cpu): boolean {
  if (!requireSupervisor(cpu)) return false;
  const { state, msr } = cpu;
  const base = state.segmentBase(GS);
  state.setSegmentBase(GS, msr.address(IA32_KERNEL_GS_BASE));
  msr.setAddress(IA32_KERNEL_GS_BASE, base);
  return true;
}
