import { TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT } from "@doppel/mmu";
import { type FunctionBuilder, type Label, OP } from "@doppel/wasm";
import { EFLAGS_AC, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VM } from "@doppel/x86";
import {
  BUDGET, BUDGET_KEPT, CS, EFLAGS_REST, GDTR_BASE, GDTR_LIMIT, MODE, RESUME_FLAG_AT, SEGMENT, SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_SELECTOR, SEG_WRITE_LENGTH, STATE, TLB_VIEW,
} from "./state-layout.ts";
import { ATTRIBUTES_MASK } from "./system/architecture.ts";

/** Flags with which no transfer is the usual one. */
export const UNUSUAL_FLAGS = EFLAGS_TF | EFLAGS_RF | EFLAGS_VM | EFLAGS_AC | EFLAGS_NT;
/** Bit of a descriptor's second dword that means nothing. */
export const AVL = 1 << 20;
/** Upper bits of a descriptor's limit, all set in one of 4 GiB. */
const LIMIT_19_16 = 0xf0000;
const SELECTOR_INDEX = 0xfff8;
const TABLE_INDICATOR = 4;

/** Writes what the quick ways have in common: looks at mode, TLB and descriptors, and the way to the helper. */
export class QuickWriter {
  readonly f: FunctionBuilder;
  readonly views: { readonly user: number; readonly supervisor: number };
  private readonly unusual: Label;

  constructor(f: FunctionBuilder, unusual: Label, views: QuickWriter["views"]) {
    this.f = f;
    this.unusual = unusual;
    this.views = views;
  }

  /** Leaves to the helper when the condition on the stack holds. */
  leaveIf(): void {
    this.f.brIf(this.unusual, false);
  }

  leaveUnless(): void {
    this.f.op(OP.i32_eqz);
    this.leaveIf();
  }

  load(offset: number): FunctionBuilder {
    return this.f.i32(0).memory(OP.i32_load, STATE + offset);
  }

  store(offset: number, push: () => void): void {
    this.f.i32(0);
    push();
    this.f.memory(OP.i32_store, STATE + offset);
  }

  /** Leaves unless the processor is in a mode, memory is accessed as it is there, and no flag is unusual. */
  requireUsual(mode: number, view: number): void {
    this.load(MODE).i32(mode).op(OP.i32_ne);
    this.load(TLB_VIEW).i32(view).op(OP.i32_ne).op(OP.i32_or);
    this.load(EFLAGS_REST).i32(UNUSUAL_FLAGS).op(OP.i32_and).op(OP.i32_or);
    this.leaveIf();
  }

  /** Pushes how many instructions are left behind the one that runs. */
  pushLeft(): FunctionBuilder {
    this.load(BUDGET);
    return this.load(BUDGET_KEPT).op(OP.i32_add);
  }

  /** Leaves where the instruction that runs has RF set; see `RESUME_FLAG_AT`. */
  requireNoResume(): void {
    this.pushLeft().i32(1).op(OP.i32_add);
    this.load(RESUME_FLAG_AT).op(OP.i32_eq);
    this.leaveIf();
  }

