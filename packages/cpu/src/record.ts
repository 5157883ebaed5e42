/**
 * Decoded records: what the interpreter executes. A record carries what differs between two instructions of one form:
 * register numbers as offsets in the state, displacement, immediate. It is 32 bytes, so that the next one is an addition away.
 *
 *   +0  u16 handler        +2  u16 offset of the instruction in its page (4096 and more for one that follows a page end)
 *   +4  u16 reg            +6  u16 rm         state offsets of the register operands (or raw numbers: Sreg, CR, DR, ST(i))
 *                      rm is the ModRM byte where the operand is in memory (x87 notes it as part of its last opcode)
 *   +8  u16 base           +10 u16 index      state offsets of the address registers (ZERO when absent)
 *   +12 u8  scale          +13 u8 length      +14 u16 state offset of the operand's segment
 *   +16 i32 displacement
 *   +20 i32 address mask (memory operands), second immediate, or the record that a direct jump leads to (0: not known)
 *   +24 i32 immediate, sign-extended where it is used as 64 bits, or u16 state offset of the register that VEX.vvvv names
 *   +28 u32 how often it was executed, of a pair of instructions the first; the record behind a block has it, too
 *
 * Where an immediate or a moffs address has all 64 bits, the upper half of it stands at +8, as there are no address registers then.
 */
import { type Instruction, PREFIX_REX } from "@doppel/x86";
import { BYTE, factsOf, MMX, VECTOR, WIDE } from "./form-facts.ts";
import { FPR, FPR_STRIDE, GPR, SEGMENT, SEGMENT_STRIDE, XMM, XMM_STRIDE, ZERO } from "./state-layout.ts";

export const RECORD_SIZE = 32;
export const R_HANDLER = 0;
export const R_OFFSET = 2;
export const R_REG = 4;
export const R_RM = 6;
export const R_BASE = 8;
export const R_INDEX = 10;
export const R_SCALE = 12;
export const R_LENGTH = 13;
export const R_SEGMENT = 14;
export const R_DISPLACEMENT = 16;
export const R_LINK = 20;
export const R_IMMEDIATE = 24;
/** Where the upper half of a 64-bit immediate stands. */
export const R_IMMEDIATE_HIGH = R_BASE;
export const R_EXECUTED = 28;
/** What R_LENGTH of a record is whose handler is a region. */
export const REGION_MARK = 0xff;
/** Where such a record has the number of the entry that begins there, i32. */
export const ENTRY_NUMBER = R_IMMEDIATE;
/** The forms with a VEX.vvvv operand have no immediate. */
export const R_VVVV = R_IMMEDIATE;

function registerField(kind: number, register: number, rex: boolean): number {
  switch (kind) {
    case BYTE: return rex || register < 4 ? GPR + 8 * register : GPR + 8 * (register - 4) + 1;
    case WIDE: return GPR + 8 * register;
    case MMX: return FPR + FPR_STRIDE * (register & 7);
    case VECTOR: return XMM + XMM_STRIDE * register;
    default: return register;
  }
}

/** State offset of the register that a field of an instruction names, or the field's raw number. */
export function fieldOffset(i: Instruction, field: "reg" | "rm" | "vvvv"): number {
  if (field === "vvvv") return GPR + 8 * i.vvvv;
  const facts = factsOf(i.form);
  const rex = (i.prefixes & PREFIX_REX) !== 0;
  return field === "reg" ? registerField(facts.reg, i.reg, rex) : registerField(facts.rm, i.rm, rex);
}

/** Displacement of a memory operand. */
export function displacementOf(i: Instruction): number {
  const moved = factsOf(i.form).isPop && i.base === 4 ? i.operandSize : 0;
  return i.memory ? i.displacement + moved : 0;
}

/** Whether the immediate or the moffs address of a form that may have 64 bits of it has them. */
export function isWide({ form, operandSize, addressSize }: Pick<Instruction, "form" | "operandSize" | "addressSize">): boolean {
  return (factsOf(form).hasOffset ? addressSize : operandSize) === 8;
}

/** Writes the record of a decoded instruction, in the words of linear memory. */
export function encodeRecord(words: Int32Array, at: number, handler: number, offset: number, i: Instruction): void {
  const facts = factsOf(i.form);
  const word = at >> 2;
  const rm = i.memory && i.form.memoryOperand >= 0 ? i.modrm : fieldOffset(i, "rm");
  words[word] = handler | (offset << 16);
  words[word + (R_REG >> 2)] = fieldOffset(i, "reg") | (rm << 16);
  words[word + (R_BASE >> 2)] = (i.base < 0 ? ZERO : GPR + 8 * i.base) | ((i.index < 0 ? ZERO : GPR + 8 * i.index) << 16);
  words[word + (R_SCALE >> 2)] = i.scale | (i.length << 8) | ((SEGMENT + SEGMENT_STRIDE * i.segment) << 16);
  words[word + (R_DISPLACEMENT >> 2)] = displacementOf(i);
  words[word + (R_LINK >> 2)] = i.memory ? (i.addressSize === 2 ? 0xffff : -1) : facts.hasSecondImmediate ? i.immediate2 : 0;
  words[word + (R_IMMEDIATE >> 2)] = facts.hasVvvv ? fieldOffset(i, "vvvv") : i.immediate;
  words[word + (R_EXECUTED >> 2)] = 0;
  if (facts.hasWideImmediate && isWide(i)) words[word + (R_IMMEDIATE_HIGH >> 2)] = i.immediateHigh;
}
