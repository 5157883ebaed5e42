/**
 * Programs for regions whose code goes round: it is compiled once, and executed often, over values that are others each time. A leg begins with
 * random registers, and with its data drawn anew from the program's pool; in it, every round loads registers from other places of the data, which
 * the program writes as well. Pages are plain, and nothing stores into code or tables, so that regions stay.
 */
import {
  CR0_CD, CR0_EM, CR0_TS, CR4_FSGSBASE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_TSD, CR4_UMIP, EFLAGS_AC, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_TF, IA32_KERNEL_GS_BASE, IA32_LSTAR, IA32_SYSENTER_EIP,
} from "@doppel/x86";
import { layout } from "@doppel/cpu";
import { Random, randomValue } from "../host-vectors-random.ts";
import { classOf } from "./form-classes.ts";
import { FuzzImage } from "./fuzz-image.ts";
import { type Halves, type Leg, legOf, type LegSetup } from "./fuzz-leg.ts";
import { COMPATIBILITY_MODES, type FuzzMode, type FuzzModel, LEGACY_MODES, LONG_MODES } from "./fuzz-modes.ts";
import { fuzzProgram, type FuzzProgram } from "./fuzz-program.ts";
import type { Paging } from "./image-bytes.ts";
import { BASES, CODE, CODE_BYTES, CODE0, CODE3, DATA, DATA0, DATA3, LONG_CODE0, LONG_CODE3, LONG_SELECTORS, LOW, SELECTORS } from "./image-layout.ts";
import { LongImage } from "./long-image.ts";
import { roundCode, STUB_SYSCALL, STUB_SYSENTER } from "./round-code.ts";
import type { Surroundings } from "./random-instruction.ts";
import { controlOfSse, controlWord } from "./round-setup.ts";

/** One program of so many is one of those that fault, and store into their code. */
const OTHERS = 24;
const LEGS = 48;
const LEG_BUDGET = 4500;
/** Kinds of code by turns: three of ten programs are 64-bit code, three of compatibility mode, two of either model outside IA-32e mode. */
const KINDS = 10;
/** Its multiples' fractions fill what is between 0 and 1 evenly. */
const GOLDEN = 0.6180339887498949;
/** Of the stretches, legs begin at so many. */
const STARTS = 4;
const POOL_BYTES = 0x4000;
/** Numbers that are special to floating point, by their upper words. */
const DOUBLES = [0, 0x80000000, 0x3ff00000, 0xbff00000, 0x7ff00000, 0xfff00000, 0x7ff80000, 0x7ff40000, 0x40000000, 0x00080000, 0x43e00000, 0xc1e00000, 0x3fe00000, 0x7fefffff, 0x38100000];
const SINGLES = [0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00000, 0x40000000, 0x00400000, 0x5f000000, 0xcf000000, 0x3f000000, 0x7f7fffff, 0x00800000];

const flat = (mode: FuzzMode): boolean => / ?flat, level/.test(mode.name);

/** Values of every kind, sixteen bytes of each in a row. */
function poolOf(random: Random): Uint8Array {
  const bytes = new Uint8Array(POOL_BYTES);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < POOL_BYTES; at += 16) {
    switch (random.below(6)) {
      case 0: for (let n = 0; n < 16; n += 4) view.setUint32(at + n, random.next(), true); break;
      case 1: for (let n = 0; n < 16; n += 4) view.setUint32(at + n, randomValue(random, 4), true); break;
      case 2: for (let n = 0; n < 16; n += 8) view.setFloat64(at + n, (random.below(4000) - 2000) * 2 ** (random.below(40) - 20), true); break;
      case 3: for (let n = 0; n < 16; n += 4) view.setFloat32(at + n, (random.below(4000) - 2000) * 2 ** (random.below(20) - 10), true); break;
      case 4: {
        for (let n = 0; n < 16; n += 8) {
          view.setUint32(at + n, random.oneIn(2) ? 0 : randomValue(random, 4), true);
          view.setUint32(at + n + 4, random.pick(random.oneIn(2) ? DOUBLES : SINGLES), true);
        }
        break;
      }
      default:
        view.setUint32(at, random.next(), true);
        view.setUint32(at + 4, (random.next() | 0x80000000) >>> 0, true);
        view.setUint16(at + 8, random.pick([0x3fff, 0xbfff, 0x4000, 0x3ffe, 0, 0x7fff, 0xffff, 0x4030, 0x3fd0, random.below(0x10000)]), true);
        view.setUint32(at + 12, randomValue(random, 4), true);
    }
  }
  return bytes;
}

