/** What the fuzzers of the system half share: their numbers, what of a machine they compare, and what follows each call of a helper. */
import { expect } from "vitest";
import type { Machine } from "./fixture.ts";
import { FPU_TRAP, SEGMENT, SEGMENT_STRIDE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, TLB_VIEW } from "../state-layout.ts";
import { isCanonical } from "./non-canonical.ts";

/** The processor's state after a run, and how often each helper succeeded and each fault came. */
export interface FuzzRun { image: unknown; counts: Record<string, number> }

/** A call of a helper that has returned. */
export interface FuzzCall { name: string; step: number; status: number }

/** xorshift32. */
export function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** What follows from registers and descriptors, and is kept because it is asked for all the time. */
export function derivedState(m: Machine): string {
  const { state, protectedMode, longMode, dataBreakpoints, hiddenBases, mmu } = m.cpu;
  const lengths = [0, 1, 2, 3, 4, 5].flatMap((s) => [SEG_READ_LENGTH, SEG_WRITE_LENGTH].map((field) => state.address(SEGMENT + s * SEGMENT_STRIDE + field).toString(16)));
  return [state.mode.toString(16), state.stackMask, state.word(TLB_VIEW), state.word(FPU_TRAP), state.cpl, protectedMode, longMode, dataBreakpoints, mmu.supervisorView,
    ...hiddenBases, ...lengths].join(" ");
}

/** What a fault must leave as it was. */
export function registers(m: Machine): string {
  const { state, cr0, cr2, cr3, cr4, efer, xcr0, gdtr, idtr, priority, hiddenBases, msr } = m.cpu;
  const segments = Array.from({ length: 8 }, (_, s) => [state.selector(s), state.segmentBase(s), state.segmentLimit(s), state.segmentAttributes(s)].join(":"));
  const general = Array.from({ length: 16 }, (_, r) => `${state.gprHigh(r).toString(16)}.${state.gpr32(r).toString(16)}`);
  return [...general, state.rip, state.eflags, state.cpl, cr0, cr2, cr3, cr4, efer, xcr0, gdtr.base, gdtr.limit, idtr.base, priority.taskPriority, ...hiddenBases,
    ...segments, state.fpuControl, state.fpuTags, JSON.stringify(msr.entries())].join(" ");
}

/** What follows a call: it is counted, its fault delivered, sometimes an interrupt, and the boundary between two instructions crossed. */
export function settle(m: Machine, { name, step, status }: FuzzCall, interrupt: number | undefined, counts: FuzzRun["counts"]): void {
  if (status !== 0 && status !== 1) throw new Error(`${name} returned ${status}`);
  const result = status === 0 ? `${name} ok` : `fault ${m.cpu.state.faultVector}`;
  counts[result] = (counts[result] ?? 0) + 1;
  if (status === 1) m.cpu.deliverFault();
  if (interrupt !== undefined) m.cpu.interrupt(interrupt);
  if (!m.cpu.beforeInstruction() || !m.cpu.afterInstruction()) m.cpu.deliverFault();
  m.log.length = 0;
  const { rip } = m.cpu.state;
  if (!isCanonical(rip) || (!m.cpu.longMode && !(rip >= 0 && rip < 2 ** 32))) throw new Error(`${name} at step ${step} left RIP ${rip}`);
  // What is derived must not depend on the way that led here.
  const derived = derivedState(m);
  m.cpu.deriveSegments();
  if (derivedState(m) !== derived) throw new Error(`${name} at step ${step}: ${derived} should be ${derivedState(m)}`);
}

/** Expects equal runs to end alike, and each fault to have come. */
export function expectRepeatable(run: (seed: number, steps: number) => FuzzRun, seed: number): FuzzRun["counts"] {
  const first = run(seed, 20_000);
  expect(run(seed, 20_000)).toEqual(first);
  for (const vector of [6, 10, 11, 12, 13, 14]) expect(first.counts[`fault ${vector}`] ?? 0, `#${vector}: ${JSON.stringify(first.counts)}`).toBeGreaterThan(0);
  return first.counts;
}
