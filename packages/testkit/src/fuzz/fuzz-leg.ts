/** What the registers hold when a leg of a fuzzed program begins (SDM volume 1, chapter 3; volume 3, chapter 2 and 17). */
import { layout } from "@doppel/cpu";
import {
  CR0_AM, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_FSGSBASE, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_OSXSAVE, CR4_PAE,
  CR4_PCIDE, CR4_PGE, CR4_PSE, CR4_SMAP, CR4_SMEP, CR4_TSD, CR4_UMIP, CR4_VME, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, EFLAGS_AC, EFLAGS_ARITHMETIC, EFLAGS_DF,
  EFLAGS_IF, EFLAGS_IOPL, EFLAGS_NT, EFLAGS_TF, EFLAGS_VM, IA32_FMASK, IA32_KERNEL_GS_BASE, IA32_LSTAR, IA32_STAR, IA32_SYSENTER_CS, IA32_SYSENTER_EIP,
  IA32_SYSENTER_ESP, IA32_TSC_AUX, XCR0_SSE, XCR0_X87,
} from "@doppel/x86";
import { type Random, randomValue } from "../host-vectors-random.ts";
import type { FuzzMode, FuzzModel } from "./fuzz-modes.ts";
import type { ImageSetup } from "./image-bytes.ts";
import { BASES, CODE, CODE0, DATA, FAST_CODE3, LONG_CODE0, LOW, PAGE_1G, PAGE_2M, STACK0, STACK16_0, STACK16_3, STACK3 } from "./image-layout.ts";

/** 64 bits. */
export type Halves = readonly [low: number, high: number];

/** What the registers hold when a leg begins. */
export interface Leg {
  /** Offset in the program. */
  readonly start: number;
  /** Sixteen of them in IA-32e mode. */
  readonly gpr: readonly Halves[];
  readonly eflags: number;
  /** ES, SS, DS, FS, GS. */
  readonly segments: readonly (readonly [segment: number, selector: number])[];
  /** Bases of FS and GS that no descriptor gave. */
  readonly bases: readonly (readonly [segment: number, base: number])[];
  /** Where the GDT and the IDT are seen. */
  readonly tables: number;
  readonly cr0: number;
  readonly cr4: number;
  readonly cr8: number;
  readonly xcr0: number;
  readonly efer: number;
  readonly msrs: readonly (readonly [register: number, low: number, high: number])[];
  readonly dr: readonly number[];
  readonly fpuControl: number;
  readonly fpuTags: number;
  readonly mxcsr: number;
  /** Seed of the x87 and XMM registers, and of RDRAND. */
  readonly vectors: number;
}

/** What a leg depends on besides chance. */
export interface LegSetup extends ImageSetup {
  readonly mode: FuzzMode;
  readonly model: FuzzModel;
  readonly starts: readonly number[];
}

const TWO_32 = 0x1_0000_0000;
const halves = (value: number): Halves => [value >>> 0, Math.floor(value / TWO_32) | 0];

