/**
 * Segment registers: loading them in every mode, the lengths that generated code checks against, and the check that it
 * falls back to (SDM volume 3, 3.4 and 5.2 to 5.7; volume 2, MOV).
 */
import {
  DESCRIPTOR_CODE, DESCRIPTOR_DB, DESCRIPTOR_EXPAND_DOWN, DESCRIPTOR_S, DESCRIPTOR_WRITABLE, EFLAGS_VM, VECTOR_GP, VECTOR_NP,
  VECTOR_SS,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, DS, ES, FS, GS, LDTR, SS } from "../state-layout.ts";
import { UNUSABLE } from "./architecture.ts";
import { Descriptor, isNull, markAccessed, readDescriptor } from "./descriptor.ts";
import { isCanonical } from "./non-canonical.ts";

/** Attributes of every segment in virtual-8086 mode: present, DPL 3, data, writable, accessed. */
const V86_ATTRIBUTES = 0xf300;

/** Puts a descriptor into a segment register. CS and SS keep the selector's RPL as given. */
export function setSegment(cpu: Cpu, segment: number, selector: number, descriptor: Descriptor): void {
  const { state } = cpu;
  if (cpu.longMode && segment <= DS) {
    // Its base is out of sight, and stays zero.
    cpu.setBase(segment, descriptor.base);
    state.setSelector(segment, selector);
    state.setSegmentLimit(segment, descriptor.limit);
    state.setSegmentAttributes(segment, descriptor.attributes);
    return deriveLengths(cpu, segment);
  }
  const { attributes } = descriptor;
  const rights = segment >= LDTR ? 0 : rightsOf(attributes, cpu.protectedMode);
  state.setSegment(segment, selector, descriptor.baseLow, descriptor.upper, descriptor.limitWord, attributes, (rights & MAY_READ) !== 0, (rights & MAY_WRITE) !== 0);
}

/** Loads a null selector: the segment becomes unusable. */
export function setNull(cpu: Cpu, segment: number, selector: number): void {
  const { state } = cpu;
  state.setSelector(segment, selector);
  cpu.setBase(segment, 0);
  state.setSegmentLimit(segment, 0);
  state.setSegmentAttributes(segment, UNUSABLE);
  state.setSegmentLengths(segment, 0, 0);
}

/** Real mode: base is the selector times 16; limit and attributes stay, which makes unreal mode. */
export function setRealSegment(cpu: Cpu, segment: number, selector: number): void {
  cpu.state.setSelector(segment, selector);
  cpu.state.setSegmentBase(segment, (selector & 0xffff) << 4);
}

/** Virtual-8086 mode: base, limit and attributes are fixed. */
export function setV86Segment(cpu: Cpu, segment: number, selector: number): void {
  setRealSegment(cpu, segment, selector);
  cpu.state.setSegmentLimit(segment, 0xffff);
  cpu.state.setSegmentAttributes(segment, V86_ATTRIBUTES);
  cpu.state.setSegmentLengths(segment, 0x10000, 0x10000);
}

/** Loads a segment register in real or virtual-8086 mode. */
export function setPlainSegment(cpu: Cpu, segment: number, selector: number): void {
  if (cpu.state.systemFlags & EFLAGS_VM) setV86Segment(cpu, segment, selector);
  else setRealSegment(cpu, segment, selector);
}

/** Works out SEG_READ_LENGTH and SEG_WRITE_LENGTH from limit, attributes and mode. */
export function deriveLengths(cpu: Cpu, segment: number): void {
  if (segment >= LDTR) return;
  const rights = rightsOf(cpu.state.segmentAttributes(segment), cpu.protectedMode);
  const length = cpu.state.segmentLimit(segment) + 1;
  cpu.state.setSegmentLengths(segment, rights & MAY_READ ? length : 0, rights & MAY_WRITE ? length : 0);
}

const MAY_READ = 1;
const MAY_WRITE = 2;

/** What generated code may do to a segment as far as its limit, without asking. */
function rightsOf(attributes: number, protectedMode: boolean): number {
  const code = (attributes & DESCRIPTOR_CODE) !== 0;
  // Expand-down: the valid offsets do not begin at zero.
  if (!code && attributes & DESCRIPTOR_EXPAND_DOWN) return 0;
  if (!protectedMode) return MAY_READ | MAY_WRITE;
  if (attributes & UNUSABLE) return 0;
  const writable = (attributes & DESCRIPTOR_WRITABLE) !== 0;
  return code ? (writable ? MAY_READ : 0) : writable ? MAY_READ | MAY_WRITE : MAY_READ;
}

/** Is `size` bytes at `offset` within a segment (SDM 5.3)? A 4 GiB segment may wrap around, as the manual allows. */
export function withinLimit(attributes: number, limit: number, offset: number, size: number): boolean {
  const last = offset + size - 1;
  if ((attributes & (DESCRIPTOR_CODE | DESCRIPTOR_EXPAND_DOWN)) === DESCRIPTOR_EXPAND_DOWN) {
    return offset > limit && last <= (attributes & DESCRIPTOR_DB ? 0xffffffff : 0xffff);
  }
  return last <= limit || limit === 0xffffffff;
}

/**
 * Decides an access that the inline length check refused: #GP(0), or #SS(0) through SS, for a null, execute-only, read-only
 * or exceeded segment.
 */
