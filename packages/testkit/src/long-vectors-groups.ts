/**
 * Which instructions the 64-bit host vectors cover: one group for each form, operand size and place of the operand that a user program
 * in 64-bit code can execute.
 */
import { type Form, FORMS, type Operand } from "@doppel/x86";
import { TRANSCENDENTAL } from "./host-vectors-rules.ts";
import { WITHOUT_VECTORS } from "./host-vectors-groups.ts";

/** One row of tests. */
export interface LongGroup {
  /** Unique, and the seed of the group's inputs. */
  readonly name: string;
  readonly form: Form;
  readonly operandSize: 2 | 4 | 8;
  readonly memory: boolean;
  readonly rep: 0 | 0xf2 | 0xf3;
}

/** Features whose instructions belong to the system, or answer with facts of the host. */
const SYSTEM_FEATURES = new Set([
  "SYSCALL", "LM", "RDTSCP", "MONITOR", "SMAP", "XSAVE", "XSAVEOPT", "CLFLUSHOPT", "CLWB", "FSGSBASE", "INVPCID", "RDRAND", "RDSEED", "RDPID", "VMX", "SEP",
]);
/** Far transfers and segment loads follow the host's tables; the x87 images of 32-bit code are the same here. */
const ELSEWHERE = new Set([
  "INT3", "JMPF", "CALLF", "RETF", "IRET", "LSS", "LFS", "LGS", "LAR", "LSL", "VERR", "VERW", "FNSTENV", "FLDENV", "FNSAVE", "FRSTOR", "IN", "OUT", "INS", "OUTS",
]);
const SCALED = new Set(["v", "z", "y"]);
const SIZED = new Set(["CBW", "CWD", "PUSHF", "POPF", "LEAVE", "RET", "FXSAVE", "FXRSTOR", "PCMPESTRI", "PCMPESTRM", "NOP"]);

function operandSizes(form: Form): (2 | 4 | 8)[] {
  if (form.rexW || form.forced64) return [8];
  if (form.mnemonic === "BSWAP") return [4, 8];
  const scaled = SIZED.has(form.mnemonic) || form.operands.some(({ size }) => SCALED.has(size)) || form.default64;
  if (!scaled) return [4];
  if (form.default64) return [8, 2];
  const word = form.mandatoryPrefix === "" || form.mandatoryPrefix === "NFx" || form.operands.some(({ size }) => size === "v");
  return word && !form.vex && form.mandatoryPrefix !== "66" ? [4, 2, 8] : [4, 8];
}

function operandText(operand: Operand): string {
  return operand.kind + operand.size + (operand.register >= 0 ? String(operand.register) : "");
}

function left(form: Form): boolean {
  if (form.invalid64 || SYSTEM_FEATURES.has(form.feature) || ELSEWHERE.has(form.mnemonic) || WITHOUT_VECTORS.has(form.mnemonic) || TRANSCENDENTAL.has(form.mnemonic)) return true;
  // Without a memory operand x87 instructions are the same in every mode.
  if (form.map === 0 && form.opcodeByte >= 0xd8 && form.opcodeByte <= 0xdf && form.memoryOperand < 0) return true;
  // A load of FS or GS changes the base that the host's library relies on.
  return form.operands[0]?.kind === "S" || (form.mnemonic === "POP" && form.operands[0]?.kind === "seg") || form.operands.some(({ kind }) => kind === "C" || kind === "D");
}

/** Every group, in the order of the tables. */
export function* longGroups(): Generator<LongGroup> {
  for (const form of FORMS) {
    if (left(form)) continue;
    const places = !form.hasModrm || form.memoryOperand < 0 ? [false] : form.memoryOnly ? [true] : form.registerOnly ? [false] : [false, true];
    const reps: (0 | 0xf2 | 0xf3)[] = ["CMPS", "SCAS"].includes(form.mnemonic) ? [0, 0xf3, 0xf2] : ["MOVS", "STOS", "LODS"].includes(form.mnemonic) ? [0, 0xf3] : [0];
    for (const operandSize of operandSizes(form)) {
      for (const memory of places) {
        for (const rep of reps) {
          const parts = [form.opcode, form.mnemonic, form.operands.map(operandText).join(",")].filter((part) => part !== "").join(" ");
          yield { name: `long ${parts} ${operandSize * 8}${memory ? " memory" : ""}${rep === 0 ? "" : rep === 0xf3 ? " F3" : " F2"}`, form, operandSize, memory, rep };
        }
      }
    }
  }
}
