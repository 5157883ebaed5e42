/**
 * JMP, CALL and RET to another segment: direct, through call gates with and without a change of stack, and to tasks (SDM
 * volume 2, JMP, CALL, RET; volume 3, 5.8; in IA-32e mode 5.8.3.1 and 5.8.5.1, and no tasks).
 */
import {
  DESCRIPTOR_DB, TYPE_CALL_GATE16, TYPE_CALL_GATE32, TYPE_TASK_GATE, TYPE_TSS16_AVAILABLE, TYPE_TSS32_AVAILABLE, VECTOR_GP, VECTOR_NP,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, SS } from "../state-layout.ts";
import { ESP } from "./architecture.ts";
import { Descriptor, isNull, markAccessed, readDescriptor, readUpper } from "./descriptor.ts";
import { innerStack, longInnerStack } from "./inner-stack.ts";
import {
  checkCodeSize, checkOffset, dropInnerSegments, readStackDescriptor, setCode, setNull, setPlainSegment, setSegment, withinLimit,
} from "./segmentation.ts";
import { Stack } from "./stack.ts";
import { switchTask, TASK_CALL, TASK_JUMP, taskOf } from "./task-switch.ts";

/** JMP ptr16:16/32 and m16:16/32. */
export function farJump(cpu: Cpu, selector: number, offset: number, size: number, nextIp: number): boolean {
  return transfer(cpu, selector & 0xffff, cut(offset, size), size, nextIp, false);
}

/** CALL ptr16:16/32 and m16:16/32; `nextIp` is pushed. */
export function farCall(cpu: Cpu, selector: number, offset: number, size: number, nextIp: number): boolean {
  return transfer(cpu, selector & 0xffff, cut(offset, size), size, nextIp, true);
}

function cut(offset: number, size: number): number {
  return size === 8 ? offset : size === 2 ? offset & 0xffff : offset >>> 0;
}

function transfer(cpu: Cpu, selector: number, offset: number, size: number, nextIp: number, call: boolean): boolean {
  const { state } = cpu;
  if (!cpu.protectedMode) return plainTransfer(cpu, selector, offset, size, nextIp, call);
  if (isNull(selector)) return cpu.fault(VECTOR_GP, 0);
  const target = new Descriptor();
  if (!readDescriptor(cpu, selector, VECTOR_GP, target)) return false;
  if (!target.isSegment) return systemTransfer(cpu, selector, target, nextIp, call);
  if (!target.isCode) return cpu.selectorFault(VECTOR_GP, selector);
  const allowed = target.isConforming ? target.dpl <= state.cpl : (selector & 3) <= state.cpl && target.dpl === state.cpl;
  if (!allowed) return cpu.selectorFault(VECTOR_GP, selector);
  if (!checkCodeSize(cpu, selector, target)) return false;
  if (!target.present) return cpu.selectorFault(VECTOR_NP, selector);
  const stack = Stack.current(cpu);
  if (call) {
    stack.push(size, state.selector(CS));
    stack.push(size, nextIp);
  }
  return finish(cpu, stack, selector, target, offset, state.cpl);
}

/** Real and virtual-8086 mode. */
function plainTransfer(cpu: Cpu, selector: number, offset: number, size: number, nextIp: number, call: boolean): boolean {
  const { state } = cpu;
  const stack = Stack.current(cpu);
  if (call) {
    stack.push(size, state.selector(CS));
    stack.push(size, nextIp);
    if (!stack.check()) return false;
  }
  if (!withinLimit(state.segmentAttributes(CS), state.segmentLimit(CS), offset, 1)) return cpu.fault(VECTOR_GP, 0);
  if (!stack.commit()) return false;
  if (call) stack.setPointer();
  setPlainSegment(cpu, CS, selector);
  state.rip = offset;
  cpu.updateMode();
  return true;
}

/** The last checks of a transfer within a level, then everything at once. */
function finish(cpu: Cpu, stack: Stack, selector: number, target: Descriptor, offset: number, cpl: number): boolean {
  if (!stack.check() || !checkOffset(cpu, target, offset)) return false;
  if (!markAccessed(cpu, target) || !stack.commit()) return false;
  stack.setPointer();
  setCode(cpu, selector, target, cpl);
  cpu.state.rip = offset;
  cpu.updateMode();
  return true;
}

