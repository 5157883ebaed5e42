/**
 * Hardware task switches through 16- and 32-bit TSSs (SDM volume 3, 7.2 and 7.3). Everything that can fault in the old
 * task's context is read and checked first; from the commit point on, faults belong to the new task.
 *
 *   32-bit TSS  0 link  4 ESP0..  28 CR3  32 EIP  36 EFLAGS  40 EAX ECX EDX EBX ESP EBP ESI EDI  72 ES CS SS DS FS GS  96 LDT  100 T  102 I/O map
 *   16-bit TSS  0 link  2 SP0..           14 IP   16 FLAGS   18 AX CX DX BX SP BP SI DI          34 ES CS SS DS        42 LDT
 */
import {
  CR0_TS, DR6_BT, DESCRIPTOR_P, EFLAGS_NT, EFLAGS_VM, TYPE_LDT, TYPE_TSS16_AVAILABLE, TYPE_TSS16_BUSY, TYPE_TSS32_AVAILABLE, TYPE_TSS32_BUSY,
  VECTOR_GP, VECTOR_NP, VECTOR_TS,
} from "@doppel/x86";
import { READ, WRITE } from "@doppel/mmu";
import type { Cpu } from "../cpu.ts";
import { CS, DS, ES, FS, GS, LDTR, SS, TR } from "../state-layout.ts";
import { EFLAGS_DEFINED, SELECTOR_MASK, TSS_BUSY } from "./architecture.ts";
import { applyBreakpoints } from "./debug-registers.ts";
import { Descriptor, FAULTED, isNull, lookDescriptor, markAccessed, markDescriptor, readDescriptor } from "./descriptor.ts";
import { loadDataSegment, loadStackSegment, setCode, setNull, setSegment, setV86Segment } from "./segmentation.ts";

/** What started a switch. */
export const TASK_JUMP = 0;
export const TASK_CALL = 1;
export const TASK_RETURN = 2;
export const TASK_INTERRUPT = 3;

/** Highest offset that a TSS's limit must cover. */
const TSS32_LIMIT = 0x67;
const TSS16_LIMIT = 0x2b;
/** Highest offset that saving the old task writes. */
const TSS32_SAVED = 0x5f;
const TSS16_SAVED = 0x29;

/** Reads the TSS descriptor that a task gate names, and checks that it is available and present. */
export function taskOf(cpu: Cpu, selector: number, out: Descriptor, vector: number): boolean {
  if (selector & 4) return cpu.selectorFault(vector, selector);
  if (!readDescriptor(cpu, selector, vector, out)) return false;
  if (out.isSegment || (out.type !== TYPE_TSS16_AVAILABLE && out.type !== TYPE_TSS32_AVAILABLE)) return cpu.selectorFault(vector, selector);
  return out.present || cpu.selectorFault(VECTOR_NP, selector);
}

/**
 * Switches to the task of a TSS whose descriptor the caller checked.
 *
 * @param reason one of the TASK_ constants
 * @param nextIp EIP for the old task to go on at
 * @param flags EFLAGS to save in the old TSS
 */
