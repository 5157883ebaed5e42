/**
 * Short stretches of code that random forms alone would seldom be: good pointers, strings with counts, stores into the program, into
 * tables and onto what comes next, interrupts in any order. Each gives the bytes of one instruction after another.
 */
import {
  IA32_APIC_BASE, IA32_EFER, IA32_FMASK, IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_LSTAR, IA32_MTRRCAP, IA32_MTRR_DEF_TYPE, IA32_PAT,
  IA32_STAR, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_TIME_STAMP_COUNTER, IA32_TSC_ADJUST, IA32_TSC_AUX,
} from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import {
  CODE, CODE_BYTES, DATA, DIRECTORY, FREE_TSS, LONG_LDT, PAGE_1G, PAGE_2M, PAE_DIRECTORY, PAE_TABLE, STACK0, TABLE, TABLE_SELECTOR, TSS2, TSS3,
} from "./image-layout.ts";
import { edge, type Surroundings, wideAddress } from "./random-instruction.ts";

/** Bytes of instructions, one after another. */
export type Pieces = number[][];

const TWO_32 = 0x1_0000_0000;
/** MSRs that there are; those from `IA32_STAR` on, and one that is not, outside the least model. */
export const MSRS: readonly number[] = [
  IA32_TIME_STAMP_COUNTER, IA32_APIC_BASE, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_PAT, IA32_MTRR_DEF_TYPE, IA32_MTRRCAP, IA32_EFER, 0x12345678, IA32_STAR,
  IA32_LSTAR, IA32_FMASK, IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_TSC_AUX, IA32_TSC_ADJUST,
];
/** REX prefixes of operand size 8, and others; 64-bit code has half of either. */
const REX_W = 0x48;

/** The four bytes of a number's low half. */
export const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
/** The eight bytes of a signed number. */
export const quad = (value: number): number[] => [...dword(value), ...dword(Math.floor(value / TWO_32))];

/** MOV of a constant into a general register: of 64 bits in 64-bit code, else of 32. */
export function move(around: Surroundings, register: number, value: number): number[] {
  if (around.codeSize === 8) return [REX_W | (register >> 3), 0xb8 + (register & 7), ...quad(value)];
  return [...(around.codeSize === 4 ? [] : [0x66]), 0xb8 + register, ...dword(value)];
}

/** A register to point with: not the stack pointer, and not the one that counts. */
function pointerRegister(random: Random, { codeSize }: Surroundings): number {
  return codeSize === 8 && random.oneIn(2) ? 8 + random.below(8) : random.pick([0, 2, 3, 5, 6, 7]);
}

/** A register that points to data. */
export function pointer(random: Random, around: Surroundings): Pieces {
  const within = random.below(0x8000) & ~(random.oneIn(4) ? 0 : 15);
  const value = around.codeSize === 8 ? wideAddress(random, around) : around.codeSize === 4 ? DATA + within : within & 0x1fff;
  return [move(around, pointerRegister(random, around), value)];
}

/** Half of the stores hit what comes next, which is decoded already. */
export function storeIntoProgram(random: Random, around: Surroundings, at: number): Pieces {
  const offset = random.oneIn(2) ? Math.min(at + 7 + random.below(12), CODE_BYTES - 1) : random.below(around.codeBytes);
  const value = random.pick([0x90, 0x40 + random.below(16), random.below(256)]);
  // In 64-bit code also by way of another place where the program is seen.
  if (around.codeSize === 8) return [random.oneIn(3) ? [0xc6, 4, 0x25, ...dword(random.pick([...around.bases, PAGE_2M, PAGE_1G]) + CODE + offset), value] : [0xc6, 5, ...dword(offset - (at + 7)), value]];
  const target = dword(around.codeFrom + offset);
  return [around.codeSize === 4 ? [0xc6, 5, ...target, value] : [0x2e, 0xc6, 6, ...target.slice(0, 2), value]];
}

