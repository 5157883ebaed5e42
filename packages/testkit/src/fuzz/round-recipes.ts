/**
 * What instructions want that random operands do not have: words in memory that are loaded as control words, selectors or far pointers; a target
 * behind them for what jumps; ports, MSRs and control registers that exist; for what changes the level, a way back (SDM volume 2, chapters 3 to 5).
 */
import { EFLAGS_AC, EFLAGS_DF, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_TF, IA32_STAR } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import { dword, move, MSRS, type Pieces } from "./code-pieces.ts";
import { GDT, LONG_LDT, LONG_TSS, TABLE_SELECTOR, TSS1 } from "./image-layout.ts";
import type { Surroundings } from "./random-instruction.ts";
import { lengthOf, patch, type Wanting, type Wants } from "./round-operands.ts";
import { absolute, controlOfSse, controlWord, freshStack, goal, poke, save } from "./round-setup.ts";

/** What a recipe works with. */
export interface Recipe {
  readonly random: Random;
  readonly around: Surroundings;
  readonly level: 0 | 3;
  /** Selectors of flat code and data at the level. */
  readonly code: number;
  readonly data: number;
  /** Its operands in pages of IA-32e mode, or not. */
  readonly long: boolean;
  /** Some pieces that a jump may leave out. */
  filler(at: number): Pieces;
}

type Recipes = Readonly<Record<string, (recipe: Recipe, wanting: Wanting) => Wants | undefined>>;

const A = 0, C = 1, D = 2, BP = 5, R11 = 11;
const SS = 2;
const STI = 0xfb;
/** An interrupt that waits, of the vector that AL names. */
const RAISE = [0xe6, 0x10];
const NATIVE = (around: Surroundings): number => (around.codeSize === 8 ? 8 : 4);
/** The accessed word of a descriptor: where the type of one stands. */
const ACCESS = 5;
const AVAILABLE = 0x89;
const XSAVE_HEADER = 512;

const inMemory = ({ one }: Wanting): boolean => one.mod !== 3;
const push = (value: number): number[] => [0x68, ...dword(value)];
/** PUSH of a constant with the operand size of an instruction. */
const pushFor = ({ one }: Wanting, value: number): number[] => (one.operandSize === 2 ? [0x66, 0x68, ...dword(value).slice(0, 2)] : push(value));
/** PUSH of an address in the program. */
const pushNext = (around: Surroundings, next: number): Pieces => (around.codeSize === 8 ? [move(around, A, next), [0x50]] : [push(next)]);

/** A word for a register or memory operand. */
function give(around: Surroundings, wanting: Wanting, value: number): Pieces {
  return inMemory(wanting) ? [poke(around, 2, wanting.target, value)] : [move(around, wanting.one.rm, value)];
}

function flags(random: Random): number {
  let image = (random.next() & 0xcd5) | EFLAGS_IOPL | 2;
  if (!random.oneIn(3)) image |= EFLAGS_IF;
  if (!random.oneIn(4)) image &= ~EFLAGS_DF;
  if (random.oneIn(16)) image |= EFLAGS_AC;
  return random.oneIn(64) ? image | EFLAGS_TF : image & ~EFLAGS_TF;
}

/** Ports of which some raise interrupts or an NMI; none switches A20 or writes into the program. */
function port(random: Random): number {
  return (random.below(16) << 4) | (random.oneIn(8) ? 0 : random.oneIn(40) ? 1 : 4 + random.below(12));
}

const jump = ({ around, random, filler }: Recipe, { one, bytes }: Wanting): Wants | undefined => {
  const { form } = one;
  if (one.operandSize === 2) return undefined;
  if (form.operands[0]?.kind !== "J") return undefined;
  const size = form.operands[0].size === "b" ? 1 : 4;
  return {
    behind: (next) => {
      let pieces: Pieces = [];
      for (let left = random.below(4); left > 0; left--) pieces = [...pieces, ...filler(next - around.codeFrom + lengthOf(pieces))];
      while (lengthOf(pieces) > 127) pieces.pop();
      patch(bytes, bytes.length - size, lengthOf(pieces), size);
      return pieces;
    },
  };
};

/** A jump or call through a register or memory. */
const indirect = (recipe: Recipe, wanting: Wanting): Wants | undefined => {
  const { around } = recipe;
  const { one, target } = wanting;
  if (one.form.operands[0]?.kind === "J") return jump(recipe, wanting);
  if (one.operandSize !== NATIVE(around)) return undefined;
  return { before: (next) => (inMemory(wanting) ? [move(around, A, next), save(around, A, target)] : [move(around, one.rm, next)]) };
};

