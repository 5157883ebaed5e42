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

/** The general registers at entry. In long mode each is the low half of its 64-bit register, whose high half is zero. */
export interface EntryRegisters {
  eax: number; ebx: number; ecx: number; edx: number;
  esi: number; edi: number; ebp: number; esp: number;
  eip: number;
  /** Bit 1 set; IF clear. */
  eflags: number;
}

/** Everything a boot protocol defines about the CPU. What stands nowhere here keeps its value after reset. */
export interface EntryState {
  /** `"long"` is 64-bit mode with paging on. */
  mode: "real" | "protected" | "long";
  registers: EntryRegisters;
  segments: Record<"es" | "cs" | "ss" | "ds" | "fs" | "gs", SegmentEntry>;
  gdt: { base: number; limit: number };
  idt: { base: number; limit: number };
  cr0: number;
  /** Physical address of the top page table; 0 while paging is off. */
  cr3: number;
  cr4: number;
  /** IA32_EFER, low half. */
  efer: number;
}

/** Puts bytes into guest RAM at a physical address. */
export type PhysicalWrite = (physical: number, bytes: Uint8Array) => void;

const CR0_PE = 1 << 0;
const CR0_ET = 1 << 4;
const CR0_PG = 2 ** 31;
const CR4_PAE = 1 << 5;
const EFER_LME = 1 << 8;
const EFER_LMA = 1 << 10;
/** Flat 4 GiB, ring 0, present, 32-bit, accessed: execute/read code and read/write data. */
const FLAT_CODE = 0x00cf9b00;
const FLAT_DATA = 0x00cf9300;
/** The same code segment with L instead of D: 64-bit. */
const LONG_CODE = 0x00af9b00;

/** Selector of the flat code segment that Linux and multiboot kernels expect (`__BOOT_CS`). */
export const BOOT_CS = 0x10;
/** Selector of the flat data segment (`__BOOT_DS`). */
export const BOOT_DS = 0x18;

/** The table behind {@link protectedEntry}: null, unused, flat code, flat data. */
export function flatGdt(): Uint8Array {
  return descriptorTable(FLAT_CODE);
}

/** The table behind {@link longEntry}: the same selectors, with 64-bit code. */
export function longGdt(): Uint8Array {
  return descriptorTable(LONG_CODE);
}

function descriptorTable(code: number): Uint8Array {
  return [[0, 0], [0, 0], [0xffff, code], [0xffff, FLAT_DATA]]
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
    cr0: CR0_ET | CR0_PE, cr3: 0, cr4: 0, efer: 0,
  };
}

/**
 * 64-bit mode with interrupts off; `gdt` is where {@link longGdt} was written and `tables` where the page tables of
 * `identityTables` are.
 */
export function longEntry(gdt: number, tables: number, registers: Partial<EntryRegisters>): EntryState {
  const entry = protectedEntry(gdt, registers);
  return {
    ...entry, mode: "long",
    segments: { ...entry.segments, cs: { ...entry.segments.cs, attributes: LONG_CODE } },
    cr0: CR0_PG + CR0_ET + CR0_PE, cr3: tables, cr4: CR4_PAE, efer: EFER_LME | EFER_LMA,
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
    cr0: CR0_ET, cr3: 0, cr4: 0, efer: 0,
  };
}

const noRegisters: EntryRegisters = {
  eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, ebp: 0, esp: 0, eip: 0, eflags: 2,
};