/** The registers of a leg: anything in the general ones, control registers under which most of the code retires. */
function tame(random: Random, leg: Leg, setup: LegSetup): Leg {
  const { mode, model } = setup;
  const { ES, SS, DS, FS, GS } = layout;
  const anything = (): Halves => [randomValue(random, 4), randomValue(random, 4)];
  let { cr0, cr4, eflags } = leg;
  cr0 &= ~(CR0_EM | CR0_CD | (random.oneIn(8) ? 0 : CR0_TS));
  cr4 |= CR4_OSFXSR | (random.oneIn(24) ? 0 : CR4_OSXMMEXCPT);
  if (!random.oneIn(16)) cr4 &= ~(CR4_TSD | CR4_UMIP);
  if (model === "max") cr4 |= CR4_OSXSAVE | CR4_FSGSBASE;
  eflags &= ~((random.oneIn(40) ? 0 : EFLAGS_TF) | (random.oneIn(4) ? 0 : EFLAGS_AC) | (random.oneIn(4) ? 0 : EFLAGS_NT));
  if (!random.oneIn(12)) eflags |= EFLAGS_IOPL;
  const data = mode.level === 0 ? DATA0 : DATA3;
  const msrs = leg.msrs.map(([register, low, high]): Leg["msrs"][number] => {
    // From compatibility mode SYSENTER leads to the same bytes as 64-bit code.
    if (register === IA32_SYSENTER_EIP) return [register, (setup.codeOffset + STUB_SYSENTER) >>> 0, Math.floor(setup.codeOffset / 0x1_0000_0000)];
    if (register === IA32_LSTAR) return [register, (setup.codeOffset + STUB_SYSCALL) >>> 0, Math.floor(setup.codeOffset / 0x1_0000_0000)];
    return register === IA32_KERNEL_GS_BASE ? [register, random.below(4) * 0x800, 0] : [register, low, high];
  });
  return {
    ...leg, cr0: cr0 >>> 0, cr4, eflags, msrs, gpr: leg.gpr.map((value, n) => (n === 4 ? value : anything())),
    segments: [[SS, data], ...[ES, DS, FS, GS].map((segment) => [segment, data] as const)],
    bases: mode.ia32e && mode.codeSize === 8 ? [FS, GS].map((segment) => [segment, random.pick([0, 8, 0x1008, 0x2000])] as const) : [],
    // Tables that lie high are out of the reach of 32-bit code that reads where they are.
    tables: mode.codeSize === 8 ? leg.tables : LOW, cr8: random.oneIn(8) ? leg.cr8 : 0,
    dr: random.oneIn(6) ? leg.dr : [0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400],
    fpuControl: controlWord(random), fpuTags: random.oneIn(3) ? 0xff : 0, mxcsr: controlOfSse(random),
  };
}

/**
 * A program that goes round, of a seed.
 * @param longer so many times as many legs
 */
export function roundProgram(seed: string, longer = 1): FuzzProgram {
  const random = new Random(`round ${seed}`);
  // By turns, so that a run of some length has all kinds of code and all themes equally often.
  const turn = Number(/(\d+)$/.exec(seed)?.[1] ?? random.below(1000));
  const kind = turn % KINDS;
  const theme = (Math.floor(turn / KINDS) * GOLDEN) % 1;
  const mode = random.pick(kind < 3 ? LONG_MODES : kind < 6 ? COMPATIBILITY_MODES.filter(flat) : LEGACY_MODES.filter(flat));
  const model: FuzzModel = kind < 8 ? "max" : "i686";
  const paging: Paging = mode.ia32e ? "4-level" : random.pick<Paging>(["none", "two-level", "PSE", "PAE"]);
  const long = mode.codeSize === 8;
  const { level } = mode;
  const base = long ? random.pick(BASES) : LOW;
  const codeOffset = CODE + base;
  const rounds = { level, code: long ? (level === 0 ? LONG_CODE0 : LONG_CODE3) : level === 0 ? CODE0 : CODE3, data: level === 0 ? DATA0 : DATA3 };
  const around: Surroundings = {
    codeSize: mode.codeSize, codeFrom: codeOffset, codeBytes: CODE_BYTES, bases: long ? BASES : [LOW], extended: model === "max",
    selectors: mode.ia32e ? LONG_SELECTORS : SELECTORS, addresses: [DATA], regions: true, changesCode: false, changesTables: false, rounds,
  };
  const { forms } = classOf(model, long ? "64-bit" : mode.ia32e ? "compatibility" : "legacy")!;
  const { code, starts, stretches } = roundCode(random, forms, around, { level, long: mode.ia32e, theme });
  const begins = Array.from({ length: STARTS }, () => random.pick(stretches));
  const setup: LegSetup = { mode, model, paging, noExecute: random.oneIn(2), guarded: false, codeOffset, starts: begins, plain: true };
  const image = new (mode.ia32e ? LongImage : FuzzImage)(random, setup);
  image.program(code, starts);
  const pool = poolOf(random);
  const legs = Array.from({ length: longer * LEGS }, () => tame(random, legOf(random, setup), setup));
  return { seed, model, mode, paging, codeOffset, image: image.bytes, code, starts, legs, budget: longer * LEGS * LEG_BUDGET, regions: true, legBudget: LEG_BUDGET, pool };
}

/**
 * The program of a seed for machines that translate: most of them go round.
 * @param longer so many times as many legs, of one that does
 */
export function regionProgram(seed: string, longer = 1): FuzzProgram {
  return new Random(`kind ${seed}`).oneIn(OTHERS) ? fuzzProgram(seed, true) : roundProgram(seed, longer);
}