export function switchTask(cpu: Cpu, selector: number, task: Descriptor, reason: number, nextIp: number, flags: number): boolean {
  const { state, linear } = cpu;
  const wide = (task.type & 8) !== 0;
  if (task.limit < (wide ? TSS32_LIMIT : TSS16_LIMIT)) return cpu.selectorFault(VECTOR_TS, selector);
  const oldWide = (state.segmentAttributes(TR) & 0x800) !== 0;
  const oldBase = state.segmentBase(TR);
  const oldSelector = state.selector(TR);
  if (state.segmentLimit(TR) < (oldWide ? TSS32_SAVED : TSS16_SAVED)) return cpu.selectorFault(VECTOR_TS, oldSelector);
  const nested = reason === TASK_CALL || reason === TASK_INTERRUPT;

  // Everything that could still fault in the old task.
  const image = new Uint8Array(wide ? 104 : 44);
  if (!linear.readBytes(task.base, image, false)) return false;
  if (!linear.probe(cpu.wrap(oldBase + (oldWide ? 32 : 14)), oldWide ? 64 : 28, WRITE, false)) return false;
  if (nested && !linear.probe(task.base, 2, WRITE, false)) return false;
  const old = new Descriptor();
  if (reason === TASK_JUMP || reason === TASK_RETURN) {
    const found = lookDescriptor(cpu, oldSelector, old);
    if (found === FAULTED) return false;
    if (found || !linear.probe(old.address + 4, 4, WRITE, false)) return found ? cpu.selectorFault(VECTOR_TS, oldSelector) : false;
  }
  if (!linear.probe(task.address + 4, 4, WRITE, false) || !linear.probe(task.address, 8, READ, false)) return false;

  // The old task's state.
  const saved = new Uint8Array(oldWide ? 64 : 28);
  const savedView = new DataView(saved.buffer);
  const savedFlags = reason === TASK_RETURN ? flags & ~EFLAGS_NT : flags;
  const put = (index: number, value: number): void => oldWide ? savedView.setUint32(4 * index, value, true) : savedView.setUint16(2 * index, value, true);
  put(0, nextIp);
  put(1, savedFlags);
  for (let register = 0; register < 8; register += 1) put(2 + register, state.gpr32(register));
  for (const segment of oldWide ? [ES, CS, SS, DS, FS, GS] : [ES, CS, SS, DS]) put(10 + segment, state.selector(segment));
  const savedAt = cpu.wrap(oldBase + (oldWide ? 32 : 14));
  // Bytes between the words belong to software: only the low halves of the selector slots are written.
  const written = oldWide ? 40 : 28;
  if (!linear.writeBytes(savedAt, saved.subarray(0, written), false)) return false;
  for (let at = written; at < saved.length; at += 4) if (!linear.writeBytes(savedAt + at, saved.subarray(at, at + 2), false)) return false;
  if ((reason === TASK_JUMP || reason === TASK_RETURN) && !linear.write(old.address + 4, 4, old.high & ~TSS_BUSY, false)) return false;
  if (nested && !linear.write(task.base, 2, oldSelector, false)) return false;
  if (reason !== TASK_RETURN && !markDescriptor(cpu, task, TSS_BUSY)) return false;

  return enterTask(cpu, selector, task, image, wide, nested);
}

/** The commit point is behind us: loads the new task; faults from here on carry the new task's EIP. */
function enterTask(cpu: Cpu, selector: number, task: Descriptor, image: Uint8Array, wide: boolean, nested: boolean): boolean {
  const { state } = cpu;
  const view = new DataView(image.buffer);
  const get = (index: number): number => wide ? view.getUint32(32 + 4 * index, true) : view.getUint16(14 + 2 * index, true);
  setSegment(cpu, TR, selector, task);
  state.setSegmentAttributes(TR, task.attributes | TSS_BUSY);
  cpu.cr0 |= CR0_TS;
  let ok = true;
  if (wide && cpu.cr0 < 0) ok = loadRoot(cpu, view.getUint32(28, true));
  state.rip = get(0);
  const flags = (wide ? get(1) : (state.eflags & 0xffff0000) | get(1)) & EFLAGS_DEFINED;
  state.eflags = flags | 2 | (nested ? EFLAGS_NT : 0);
  if (!wide) state.eflags &= ~EFLAGS_VM;
  for (let register = 0; register < 8; register += 1) {
    // A 16-bit TSS loads the low halves and leaves the upper ones.
    if (wide) state.setGpr32(register, get(2 + register));
    else state.setGpr16(register, get(2 + register));
  }
  const selectors = [ES, CS, SS, DS, FS, GS].map((segment) => (wide || segment <= DS ? get(10 + segment) & 0xffff : 0));
  const table = wide ? view.getUint16(96, true) : view.getUint16(42, true);
  for (const segment of [ES, CS, SS, DS, FS, GS]) {
    setNull(cpu, segment, selectors[segment]);
  }
  setNull(cpu, LDTR, table);
  state.cpl = state.systemFlags & EFLAGS_VM ? 3 : selectors[CS] & 3;
  cpu.debug.trap = false;
  cpu.debug.resumeLoaded = true;
  if (wide && image[100] & 1) cpu.debug.pending |= DR6_BT;
  // Local breakpoints, and LE, end with the task.
  cpu.dr[7] = (cpu.dr[7] & ~0x155) >>> 0;
  applyBreakpoints(cpu);
  cpu.updateMode();
  if (ok) ok = loadContext(cpu, selectors, table);
  cpu.updateMode();
  if (ok && get(0) > state.segmentLimit(CS)) ok = cpu.fault(VECTOR_GP, cpu.external);
  // Generated code puts RIP back to its own instruction when a helper faults; this fault belongs to the new task.
  cpu.resumeAt = ok ? undefined : get(0);
  return ok;
}