/** A selector that names a gate or a TSS. */
function systemTransfer(cpu: Cpu, selector: number, entry: Descriptor, nextIp: number, call: boolean): boolean {
  const { state } = cpu;
  const { type } = entry;
  if (cpu.ia32e) return longGateTransfer(cpu, selector, entry, nextIp, call);
  const task = type === TYPE_TSS16_AVAILABLE || type === TYPE_TSS32_AVAILABLE;
  if (!task && type !== TYPE_TASK_GATE && type !== TYPE_CALL_GATE16 && type !== TYPE_CALL_GATE32) return cpu.selectorFault(VECTOR_GP, selector);
  if (entry.dpl < state.cpl || entry.dpl < (selector & 3)) return cpu.selectorFault(VECTOR_GP, selector);
  if (task && selector & 4) return cpu.selectorFault(VECTOR_GP, selector);
  if (!entry.present) return cpu.selectorFault(VECTOR_NP, selector);
  const reason = call ? TASK_CALL : TASK_JUMP;
  if (task) return switchTask(cpu, selector, entry, reason, nextIp, state.eflags);
  if (type === TYPE_TASK_GATE) {
    const named = new Descriptor();
    if (!taskOf(cpu, entry.gateSelector, named, VECTOR_GP)) return false;
    return switchTask(cpu, entry.gateSelector, named, reason, nextIp, state.eflags);
  }
  return gateTransfer(cpu, entry, nextIp, call);
}

/** SDM 5.8.4: call gates. */
function gateTransfer(cpu: Cpu, gate: Descriptor, nextIp: number, call: boolean): boolean {
  const { state } = cpu;
  const selector = gate.gateSelector;
  const size = gate.type === TYPE_CALL_GATE32 ? 4 : 2;
  const target = new Descriptor();
  if (isNull(selector)) return cpu.fault(VECTOR_GP, 0);
  if (!readDescriptor(cpu, selector, VECTOR_GP, target)) return false;
  const level = target.isCode && (call || target.isConforming ? target.dpl <= state.cpl : target.dpl === state.cpl);
  if (!level) return cpu.selectorFault(VECTOR_GP, selector);
  if (!target.present) return cpu.selectorFault(VECTOR_NP, selector);
  if (call && !target.isConforming && target.dpl < state.cpl) return innerCall(cpu, gate, selector, target, size, nextIp);
  const stack = Stack.current(cpu);
  if (call) {
    stack.push(size, state.selector(CS));
    stack.push(size, nextIp);
  }
  return finish(cpu, stack, selector, target, gate.gateOffset, state.cpl);
}

/** IA-32e mode: a call gate has sixteen bytes and leads to 64-bit code; nothing else of the system descriptors may be transferred to. */
function longGateTransfer(cpu: Cpu, selector: number, gate: Descriptor, nextIp: number, call: boolean): boolean {
  const { state } = cpu;
  if (gate.type !== TYPE_CALL_GATE32) return cpu.selectorFault(VECTOR_GP, selector);
  if (gate.dpl < state.cpl || gate.dpl < (selector & 3)) return cpu.selectorFault(VECTOR_GP, selector);
  if (!readUpper(cpu, selector, gate)) return false;
  if (!gate.present) return cpu.selectorFault(VECTOR_NP, selector);
  const code = gate.gateSelector;
  const target = new Descriptor();
  if (isNull(code)) return cpu.fault(VECTOR_GP, 0);
  if (!readDescriptor(cpu, code, VECTOR_GP, target)) return false;
  const level = target.isCode && (call || target.isConforming ? target.dpl <= state.cpl : target.dpl === state.cpl);
  if (!level || !target.isLong || target.high & DESCRIPTOR_DB) return cpu.selectorFault(VECTOR_GP, code);
  if (!target.present) return cpu.selectorFault(VECTOR_NP, code);
  const inner = call && !target.isConforming && target.dpl < state.cpl;
  const cpl = inner ? target.dpl : state.cpl;
  const pointer = inner ? longInnerStack(cpu, cpl, 0) : state.gprAddress(ESP);
  if (Number.isNaN(pointer)) return false;
  const stack = Stack.long(cpu, pointer, cpl === 3);
  if (inner) {
    stack.push(8, state.selector(SS));
    stack.pushHalves(8, state.gpr32(ESP), state.gprHigh(ESP));
  }
  if (call) {
    stack.push(8, state.selector(CS));
    stack.push(8, nextIp);
  }
  if (!stack.check() || !checkOffset(cpu, target, gate.gateOffset)) return false;
  if (!markAccessed(cpu, target) || !stack.commit()) return false;
  if (inner) setNull(cpu, SS, cpl);
  stack.setPointer();
  setCode(cpu, code, target, cpl);
  state.rip = gate.gateOffset;
  cpu.updateMode();
  return true;
}

