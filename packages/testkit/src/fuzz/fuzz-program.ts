/**
 * A fuzzed program: a mode of the processor, an image with random code in it, and the registers that each of its legs begins
 * with. Everything follows from the seed. A leg ends when its budget is used up or when only a new start helps.
 */
import { layout } from "@doppel/cpu";
import {
  CR0_AM, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_PAE, CR4_PGE, CR4_PSE,
  CR4_TSD, CR4_VME, EFER_NXE, EFLAGS_AC, EFLAGS_ARITHMETIC, EFLAGS_DF, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_TF, EFLAGS_VM, type Form, IA32_APIC_BASE,
  IA32_EFER, IA32_MTRRCAP, IA32_MTRR_DEF_TYPE, IA32_PAT, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_TIME_STAMP_COUNTER,
} from "@doppel/x86";
import { Random, randomValue } from "../host-vectors-random.ts";
import {
  CODE, CODE0, CODE16_0, CODE16_3, CODE3, CODE_BYTES, DATA, DATA0, DATA16_0, DATA16_3, DATA3, DOWN0, DOWN16, DOWN3, FuzzImage, ODD_CODE0, ODD_CODE3,
  type Paging, SELECTORS, SMALL0, SMALL3, STACK0, STACK16_0, STACK16_3, STACK3, TABLE_SELECTOR, TSS2, TSS3,
} from "./fuzz-image.ts";
import { chooseForm, randomInstruction, type Surroundings } from "./random-instruction.ts";

/** How the processor stands while a program runs. */
export interface FuzzMode {
  readonly name: string;
  readonly kind: "real" | "unreal" | "protected" | "v86";
  readonly codeSize: 2 | 4;
  readonly level: 0 | 3;
  /** Selectors, or segments in real and virtual-8086 mode; of the data segments one is chosen for each register. */
  readonly code: number;
  readonly stacks: readonly number[];
  readonly data: readonly number[];
  readonly codeOffset: number;
}

const FLAT_OFFSET = CODE;
const SHORT_OFFSET = CODE - 0x10000;
const ODD_OFFSET = CODE - 0xff03;
const REAL_DATA = [DATA >> 4, 0x1800, 0x1004, 0];

/** Every mode that programs run in. */
export const FUZZ_MODES: readonly FuzzMode[] = [
  { name: "real", kind: "real", codeSize: 2, level: 0, code: 0x1000, stacks: [0x1000, 0x0e00], data: REAL_DATA, codeOffset: SHORT_OFFSET },
  { name: "unreal", kind: "unreal", codeSize: 2, level: 0, code: 0x1000, stacks: [0x1000], data: REAL_DATA, codeOffset: SHORT_OFFSET },
  { name: "flat, level 0", kind: "protected", codeSize: 4, level: 0, code: CODE0, stacks: [DATA0], data: [DATA0], codeOffset: FLAT_OFFSET },
  { name: "flat, level 3", kind: "protected", codeSize: 4, level: 3, code: CODE3, stacks: [DATA3], data: [DATA3], codeOffset: FLAT_OFFSET },
  { name: "odd segments, level 0", kind: "protected", codeSize: 4, level: 0, code: ODD_CODE0, stacks: [DATA0, STACK16_0, DOWN0, DOWN16], data: [DATA0, SMALL0, DOWN0, DOWN16, CODE0, 0], codeOffset: ODD_OFFSET },
  { name: "odd segments, level 3", kind: "protected", codeSize: 4, level: 3, code: ODD_CODE3, stacks: [DATA3, STACK16_3, DOWN3], data: [DATA3, SMALL3, DOWN3, CODE3, 0], codeOffset: ODD_OFFSET },
  { name: "flat data, odd code", kind: "protected", codeSize: 4, level: 0, code: ODD_CODE0, stacks: [DATA0], data: [DATA0], codeOffset: ODD_OFFSET },
  { name: "16-bit, level 0", kind: "protected", codeSize: 2, level: 0, code: CODE16_0, stacks: [DATA16_0, STACK16_0, DATA0], data: [DATA16_0, DATA0, SMALL0], codeOffset: SHORT_OFFSET },
  { name: "16-bit, level 3", kind: "protected", codeSize: 2, level: 3, code: CODE16_3, stacks: [DATA16_3, STACK16_3], data: [DATA16_3, DATA3, SMALL3], codeOffset: SHORT_OFFSET },
  { name: "virtual-8086", kind: "v86", codeSize: 2, level: 3, code: 0x1000, stacks: [0x2000], data: REAL_DATA, codeOffset: SHORT_OFFSET },
];