const far = ({ around, code }: Recipe, { one, bytes, target }: Wanting): Wants | undefined => {
  if (one.operandSize === 2) return undefined;
  if (one.form.operands[0]!.kind === "A") {
    return {
      before: (next) => {
        patch(bytes, bytes.length - 6, next, 4);
        patch(bytes, bytes.length - 2, code, 2);
        return [];
      },
    };
  }
  // A pointer of 48 bits names what lies low.
  if (one.operandSize === 4 && (around.codeFrom < 0 || around.codeFrom >= 0x8000_0000)) return undefined;
  return { before: (next) => [move(around, A, next), save(around, A, target), poke(around, 2, target + one.operandSize, code)] };
};

const ret = ({ around, random }: Recipe, { one, bytes }: Wanting): Wants | undefined => {
  if (one.operandSize !== NATIVE(around)) return undefined;
  if (one.form.operands.length > 0) patch(bytes, bytes.length - 2, 8 * random.below(5), 2);
  return { before: (next) => pushNext(around, next) };
};

const retFar = (recipe: Recipe, wanting: Wanting): Wants | undefined => {
  const near = ret(recipe, wanting);
  return near && { before: (next) => [push(recipe.code), ...near.before!(next)] };
};

const iret = ({ around, random, code, data }: Recipe, { one }: Wanting): Wants | undefined => {
  if (one.operandSize !== NATIVE(around)) return undefined;
  const image = flags(random);
  if (around.codeSize === 4) return { before: (next) => [push(image), push(code), push(next)] };
  return { before: (next) => [[0x48, 0x89, 0xe0], push(data), [0x50], push(image), push(code), ...pushNext(around, next)] };
};

/** SYSENTER leads to a stub that comes back to EDX; at level 3 by SYSEXIT, with the stack that ECX says. */
const enter = ({ around, random }: Recipe): Wants => {
  const stack = goal(random) & ~15;
  return { before: (next) => [move(around, C, stack), move(around, D, next)], behind: () => [freshStack(random, around)] };
};

const leaveLevel = ({ around, random, level }: Recipe, { one }: Wanting): Wants | undefined => {
  if (level !== 0 || (around.codeSize === 8) !== (one.operandSize === 8)) return undefined;
  const stack = goal(random) & ~15;
  return {
    before: (next) => [move(around, C, stack), move(around, D, next)],
    behind: (next) => [move(around, D, next + move(around, D, next).length + 2), [0x0f, 0x34]],
  };
};

const sysret = ({ around, random, level }: Recipe, { one }: Wanting): Wants | undefined => {
  if (level !== 0 || one.operandSize !== 8) return undefined;
  const image = flags(random) & ~EFLAGS_TF;
  return { before: (next) => [move(around, C, next), move(around, R11, image)], behind: () => [[0x0f, 0x05]] };
};

/** Loads of DS, ES, SS, FS and GS. */
function selectorFor({ random, around, data }: Recipe, segment: number): number {
  return segment >= 4 && random.oneIn(3) ? random.pick([0, ...around.selectors]) : data;
}

const farPointer = (segment: number) => (recipe: Recipe, { one, target }: Wanting): Wants => {
  const { around, random } = recipe;
  const words = [poke(around, 4, target, random.next()), ...(one.operandSize === 8 ? [poke(around, 4, target + 4, random.next())] : [])];
  const selector = selectorFor(recipe, segment);
  return { before: () => [...words, poke(around, 2, target + one.operandSize, selector)] };
};

const mov = (recipe: Recipe, wanting: Wanting): Wants | undefined => {
  const { around, random } = recipe;
  const { one, bytes } = wanting;
  const [first, second] = one.form.operands.map(({ kind }) => kind);
  if (first === "S") {
    if (one.reg === 1 || one.reg > 5) return undefined;
    const selector = selectorFor(recipe, one.reg);
    return { before: () => give(around, wanting, selector) };
  }
  if (second === "S") return one.reg > 5 ? undefined : {};
  if (second === "C") return [0, 2, 3, 4, ...(around.codeSize === 8 ? [8] : [])].includes(one.reg) ? {} : undefined;
  if (first === "C") {
    if (one.reg === 8 && around.codeSize === 8) return { before: () => [move(around, one.rm, random.below(2))] };
    if (![0, 2, 3, 4].includes(one.reg)) return undefined;
    const opcode = bytes.lastIndexOf(0x22, bytes.length - 2);
    const read = one.reg === 2 ? [] : [bytes.with(opcode, 0x20)];
    return { before: () => read };
  }
  if (second === "D") return one.reg > 7 ? undefined : {};
  if (first === "D") return one.reg > 7 ? undefined : { before: () => (one.reg < 4 ? [] : [move(around, one.rm, one.reg === 4 || one.reg === 6 ? 0xffff0ff0 : 0x400)]) };
  return {};
};

