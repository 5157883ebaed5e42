/**
 * How a region lowers the IR: general and XMM registers, flag words and the budget in locals, record fields as constants. Whatever it cannot do
 * itself (a fault, a device, a helper) it leaves to the interpreter: a side exit in front of the instruction, with everything stored. So
 * state is precise wherever it is left, and a TLB miss is not a call: calls keep the registers of all code in front of them waiting (decision 8). Helpers
 * of a few instructions that kernels execute all the time it does call.
 *
 * An instruction's flags wait until somebody needs them, which is mostly an exit. The budget is looked at at the entry, in front of loops, and on long ways.
 *
 *   parameters: record, delta = RIP minus the offset in the page
 *   locals: budget, where it is left to, TLB view, the registers that the region uses, operands that flags are made of
 *
 * What only an exit needs, it passes as values to the place where the region is left: a local that is set inside of a loop, loops carry.
 */
import {
  ALONE, CONTROL_DELTA, CONTROL_REGION, displacementOf, ENTRY_NUMBER, ENTRY_RECORD, FAULT_HERE, type GeneratedModule, ifFound, JUMP, type KeptFlags, layout, loadOf, Lowering, pushCodeGeneration, R_HANDLER,
  R_LENGTH, R_OFFSET, REGION_MARK, storeOf, type Target,
} from "@doppel/cpu";
import { TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_EXEC_TAG, TLB_HOST } from "@doppel/mmu";
import { type IrFunction, type IrType, type Place, type Size, type Statement, stateName, type Value } from "@doppel/semantics";
import { type FunctionBuilder, type Label, OP, type Signature } from "@doppel/wasm";
import type { Instruction } from "@doppel/x86";
import { FIRST_VECTOR, isCalled, type Meaning, placeOffset, registerAt } from "./effects.ts";
import { type FlagState, KeptFlagLocals } from "./kept-flags.ts";
import { findName, findSignature, VIEW_MISSED, VIEW_MISSED_SIGNATURE, WINDOW_MISSED, WINDOW_MISSED_SIGNATURE } from "./region-helpers.ts";
import type { BudgetChecks } from "./region-code.ts";
import { writeIterations } from "./region-strings.ts";
import { WindowLocals } from "./window-locals.ts";
import type { Edge, Region, RegionBlock, RegionInstruction } from "./region.ts";
import { RegisterFacts } from "./register-facts.ts";
import { readVectorLocal, writeVectorLocal } from "./vector-locals.ts";

const { STATE, FS, GPR, XMM, XMM_STRIDE, RIP, MODE, BUDGET, BUDGET_KEPT, SAMPLE_BEYOND, SAMPLE_IN, TLB_VIEW, SEGMENT, SEGMENT_STRIDE } = layout;
const RECORD = 0;
const DELTA = 1;
/** Bits of a byte register's offset: 1 where it is the second byte (AH to BH). */
const HIGH_BYTE = 1;
const PAGE_SIZE = 4096;

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

/** Numbers of the bits that are set. */
function numbersOf(bits: number): number[] {
  return Array.from({ length: 32 }, (_, n) => n).filter((n) => ((bits >>> n) & 1) !== 0);
}

