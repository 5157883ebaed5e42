/** What a fuzzing run reached: how often each form was executed, by model and kind of code, and what the runs amount to. */
import { FORMS } from "@doppel/x86";
import type { CodeKind } from "./form-classes.ts";
import type { FuzzModel } from "./fuzz-modes.ts";

/** By form number: retired outside fault handlers, a REP once; ended by a fault. */
export interface FormCounts {
  readonly retired: Float64Array;
  readonly faulted: Float64Array;
  /** Executed in regions, in one piece; those that fault there and those of handlers among them. */
  readonly inRegions: Float64Array;
}

/** Counts of a run. */
export class Coverage {
  private readonly counts = new Map<string, FormCounts>();
  /** All forms together. */
  instructions = 0;
  /** Retired in whatever run, REP iterations and handlers included. */
  executed = 0;
  faults = 0;
  programs = 0;
  /** Retired by machines that translate, in one piece, and how much of it in regions. */
  translated = 0;
  inRegions = 0;
  /** Programs whose runs differ because they change page tables and flush nothing. */
  stale = 0;
  /** Pairs of instructions that were decoded into one handler. */
  readonly pairs = new Set<number>();
  /** The counted instructions by model, mode and paging of their program. */
  readonly modes = new Map<string, number>();

  /** What a model did in a kind of code. */
  of(model: FuzzModel, kind: CodeKind): FormCounts {
    const key = `${model}, ${kind}`;
    let counts = this.counts.get(key);
    if (counts === undefined) {
      counts = { retired: new Float64Array(FORMS.length), faulted: new Float64Array(FORMS.length), inRegions: new Float64Array(FORMS.length) };
      this.counts.set(key, counts);
    }
    return counts;
  }
}
