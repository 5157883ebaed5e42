/**
 * CLI, STI, PUSHF and POPF under IOPL, virtual-8086 mode extensions and protected-mode virtual interrupts (SDM volume 2,
 * CLI table 3-7, STI table 4-19, POPF table 4-16; volume 3, 20.3.2 and 20.4).
 */
import {
  CR4_PVI, CR4_VME, EFLAGS_AC, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM, VECTOR_GP,
  VECTOR_UD,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { SHADOW_NONE, SHADOW_STI } from "../activity.ts";

/** Flags outside privilege that POPF always loads: the arithmetic ones, TF, DF, NT, and for four bytes AC and ID. */
const POPF_ALWAYS = 0x4dd5 | EFLAGS_AC | (1 << 21);

/** May the program change IF itself? With `virtual`, it changes VIF instead. */
function interruptFlag(cpu: Cpu): "real" | "virtual" | "fault" {
  const flags = cpu.state.systemFlags;
  if (!(cpu.cr0 & 1)) return "real";
  const iopl = (flags & EFLAGS_IOPL) >> 12;
  if (flags & EFLAGS_VM) return iopl === 3 ? "real" : cpu.cr4 & CR4_VME ? "virtual" : "fault";
  if (cpu.state.cpl <= iopl) return "real";
  return cpu.state.cpl === 3 && cpu.cr4 & CR4_PVI ? "virtual" : "fault";
}

/** CLI. #GP(0) without the privilege. */
export function clearInterruptFlag(cpu: Cpu): boolean {
  const which = interruptFlag(cpu);
  if (which === "fault") return cpu.fault(VECTOR_GP, 0);
  cpu.state.systemFlags &= which === "real" ? ~EFLAGS_IF : ~EFLAGS_VIF;
  return true;
}

/** STI. When IF was clear, interrupts wait until after the next instruction. */
export function setInterruptFlag(cpu: Cpu): boolean {
  const { state } = cpu;
  const which = interruptFlag(cpu);
  if (which === "fault" || (which === "virtual" && state.systemFlags & EFLAGS_VIP)) return cpu.fault(VECTOR_GP, 0);
  if (which === "virtual") {
    state.systemFlags |= EFLAGS_VIF;
    return true;
  }
  if (state.systemFlags & EFLAGS_IF) return true;
  state.systemFlags |= EFLAGS_IF;
  if (cpu.shadow === SHADOW_NONE) cpu.shadow = SHADOW_STI;
  return true;
}

/** PUSHF: the image to push goes to SCRATCH. #GP(0) in virtual-8086 mode with IOPL below 3, unless VME and 16 bits. */
export function flagsToPush(cpu: Cpu, size: number): boolean {
  const flags = cpu.state.eflags;
  let image = flags & ~(EFLAGS_VM | EFLAGS_RF);
  if (flags & EFLAGS_VM && (flags & EFLAGS_IOPL) !== EFLAGS_IOPL) {
    if (!(cpu.cr4 & CR4_VME) || size !== 2) return cpu.fault(VECTOR_GP, 0);
    image = (image & ~EFLAGS_IF) | EFLAGS_IOPL | (flags & EFLAGS_VIF ? EFLAGS_IF : 0);
  }
  cpu.state.setScratch64(size === 2 ? image & 0xffff : image, 0);
  return true;
}

/** STAC and CLAC: whether supervisor accesses may reach user pages under SMAP. #UD outside level 0. */
export function setAccessFlag(cpu: Cpu, set: boolean): boolean {
  const { state } = cpu;
  if (state.cpl !== 0) return cpu.fault(VECTOR_UD);
  state.systemFlags = set ? state.systemFlags | EFLAGS_AC : state.systemFlags & ~EFLAGS_AC;
  cpu.updateView();
  return true;
}

/** POPF with the image that was on the stack. */
export function popFlags(cpu: Cpu, image: number, size: number): boolean {
  const { state } = cpu;
  const old = state.eflags;
  let changeable = size === 2 ? POPF_ALWAYS & 0xffff : POPF_ALWAYS;
  const iopl = (old & EFLAGS_IOPL) >> 12;
  let virtual = old & EFLAGS_VIF;
  if (!(cpu.cr0 & 1) || (state.cpl === 0 && !(old & EFLAGS_VM))) {
    changeable |= EFLAGS_IOPL | EFLAGS_IF;
  } else if (old & EFLAGS_VM) {
    if (iopl === 3) {
      changeable |= EFLAGS_IF;
    } else {
      if (!(cpu.cr4 & CR4_VME) || size !== 2) return cpu.fault(VECTOR_GP, 0);
      if (image & EFLAGS_TF || (image & EFLAGS_IF && old & EFLAGS_VIP)) return cpu.fault(VECTOR_GP, 0);
      virtual = image & EFLAGS_IF ? EFLAGS_VIF : 0;
    }
  } else if (state.cpl <= iopl) {
    changeable |= EFLAGS_IF;
  }
  let flags = (old & ~changeable) | (image & changeable) | 2;
  // A four-byte POPF clears RF outside virtual-8086 mode; VIP and VIF are cleared by none.
  if (size !== 2) flags &= ~EFLAGS_RF;
  flags = (flags & ~EFLAGS_VIF) | virtual;
  state.eflags = flags;
  if ((old ^ flags) & (EFLAGS_TF | EFLAGS_RF | EFLAGS_AC | EFLAGS_NT)) cpu.updateMode();
  return true;
}
