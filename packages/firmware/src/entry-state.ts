/**
 * The CPU as a boot protocol hands it to a kernel: plain data that whoever owns the vCPU puts into it. Loaders write the
 * descriptor table that goes with it into guest memory, so that reloading a segment register changes nothing.
 */
import { ByteWriter } from "./byte-writer.ts";

/** A segment register with its hidden part. */
export interface SegmentEntry {
  selector: number;
  base: number;
  /** In bytes, granularity applied. */
  limit: number;
  /** Second dword of the descriptor masked with 0x00f0ff00: type, S, DPL, P, AVL, L, D/B, G. */
  attributes: number;
}

/** The general registers at entry. */
export interface EntryRegisters {
  eax: number; ebx: number; ecx: number; edx: number;
  esi: number; edi: number; ebp: number; esp: number;
  eip: number;
  /** Bit 1 set; IF clear. */
  eflags: number;
}

/** Everything a boot protocol defines about the CPU. What stands nowhere here keeps its value after reset. */
export interface EntryState {
  mode: "real" | "protected";
  registers: EntryRegisters;
  segments: Record<"es" | "cs" | "ss" | "ds" | "fs" | "gs", SegmentEntry>;
  gdt: { base: number; limit: number };
  idt: { base: number; limit: number };
  cr0: number;
}

/** Puts bytes into guest RAM at a physical address. */
export type PhysicalWrite = (physical: number, bytes: Uint8Array) => void;

const CR0_PE = 1 << 0;
const CR0_ET = 1 << 4;
/** Flat 4 GiB, ring 0, present, 32-bit, accessed: execute/read code and read/write data. */
const FLAT_CODE = 0x00cf9b00;
const FLAT_DATA = 0x00cf9300;

/** Selector of the flat code segment that Linux and multiboot kernels expect (`__BOOT_CS`). */
export const BOOT_CS = 0x10;
/** Selector of the flat data segment (`__BOOT_DS`). */
export const BOOT_DS = 0x18;

/** The table behind {@link protectedEntry}: null, unused, flat code, flat data. */
export function flatGdt(): Uint8Array {
  const descriptor = (high: number): number[] => [0xffff, high >>> 0];
  return [[0, 0], [0, 0], descriptor(FLAT_CODE), descriptor(FLAT_DATA)]
    .reduce((table, [low, high]) => table.u32(low!).u32(high!), new ByteWriter())
    .finish();
}

/** 32-bit protected mode with flat segments, paging and interrupts off; `gdt` is where {@link flatGdt} was written. */
export function protectedEntry(gdt: number, registers: Partial<EntryRegisters>): EntryState {
  const code = { selector: BOOT_CS, base: 0, limit: 0xffff_ffff, attributes: FLAT_CODE };
  const data = { selector: BOOT_DS, base: 0, limit: 0xffff_ffff, attributes: FLAT_DATA };
  return {
    mode: "protected",
    registers: { ...noRegisters, ...registers },
    segments: { es: data, cs: code, ss: data, ds: data, fs: data, gs: data },
    gdt: { base: gdt, limit: 31 },
    idt: { base: 0, limit: 0 },
    cr0: CR0_ET | CR0_PE,
  };
}

/** Real mode with every data segment at `segment` and CS:IP as given; interrupts off. */
export function realEntry(segment: number, cs: number, registers: Partial<EntryRegisters>): EntryState {
  const real = (selector: number): SegmentEntry => ({ selector, base: selector * 16, limit: 0xffff, attributes: 0x00009300 });
  const data = real(segment);
  return {
    mode: "real",
    registers: { ...noRegisters, ...registers },
    segments: { es: data, cs: real(cs), ss: data, ds: data, fs: data, gs: data },
    gdt: { base: 0, limit: 0xffff },
    idt: { base: 0, limit: 0x3ff },
    cr0: CR0_ET,
  };
}

const noRegisters: EntryRegisters = {
  eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, ebp: 0, esp: 0, eip: 0, eflags: 2,
};
