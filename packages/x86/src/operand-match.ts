/**
 * Which forms of the tables the operands of an assembly line fit, and with what operand size. The operand size must follow from a register, a size
 * word or the default of the code segment, never from which encoding is shorter.
 */
import { evaluate, type Lookup } from "./assembly-expression.ts";
import type { Meaning } from "./assembly-mnemonics.ts";
import type { OperandSyntax } from "./assembly-operand.ts";
import { type Form, type Operand, sizeOf } from "./form.ts";
import { generalWidth } from "./register-names.ts";

/** Prefix words before a mnemonic. Sizes are 0 when absent. */
export interface PrefixSyntax {
  readonly lock: boolean;
  /** 0xf2, 0xf3 or 0. */
  readonly repeat: number;
  /** Segment register number, or -1. */
  readonly segment: number;
  readonly operandSize: number;
  readonly addressSize: number;
}

/** What the encoder must know about the place of the instruction. */
export interface EncodingContext {
  readonly bits: 16 | 32 | 64;
  readonly address: bigint;
  readonly lookup: Lookup;
  /** Every value must be known and in range: the last pass. */
  readonly final: boolean;
  /** A jump that was found not to reach with one byte stays long. */
  readonly long: boolean;
}

/** A form that fits. */
export interface Match {
  readonly form: Form;
  readonly operandSize: number;
  readonly meaning: Meaning;
  /** Bytes of memory when the source does not say how many, else 0. */
  readonly assumedSize: number;
  /** Operands in the order of the form; an implied one is `undefined`. */
  readonly operands: readonly (OperandSyntax | undefined)[];
}

const ANY_SIZE = new Set(["", "p", "s", "a", "env", "save", "fx"]);
/** Size notations that change with the operand size. */
export const SCALABLE = new Set(["v", "z", "y"]);

/** Whether an operand asks for a far transfer. */
export function isFar(operand: OperandSyntax): boolean {
  return operand.distance === "far" || operand.selector !== undefined;
}

/** Ways to lay the written operands over a form's: all, without ST0 and XMM0, with ST1 implied, or none of a string instruction. */
export function arrangements(form: Form, written: readonly OperandSyntax[]): (OperandSyntax | undefined)[][] {
  const implied = form.operands.map((o) => o.kind === "ST0" || o.kind === "XMM0");
  const ways: (OperandSyntax | undefined)[][] = [];
  if (form.operands.length === written.length) ways.push([...written]);
  if (implied.includes(true) && written.length === implied.filter((i) => !i).length) {
    let next = 0;
    ways.push(implied.map((i) => (i ? undefined : written[next++])));
  }
  if (written.length === 0 && form.operands.length === 2 && (form.stackRegister || form.operands.some((o) => o.kind === "X" || o.kind === "Y"))) ways.push([undefined, undefined]);
  if (written.length === form.operands.length - 1 && form.operands.at(-1)!.kind === "I") ways.push([...written, undefined]);
  if ((form.mnemonic === "XCHG" || form.mnemonic === "TEST") && written.length === 2 && form.operands.length === 2) ways.push([written[1], written[0]]);
  if (form.mnemonic === "IMUL" && form.operands.length === 3 && written.length === 2) ways.push([written[0], written[0], written[1]]);
  return ways;
}

/** The operand sizes with which `operands` fit `form`. */
export function matchForm(form: Form, operands: (OperandSyntax | undefined)[], meaning: Meaning, prefix: PrefixSyntax, context: EncodingContext): Match[] {
  if (form.operands.at(-1)?.kind === "I" && (operands.at(-1) === undefined) !== (meaning.predicate >= 0)) return [];
  const codeSize = context.bits / 8;
  const standard = context.bits === 64 ? (form.forced64 || form.default64 || form.rexW ? 8 : 4) : codeSize;
  const sizes = context.bits === 64 ? (form.forced64 || form.rexW ? [8] : form.default64 ? [8, 2] : [4, 2, 8]) : codeSize === 4 ? [4, 2] : [2, 4];
  const wanted = meaning.operandSize !== 0 ? meaning.operandSize : prefix.operandSize;
  const found: Match[] = [];
  for (const operandSize of sizes) {
    if (wanted !== 0 && wanted !== operandSize) continue;
    const evidence = { operandSize: wanted !== 0 || operandSize === standard, assumedSize: 0 };
    const fits = form.operands.every((operand, n) => matchOperand(operand, operands[n], operandSize, evidence, form, context));
    if (fits && evidence.operandSize) found.push({ form, operandSize, meaning, assumedSize: evidence.assumedSize, operands });
  }
  return found;
}

