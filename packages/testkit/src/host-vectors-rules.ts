/**
 * What a host vector may not be asked: flags the manual leaves undefined (SDM volume 2, "Flags Affected" of each instruction; volume 1,
 * appendix A), and the few results where two processors differ by their documentation. Everything else is compared exactly.
 */
import { type Instruction, PREFIX_REP, PREFIX_REPNE, sizeOf, VECTOR_PF } from "@doppel/x86";
import { ADDRESS, type CaseRecord, GENERAL, VECTOR } from "./host-vectors-record.ts";

const CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;

/** Undefined flags of instructions for which the operands do not matter. */
const UNDEFINED: Readonly<Record<string, number>> = {
  AND: AF, OR: AF, XOR: AF, TEST: AF,
  MUL: SF | ZF | AF | PF, IMUL: SF | ZF | AF | PF, DIV: ALL, IDIV: ALL,
  AAA: OF | SF | ZF | PF, AAS: OF | SF | ZF | PF, AAM: OF | AF | CF, AAD: OF | AF | CF, DAA: OF, DAS: OF,
  BT: OF | SF | AF | PF, BTS: OF | SF | AF | PF, BTR: OF | SF | AF | PF, BTC: OF | SF | AF | PF,
  BSF: ALL & ~ZF, BSR: ALL & ~ZF,
};
const SHIFTS = new Set(["SHL", "SHR", "SAR", "SHLD", "SHRD"]);
const ROTATES = new Set(["ROL", "ROR", "RCL", "RCR"]);

function shiftCount(instruction: Instruction, input: CaseRecord): number {
  const kind = instruction.form.operands.at(-1)!.kind;
  return (kind === "I" ? instruction.immediate : kind === "reg" ? input.bytes[GENERAL + 4]! : 1) & 31;
}

/** EFLAGS bits that this instruction leaves undefined for this input. */
export function undefinedFlags(instruction: Instruction, input: CaseRecord): number {
  const { mnemonic } = instruction.form;
  const shift = SHIFTS.has(mnemonic);
  if (!shift && !ROTATES.has(mnemonic)) return UNDEFINED[mnemonic] ?? 0;
  const count = shiftCount(instruction, input);
  if (count === 0) return 0;
  const bits = 8 * sizeOf(instruction.form.operands[0]!.size, instruction.operandSize);
  let flags = count > 1 ? OF : 0;
  if (shift) flags |= AF;
  if ((mnemonic === "SHL" || mnemonic === "SHR") && count >= bits) flags |= CF;
  return flags;
}

/** Instructions that touch several stack slots in an order that no manual gives: which slot CR2 names is open, its page is not. */
const UNORDERED = new Set(["RETF", "IRET", "ENTER"]);

/** Bits of CR2 to compare after a page fault. */
export function addressMask(instruction: Instruction): number {
  return UNORDERED.has(instruction.form.mnemonic) ? ~0xfff : ~0;
}

/** Why a case is not run at all, or undefined; `expected` is the host's answer. */
export function exclusion(instruction: Instruction, input: CaseRecord, expected: CaseRecord): string | undefined {
  const { mnemonic } = instruction.form;
  const vector = expected.u32(VECTOR);
  if (mnemonic === "RETF" && vector === VECTOR_PF && expected.u32(ADDRESS) >= input.gpr(4) + 2 * instruction.operandSize) {
    return "AMD reads the outer level's stack pointer before RETF checks the selector";
  }
  if (mnemonic === "POPA" && vector === VECTOR_PF) return "AMD has loaded the registers above the slot where POPA faults";
  if ((mnemonic === "INS" || mnemonic === "OUTS") && (instruction.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0) {
    const count = instruction.addressSize === 2 ? input.u16(GENERAL + 4) : input.u32(GENERAL + 4);
    if (count === 0) return "REP INS and OUTS with a count of zero: AMD asks for the port's permission, the SDM does nothing";
  }
  if ((mnemonic === "SHLD" || mnemonic === "SHRD") && instruction.operandSize === 2 && shiftCount(instruction, input) > 16) {
    return "SHLD and SHRD of 16 bits by more than 16 are undefined";
  }
  if (instruction.form.opcode.startsWith("0F 0D") && instruction.mod === 3) return "0F 0D with a register operand is #UD on AMD, a hint on Intel";
  return undefined;
}