/** Lowers the instructions of one region. */
export class RegionTarget implements Target {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  readonly budget: number;
  private readonly generated: GeneratedModule;
  private readonly ipLocal: number;
  private readonly registers = new Map<number, number>();
  private readonly dirty: readonly number[];
  /** Steady values that the block has computed, and stops that it has passed. */
  private readonly steadyLocals = new Map<string, number>();
  private readonly stops = new Set<string>();
  /** Address of the TLB view, where the region does not assume the one that was in use when it was formed. */
  private readonly view: number;
  private readonly facts: RegisterFacts;
  /** Those that are not at work. */
  private readonly lowerings: Lowering[] = [];
  private readonly flags: KeptFlagLocals;
  /** Behind these the region is left, with how and flags on the stack: with what is not executed and the place above them, or with `ipLocal`. */
  private exitLabel: Label | undefined;
  private jumpLabel: Label | undefined;
  /** Which entry the region was entered by, and the block that control is under way to through a loop's header, plus one; 0 for none. */
  private readonly entered: number;
  private readonly underWay: number;
  /** For the count of what retires in regions. */
  private readonly budgetBefore: number;
  private readonly checks: BudgetChecks;
  /** The most that is needed anywhere. */
  private readonly most: number;
  /** The beginning of a repeated instruction. */
  private repeat: Label | undefined;
  private instruction!: Instruction;
  private meaning!: Meaning;
  /** Mode and code generation in front of a helper. */
  private readonly modeBefore: number;
  private readonly codeBefore: number;
  /** The instruction in hand has given its flags to `flags`. */
  private hasKept = false;
  /** A helper is being called: what comes next is the fault that it may have recorded. */
  private isCalling = false;
  private at = 0;
  /** Instructions of the block behind the present one, it included: counted already, and not yet retired. */
  private left = 0;
  /** How the instruction in hand goes on, where it stays in the region. */
  private onJump: ((target: () => void) => void) | undefined;
  private readonly region: Region;
  /** Numbers of the entries, by their places. */
  private readonly entryAt: ReadonlyMap<number, number>;
  private readonly chaining: Chain | undefined;
  private readonly how: number;
  private readonly tally: Tally | undefined;
  private readonly windows: WindowLocals | undefined;
  /** Which region tells of a window or a view that it missed, and what of the window; none assumes neither. */
  private readonly missed: { readonly name: number; readonly linear: number; readonly length: number } | undefined;
  private missedLabel: Label | undefined;

  constructor(f: FunctionBuilder, generated: GeneratedModule, region: Region, checks: BudgetChecks, chaining?: Chain, tally?: Tally, name?: number) {
    this.f = f;
    this.region = region;
    this.entryAt = new Map(region.entries.map(({ start }, n) => [start, n]));
    this.tally = tally;
    this.chaining = chaining;
    this.generated = generated;
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
    this.facts = new RegisterFacts(f);
    this.flags = new KeptFlagLocals(f, generated, region.long);
    this.checks = checks;
    this.most = Math.max(...checks.needs.values());
    this.budgetBefore = f.local("i32", "budgetBefore");
    this.entered = f.local("i32", "entered");
    this.underWay = f.local("i32", "underWay");
    if (name !== undefined) {
      const { long, registers } = this;
      this.windows = new WindowLocals({ f, long, view: region.view, register: (n) => registers.get(n)! });
      this.missed = { name, linear: f.local(native, "missedAt"), length: f.local("i32", "missedLength") };
    }
    this.modeBefore = f.local("i32", "modeBefore");
    this.codeBefore = f.local("i32", "codeBefore");
  }

  /** Where a register is in the state. */
  private home(register: number): { offset: number; size: Size; type: IrType } {
    if (register >= FIRST_VECTOR) return { offset: XMM + XMM_STRIDE * (register - FIRST_VECTOR), size: 16, type: "v128" };
    return { offset: GPR + 8 * register, size: this.long ? 8 : 4, type: this.long ? "i64" : "i32" };
  }

  private loadRegisters(registers: Iterable<number>): void {
    for (const n of registers) {
      const { offset, size, type } = this.home(n);
      this.f.i32(0).memory(loadOf(size, type), STATE + offset).set(this.registers.get(n)!);
    }
  }

  /** Loads what the region uses; the budget counts the instruction that the dispatch has taken already. */
  enter(): void {
    const { f } = this;
    const { entries } = this.region;
    const needed = Math.max(...entries.map(({ id }) => this.checks.needs.get(id)!));
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
  private hasOtherView(): FunctionBuilder {
    return this.f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).i32(this.region.view).op(OP.i32_ne);
  }

