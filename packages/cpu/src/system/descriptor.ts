/**
 * Descriptors in memory: the eight bytes of a GDT, LDT or IDT entry, and their fields (SDM volume 3, 3.4.5 and 5.8.3). System
 * descriptors of IA-32e mode have sixteen: a third dword with base or offset 63..32, and a fourth whose type field is zero.
 *
 *   low   31..16 base 15..0 | offset low or selector     15..0 limit 15..0 | offset
 *   high  31..24 base  23 G  22 D/B  21 L  20 AVL  19..16 limit  15 P  14..13 DPL  12 S  11..8 type  7..0 base
 */
import {
  DESCRIPTOR_ACCESSED, DESCRIPTOR_CODE, DESCRIPTOR_EXPAND_DOWN, DESCRIPTOR_G, DESCRIPTOR_L, DESCRIPTOR_P, DESCRIPTOR_S, DESCRIPTOR_TYPE,
  DESCRIPTOR_WRITABLE, VECTOR_GP,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { LDTR } from "../state-layout.ts";
import { ATTRIBUTES_MASK, SELECTOR_MASK, UNUSABLE } from "./architecture.ts";

const TWO_32 = 0x1_0000_0000;

/** One descriptor, and where it was read from. */
export class Descriptor {
  low = 0;
  high = 0;
  /** Third dword of a sixteen-byte descriptor, else zero. */
  upper = 0;
  /** Linear address of the entry. */
  address = 0;

  /** Base address, unsigned; of sixteen bytes a signed 64-bit number. */
  get base(): number {
    return (this.baseLow >>> 0) + (this.upper | 0) * TWO_32;
  }

  /** Its low half, as a signed word. */
  get baseLow(): number {
    return (this.low >>> 16) | ((this.high & 0xff) << 16) | (this.high & 0xff000000);
  }

  /** Limit in bytes with granularity applied, unsigned. */
  get limit(): number {
    return this.limitWord >>> 0;
  }

  /** The same as a signed word. */
  get limitWord(): number {
    const raw = (this.low & 0xffff) | (this.high & 0xf0000);
    return this.high & DESCRIPTOR_G ? (raw << 12) | 0xfff : raw;
  }

  /** The part that SEG_ATTRIBUTES keeps. */
  get attributes(): number {
    return this.high & ATTRIBUTES_MASK;
  }

  /** Type field, four bits. */
  get type(): number {
    return (this.high >>> 8) & 15;
  }

  get dpl(): number {
    return (this.high >>> 13) & 3;
  }

  get present(): boolean {
    return (this.high & DESCRIPTOR_P) !== 0;
  }

  /** Code or data, rather than system. */
  get isSegment(): boolean {
    return (this.high & DESCRIPTOR_S) !== 0;
  }

  get isCode(): boolean {
    return (this.high & (DESCRIPTOR_S | DESCRIPTOR_CODE)) === (DESCRIPTOR_S | DESCRIPTOR_CODE);
  }

  /** A 64-bit code segment, in IA-32e mode. */
  get isLong(): boolean {
    return (this.high & DESCRIPTOR_L) !== 0;
  }

  get isConforming(): boolean {
    return this.isCode && (this.high & DESCRIPTOR_EXPAND_DOWN) !== 0;
  }

  get isWritableData(): boolean {
    return (this.high & (DESCRIPTOR_S | DESCRIPTOR_CODE | DESCRIPTOR_WRITABLE)) === (DESCRIPTOR_S | DESCRIPTOR_WRITABLE);
  }

  /** Data, or code that may be read. */
  get isReadable(): boolean {
    return this.isSegment && (!(this.high & DESCRIPTOR_CODE) || (this.high & DESCRIPTOR_WRITABLE) !== 0);
  }

  /** Gates: the selector they hold. */
  get gateSelector(): number {
    return this.low >>> 16;
  }

  /** Gates: the offset, 16, 32 or (a signed number) 64 bits by the gate's type. */
  get gateOffset(): number {
    const low = (this.type & 8 ? (this.low & 0xffff) | (this.high & 0xffff0000) : this.low & 0xffff) >>> 0;
    return low + (this.upper | 0) * TWO_32;
  }
}

/** What {@link lookDescriptor} found. */
export const FOUND = 0;
/** The selector points past the table's limit, or the table is the LDT and there is none. */
export const OUTSIDE = 1;
/** A page fault is recorded. */
export const FAULTED = 2;

/** Reads a descriptor with supervisor privilege; the null selector counts as entry 0 of the GDT. */
export function lookDescriptor(cpu: Cpu, selector: number, out: Descriptor): typeof FOUND | typeof OUTSIDE | typeof FAULTED {
  let base = cpu.gdtr.base;
  let limit = cpu.gdtr.limit;
  if (selector & 4) {
    if (cpu.state.segmentAttributes(LDTR) & UNUSABLE) return OUTSIDE;
    base = cpu.state.segmentBase(LDTR);
    limit = cpu.state.segmentLimit(LDTR);
  }
  if ((selector | 7) > limit) return OUTSIDE;
  return readEntry(cpu, cpu.wrapTable(base + (selector & 0xfff8)), out) ? FOUND : FAULTED;
}

/** Reads the eight bytes at a linear address as a descriptor; false when a page fault was recorded. */
export function readEntry(cpu: Cpu, address: number, out: Descriptor): boolean {
  if (!cpu.linear.read(address, 8, false)) return false;
  out.low = cpu.linear.value;
  out.high = cpu.linear.valueHigh;
  out.upper = 0;
  out.address = address;
  return true;
}

/** Reads the upper half of a sixteen-byte descriptor of a table; #GP(selector) past its end, or when the type field there is not zero. */
export function readUpper(cpu: Cpu, selector: number, out: Descriptor): boolean {
  const limit = selector & 4 ? cpu.state.segmentLimit(LDTR) : cpu.gdtr.limit;
  if ((selector & 0xfff8) + 15 > limit) return cpu.selectorFault(VECTOR_GP, selector);
  if (!cpu.linear.read(out.address + 8, 8, false)) return false;
  if (cpu.linear.valueHigh & DESCRIPTOR_TYPE) return cpu.selectorFault(VECTOR_GP, selector);
  out.upper = cpu.linear.value;
  return true;
}

/** Reads a descriptor; past the table's end it raises `vector` with the selector. */
export function readDescriptor(cpu: Cpu, selector: number, vector: number, out: Descriptor): boolean {
  const found = lookDescriptor(cpu, selector, out);
  return found === FOUND || (found === OUTSIDE && cpu.selectorFault(vector, selector));
}

/** Writes the second dword back with bits set: accessed (SDM 3.4.5.1) and busy. */
export function markDescriptor(cpu: Cpu, descriptor: Descriptor, bits: number): boolean {
  if ((descriptor.high & bits) === bits) return true;
  const high = descriptor.high | bits;
  if (!cpu.linear.write(cpu.wrapTable(descriptor.address + 4), 4, high, false)) return false;
  descriptor.high = high;
  return true;
}

/** Sets the accessed bit in memory, when it is not set. */
export function markAccessed(cpu: Cpu, descriptor: Descriptor): boolean {
  return markDescriptor(cpu, descriptor, DESCRIPTOR_ACCESSED);
}

/** True for the four null selectors. */
export function isNull(selector: number): boolean {
  return (selector & SELECTOR_MASK) === 0;
}
