/**
 * How a region is entered and left: what it loads and stores, the budget, further entries, and the ways on to other regions.
 *
 *   parameters: record, delta = RIP minus the offset in the page
 *   locals: budget, where it is left to, TLB view, the registers that the region uses
 *
 * What only an exit needs, it passes as values to the place where the region is left: a local that is set inside of a loop, loops carry.
 */
import {
  ALONE, CONTROL_DELTA, CONTROL_REGION, ENTRY_NUMBER, ENTRY_RECORD, type GeneratedModule, ifFound, JUMP, layout, loadOf, R_HANDLER, R_LENGTH, R_OFFSET, REGION_MARK, storeOf,
} from "@doppel/cpu";
import { TLB_EXEC_TAG, TLB_HOST, TLB_MASK, TLB_SHIFT } from "@doppel/mmu";
import { type IrType, type Size, stateName } from "@doppel/semantics";
import { type FunctionBuilder, type Label, OP, type Signature } from "@doppel/wasm";
import { PAGE_SIZE } from "@doppel/x86";
import { FIRST_VECTOR, registerAt } from "./effects.ts";
import { KeptFlagLocals } from "./kept-flags.ts";
import { findName, findSignature, INDIRECT_TARGET, INDIRECT_TARGET_SIGNATURE, VIEW_MISSED, VIEW_MISSED_SIGNATURE, WINDOW_MISSED, WINDOW_MISSED_SIGNATURE } from "./region-helpers.ts";
import type { Edge, Region, RegionBlock } from "./region.ts";

const { STATE, GPR, XMM, XMM_STRIDE, RIP, BUDGET, BUDGET_KEPT, SAMPLE_BEYOND, SAMPLE_IN, TLB_VIEW } = layout;
const RECORD = 0;
const DELTA = 1;
/** Bits of a byte register's offset: 1 where it is the second byte (AH to BH). */
export const HIGH_BYTE = 1;

/** How regions go on to each other: the type of their functions in the module, and the number of the handler that is the table's first entry. */
export interface Chain {
  readonly type: number;
  readonly first: number;
}

/**
 * Where to count how often something happens, for statistics: the address of a counter of 64 bits in linear memory, or nothing. `at` is where
 * in the region, where there is such a place.
 */
export type Tally = (what: string, region: Region, at?: number) => number | undefined;

/** What a frame is made for. */
export interface FrameOptions {
  readonly region: Region;
  /** How much of the budget may be used from each block to the next look at it, or out. */
  readonly needs: ReadonlyMap<number, number>;
  /** Without it, a region returns to the dispatch function. */
  readonly chaining: Chain | undefined;
  readonly tally: Tally | undefined;
  /** The number by which the region tells of a window or a TLB view that it missed; without it, the region assumes neither. */
  readonly name: number | undefined;
}

/** Numbers of the bits that are set. */
function numbersOf(bits: number): number[] {
  return Array.from({ length: 32 }, (_, n) => n).filter((n) => ((bits >>> n) & 1) !== 0);
}

/** The ways into and out of one region. */
export class RegionFrame {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  readonly region: Region;
  readonly budget: number;
  /** Locals of the registers that the region uses, by their numbers. */
  readonly registers = new Map<number, number>();
  readonly flags: KeptFlagLocals;
  /** For the count of what retires in regions. */
  readonly budgetBefore: number;
  readonly tally: Tally | undefined;
  /** Address of the TLB view, where the region does not assume the one that was in use when it was formed. */
  readonly view: number;
  /** Which region tells of a window or a view that it missed, and what of the window; none assumes neither. */
  readonly missed: { readonly name: number; readonly linear: number; readonly length: number; readonly at: number } | undefined;
  missedLabel: Label | undefined;
  /** Numbers of the registers that it changes. */
  readonly dirty: readonly number[];
  private readonly generated: GeneratedModule;
  private readonly ipLocal: number;
  /** Behind these the region is left, with how and flags on the stack: with what is not executed and the place above them, or with `ipLocal`. */
  private exitLabel: Label | undefined;
  private jumpLabel: Label | undefined;
  /** Which entry the region was entered by, and the block that control is under way to through a loop's header, plus one; 0 for none. */
  private readonly entered: number;
  private readonly underWay: number;
  private readonly needs: ReadonlyMap<number, number>;
  /** Numbers of the entries, by their places. */
  private readonly entryAt: ReadonlyMap<number, number>;
  private readonly chaining: Chain | undefined;
  private readonly how: number;

