/**
 * A fuzzed program: a model and a mode of the processor, an image with random code in it, and the registers that each of its legs
 * begins with. Everything follows from the seed. A leg ends when its budget is used up or when only a new start helps.
 */
import { Random } from "../host-vectors-random.ts";
import { classOf } from "./form-classes.ts";
import { FuzzImage } from "./fuzz-image.ts";
import { type Leg, legOf, type LegSetup } from "./fuzz-leg.ts";
import { COMPATIBILITY_MODES, type FuzzMode, type FuzzModel, LEGACY_MODES, LONG_MODES, REAL_DATA } from "./fuzz-modes.ts";
import type { Paging } from "./image-bytes.ts";
import { BASES, CODE_BYTES, DATA, LONG_SELECTORS, LOW, PAGE_1G, PAGE_2M, SELECTORS, TABLE, DIRECTORY, TOP } from "./image-layout.ts";
import { LongImage } from "./long-image.ts";
import { programCode } from "./program-code.ts";
import type { Surroundings } from "./random-instruction.ts";

/** A program and everything that its runs begin with. */
export interface FuzzProgram {
  readonly seed: string;
  readonly model: FuzzModel;
  readonly mode: FuzzMode;
  readonly paging: Paging;
  /** Where the program lies in its code segment; 64-bit code at one of the places where memory is seen. */
  readonly codeOffset: number;
  readonly image: Uint8Array;
  readonly code: Uint8Array;
  /** Offsets at which instructions begin. */
  readonly starts: readonly number[];
  readonly legs: readonly Leg[];
  /** Instructions of its runs. */
  readonly budget: number;
  /** It is for machines that translate: code that regions hold, which many legs go through. */
  readonly regions: boolean;
  /** Instructions of a leg; 160 when absent. */
  readonly legBudget?: number;
  /** What data are drawn from when a leg begins; they stay as they are when absent. */
  readonly pool?: Uint8Array;
}

const LEGS = 24;
const BUDGET = 1500;
/** So many times longer are programs for regions: what costs most is compiling their code. */
const REGIONS_LONGER = 64;
/** Places in a program that legs for regions begin at: each has a region of its own. */
const REGION_STARTS = 32;

const REGION_MODES = [...LEGACY_MODES, ...COMPATIBILITY_MODES].filter(({ name }) => / ?flat, level/.test(name));

/** Half of the programs are of legacy modes, a third are 64-bit code; regions hold flat 32-bit and 64-bit code. */
function modeOf(random: Random, regions: boolean): FuzzMode {
  if (regions && !random.oneIn(24)) return random.pick(random.oneIn(2) ? REGION_MODES : LONG_MODES);
  return random.pick(random.oneIn(2) ? LEGACY_MODES : random.oneIn(3) ? COMPATIBILITY_MODES : LONG_MODES);
}

function addressesOf(mode: FuzzMode): number[] {
  if (mode.codeSize === 2) return [0, 0x1000, 0x4000, mode.codeOffset];
  const large = mode.ia32e ? [PAGE_2M + DATA, PAGE_1G + DATA, 0xfffff000] : [0x400000 + DATA];
  const flat = [DATA, DATA + 0x3ff8, 0x1c000, mode.codeOffset, TABLE, DIRECTORY, 0, ...large];
  return mode.codeSize === 8 ? [...flat, ...flat.slice(0, 6).map((address) => TOP + address)] : flat;
}

/**
 * The program of a seed.
 * @param regions for machines that translate
 */
export function fuzzProgram(seed: string, regions = false): FuzzProgram {
  const random = new Random(seed);
  const mode = modeOf(random, regions);
  const model: FuzzModel = mode.ia32e || random.oneIn(2) ? "max" : "i686";
  const real = mode.kind === "real" || mode.kind === "unreal";
  const paging: Paging = mode.ia32e ? "4-level" : real ? "none" : random.pick<Paging>(["none", "two-level", "PSE", "PAE"]);
  const long = mode.codeSize === 8;
  const codeOffset = mode.codeOffset + (long ? random.pick(BASES) : LOW);
  // Everything is compiled anew behind a store into it.
  const changesCode = !regions || random.oneIn(12);
  const around: Surroundings = {
    codeSize: mode.codeSize, codeFrom: codeOffset, codeBytes: CODE_BYTES, bases: long ? BASES : [LOW], extended: model === "max",
    selectors: real || mode.kind === "v86" ? [0x1000, ...REAL_DATA] : mode.ia32e ? LONG_SELECTORS : SELECTORS, addresses: addressesOf(mode).filter((address) => changesCode || (address !== mode.codeOffset && address !== TOP + mode.codeOffset)), regions,
    changesCode, changesTables: !regions || random.oneIn(4),
  };
  const { forms } = classOf(model, long ? "64-bit" : mode.ia32e ? "compatibility" : "legacy")!;
  const { code, starts } = programCode(random, forms, around);
  const setup: LegSetup = { mode, model, paging, noExecute: random.oneIn(2), guarded: mode.level === 0 && model === "max" && random.oneIn(2), codeOffset, starts };
  const image = new (mode.ia32e ? LongImage : FuzzImage)(random, setup);
  image.program(code, starts);
  const longer = regions ? REGIONS_LONGER : 1;
  const begins = regions ? { ...setup, starts: Array.from({ length: REGION_STARTS }, () => random.pick(starts)) } : setup;
  const legs = Array.from({ length: longer * LEGS }, () => legOf(random, begins));
  return { seed, model, mode, paging, codeOffset, image: image.bytes, code, starts, legs, budget: longer * BUDGET, regions };
}