  /** Stores everything, behind the code of all blocks. */
  exit(): void {
    const { f, long } = this;
    f.op(OP.unreachable).end();
    if (this.missed !== undefined) {
      const { name, linear, length } = this.missed;
      f.i32(name).get(linear);
      if (long) f.op(OP.i32_wrap_i64).get(linear).i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
      else f.i32(0);
      f.get(length).call(this.shared(WINDOW_MISSED, WINDOW_MISSED_SIGNATURE)).end();
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
    // Outside of 64-bit code the upper half is zero, unless a transfer has led there: then it is right, too.
    f.i32(0).get(this.ipLocal).memory(long ? OP.i64_store : OP.i32_store, STATE + RIP);
    this.flags.makeWords();
    f.get(this.how);
  }

  private storeRegisters(): void {
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
    ifFound(f, long, () => f.get(this.ipLocal), linear, entry, () => f.call(find));
    f.get(entry).memory(OP.i32_load, ENTRY_RECORD).tee(next).memory(OP.i32_load8_u, R_LENGTH).i32(REGION_MARK).op(OP.i32_eq).if();
    f.get(next);
    f.get(this.ipLocal).get(next).memory(long ? OP.i64_load16_u : OP.i32_load16_u, R_OFFSET).op(long ? OP.i64_sub : OP.i32_sub);
    // The dispatch would have taken one from the budget.
    f.i32(0).get(this.budget).i32(1).op(OP.i32_sub).memory(OP.i32_store, STATE + BUDGET);
    f.get(next).memory(OP.i32_load16_u, R_HANDLER).i32(first).op(OP.i32_sub).returnCallIndirect(type);
    f.end().end().end();
  }

  /** Takes a block from the budget; where that is looked at, leaves unless there is enough of it for every way to the next look. */
  begin({ id, start, count, instructions }: RegionBlock): void {
    const { f, budget } = this;
    if (this.checks.checked.has(id)) {
      f.get(budget).i32(this.checks.needs.get(id)!).op(OP.i32_lt_s).if(undefined, false);
      this.leaveAt(start, 0, "budget");
      f.end();
    }
    this.count("block", start);
    f.get(budget).i32(count).op(OP.i32_sub).set(budget);
    this.left = count;
    this.forgetSteady();
    if (instructions.some(({ meaning }) => meaning.notes)) this.facts.begin();
    this.windows?.begin(instructions);
  }

  private forgetSteady(): void {
    for (const local of this.steadyLocals.values()) this.f.release(local);
    this.steadyLocals.clear();
    this.stops.clear();
    this.facts.clear();
  }

  /**
   * Lowers one instruction.
   * @param onJump how it goes on; it is given what pushes where the instruction wants to go. Without it, a jump leaves the region.
   */
  lower({ instruction, meaning, at }: RegionInstruction, onJump?: (target: () => void) => void): void {
    this.instruction = instruction;
    this.meaning = meaning;
    this.at = at;
    this.onJump = onJump;
    const counted = meaning.counted === undefined ? 1 : this.constant(meaning.counted);
    if (meaning.needsFlagWords || counted === undefined || meaning.conditions.some((code) => !this.flags.knows(code))) this.flags.toWords();
    this.windows?.open((linear, length) => {
      this.f.get(linear).set(this.missed!.linear).i32(length).set(this.missed!.length);
      this.leaveBefore(at, this.left, "window", this.missedLabel);
    });
    this.hasKept = false;
    if (meaning.repeats) this.repeat = this.f.loop();
    // A jump writes the code that it leads to before its instruction is done.
    const lowering = this.lowerings.pop() ?? new Lowering(this);
    lowering.lower(meaning.statements);
    this.lowerings.push(lowering);
    if (meaning.repeats) this.f.end();
    this.windows?.next();
    // What was not kept went to the words.
    if (meaning.setsFlags && counted !== 0 && !this.hasKept) this.flags.state = "words";
    this.facts.instructionEnds();
    if (meaning.changesSteady) this.forgetSteady();
    if (meaning.calls && !meaning.transfers) this.attend(at + instruction.length);
    this.left -= 1;
  }

  /** What is known of the flags, for a way through the code that is written later. */
  get flagState(): FlagState {
    return this.flags.state;
  }

  set flagState(state: FlagState) {
    this.flags.state = state;
  }

  /** Ways meet behind this. */
  meet(): void {
    this.flags.meet();
  }

  /** Leaves to a place; `unused` instructions of the block were not executed. */
  leaveAt(at: number, unused: number, why: string, label = this.exitLabel!, pushHow = (): void => void this.f.i32(JUMP)): void {
    this.count(why, at);
    pushHow();
    this.flags.pushForExit();
    this.f.i32(unused).i32(at).br(label);
  }

  /** Leaves in front of an instruction that the interpreter must execute. Where the region was entered with it, the way back would lead here again. */
  private leaveBefore(at: number, unused: number, why: string, label?: Label): void {
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
  private leaveTo(push: () => void, why: string): void {
    const { f } = this;
    this.count(why, this.at);
    push();
    f.set(this.ipLocal).i32(JUMP);
    this.flags.pushForExit();
    f.br(this.jumpLabel!);
  }

  /** Adds to a counter: 1, or what is pushed. */
  private count(what: string, at?: number, amount = (): void => void this.f.i64(1)): void {
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
    const shift = Math.log2(PAGE_SIZE / TLB_ENTRY_SIZE);
    const page = (): void => this.pushAddress(distance * PAGE_SIZE);
    page();
    if (long) f.op(OP.i32_wrap_i64);
    f.i32(shift).op(OP.i32_shr_u).i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).op(OP.i32_and);
    const view = this.tlbView();
    f.tee(entry).memory(long ? OP.i64_load : OP.i32_load, view + TLB_EXEC_TAG);
    page();
    f.op(long ? OP.i64_ne : OP.i32_ne);
    const host = this.region.pages.get(distance)!;
    f.get(entry).memory(OP.i32_load, view + TLB_HOST).i32(host).op(OP.i32_ne).op(OP.i32_or).if(undefined, false);
    this.leaveAt(at, 0, "page");
    f.end();
    f.release(entry);
  }

  /** Index of a function that all modules of regions import. */
  private shared(name: string, signature: Signature): number {
    return this.generated.shared(name, () => this.generated.module.importFunction("helpers", name, signature));
  }

  /** Leaves by a jump to another place than a return was expected to lead to; pushes whether it is the expected one. */
  isExpected(target: () => void, { at }: Edge): void {
    const { f, long } = this;
    target();
    f.tee(this.ipLocal);
    this.pushAddress(at);
    f.op(long ? OP.i64_eq : OP.i32_eq);
  }

  /** Leaves to where `isExpected` has found that the instruction goes. */
  leaveElsewhere(): void {
    this.leaveTo(() => this.f.get(this.ipLocal), "return elsewhere");
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

  private pushAddress(at: number): void {
    this.f.get(DELTA);
    this.native(at);
    this.f.op(this.long ? OP.i64_add : OP.i32_add);
  }

  private native(value: number): void {
    if (this.long) this.f.i64(value);
    else this.f.i32(value);
  }

  /** Pushes the condition that ends a block. */
  blockCondition(code: number): void {
    if (this.flags.knows(code)) return this.flags.pushCondition(code);
    this.flags.toWords();
    new Lowering(this).pushCondition(code);
  }

  // ---- Target ----

  condition(code: number): boolean {
    const known = this.flags.knows(code);
    if (known) this.flags.pushCondition(code);
    return known;
  }
  keepFlags(kept: KeptFlags): void {
    this.hasKept = true;
    this.flags.keep(kept);
  }
  keepCarries(push: () => void): void {
    this.hasKept = true;
    this.flags.keepCarries(push);
  }
  constant({ op, args, data }: Value): number | undefined {
    if (op === "const") return typeof data === "number" ? data : undefined;
    if (op === "field") return data === "immediate" ? this.instruction.immediate : undefined;
    const [a, b] = args.length === 2 ? [this.constant(args[0]!), this.constant(args[1]!)] : [];
    if (a === undefined || b === undefined) return undefined;
    return op === "i32_and" ? a & b : op === "i32_ne" ? Number(a !== b) : undefined;
  }
  miss(): void {
    this.leaveBefore(this.at, this.left, `miss ${this.instruction.form.mnemonic}`);
  }
  window(statement: Statement): { host: number; offset: number } | undefined {
    return this.windows?.find(statement);
  }
  /** Of a helper: it may have done something before, as a task switch has. All other faults are found anew by the interpreter. */
  fault(): void {
    if (!this.isCalling) return this.miss();
    this.isCalling = false;
    this.leaveAt(this.at, this.left, `fault ${this.instruction.form.mnemonic}`, undefined, () => this.f.i32(FAULT_HERE));
  }
  jump(target: () => void): void {
    if (this.onJump !== undefined) return this.onJump(target);
    const unused = this.left - 1;
    // LOOP and JCXZ in the middle of a block.
    if (unused > 0) this.f.get(this.budget).i32(unused).op(OP.i32_add).set(this.budget);
    this.leaveTo(target, `jump ${this.instruction.form.mnemonic}`);
  }
  /** The next iteration of a repeated instruction, each of which retires; one that the budget is not enough for is the interpreter's. */
  again(): void {
    const { f, budget } = this;
    f.get(budget).i32(1).op(OP.i32_sub).tee(budget).i32(this.most).op(OP.i32_lt_s).if(undefined, false);
    this.leaveAt(this.at, this.left, "budget");
    f.end().br(this.repeat!);
  }
  leave(at: "rip" | "next" | "again"): void {
    const { f, long } = this;
    if (at === "rip") this.leaveTo(() => f.i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + RIP), `transfer ${this.instruction.form.mnemonic}`);
  }
  bulk(statement: Statement & { kind: "bulk" }): void {
    // FS and GS have bases.
    if (statement.addressSize !== (this.long ? 8 : 4) || this.instruction.segment >= FS) return;
    const { f, long, budget, most, registers } = this;
    writeIterations({ f, long, budget, most, register: (n) => registers.get(n)!, callee: (name, signature) => this.shared(name, signature) }, statement);
  }
  calls(helper: string): boolean {
    return isCalled(helper);
  }
  /** The helper finds the registers, and of the budget what is left behind this instruction. */
  synchronize(): void {
    const { f } = this;
    this.isCalling = true;
    this.storeRegisters();
    f.i32(0).get(this.budget).i32(this.left - 1).op(OP.i32_add).memory(OP.i32_store, STATE + BUDGET);
    f.i32(0).memory(OP.i32_load, STATE + MODE).set(this.modeBefore);
    pushCodeGeneration(f);
    f.set(this.codeBefore);
  }
  resynchronize(): void {
    const { f } = this;
    if (this.tally !== undefined) f.get(this.budgetBefore).get(this.budget).op(OP.i32_sub).set(this.budgetBefore);
    f.i32(0).memory(OP.i32_load, STATE + BUDGET).i32(this.left - 1).op(OP.i32_sub).set(this.budget);
    if (this.tally !== undefined) f.get(this.budgetBefore).get(this.budget).op(OP.i32_add).set(this.budgetBefore);
    // Where the visit is to end, its budget was added there.
    f.i32(0).i32(0).memory(OP.i32_store, STATE + SAMPLE_BEYOND);
    if (this.missed === undefined) f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).set(this.view);
    if (this.meaning.transfers) this.loadRegisters(this.dirty);
    if (this.meaning.loadsVectors) this.loadRegisters([...this.registers.keys()].filter((n) => n >= FIRST_VECTOR));
  }

