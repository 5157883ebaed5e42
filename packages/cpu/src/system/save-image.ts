/** A vCPU as a plain object: what `@doppel/persist` writes. Caches (the TLB, derived lengths) are made anew. */
import { conform } from "@doppel/persist";
import { DESCRIPTOR_L } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import {
  BLOCK_ENDED, BUDGET, CPL, CS, FAULT_ADDRESS, FAULT_VECTOR, FPR, FPU_TRAP, MODE, SAMPLE_BEYOND, SCRATCH, SEGMENT, STACK_MASK, STATE_SIZE, TLB_VIEW,
} from "../state-layout.ts";
import { applyBreakpoints, noDebugState } from "./debug-registers.ts";
import type { DebugState } from "./debug-registers.ts";

/** Everything architectural about one vCPU. */
export type CpuImage = {
  readonly version: 1;
  /** The hot state's bytes, as `state-layout.ts` has them. */
  readonly hot: Uint8Array;
  readonly control: { readonly cr0: number; readonly cr2: number; readonly cr3: number; readonly cr4: number; readonly efer: number; readonly xcr0: number; readonly random: number };
  /** Bases of ES, CS, SS and DS behind 64-bit mode. */
  readonly hiddenBases: readonly number[];
  /** CR8. */
  readonly taskPriority: number;
  readonly gdtr: { readonly base: number; readonly limit: number };
  readonly idtr: { readonly base: number; readonly limit: number };
  readonly debugRegisters: readonly number[];
  readonly debug: { readonly [Key in keyof DebugState]: DebugState[Key] };
  readonly activity: number;
  readonly shadow: number;
  readonly nmiBlocked: boolean;
  readonly a20: boolean;
  /** The PDPTE registers: they may differ from what memory holds now. */
  readonly pdptes: readonly number[];
  readonly tsc: number;
  readonly msrs: readonly { readonly register: number; readonly low: number; readonly high: number }[];
};

/** Bytes of the hot state that mean nothing between two instructions, or follow from others: which TLB view is in use also hangs on who watches. */
const TRANSIENT = [
  [BUDGET, MODE], [TLB_VIEW, FPU_TRAP], [FAULT_VECTOR, CPL], [SCRATCH, STACK_MASK], [FAULT_ADDRESS, SEGMENT], [SAMPLE_BEYOND, FPR], [BLOCK_ENDED, STATE_SIZE],
] as const;

/** Takes the image. The TLB is flushed, so that the machine that goes on fills it as the restored one does. */
export function saveCpu(cpu: Cpu): CpuImage {
  cpu.mmu.tlb.flush();
  const { state } = cpu;
  // One form of the flags for every way that led to them, so that equal machines have equal images.
  state.eflags = state.eflags;
  const hot = state.copy();
  const words = new Int32Array(hot.buffer);
  for (const [from, to] of TRANSIENT) words.fill(0, from >> 2, to >> 2);
  return {
    version: 1,
    hot,
    control: { cr0: cpu.cr0, cr2: cpu.cr2, cr3: cpu.cr3, cr4: cpu.cr4, efer: cpu.efer, xcr0: cpu.xcr0, random: cpu.random },
    hiddenBases: [...cpu.hiddenBases],
    taskPriority: cpu.priority.taskPriority,
    gdtr: { ...cpu.gdtr },
    idtr: { ...cpu.idtr },
    debugRegisters: [...cpu.dr],
    // The rest is about the instruction that runs, and what is left of the last one depends on how that was executed.
    debug: { ...noDebugState(), pending: cpu.debug.pending },
    activity: cpu.activity,
    shadow: cpu.shadow,
    nmiBlocked: cpu.nmiBlocked,
    a20: cpu.mmu.a20,
    pdptes: [...cpu.mmu.mode.pdptes],
    tsc: cpu.msr.tsc,
    msrs: cpu.msr.entries(),
  };
}

/**
 * Takes every register from an image. The time stamp goes on from where it was.
 *
 * @throws {PersistError} `PERSIST_SHAPE` for what no `save` of such a processor made; nothing has changed then
 */
export function restoreCpu(cpu: Cpu, from: CpuImage): void {
  const image = conform(from, saveCpu(cpu));
  cpu.state.load(image.hot);
  Object.assign(cpu, image.control);
  cpu.priority.taskPriority = image.taskPriority;
  for (const [i, base] of image.hiddenBases.entries()) cpu.hiddenBases[i] = base;
  // The image's bases are those of its mode: nothing is to be hidden or brought back.
  cpu.longMode = cpu.ia32e && (cpu.state.segmentAttributes(CS) & DESCRIPTOR_L) !== 0;
  Object.assign(cpu.gdtr, image.gdtr);
  Object.assign(cpu.idtr, image.idtr);
  for (const [i, value] of image.debugRegisters.entries()) cpu.dr[i] = value;
  Object.assign(cpu.debug, image.debug);
  cpu.activity = image.activity;
  cpu.shadow = image.shadow;
  cpu.nmiBlocked = image.nmiBlocked;
  for (const { register, low, high } of image.msrs) cpu.msr.set(register, low, high);
  cpu.msr.tscOffset = image.tsc - cpu.timestamp();
  cpu.mmu.setA20(image.a20);
  cpu.mmu.mode.pdptes.set(image.pdptes);
  cpu.applyPaging();
  cpu.mmu.setRoot(cpu.cr3);
  applyBreakpoints(cpu);
  cpu.deriveSegments();
}