  constructor(f: FunctionBuilder, generated: GeneratedModule, { region, needs, chaining, tally, name }: FrameOptions) {
    this.f = f;
    this.region = region;
    this.entryAt = new Map(region.entries.map(({ start }, n) => [start, n]));
    this.tally = tally;
    this.chaining = chaining;
    this.generated = generated;
    this.needs = needs;
    this.long = region.long;
    const native = region.long ? "i64" : "i32";
    this.budget = f.local("i32", "budget");
    this.how = f.local("i32", "how");
    this.ipLocal = f.local(native, "ip");
    this.view = f.local("i32", "view");
    let reads = 0;
    let writes = 0;
    for (const { instructions } of region.blocks.values()) {
      for (const { registers } of instructions) {
        reads |= registers.reads;
        writes |= registers.writes;
      }
    }
    this.dirty = numbersOf(writes);
    for (const n of [...this.dirty, ...numbersOf(reads & ~writes)]) {
      const { offset, size, type } = this.home(n);
      this.registers.set(n, f.local(type, stateName(offset, size)));
    }
    this.flags = new KeptFlagLocals(f, generated, region.long, (offset, size) => this.pushPart(offset, size));
    this.budgetBefore = f.local("i32", "budgetBefore");
    this.entered = f.local("i32", "entered");
    this.underWay = f.local("i32", "underWay");
    if (name !== undefined) this.missed = { name, linear: f.local(native, "missedAt"), length: f.local("i32", "missedLength"), at: f.local("i32", "missedBefore") };
  }

  /** Where a register is in the state. */
  private home(register: number): { offset: number; size: Size; type: IrType } {
    if (register >= FIRST_VECTOR) return { offset: XMM + XMM_STRIDE * (register - FIRST_VECTOR), size: 16, type: "v128" };
    return { offset: GPR + 8 * register, size: this.long ? 8 : 4, type: this.long ? "i64" : "i32" };
  }

  /** Pushes a general register, or a part of it, by its offset in the state: up to four bytes as i32. */
  pushPart(offset: number, size: Size): void {
    const { f } = this;
    f.get(this.registers.get(registerAt(offset))!);
    if (size === 8) return;
    if (this.long) f.op(OP.i32_wrap_i64);
    if (offset & HIGH_BYTE) f.i32(8).op(OP.i32_shr_u);
    if (size < 4) f.i32(size === 1 ? 0xff : 0xffff).op(OP.i32_and);
  }

  /** Loads registers from the state. */
  loadRegisters(registers: Iterable<number>): void {
    for (const n of registers) {
      const { offset, size, type } = this.home(n);
      this.f.i32(0).memory(loadOf(size, type), STATE + offset).set(this.registers.get(n)!);
    }
  }

