/** The windows of the blocks that are being written: where they are looked at, and the locals that hold their host addresses. */
import { TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_WRITE_TAG } from "@doppel/mmu";
import type { Statement } from "@doppel/semantics";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import type { BlockWindows, Origin, Window } from "./windows.ts";

const PAGE_SIZE = 4096;
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
   */
  open(leave: (linear: number, length: number) => void): void {
    for (const window of this.block.opens) if (window.at === this.index) this.hosts.set(window, this.look(window, leave));
  }

  private look({ origin, low, length, write }: Window, leave: (linear: number, length: number) => void): number {
    const { f, long, view } = this.target;
    const linear = f.local(long ? "i64" : "i32");
    const host = f.local("i32");
    this.pushLow(origin, low);
    f.tee(linear);
    if (long) f.op(OP.i32_wrap_i64);
    f.i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and).set(host);
    const entry = view + (write ? TLB_WRITE_TAG : TLB_READ_TAG);
    const off = f.local(long ? "i64" : "i32");
    f.get(linear).get(host).memory(long ? OP.i64_load : OP.i32_load, entry).op(long ? OP.i64_add : OP.i32_add).tee(off);
    this.native(PAGE_SIZE - length).op(long ? OP.i64_gt_u : OP.i32_gt_u).if(undefined, false);
    leave(linear, length);
    f.end().get(off);
    if (long) f.op(OP.i32_wrap_i64);
    f.get(host).memory(OP.i32_load, entry + TLB_HOST).op(OP.i32_add).set(host);
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
