/**
 * Code that goes round: stretches that load registers anew from data, then random instructions of every form with good operands, and a jump back to
 * the beginning. A program has a theme, forms that half of its instructions are of, so that all forms come up about equally often.
 *
 *   0  stub of SYSENTER   10h  stub of SYSCALL   20h  the first stretch, others behind it, JMP to the first
 */
import type { Form } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";
import { dword, move, type Pieces } from "./code-pieces.ts";
import { CODE_BYTES, CODE0 } from "./image-layout.ts";
import type { Surroundings } from "./random-instruction.ts";
import { frame } from "./region-pieces.ts";
import { lengthOf, prepared } from "./round-operands.ts";
import { isPrivileged, type Recipe, RECIPES } from "./round-recipes.ts";
import { floats, freshStack, goal, reload } from "./round-setup.ts";

export const STUB_SYSENTER = 0, STUB_SYSCALL = 0x10;
const BODY = 0x20;
const TAIL_JUMP = 5;
const BP = 5;
const LEAVE = 0xc9;
/** Forms of a theme, which stand together in the tables. */
const THEME = 40;
/** At level 0 one instruction of so many is privileged, besides those of the theme: half of the programs have none. */
const PRIVILEGED_ONE_IN = 20;
/** Instructions after which little of the round is left as it was: they are rarer outside their themes. */
const SELDOM = new Set(["HLT", "MWAIT", "SYSEXIT", "SYSRET", "WBINVD", "INVD", "LTR", "LIDT", "LGDT", "MOV", "WRMSR", "XSETBV", "LMSW", "INVLPG", "INVPCID"]);
const isSeldom = ({ mnemonic, operands }: Form): boolean => (mnemonic === "MOV" ? operands.some(({ kind }) => kind === "C" || kind === "D") : SELDOM.has(mnemonic));
/** Bytes of a loop's body: a short jump leads back over them. */
const LONGEST_LOOP = 100;
/** Kinds of operands that are no general registers. */
const ONLY_VECTORS = new Set(["V", "W", "U", "P", "Q", "N", "I", "ST0", "STi", "XMM0"]);

/** Code of a program, the offsets at which its instructions begin, and those of its stretches. */
export interface RoundCode {
  readonly code: Uint8Array;
  readonly starts: number[];
  readonly stretches: number[];
}

/** What code is to be like. */
export interface RoundOptions {
  readonly level: 0 | 3;
  /** In IA-32e mode. */
  readonly long: boolean;
  /** Where its theme begins in the tables: 0 to 1. */
  readonly theme: number;
}

/** What comes back from SYSENTER and SYSCALL to the program, which goes on at the same level. */
function stubs({ codeSize }: Surroundings, level: 0 | 3, long: boolean): readonly [enter: number[][], call: number[][]] {
  const wide = codeSize === 8 ? [0x48] : [];
  if (level === 3) return [[[...wide, 0x0f, 0x35]], [[0x48, 0x0f, 0x07]]];
  // SYSENTER comes from compatibility mode to 64-bit code.
  return [long && codeSize === 4 ? [[0x6a, CODE0], [0x52], [0x48, 0xcb]] : [[0xff, 0xe2]], [[0xff, 0xe1]]];
}

/** A loop within the round, of few instructions that touch no general register, executed some times. */
function innerLoop(random: Random, around: Surroundings, at: number, forms: readonly Form[]): Pieces {
  const counter = random.pick([1, 3, 6, 7]);
  const head: Pieces = [[0xb8 + counter, ...dword(1 + random.below(20))]];
  const body: Pieces = [];
  for (let left = 1 + random.below(4); left > 0; left--) {
    const form = random.pick(forms);
    if (!form.operands.every(({ kind }) => ONLY_VECTORS.has(kind)) || RECIPES[form.mnemonic] !== undefined) continue;
    const pieces = prepared(random, form, around, at + lengthOf(head) + lengthOf(body), ({ one }) => (form.hasModrm && one.mod !== 3 && (one.base >= 0 || one.index >= 0) ? undefined : {}));
    if (pieces !== undefined && lengthOf(body) + lengthOf(pieces) < LONGEST_LOOP) body.push(...pieces);
  }
  if (counter === 1 && random.oneIn(2)) return [...head, ...body, [0xe2, -(lengthOf(body) + 2) & 0xff]];
  return [...head, ...body, [0xff, 0xc8 | counter], [0x75, -(lengthOf(body) + 4) & 0xff]];
}