  /** Leaves behind an instruction whose helper has changed the mode, or code, or wants the visit to end. */
  private attend(next: number): void {
    const { f } = this;
    f.i32(0).memory(OP.i32_load, STATE + MODE).get(this.modeBefore).op(OP.i32_ne);
    pushCodeGeneration(f);
    f.get(this.codeBefore).op(OP.i32_ne).op(OP.i32_or);
    if (this.missed !== undefined) this.hasOtherView().op(OP.i32_or);
    f.get(this.budget).i32(1 - this.left).op(OP.i32_eq).op(OP.i32_or).if(undefined, false);
    this.leaveAt(next, this.left - 1, "attention");
    f.end();
  }

  field(name: string): void {
    const { form, immediate, immediateHigh, immediate2, memory, modrm, reg } = this.instruction;
    // x87 notes the ModRM byte of a memory operand as part of its last opcode.
    const rm = memory && form.memoryOperand >= 0 ? modrm : this.instruction.rm;
    if (name === "immediate64") this.f.i64((BigInt(immediateHigh) << 32n) | BigInt(immediate >>> 0));
    else this.f.i32(name === "immediate" ? immediate : name === "immediate2" ? immediate2 : name === "reg" ? reg : rm);
  }
  ip(): void {
    this.pushAddress(this.at);
  }
  nextIp(): void {
    this.pushAddress(this.at + this.instruction.length);
  }
  effectiveAddress(): void {
    const { f, long, instruction: i } = this;
    const add = long ? OP.i64_add : OP.i32_add;
    const displacement = displacementOf(i);
    if (i.ripRelative) this.pushAddress(this.at + i.length + displacement);
    else if (i.base >= 0) {
      f.get(this.registers.get(i.base)!);
      if (displacement !== 0) {
        this.native(displacement);
        f.op(add);
      }
    } else this.native(displacement);
    if (i.index >= 0) {
      f.get(this.registers.get(i.index)!);
      if (i.scale > 0) {
        this.native(i.scale);
        f.op(long ? OP.i64_shl : OP.i32_shl);
      }
      f.op(add);
    }
    if (i.addressSize === 2 || (long && i.addressSize === 4)) {
      this.addressMask();
      f.op(long ? OP.i64_and : OP.i32_and);
    }
  }
  addressMask(): void {
    const { addressSize } = this.instruction;
    if (this.long) this.f.i64(addressSize === 4 ? 0xffff_ffffn : -1n);
    else this.f.i32(addressSize === 2 ? 0xffff : -1);
  }
  recordSegment(): void {
    this.f.i32(SEGMENT + SEGMENT_STRIDE * this.instruction.segment);
  }
  tlbView(): number {
    if (this.missed !== undefined) return this.region.view;
    this.f.get(this.view).op(OP.i32_add);
    return 0;
  }
  steady(name: string, type: IrType, push: () => void): void {
    const { f, steadyLocals } = this;
    if (!steadyLocals.has(name)) {
      const local = f.local(type);
      push();
      f.set(local);
      steadyLocals.set(name, local);
    }
    f.get(steadyLocals.get(name)!);
  }
  known(place: Place, fact: string): boolean {
    return this.facts.push(placeOffset(place, this.instruction), fact);
  }
  note(place: Place, fact: string, push: () => void): void {
    this.facts.note(placeOffset(place, this.instruction), fact, push);
  }
  copied(place: Place, from: Place): void {
    this.facts.copy(placeOffset(place, this.instruction), placeOffset(from, this.instruction));
  }
  passed(name: string): boolean {
    const known = this.stops.has(name);
    this.stops.add(name);
    return known;
  }

