/**
 * What a line of the opcode tables means: an instruction form in the operand notation of SDM volume 2, appendix A.
 *
 *   [VEX] [NP|NFx|66|F3|F2] [REX.W] opcode bytes[+r|+i|+cc] [/digit] MNEMONIC [operands] [flags]  @FEATURE applies to the lines after it
 *
 * NP: no 66, F3 or F2 may stand before it; NFx: no F3 or F2; 66, F3, F2: mandatory prefix; none of them: any, with its ordinary meaning.
 * VEX: behind a three-byte VEX prefix with L = 0, whose pp says the mandatory prefix.
 * A byte after the opcode of a map is a fixed ModRM byte (`0F 01 C8`, `D8 C0+i`). Operand kinds:
 *
 *   E  general register or memory (ModRM.rm)      G  general register (ModRM.reg)       Z  general register (low three opcode bits)
 *   M  memory only        R  register only        I  immediate        J  relative branch         A  far pointer         O  offset (moffs)
 *   S  segment register   C  control register     D  debug register   X  [seg:rSI]               Y  [ES:rDI]
 *   P  MMX (reg)  Q  MMX (rm) or memory  N  MMX (rm)          V  XMM (reg)  W  XMM (rm) or memory  U  XMM (rm)
 *   B  general register (VEX.vvvv)
 *
 * Sizes: b w d q dq; v = operand size; z = 4 at most; y = 4, or 8 with operand size 8; bs = a sign-extended byte; p = far pointer;
 * s = descriptor-table register; a = pair of BOUND; ss sd ps pd; t = 80 bits; env, save, fx = x87 and FXSAVE images.
 */
import { BMI } from "./tables/bmi.ts";
import { INTEGER } from "./tables/integer.ts";
import { MMX } from "./tables/mmx.ts";
import { SSE } from "./tables/sse.ts";
import { SSE2 } from "./tables/sse2.ts";
import { SSE3 } from "./tables/sse3.ts";
import { SSE4 } from "./tables/sse4.ts";
import { STRING_IO } from "./tables/string-io.ts";
import { SYSTEM } from "./tables/system.ts";
import { X87 } from "./tables/x87.ts";

/** One operand of a form, in the notation of the tables. */
export interface Operand {
  /** `E G Z M R B I J A O S C D X Y P Q N V W U`, or `reg` (fixed general register), `seg` (fixed segment register), `1`, `ST0`, `STi`, `XMM0`. */
  readonly kind: string;
  /** `b bs w v z y d q dq p s a ss sd ps pd t env save fx`, or empty where the form has no memory size (LEA, INVLPG, XSAVE). */
  readonly size: string;
  /** Number of a fixed register (AL 0, CL 1, DX 2, ES 0 ... GS 5), or -1. */
  readonly register: number;
}

