/**
 * LDTR and TR, and the instructions that ask about descriptors: LLDT, LTR, LAR, LSL, VERR, VERW (SDM volume 2). All of them
 * are #UD in real and virtual-8086 mode.
 */
import {
  TYPE_CALL_GATE16, TYPE_CALL_GATE32, TYPE_LDT, TYPE_TASK_GATE, TYPE_TSS16_AVAILABLE, TYPE_TSS16_BUSY, TYPE_TSS32_AVAILABLE,
  TYPE_TSS32_BUSY, VECTOR_GP, VECTOR_NP, VECTOR_UD,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { LDTR, TR } from "../state-layout.ts";
import { TSS_BUSY } from "./architecture.ts";
import { requireSupervisor } from "./control-registers.ts";
import { Descriptor, FAULTED, FOUND, isNull, lookDescriptor, markDescriptor, readDescriptor, readUpper } from "./descriptor.ts";
import { isCanonical } from "./non-canonical.ts";
import { setNull, setSegment } from "./segmentation.ts";

/** #UD outside protected mode. */
export function requireProtected(cpu: Cpu): boolean {
  return cpu.protectedMode || cpu.fault(VECTOR_UD);
}

/** LLDT. */
export function loadLocalTable(cpu: Cpu, selector: number): boolean {
  if (!requireProtected(cpu) || !requireSupervisor(cpu)) return false;
  if (isNull(selector)) {
    setNull(cpu, LDTR, selector);
    return true;
  }
  const descriptor = new Descriptor();
  if (selector & 4) return cpu.selectorFault(VECTOR_GP, selector);
  if (!readDescriptor(cpu, selector, VECTOR_GP, descriptor)) return false;
  if (descriptor.isSegment || descriptor.type !== TYPE_LDT) return cpu.selectorFault(VECTOR_GP, selector);
  if (!descriptor.present) return cpu.selectorFault(VECTOR_NP, selector);
  if (!readWideBase(cpu, selector, descriptor)) return false;
  setSegment(cpu, LDTR, selector, descriptor);
  return true;
}

/** In IA-32e mode LDT and TSS descriptors have sixteen bytes: base 63..32, which must make a canonical address. */
function readWideBase(cpu: Cpu, selector: number, descriptor: Descriptor): boolean {
  if (!cpu.ia32e) return true;
  return readUpper(cpu, selector, descriptor) && (isCanonical(descriptor.base) || cpu.selectorFault(VECTOR_GP, selector));
}

/** LTR: the TSS becomes busy. */
export function loadTaskRegister(cpu: Cpu, selector: number): boolean {
  if (!requireProtected(cpu) || !requireSupervisor(cpu)) return false;
  const descriptor = new Descriptor();
  if (isNull(selector)) return cpu.fault(VECTOR_GP, 0);
  if (selector & 4) return cpu.selectorFault(VECTOR_GP, selector);
  if (!readDescriptor(cpu, selector, VECTOR_GP, descriptor)) return false;
  // Type 1 is reserved in IA-32e mode.
  const available = !descriptor.isSegment && (descriptor.type === TYPE_TSS32_AVAILABLE || (descriptor.type === TYPE_TSS16_AVAILABLE && !cpu.ia32e));
  if (!available) return cpu.selectorFault(VECTOR_GP, selector);
  if (!descriptor.present) return cpu.selectorFault(VECTOR_NP, selector);
  if (!readWideBase(cpu, selector, descriptor) || !markDescriptor(cpu, descriptor, TSS_BUSY)) return false;
  setSegment(cpu, TR, selector, descriptor);
  return true;
}

/** Types of system descriptor that LAR knows; LSL knows those without a gate's meaning. */
const LAR_TYPES = [TYPE_TSS16_AVAILABLE, TYPE_LDT, TYPE_TSS16_BUSY, TYPE_CALL_GATE16, TYPE_TASK_GATE, TYPE_TSS32_AVAILABLE, TYPE_TSS32_BUSY, TYPE_CALL_GATE32];
const LSL_TYPES = [TYPE_TSS16_AVAILABLE, TYPE_LDT, TYPE_TSS16_BUSY, TYPE_TSS32_AVAILABLE, TYPE_TSS32_BUSY];
/** The same in IA-32e mode, where the 16-bit types and task gates are reserved. */
const LAR_TYPES_IA32E = [TYPE_LDT, TYPE_TSS32_AVAILABLE, TYPE_TSS32_BUSY, TYPE_CALL_GATE32];
const LSL_TYPES_IA32E = [TYPE_LDT, TYPE_TSS32_AVAILABLE, TYPE_TSS32_BUSY];

/** Looks at a descriptor for LAR and its kin: 1 visible, 0 not, -1 page fault. */
function look(cpu: Cpu, selector: number, out: Descriptor): number {
  if (isNull(selector)) return 0;
  const found = lookDescriptor(cpu, selector, out);
  if (found === FAULTED) return -1;
  if (found !== FOUND) return 0;
  return out.isConforming || (cpu.state.cpl <= out.dpl && (selector & 3) <= out.dpl) ? 1 : 0;
}

function answer(cpu: Cpu, value: number, valid: boolean): true {
  cpu.state.setScratch64(value, 0);
  cpu.state.setScratch(2, valid ? 1 : 0);
  cpu.state.setScratch(3, 0);
  return true;
}

/** LAR: access rights to SCRATCH, and 1 behind it when the descriptor is visible. */
export function loadAccessRights(cpu: Cpu, selector: number): boolean {
  if (!requireProtected(cpu)) return false;
  const descriptor = new Descriptor();
  const visible = look(cpu, selector, descriptor);
  if (visible < 0) return false;
  const types = cpu.ia32e ? LAR_TYPES_IA32E : LAR_TYPES;
  // Bits 19:16, the limit's, are undefined in the result; here they are zero.
  return answer(cpu, descriptor.high & 0x00f0ff00, visible === 1 && (descriptor.isSegment || types.includes(descriptor.type)));
}

/** LSL: the limit in bytes to SCRATCH, and 1 behind it when the descriptor is visible. */
export function loadSegmentLimit(cpu: Cpu, selector: number): boolean {
  if (!requireProtected(cpu)) return false;
  const descriptor = new Descriptor();
  const visible = look(cpu, selector, descriptor);
  if (visible < 0) return false;
  const types = cpu.ia32e ? LSL_TYPES_IA32E : LSL_TYPES;
  return answer(cpu, descriptor.limit, visible === 1 && (descriptor.isSegment || types.includes(descriptor.type)));
}

/** VERR and VERW: 1 at SCRATCH + 8 when the segment may be read, or written. */
export function verifySegment(cpu: Cpu, selector: number, write: boolean): boolean {
  if (!requireProtected(cpu)) return false;
  const descriptor = new Descriptor();
  const visible = look(cpu, selector, descriptor);
  if (visible < 0) return false;
  return answer(cpu, 0, visible === 1 && (write ? descriptor.isWritableData : descriptor.isReadable));
}
