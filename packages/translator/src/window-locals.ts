/** The windows of the block that is being written: where they are looked at, and the locals that hold their host addresses. */
import { TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_HOST, TLB_READ_TAG, TLB_WRITE_TAG } from "@doppel/mmu";
import type { Statement } from "@doppel/semantics";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { type BlockWindows, type FrameWindow, windowsOf } from "./frame-windows.ts";
import type { RegionInstruction } from "./region-decoder.ts";

const PAGE_SIZE = 4096;

/** What of a region windows are written with. */
export interface WindowTarget {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  /** The TLB view's address. */
  readonly view: number;
  /** Local of a general register. */
  register(n: number): number;
}

/** The windows of one block after the other. */
export class WindowLocals {
  private readonly target: WindowTarget;
  private block: BlockWindows = { windows: [], accesses: new Map() };
  private readonly hosts = new Map<FrameWindow, number>();
  /** Number of the instruction in hand. */
  private index = 0;

  constructor(target: WindowTarget) {
    this.target = target;
  }

  /** Another block begins. */
  begin(instructions: readonly RegionInstruction[]): void {
    for (const host of this.hosts.values()) this.target.f.release(host);
    this.hosts.clear();
    this.index = 0;
    this.block = windowsOf(instructions, this.target.long);
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
   * Looks at the pages of the windows that begin in front of it.
   * @param leave leaves where the TLB does not have one for all of a window: so many bytes at a linear address in a local
   */
  open(leave: (linear: number, length: number) => void): void {
    for (const window of this.block.windows) if (window.at === this.index) this.look(window, leave);
  }

  private look(window: FrameWindow, leave: (linear: number, length: number) => void): void {
    const { f, long, view, register } = this.target;
    const { low, length, write } = window;
    const constant = (n: number): FunctionBuilder => (long ? f.i64(n) : f.i32(n));
    const linear = f.local(long ? "i64" : "i32");
    const host = f.local("i32");
    this.hosts.set(window, host);
    f.get(register(window.register));
    constant(low).op(long ? OP.i64_add : OP.i32_add).tee(linear);
    if (long) f.op(OP.i32_wrap_i64);
    f.i32(Math.log2(PAGE_SIZE / TLB_ENTRY_SIZE)).op(OP.i32_shr_u).i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).op(OP.i32_and).set(host);
    const off = f.local(long ? "i64" : "i32");
    f.get(linear).get(host).memory(long ? OP.i64_load : OP.i32_load, view + (write ? TLB_WRITE_TAG : TLB_READ_TAG)).op(long ? OP.i64_add : OP.i32_add).tee(off);
    constant(PAGE_SIZE - length).op(long ? OP.i64_gt_u : OP.i32_gt_u).if(undefined, false);
    leave(linear, length);
    f.end().get(off);
    if (long) f.op(OP.i32_wrap_i64);
    f.get(host).memory(OP.i32_load, view + TLB_HOST).op(OP.i32_add).set(host);
    f.release(linear);
    f.release(off);
  }
}