function pointer(random: Random): number {
  return DATA + (random.below(0x8000) & ~(random.oneIn(4) ? 0 : 15));
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

function registersOf(random: Random, mode: FuzzMode, stack: number): Halves[] {
  const { codeSize } = mode;
  const short = codeSize === 2;
  const place = (): number => (codeSize === 8 ? random.pick([...BASES, PAGE_2M, PAGE_1G]) : LOW);
  const anything = (): Halves => [randomValue(random, 4), codeSize === 8 && random.oneIn(2) ? randomValue(random, 4) : 0];
  const gpr = Array.from({ length: mode.ia32e ? 16 : 8 }, (_, n) =>
    (n === 1 && random.oneIn(2) ? halves(random.below(40)) : random.oneIn(3) ? anything() : halves(short ? random.below(0x8000) & ~15 : place() + pointer(random))));
  const top = short || (codeSize === 4 && (stack === STACK16_0 || stack === STACK16_3)) ? 0xef00 : mode.level === 3 ? STACK3 : STACK0;
  gpr[4] = halves((codeSize === 8 ? random.pick(BASES) : LOW) + top + (random.oneIn(8) ? random.below(8) : 0));
  return gpr;
}

function cr0Of(random: Random, { mode, paging }: LegSetup): number {
  let cr0 = CR0_ET | (random.oneIn(4) ? 0 : CR0_NE) | (random.oneIn(2) ? CR0_WP : 0) | (random.oneIn(2) ? CR0_AM : 0) | (random.oneIn(2) ? CR0_MP : 0) | (random.oneIn(20) ? CR0_CD : 0);
  if (random.oneIn(10)) cr0 |= CR0_TS;
  if (random.oneIn(30)) cr0 |= CR0_EM;
  if (mode.kind === "protected" || mode.kind === "v86") cr0 |= CR0_PE;
  if (paging !== "none") cr0 |= CR0_PG;
  return cr0 >>> 0;
}

function cr4Of(random: Random, { mode, model, paging, guarded }: LegSetup): number {
  let cr4 = (random.oneIn(12) ? 0 : CR4_OSFXSR) | (random.oneIn(4) ? 0 : CR4_OSXMMEXCPT) | (random.oneIn(2) ? CR4_VME : 0) | (random.oneIn(3) ? CR4_DE : 0) | (random.oneIn(4) ? CR4_TSD : 0) | (random.oneIn(2) ? CR4_PGE : 0);
  if (paging === "PSE") cr4 |= CR4_PSE;
  if (paging === "PAE" || paging === "4-level") cr4 |= CR4_PAE;
  if (model === "i686") return cr4;
  cr4 |= (random.oneIn(6) ? 0 : CR4_OSXSAVE) | (random.oneIn(3) ? CR4_UMIP : 0) | (random.oneIn(3) ? 0 : CR4_FSGSBASE);
  // At level 0 they leave a program nothing to do unless its pages are the supervisor's.
  if (mode.level === 3 || guarded) cr4 |= (random.oneIn(2) ? CR4_SMEP : 0) | (random.oneIn(2) ? CR4_SMAP : 0);
  if (mode.ia32e && random.oneIn(3)) cr4 |= CR4_PCIDE;
  return cr4;
}

/** Registers of the fast calls: they lead into the program, at any place where it is seen. */
function callsOf(random: Random, { mode, starts }: LegSetup): Leg["msrs"] {
  const entry = (): number => (mode.codeSize === 8 ? random.pick(BASES) : LOW) + CODE + random.pick(starts);
  const sysenter = [
    [IA32_SYSENTER_CS, mode.ia32e ? LONG_CODE0 : CODE0, 0], [IA32_SYSENTER_ESP, ...halves((mode.ia32e ? random.pick(BASES) : LOW) + STACK0)], [IA32_SYSENTER_EIP, ...halves(entry())],
  ] as const;
  if (!mode.ia32e) return sysenter;
  const flags = random.oneIn(2) ? EFLAGS_TF | EFLAGS_IF | EFLAGS_AC | EFLAGS_NT : random.next();
  return [
    ...sysenter, [IA32_STAR, 0, LONG_CODE0 | (FAST_CODE3 << 16)], [IA32_LSTAR, ...halves(entry())], [IA32_FMASK, flags, 0],
    [IA32_KERNEL_GS_BASE, ...halves(random.pick(BASES) + DATA)], [IA32_TSC_AUX, random.next(), 0],
  ];
}

/** The registers of a new leg. */
export function legOf(random: Random, setup: LegSetup): Leg {
  const { mode, model, paging, starts } = setup;
  const { ES, SS, DS, FS, GS } = layout;
  const stack = random.pick(mode.stacks);
  const debug = random.oneIn(8);
  const seen = (): number => (mode.codeSize === 8 ? random.pick(BASES) : LOW);
  const watched = [0, 1, 2, 3].map(() => (random.oneIn(2) ? (mode.codeSize === 8 ? setup.codeOffset : CODE) + random.pick(starts) : seen() + (pointer(random) & ~3)));
  const long = (random.oneIn(8) ? 0 : EFER_NXE) | (random.oneIn(8) ? 0 : EFER_SCE) | EFER_LME | EFER_LMA;
  return {
    start: random.pick(starts), gpr: registersOf(random, mode, stack), eflags: flagsOf(random, mode),
    segments: [[SS, stack], ...[ES, DS, FS, GS].map((segment) => [segment, random.pick(mode.data)] as const)],
    bases: mode.ia32e ? [FS, GS].map((segment) => [segment, seen() + random.pick([0, DATA, DATA + 0x1008])] as const) : [],
    tables: mode.ia32e ? random.pick(BASES) : LOW,
    cr0: cr0Of(random, setup), cr4: cr4Of(random, setup), cr8: mode.ia32e && random.oneIn(3) ? random.below(4) : 0,
    xcr0: model === "i686" || random.oneIn(3) ? XCR0_X87 : XCR0_X87 | XCR0_SSE, efer: mode.ia32e ? long : paging === "PAE" ? EFER_NXE : 0, msrs: callsOf(random, setup),
    dr: debug ? [...watched, 0, 0, 0xffff0ff0, (0x400 | (random.next() & 0xffff00ff)) >>> 0] : [0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400],
    fpuControl: random.oneIn(3) ? (random.next() & 0xf3f) | 0x40 : 0x37f, fpuTags: random.oneIn(3) ? random.below(256) : 0,
    mxcsr: random.oneIn(3) ? random.next() & 0xffff : 0x1f80, vectors: random.next(),
  };
}