/** What the registers hold when a leg begins. */
export interface Leg {
  /** Offset in the program. */
  readonly start: number;
  readonly gpr: readonly number[];
  readonly eflags: number;
  /** ES, SS, DS, FS, GS. */
  readonly segments: readonly (readonly [segment: number, selector: number])[];
  readonly cr0: number;
  readonly cr4: number;
  readonly efer: number;
  readonly dr: readonly number[];
  readonly fpuControl: number;
  readonly fpuTags: number;
  readonly mxcsr: number;
  /** Seed of the x87 and XMM registers. */
  readonly vectors: number;
}

/** A program and everything that its runs begin with. */
export interface FuzzProgram {
  readonly seed: string;
  readonly mode: FuzzMode;
  readonly paging: Paging;
  readonly image: Uint8Array;
  readonly code: Uint8Array;
  /** Offsets at which instructions begin. */
  readonly starts: readonly number[];
  readonly legs: readonly Leg[];
}

const LEGS = 24;
const TAIL_JUMP = 5;

function pointer(random: Random): number {
  return DATA + (random.below(0x8000) & ~(random.oneIn(4) ? 0 : 15));
}

const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** MOV of a 32-bit constant into a general register. */
function move(around: Surroundings, register: number, value: number): number[] {
  return [...(around.codeSize === 4 ? [] : [0x66]), 0xb8 + register, ...dword(value)];
}

/** Bytes that instructions with a short jump behind them, loops among them, are fused and linked for. */
function compareAndJump(random: Random, around: Surroundings): number[][] {
  const first = random.pick(COMPARES)(random);
  const distance = random.oneIn(3) ? -first.length - 2 - random.below(12) : random.below(24);
  return [first, random.oneIn(2) || around.codeSize === 2 ? [0x70 + random.below(16), distance & 0xff] : [0x0f, 0x80 + random.below(16), ...dword(distance)]];
}

const MSRS = [IA32_TIME_STAMP_COUNTER, IA32_APIC_BASE, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_PAT, IA32_MTRR_DEF_TYPE, IA32_MTRRCAP, IA32_EFER, 0x12345678];
const registers = (random: Random): number => 0xc0 | random.below(64);
const COMPARES: readonly ((random: Random) => number[])[] = [
  (random) => [random.pick([0x38, 0x3a, 0x39, 0x3b, 0x84, 0x85, 0x01, 0x03, 0x29, 0x2b, 0x21, 0x23, 0x09, 0x0b, 0x31, 0x33]), registers(random)],
  (random) => [0x83, 0xc0 | random.below(64), random.below(256)],
  (random) => [random.pick([0x3c, 0xa8]), random.below(256)],
  (random) => [random.pick([0x40, 0x48]) + random.pick([0, 1, 2, 3, 5, 6, 7])],
  (random) => [random.pick([0x80, 0x83]), 0x38 | random.pick([3, 6, 7]), random.below(256)],
  (random) => [random.pick([0x39, 0x3b, 0x85, 0x38]), (random.below(8) << 3) | random.pick([3, 6, 7])],
];

/** A string instruction with pointers and a count that let it do something: overlaps, page ends, the program itself. */
function strings(random: Random, around: Surroundings, at: number): number[][] {
  const wide = around.codeSize === 4;
  const place = (): number => (random.oneIn(6) ? around.codeFrom + Math.max(0, at + random.below(64) - 16) : wide ? random.pick([DATA + 0xfc0, DATA, DATA + 0x4000, DATA + 0x3ff0]) + random.below(96) : random.below(0x2000));
  const to = place();
  const from = random.oneIn(3) ? to + random.below(9) - 4 : place();
  return [
    move(around, 6, from), move(around, 7, to), move(around, 1, random.oneIn(12) ? random.below(3000) : random.below(48)), ...(random.oneIn(5) ? [[0xfd]] : random.oneIn(2) ? [[0xfc]] : []),
    [...(random.oneIn(6) ? [0x66] : []), ...(random.oneIn(8) ? [0x67] : []), random.pick([0xf3, 0xf3, 0xf2]), random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xac, 0xae, 0xaf, 0x6c, 0x6f])],
  ];
}