function matchOperand(
  operand: Operand, written: OperandSyntax | undefined, operandSize: number, evidence: { operandSize: boolean; assumedSize: number }, form: Form,
  context: EncodingContext,
): boolean {
  if (written === undefined) return true;
  const size = sizeOf(operand.size, operandSize);
  const { register, memory } = written;
  const scalable = SCALABLE.has(operand.size);
  if (memory !== undefined) {
    if (!"EMQWO".includes(operand.kind)) return false;
    if (operand.kind === "O" && (memory.base !== undefined || memory.index !== undefined || memory.relative)) return false;
    if (operand.size === "p") {
      if ((written.distance === "far") !== (form.mnemonic === "JMPF" || form.mnemonic === "CALLF")) return false;
      if (written.size !== 0) evidence.operandSize = true;
      return written.size === 0 || written.size === operandSize;
    }
    if (written.distance === "far") return false;
    if (written.size === 0) {
      evidence.assumedSize = size;
      return true;
    }
    if (scalable && written.size === size) evidence.operandSize = true;
    return ANY_SIZE.has(operand.size) || written.size === size;
  }
  if (register !== undefined) {
    if (register.number > 7 && context.bits !== 64) return false;
    switch (operand.kind) {
      case "E": case "R": case "G": case "B": case "Z": case "reg": {
        const width = generalWidth(register.class);
        if (operand.kind === "reg" && (register.class === "high8" || register.number !== operand.register)) return false;
        if (operand.size === "w" && (form.operands.some((o) => o.kind === "S") || form.mnemonic === "LLDT" || form.mnemonic === "LTR")) return width >= 2;
        if (width === 0 || width !== size) return false;
        if (scalable) evidence.operandSize = true;
        return true;
      }
      case "S": case "seg": return register.class === "seg" && (operand.kind === "S" || register.number === operand.register);
      case "C": return register.class === "cr" && [0, 2, 3, 4, 8].includes(register.number);
      case "D": return register.class === "dr" && register.number < 8;
      case "P": case "Q": case "N": return register.class === "mmx";
      case "V": case "W": case "U": return register.class === "xmm";
      case "XMM0": return register.class === "xmm" && register.number === 0;
      case "ST0": return register.class === "st" && register.number === 0;
      case "STi": return register.class === "st";
      default: return false;
    }
  }
  const immediate = written.immediate!;
  if (operand.kind === "A") {
    if (written.selector === undefined) return false;
    if (written.size !== 0) evidence.operandSize = true;
    return written.size === 0 || written.size === operandSize;
  }
  if (written.selector !== undefined || written.distance === "far") return false;
  if (operand.kind === "J") {
    if (written.size !== 0 && written.size !== operandSize) return false;
    if (written.size !== 0) evidence.operandSize = true;
    return written.distance === "" || (written.distance === "short") === (operand.size === "b");
  }
  if (operand.kind === "1") {
    const value = evaluate(immediate, context.lookup);
    return value !== undefined && value.constant && value.value === 1n;
  }
  if (operand.kind !== "I") return false;
  if (written.size === 0) return true;
  if (written.size > 1 && scalable) evidence.operandSize = true;
  if (written.size === 1) return size === 1;
  if (operand.size === "bs") {
    evidence.operandSize ||= written.size === operandSize;
    return written.size === operandSize;
  }
  return size !== 1 && (written.size === size || written.size === operandSize);
}