/** A store into a page table; in 64-bit code half of them with a load of CR3 behind, that forgets what was there. */
export function storeIntoTables(random: Random, around: Surroundings): Pieces {
  const entry = dword((random.below(64) << 12) | random.below(256));
  if (around.codeSize === 2) return [move(around, 1, random.below(40))];
  if (around.codeSize === 4) return [[0xc7, 5, ...dword(random.pick([TABLE, PAE_TABLE]) + 4 * random.below(64)), ...entry]];
  // Seldom one of the upper tables: little stays where it was then.
  const table = random.oneIn(8) ? random.pick([PAE_DIRECTORY, TABLE, DIRECTORY]) : PAE_TABLE;
  const address = dword(random.pick(around.bases) + table + 8 * (table === PAE_TABLE ? random.below(64) : random.below(2)));
  const store = random.oneIn(2) ? [REX_W, 0xc7, 4, 0x25, ...address, ...entry] : [0x83, 12, 0x25, ...address, random.below(128)];
  // CR3 with a process context, sometimes with the wish to keep what is known of it.
  const context = [REX_W, 0xb8, ...dword(DIRECTORY | random.below(3)), 0, 0, 0, random.pick([0, 0x80])];
  return random.oneIn(2) ? [store] : [store, random.oneIn(2) ? [0x0f, 0x20, 0xd8] : context, [0x0f, 0x22, 0xd8]];
}

/** Task registers, LDT, far pointers on the stack, and numbers that are selectors. */
export function selectors(random: Random, around: Surroundings): Pieces {
  if (around.codeSize !== 2 && random.oneIn(4)) {
    const load = [...(around.codeSize === 8 ? [REX_W] : []), 0x0f, random.pick([0xb2, 0xb4, 0xb5]), 4 | (random.pick([0, 2, 3, 5, 6, 7]) << 3), 0x24];
    return [[0x68, ...dword(random.pick(around.selectors))], [0x68, ...dword(STACK0 + random.below(2) * 0x10000)], load];
  }
  if (!random.oneIn(8)) return [move(around, random.below(3), random.oneIn(2) ? random.pick(around.selectors) : random.below(64))];
  const system = around.selectors.includes(FREE_TSS) ? [FREE_TSS, LONG_LDT] : [TSS2, TSS3, TABLE_SELECTOR];
  return [move(around, 0, random.pick(system)), [0x0f, 0, random.pick([0xd8, 0xd0])]];
}

/** A good stack pointer. */
export function stack(random: Random, around: Surroundings): Pieces {
  if (around.codeSize === 8) return [move(around, 4, random.pick(around.bases) + STACK0 + random.below(2) * 0x10000)];
  return [[0xb8 + 4, ...dword(around.codeFrom > 0xffff ? STACK0 : 0xef00).slice(0, around.codeSize)]];
}

/** A jump or call by a register, in 64-bit code also to another place where the program is seen. */
export function indirectJump(random: Random, around: Surroundings, at: number): Pieces {
  const offset = random.oneIn(2) ? Math.min(at + 12 + random.below(24), CODE_BYTES - 1) : random.below(CODE_BYTES);
  const register = random.pick([0, 2, 3, 5, 6, 7]);
  const target = around.codeSize === 8 ? random.pick(around.bases) + CODE : around.codeFrom;
  return [move(around, register, around.codeSize === 8 && random.oneIn(6) ? edge(random) : target + offset), [0xff, random.pick([0xe0, 0xd0]) | register]];
}

/** Bytes without a plan, or more prefixes than an instruction may have. */
export function noise(random: Random): Pieces {
  if (random.oneIn(8)) return [Array.from({ length: 8 + random.below(8) }, () => random.pick([0x66, 0x67, 0x2e, 0x65, 0xf2, 0xf3]))];
  return [Array.from({ length: 1 + random.below(8) }, () => random.below(256))];
}