/** Instructions that raise, hold back and let in interrupts, in any order. */
function interrupts(random: Random): number[][] {
  const pieces = [[0xfa], [0xfb], [0xe6, 0x10], [0xe6, 0x21], [0x9c], [0x9d], [0x16, 0x17], [0x8c, 0xd0, 0x8e, 0xd0], [0x90], [0x42], [0xf4], [0x9d, 0x9c]];
  return Array.from({ length: 3 + random.below(6) }, () => random.pick(pieces));
}

/** Code that random forms alone would seldom be: a good pointer, a store into the program or a page table, plain noise. */
function special(random: Random, around: Surroundings, at: number): number[][] {
  const wide = around.codeSize === 4;
  const address = (value: number): number[] => dword(value).slice(0, around.codeSize);
  switch (random.below(13)) {
    case 0: {
      // Half of the stores hit what comes next, which is decoded already.
      const target = around.codeFrom + (random.oneIn(2) ? Math.min(at + 7 + random.below(12), CODE_BYTES - 1) : random.below(around.codeBytes));
      return [[...(wide ? [] : [0x2e]), 0xc6, wide ? 5 : 6, ...address(target), random.pick([0x90, 0x40 + random.below(16), random.below(256)])]];
    }
    case 1: return [wide ? [0xc7, 5, ...dword(random.pick([0x9000, 0xb000]) + 4 * random.below(64)), ...dword((random.below(64) << 12) | random.below(256))] : move(around, 1, random.below(40))];
    case 2: return [Array.from({ length: 1 + random.below(8) }, () => random.below(256))];
    case 3: return random.oneIn(8) ? [move(around, 0, random.pick([TSS2, TSS3, TABLE_SELECTOR])), [0x0f, 0, random.pick([0xd8, 0xd0])]] : [move(around, random.below(3), random.oneIn(2) ? random.pick(around.selectors) : random.below(64))];
    case 4: return [[0xb8 + 4, ...address(around.codeFrom > 0xffff ? STACK0 : 0xef00)]];
    case 5: case 6: case 7: return compareAndJump(random, around);
    case 8: return strings(random, around, at);
    case 9: return random.oneIn(4) ? [move(around, 1, random.pick(MSRS)), [0x0f, 0x32], [0x0f, 0x30]] : interrupts(random);
    default: return [move(around, random.pick([0, 2, 3, 5, 6, 7]), wide ? pointer(random) : random.below(0x2000) & ~(random.oneIn(4) ? 0 : 15))];
  }
}

function codeOf(random: Random, forms: readonly Form[], around: Surroundings): { code: Uint8Array; starts: number[] } {
  const code = new Uint8Array(CODE_BYTES);
  const starts: number[] = [];
  let at = 0;
  for (;;) {
    const pieces = random.oneIn(6) ? special(random, around, at) : [randomInstruction(random, chooseForm(random, forms), around)];
    if (at + pieces.reduce((sum, { length }) => sum + length, 0) > CODE_BYTES - TAIL_JUMP) break;
    for (const bytes of pieces) {
      starts.push(at);
      code.set(bytes, at);
      at += bytes.length;
    }
  }
  starts.push(at);
  const jump = around.codeSize === 4 ? [0xe9, ...[0, 8, 16, 24].map((shift) => (-(at + 5) >> shift) & 0xff)] : [0xe9, -(at + 3) & 0xff, (-(at + 3) >> 8) & 0xff];
  code.set(jump, at);
  return { code, starts };
}

function flagsOf(random: Random, mode: FuzzMode): number {
  let flags = 2 | (random.next() & EFLAGS_ARITHMETIC);
  if (random.oneIn(2)) flags |= EFLAGS_IF;
  if (random.oneIn(6)) flags |= EFLAGS_DF;
  if (random.oneIn(12)) flags |= EFLAGS_TF;
  if (random.oneIn(3)) flags |= EFLAGS_AC;
  if (random.oneIn(16)) flags |= EFLAGS_NT;
  if (random.oneIn(2)) flags |= EFLAGS_IOPL;
  return mode.kind === "v86" ? flags | EFLAGS_VM : flags;
}