function loadRoot(cpu: Cpu, root: number): boolean {
  if (cpu.mmu.mode.physicalAddressExtension && !cpu.mmu.loadPdptes(root)) return cpu.fault(VECTOR_GP, 0);
  cpu.cr3 = root;
  cpu.mmu.setRoot(root);
  return true;
}

/** LDTR and the segment registers of the new task, in the manual's order. */
function loadContext(cpu: Cpu, selectors: readonly number[], table: number): boolean {
  const { state } = cpu;
  if (!loadTable(cpu, table)) return false;
  if (state.systemFlags & EFLAGS_VM) {
    for (const segment of [ES, CS, SS, DS, FS, GS]) setV86Segment(cpu, segment, selectors[segment]);
    return true;
  }
  const code = new Descriptor();
  const selector = selectors[CS];
  if (isNull(selector)) return cpu.selectorFault(VECTOR_TS, selector);
  if (!readDescriptor(cpu, selector, VECTOR_TS, code)) return false;
  const level = selector & 3;
  const fits = code.isCode && (code.isConforming ? code.dpl <= level : code.dpl === level);
  if (!fits) return cpu.selectorFault(VECTOR_TS, selector);
  if (!code.present) return cpu.selectorFault(VECTOR_NP, selector);
  if (!loadStackSegment(cpu, selectors[SS], level, VECTOR_TS)) return false;
  if (!markAccessed(cpu, code)) return false;
  setCode(cpu, selector, code, level);
  for (const segment of [DS, ES, FS, GS]) if (!loadDataSegment(cpu, segment, selectors[segment], VECTOR_TS)) return false;
  return true;
}

function loadTable(cpu: Cpu, table: number): boolean {
  if (isNull(table)) return true;
  if (table & 4) return cpu.selectorFault(VECTOR_TS, table);
  const descriptor = new Descriptor();
  if (!readDescriptor(cpu, table, VECTOR_TS, descriptor)) return false;
  if (descriptor.isSegment || descriptor.type !== TYPE_LDT || !(descriptor.high & DESCRIPTOR_P)) return cpu.selectorFault(VECTOR_TS, table);
  setSegment(cpu, LDTR, table, descriptor);
  return true;
}

/** IRET with NT set: back to the task that the current TSS links to. */
export function returnTask(cpu: Cpu, nextIp: number): boolean {
  const { state, linear } = cpu;
  if (!linear.read(state.segmentBase(TR), 2, false)) return false;
  const link = linear.value;
  const task = new Descriptor();
  if (link & 4) return cpu.selectorFault(VECTOR_TS, link);
  if (!readDescriptor(cpu, link, VECTOR_TS, task)) return false;
  const busy = !task.isSegment && (task.type === TYPE_TSS16_BUSY || task.type === TYPE_TSS32_BUSY);
  if (!busy) return cpu.fault(VECTOR_TS, link & SELECTOR_MASK);
  if (!task.present) return cpu.selectorFault(VECTOR_NP, link);
  return switchTask(cpu, link, task, TASK_RETURN, nextIp, state.eflags);
}
