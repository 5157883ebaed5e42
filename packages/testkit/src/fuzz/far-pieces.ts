/**
 * Transfers between the kinds of code of IA-32e mode and between its levels: far returns and jumps, IRET, and the fast calls (SDM
 * volume 3, 5.8). What they lead to is the same program, decoded as the other kind of code would.
 */
import type { Random } from "../host-vectors-random.ts";
import { dword, move, type Pieces } from "./code-pieces.ts";
import { CODE0, CODE16_3, CODE3, CODE_BYTES, DATA0, FAST_CODE3, GATE_INNER, GATE_SAME, LONG_CODE0, LONG_CODE3, LONG_CONFORMING, LONG_DATA3, STACK3 } from "./image-layout.ts";
import type { Surroundings } from "./random-instruction.ts";

const TARGETS = [LONG_CODE0, LONG_CODE3, LONG_CODE3, CODE0, CODE3, CODE3, FAST_CODE3, CODE16_3, LONG_CONFORMING];
const CALLED = [...TARGETS, GATE_INNER, GATE_SAME];
const push = (value: number): number[] => [0x68, ...dword(value)];
const PUSHF = [0x9c], PUSH_SP = [0x54], SYSCALL = [0x0f, 0x05], SWAPGS = [0x0f, 0x01, 0xf8], SYSENTER = [0x0f, 0x34];

/** A transfer from 64-bit code or from 32-bit code of compatibility mode. */
export function farTransfer(random: Random, around: Surroundings, at: number): Pieces {
  const long = around.codeSize === 8;
  // Where the program goes on when the target is read as the code that it was made for: some instructions later.
  const offset = around.codeFrom + (random.oneIn(2) ? Math.min(at + 40, CODE_BYTES - 1) : random.below(CODE_BYTES));
  const rex = long && !random.oneIn(8) ? [0x48] : [];
  const kind = random.below(long ? 8 : 5);
  switch (kind) {
    case 0: return [push(random.pick(TARGETS)), push(offset), [...rex, ...random.pick([[0xcb], [0xca, 8, 0]])]];
    case 1: return [push(random.pick([LONG_DATA3, LONG_DATA3, DATA0, 0])), PUSH_SP, PUSHF, push(random.pick(TARGETS)), push(offset), [...rex, 0xcf]];
    case 2: {
      // A far pointer on the stack, for JMP or CALL.
      const modrm = random.pick([0x2c, 0x1c]);
      if (!long) return [push(random.pick(CALLED)), push(offset), [0xff, modrm, 0x24]];
      return [push(offset), [0xc7, 0x44, 0x24, 4, ...dword(random.pick(CALLED))], [0xff, modrm, 0x24]];
    }
    case 3: return [SYSENTER];
    case 4: return [move(around, 2, offset), move(around, 1, random.pick(around.bases) + STACK3), [...(random.oneIn(2) ? rex : []), 0x0f, 0x35]];
    case 5: return [SYSCALL];
    case 6: return [SWAPGS, [0x65, 0x48, 0x8b, 0x04, 0x25, ...dword(random.below(0x100))]];
    default: return [move(around, 1, offset), move(around, 11, 0x202 | random.below(0x1000)), [...(random.oneIn(3) ? [] : rex), 0x0f, 0x07]];
  }
}