const stackPointerBehind = ({ random, around }: Recipe): Wants["behind"] => (random.oneIn(2) ? () => [freshStack(random, around)] : undefined);
const behindOf = (behind: Wants["behind"]): Pick<Wants, "behind"> => (behind === undefined ? {} : { behind });

const modelSpecific = (isWrite: boolean) => ({ around, random }: Recipe): Wants => {
  const register = random.pick(around.extended ? MSRS : MSRS.slice(0, MSRS.indexOf(IA32_STAR)));
  return { before: () => [move(around, C, register), ...(isWrite ? [[0x0f, 0x32]] : [])] };
};

const ports = ({ around, random }: Recipe, { one, bytes }: Wanting): Wants => {
  const number = port(random);
  if (one.form.operands.every(({ kind }) => kind !== "I")) return { before: () => [move(around, D, number)] };
  bytes[bytes.length - 1] = number;
  return {};
};

/** A halt that an interrupt ends at once. */
const halt = ({ around }: Recipe): Wants => ({ before: () => [move(around, C, 0), RAISE, [STI]] });

const never = ({ random }: Recipe): Wants | undefined => (random.oneIn(6) ? {} : undefined);

const extendedState = ({ around, random }: Recipe, { one, target }: Wanting): Wants => {
  const masks = [random.below(8), 7];
  if (one.form.mnemonic !== "XRSTOR") return { before: () => [move(around, D, 0), move(around, A, masks[0]!)] };
  return {
    before: () => [
      ...[0, 4, 8, 12, 16, 20].map((at) => poke(around, 4, target + XSAVE_HEADER + at, 0)), move(around, D, 0), move(around, A, masks[1]!), [0x0f, 0xae, ...absolute(around, 4, target)],
      move(around, A, masks[0]!),
    ],
  };
};

const descriptorTable = (digit: number) => ({ around }: Recipe, { target }: Wanting): Wants => ({ before: () => [[0x0f, 0x01, ...absolute(around, digit, target)]] });

/** The same words as at a store before it; `opcode` is the store's. */
const restored = (opcode: readonly number[], digit: number) => ({ around }: Recipe, { one, target }: Wanting): Wants =>
  ({ before: () => [[...(one.operandSize === 2 && opcode.length === 1 ? [0x66] : []), ...opcode, ...absolute(around, digit, target)]] });