  /** Loads what the region uses; the budget counts the instruction that the dispatch has taken already. */
  enter(): void {
    const { f } = this;
    const { entries } = this.region;
    const needed = Math.max(...entries.map(({ id }) => this.needs.get(id)!));
    f.i32(0).memory(OP.i32_load, STATE + BUDGET).i32(1).op(OP.i32_add).tee(this.budget);
    f.i32(0).memory(OP.i32_load, STATE + BUDGET_KEPT).tee(this.how).op(OP.i32_add).i32(needed).op(OP.i32_lt_s);
    if (this.missed !== undefined) this.hasOtherView().op(OP.i32_or);
    f.if(undefined, false);
    f.i32(0).get(this.budget).memory(OP.i32_store, STATE + BUDGET);
    // From another region it came whole: what is interpreted now, samples count.
    f.get(this.how).i32(0).memory(OP.i32_load, STATE + SAMPLE_BEYOND).op(OP.i32_or).op(OP.i32_eqz).if();
    this.storeBudget();
    f.end();
    this.flags.makeWords();
    if (this.missed !== undefined) {
      this.hasOtherView().if(undefined, false);
      f.i32(this.missed.name).call(this.shared(VIEW_MISSED, VIEW_MISSED_SIGNATURE)).end();
    }
    this.count("refused");
    this.alone(0);
    f.i32(ALONE).op(OP.return).end();
    // The way to the next sample counts interpreted instructions only. Nothing is kept back where another region goes on to this one.
    const beyond = f.local("i32");
    f.get(this.how).i32(0).memory(OP.i32_load, STATE + SAMPLE_BEYOND).tee(beyond).op(OP.i32_or).if();
    f.i32(0).get(this.budget).get(beyond).op(OP.i32_add).memory(OP.i32_store, STATE + SAMPLE_IN);
    f.get(this.budget).get(this.how).op(OP.i32_add).set(this.budget);
    for (const word of [BUDGET_KEPT, SAMPLE_BEYOND]) f.i32(0).i32(0).memory(OP.i32_store, STATE + word);
    f.end();
    f.release(beyond);
    if (entries.length > 1) f.get(RECORD).memory(OP.i32_load, ENTRY_NUMBER).set(this.entered);
    this.count("entered");
    if (this.tally !== undefined) f.get(this.budget).set(this.budgetBefore);
    this.loadRegisters(this.registers.keys());
    if (this.missed === undefined) f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).set(this.view);
    const { module } = this.generated;
    const left = ["i32", ...this.flags.exitTypes] as const;
    const exit = module.type({ parameters: [], results: [...left, "i32", "i32"] });
    this.jumpLabel = f.block(module.type({ parameters: [], results: left }));
    this.exitLabel = f.block(exit);
    if (this.missed !== undefined) this.missedLabel = f.block(exit);
  }

  /** Pushes whether accesses are to be made with another TLB view than when the region was formed. */
  hasOtherView(): FunctionBuilder {
    return this.f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).i32(this.region.view).op(OP.i32_ne);
  }

  /** Notes which window is missed: so many bytes at a linear address in a local, in front of the instruction at a place. */
  noteMissed(linear: number, length: number, at: number): void {
    const { missed } = this;
    this.f.get(linear).set(missed!.linear).i32(length).set(missed!.length).i32(at).set(missed!.at);
  }

  /** Stores everything and goes on to another region or leaves, behind the code of all blocks. */
  exit(): void {
    const { f, long } = this;
    f.op(OP.unreachable).end();
    if (this.missed !== undefined) {
      const { name, linear, length, at } = this.missed;
      f.i32(name).get(linear);
      if (long) f.op(OP.i32_wrap_i64).get(linear).i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
      else f.i32(0);
      f.get(length).get(at).call(this.shared(WINDOW_MISSED, WINDOW_MISSED_SIGNATURE)).end();
    }
    if (long) f.op(OP.i64_extend_i32_s);
    f.get(DELTA).op(long ? OP.i64_add : OP.i32_add).set(this.ipLocal);
    f.get(this.budget).op(OP.i32_add).set(this.budget);
    f.end();
    this.flags.exit();
    f.set(this.how);
    this.count("retired", undefined, () => f.get(this.budgetBefore).get(this.budget).op(OP.i32_sub).op(OP.i64_extend_i32_s));
    this.storeRegisters();
    if (this.chaining !== undefined) this.chain(this.chaining);
    this.storeBudget();
    this.storeIp(() => f.get(this.ipLocal));
    this.flags.makeWords();
    f.get(this.how);
  }

  /** Stores RIP. Outside of 64-bit code its upper half is zero, unless a transfer has led there: then it is right, too. */
  storeIp(push: () => void): void {
    this.f.i32(0);
    push();
    this.f.memory(this.long ? OP.i64_store : OP.i32_store, STATE + RIP);
  }

  /** Stores what the region changes. */
  storeRegisters(): void {
    for (const n of this.dirty) {
      const { offset, size, type } = this.home(n);
      this.f.i32(0).get(this.registers.get(n)!).memory(storeOf(size, type), STATE + offset);
    }
  }

  /** Gives the interpreter what is left to the next sample, and keeps the rest back. */
  private storeBudget(): void {
    const { f, budget } = this;
    const sample = f.local("i32");
    const bound = f.local("i32");
    f.i32(0).memory(OP.i32_load, STATE + SAMPLE_IN).tee(sample).get(budget).get(sample).get(budget).op(OP.i32_lt_s).op(OP.select).set(bound);
    f.i32(0).get(bound).memory(OP.i32_store, STATE + BUDGET);
    f.i32(0).get(budget).get(bound).op(OP.i32_sub).memory(OP.i32_store, STATE + BUDGET_KEPT);
    f.i32(0).get(sample).get(bound).op(OP.i32_sub).memory(OP.i32_store, STATE + SAMPLE_BEYOND);
    f.release(sample);
    f.release(bound);
  }

  /** Says for which record and page the first instruction is to be executed otherwise. @param distance of the page, from that of the first entry */
  private alone(distance: number): void {
    const { f, long } = this;
    f.i32(0).get(RECORD).memory(OP.i32_store, STATE + CONTROL_REGION).i32(0);
    if (distance === 0) f.get(DELTA);
    else this.pushAddress(distance * PAGE_SIZE);
    f.memory(long ? OP.i64_store : OP.i32_store, STATE + CONTROL_DELTA);
  }

  /** Goes on by the entry that the region was entered by: `go` writes the way to one, which does not come back. */
  forEachEntry(go: (entry: RegionBlock) => void): void {
    const { f, long } = this;
    const { entries } = this.region;
    const arms = entries.slice(1).map(() => f.block()).reverse();
    const first = f.block();
    if (arms.length > 0) f.get(this.entered).brTable([first, ...arms], first);
    for (const entry of entries) {
      f.end();
      const distance = Math.floor(entry.start / PAGE_SIZE);
      if (distance !== 0) {
        f.get(DELTA);
        this.native(distance * PAGE_SIZE);
        f.op(long ? OP.i64_sub : OP.i32_sub).set(DELTA);
      }
      this.flags.state = "memory";
      go(entry);
    }
  }

  /** Sets out for a block that is reached through loops' headers. */
  setOut(to: number): void {
    this.f.i32(to + 1).set(this.underWay);
  }

  /** For what is under way to another block than this. */
  ifUnderWay(send: () => void): void {
    this.f.get(this.underWay).if(undefined, false);
    send();
    this.f.op(OP.unreachable).end();
  }

  /** Sends on what is under way to a block. @param arrives it is the next one */
  ifUnderWayTo(to: number, arrives: boolean, go: () => void): void {
    const { f } = this;
    f.get(this.underWay).i32(to + 1).op(OP.i32_eq).if();
    if (arrives) f.i32(0).set(this.underWay);
    go();
    f.end();
  }

  /**
   * Goes on to the region that stands where this one leaves to, when the jump cache knows one (engine.md: an inline hash): a tail call, which
   * costs less than the way through the dispatch function. Whether the budget is enough is for that region to say.
   */
  private chain({ type, first }: Chain): void {
    const { f, long } = this;
    const entry = f.local("i32");
    const next = f.local("i32");
    const linear = f.local(long ? "i64" : "i32");
    f.get(this.how).i32(JUMP).op(OP.i32_eq).if(undefined, true);
    const find = this.shared(findName(long), findSignature(long));
    ifFound(f, long, () => f.get(this.ipLocal), linear, entry, () => {
      f.i32(0).get(this.budget).memory(OP.i32_store, STATE + BUDGET).call(find);
    });
    f.get(entry).memory(OP.i32_load, ENTRY_RECORD).tee(next).memory(OP.i32_load8_u, R_LENGTH).i32(REGION_MARK).op(OP.i32_eq).if();
    f.get(next);
    f.get(this.ipLocal).get(next).memory(long ? OP.i64_load16_u : OP.i32_load16_u, R_OFFSET).op(long ? OP.i64_sub : OP.i32_sub);
    // The dispatch would have taken one from the budget.
    f.i32(0).get(this.budget).i32(1).op(OP.i32_sub).memory(OP.i32_store, STATE + BUDGET);
    f.get(next).memory(OP.i32_load16_u, R_HANDLER).i32(first).op(OP.i32_sub).returnCallIndirect(type);
    f.end().end().end();
  }

  /** Leaves to a place; `unused` instructions of the block were not executed. */
  leaveAt(at: number, unused: number, why: string, label = this.exitLabel!, pushHow = (): void => void this.f.i32(JUMP)): void {
    this.count(why, at);
    pushHow();
    this.flags.pushForExit();
    this.f.i32(unused).i32(at).br(label);
  }

  /** Leaves in front of an instruction that the interpreter must execute. Where the region was entered with it, the way back would lead here again. */
  leaveBefore(at: number, unused: number, why: string, label?: Label): void {
    const { f } = this;
    const entry = this.entryAt.get(at);
    const pushHow = (): void => {
      f.get(this.entered).i32(entry!).op(OP.i32_eq).if("i32");
      this.alone(Math.floor(at / PAGE_SIZE));
      f.i32(ALONE).else().i32(JUMP).end();
    };
    this.leaveAt(at, unused, why, label, entry === undefined ? undefined : pushHow);
  }

  /** Leaves to an address; the instruction has retired. */
  leaveTo(push: () => void, why: string, from: number): void {
    const { f } = this;
    this.count(why, from);
    push();
    f.set(this.ipLocal).i32(JUMP);
    this.flags.pushForExit();
    f.br(this.jumpLabel!);
  }

  /** Adds to a counter: 1, or what is pushed. */
  count(what: string, at?: number, amount = (): void => void this.f.i64(1)): void {
    if (this.tally === undefined) return;
    const counter = this.tally(what, this.region, at);
    if (counter === undefined) return;
    this.f.i32(0).i32(0).memory(OP.i64_load, counter);
    amount();
    this.f.op(OP.i64_add).memory(OP.i64_store, counter);
  }

  /** Leaves unless a page that code goes on in is mapped as it was when the region was made. */
  checkPage({ at }: Edge): void {
    const { f, long } = this;
    const distance = Math.floor(at / PAGE_SIZE);
    const entry = f.local("i32");
    const page = (): void => this.pushAddress(distance * PAGE_SIZE);
    page();
    if (long) f.op(OP.i32_wrap_i64);
    f.i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and);
    const view = this.tlbView();
    f.tee(entry).memory(long ? OP.i64_load : OP.i32_load, view + TLB_EXEC_TAG);
    page();
    f.op(long ? OP.i64_ne : OP.i32_ne);
    const host = this.region.pages.get(distance)!;
    f.get(entry).memory(OP.i32_load, view + TLB_EXEC_TAG + TLB_HOST).i32(host).op(OP.i32_ne).op(OP.i32_or).if(undefined, false);
    this.leaveAt(at, 0, "page");
    f.end();
    f.release(entry);
  }

  /** Index of a function that all modules of regions import. */
  shared(name: string, signature: Signature): number {
    return this.generated.shared(name, () => this.generated.module.importFunction("helpers", name, signature));
  }

  /** Holds where an instruction goes. */
  holdTarget(target: () => void): void {
    target();
    this.f.set(this.ipLocal);
  }

  /** Pushes whether what is held is the expected place. */
  isHeld({ at }: Edge): void {
    this.f.get(this.ipLocal);
    this.pushAddress(at);
    this.f.op(this.long ? OP.i64_eq : OP.i32_eq);
  }

  /** Leaves to what is held. */
  leaveElsewhere(why: string, from: number): void {
    this.leaveTo(() => this.f.get(this.ipLocal), why, from);
  }

  /** Tells where the instruction at a place leads, as a place; see `UsualTargets`. A region without a name is not told apart. */
  tellTarget(at: number): void {
    const { f, long, missed } = this;
    if (missed === undefined) return;
    const place = (): FunctionBuilder => f.get(this.ipLocal).get(DELTA).op(long ? OP.i64_sub : OP.i32_sub);
    f.i32(missed.name).i32(at);
    if (long) place().op(OP.i32_wrap_i64);
    else place();
    if (long) place().i64(32).op(OP.i64_shr_s).op(OP.i32_wrap_i64);
    else place().i32(31).op(OP.i32_shr_s);
    f.call(this.shared(INDIRECT_TARGET, INDIRECT_TARGET_SIGNATURE));
  }

  /** A direct jump that leaves the region to a page of which nothing is known: whether it may go there is for the interpreter to say. */
  checkTarget(at: number, jump: number): void {
    const { f } = this;
    if (!this.long) return;
    this.pushAddress(at);
    f.i64(16).op(OP.i64_shl).i64(16).op(OP.i64_shr_s);
    this.pushAddress(at);
    f.op(OP.i64_ne).if(undefined, false);
    this.leaveBefore(jump, 1, "not canonical");
    f.end();
  }

  /** Pushes the address of a place. */
  pushAddress(at: number): void {
    this.f.get(DELTA);
    this.native(at);
    this.f.op(this.long ? OP.i64_add : OP.i32_add);
  }

  /** Pushes a number of the width of addresses. */
  native(value: number): void {
    if (this.long) this.f.i64(value);
    else this.f.i32(value);
  }

  /** As {@link Target.tlbView}. */
  tlbView(): number {
    if (this.missed !== undefined) return this.region.view;
    this.f.get(this.view).op(OP.i32_add);
    return 0;
  }
}
