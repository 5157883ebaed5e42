/**
 * IRET in all its forms: real mode, virtual-8086 mode with and without VME, protected mode to the same and to an outer
 * level, into virtual-8086 mode, back from a nested task, and in 64-bit mode, where it always loads SS:RSP (SDM volume 2, IRET;
 * volume 3, 6.14.3, 20.2 and 20.3).
 */
import { CR4_VME, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM, VECTOR_GP } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, DS, ES, FS, GS, SS } from "../state-layout.ts";
import { EFLAGS_DEFINED, ESP } from "./architecture.ts";
import { Descriptor, markAccessed } from "./descriptor.ts";
import { outerReturn, readReturnCode } from "./far-transfer.ts";
import { checkOffset, setCode, setPlainSegment, setV86Segment, withinLimit } from "./segmentation.ts";
import { Stack } from "./stack.ts";
import { returnTask } from "./task-switch.ts";

const VIRTUAL_AND_PRIVILEGED = EFLAGS_VM | EFLAGS_IOPL | EFLAGS_VIF | EFLAGS_VIP;

/** IRET, IRETD, IRETQ. `nextIp` goes into the old TSS when NT is set. */
export function interruptReturn(cpu: Cpu, size: number, nextIp: number): boolean {
  const { state } = cpu;
  const flags = state.eflags;
  let done: boolean;
  if (!(cpu.cr0 & 1)) done = plainReturn(cpu, size, ~VIRTUAL_AND_PRIVILEGED | EFLAGS_IOPL);
  else if (flags & EFLAGS_VM) done = virtualReturn(cpu, size, flags);
  else if (flags & EFLAGS_NT) done = cpu.ia32e ? cpu.fault(VECTOR_GP, 0) : returnTask(cpu, nextIp);
  else done = protectedReturn(cpu, size);
  if (!done) return false;
  cpu.nmiBlocked = false;
  cpu.debug.resumeLoaded = true;
  cpu.updateMode();
  return true;
}

/** EFLAGS after an image was popped: the bits of `changeable` that the operand size covers. */
function merge(old: number, image: number, size: number, changeable: number): number {
  const mask = changeable & EFLAGS_DEFINED & (size === 2 ? 0xffff : -1);
  return (old & ~mask) | (image & mask) | 2;
}

/** Real mode, and virtual-8086 mode with IOPL 3: IP, CS and FLAGS, all of one size. */
function plainReturn(cpu: Cpu, size: number, changeable: number): boolean {
  const { state, linear } = cpu;
  const stack = Stack.current(cpu);
  if (!stack.pop(size)) return false;
  const offset = linear.value;
  if (!stack.pop(size)) return false;
  const selector = linear.value & 0xffff;
  if (!stack.pop(size)) return false;
  const image = linear.value;
  if (!withinLimit(state.segmentAttributes(CS), state.segmentLimit(CS), offset, 1)) return cpu.fault(VECTOR_GP, 0);
  stack.setPointer();
  setPlainSegment(cpu, CS, selector);
  state.rip = offset;
  state.eflags = merge(state.eflags, image, size, changeable);
  return true;
}

/** SDM 20.3.3.4 and volume 2, IRET, RETURN-FROM-VIRTUAL-8086-MODE. */
function virtualReturn(cpu: Cpu, size: number, flags: number): boolean {
  if ((flags & EFLAGS_IOPL) === EFLAGS_IOPL) return plainReturn(cpu, size, ~VIRTUAL_AND_PRIVILEGED);
  if (!(cpu.cr4 & CR4_VME) || size !== 2) return cpu.fault(VECTOR_GP, 0);
  const stack = Stack.current(cpu);
  if (!stack.peek(4, 2)) return false;
  const image = cpu.linear.value;
  if (image & EFLAGS_TF || (image & EFLAGS_IF && flags & EFLAGS_VIP)) return cpu.fault(VECTOR_GP, 0);
  if (!plainReturn(cpu, 2, ~(VIRTUAL_AND_PRIVILEGED | EFLAGS_IF))) return false;
  const { systemFlags } = cpu.state;
  cpu.state.systemFlags = image & EFLAGS_IF ? systemFlags | EFLAGS_VIF : systemFlags & ~EFLAGS_VIF;
  return true;
}

function protectedReturn(cpu: Cpu, size: number): boolean {
  const { state, linear } = cpu;
  const stack = Stack.current(cpu);
  if (!stack.pop(size)) return false;
  const offset = linear.number;
  if (!stack.pop(size)) return false;
  const selector = linear.value & 0xffff;
  if (!stack.pop(size)) return false;
  const image = linear.value;
  const { cpl, eflags } = state;
  if (size === 4 && image & EFLAGS_VM && cpl === 0 && !cpu.ia32e) return returnToVirtual(cpu, stack, selector, offset, image);
  const target = new Descriptor();
  if (!readReturnCode(cpu, selector, target)) return false;
  let changeable = ~VIRTUAL_AND_PRIVILEGED & ~EFLAGS_IF;
  if (cpl <= (eflags & EFLAGS_IOPL) >> 12) changeable |= EFLAGS_IF;
  if (cpl === 0) changeable |= EFLAGS_IOPL | EFLAGS_VIF | EFLAGS_VIP;
  const level = selector & 3;
  if (level > cpl || cpu.longMode) {
    if (!outerReturn(cpu, stack, size, selector, target, offset, 0, true)) return false;
  } else {
    if (!checkOffset(cpu, target, offset) || !markAccessed(cpu, target)) return false;
    stack.setPointer();
    setCode(cpu, selector, target, level);
    state.rip = offset;
  }
  state.eflags = merge(eflags, image, size, changeable);
  return true;
}

/** RETURN-TO-VIRTUAL-8086-MODE: nine doublewords. */
function returnToVirtual(cpu: Cpu, stack: Stack, selector: number, offset: number, image: number): boolean {
  const { state, linear } = cpu;
  const values: number[] = [];
  for (let i = 0; i < 6; i += 1) {
    if (!stack.pop(4)) return false;
    values.push(linear.value);
  }
  if ((offset & 0xffff) !== offset) return cpu.fault(VECTOR_GP, 0);
  state.eflags = (image & EFLAGS_DEFINED) | 2;
  state.cpl = 3;
  cpu.updateMode();
  setV86Segment(cpu, CS, selector);
  state.rip = offset;
  state.setGpr32(ESP, values[0]);
  for (const [i, segment] of [SS, ES, DS, FS, GS].entries()) setV86Segment(cpu, segment, values[1 + i] & 0xffff);
  return true;
}