function legOf(random: Random, mode: FuzzMode, paging: Paging, starts: readonly number[]): Leg {
  const short = mode.codeSize === 2;
  const gpr = Array.from({ length: 8 }, (_, n) => (n === 1 && random.oneIn(2) ? random.below(40) : random.oneIn(3) ? randomValue(random, 4) : short ? random.below(0x8000) & ~15 : pointer(random)));
  gpr[4] = (short ? 0xef00 : mode.level === 3 ? STACK3 : STACK0) + (random.oneIn(8) ? random.below(8) : 0);
  const stack = random.pick(mode.stacks);
  if (mode.codeSize === 4 && (stack === STACK16_0 || stack === STACK16_3)) gpr[4] = 0xef00;
  const { ES, SS, DS, FS, GS } = layout;
  const segments = [ES, DS, FS, GS].map((segment) => [segment, random.pick(mode.data)] as const);
  let cr0 = CR0_ET | (random.oneIn(4) ? 0 : CR0_NE) | (random.oneIn(2) ? CR0_WP : 0) | (random.oneIn(2) ? CR0_AM : 0) | (random.oneIn(2) ? CR0_MP : 0) | (random.oneIn(20) ? CR0_CD : 0);
  if (random.oneIn(10)) cr0 |= CR0_TS;
  if (random.oneIn(30)) cr0 |= CR0_EM;
  if (mode.kind === "protected" || mode.kind === "v86") cr0 |= CR0_PE;
  if (paging !== "none") cr0 |= CR0_PG;
  let cr4 = (random.oneIn(12) ? 0 : CR4_OSFXSR) | (random.oneIn(4) ? 0 : CR4_OSXMMEXCPT) | (random.oneIn(2) ? CR4_VME : 0) | (random.oneIn(3) ? CR4_DE : 0) | (random.oneIn(4) ? CR4_TSD : 0) | (random.oneIn(2) ? CR4_PGE : 0);
  if (paging === "PSE") cr4 |= CR4_PSE;
  if (paging === "PAE") cr4 |= CR4_PAE;
  const debug = random.oneIn(8);
  const watched = [0, 1, 2, 3].map(() => (random.oneIn(2) ? CODE + random.pick(starts) : pointer(random) & ~3));
  return {
    start: random.pick(starts), gpr, eflags: flagsOf(random, mode), segments: [[SS, stack], ...segments], cr0: cr0 >>> 0, cr4, efer: paging === "PAE" ? EFER_NXE : 0,
    dr: debug ? [...watched, 0, 0, 0xffff0ff0, (0x400 | (random.next() & 0xffff00ff)) >>> 0] : [0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400],
    fpuControl: random.oneIn(3) ? (random.next() & 0xf3f) | 0x40 : 0x37f, fpuTags: random.oneIn(3) ? random.below(256) : 0,
    mxcsr: random.oneIn(3) ? random.next() & 0xffff : 0x1f80, vectors: random.next(),
  };
}

/** The program of a seed. @param forms what its instructions are chosen from */
export function fuzzProgram(seed: string, forms: readonly Form[]): FuzzProgram {
  const random = new Random(seed);
  const mode = random.pick(FUZZ_MODES);
  const paging = mode.kind === "real" || mode.kind === "unreal" ? "none" : random.pick<Paging>(["none", "two-level", "PSE", "PAE"]);
  const real = mode.kind === "real" || mode.kind === "unreal" || mode.kind === "v86";
  const around: Surroundings = {
    codeSize: mode.codeSize, codeFrom: mode.codeOffset, codeBytes: CODE_BYTES, selectors: real ? [0x1000, ...REAL_DATA] : SELECTORS,
    addresses: mode.codeSize === 2 ? [0, 0x1000, 0x4000, mode.codeOffset] : [DATA, DATA + 0x3ff8, 0x1c000, mode.codeOffset, 0x9000, 0x8000, 0, 0x400000 + DATA],
  };
  const { code, starts } = codeOf(random, forms, around);
  const image = new FuzzImage(random, paging, random.oneIn(2), mode.codeOffset);
  image.program(code, starts, mode.codeOffset);
  const legs = Array.from({ length: LEGS }, () => legOf(random, mode, paging, starts));
  return { seed, mode, paging, image: image.bytes, code, starts, legs };
}