/** By mnemonic. */
export const RECIPES: Recipes = {
  Jcc: jump, LOOP: jump, LOOPE: jump, LOOPNE: jump, JCXZ: jump, JMP: indirect, CALL: indirect, JMPF: far, CALLF: far, RET: ret, RETF: retFar, IRET: iret,
  SYSENTER: enter, SYSEXIT: leaveLevel, SYSCALL: ({ around, random }) => (around.codeSize === 8 || random.oneIn(6) ? {} : undefined), SYSRET: sysret,
  LDS: farPointer(3), LES: farPointer(0), LSS: farPointer(SS), LFS: farPointer(4), LGS: farPointer(5), MOV: mov,
  POP: (recipe, wanting) => {
    const { kind, register } = wanting.one.form.operands[0]!;
    if (kind !== "seg") return {};
    const selector = selectorFor(recipe, register);
    return { before: () => [pushFor(wanting, selector)] };
  },
  POPF: ({ random }, wanting) => {
    const image = flags(random);
    return { before: () => [pushFor(wanting, image)] };
  },
  ENTER: (recipe, { bytes, target }) => {
    const { around, random } = recipe;
    patch(bytes, bytes.length - 3, random.below(96), 2);
    bytes[bytes.length - 1] = random.oneIn(3) ? random.below(40) : 0;
    return { before: () => [move(around, BP, target | 15)], ...behindOf(stackPointerBehind(recipe)) };
  },
  LEAVE: (recipe, { target }) => ({ before: () => [move(recipe.around, BP, target)], ...behindOf(stackPointerBehind(recipe)) }),
  BOUND: ({ around }, { one, target }) => ({
    before: () => (one.operandSize === 2 ? [poke(around, 4, target, 0x7fff8000)] : [poke(around, 4, target, 0x80000000), poke(around, 4, target + 4, 0x7fffffff)]),
  }),
  FLDCW: ({ around, random }, { target }) => {
    const word = controlWord(random);
    return { before: () => [poke(around, 2, target, word)] };
  },
  LDMXCSR: ({ around, random }, { target }) => {
    const word = controlOfSse(random);
    return { before: () => [poke(around, 4, target, word)] };
  },
  FLDENV: restored([0xd9], 6), FRSTOR: restored([0xdd], 6), FXRSTOR: restored([0x0f, 0xae], 0),
  LLDT: ({ around, long, random }, wanting) => {
    const selector = random.oneIn(3) ? 0 : long ? LONG_LDT : TABLE_SELECTOR;
    return { before: () => give(around, wanting, selector) };
  },
  LTR: ({ around, long }, wanting) => {
    const selector = long ? LONG_TSS : TSS1;
    return { before: () => [[0xc6, ...absolute(around, 0, GDT + selector + ACCESS), AVAILABLE], ...give(around, wanting, selector)] };
  },
  LGDT: descriptorTable(0), LIDT: descriptorTable(1),
  LMSW: ({ around }, wanting) => {
    const { one, target } = wanting;
    return { before: () => [inMemory(wanting) ? [0x0f, 0x01, ...absolute(around, 4, target)] : [...(one.rm >= 8 ? [0x41] : []), 0x0f, 0x01, 0xe0 | (one.rm & 7)]] };
  },
  RDMSR: modelSpecific(false), WRMSR: modelSpecific(true), RDPMC: ({ around, random }) => {
    const counter = random.below(2);
    return { before: () => [move(around, C, counter)] };
  },
  INT: ({ random }, { bytes }) => {
    bytes[bytes.length - 1] = 0x20 + random.below(0x20);
    return {};
  },
  AAM: ({ random }, { one }) => (one.immediate === 0 && !random.oneIn(8) ? undefined : {}),
  IN: ports, OUT: ports, INS: ports, OUTS: ports, HLT: halt, MWAIT: halt, MONITOR: ({ around }, { target }) => ({ before: () => [move(around, A, target), move(around, C, 0)] }),
  INVPCID: ({ around, random }, { one, target }) => {
    const words = [0, 0, random.next(), 0].map((value, n) => poke(around, 4, target + 4 * n, value));
    const type = random.below(4);
    return one.reg === one.base || one.reg === one.index ? undefined : { before: () => [...words, move(around, one.reg, type)] };
  },
  XSETBV: ({ around, random }) => {
    const mask = random.oneIn(8) ? 1 : 3;
    return { before: () => [move(around, A, mask), move(around, D, 0), move(around, C, 0)] };
  },
  XGETBV: ({ around }) => ({ before: () => [move(around, C, 0)] }),
  XSAVE: extendedState, XSAVEOPT: extendedState, XRSTOR: extendedState,
  WRFSBASE: ({ around, random }, { one }) => {
    const base = random.pick([0, 8, 0x1008, 0x2000]);
    return { before: () => [move(around, one.rm, base)] };
  },
  WRGSBASE: ({ around, random }, { one }) => {
    const base = random.pick([0, 8, 0x1008, 0x2000]);
    return { before: () => [move(around, one.rm, base)] };
  },
  LAR: (recipe, wanting) => checked(recipe, wanting), LSL: (recipe, wanting) => checked(recipe, wanting), VERR: (recipe, wanting) => checked(recipe, wanting), VERW: (recipe, wanting) => checked(recipe, wanting),
  UD0: never, UD1: never, UD2: never, RSM: never,
};

/** Half of the selectors that are looked at mean something. */
function checked({ around, random }: Recipe, wanting: Wanting): Wants {
  if (random.oneIn(2) || (inMemory(wanting) && wanting.target >= 0x8000_0000)) return {};
  const selector = random.pick(around.selectors);
  return inMemory(wanting) ? {} : { before: () => [move(around, wanting.one.rm, selector)] };
}

/** Instructions that only level 0 may execute. */
const PRIVILEGED = new Set([
  "CLTS", "HLT", "INVD", "WBINVD", "INVLPG", "INVPCID", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "RDMSR", "WRMSR", "SYSEXIT", "SYSRET", "SWAPGS", "XSETBV", "MONITOR",
  "MWAIT", "RDPMC", "STAC", "CLAC",
]);

/** Whether a form can only fault at level 3. */
export function isPrivileged({ mnemonic, operands }: Wanting["one"]["form"]): boolean {
  return PRIVILEGED.has(mnemonic) || operands.some(({ kind }) => kind === "C" || kind === "D");
}
