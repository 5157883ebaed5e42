/**
 * The disassembler: what `decode` found, in the syntax that the assembler reads (Intel order, NASM spelling). Prefixes without an effect
 * are left out.
 */
import { decode, OK } from "./decoder.ts";
import { type Form, type Operand, sizeOf } from "./form.ts";
import {
  type CodeSize, Instruction, PREFIX_LOCK, PREFIX_REP, PREFIX_REPNE, PREFIX_REX, PREFIX_SEGMENT,
} from "./instruction.ts";
import { CONDITIONS, REGISTER_NAMES } from "./register-names.ts";

/** One disassembled instruction. */
export interface Disassembly {
  /** As the assembler reads it; `db 0x..` for a byte that starts no instruction. */
  readonly text: string;
  /** Bytes; 1 where there is no instruction. */
  readonly length: number;
}

const SIZE_WORDS: Readonly<Record<number, string>> = { 1: "byte ", 2: "word ", 4: "dword ", 8: "qword ", 10: "tword ", 16: "oword " };
const STRING_SUFFIX: Readonly<Record<number, string>> = { 1: "b", 2: "w", 4: "d", 8: "q" };
/** Names by operand size 2, 4, 8. */
const SIZED: Readonly<Record<string, readonly [string, string, string]>> = {
  CBW: ["cbw", "cwde", "cdqe"], CWD: ["cwd", "cdq", "cqo"], PUSHA: ["pushaw", "pushad", ""], POPA: ["popaw", "popad", ""],
  PUSHF: ["pushfw", "pushfd", "pushfq"], POPF: ["popfw", "popfd", "popfq"], IRET: ["iretw", "iretd", "iretq"],
};
/** Instructions on which the operand size tells although no operand shows it. */
const SIZE_SENSITIVE = new Set([
  "RET", "RETF", "PUSH", "POP", "ENTER", "LEAVE", "LGDT", "LIDT", "SGDT", "SIDT", "FNSTENV", "FLDENV", "FNSAVE", "FRSTOR", "SYSRET", "SYSEXIT",
  "FXSAVE", "FXRSTOR", "XSAVE", "XRSTOR", "XSAVEOPT", "JMP", "CALL", "Jcc", "LOOP", "LOOPE", "LOOPNE", "JCXZ", "JMPF", "CALLF",
]);
const ST0_UNSAID = new Set(["FLD", "FST", "FSTP", "FXCH", "FSTPNCE"]);
const LOG2: Readonly<Record<number, number>> = { 2: 0, 4: 1, 8: 2 };

const scratch = new Instruction();

/**
 * Disassembles the instruction at `bytes[offset]`, which stands at `address` in the guest.
 *
 * @example
 * ```ts
 * disassemble(Uint8Array.of(0x83, 0xc0, 0x05), 0, 4, 0x1000); // { text: "add eax, 5", length: 3 }
 * ```
 */
export function disassemble(bytes: Uint8Array, offset: number, codeSize: CodeSize, address: number | bigint = 0): Disassembly {
  if (decode(bytes, offset, bytes.length, codeSize, scratch) !== OK) return { text: `db ${hex(BigInt(bytes[offset] ?? 0))}`, length: 1 };
  return { text: instructionText(scratch, codeSize, address), length: scratch.length };
}

/** The text of a decoded instruction that stands at `address`. */
export function instructionText(instruction: Instruction, codeSize: CodeSize, address: number | bigint = 0): string {
  const { form, operandSize } = instruction;
  const strings = form.operands.some((o) => o.kind === "X" || o.kind === "Y");
  const next = BigInt(address) + BigInt(instruction.length);
  const operands = strings ? [] : form.operands
    .filter((o) => !(o.kind === "ST0" && (instruction.memory || ST0_UNSAID.has(form.mnemonic))) && o.kind !== "XMM0")
    .map((o) => operandText(o, instruction, codeSize, next));
  const words = [...prefixWords(instruction, codeSize, strings), mnemonicText(form, instruction)];
  const far = (form.mnemonic === "JMPF" || form.mnemonic === "CALLF") && instruction.memory ? `${SIZE_WORDS[operandSize]}far ` : "";
  return words.join(" ") + (operands.length > 0 ? ` ${far}${operands.join(", ")}` : "");
}