const registers = (random: Random): number => 0xc0 | random.below(64);
const COMPARES: readonly ((random: Random, long: boolean) => number[])[] = [
  (random) => [random.pick([0x38, 0x3a, 0x39, 0x3b, 0x84, 0x85, 0x01, 0x03, 0x29, 0x2b, 0x21, 0x23, 0x09, 0x0b, 0x31, 0x33]), registers(random)],
  (random) => [0x83, 0xc0 | random.below(64), random.below(256)],
  (random) => [random.pick([0x3c, 0xa8]), random.below(256)],
  (random, long) => (long ? [0xff, 0xc0 | random.below(16)] : [random.pick([0x40, 0x48]) + random.pick([0, 1, 2, 3, 5, 6, 7])]),
  (random) => [random.pick([0x80, 0x83]), 0x38 | random.pick([3, 6, 7]), random.below(256)],
  (random) => [random.pick([0x39, 0x3b, 0x85, 0x38]), (random.below(8) << 3) | random.pick([3, 6, 7])],
];

/** Bytes that instructions with a short jump behind them, loops among them, are fused and linked for. */
export function compareAndJump(random: Random, { codeSize }: Surroundings): Pieces {
  const long = codeSize === 8;
  const first = [...(long && random.oneIn(2) ? [random.oneIn(2) ? REX_W : 0x40 | random.below(16)] : []), ...random.pick(COMPARES)(random, long)];
  const distance = random.oneIn(3) ? -first.length - 2 - random.below(12) : random.below(24);
  return [first, random.oneIn(2) || codeSize === 2 ? [0x70 + random.below(16), distance & 0xff] : [0x0f, 0x80 + random.below(16), ...dword(distance)]];
}

/** A string instruction with pointers and a count that let it do something: overlaps, page ends, the program itself. */
export function strings(random: Random, around: Surroundings, at: number): Pieces {
  const { codeSize } = around;
  const base = random.pick(around.bases);
  const place = (): number => {
    if (around.changesCode && random.oneIn(6)) return (codeSize === 8 ? base + CODE : around.codeFrom) + Math.max(0, at + random.below(64) - 16);
    return codeSize === 2 ? random.below(0x2000) : base + random.pick([DATA + 0xfc0, DATA, DATA + 0x4000, DATA + 0x3ff0]) + random.below(96);
  };
  const to = place();
  const from = random.oneIn(3) ? to + random.below(9) - 4 : place();
  const prefixes = [...(random.oneIn(6) ? [0x66] : []), ...(random.oneIn(8) ? [0x67] : []), random.pick([0xf3, 0xf3, 0xf2])];
  return [
    move(around, 6, from), move(around, 7, to), move(around, 1, random.oneIn(12) ? random.below(3000) : random.below(48)), ...(random.oneIn(5) ? [[0xfd]] : random.oneIn(2) ? [[0xfc]] : []),
    [...prefixes, ...(codeSize === 8 && random.oneIn(2) ? [REX_W] : []), random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xac, 0xae, 0xaf, 0x6c, 0x6f])],
  ];
}

/** Instructions that raise, hold back and let in interrupts, in any order. */
export function interrupts(random: Random, { codeSize }: Surroundings): Pieces {
  const ofMode = codeSize === 8 ? [[0xff, 0xc2], [0x44, 0x0f, 0x22, 0xc0]] : [[0x16, 0x17], [0x42]];
  const pieces = [[0xfa], [0xfb], [0xe6, 0x10], [0xe6, 0x21], [0x9c], [0x9d], [0x8c, 0xd0, 0x8e, 0xd0], [0x90], [0xf4], [0x9d, 0x9c], ...ofMode];
  return Array.from({ length: 3 + random.below(6) }, () => random.pick(pieces));
}

/** RDMSR, and WRMSR of what stands there. */
export function modelSpecific(random: Random, around: Surroundings): Pieces {
  return [move(around, 1, random.pick(MSRS)), [0x0f, 0x32], [0x0f, 0x30]];
}