  /** Leaves in a new local where bytes are that the supervisor may access; `push` gives the linear address. */
  look(push: () => void, size: number, tag = TLB_READ_TAG): number {
    const { f, views } = this;
    const linear = f.local("i32");
    const host = f.local("i32");
    const entry = f.local("i32");
    push();
    f.tee(linear).i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and).set(entry);
    f.get(linear).get(entry).memory(OP.i32_load, views.supervisor + tag).op(OP.i32_add).tee(host).i32(4096 - size).op(OP.i32_gt_u);
    this.leaveIf();
    f.get(host).get(entry).memory(OP.i32_load, views.supervisor + tag + TLB_HOST).op(OP.i32_add).set(host);
    f.release(linear);
    f.release(entry);
    return host;
  }

  /** The same for what the program accesses; the address comes in two locals, of which the upper is zero outside of 64-bit mode. */
  lookAsProgram(low: number, high: number, size: number, tag: number): number {
    return this.lookWide(() => void this.f.get(low).op(OP.i64_extend_i32_u).get(high).op(OP.i64_extend_i32_u).i64(32).op(OP.i64_shl).op(OP.i64_or), size, tag);
  }

  /** The same for a linear address of 64 bits. @param view what of the TLB to look into; when absent, what the processor accesses memory by */
  lookWide(push: () => void, size: number, tag = TLB_READ_TAG, view?: number): number {
    const { f } = this;
    const linear = f.local("i64");
    const entry = f.local("i32");
    const host = f.local("i32");
    push();
    f.tee(linear).op(OP.i32_wrap_i64).i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and);
    (view === undefined ? this.load(TLB_VIEW) : f.i32(view)).op(OP.i32_add).set(entry);
    f.get(linear).get(entry).memory(OP.i64_load, tag).op(OP.i64_add).i64(4096 - size).op(OP.i64_gt_u);
    this.leaveIf();
    f.get(linear).op(OP.i32_wrap_i64).i32(4095).op(OP.i32_and).get(entry).memory(OP.i32_load, tag + TLB_HOST).op(OP.i32_add).set(host);
    f.release(linear);
    f.release(entry);
    return host;
  }

  /** The same for the GDT's entry of a selector, which is not null. @param wide in 64-bit mode, where its base has 64 bits */
  lookDescriptor(selector: number, wide = false, view?: number): number {
    const { f } = this;
    f.get(selector).i32(TABLE_INDICATOR).op(OP.i32_and);
    f.get(selector).i32(SELECTOR_INDEX).op(OP.i32_and).op(OP.i32_eqz).op(OP.i32_or);
    f.get(selector).i32(7).op(OP.i32_or);
    this.load(GDTR_LIMIT).op(OP.i32_gt_u).op(OP.i32_or);
    this.leaveIf();
    const index = (): FunctionBuilder => f.get(selector).i32(SELECTOR_INDEX).op(OP.i32_and);
    if (wide) {
      return this.lookWide(() => {
        f.i32(0).memory(OP.i64_load, STATE + GDTR_BASE);
        index().op(OP.i64_extend_i32_u).op(OP.i64_add);
      }, 8, TLB_READ_TAG, view);
    }
    return this.look(() => void this.load(GDTR_BASE).get(selector).i32(SELECTOR_INDEX).op(OP.i32_and).op(OP.i32_add), 8);
  }

  /** A descriptor must be a flat segment of some attributes. Leaves its second dword in a new local: what is written afterwards may lie over it. */
  requireFlat(host: number, attributes: number, ignored = AVL): number {
    const { f } = this;
    const second = f.local("i32");
    f.get(host).memory(OP.i32_load).i32(0xffff).op(OP.i32_ne);
    f.get(host).memory(OP.i32_load, 4).tee(second).i32(~ignored).op(OP.i32_and).i32(attributes | LIMIT_19_16).op(OP.i32_ne).op(OP.i32_or);
    this.leaveIf();
    return second;
  }

  /** Loads a segment that was flat with one that is. @param second dword of its descriptor, in a local */
  setFlat(segment: number, second: number, pushSelector: () => void): void {
    this.store(SEGMENT + segment * SEGMENT_STRIDE + SEG_SELECTOR, pushSelector);
    this.store(SEGMENT + segment * SEGMENT_STRIDE + SEG_ATTRIBUTES, () => this.f.get(second).i32(ATTRIBUTES_MASK).op(OP.i32_and));
    // One that firmware or a host has set up may be writable.
    if (segment === CS) this.f.i32(0).i64(0).memory(OP.i64_store, STATE + SEGMENT + CS * SEGMENT_STRIDE + SEG_WRITE_LENGTH);
  }
}