/** Accesses to a frame. LEAVE takes the frame pointer for the stack's, which must not lie in the program then: a second one would find anything. */
function framed(random: Random, around: Surroundings): Pieces {
  const accesses = frame(random, around);
  const leave = accesses.findIndex(([opcode]) => opcode === LEAVE);
  return [move(around, BP, goal(random)), ...accesses.filter(([opcode], n) => opcode !== LEAVE || n === leave), freshStack(random, around)];
}

/** One random instruction with all that it wants. */
class Writer {
  private readonly recipe: Recipe;
  private readonly all: readonly Form[];
  private readonly theme: readonly Form[];
  private readonly privileged: readonly Form[];
  private readonly random: Random;
  private readonly around: Surroundings;

  constructor(random: Random, around: Surroundings, forms: readonly Form[], { level, long, theme }: RoundOptions) {
    const possible = level === 0 ? forms : forms.filter((form) => !isPrivileged(form));
    const from = Math.floor(theme * possible.length);
    this.privileged = level === 0 ? forms.filter(isPrivileged) : [];
    this.theme = Array.from({ length: THEME }, (_, n) => possible[(from + n) % possible.length]!);
    this.all = possible;
    this.random = random;
    this.around = around;
    const { code, data } = around.rounds!;
    this.recipe = { random, around, level, code, data, long, filler: (at) => this.plain(at) };
  }

  choose(): Form {
    const { random, theme, all, privileged } = this;
    if (privileged.length > 0 && random.oneIn(PRIVILEGED_ONE_IN)) return random.pick(privileged);
    if (random.oneIn(2)) return random.pick(theme);
    const form = random.pick(all);
    return isSeldom(form) && !random.oneIn(4) ? random.pick(all) : form;
  }

  instruction(form: Form, at: number): Pieces {
    const recipe = RECIPES[form.mnemonic];
    return prepared(this.random, form, this.around, at, recipe && ((wanting) => recipe(this.recipe, wanting))) ?? [];
  }

  /** An instruction that needs nothing but operands. */
  private plain(at: number): Pieces {
    const form = this.random.pick(this.all);
    return RECIPES[form.mnemonic] === undefined && !isPrivileged(form) ? this.instruction(form, at) : [];
  }

  /** Registers loaded anew, and instructions. */
  *stretch(start: number): Generator<Pieces> {
    const { random, around } = this;
    let at = start;
    const first = [freshStack(random, around), ...reload(random, around)];
    at += lengthOf(first);
    yield first;
    let hasFloats = false;
    for (let left = 8 + random.below(10); left > 0; left--) {
      if (random.oneIn(24)) {
        const loop = innerLoop(random, around, at, this.all);
        at += lengthOf(loop);
        yield loop;
      }
      if (random.oneIn(30)) {
        const accesses = framed(random, around);
        at += lengthOf(accesses);
        yield accesses;
      }
      const form = this.choose();
      if (form.feature === "FPU" && (!hasFloats || random.oneIn(5))) {
        const loads = floats(random, around);
        at += lengthOf(loads);
        hasFloats = true;
        yield loads;
      }
      const pieces = this.instruction(form, at);
      at += lengthOf(pieces);
      yield pieces;
    }
  }
}

/** The code of a program. */
export function roundCode(random: Random, forms: readonly Form[], around: Surroundings, options: RoundOptions): RoundCode {
  const code = new Uint8Array(CODE_BYTES);
  const starts: number[] = [];
  const stretches: number[] = [];
  let at = 0;
  const add = (pieces: Pieces): void => {
    for (const bytes of pieces) {
      starts.push(at);
      code.set(bytes, at);
      at += bytes.length;
    }
  };
  const [enter, call] = stubs(around, options.level, options.long);
  add(enter);
  at = STUB_SYSCALL;
  add(call);
  at = BODY;
  const writer = new Writer(random, around, forms, options);
  for (let isFull = false; !isFull;) {
    stretches.push(at);
    for (const pieces of writer.stretch(at)) {
      isFull = at + lengthOf(pieces) > CODE_BYTES - TAIL_JUMP;
      if (isFull) break;
      add(pieces);
    }
  }
  starts.push(at);
  code.set([0xe9, ...dword(BODY - (at + TAIL_JUMP))], at);
  return { code, starts, stretches };
}
