/** Sets a processor up for a leg of a fuzzed program: what its registers hold, without the checks that loading them would make. */
import { ACTIVE, type Cpu, layout } from "@doppel/cpu";
import { Random, randomBytes } from "../host-vectors-random.ts";
import type { Leg } from "./fuzz-leg.ts";
import type { FuzzProgram } from "./fuzz-program.ts";
import { DIRECTORY, GDT, GDT_LIMIT, IDT, LDT, LONG_LDT, LONG_TSS, TABLE_SELECTOR, TSS1 } from "./image-layout.ts";

const TWO_32 = 0x1_0000_0000;
const { CS, LDTR, TR } = layout;

/** Loads a segment register from the image's tables. */
function loadSegment({ state }: Cpu, words: Int32Array, segment: number, selector: number): void {
  const at = (((selector & 4) !== 0 ? LDT : GDT) + (selector & 0xfff8)) >> 2;
  const low = words[at]!;
  const high = words[at + 1]!;
  state.setSelector(segment, selector);
  if ((selector & 0xfffc) === 0) {
    state.setSegmentAttributes(segment, 1);
    state.setSegmentLimit(segment, 0);
    return;
  }
  const limit = (low & 0xffff) | (high & 0xf0000);
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  const upper = selector === LONG_TSS || selector === LONG_LDT ? words[at + 2]! : 0;
  state.setSegmentBase(segment, upper * TWO_32 + base);
  state.setSegmentLimit(segment, (high & 0x800000) !== 0 ? ((limit << 12) | 0xfff) >>> 0 : limit);
  state.setSegmentAttributes(segment, high & 0x00f0ff00);
}

function loadSegments(cpu: Cpu, words: Int32Array, { mode }: FuzzProgram, leg: Leg): void {
  const { state } = cpu;
  if (mode.kind === "protected" || mode.kind === "v86") {
    loadSegment(cpu, words, TR, mode.ia32e ? LONG_TSS : TSS1);
    loadSegment(cpu, words, LDTR, mode.ia32e ? LONG_LDT : TABLE_SELECTOR);
  }
  for (const [segment, selector] of [[CS, mode.code] as const, ...leg.segments]) {
    if (mode.kind === "protected") loadSegment(cpu, words, segment, selector);
    else {
      state.setSelector(segment, selector);
      state.setSegmentBase(segment, selector << 4);
      state.setSegmentLimit(segment, mode.kind === "unreal" && segment !== CS ? 0xffffffff : 0xffff);
      state.setSegmentAttributes(segment, mode.kind === "v86" ? 0xf300 : 0x9300);
    }
  }
}

function fillVectors({ state }: Cpu, seed: number, count: number): void {
  const random = new Random(`registers ${seed}`);
  for (let n = 0; n < 8; n++) {
    const fpr = state.fpr(n);
    randomBytes(random, fpr, 0, 8);
    fpr[7]! |= 0x80;
    fpr[8] = random.below(256);
    fpr[9] = random.pick([0x3f, 0x40, 0xbf, 0xc0, random.below(256)]);
  }
  for (let n = 0; n < count; n++) randomBytes(random, state.xmm(n), 0, 16);
}

/**
 * Gives a processor the registers of a leg.
 * @param words the program's memory, whose tables are fresh
 */
export function beginLeg(cpu: Cpu, words: Int32Array, program: FuzzProgram, leg: Leg): void {
  const { state } = cpu;
  const { mode } = program;
  cpu.reset();
  cpu.random = leg.vectors | 1;
  cpu.mmu.setA20(true);
  cpu.mmu.mode.pdptes.fill(0);
  cpu.cr0 = leg.cr0 | 0;
  cpu.cr3 = program.paging === "none" ? 0 : DIRECTORY;
  cpu.cr4 = leg.cr4;
  cpu.priority.taskPriority = leg.cr8;
  cpu.xcr0 = leg.xcr0;
  cpu.efer = leg.efer;
  Object.assign(cpu.gdtr, { base: leg.tables + GDT, limit: GDT_LIMIT });
  const real = mode.kind === "real" || mode.kind === "unreal";
  Object.assign(cpu.idtr, real ? { base: 0, limit: 0x3ff } : { base: leg.tables + IDT, limit: mode.ia32e ? 0xfff : 0x7ff });
  for (const [register, low, high] of leg.msrs) cpu.msr.set(register, low, high);
  loadSegments(cpu, words, program, leg);
  for (const [segment, base] of leg.bases) state.setSegmentBase(segment, base);
  for (const [n, [low, high]] of leg.gpr.entries()) state.setGpr64(n, low, high);
  state.rip = program.codeOffset + leg.start;
  state.cpl = mode.level;
  state.eflags = leg.eflags;
  for (const [n, value] of leg.dr.entries()) cpu.dr[n] = value;
  state.fpuControl = leg.fpuControl;
  state.fpuTags = leg.fpuTags;
  state.mxcsr = leg.mxcsr;
  fillVectors(cpu, leg.vectors, leg.gpr.length);
  cpu.activity = ACTIVE;
  if (program.paging === "PAE") cpu.mmu.loadPdptes(DIRECTORY);
  cpu.applyPaging();
  cpu.mmu.setRoot(cpu.cr3);
  cpu.deriveSegments();
  // Restoring also sets up the breakpoints.
  if ((leg.dr[7]! & 0xff) !== 0) cpu.restore(cpu.save());
}