/** One instruction form: a line of the opcode tables. */
export interface Form {
  /** Index in `FORMS`. */
  readonly id: number;
  /** The manual's mnemonic; `Jcc`, `SETcc`, `CMOVcc` take the condition from the opcode; string instructions have no size suffix. */
  readonly mnemonic: string;
  /** Prefix, opcode and digit as the table writes them, such as `F3 0F 58` or `81 /0`. */
  readonly opcode: string;
  /** Operands in the order of the manual, destination first. */
  readonly operands: readonly Operand[];
  /** Name of the CPUID feature the form belongs to, empty for what every i486 has. */
  readonly feature: string;
  /** LOCK may stand before it when its first operand is in memory. */
  readonly lockable: boolean;
  /** Raises #UD in 64-bit code. */
  readonly invalid64: boolean;
  /** Raises #UD outside 64-bit code. */
  readonly only64: boolean;
  /** The operand size in 64-bit code is 8 unless 66 makes it 2. */
  readonly default64: boolean;
  /** The operand size in 64-bit code is always 8. */
  readonly forced64: boolean;
  /** "" (any), "NP", "NFx", "66", "F3" or "F2". */
  readonly mandatoryPrefix: string;
  /** Encoded with a VEX prefix. */
  readonly vex: boolean;
  /** REX.W is part of the opcode. */
  readonly rexW: boolean;
  /** 0 one-byte map, 1 0F, 2 0F 38, 3 0F 3A, 4 VEX 0F 38, 5 VEX 0F 3A. */
  readonly map: number;
  /** Opcode byte in its map; the first one of a `+r` or `+cc` row. */
  readonly opcodeByte: number;
  /** "" or the range notation: "r" (eight opcodes, register), "cc" (sixteen opcodes, condition). */
  readonly range: string;
  /** ModRM.reg as opcode extension, or -1. */
  readonly digit: number;
  /** A fixed ModRM byte (first of eight when `stackRegister`), or -1. */
  readonly fixedModrm: number;
  /** The fixed ModRM byte carries an x87 register in its low three bits. */
  readonly stackRegister: boolean;
  /** A ModRM byte follows the opcode. */
  readonly hasModrm: boolean;
  /** ModRM must name memory. */
  readonly memoryOnly: boolean;
  /** ModRM must name a register. */
  readonly registerOnly: boolean;
  /** ModRM.mod is ignored and taken as 3 (moves of control and debug registers). */
  readonly ignoresMod: boolean;
  /** Index of the operand that may be in memory through ModRM (E, M, Q, W), or -1. */
  readonly memoryOperand: number;
  /** The form the same bytes have on a CPU without `feature` (TZCNT is BSF there; PAUSE, ENDBR32 and prefetches are NOPs), where there is one. */
  readonly fallback: Form | undefined;
}

/** Bytes of an operand with size notation `size` under operand size `operandSize`; 0 where the notation has no plain size. */
export function sizeOf(size: string, operandSize: number): number {
  switch (size) {
    case "b": case "bs": return 1;
    case "w": return 2;
    case "v": return operandSize;
    case "z": return operandSize === 2 ? 2 : 4;
    case "y": return operandSize === 8 ? 8 : 4;
    case "d": case "ss": return 4;
    case "q": case "sd": return 8;
    case "t": return 10;
    case "dq": case "ps": case "pd": return 16;
    default: return 0;
  }
}

const FIXED: Record<string, Operand> = {
  "AL": { kind: "reg", size: "b", register: 0 },
  "CL": { kind: "reg", size: "b", register: 1 },
  "AX": { kind: "reg", size: "w", register: 0 },
  "DX": { kind: "reg", size: "w", register: 2 },
  "eAX": { kind: "reg", size: "z", register: 0 },
  "rAX": { kind: "reg", size: "v", register: 0 },
  "ES": { kind: "seg", size: "w", register: 0 },
  "CS": { kind: "seg", size: "w", register: 1 },
  "SS": { kind: "seg", size: "w", register: 2 },
  "DS": { kind: "seg", size: "w", register: 3 },
  "FS": { kind: "seg", size: "w", register: 4 },
  "GS": { kind: "seg", size: "w", register: 5 },
  "1": { kind: "1", size: "", register: -1 },
  "ST0": { kind: "ST0", size: "t", register: 0 },
  "STi": { kind: "STi", size: "t", register: -1 },
  "XMM0": { kind: "XMM0", size: "dq", register: 0 },
};
const FLAGS = new Set(["lock", "i64", "o64", "d64", "f64", "mod3", "reg"]);
const PREFIXES = new Set(["NP", "NFx", "66", "F3", "F2"]);

function parseOperand(text: string): Operand {
  if (text === "sIb") return { kind: "I", size: "bs", register: -1 };
  return FIXED[text] ?? { kind: text[0]!, size: text.slice(1), register: -1 };
}

type MutableForm = { -readonly [K in keyof Form]: Form[K] };

