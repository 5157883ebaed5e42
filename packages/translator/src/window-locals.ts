/** The windows of the blocks that are being written: where they are looked at, and the locals that hold their host addresses. */
import { layout } from "@doppel/cpu";
import { TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_WRITE_TAG } from "@doppel/mmu";
import type { Statement } from "@doppel/semantics";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { PAGE_SIZE } from "@doppel/x86";
import type { BlockWindows, Origin, Window } from "./windows.ts";

/**
 * The slots, behind the state: how far behind the page's beginning an access may start, plus one, or 0 where the slot is empty; the page's tag, and its
 * host address. Their places are constants, so that what is accessed does not wait for its address to choose an entry of the TLB.
 */
const SLOT_AREA = layout.STATE + layout.STATE_SIZE + 64;
const SLOT_TAG = 8;
const SLOT_HOST = 16;
const SLOT_SIZE = 24;
const NONE: BlockWindows = { opens: [], accesses: new Map() };

/** What of a region windows are written with. */
export interface WindowTarget {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  /** The TLB view's address. */
  readonly view: number;
  /** Local of a general register. */
  register(n: number): number;
  /** Pushes the address of a place in the region. */
  pushAddress(at: number): void;
}

/** The windows of one block after the other. */
export class WindowLocals {
  private readonly target: WindowTarget;
  private readonly blocks: ReadonlyMap<number, BlockWindows>;
  private block = NONE;
  private readonly hosts = new Map<Window, number>();
  /** Number of the instruction in hand. */
  private index = 0;

  constructor(target: WindowTarget, blocks: ReadonlyMap<number, BlockWindows>) {
    this.target = target;
    this.blocks = blocks;
  }

  /** Another block begins. */
  begin(block: number): void {
    this.index = 0;
    this.block = this.blocks.get(block) ?? NONE;
  }

  /** In front of a loop: its slots are empty. Those are its header's, as only loops of one block have any. */
  beginLoop(header: number): void {
    const { f, long } = this.target;
    for (const { slot } of this.blocks.get(header)?.opens ?? []) {
      if (slot === undefined) continue;
      f.i32(0);
      this.native(0).memory(long ? OP.i64_store : OP.i32_store, SLOT_AREA + SLOT_SIZE * slot);
    }
  }

  /** A block and all that it dominates are written. */
  close(block: number): void {
    for (const window of this.blocks.get(block)?.opens ?? []) {
      this.target.f.release(this.hosts.get(window)!);
      this.hosts.delete(window);
    }
  }

  /** The instruction in hand is written. */
  next(): void {
    this.index += 1;
  }

  /** Where an access of it lies, if in a window. */
  find(statement: Statement): { host: number; offset: number } | undefined {
    const found = this.block.accesses.get(this.index)?.get(statement);
    return found && { host: this.hosts.get(found.window)!, offset: found.offset };
  }

  /**
   * Looks at the pages of the windows that open in front of it.
   * @param leave leaves where the TLB does not have one for all of a window: so many bytes at a linear address in a local
   * @param miss leaves where it does not have one for an access that is alone
   */
  open(leave: (linear: number, length: number) => void, miss: () => void): void {
    for (const window of this.block.opens) if (window.at === this.index) this.hosts.set(window, this.look(window, window.isAlone ? miss : leave));
  }

  private look({ origin, low, length, write, slot }: Window, leave: (linear: number, length: number) => void): number {
    const { f, long, view } = this.target;
    const type = long ? "i64" : "i32";
    const [load, store, add] = long ? [OP.i64_load, OP.i64_store, OP.i64_add] : [OP.i32_load, OP.i32_store, OP.i32_add];
    const linear = f.local(type);
    const host = f.local("i32");
    const off = f.local(type);
    const kept = slot === undefined ? undefined : SLOT_AREA + SLOT_SIZE * slot;
    this.pushLow(origin, low);
    f.set(linear);
    if (kept !== undefined) {
      f.get(linear).i32(0).memory(load, kept + SLOT_TAG).op(add).tee(off);
      f.i32(0).memory(load, kept).op(long ? OP.i64_ge_u : OP.i32_ge_u).if(undefined, false);
    }
    f.get(linear);
    if (long) f.op(OP.i32_wrap_i64);
    f.i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and).set(host);
    const entry = view + (write ? TLB_WRITE_TAG : TLB_READ_TAG);
    f.get(linear).get(host).memory(load, entry).op(add).tee(off);
    this.native(PAGE_SIZE - length).op(long ? OP.i64_gt_u : OP.i32_gt_u).if(undefined, false);
    leave(linear, length);
    f.end();
    if (kept !== undefined) {
      f.i32(0);
      this.native(PAGE_SIZE + 1 - length).memory(store, kept);
      f.i32(0).get(host).memory(load, entry).memory(store, kept + SLOT_TAG);
      f.i32(0).get(host).memory(OP.i32_load, entry + TLB_HOST).memory(OP.i32_store, kept + SLOT_HOST).end();
    }
    f.get(off);
    if (long) f.op(OP.i32_wrap_i64);
    if (kept === undefined) f.get(host).memory(OP.i32_load, entry + TLB_HOST);
    else f.i32(0).memory(OP.i32_load, kept + SLOT_HOST);
    f.op(OP.i32_add).set(host);
    f.release(linear);
    f.release(off);
    return host;
  }

  private native(n: number): FunctionBuilder {
    return this.target.long ? this.target.f.i64(n) : this.target.f.i32(n);
  }

  /** Pushes the linear address of a window's first byte. */
  private pushLow(origin: Origin, low: number): void {
    const { f, long, register } = this.target;
    if (origin.kind === "code") return this.target.pushAddress(origin.page * PAGE_SIZE + low);
    if (origin.kind === "constant") return void this.native(origin.address + low);
    const add = long ? OP.i64_add : OP.i32_add;
    const { base, index, scale } = origin;
    if (base >= 0) f.get(register(base));
    if (index >= 0) {
      f.get(register(index));
      if (scale > 0) this.native(scale).op(long ? OP.i64_shl : OP.i32_shl);
      if (base >= 0) f.op(add);
    }
    if (low !== 0) this.native(low).op(add);
  }
}