function mnemonicText(form: Form, instruction: Instruction): string {
  const { mnemonic } = form;
  const size = LOG2[instruction.operandSize]!;
  const sized = SIZED[mnemonic];
  if (sized !== undefined) return sized[size]!;
  if (mnemonic.endsWith("cc")) return mnemonic.slice(0, -2).toLowerCase() + CONDITIONS[instruction.condition]![0]!;
  const string = form.operands.find((o) => o.kind === "X" || o.kind === "Y");
  if (string !== undefined) return mnemonic.toLowerCase() + STRING_SUFFIX[sizeOf(string.size, instruction.operandSize)]!;
  switch (mnemonic) {
    case "JCXZ": return ["jcxz", "jecxz", "jrcxz"][LOG2[instruction.addressSize]!]!;
    case "JMPF": return "jmp";
    case "CALLF": return "call";
    case "MOVD": case "PEXTRD": case "PINSRD": {
      return mnemonic.slice(0, -1).toLowerCase() + (instruction.operandSize === 8 ? "q" : "d");
    }
    default: return mnemonic.toLowerCase();
  }
}

function prefixWords(instruction: Instruction, codeSize: CodeSize, strings: boolean): string[] {
  const { form, prefixes, operandSize } = instruction;
  const words: string[] = [];
  if ((prefixes & PREFIX_LOCK) !== 0) words.push("lock");
  if (strings && form.mandatoryPrefix === "") {
    const compares = form.mnemonic === "CMPS" || form.mnemonic === "SCAS";
    if ((prefixes & PREFIX_REP) !== 0) words.push(compares ? "repe" : "rep");
    if ((prefixes & PREFIX_REPNE) !== 0) words.push("repne");
  }
  const implicit = strings || form.mnemonic === "XLAT";
  if (implicit && (prefixes & PREFIX_SEGMENT) !== 0) words.push(REGISTER_NAMES.seg[instruction.segment]!);
  if ((implicit || form.mnemonic.startsWith("LOOP") || form.mnemonic.startsWith("MASKMOV") || form.mnemonic === "MONITOR") && instruction.addressSize !== codeSize) {
    words.push(`a${instruction.addressSize * 8}`);
  }
  if (SIZE_SENSITIVE.has(form.mnemonic) && !form.forced64 && form.mandatoryPrefix !== "66" || SIZE_SENSITIVE.has(form.mnemonic) && codeSize !== 8) {
    const standard = codeSize === 8 ? (form.default64 ? 8 : 4) : codeSize;
    const shown = form.operands.some((o) => ["v", "p"].includes(o.size));
    if (operandSize !== standard && !shown) words.push(`o${operandSize * 8}`);
  }
  return words;
}

