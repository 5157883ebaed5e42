/**
 * What a host vector may not be asked: flags the manual leaves undefined (SDM volume 2, "Flags Affected" of each instruction; volume 1,
 * appendix A), and the few results where two processors differ by their documentation. Everything else is compared exactly.
 */
import { FPU_PE, FPU_UE, FSW_B, FSW_ES, FSW_SF, type Instruction, PREFIX_REP, PREFIX_REPNE, sizeOf, VECTOR_AC, VECTOR_PF } from "@doppel/x86";
import { ADDRESS, BEHIND_READ_ONLY, type CaseRecord, FCW, FSW, GENERAL, ST, VECTOR } from "./host-vectors-record.ts";

const CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;

/** Undefined flags of instructions for which the operands do not matter. */
const UNDEFINED: Readonly<Record<string, number>> = {
  AND: AF, OR: AF, XOR: AF, TEST: AF,
  MUL: SF | ZF | AF | PF, IMUL: SF | ZF | AF | PF, DIV: ALL, IDIV: ALL,
  AAA: OF | SF | ZF | PF, AAS: OF | SF | ZF | PF, AAM: OF | AF | CF, AAD: OF | AF | CF, DAA: OF, DAS: OF,
  BT: OF | SF | AF | PF, BTS: OF | SF | AF | PF, BTR: OF | SF | AF | PF, BTC: OF | SF | AF | PF,
  BSF: ALL & ~ZF, BSR: ALL & ~ZF, TZCNT: OF | SF | PF | AF, LZCNT: OF | SF | PF | AF,
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

/** Instructions that make several accesses in an order that no manual gives: which of them CR2 names is open, its page is not. */
const UNORDERED = new Set(["RETF", "IRET", "ENTER", "FLDENV", "FNSTENV", "FRSTOR", "FNSAVE", "FXSAVE", "FXRSTOR", "MASKMOVQ", "MASKMOVDQU"]);

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
  if (mnemonic === "RETF" && vector === VECTOR_AC && instruction.form.operands.length > 0) return "AMD reads the outer level's stack pointer before RETF checks the selector";
  if (mnemonic.startsWith("FX") && vector === VECTOR_AC) return "a misaligned image of FXSAVE or FXRSTOR is #GP or #AC, as the processor chooses";
  if (mnemonic === "FXSAVE" && vector === VECTOR_PF && operandAddress(instruction, input) < BEHIND_READ_ONLY && expected.u32(ADDRESS) >= BEHIND_READ_ONLY) {
    return "which of two pages that fault FXSAVE meets first is not said";
  }
  if (mnemonic === "ENTER" && vector === VECTOR_AC) return "AMD has pushed when a later access of ENTER faults";
  if (mnemonic.startsWith("MASKMOV") && vector === VECTOR_AC) return "AMD checks the alignment of MASKMOVQ and MASKMOVDQU, which store single bytes";
  if (mnemonic === "POPA" && vector === VECTOR_PF) return "AMD has loaded the registers above the slot where POPA faults";
  if ((mnemonic === "INS" || mnemonic === "OUTS") && (instruction.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0) {
    const count = instruction.addressSize === 2 ? input.u16(GENERAL + 4) : input.u32(GENERAL + 4);
    if (count === 0) return "REP INS and OUTS with a count of zero: AMD asks for the port's permission, the SDM does nothing";
  }
  if ((mnemonic === "SHLD" || mnemonic === "SHRD") && instruction.operandSize === 2 && shiftCount(instruction, input) > 16) {
    return "SHLD and SHRD of 16 bits by more than 16 are undefined";
  }
  if (mnemonic === "F2XM1" && !isNan(input, 0) && Math.abs(approximately(input)) > 1) return "F2XM1 is undefined beyond -1 and 1";
  if (mnemonic === "FYL2XP1" && !isNan(input, 0) && Math.abs(approximately(input)) > 1 - Math.SQRT1_2) return "FYL2XP1 is undefined beyond 1 - sqrt(1/2)";
  if (mnemonic === "MASKMOVQ" && vector === VECTOR_PF) return "AMD has changed TOP and the tags when MASKMOVQ faults";
  if (TRANSCENDENTAL.has(mnemonic) && (input.u16(FCW) & FPU_UE) === 0 && (expected.u16(FSW) & FPU_UE) !== 0) return "a transcendental function with an unmasked underflow: its result is scaled or not as its last bit falls";
  if (mnemonic.startsWith("SHA") && instruction.memory && (operandAddress(instruction, input) & 15) !== 0) return "the SDM wants SHA's memory operands aligned, AMD does not";
  if (instruction.form.opcode.startsWith("0F 0D") && instruction.mod === 3) return "0F 0D with a register operand is #UD on AMD, a hint on Intel";
  return undefined;
}

/** Instructions whose results have an error bound of one unit in the last place of the 64-bit significand (SDM volume 1, 8.3.10). */
export const TRANSCENDENTAL: ReadonlySet<string> = new Set(["F2XM1", "FYL2X", "FYL2XP1", "FPATAN", "FPTAN", "FSIN", "FCOS", "FSINCOS"]);
const C0 = 0x100, C1 = 0x200, C2 = 0x400, C3 = 0x4000;
/** Condition codes that x87 instructions leave undefined (SDM volume 2, "FPU Flags Affected"), or for which AMD's manual says otherwise. */
const UNDEFINED_CODES: Readonly<Record<string, number>> = {
  FFREE: C0 | C1 | C2 | C3, FFREEP: C0 | C1 | C2 | C3,
  // The SDM clears C1; AMD leaves it.
  FCOMI: C1, FCOMIP: C1, FUCOMI: C1, FUCOMIP: C1,
  // C1 is defined after a stack underflow only.
  FCMOVB: C1, FCMOVE: C1, FCMOVBE: C1, FCMOVU: C1, FCMOVNB: C1, FCMOVNE: C1, FCMOVNBE: C1, FCMOVNU: C1,
  // An alias that no manual describes.
  FSTPNCE: C1,
  // C1 says how the last bit was rounded, and that bit may differ.
  F2XM1: C0 | C1 | C2 | C3, FYL2X: C0 | C1 | C2 | C3, FYL2XP1: C0 | C1 | C2 | C3, FPATAN: C0 | C1 | C2 | C3,
  FPTAN: C0 | C1 | C3, FSIN: C0 | C1 | C3, FCOS: C0 | C1 | C3, FSINCOS: C0 | C1 | C3,
};

/** Bits of the x87 status word that this instruction leaves undefined for this input. */
export function undefinedStatus(instruction: Instruction, input: CaseRecord, expected: CaseRecord): number {
  const { mnemonic } = instruction.form;
  // An invalid operation and a NaN have no quotient to tell.
  if (mnemonic.startsWith("FPREM") && ((expected.u16(FSW) & 1) !== 0 || isNan(input, 0) || isNan(input, 1))) return C0 | C1 | C2 | C3;
  // A full ST(7) and an empty source are both stack faults; which of them C1 tells is not said.
  if (mnemonic === "FLD" && instruction.mod === 3 && (expected.u16(FSW) & FSW_SF) !== 0) return C1;
  // Whether a result that happens to be exact counts as rounded is not said, nor therefore underflow.
  const inexact = TRANSCENDENTAL.has(mnemonic) ? FPU_PE | FPU_UE : 0;
  return (UNDEFINED_CODES[mnemonic] ?? 0) | inexact | ((inexact & ~input.u16(FCW)) !== 0 ? FSW_ES | FSW_B : 0);
}

function isNan(record: CaseRecord, n: number): boolean {
  return (record.u16(ST + 16 * n + 8) & 0x7fff) === 0x7fff && record.u32(ST + 16 * n) + (record.u32(ST + 16 * n + 4) & 0x7fffffff) !== 0;
}

/** The value of ST(0) where it is a normal number, for range checks only. */
function approximately(record: CaseRecord): number {
  const exponent = record.u16(ST + 8);
  const magnitude = (record.u32(ST + 4) / 0x80000000) * 2 ** Math.max(-1022, Math.min(1023, (exponent & 0x7fff) - 0x3fff));
  return exponent & 0x8000 ? -magnitude : magnitude;
}

/** Linear address of the memory operand. */
export function operandAddress({ base, index, scale, displacement, addressSize }: Instruction, input: CaseRecord): number {
  const sum = displacement + (base < 0 ? 0 : input.gpr(base)) + (index < 0 ? 0 : input.gpr(index) << scale);
  return addressSize === 2 ? sum & 0xffff : sum >>> 0;
}

/** Clears in both outcomes what the processors need not agree on beyond flags: the saved x87 pointers and the words above the saved 16 bits. */
export function clearUndefined(instruction: Instruction, input: CaseRecord, outcomes: readonly CaseRecord[]): void {
  const { mnemonic } = instruction.form;
  if (mnemonic === "LAR") {
    // Bits 16 to 19 are undefined.
    for (const record of outcomes) record.bytes[GENERAL + 4 * instruction.reg + 2]! &= 0xf0;
  }
  const at = operandAddress(instruction, input);
  if (mnemonic === "FXSAVE") for (const record of outcomes) for (const [from, bytes] of [[6, 18], [28, 4]] as const) record.poke(at + from, bytes, 0);
  if (mnemonic !== "FNSTENV" && mnemonic !== "FNSAVE") return;
  const size = instruction.operandSize;
  // AMD keeps the pointers of the last instruction that raised an exception.
  for (const record of outcomes) for (let word = 3; word < 7; word++) record.poke(at + word * size, size, 0);
}
