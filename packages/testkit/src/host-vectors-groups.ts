/**
 * Which instructions the host vectors cover: a group is one form of the opcode tables with one operand size, register or memory
 * operand, and REP prefix. The host runs user-mode 32-bit code, so what it cannot answer is left out here, with the reason.
 */
import { type Form, FORMS, type Operand } from "@doppel/x86";

/** One row of tests. */
export interface Group {
  /** Unique, and the seed of the group's inputs. */
  readonly name: string;
  readonly form: Form;
  readonly operandSize: 2 | 4;
  /** Whether the ModRM operand is in memory; false also where there is none. */
  readonly memory: boolean;
  readonly rep: 0 | 0xf2 | 0xf3;
  readonly family: Family;
}

/** The vector files. */
export const FAMILY_NAMES = ["integer", "x87", "mmx", "sse", "sse2", "sse3", "sse4", "extensions"] as const;
/** One of them. */
export type Family = (typeof FAMILY_NAMES)[number];

const FAMILIES: Readonly<Record<string, Family>> = {
  "": "integer", CX8: "integer", CMOV: "integer", CLFSH: "integer", CET_IBT: "integer", PREFETCHW: "integer", FPU: "x87", FXSR: "x87", MMX: "mmx", SSE: "sse", SSE2: "sse2", SSE3: "sse3",
  SSSE3: "sse4", SSE4_1: "sse4", SSE4_2: "sse4", AESNI: "sse4", PCLMULQDQ: "sse4", SHA: "sse4",
  POPCNT: "extensions", MOVBE: "extensions", LZCNT: "extensions", BMI1: "extensions", ADX: "extensions",
};

/** Why forms have no host vectors, by mnemonic. */
export const WITHOUT_VECTORS: ReadonlyMap<string, string> = new Map([
  ...["INT"].map((m) => [m, "enters the host's kernel"] as const),
  ...["INT1", "SYSENTER", "SYSEXIT", "SYSCALL", "SYSRET"].map((m) => [m, "enters the host's kernel"] as const),
  ...["CPUID", "RDTSC", "RDTSCP", "RDPMC"].map((m) => [m, "answers with facts of the host"] as const),
  ...["RDRAND", "RDSEED"].map((m) => [m, "answers with random numbers"] as const),
  ...["SGDT", "SIDT", "SLDT", "STR", "SMSW"].map((m) => [m, "the host's kernel intercepts it (UMIP)"] as const),
  ...["MONITOR", "MWAIT"].map((m) => [m, "disabled outside the host's kernel"] as const),
  ["RSM", "outside system-management mode only #UD"],
]);

const SIZED = new Set(["CBW", "CWD", "PUSHA", "POPA", "PUSHF", "POPF", "ENTER", "LEAVE", "RET", "RETF", "IRET", "JMPF", "CALLF"]);
/** With 66 a jump or call would cut EIP; all targets lie below 64 KiB, so it does no harm. */
const SIZES = new Set(["v", "z", "p", "a", "env", "save"]);

function operandText(operand: Operand): string {
  return operand.kind + operand.size + (operand.register >= 0 ? String(operand.register) : "");
}

function operandSizes(form: Form): (2 | 4)[] {
  // BSWAP of a 16-bit register is undefined.
  if (form.mnemonic === "BSWAP") return [4];
  const scales = SIZED.has(form.mnemonic) || (form.operands.some(({ kind, size }) => SIZES.has(size) && kind !== "") && form.mandatoryPrefix === "")
    || (form.operands[0]?.kind === "seg") || form.operands[1]?.kind === "seg";
  return scales || form.opcode === "90" ? [4, 2] : [4];
}

function family(form: Form): Family | undefined {
  if (form.map === 0 && form.opcodeByte >= 0xd8 && form.opcodeByte <= 0xdf) return "x87";
  return FAMILIES[form.feature];
}

function repeats(form: Form): (0 | 0xf2 | 0xf3)[] {
  if (["CMPS", "SCAS"].includes(form.mnemonic)) return [0, 0xf3, 0xf2];
  return ["MOVS", "STOS", "LODS", "INS", "OUTS"].includes(form.mnemonic) ? [0, 0xf3] : [0];
}

/** Every group, in the order of the tables. */
export function* groups(only?: Family): Generator<Group> {
  for (const form of FORMS) {
    const kind = family(form);
    if (kind === undefined || form.only64 || form.vex || WITHOUT_VECTORS.has(form.mnemonic) || (only !== undefined && kind !== only)) continue;
    if (kind === "integer" && form.feature === "" && form.map > 1) continue;
    const places = !form.hasModrm || form.memoryOperand < 0 ? [false] : form.memoryOnly ? [true] : form.registerOnly ? [false] : [false, true];
    for (const operandSize of operandSizes(form)) {
      for (const memory of places) {
        for (const rep of repeats(form)) {
          const parts = [form.opcode, form.mnemonic, form.operands.map(operandText).join(",")].filter((part) => part !== "").join(" ");
          const name = `${parts} ${operandSize * 8}${memory ? " memory" : ""}${rep === 0 ? "" : rep === 0xf3 ? " F3" : " F2"}`;
          yield { name, form, operandSize, memory, rep, family: kind };
        }
      }
    }
  }
}