/** A call gate to an inner level: the TSS's stack, with the parameters copied. */
function innerCall(cpu: Cpu, gate: Descriptor, selector: number, target: Descriptor, size: number, nextIp: number): boolean {
  const { state } = cpu;
  const level = target.dpl;
  const inner = innerStack(cpu, level);
  if (!inner) return false;
  const outer = Stack.current(cpu);
  const stack = Stack.of(cpu, inner.selector, inner.descriptor, inner.pointer, level);
  stack.push(size, state.selector(SS));
  stack.push(size, state.gpr32(4));
  const count = gate.high & 31;
  for (let i = count - 1; i >= 0; i -= 1) {
    if (!outer.peek(i * size, size)) return false;
    stack.push(size, cpu.linear.value);
  }
  stack.push(size, state.selector(CS));
  stack.push(size, nextIp);
  if (!stack.check()) return false;
  if (gate.gateOffset > target.limit) return cpu.fault(VECTOR_GP, 0);
  if (!markAccessed(cpu, target) || !markAccessed(cpu, inner.descriptor) || !stack.commit()) return false;
  setSegment(cpu, SS, inner.selector, inner.descriptor);
  stack.setPointer();
  setCode(cpu, selector, target, level);
  state.rip = gate.gateOffset;
  cpu.updateMode();
  return true;
}

/** RETF and RETF imm16. */
export function farReturn(cpu: Cpu, size: number, popBytes: number): boolean {
  const { state, linear } = cpu;
  const stack = Stack.current(cpu);
  if (!stack.pop(size)) return false;
  const offset = linear.number;
  if (!stack.pop(size)) return false;
  const selector = linear.value & 0xffff;
  if (!cpu.protectedMode) {
    if (!withinLimit(state.segmentAttributes(CS), state.segmentLimit(CS), offset, 1)) return cpu.fault(VECTOR_GP, 0);
    stack.release(popBytes);
    stack.setPointer();
    setPlainSegment(cpu, CS, selector);
    state.rip = offset;
    cpu.updateMode();
    return true;
  }
  const target = new Descriptor();
  if (!readReturnCode(cpu, selector, target)) return false;
  const level = selector & 3;
  stack.release(popBytes);
  if (level === state.cpl) {
    if (!checkOffset(cpu, target, offset) || !markAccessed(cpu, target)) return false;
    stack.setPointer();
    setCode(cpu, selector, target, level);
    state.rip = offset;
    cpu.updateMode();
    return true;
  }
  if (!outerReturn(cpu, stack, size, selector, target, offset, popBytes, false)) return false;
  cpu.updateMode();
  return true;
}

/** The checks on CS that RETF and IRET share. */
export function readReturnCode(cpu: Cpu, selector: number, target: Descriptor): boolean {
  if (isNull(selector)) return cpu.fault(VECTOR_GP, 0);
  if (!readDescriptor(cpu, selector, VECTOR_GP, target)) return false;
  const level = selector & 3;
  const allowed = target.isCode && level >= cpu.state.cpl && (target.isConforming ? target.dpl <= level : target.dpl === level);
  if (!allowed) return cpu.selectorFault(VECTOR_GP, selector);
  if (!checkCodeSize(cpu, selector, target)) return false;
  return target.present || cpu.selectorFault(VECTOR_NP, selector);
}

/**
 * The second half of RETF and IRET to an outer level, and of every IRET in 64-bit mode: SS:rSP from the stack, then CS, and the data
 * segments' check. SS may be null where 64-bit code outside level 3 goes on; IRET looks at its RPL then. The caller updates the mode.
 */
export function outerReturn(
  cpu: Cpu, stack: Stack, size: number, selector: number, target: Descriptor, offset: number, popBytes: number, interrupt: boolean,
): boolean {
  const { state, linear } = cpu;
  const level = selector & 3;
  const outer = level > state.cpl;
  if (!stack.pop(size)) return false;
  const { value: low, valueHigh: high } = linear;
  if (!stack.pop(size)) return false;
  const stackSelector = linear.value & 0xffff;
  const descriptor = new Descriptor();
  const long = cpu.ia32e && target.isLong;
  if (isNull(stackSelector)) {
    if (!long || level === 3 || (interrupt && (stackSelector & 3) !== level)) return cpu.fault(VECTOR_GP, 0);
  } else if (!readStackDescriptor(cpu, stackSelector, level, VECTOR_GP, descriptor)) return false;
  if (!checkOffset(cpu, target, offset) || !markAccessed(cpu, target)) return false;
  if (isNull(stackSelector)) setNull(cpu, SS, stackSelector);
  else if (markAccessed(cpu, descriptor)) setSegment(cpu, SS, stackSelector, descriptor);
  else return false;
  setCode(cpu, selector, target, level);
  state.rip = offset;
  if (long !== cpu.longMode) cpu.updateMode();
  if (long) state.setGpr64(ESP, low, high);
  else if (state.segmentAttributes(SS) & DESCRIPTOR_DB) state.setGpr32(ESP, low);
  else state.setGpr16(ESP, low);
  if (popBytes !== 0) {
    const released = Stack.current(cpu);
    released.release(popBytes);
    released.setPointer();
  }
  if (outer) dropInnerSegments(cpu, level);
  return true;
}