  readPlace(place: Place, size: Size, type: IrType): void {
    const { f, long } = this;
    const offset = placeOffset(place, this.instruction);
    const register = registerAt(offset);
    if (register < 0) {
      f.i32(0).memory(loadOf(size, type), STATE + offset);
      return;
    }
    if (register >= FIRST_VECTOR) return readVectorLocal(f, this.registers.get(register)!, offset, size, type);
    f.get(this.registers.get(register)!);
    if (size === 8) return;
    if (long) f.op(OP.i32_wrap_i64);
    if (offset & HIGH_BYTE) f.i32(8).op(OP.i32_shr_u);
    if (size < 4) f.i32(size === 1 ? 0xff : 0xffff).op(OP.i32_and);
  }
  writePlace(place: Place, size: Size, type: IrType, value: () => void): void {
    const { f, long } = this;
    const offset = placeOffset(place, this.instruction);
    const register = registerAt(offset);
    if (register < 0) {
      f.i32(0);
      value();
      f.memory(storeOf(size, type), STATE + offset);
      return;
    }
    const local = this.registers.get(register)!;
    if (register >= FIRST_VECTOR) {
      this.facts.forget(offset);
      return writeVectorLocal(f, local, offset, size, type, value);
    }
    if (size >= 4) {
      value();
      if (long && size === 4) f.op(OP.i64_extend_i32_u);
    } else {
      const high = (offset & HIGH_BYTE) !== 0;
      const mask = (size === 1 ? 0xff : 0xffff) << (high ? 8 : 0);
      f.get(local);
      this.native(~mask);
      f.op(long ? OP.i64_and : OP.i32_and);
      value();
      if (high) f.i32(8).op(OP.i32_shl);
      f.i32(mask).op(OP.i32_and);
      if (long) f.op(OP.i64_extend_i32_u);
      f.op(long ? OP.i64_or : OP.i32_or);
    }
    f.set(local);
  }

  helper(name: string, parameters: number): number {
    return this.generated.helper(name, parameters);
  }
  callee(callee: IrFunction): number {
    return this.generated.callee(callee);
  }
}
