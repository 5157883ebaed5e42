/** Pairs of instructions that the interpreter makes one handler of, of all that it knows for a kind of code. */
import { hotShapes, shapeKey, shapeOf } from "@doppel/cpu";
import { decode, type Form, Instruction } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import { move, type Pieces, pointer } from "./code-pieces.ts";
import { randomInstruction, type Surroundings } from "./random-instruction.ts";

/** What one half of a pair has to be. */
interface Half {
  readonly form: Form;
  readonly condition: number;
  readonly key: number;
}

const STACK_POINTER = 4;
/** Tries at an instruction of the right shape: one in thirty is. */
const TRIES = 80;
const known: (readonly (readonly [Half, Half])[] | undefined)[] = [undefined, undefined];
const scratch = new Instruction();

/** All of them, for 16- and 32-bit code or for 64-bit code. */
export function pairsOf(long: boolean): readonly (readonly [Half, Half])[] {
  const half = (shape: ReturnType<typeof shapeOf>): Half => ({ form: shape.form, condition: shape.condition, key: shapeKey(shape) });
  return (known[long ? 1 : 0] ??= hotShapes(long).flatMap(({ shape, second }) => (second === undefined ? [] : [[half(shape), half(second)] as const])));
}

/** An instruction of the shape, or, where chance finds none, of its form. */
function instructionOf(random: Random, { form, condition, key }: Half, around: Surroundings, at: number): number[] {
  const long = around.codeSize === 8;
  let bytes: number[] = [];
  for (let left = TRIES; left > 0; left--) {
    bytes = randomInstruction(random, form, around, at, condition);
    decode(Uint8Array.from(bytes), 0, bytes.length, around.codeSize, scratch);
    if (shapeKey(shapeOf(scratch, long, true)) === key) break;
  }
  return bytes;
}

/** Makes the first half of a pair, where it can, point to the second one: it writes over it, or reads it. */
function aim(random: Random, around: Surroundings, first: readonly number[], at: number): Pieces {
  decode(Uint8Array.from(first), 0, first.length, around.codeSize, scratch);
  const { base, displacement } = scratch;
  if (around.codeSize === 2 || !scratch.memory || base < 0 || base === STACK_POINTER || scratch.index >= 0) return [];
  const length = move(around, base, 0).length;
  return [move(around, base, around.codeFrom + at + length + first.length - displacement + random.below(4))];
}

/** Some pairs in a row, and a good pointer before them. */
export function pairs(random: Random, around: Surroundings, at: number): Pieces {
  const out: Pieces = pointer(random, around);
  let end = at + out[0]!.length;
  const append = (pieces: Pieces): void => {
    for (const bytes of pieces) end += bytes.length;
    out.push(...pieces);
  };
  for (let left = 1 + random.below(4); left > 0; left--) {
    const [one, two] = random.pick(pairsOf(around.codeSize === 8));
    const first = instructionOf(random, one, around, end);
    if (around.changesCode && random.oneIn(4)) append(aim(random, around, first, end));
    append([first]);
    append([instructionOf(random, two, around, end)]);
  }
  return out;
}
