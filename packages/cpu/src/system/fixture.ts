/**
 * A small machine for tests of the system half: one megabyte of RAM, a bus that remembers, and a protected-mode layout.
 *
 *   0x1000 GDT   0x1800 LDT   0x2000 IDT   0x3000 TSS (32-bit)   0x4000, 0x5000 further TSSs   0x8000.. page tables   stacks below 0x20000, 0x30000
 */
import type { PhysicalMap } from "@doppel/mmu";
import { Cpu } from "../cpu.ts";
import type { CpuOptions } from "../cpu.ts";
import { CS, DS, ES, FS, GS, SS } from "../state-layout.ts";
import { Descriptor } from "./descriptor.ts";
import { setSegment } from "./segmentation.ts";
import { SystemHelpers } from "./system-helpers.ts";

/** Where RAM begins in linear memory. */
export const RAM = 0x800000;
const RAM_SIZE = 0x100000;

export const GDT = 0x1000;
export const LDT = 0x1800;
export const IDT = 0x2000;
export const TSS = 0x3000;

/** Selectors of the layout. */
export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TSS_SELECTOR = 0x28;
export const CODE16 = 0x30;
export const DATA16 = 0x38;
/** The layout in IA-32e mode has these as well. */
export const LONG_CODE0 = 0x40;
export const LONG_CODE3 = 0x4b;
/** Sixteen bytes. */
export const LONG_TSS = 0x50;
/** From here on a test puts descriptors of its own. */
export const FREE = 0x40;
/** The same in IA-32e mode. */
export const LONG_FREE = 0x60;

/** Access bytes. */
export const CODE = 0x9a;
export const DATA = 0x92;

