/**
 * Stretches of 32- and 64-bit code for what regions do in ways of their own: accesses through the stack and frame pointers, at pages' ends too,
 * flags and segments that are loaded by helpers, interrupts that come behind them, and returns by IRET to what comes next.
 */
import { EFLAGS_AC, EFLAGS_DF, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import { dword, move, type Pieces } from "./code-pieces.ts";
import { CODE0, CODE3, DATA, DATA0, DATA3, LONG_CODE0, LONG_CODE3, STACK0, STACK3 } from "./image-layout.ts";
import type { Surroundings } from "./random-instruction.ts";

const SP = 4, BP = 5;
const PAGE = 0x1000;
const CPUID = [0x0f, 0xa2];

/** An address at, or near, the end of a page of stack or data; of the data's some are read-only, absent, or show the program. */
function pageEnd(random: Random, around: Surroundings): number {
  const page = random.pick([STACK0 & -PAGE, STACK3 & -PAGE, DATA + random.below(9) * PAGE]) + PAGE;
  const distance = random.oneIn(3) ? 0x80 + random.below(0x700) : random.below(80) - 20;
  return random.pick(around.bases) + page - (distance & ~(random.oneIn(6) ? 0 : around.codeSize - 1));
}

/** MOV, ADD or the like between a register and memory at a distance from the stack or frame pointer. */
function frameAccess(random: Random, { codeSize }: Surroundings): number[] {
  const rex = codeSize === 8 ? [0x40 | random.pick([0, 4, 8, 12])] : [];
  const opcode = random.pick([0x89, 0x8b, 0x89, 0x8b, 0x01, 0x03, 0x29, 0x39, 0x3b, 0x88, 0x8a, 0x87, 0x31, 0x85]);
  const register = random.pick([0, 1, 2, 3, 6, 7]) << 3;
  const displacement = (random.below(40) - 20) * (random.oneIn(8) ? 1 : 4);
  return random.oneIn(2) ? [...rex, opcode, 0x40 | register | BP, displacement & 0xff] : [...rex, opcode, 0x40 | register | 4, 0x24, displacement & 0xff];
}

/** Accesses to a frame, most of them on one page. */
export function frame(random: Random, around: Surroundings): Pieces {
  const long = around.codeSize === 8;
  const out: Pieces = [];
  if (!random.oneIn(3)) out.push(move(around, SP, pageEnd(random, around)));
  if (!random.oneIn(3)) out.push(random.oneIn(2) ? [...(long ? [0x48] : []), 0x89, 0xe5] : move(around, BP, pageEnd(random, around)));
  const wide = long ? [0x48] : [];
  for (let left = 2 + random.below(8); left > 0; left--) {
    out.push(random.pick<() => number[]>([
      () => [0x50 + random.below(8)], () => [0x50 + random.below(8)], () => [0x58 + random.pick([0, 1, 2, 3, 6, 7])], () => [0x6a, random.below(256)],
      () => frameAccess(random, around), () => frameAccess(random, around), () => frameAccess(random, around), () => frameAccess(random, around),
      () => [...wide, 0x83, random.oneIn(2) ? 0xc4 : 0xec, random.below(8) * around.codeSize], () => [...wide, 0x8d, 0x6c, 0x24, random.below(64)],
      () => [0xe8, 0, 0, 0, 0], () => [0xc8, random.below(64), 0, random.oneIn(4) ? random.below(4) : 0], () => [0xc9], () => [0x9c], () => [0xff, 0x34, 0x24], () => [0x8f, 0x44, 0x24, 8],
      () => [0x66, 0x50 + random.below(8)], () => [0xff, 0x75, random.below(128)],
    ])());
  }
  return out;
}

/** POPF of flags that regions must look at: single steps, interrupts, alignment checks; before it now and then an interrupt that waits. */
function flags(random: Random, { codeSize }: Surroundings): Pieces {
  const bits = [EFLAGS_TF, EFLAGS_IF, EFLAGS_IF, EFLAGS_AC, EFLAGS_NT, EFLAGS_DF, EFLAGS_RF, EFLAGS_IOPL];
  let image = random.below(0x100) | EFLAGS_IOPL;
  for (const bit of bits) if (random.oneIn(bit === EFLAGS_IF ? 2 : 6)) image ^= bit;
  const raise = random.oneIn(3) ? [[0xfa], [0xe6, 0x10]] : random.oneIn(3) ? [[0xe6, 0x21]] : [];
  const load = random.oneIn(4) ? [[0xfb]] : [[0x68, ...dword(image)], random.oneIn(6) && codeSize === 4 ? [0x66, 0x9d] : [0x9d]];
  return [...raise, ...load, ...(random.oneIn(2) ? [[0x9c]] : []), ...(random.oneIn(3) ? [[0xfc]] : [])];
}

/** Loads of segment registers, of selectors that leave code flat; FS and GS of any. */
function segments(random: Random, around: Surroundings): Pieces {
  const selector = random.oneIn(4) ? random.pick(around.selectors) : random.pick([DATA0, DATA3, 0]);
  const segment = random.pick([0, 3, 4, 5]);
  if (random.oneIn(3)) {
    const pop = segment === 4 || around.codeSize === 8 ? [0x0f, 0xa1] : segment === 5 ? [0x0f, 0xa9] : [segment === 0 ? 0x07 : 0x1f];
    return [[0x68, ...dword(selector)], pop];
  }
  return [move(around, 0, selector), ...(random.oneIn(6) ? [[0x0f, 0x00, 0xe8]] : []), [0x8e, 0xc0 | (segment << 3)]];
}

/** A frame on the stack and an IRET by it to what comes behind, at the same level where the selectors are of it. */
function back(random: Random, around: Surroundings): Pieces {
  const { codeSize } = around;
  const image = random.below(0x100) | (random.oneIn(2) ? EFLAGS_IF : 0) | (random.oneIn(12) ? EFLAGS_TF : 0) | EFLAGS_IOPL;
  const inner = random.oneIn(2);
  if (codeSize === 4) {
    // CALL pushes where it stands; what it pushes is made to lead behind the IRET.
    return [[0x68, ...dword(image)], random.oneIn(3) ? [0x68, ...dword(inner ? CODE0 : CODE3)] : [0x0e], [0xe8, 0, 0, 0, 0], [0x83, 0x04, 0x24, 5], [0xcf]];
  }
  return [
    [0x48, 0x89, 0xe0], [0x6a, inner ? DATA0 : DATA3], [0x50], [0x68, ...dword(image)], [0x68, ...dword(inner ? LONG_CODE0 : LONG_CODE3)],
    [0xe8, 0, 0, 0, 0], [0x48, 0x83, 0x04, 0x24, 7], [0x48, 0xcf],
  ];
}

/** One of these stretches. */
export function regionPiece(random: Random, around: Surroundings, at: number): Pieces {
  switch (random.below(12)) {
    case 0: case 1: case 2: case 3: return frame(random, around);
    case 4: case 5: return flags(random, around);
    case 6: return segments(random, around);
    case 7: return back(random, around);
    case 8: return [[0xcd, random.pick([0x20 + random.below(0x60), 0x80 + random.below(0x40), random.below(256)])]];
    case 9: return [random.pick([[0x0f, 0x31], CPUID, [0xf3, 0x90], [0x0f, 0x00, 0xe8], [0x0f, 0x02, 0xc1], [0x0f, 0x03, 0xc1]])];
    default: {
      // Through memory that shows the stack: a pointer near it, and then the frame.
      const register = random.pick([3, 6, 7]);
      return [move(around, register, pageEnd(random, around) + (at & 3)), ...frame(random, around)];
    }
  }
}