function operandText(operand: Operand, instruction: Instruction, codeSize: CodeSize, next: bigint): string {
  const size = sizeOf(operand.size, instruction.operandSize);
  switch (operand.kind) {
    case "E": case "R": case "Q": case "W": case "M": case "N": case "U":
      if (instruction.memory) return memoryText(operand, instruction, codeSize, next);
      if (operand.kind === "Q" || operand.kind === "N") return REGISTER_NAMES.mmx[instruction.rm]!;
      if (operand.kind === "W" || operand.kind === "U") return REGISTER_NAMES.xmm[instruction.rm]!;
      return general(instruction.rm, size, instruction);
    case "G": return general(instruction.reg, size, instruction);
    case "B": return general(instruction.vvvv, size, instruction);
    case "Z": return general(instruction.rm, size, instruction);
    case "reg": return general(operand.register, size, instruction);
    case "P": return REGISTER_NAMES.mmx[instruction.reg]!;
    case "V": return REGISTER_NAMES.xmm[instruction.reg]!;
    case "S": return REGISTER_NAMES.seg[instruction.reg]!;
    case "seg": return REGISTER_NAMES.seg[operand.register]!;
    case "C": return `cr${instruction.reg}`;
    case "D": return `dr${instruction.reg}`;
    case "ST0": return "st0";
    case "STi": return `st${instruction.rm}`;
    case "1": return "1";
    case "O": return memoryText(operand, instruction, codeSize, next);
    case "A": return `${instruction.operandSize === codeSize ? "" : SIZE_WORDS[instruction.operandSize]}${hex(BigInt(instruction.immediate2))}:${hex(BigInt.asUintN(instruction.operandSize * 8, BigInt(instruction.immediate)))}`;
    case "J": return hex(BigInt.asUintN(instruction.operandSize * 8, next + BigInt(instruction.immediate)));
    default: return immediateText(operand, instruction);
  }
}

function immediateText(operand: Operand, instruction: Instruction): string {
  if (instruction.form.mnemonic === "ENTER" && operand.size === "b") return hex(BigInt(instruction.immediate2));
  const full = (BigInt(instruction.immediateHigh) << 32n) | BigInt(instruction.immediate >>> 0);
  const pushes = instruction.form.mnemonic === "PUSH";
  if (operand.size === "bs" || operand.size === "z" && instruction.operandSize === 8 || pushes) return full < 0n ? `-${hex(-full)}` : hex(full);
  return hex(BigInt.asUintN(sizeOf(operand.size, instruction.operandSize) * 8, full));
}

function general(number: number, size: number, instruction: Instruction): string {
  if (size === 1) return number >= 4 && (instruction.prefixes & PREFIX_REX) === 0 ? REGISTER_NAMES.high8[number]! : REGISTER_NAMES.r8[number]!;
  return REGISTER_NAMES[size === 2 ? "r16" : size === 8 ? "r64" : "r32"][number]!;
}

function memoryText(operand: Operand, instruction: Instruction, codeSize: CodeSize, next: bigint): string {
  const { base, index, scale, addressSize, form } = instruction;
  const displacement = BigInt.asIntN(64, (BigInt(instruction.displacementHigh) << 32n) | BigInt(instruction.displacement >>> 0));
  const names = REGISTER_NAMES[addressSize === 2 ? "r16" : addressSize === 4 ? "r32" : "r64"];
  const segment = (instruction.prefixes & PREFIX_SEGMENT) !== 0 ? `${REGISTER_NAMES.seg[instruction.segment]}:` : "";
  const sizeWord = form.mnemonic === "JMPF" || form.mnemonic === "CALLF" ? "" : SIZE_WORDS[sizeOf(operand.size, instruction.operandSize)] ?? "";
  let inner: string;
  if (instruction.ripRelative) inner = `${addressSize === 4 ? "dword " : ""}rel ${segment}${hex(BigInt.asUintN(addressSize * 8, next + displacement))}`;
  else if (base < 0 && index < 0) {
    const word = operand.kind === "O" && codeSize === 8 || addressSize !== codeSize ? SIZE_WORDS[addressSize]! : "";
    inner = word + segment + hex(BigInt.asUintN(addressSize * 8, displacement));
  } else {
    const parts = base >= 0 ? [names[base]!] : [];
    if (index >= 0) parts.push(scale > 0 || base < 0 ? `${names[index]}*${1 << scale}` : names[index]!);
    inner = segment + parts.join("+");
    if (displacement !== 0n) inner += displacement < 0n ? `-${hex(-displacement)}` : `+${hex(displacement)}`;
  }
  return `${sizeWord}[${inner}]`;
}

function hex(value: bigint): string {
  return value < 10n ? `${value}` : `0x${value.toString(16)}`;
}
