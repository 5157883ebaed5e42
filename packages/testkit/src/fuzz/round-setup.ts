/**
 * Instructions that make others' operands good: pointers to data that differ from round to round, small counts, words in memory. None of them
 * changes a flag, so that flags go on from one random instruction to the next.
 */
import type { Random } from "../host-vectors-random.ts";
import { dword, move } from "./code-pieces.ts";
import { DATA, STACK0, STACK3 } from "./image-layout.ts";
import type { Surroundings } from "./random-instruction.ts";

/** Memory that 16-bit addresses reach; nothing else lies there. */
export const LOW_DATA = 0xc000;
/** Number of the round, in a page that nothing else writes. */
const CURSOR = 0xf000;
/** Goals of pointers lie in so many bytes of data; what is added to one stays in mapped memory. */
const GOALS = 0x5000;
const LOW_GOALS = 0x1000;
const PAGE = 0x1000;
const SP = 4;

const isLong = ({ codeSize }: Surroundings): boolean => codeSize === 8;
/** REX, in 64-bit code; the registers' numbers as they stand in ModRM.reg, SIB.index and ModRM.rm or SIB.base. */
const rex = (around: Surroundings, wide: boolean, reg: number, index: number, rm: number): number[] =>
  (isLong(around) ? [0x40 | (wide ? 8 : 0) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (rm >> 3)] : []);

/** MOVZX of a byte register: a number below 256 that differs from round to round. */
export function small(random: Random, around: Surroundings, register: number): number[] {
  const from = random.below(4);
  return [...rex(around, false, register, 0, from), 0x0f, 0xb6, 0xc0 | ((register & 7) << 3) | from];
}

/** LEA of a register times 1, 2, 4 or 8 and a displacement. */
export function scaled(around: Surroundings, to: number, index: number, scale: number, displacement: number): number[] {
  return [...rex(around, true, to, index, 0), 0x8d, ((to & 7) << 3) | 4, (scale << 6) | ((index & 7) << 3) | 5, ...dword(displacement)];
}

/** ModRM and what follows it for memory at an address that 32 bits name. */
export const absolute = ({ codeSize }: Surroundings, reg: number, address: number): number[] =>
  (codeSize === 8 ? [((reg & 7) << 3) | 4, 0x25, ...dword(address)] : [((reg & 7) << 3) | 5, ...dword(address)]);

/** MOV of a constant into 2 or 4 bytes of memory. */
export const poke = (around: Surroundings, size: 2 | 4, address: number, value: number): number[] =>
  [...(size === 2 ? [0x66] : []), 0xc7, ...absolute(around, 0, address), ...dword(value).slice(0, size)];

/** MOV of a register, as wide as an address, into memory. */
export const save = (around: Surroundings, register: number, address: number): number[] => [...rex(around, true, register, 0, 0), 0x89, ...absolute(around, register, address)];

/** Data at an address below 2^31: half of it on a boundary of 64 bytes, most of it on one of 16, some across the end of a page. */
export function goal(random: Random, short = false): number {
  const from = short ? LOW_DATA : DATA;
  if (random.oneIn(16)) return from + random.below((short ? LOW_GOALS : GOALS) / PAGE) * PAGE + PAGE - 1 - random.below(16);
  const within = random.below(short ? LOW_GOALS : GOALS);
  return from + (within & ~(random.oneIn(2) ? 63 : random.oneIn(4) ? 0 : 15));
}

/** Whether a displacement may be so much. */
const fits = (value: number): boolean => value >= -0x8000_0000 && value < 0x8000_0000;

/** Gives a register an address: a constant, or, where there is a step, one of 256 from it on, by what a register holds. */
export function point(random: Random, around: Surroundings, register: number, address: number, step: 0 | 8 | 16 = 8): number[][] {
  if (step === 0 || register === SP || random.oneIn(4) || (isLong(around) && !fits(address))) return [move(around, register, address)];
  const first = small(random, around, register);
  return step === 8 ? [first, scaled(around, register, register, 3, address)] : [first, scaled(around, register, register, 1, 0), scaled(around, register, register, 3, address)];
}

/** A good stack pointer, now and then at the end of a page. */
export function freshStack(random: Random, around: Surroundings): number[] {
  const top = around.rounds?.level === 0 ? STACK0 : STACK3;
  const place = random.oneIn(6) ? (top & -PAGE) + random.below(10) * 4 - 16 : top - random.below(32) * 16;
  return move(around, SP, place & ~(random.oneIn(12) ? 0 : 7));
}

/** Steps the round's number and loads registers from data that it chooses: general ones of all sizes, and some XMM registers. */
export function reload(random: Random, around: Surroundings): number[][] {
  const long = isLong(around);
  const count = long ? 16 : 8;
  const by = random.below(4);
  const cursor = (opcode: number): number[] => [opcode, ...absolute(around, by, CURSOR)];
  const out = [cursor(0x8b), [0x8d, 0x40 | (by << 3) | by, 1 + 2 * random.below(40)], [0x0f, 0xb6, 0xc0 | (by << 3) | by], cursor(0x89)];
  const load = (opcode: readonly number[], register: number, wide: boolean): void => {
    out.push([...rex(around, wide, register, by, 0), ...opcode, ((register & 7) << 3) | 4, 0xc0 | (by << 3) | 5, ...dword(DATA + random.below(0x400) * 8)]);
  };
  for (let left = 3 + random.below(long ? 7 : 4); left > 0; left--) {
    const register = random.below(count);
    if (register !== SP && register !== by) load([0x8b], register, !random.oneIn(3));
  }
  for (let left = random.below(4); left > 0; left--) load([0x0f, 0x10], random.below(count), false);
  if (random.oneIn(2)) load([0x8b], by, long);
  return out;
}

/** Fills the x87 stack's upper end, or goes on with what is there: FNINIT, a control word that masks all, loads of 32, 64 and 80 bits and of integers. */
export function floats(random: Random, around: Surroundings): number[][] {
  const out: number[][] = [];
  if (!random.oneIn(4)) out.push([0xdb, 0xe3]);
  if (random.oneIn(2)) {
    const at = goal(random);
    out.push(poke(around, 2, at, controlWord(random)), [0xd9, ...absolute(around, 5, at)]);
  }
  for (let left = 1 + random.below(4); left > 0; left--) {
    const [opcode, digit] = random.pick([[0xd9, 0], [0xdd, 0], [0xdd, 0], [0xdb, 5], [0xdb, 0], [0xdf, 5], [0xdf, 4]] as const);
    const register = random.pick([0, 1, 2, 3, 6, 7]);
    if (random.oneIn(2)) out.push(small(random, around, register), [...rex(around, false, 0, register, 0), opcode, (digit << 3) | 4, 0xc0 | (register << 3) | 5, ...dword(DATA + random.below(0x400) * 16)]);
    else out.push([opcode, ...absolute(around, digit, DATA + random.below(0x500) * 16)]);
  }
  return out;
}

/** Of the FPU: all exceptions masked but for one of 24 words, any rounding and precision. */
export function controlWord(random: Random): number {
  return (random.next() & 0xf00) | (random.oneIn(24) ? random.below(64) : 0x3f) | 0x40;
}

/** The same for SSE, with flushing to zero and denormals that are zeros. */
export function controlOfSse(random: Random): number {
  return (random.next() & 0xe07f) | (random.oneIn(24) ? random.next() & 0x1f80 : 0x1f80);
}
