/**
 * Random instructions of a chosen form: every prefix, REX, VEX, ModRM and SIB class and immediate class that the form allows (SDM
 * volume 2, chapter 2). The decoder says how long the bytes are and whether they still are that form, so nothing of it is known twice.
 */
import { type CodeSize, decode, type Form, Instruction, OK } from "@doppel/x86";
import { type Random, randomValue } from "../host-vectors-random.ts";
import { CODE, DATA, EDGES } from "./image-layout.ts";

/** What the bytes around an instruction offer it to work with. */
export interface Surroundings {
  readonly codeSize: CodeSize;
  /** Offsets of the program's code in its segment. */
  readonly codeFrom: number;
  readonly codeBytes: number;
  /** Selectors (segments in real and virtual-8086 mode) that mean something. */
  readonly selectors: readonly number[];
  /** Addresses of data, page tables and code that 16 or 32 bits can name. */
  readonly addresses: readonly number[];
  /** XSAVE, INVPCID and the like are there. */
  readonly extended: boolean;
  /** Where 64-bit code sees memory; [0] elsewhere. */
  readonly bases: readonly number[];
  /** The code is to be such as regions hold. */
  readonly regions: boolean;
  /** Some pieces write into the program, or into page tables. */
  readonly changesCode: boolean;
  readonly changesTables: boolean;
  /** Of code that goes round: its level, and the selectors of its flat code and data. Immediates are then values, not addresses. */
  readonly rounds?: { readonly level: 0 | 3; readonly code: number; readonly data: number };
}

/** Bytes of an instruction, and where its ModRM byte ends. */
export interface DrawnInstruction {
  readonly bytes: number[];
  readonly field: number;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const PREFIX_BYTES: Readonly<Record<string, readonly number[]>> = { "": [], NP: [], NFx: [], "66": [0x66], F3: [0xf3], F2: [0xf2] };
const VEX_PP = ["NP", "66", "F3", "F2"];
const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);
/** Instructions behind which little of the program is left to run: they are chosen less often. */
const DISRUPTIVE = new Set([
  "HLT", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "JMPF", "CALLF", "RETF", "IRET", "RET", "SYSENTER", "SYSEXIT", "SYSCALL", "SYSRET", "MWAIT", "WRMSR", "CLTS", "POPF",
]);
const LESS_OFTEN = 5;
const REX = 0x40, REX_W = 8;
const MODRM_SIB = 4, MODRM_DISPLACEMENT = 5;
/** SIB byte of an address without registers. */
const SIB_NO_REGISTERS = 0x25;
const TWO_32 = 0x1_0000_0000;
const scratch = new Instruction();

/** A form to generate: all alike, but those that end most of what follows are rarer. */
export function chooseForm(random: Random, forms: readonly Form[]): Form {
  const form = random.pick(forms);
  const disruptive = DISRUPTIVE.has(form.mnemonic) || form.operands[0]?.kind === "C" || form.operands[0]?.kind === "D";
  return disruptive && !random.oneIn(LESS_OFTEN) ? random.pick(forms) : form;
}

function number(random: Random, around: Surroundings): number {
  if (around.rounds !== undefined) return randomValue(random, 4);
  switch (random.below(6)) {
    case 0: return random.next();
    case 1: return (random.next() << 24) >> 24;
    case 2: return random.pick(around.selectors);
    case 3: if (around.changesCode) return around.codeFrom + random.below(around.codeBytes);
      return random.pick(around.addresses);
    default: return random.pick(around.addresses) + (random.below(0x1000) & ~(random.oneIn(4) ? 0 : 15));
  }
}

/** An address just below or at an end of the address space. */
export function edge(random: Random): number {
  return random.pick(EDGES) - random.below(20);
}

/** An address of 64 bits: nearly always data at one of the places where it is seen, sometimes anything. */
export function wideAddress(random: Random, around: Surroundings): number {
  if (random.oneIn(16)) return random.pick([edge(random), edge(random), -0x8000_0000_0001, random.next() * 0x10000, around.codeFrom]);
  return random.pick(around.bases) + DATA + (random.below(0x8000) & ~(random.oneIn(4) ? 0 : 15));
}

/** The bytes behind ModRM and SIB: displacement and immediates, whatever of them there is. */
function tailOf(random: Random, form: Form, around: Surroundings, wide: number, small: boolean): number[] {
  const words: (readonly [value: number, size: number])[] = [];
  if (small) words.push([random.below(64), 4]);
  if (form.operands.some(({ kind }) => kind === "J")) words.push([random.below(72) - 24, 4]);
  else if (form.operands.some(({ kind }) => kind === "A")) words.push([around.codeFrom + random.below(around.codeBytes), wide], [random.pick(around.selectors), 2]);
  else if (around.codeSize === 8 && form.operands.some(({ kind, size }) => kind === "O" || (kind === "I" && size === "v"))) {
    const value = around.rounds === undefined ? wideAddress(random, around) : random.next() * (random.next() >> 11) + random.next();
    words.push([value, 4], [Math.floor(value / TWO_32), 4]);
  }
  while (words.length < 4) words.push([number(random, around), 4]);
  return words.flatMap(([value, size]) => Array.from({ length: size }, (_, n) => (value >>> (8 * n)) & 0xff));
}

