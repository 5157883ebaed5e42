/**
 * Random instructions of a chosen form: every prefix, ModRM and SIB class and immediate class that the form allows (SDM volume 2,
 * chapter 2). The decoder says how long the bytes are and whether they still are that form, so nothing of it is known twice.
 */
import { DEFINITIONS } from "@doppel/semantics";
import { type CodeSize, decode, type Form, FORMS, Instruction, OK } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";

/** What the bytes around an instruction offer it to work with. */
export interface Surroundings {
  readonly codeSize: 2 | 4;
  /** Offsets of the program's code in its segment. */
  readonly codeFrom: number;
  readonly codeBytes: number;
  /** Selectors (segments in real and virtual-8086 mode) that mean something. */
  readonly selectors: readonly number[];
  /** Addresses of data, page tables and code. */
  readonly addresses: readonly number[];
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const PREFIX_BYTES: Readonly<Record<string, readonly number[]>> = { "": [], NP: [], NFx: [], "66": [0x66], F3: [0xf3], F2: [0xf2] };
const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);
/** Instructions behind which little of the program is left to run: they are chosen less often. */
const DISRUPTIVE = new Set([
  "HLT", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "JMPF", "CALLF", "RETF", "IRET", "RET", "SYSENTER", "SYSEXIT", "MWAIT", "WRMSR", "CLTS", "POPF",
]);
const LESS_OFTEN = 5;
const MODRM_SIB = 4;
const scratch = new Instruction();

/** Whether a form is one that 16- and 32-bit code of a processor can execute. */
export function isReachable(form: Form, hasFeature: (feature: string) => boolean): boolean {
  return !form.only64 && !form.rexW && hasFeature(form.feature) && DEFINITIONS.has(form.mnemonic);
}

/** Every form that a processor with these features executes in 16- and 32-bit code. */
export function reachableForms(hasFeature: (feature: string) => boolean): Form[] {
  return FORMS.filter((form) => isReachable(form, hasFeature));
}

/** A form to generate: all alike, but those that end most of what follows are rarer. */
export function chooseForm(random: Random, forms: readonly Form[]): Form {
  const form = random.pick(forms);
  const disruptive = DISRUPTIVE.has(form.mnemonic) || form.operands[0]?.kind === "C" || form.operands[0]?.kind === "D";
  return disruptive && !random.oneIn(LESS_OFTEN) ? random.pick(forms) : form;
}

function number(random: Random, around: Surroundings): number {
  switch (random.below(6)) {
    case 0: return random.next();
    case 1: return (random.next() << 24) >> 24;
    case 2: return random.pick(around.selectors);
    case 3: return around.codeFrom + random.below(around.codeBytes);
    default: return random.pick(around.addresses) + (random.below(0x1000) & ~(random.oneIn(4) ? 0 : 15));
  }
}

/** The bytes behind ModRM and SIB: displacement and immediates, whatever of them there is. */
function tailOf(random: Random, form: Form, around: Surroundings, wide: number): number[] {
  const words: (readonly [value: number, size: number])[] = [];
  if (form.operands.some(({ kind }) => kind === "J")) words.push([random.below(72) - 24, 4]);
  else if (form.operands.some(({ kind }) => kind === "A")) words.push([around.codeFrom + random.below(around.codeBytes), wide], [random.pick(around.selectors), 2]);
  while (words.length < 4) words.push([number(random, around), 4]);
  return words.flatMap(([value, size]) => Array.from({ length: size }, (_, n) => (value >>> (8 * n)) & 0xff));
}

function prefixesOf(random: Random, form: Form): number[] {
  const out: number[] = [];
  if (random.oneIn(9)) out.push(random.pick(SEGMENT_PREFIXES));
  if (random.oneIn(10)) out.push(0x67);
  if ((form.mandatoryPrefix === "" || form.mandatoryPrefix === "NFx") && random.oneIn(4)) out.push(0x66);
  if (STRINGS.has(form.mnemonic) ? random.oneIn(2) : form.mandatoryPrefix === "" && random.oneIn(60)) out.push(random.pick([0xf2, 0xf3]));
  if (form.lockable ? random.oneIn(6) : random.oneIn(200)) out.push(0xf0);
  if (out.length > 1 && random.oneIn(2)) out.reverse();
  return [...out, ...PREFIX_BYTES[form.mandatoryPrefix]!];
}

function modrmOf(random: Random, form: Form): number {
  if (form.fixedModrm >= 0) return form.fixedModrm + (form.stackRegister ? random.below(8) : 0);
  const reg = form.digit >= 0 ? form.digit : random.below(8);
  const register = form.registerOnly || (!form.memoryOnly && random.oneIn(2));
  const mod = register ? 3 : random.below(3);
  // An address without registers stays good however often the registers change.
  const rm = !register && mod === 0 && random.oneIn(2) ? random.pick([5, 6]) : random.below(8);
  return ((form.ignoresMod ? random.below(4) : mod) << 6) | (reg << 3) | rm;
}

/** Bytes of a random instruction of a form; now and then, where the choice of prefixes forbids the form, of its neighbour. */
export function randomInstruction(random: Random, form: Form, around: Surroundings): number[] {
  for (let attempt = 0; ; attempt++) {
    const bytes = attempt < 8 ? prefixesOf(random, form) : [...PREFIX_BYTES[form.mandatoryPrefix]!];
    const operandSize = (around.codeSize === 4) !== bytes.includes(0x66) ? 4 : 2;
    const addressSize = (around.codeSize === 4) !== bytes.includes(0x67) ? 4 : 2;
    if (form.map > 0) bytes.push(0x0f);
    if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
    bytes.push(form.opcodeByte + (form.range === "r" ? random.below(8) : form.range === "cc" ? random.below(16) : 0));
    if (form.hasModrm) {
      const modrm = modrmOf(random, form);
      bytes.push(modrm);
      if (addressSize === 4 && modrm < 0xc0 && (modrm & 7) === MODRM_SIB) bytes.push(random.below(256));
    }
    bytes.push(...tailOf(random, form, around, operandSize));
    const status = decode(Uint8Array.from(bytes), 0, bytes.length, around.codeSize as CodeSize, scratch);
    if (status === OK && (scratch.form === form || attempt > 16)) return bytes.slice(0, scratch.length);
    if (attempt > 32) return bytes.slice(0, 4);
  }
}
