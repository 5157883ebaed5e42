/**
 * Delivery of exceptions and interrupts: the interrupt vector table of real mode, gates of protected mode, VME's
 * redirection, and what happens when delivery itself faults (SDM volume 3, 6.11 to 6.15 and 20.3; volume 2, INT n).
 */
import {
  CR4_VME, DR7_GD, EFLAGS_AC, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VM, TYPE_INTERRUPT_GATE16,
  TYPE_INTERRUPT_GATE32, TYPE_TASK_GATE, TYPE_TRAP_GATE16, TYPE_TRAP_GATE32, VECTOR_DB, VECTOR_DE, VECTOR_DF, VECTOR_GP, VECTOR_NP,
  VECTOR_PF, VECTOR_TS,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { ACTIVE, SHADOW_NONE, SHUTDOWN } from "../activity.ts";
import { CS, DS, ES, FS, GS, SS } from "../state-layout.ts";
import { Descriptor, isNull, markAccessed, readDescriptor, readEntry } from "./descriptor.ts";
import { innerStack } from "./inner-stack.ts";
import { interruptRedirected } from "./io-permission.ts";
import { enterLongGate } from "./long-delivery.ts";
import { setCode, setNull, setPlainSegment, setSegment, withinLimit } from "./segmentation.ts";
import { Stack } from "./stack.ts";
import { switchTask, TASK_INTERRUPT, taskOf } from "./task-switch.ts";

/** Kinds of event. */
export const EXCEPTION = 0;
/** INT n: checked against the gate's DPL, and IOPL in virtual-8086 mode. */
export const SOFTWARE_INTERRUPT = 1;
/** INT3 and INTO: checked against the gate's DPL only. */
export const SOFTWARE_EXCEPTION = 2;
export const EXTERNAL_INTERRUPT = 3;
export const NON_MASKABLE = 4;
/** INT1: no DPL check, and EXT is set. */
export const PRIVILEGED_SOFTWARE_EXCEPTION = 5;

/** What became of a delivery. */
export type Delivery = "ok" | "triple-fault";

/** #DE, #TS, #NP, #SS, #GP: two of them make a double fault (SDM table 6-4). */
function contributory(vector: number): boolean {
  return vector === VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/**
 * Delivers an event from outside or from the running instruction. RIP in the state is what the handler returns to.
 * A fault during delivery becomes a further exception, a double fault, or the shutdown that is returned as "triple-fault".
 *
 * @param code the error code, or -1
 * @param kind {@link EXCEPTION} (0), {@link EXTERNAL_INTERRUPT} or {@link NON_MASKABLE}
 */
export function deliver(cpu: Cpu, vector: number, code: number, kind: number): Delivery {
  cpu.activity = ACTIVE;
  cpu.shadow = SHADOW_NONE;
  let first = kind === EXCEPTION ? vector : -1;
  for (;;) {
    if (first === VECTOR_PF) cpu.cr2 = cpu.state.faultAddress;
    // A fault takes its instruction's traps with it, and single step ends with the handler's entry.
    if (kind === EXCEPTION) cpu.debug.pending = 0;
    cpu.debug.trap = false;
    const { state } = cpu;
    if (cpu.resumeAt !== undefined) state.rip = cpu.resumeAt;
    cpu.resumeAt = undefined;
    const blocked = cpu.nmiBlocked;
    if (kind === NON_MASKABLE) cpu.nmiBlocked = true;
    // SDM 17.3.1.1: fault-class exceptions push RF set; #DB decides for itself.
    const resume = kind === EXCEPTION && vector !== VECTOR_DB ? EFLAGS_RF : 0;
    cpu.external = 1;
    const done = cpu.enterEvent(vector, code, resume);
    cpu.external = 0;
    if (done) {
      if (vector === VECTOR_DB && kind === EXCEPTION) cpu.dr[7] &= ~DR7_GD;
      return "ok";
    }
    cpu.nmiBlocked = blocked;
    const second = state.faultVector;
    if (first === VECTOR_DF) {
      cpu.activity = SHUTDOWN;
      cpu.updateMode();
      return "triple-fault";
    }
    if (second === VECTOR_PF) cpu.cr2 = state.faultAddress;
    const double = (contributory(first) && contributory(second)) || (first === VECTOR_PF && (contributory(second) || second === VECTOR_PF));
    vector = double ? VECTOR_DF : second;
    code = double ? 0 : state.faultCode;
    kind = EXCEPTION;
    first = vector;
  }
}

/**
 * Enters the handler of an exception or of an interrupt from outside. RIP in the state is what it returns to.
 *
 * @param code the error code, or -1
 * @param resume flags that are pushed set
 * @returns false when that faults, with nothing changed but what a task switch committed
 */
export function enterEvent(cpu: Cpu, vector: number, code: number, resume: number): boolean {
  return enterHandler(cpu, vector, cpu.state.rip, EXCEPTION, code, resume);
}

/**
 * INT n, INT3, INTO and INT1. RIP stays at the instruction when it faults.
 *
 * @param nextIp what the handler returns to
 */
export function softInterrupt(cpu: Cpu, vector: number, nextIp: number, kind: number): boolean {
  cpu.external = kind === PRIVILEGED_SOFTWARE_EXCEPTION ? 1 : 0;
  const done = enterHandler(cpu, vector, nextIp, kind, -1, 0);
  cpu.external = 0;
  if (done) cpu.debug.trap = false;
  return done;
}

/** Enters the handler of a vector; false when that faults, with nothing changed but what a task switch committed. */
function enterHandler(cpu: Cpu, vector: number, returnIp: number, kind: number, code: number, resume: number): boolean {
  const flags = cpu.state.eflags | resume;
  if (!(cpu.cr0 & 1)) return enterReal(cpu, vector, returnIp, flags & 0xffff);
  if (flags & EFLAGS_VM && kind === SOFTWARE_INTERRUPT) {
    const iopl = (flags & EFLAGS_IOPL) === EFLAGS_IOPL;
    if (cpu.cr4 & CR4_VME) {
      const redirected = interruptRedirected(cpu, vector);
      if (redirected < 0) return false;
      if (redirected) return enterVirtual8086(cpu, vector, returnIp, flags, iopl);
    }
    if (!iopl) return cpu.fault(VECTOR_GP, 0);
  }
  if (cpu.ia32e) return enterLongGate(cpu, vector, returnIp, kind === SOFTWARE_INTERRUPT || kind === SOFTWARE_EXCEPTION, code, flags);
  return enterGate(cpu, vector, returnIp, kind, code, flags);
}

/** SDM 20.1.4: FLAGS, CS and IP on the stack, and the far pointer from the table at IDTR. */
function enterReal(cpu: Cpu, vector: number, returnIp: number, image: number): boolean {
  const { state } = cpu;
  if (vector * 4 + 3 > cpu.idtr.limit) return cpu.fault(VECTOR_GP, 0);
  if (!cpu.linear.read(cpu.wrap(cpu.idtr.base + vector * 4), 4, false)) return false;
  return enterVector(cpu, cpu.linear.value, returnIp, image, state.systemFlags & ~(EFLAGS_IF | EFLAGS_TF | EFLAGS_AC | EFLAGS_RF));
}

/** SDM 20.3.3.4: VME redirects INT n to the program's own vector table at linear address 0. */
function enterVirtual8086(cpu: Cpu, vector: number, returnIp: number, flags: number, iopl: boolean): boolean {
  if (!cpu.linear.read(vector * 4, 4, true)) return false;
  const system = cpu.state.systemFlags & ~(EFLAGS_TF | EFLAGS_NT | EFLAGS_RF);
  if (iopl) return enterVector(cpu, cpu.linear.value, returnIp, flags & 0xffff, system & ~EFLAGS_IF);
  const image = (flags & 0xffff & ~EFLAGS_IF) | EFLAGS_IOPL | (flags & EFLAGS_VIF ? EFLAGS_IF : 0);
  return enterVector(cpu, cpu.linear.value, returnIp, image, system & ~EFLAGS_VIF);
}

function enterVector(cpu: Cpu, pointer: number, returnIp: number, image: number, system: number): boolean {
  const { state } = cpu;
  const ip = pointer & 0xffff;
  const stack = Stack.current(cpu);
  stack.push(2, image);
  stack.push(2, state.selector(CS));
  stack.push(2, returnIp & 0xffff);
  if (!withinLimit(state.segmentAttributes(CS), state.segmentLimit(CS), ip, 1)) return cpu.fault(VECTOR_GP, cpu.external);
  if (!stack.commit()) return false;
  stack.setPointer();
  setPlainSegment(cpu, CS, pointer >>> 16);
  state.rip = ip;
  state.systemFlags = system;
  cpu.updateMode();
  return true;
}

/** SDM 6.12: task, interrupt and trap gates of the IDT. */
function enterGate(cpu: Cpu, vector: number, returnIp: number, kind: number, code: number, flags: number): boolean {
  const { state } = cpu;
  const entryCode = vector * 8 + 2 + cpu.external;
  const gate = new Descriptor();
  if (vector * 8 + 7 > cpu.idtr.limit) return cpu.fault(VECTOR_GP, entryCode);
  if (!readEntry(cpu, cpu.wrap(cpu.idtr.base + vector * 8), gate)) return false;
  const type = gate.isSegment ? -1 : gate.type;
  const known = type === TYPE_TASK_GATE || type === TYPE_INTERRUPT_GATE16 || type === TYPE_TRAP_GATE16
    || type === TYPE_INTERRUPT_GATE32 || type === TYPE_TRAP_GATE32;
  if (!known) return cpu.fault(VECTOR_GP, entryCode);
  if ((kind === SOFTWARE_INTERRUPT || kind === SOFTWARE_EXCEPTION) && gate.dpl < state.cpl) return cpu.fault(VECTOR_GP, entryCode);
  if (!gate.present) return cpu.fault(VECTOR_NP, entryCode);
  if (type === TYPE_TASK_GATE) {
    const task = new Descriptor();
    if (!taskOf(cpu, gate.gateSelector, task, VECTOR_GP)) return false;
    if (!switchTask(cpu, gate.gateSelector, task, TASK_INTERRUPT, returnIp, flags)) return false;
    return code < 0 || pushTaskCode(cpu, task, code);
  }
  const selector = gate.gateSelector;
  const target = new Descriptor();
  if (isNull(selector)) return cpu.fault(VECTOR_GP, cpu.external);
  if (!readDescriptor(cpu, selector, VECTOR_GP, target)) return false;
  if (!target.isCode || target.dpl > state.cpl) return cpu.selectorFault(VECTOR_GP, selector);
  if (!target.present) return cpu.selectorFault(VECTOR_NP, selector);
  const virtual = (flags & EFLAGS_VM) !== 0;
  const inner = !target.isConforming && target.dpl < state.cpl;
  if (virtual && (!inner || target.dpl !== 0)) return cpu.selectorFault(VECTOR_GP, selector);

  const size = type & 8 ? 4 : 2;
  const cpl = inner ? target.dpl : state.cpl;
  const stackSelector = inner ? innerStack(cpu, cpl) : undefined;
  if (inner && !stackSelector) return false;
  const stack = stackSelector ? Stack.of(cpu, stackSelector.selector, stackSelector.descriptor, stackSelector.pointer, cpl) : Stack.current(cpu);
  if (virtual) for (const segment of [GS, FS, DS, ES]) stack.push(size, state.selector(segment));
  if (inner) {
    stack.push(size, state.selector(SS));
    stack.push(size, state.gpr32(4));
  }
  stack.push(size, flags);
  stack.push(size, state.selector(CS));
  stack.push(size, returnIp);
  if (code >= 0) stack.push(size, code);
  if (!stack.check()) return false;
  if (gate.gateOffset > target.limit) return cpu.fault(VECTOR_GP, cpu.external);
  if (!markAccessed(cpu, target) || (stackSelector && !markAccessed(cpu, stackSelector.descriptor))) return false;
  if (!stack.commit()) return false;

  if (stackSelector) setSegment(cpu, SS, stackSelector.selector, stackSelector.descriptor);
  stack.setPointer();
  let cleared = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM;
  if (type === TYPE_INTERRUPT_GATE16 || type === TYPE_INTERRUPT_GATE32) cleared |= EFLAGS_IF;
  state.systemFlags = state.systemFlags & ~cleared;
  if (virtual) {
    cpu.updateMode();
    for (const segment of [GS, FS, DS, ES]) setNull(cpu, segment, 0);
  }
  setCode(cpu, selector, target, cpl);
  state.rip = gate.gateOffset;
  cpu.updateMode();
  return true;
}

/** A task gate's handler finds the error code on its own stack. */
function pushTaskCode(cpu: Cpu, task: Descriptor, code: number): boolean {
  const stack = Stack.current(cpu);
  stack.push(task.type & 8 ? 4 : 2, code);
  if (!stack.commit()) return false;
  stack.setPointer();
  return true;
}
