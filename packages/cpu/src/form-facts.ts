/** What decoding an instruction asks of its form, worked out once for each: names are not compared for every instruction. */
import { DEFINITIONS } from "@doppel/semantics";
import { type Form, FORMS } from "@doppel/x86";

/** How a form's register fields are to be read. */
export const RAW = 0;
export const BYTE = 1;
export const WIDE = 2;
export const MMX = 3;
export const VECTOR = 4;

const ADDRESS_SIZED = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS", "XLAT", "LOOP", "LOOPE", "LOOPNE", "JCXZ", "MASKMOVQ", "MASKMOVDQU"]);
const REPEATABLE = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);
const ENDS = new Set([
  "JMP", "RET", "JMPF", "CALLF", "RETF", "IRET", "INT", "INT3", "INT1", "UD0", "UD1", "UD2", "HLT", "SYSENTER", "SYSEXIT", "SYSCALL", "SYSRET", "RSM",
]);

/** Facts of one form. */
export interface FormFacts {
  /** Which state the fields `reg` and `rm` name. */
  readonly reg: number;
  readonly rm: number;
  /** There is a definition of it. */
  readonly isDefined: boolean;
  /** What it does depends on the address size, also without a memory operand. */
  readonly isAddressSized: boolean;
  /** REP and REPNE mean something. */
  readonly isRepeatable: boolean;
  /** POP computes the address of its operand after it has moved rSP. */
  readonly isPop: boolean;
  readonly isConditionalJump: boolean;
  /** The next instruction is not simply the following bytes. */
  readonly endsRecords: boolean;
  readonly hasSecondImmediate: boolean;
  /** Its immediate may have 64 bits: of MOV, or the address of a moffs operand. */
  readonly hasWideImmediate: boolean;
  readonly hasOffset: boolean;
  /** VEX.vvvv names a general register. */
  readonly hasVvvv: boolean;
}

const known = new Array<FormFacts | undefined>(FORMS.length);

/** The facts of a form. */
export function factsOf(form: Form): FormFacts {
  return (known[form.id] ??= workOut(form));
}

function workOut(form: Form): FormFacts {
  const { mnemonic, operands } = form;
  return {
    reg: kindOf(form, "GPVSCD"), rm: kindOf(form, "ERQNWUZ"), isDefined: DEFINITIONS.has(mnemonic), isAddressSized: ADDRESS_SIZED.has(mnemonic),
    isRepeatable: REPEATABLE.has(mnemonic), isPop: mnemonic === "POP", isConditionalJump: mnemonic === "Jcc", endsRecords: ENDS.has(mnemonic),
    hasWideImmediate: operands.some(({ kind, size }) => kind === "O" || (kind === "I" && size === "v")), hasOffset: operands.some(({ kind }) => kind === "O"),
    hasSecondImmediate: mnemonic === "ENTER" || operands.some(({ kind }) => kind === "A"), hasVvvv: form.vex === true && operands.some(({ kind }) => kind === "B"),
  };
}

function kindOf(form: Form, letters: string): number {
  const operand = form.operands.find(({ kind }) => kind.length === 1 && letters.includes(kind));
  if (operand === undefined) return RAW;
  switch (operand.kind) {
    case "P": case "Q": case "N": return MMX;
    case "V": case "W": case "U": return VECTOR;
    case "S": case "C": case "D": return RAW;
    default: return operand.size === "b" ? BYTE : WIDE;
  }
}

/** Whether a field names a general register. */
export function isGeneral(kind: number): boolean {
  return kind === BYTE || kind === WIDE;
}
