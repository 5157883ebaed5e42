/**
 * Register names by class and number, shared by assembler and disassembler (SDM volume 1, section 3.4).
 */

/** Class of a register operand; the digits of the general classes are its width in bits. `high8` is AH CH DH BH, numbered 4 to 7. */
export type RegisterClass = "r8" | "high8" | "r16" | "r32" | "r64" | "seg" | "cr" | "dr" | "mmx" | "xmm" | "st";

/** Names of each class by register number; entry 4 to 7 of `r8` need a REX prefix, as every number above 7 does. */
export const REGISTER_NAMES: Readonly<Record<RegisterClass, readonly string[]>> = {
  r8: ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", ...numbered("r", "b")],
  high8: ["", "", "", "", "ah", "ch", "dh", "bh"],
  r16: ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", ...numbered("r", "w")],
  r32: ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", ...numbered("r", "d")],
  r64: ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", ...numbered("r", "")],
  seg: ["es", "cs", "ss", "ds", "fs", "gs"],
  cr: sequence("cr", 16),
  dr: sequence("dr", 16),
  mmx: sequence("mm", 8),
  xmm: sequence("xmm", 16),
  st: sequence("st", 8),
};

function numbered(prefix: string, suffix: string): string[] {
  return [8, 9, 10, 11, 12, 13, 14, 15].map((n) => `${prefix}${n}${suffix}`);
}

function sequence(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`);
}

/** A register as an operand. */
export interface Register {
  readonly class: RegisterClass;
  readonly number: number;
}

/** Registers by name. `st` alone is ST(0). */
export const REGISTERS: ReadonlyMap<string, Register> = new Map([
  ...Object.entries(REGISTER_NAMES).flatMap(([name, names]) =>
    names.map((text, number): [string, Register] => [text, { class: name as RegisterClass, number }]).filter(([text]) => text !== "")),
  ["st", { class: "st", number: 0 }],
]);

/** Width in bytes of a general register class, or 0. */
export function generalWidth(name: RegisterClass): number {
  return name === "r8" || name === "high8" ? 1 : name === "r16" ? 2 : name === "r32" ? 4 : name === "r64" ? 8 : 0;
}

/** Condition suffixes by condition code; the first of a pair is what the disassembler prints. */
export const CONDITIONS: readonly (readonly string[])[] = [
  ["o"], ["no"], ["b", "c", "nae"], ["ae", "nc", "nb"], ["z", "e"], ["nz", "ne"], ["be", "na"], ["a", "nbe"],
  ["s"], ["ns"], ["p", "pe"], ["np", "po"], ["l", "nge"], ["ge", "nl"], ["le", "ng"], ["g", "nle"],
];