function prefixesOf(random: Random, form: Form): number[] {
  const out: number[] = [];
  if (random.oneIn(9)) out.push(random.pick(SEGMENT_PREFIXES));
  if (random.oneIn(10)) out.push(0x67);
  // Before VEX the others raise #UD.
  if (form.vex && !random.oneIn(100)) return out;
  if ((form.mandatoryPrefix === "" || form.mandatoryPrefix === "NFx") && random.oneIn(4)) out.push(0x66);
  if (STRINGS.has(form.mnemonic) ? random.oneIn(2) : form.mandatoryPrefix === "" && random.oneIn(60)) out.push(random.pick([0xf2, 0xf3]));
  if (form.lockable ? random.oneIn(6) : random.oneIn(200)) out.push(0xf0);
  if (out.length > 1 && random.oneIn(2)) out.reverse();
  return out;
}

/** REX, or none; now and then one that is not the last prefix and has no effect. */
function rexOf(random: Random, form: Form): number[] {
  if (!form.rexW && random.oneIn(3)) return [];
  const bits = random.below(16) | (form.rexW || random.oneIn(3) ? REX_W : 0);
  return [...(random.oneIn(60) ? [REX | random.below(16)] : []), REX | bits];
}

/** Three-byte VEX prefix. Outside 64-bit code its first two bits tell it from LES, so that REX.R and REX.X cannot be set there. */
function vexOf(random: Random, form: Form, long: boolean): number[] {
  const extensions = long ? random.below(8) << 5 : 0xc0 | (random.below(2) << 5);
  const register = form.operands.some(({ kind }) => kind === "B") ? random.below(16) : 15;
  return [0xc4, extensions | (form.map - 2), (random.below(2) << 7) | (register << 3) | VEX_PP.indexOf(form.mandatoryPrefix)];
}

function modrmOf(random: Random, form: Form, long: boolean): number {
  if (form.fixedModrm >= 0) return form.fixedModrm + (form.stackRegister ? random.below(8) : 0);
  const reg = form.digit >= 0 ? form.digit : random.below(8);
  const register = form.registerOnly || (!form.memoryOnly && random.oneIn(2));
  const mod = register ? 3 : long && random.oneIn(3) ? 0 : random.below(3);
  // An address without registers stays good however often the registers change.
  const rm = !register && mod === 0 && !random.oneIn(long ? 4 : 2) ? random.pick(long ? [MODRM_SIB, MODRM_DISPLACEMENT] : [5, 6]) : random.below(8);
  return ((form.ignoresMod ? random.below(4) : mod) << 6) | (reg << 3) | rm;
}

/** Points a displacement that counts from the next instruction to data, or, less often, into the program. */
function aimDisplacement(random: Random, around: Surroundings, bytes: number[], field: number, at: number): void {
  const target = random.oneIn(around.changesCode ? 4 : 64) ? CODE + random.below(around.codeBytes) : DATA + (random.below(0x8000) & ~(random.oneIn(4) ? 0 : 15));
  const distance = target - (CODE + at + scratch.length);
  for (let n = 0; n < 4; n++) bytes[field + n] = (distance >>> (8 * n)) & 0xff;
}

/**
 * Bytes of a random instruction of a form; now and then, where the choice of prefixes forbids the form, of its neighbour.
 * @param at where in the program they will stand
 * @param condition of a form that has one
 */
export function randomInstruction(random: Random, form: Form, around: Surroundings, at: number, condition: number = random.below(16)): number[] {
  return drawInstruction(random, form, around, at, condition).bytes;
}

/** The same, with the place of the bytes behind ModRM. */
export function drawInstruction(random: Random, form: Form, around: Surroundings, at: number, condition: number = random.below(16)): DrawnInstruction {
  const { codeSize } = around;
  const long = codeSize === 8;
  for (let attempt = 0; ; attempt++) {
    const bytes = attempt < 8 ? prefixesOf(random, form) : [];
    if (!form.vex) bytes.push(...PREFIX_BYTES[form.mandatoryPrefix]!);
    const operandSize = (codeSize === 2) === bytes.includes(0x66) ? 4 : 2;
    const addressSize = (codeSize === 2) === bytes.includes(0x67) ? 4 : 2;
    if (form.vex) bytes.push(...vexOf(random, form, long));
    else {
      if (long) bytes.push(...rexOf(random, form));
      if (form.map > 0) bytes.push(0x0f);
      if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
    }
    bytes.push(form.opcodeByte + (form.range === "r" ? random.below(8) : form.range === "cc" ? condition : 0));
    const field = bytes.length + 1;
    let small = false;
    if (form.hasModrm) {
      const modrm = modrmOf(random, form, long);
      bytes.push(modrm);
      small = modrm >> 6 === 2 && random.oneIn(2);
      if ((long || addressSize === 4) && modrm < 0xc0 && (modrm & 7) === MODRM_SIB) bytes.push(long && modrm < 0x40 && !random.oneIn(3) ? SIB_NO_REGISTERS : random.below(256));
    }
    bytes.push(...tailOf(random, form, around, operandSize, small));
    const status = decode(Uint8Array.from(bytes), 0, bytes.length, codeSize, scratch);
    if (status === OK && (scratch.form === form || attempt > 16)) {
      if (scratch.ripRelative) aimDisplacement(random, around, bytes, field, at);
      return { bytes: bytes.slice(0, scratch.length), field };
    }
    if (attempt > 32) return { bytes: bytes.slice(0, 4), field };
  }
}