export function segmentCheck(cpu: Cpu, segment: number, offset: number, size: number, write: boolean): boolean {
  if (cpu.longMode) return true;
  const attributes = cpu.state.segmentAttributes(segment);
  if (cpu.protectedMode) {
    const code = (attributes & DESCRIPTOR_CODE) !== 0;
    const usable = !(attributes & UNUSABLE) && (write ? !code && (attributes & DESCRIPTOR_WRITABLE) !== 0 : !code || (attributes & DESCRIPTOR_WRITABLE) !== 0);
    if (!usable) return cpu.fault(segment === SS ? VECTOR_SS : VECTOR_GP, 0);
  }
  if (withinLimit(attributes, cpu.state.segmentLimit(segment), offset, size)) return true;
  return cpu.fault(segment === SS ? VECTOR_SS : VECTOR_GP, 0);
}

/** MOV, POP and LxS to ES, SS, DS, FS or GS. #GP, #SS and #NP with the selector; the accessed bit is set in memory. */
export function loadSegment(cpu: Cpu, segment: number, selector: number): boolean {
  selector &= 0xffff;
  if (!cpu.protectedMode) {
    setPlainSegment(cpu, segment, selector);
    if (segment === SS) cpu.shadowStack();
    cpu.updateMode();
    return true;
  }
  const ok = segment === SS
    ? loadStackSegment(cpu, selector, cpu.state.cpl, VECTOR_GP)
    : loadDataSegment(cpu, segment, selector, VECTOR_GP);
  if (!ok) return false;
  if (segment === SS) cpu.shadowStack();
  cpu.segmentLoaded(segment);
  return true;
}

/** A data segment register in protected mode; `vector` is #GP, or #TS within a task switch. */
export function loadDataSegment(cpu: Cpu, segment: number, selector: number, vector: number): boolean {
  if (isNull(selector)) {
    setNull(cpu, segment, selector);
    return true;
  }
  const descriptor = new Descriptor();
  if (!readDescriptor(cpu, selector, vector, descriptor)) return false;
  if (!descriptor.isReadable) return cpu.selectorFault(vector, selector);
  const privilege = Math.max(selector & 3, cpu.state.cpl);
  if (!descriptor.isConforming && privilege > descriptor.dpl) return cpu.selectorFault(vector, selector);
  if (!descriptor.present) return cpu.selectorFault(VECTOR_NP, selector);
  if (!markAccessed(cpu, descriptor)) return false;
  setSegment(cpu, segment, selector, descriptor);
  return true;
}

/** SS in protected mode for privilege `cpl`; `vector` is #GP, or #TS within a task switch. */
export function loadStackSegment(cpu: Cpu, selector: number, cpl: number, vector: number): boolean {
  const descriptor = new Descriptor();
  if (isNull(selector)) {
    if (!cpu.longMode || cpl === 3 || (selector & 3) !== cpl) return cpu.fault(vector, cpu.external);
    setNull(cpu, SS, selector);
    return true;
  }
  if (!readStackDescriptor(cpu, selector, cpl, vector, descriptor)) return false;
  if (!markAccessed(cpu, descriptor)) return false;
  setSegment(cpu, SS, selector, descriptor);
  return true;
}

/** Reads and checks, but does not load, a descriptor for SS at privilege `cpl`; the selector is not null. */
export function readStackDescriptor(cpu: Cpu, selector: number, cpl: number, vector: number, out: Descriptor): boolean {
  if (!readDescriptor(cpu, selector, vector, out)) return false;
  if ((selector & 3) !== cpl || !out.isWritableData || out.dpl !== cpl) return cpu.selectorFault(vector, selector);
  return out.present || cpu.selectorFault(VECTOR_SS, selector);
}

/** In IA-32e mode a code segment cannot be a 64-bit and a 32-bit one: L and D together are #GP(selector). */
export function checkCodeSize(cpu: Cpu, selector: number, target: Descriptor): boolean {
  return !cpu.ia32e || !target.isLong || !(target.high & DESCRIPTOR_DB) || cpu.selectorFault(VECTOR_GP, selector);
}

/** #GP(0), or #GP(EXT), unless an offset lies in a code segment: below its limit, or canonical where the segment is a 64-bit one. */
export function checkOffset(cpu: Cpu, target: Descriptor, offset: number): boolean {
  const inside = cpu.ia32e && target.isLong ? isCanonical(offset) : offset >= 0 && offset <= target.limit;
  return inside || cpu.fault(VECTOR_GP, cpu.external);
}

/** Loads CS with the given privilege in its RPL, and makes that the CPL. The caller updates the mode. */
export function setCode(cpu: Cpu, selector: number, descriptor: Descriptor, cpl: number): void {
  setSegment(cpu, CS, (selector & ~3) | cpl, descriptor);
  cpu.state.cpl = cpl;
}

/** A return to an outer level clears data segments that the new level may not use (SDM volume 2, RET and IRET). */
export function dropInnerSegments(cpu: Cpu, cpl: number): void {
  for (const segment of [ES, DS, FS, GS]) {
    const attributes = cpu.state.segmentAttributes(segment);
    if (attributes & UNUSABLE || !(attributes & DESCRIPTOR_S)) continue;
    const conforming = (attributes & (DESCRIPTOR_CODE | DESCRIPTOR_EXPAND_DOWN)) === (DESCRIPTOR_CODE | DESCRIPTOR_EXPAND_DOWN);
    if (!conforming && ((attributes >>> 13) & 3) < cpl) setNull(cpu, segment, 0);
  }
}