function parseLine(line: string, id: number, feature: string): MutableForm {
  const words = line.split(" ");
  let at = 0;
  const vex = words[at] === "VEX" && at++ >= 0;
  const mandatoryPrefix = PREFIXES.has(words[at]!) ? words[at++]! : "";
  const rexW = words[at] === "REX.W" && at++ >= 0;
  let map = 0;
  if (words[at] === "0F") {
    map = 1;
    at++;
    if (words[at] === "38" || words[at] === "3A") map = (words[at++] === "38" ? 2 : 3) + (vex ? 2 : 0);
  }
  const [byte, range = ""] = words[at++]!.split("+");
  let fixedModrm = -1;
  let stackRegister = false;
  if (/^[0-9A-F]{2}(\+i)?$/.test(words[at]!)) {
    stackRegister = words[at]!.endsWith("+i");
    fixedModrm = Number.parseInt(words[at++]!, 16);
  }
  const digit = words[at]!.startsWith("/") ? Number(words[at++]!.slice(1)) : -1;
  const opcode = words.slice(0, at).join(" ");
  const mnemonic = words[at++]!;
  const operands = at < words.length && !FLAGS.has(words[at]!) ? words[at++]!.split(",").map(parseOperand) : [];
  const flags = new Set(words.slice(at));
  for (const flag of flags) if (!FLAGS.has(flag)) throw new Error(`opcode table: unknown flag "${flag}" in "${line}"`);
  const hasModrm = digit >= 0 || fixedModrm >= 0 || operands.some((o) => "EGMRSCDPQNVWU".includes(o.kind));
  return {
    id, mnemonic, opcode, operands, feature,
    lockable: flags.has("lock"), invalid64: flags.has("i64"), only64: flags.has("o64"),
    default64: flags.has("d64"), forced64: flags.has("f64"),
    mandatoryPrefix, vex, rexW, map, opcodeByte: Number.parseInt(byte!, 16), range, digit, fixedModrm, stackRegister, hasModrm,
    memoryOnly: operands.some((o) => o.kind === "M"),
    registerOnly: fixedModrm >= 0 || flags.has("reg") || flags.has("mod3") || operands.some((o) => "RNU".includes(o.kind)),
    ignoresMod: flags.has("mod3"),
    memoryOperand: operands.findIndex((o) => "EMQW".includes(o.kind)),
    fallback: undefined,
  };
}

/** Whether `form` covers every ModRM byte (and opcode byte) that `other` covers. */
function covers(form: Form, other: Form): boolean {
  return form.map === other.map && form.opcodeByte === other.opcodeByte && form.mandatoryPrefix === "" &&
    (form.digit < 0 || form.digit === other.digit || form.digit === ((other.fixedModrm >> 3) & 7) && other.fixedModrm >= 0) &&
    form.fixedModrm < 0 && form.range === "";
}

function parseTables(tables: readonly string[]): Form[] {
  const forms: MutableForm[] = [];
  for (const table of tables) {
    let feature = "";
    for (const line of table.trim().split("\n")) {
      if (line.startsWith("@")) feature = line.slice(1);
      else if (line !== "") forms.push(parseLine(line, forms.length, feature));
    }
  }
  for (const form of forms) {
    if (form.mandatoryPrefix === "F3") form.fallback = forms.find((other) => other !== form && covers(other, form));
    else if (form.mnemonic.startsWith("PREFETCH")) { // their opcodes were hint NOPs before (SDM volume 2, appendix A.4)
      form.fallback = forms.find((other) => other.mnemonic === "NOP" && other.map === form.map && other.opcodeByte === form.opcodeByte && !other.registerOnly);
    }
  }
  return forms;
}

/**
 * Every instruction form that Doppel knows, in table order; `Form.id` is the index.
 *
 * @example
 * ```ts
 * FORMS.filter((form) => form.mnemonic === "CMPXCHG8B")[0]?.opcode; // "0F C7 /1"
 * ```
 */
export const FORMS: readonly Form[] = parseTables([INTEGER, STRING_IO, SYSTEM, X87, MMX, SSE, SSE2, SSE3, SSE4, BMI]);
