/**
 * Code for what asks more of its operands than chance gives: XSETBV, XSAVE and XRSTOR with an image that may be restored, INVPCID with
 * a descriptor, RDFSBASE and its kin (SDM volume 1, chapter 13; volume 3, 4.10.4.1).
 */
import type { Random } from "../host-vectors-random.ts";
import { move, type Pieces } from "./code-pieces.ts";
import { DATA, TSS } from "./image-layout.ts";
import { type Surroundings } from "./random-instruction.ts";

/** Doublewords of the image. */
const XSAVE_WORDS = 144;
const ALIGNMENT = 64;

/** A page of data in the reach of the code's addresses. */
function place(random: Random, around: Surroundings): number {
  const within = random.below(0x1c) * ALIGNMENT;
  return around.codeSize === 2 ? within : random.pick(around.bases) + DATA + random.pick([0, 0x1000, 0x5000]) + within;
}

/** An image is cleared, written in parts, and read back, also in parts. */
function saveAndRestore(random: Random, around: Surroundings): Pieces {
  const { codeSize } = around;
  const at = place(random, around);
  const wide = codeSize === 8 && random.oneIn(2) ? [0x48] : [];
  const rm = codeSize === 2 ? 7 : 3;
  const restore = [...wide, 0x0f, 0xae, 0x28 | rm];
  const mask = (): number[] => move(around, 0, random.below(8));
  return [
    [0xfc], move(around, 7, at), move(around, 1, XSAVE_WORDS), move(around, 0, 0), codeSize === 2 ? [0x66, 0xf3, 0xab] : [0xf3, 0xab],
    move(around, 3, at), move(around, 2, 0), mask(), [...wide, 0x0f, 0xae, random.pick([0x20, 0x30]) | rm], mask(), restore,
  ];
}

/** INVPCID of each type, with a context and an address from the stack. */
function invalidate(random: Random, around: Surroundings): Pieces {
  const push = (value: number): number[] => [0x6a, value];
  const words = around.codeSize === 8 ? [push(random.below(128)), push(random.oneIn(2) ? 0 : 5)] : [push(0), push(random.below(128)), push(0), push(random.oneIn(2) ? 0 : 5)];
  return [...words, move(around, 3, random.below(4)), [0x66, 0x0f, 0x38, 0x82, 0x1c, 0x24]];
}

/** Code that only the greatest model has. */
export function extended(random: Random, around: Surroundings): Pieces {
  const { codeSize } = around;
  switch (random.below(4)) {
    case 0: return [move(around, 1, 0), move(around, 2, 0), move(around, 0, random.pick([1, 3, 3, 7])), [0x0f, 0x01, 0xd1], [0x0f, 0x01, 0xd0]];
    case 1: return codeSize === 2 ? saveAndRestore(random, around) : invalidate(random, around);
    case 2: if (codeSize === 8) return [move(around, 3, random.pick(around.bases) + random.pick([DATA, TSS, 0])), [0xf3, 0x48, 0x0f, 0xae, random.pick([0xd3, 0xdb, 0xc3, 0xcb])]];
  }
  return saveAndRestore(random, around);
}
