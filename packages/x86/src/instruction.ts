/**
 * A decoded instruction: the mutable record that `decode` fills and its caller reuses (SDM volume 2, chapter 2).
 */

import { FORMS, type Form } from "./form.ts";

/** Bits of `Instruction.prefixes`. Of F2 and F3 only the last one is set. */
export const PREFIX_LOCK = 1;
/** F3: REP, REPE, or mandatory. */
export const PREFIX_REP = 2;
/** F2: REPNE, or mandatory. */
export const PREFIX_REPNE = 4;
/** 66. */
export const PREFIX_OPERAND = 8;
/** 67. */
export const PREFIX_ADDRESS = 16;
/** A segment override that has an effect. */
export const PREFIX_SEGMENT = 32;
/** A REX prefix directly before the opcode, or a VEX prefix. */
export const PREFIX_REX = 64;
/** REX.W or VEX.W: operand size 8. */
export const PREFIX_REX_W = 128;
/** REX.R: high bit of ModRM.reg. */
export const PREFIX_REX_R = 256;
/** REX.X: high bit of the index. */
export const PREFIX_REX_X = 512;
/** REX.B: high bit of ModRM.rm, the base, or the opcode's register. */
export const PREFIX_REX_B = 1024;

/** Bytes of the default operand size of a code segment: 2, 4, or 8 for 64-bit code. */
export type CodeSize = 2 | 4 | 8;

/** One decoded instruction. Fields that a form does not use keep no meaningful value, save those that say what they are then. */
export class Instruction {
  /** The line of the tables. */
  form: Form = FORMS[0]!;
  /** Bytes, 1 to 15. */
  length = 0;
  /** Effective operand size, of the operands with size `v`; `z` is the same but 4 at most, `y` is 8 with 8 and else 4. */
  operandSize: 2 | 4 | 8 = 4;
  /** Effective address size. */
  addressSize: 2 | 4 | 8 = 4;
  /** Bits `PREFIX_*`. */
  prefixes = 0;
  /** Effective segment of the ModRM, moffs, X or XLAT operand: 0 to 5 are ES CS SS DS FS GS. A Y operand is always in ES. */
  segment = 3;
  /** The ModRM byte, or 0. */
  modrm = 0;
  /** ModRM.mod; 3 where it is ignored or absent. */
  mod = 0;
  /** ModRM.reg with REX.R (0 to 7 for MMX and segment registers). */
  reg = 0;
  /** ModRM.rm with REX.B; the register of a `Z` operand; i of ST(i). */
  rm = 0;
  /** VEX.vvvv: register number of a `B` operand. */
  vvvv = 0;
  /** The operand is in memory: ModRM memory, moffs, string or XLAT. */
  memory = false;
  /** Base register number, or -1. */
  base = -1;
  /** Index register number, or -1. */
  index = -1;
  /** Shift of the index, 0 to 3. */
  scale = 0;
  /** The displacement is relative to the address of the next instruction. */
  ripRelative = false;
  /** Sign-extended to 32 bits; the low half of a moffs. */
  displacement = 0;
  /** The high half of a moffs; else the sign of the displacement. */
  displacementHigh = 0;
  /** First immediate, relative branch distance (sign-extended) or offset of a far pointer: low 32 bits, as an i32. */
  immediate = 0;
  /** High 32 bits of the immediate, as an i32. */
  immediateHigh = 0;
  /** ENTER's nesting level; selector of a far pointer. */
  immediate2 = 0;
  /** Condition code 0 to 15 of Jcc, SETcc and CMOVcc. */
  condition = 0;
}