/** The eight bytes of a descriptor. `flags`: 4 D/B, 8 G. */
export function descriptor(base: number, limit: number, access: number, flags = 0): [number, number] {
  return [
    ((base & 0xffff) << 16) | (limit & 0xffff),
    (base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (access << 8) | ((base >>> 16) & 0xff),
  ];
}

/** The eight bytes of a gate. `access` is present, DPL and type. */
export function gate(selector: number, offset: number, access: number, count = 0): [number, number] {
  return [(selector << 16) | (offset & 0xffff), (offset & 0xffff0000) | (access << 8) | count];
}

/** The test machine. */
export class Machine {
  readonly cpu: Cpu;
  readonly helpers: SystemHelpers;
  /** RAM, from physical address 0. */
  readonly ram: DataView;
  /** What went over the bus. */
  readonly log: string[] = [];
  time = 0;

  constructor(options: Partial<CpuOptions> = {}) {
    const buffer = new ArrayBuffer(RAM + RAM_SIZE);
    const view = new DataView(buffer, RAM);
    this.ram = view;
    const inside = (a: number): boolean => a + 4 <= RAM_SIZE;
    const physical: PhysicalMap = {
      hostAddress: (page) => (page < RAM_SIZE / 4096 ? RAM + page * 4096 : -1),
      writable: () => true,
      frameOf: (page) => page,
      read8: (a) => (inside(a) ? view.getUint8(a) : 0xff),
      read16: (a) => (inside(a) ? view.getUint16(a, true) : 0xffff),
      read32: (a) => (inside(a) ? view.getUint32(a, true) : 0xffffffff),
      write8: (a, v) => void (inside(a) && view.setUint8(a, v)),
      write16: (a, v) => void (inside(a) && view.setUint16(a, v, true)),
      write32: (a, v) => void (inside(a) && view.setUint32(a, v, true)),
      aboutToWrite: (a) => (inside(a) ? RAM + a : -1),
    };
    const bus = {
      readPort: (port: number, size: number): number => (this.log.push(`in ${port.toString(16)} ${size}`), 0xa5a5a5a5),
      writePort: (port: number, size: number, value: number): void => void this.log.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`),
      readMmio: (a: number, size: number): number => (this.log.push(`read ${a.toString(16)} ${size}`), 0x12345678),
      writeMmio: (a: number, size: number, value: number): void => void this.log.push(`write ${a.toString(16)} ${size} ${value.toString(16)}`),
    };
    this.cpu = new Cpu({ buffer, tlbBase: 0x10000, physical, bus, timestamp: () => this.time, ...options });
    this.helpers = new SystemHelpers(this.cpu);
  }

  /** Puts eight bytes of a descriptor or gate. */
  put(address: number, [low, high]: readonly [number, number]): void {
    this.ram.setInt32(address, low, true);
    this.ram.setInt32(address + 4, high, true);
  }

  /** Puts consecutive doublewords. */
  words(address: number, ...values: number[]): void {
    for (const [i, value] of values.entries()) this.ram.setInt32(address + 4 * i, value, true);
  }

  word(address: number): number {
    return this.ram.getUint32(address, true);
  }

  half(address: number): number {
    return this.ram.getUint16(address, true);
  }

  /** What stands on the stack, from SS:ESP upwards. */
  stack(count: number, size = 4): number[] {
    const { state } = this.cpu;
    const at = state.segmentBase(SS) + (state.stackMask === 0xffff ? state.gpr16(4) : state.gpr32(4));
    return Array.from({ length: count }, (_, i) => (size === 2 ? this.half(at + 2 * i) : this.word(at + 4 * i)));
  }

  /** The recorded fault as a short text: vector, and error code in hexadecimal. */
  fault(status: number | boolean): string {
    if (status === 0 || status === true) return "ok";
    const { faultVector, faultCode } = this.cpu.state;
    return faultCode < 0 ? `${faultVector}` : `${faultVector}(${faultCode.toString(16)})`;
  }

  /** Flat 32-bit protected mode at level 0 or 3, with the layout above; EIP 0x7000, ESP 0x1f000 (level 0) or 0x2f000. */
  protect(cpl: 0 | 3 = 0): this {
    const { cpu } = this;
    const { state } = cpu;
    this.put(GDT + CODE0, descriptor(0, 0xfffff, CODE, 12));
    this.put(GDT + DATA0, descriptor(0, 0xfffff, DATA, 12));
    this.put(GDT + (CODE3 & ~3), descriptor(0, 0xfffff, CODE | 0x60, 12));
    this.put(GDT + (DATA3 & ~3), descriptor(0, 0xfffff, DATA | 0x60, 12));
    this.put(GDT + TSS_SELECTOR, descriptor(TSS, 0xff, 0x89));
    this.put(GDT + CODE16, descriptor(0x10000, 0xffff, CODE));
    this.put(GDT + DATA16, descriptor(0x10000, 0xffff, DATA));
    this.helpers.lgdt(0x3ff, GDT, 0);
    this.helpers.lidt(0x7ff, IDT, 0);
    cpu.cr0 |= 1;
    cpu.deriveSegments();
    this.words(TSS + 4, 0x1f000, DATA0);
    this.ram.setUint16(TSS + 102, 104, true);
    this.helpers.ltr(TSS_SELECTOR);
    const code = new Descriptor();
    const load = (segment: number, selector: number): void => {
      code.low = this.word(GDT + (selector & ~7));
      code.high = this.word(GDT + (selector & ~7) + 4) | 0x100;
      setSegment(cpu, segment, selector, code);
    };
    load(CS, cpl ? CODE3 : CODE0);
    state.cpl = cpl;
    for (const segment of [SS, DS, ES, FS, GS]) load(segment, cpl ? DATA3 : DATA0);
    state.rip = 0x7000;
    state.setGpr32(4, cpl ? 0x2f000 : 0x1f000);
    cpu.updateMode();
    return this;
  }

  /** 64-bit mode at level 0 or 3: 4-level paging with the first 2 MiB mapped to themselves, a 64-bit TSS, RIP 0x7000, RSP as {@link protect}. */
  long(cpl: 0 | 3 = 0): this {
    const { cpu } = this;
    const { state } = cpu;
    this.protect();
    this.words(0x8000, 0x9007, 0);
    this.words(0x9000, 0xa007, 0);
    this.words(0xa000, 0x87, 0);
    this.put(GDT + LONG_CODE0, descriptor(0, 0xfffff, CODE, 10));
    this.put(GDT + (LONG_CODE3 & ~3), descriptor(0, 0xfffff, CODE | 0x60, 10));
    this.put(GDT + LONG_TSS, descriptor(TSS, 0xff, 0x89));
    this.words(GDT + LONG_TSS + 8, 0, 0);
    this.words(TSS + 4, 0x1f000, 0);
    cpu.cr4 |= 0x20;
    this.helpers.writeControl(3, 0x8000, 0);
    cpu.efer = 0x900;
    this.helpers.writeControl(0, 0x80000011, 0);
    this.helpers.ltr(LONG_TSS);
    this.helpers.farJump(4, LONG_CODE0, 0x7000, 0, 0, 0);
    if (cpl === 3) {
      for (const [i, value] of [0x7000, LONG_CODE3, 2, 0x2f000, DATA3].entries()) this.words(0x1f000 - 40 + 8 * i, value, 0);
      state.setGpr32(4, 0x1f000 - 40);
      this.helpers.iret(8, 0, 0);
    }
    return this;
  }
}
