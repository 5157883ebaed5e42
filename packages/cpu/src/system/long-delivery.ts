/**
 * Delivery of exceptions and interrupts in IA-32e mode (SDM volume 3, 6.14): sixteen-byte gates to 64-bit code, interrupt stacks,
 * and a frame that always has SS:RSP.
 *
 *   gate   offset 15..0, selector | IST (bits 2..0), type, DPL, P, offset 31..16 | offset 63..32 | 0
 *   frame  [error code] RIP CS RFLAGS RSP SS, eight bytes each, from a stack pointer that is a multiple of sixteen
 */
import {
  DESCRIPTOR_DB, EFLAGS_IF, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VM, TYPE_INTERRUPT_GATE32, TYPE_TRAP_GATE32, VECTOR_GP, VECTOR_NP,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, SS } from "../state-layout.ts";
import { ESP } from "./architecture.ts";
import { Descriptor, isNull, markAccessed, readDescriptor, readEntry } from "./descriptor.ts";
import { longInnerStack } from "./inner-stack.ts";
import { checkOffset, setCode, setNull } from "./segmentation.ts";
import { Stack } from "./stack.ts";

/**
 * Enters the handler of a vector through the 64-bit IDT; false when that faults, with nothing changed.
 *
 * @param checked the gate's DPL must permit CPL: INT n, INT3
 * @param flags the image of RFLAGS to push
 */
export function enterLongGate(cpu: Cpu, vector: number, returnIp: number, checked: boolean, code: number, flags: number): boolean {
  const { state, linear } = cpu;
  const entryCode = vector * 8 + 2 + cpu.external;
  const gate = new Descriptor();
  if (vector * 16 + 15 > cpu.idtr.limit) return cpu.fault(VECTOR_GP, entryCode);
  const entry = cpu.idtr.base + vector * 16;
  if (!readEntry(cpu, entry, gate)) return false;
  if (!linear.read(entry + 8, 4, false)) return false;
  gate.upper = linear.value;
  const known = !gate.isSegment && (gate.type === TYPE_INTERRUPT_GATE32 || gate.type === TYPE_TRAP_GATE32);
  if (!known || (checked && gate.dpl < state.cpl)) return cpu.fault(VECTOR_GP, entryCode);
  if (!gate.present) return cpu.fault(VECTOR_NP, entryCode);
  const selector = gate.gateSelector;
  const target = new Descriptor();
  if (isNull(selector)) return cpu.fault(VECTOR_GP, cpu.external);
  if (!readDescriptor(cpu, selector, VECTOR_GP, target)) return false;
  if (!target.isCode || target.dpl > state.cpl || !target.isLong || target.high & DESCRIPTOR_DB) return cpu.selectorFault(VECTOR_GP, selector);
  if (!target.present) return cpu.selectorFault(VECTOR_NP, selector);

  const inner = !target.isConforming && target.dpl < state.cpl;
  const cpl = inner ? target.dpl : state.cpl;
  const ist = gate.high & 7;
  let pointer = state.gprAddress(ESP);
  if (inner || ist !== 0) {
    pointer = longInnerStack(cpu, cpl, ist);
    if (Number.isNaN(pointer)) return false;
  }
  const stack = Stack.long(cpu, Math.floor(pointer / 16) * 16, cpl === 3);
  stack.push(8, state.selector(SS));
  stack.pushHalves(8, state.gpr32(ESP), state.gprHigh(ESP));
  stack.push(8, flags);
  stack.push(8, state.selector(CS));
  stack.push(8, returnIp);
  if (code >= 0) stack.push(8, code);
  if (!checkOffset(cpu, target, gate.gateOffset)) return false;
  if (!stack.check() || !markAccessed(cpu, target) || !stack.commit()) return false;

  if (inner) setNull(cpu, SS, cpl);
  stack.setPointer();
  const cleared = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | (gate.type === TYPE_INTERRUPT_GATE32 ? EFLAGS_IF : 0);
  state.systemFlags = state.systemFlags & ~cleared;
  setCode(cpu, selector, target, cpl);
  state.rip = gate.gateOffset;
  cpu.updateMode();
  return true;
}
