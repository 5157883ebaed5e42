/** The code of a fuzzed program: random instructions of every form, and between them pieces that have a purpose. */
import type { Form } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import {
  compareAndJump, dword, indirectJump, interrupts, modelSpecific, noise, type Pieces, pointer, selectors, stack, storeIntoProgram, storeIntoTables, strings,
} from "./code-pieces.ts";
import { extended } from "./extended-pieces.ts";
import { farTransfer } from "./far-pieces.ts";
import { CODE_BYTES, LONG_CODE3 } from "./image-layout.ts";
import { pairs } from "./pair-pieces.ts";
import { regionPiece } from "./region-pieces.ts";
import { chooseForm, randomInstruction, type Surroundings } from "./random-instruction.ts";

const TAIL_JUMP = 5;

/** Code that random forms alone would seldom be. */
function special(random: Random, around: Surroundings, at: number): Pieces {
  if (around.regions && around.codeSize !== 2 && random.oneIn(2)) return regionPiece(random, around, at);
  switch (random.below(15)) {
    case 0: return around.changesCode ? storeIntoProgram(random, around, at) : pointer(random, around);
    case 1: return around.changesTables ? storeIntoTables(random, around) : stack(random, around);
    case 2: return noise(random);
    case 3: return selectors(random, around);
    case 4: return stack(random, around);
    case 5: case 6: return compareAndJump(random, around);
    case 7: return pairs(random, around, at);
    case 8: return strings(random, around, at);
    case 9: if (around.extended && random.oneIn(2)) return extended(random, around);
      return random.oneIn(4) ? modelSpecific(random, around) : interrupts(random, around);
    case 10: return around.codeSize !== 2 && around.selectors.includes(LONG_CODE3) && random.oneIn(3) ? farTransfer(random, around, at) : compareAndJump(random, around);
    case 11: return random.oneIn(2) ? indirectJump(random, around, at) : compareAndJump(random, around);
    default: return pointer(random, around);
  }
}

/** Code that ends with a jump to its beginning, and the offsets at which its instructions begin. */
export function programCode(random: Random, forms: readonly Form[], around: Surroundings): { code: Uint8Array; starts: number[] } {
  const code = new Uint8Array(CODE_BYTES);
  const starts: number[] = [];
  let at = 0;
  for (;;) {
    // With twice the registers more of them need good pointers.
    const pieces = random.oneIn(around.codeSize === 8 ? 4 : 6) ? special(random, around, at) : [randomInstruction(random, chooseForm(random, forms), around, at)];
    if (at + pieces.reduce((sum, { length }) => sum + length, 0) > CODE_BYTES - TAIL_JUMP) break;
    for (const bytes of pieces) {
      starts.push(at);
      code.set(bytes, at);
      at += bytes.length;
    }
  }
  starts.push(at);
  code.set(around.codeSize === 2 ? [0xe9, ...dword(-(at + 3)).slice(0, 2)] : [0xe9, ...dword(-(at + 5))], at);
  return { code, starts };
}
