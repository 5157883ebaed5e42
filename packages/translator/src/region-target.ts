/**
 * How a region lowers the IR: general and XMM registers, flag words and the budget in locals, record fields as constants. Whatever it cannot do
 * itself (a fault, a device, a helper) it leaves to the interpreter: a side exit in front of the instruction, with everything stored. So
 * state is precise wherever it is left, and a TLB miss is not a call: calls keep the registers of all code in front of them waiting (decision 8). Helpers
 * of a few instructions that kernels execute all the time it does call.
 *
 * An instruction's flags wait until somebody needs them, which is mostly an exit. The budget is looked at at the entry, in front of loops, and on long ways.
 */
import { displacementOf, FAULT_HERE, type GeneratedModule, type KeptFlags, layout, loadOf, Lowering, pushCodeChanges, storeOf, type Target } from "@doppel/cpu";
import type { IrFunction, IrType, Place, Size, Statement, Value } from "@doppel/semantics";
import { type FunctionBuilder, type Label, OP } from "@doppel/wasm";
import type { Instruction } from "@doppel/x86";
import { FIRST_VECTOR, isCalled, type Meaning, placeOffset, registerAt } from "./effects.ts";
import type { FlagState } from "./kept-flags.ts";
import type { BudgetChecks } from "./region-code.ts";
import { HIGH_BYTE, type RegionFrame } from "./region-frame.ts";
import { writeIterations } from "./region-strings.ts";
import type { Structure } from "./structure.ts";
import { WindowLocals } from "./window-locals.ts";
import { type WindowRule, windowsOf } from "./windows.ts";
import type { RegionBlock, RegionInstruction } from "./region.ts";
import { RegisterFacts } from "./register-facts.ts";
import { toldFlags } from "./told-flags.ts";
import { readVectorLocal, writeVectorLocal } from "./vector-locals.ts";

const { STATE, FS, RIP, MODE, BUDGET, SAMPLE_BEYOND, TLB_VIEW, SEGMENT, SEGMENT_STRIDE } = layout;

/** Lowers the instructions of one region. */
export class RegionTarget implements Target {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  private readonly frame: RegionFrame;
  private readonly generated: GeneratedModule;
  /** Steady values that the block has computed, and stops that it has passed. */
  private readonly steadyLocals = new Map<string, number>();
  private readonly stops = new Set<string>();
  private readonly facts: RegisterFacts;
  /** Those that are not at work. */
  private readonly lowerings: Lowering[] = [];
  private readonly checks: BudgetChecks;
  /** The most that is needed anywhere. */
  private readonly most: number;
  /** The beginning of a repeated instruction. */
  private repeat: Label | undefined;
  private one!: RegionInstruction;
  private instruction!: Instruction;
  private meaning!: Meaning;
  /** Mode, and how often code had changed, in front of a helper. */
  private readonly modeBefore: number;
  private readonly codeBefore: number;
  /** The instruction in hand has given its flags to the frame's. */
  private hasKept = false;
  /** A helper is being called: what comes next is the fault that it may have recorded. */
  private isCalling = false;
  private at = 0;
  /** Instructions of the block behind the present one, it included: counted already, and not yet retired. */
  private left = 0;
  /** How the instruction in hand goes on, where it stays in the region. */
  private onJump: ((target: () => void) => void) | undefined;
  private readonly windows: WindowLocals | undefined;

  constructor(frame: RegionFrame, generated: GeneratedModule, checks: BudgetChecks, structure: Structure, rule?: WindowRule) {
    const { f, long, region, registers, missed } = frame;
    this.f = f;
    this.frame = frame;
    this.generated = generated;
    this.long = long;
    this.checks = checks;
    this.facts = new RegisterFacts(f);
    this.most = Math.max(...checks.needs.values());
    if (missed !== undefined) this.windows = new WindowLocals({ f, long, view: region.view, register: (n) => registers.get(n)!, pushAddress: (at) => frame.pushAddress(at) }, windowsOf(region, structure, rule));
    this.modeBefore = f.local("i32", "modeBefore");
    this.codeBefore = f.local("i32", "codeBefore");
  }

  /** Takes a block from the budget; where that is looked at, leaves unless there is enough of it for every way to the next look. */
  begin({ id, start, count, instructions }: RegionBlock): void {
    const { f } = this;
    const { budget } = this.frame;
    if (this.checks.checked.has(id)) {
      f.get(budget).i32(this.checks.needs.get(id)!).op(OP.i32_lt_s).if(undefined, false);
      this.frame.leaveAt(start, 0, "budget");
      f.end();
    }
    this.frame.count("block", start);
    f.get(budget).i32(count).op(OP.i32_sub).set(budget);
    this.left = count;
    this.forgetSteady();
    if (instructions.some(({ meaning }) => meaning.notes)) this.facts.begin();
    this.windows?.begin(id);
  }

  /** A loop begins with a block. */
  beginLoop(header: number): void {
    this.windows?.beginLoop(header);
  }

  /** A block and all that it dominates are written. */
  close(block: number): void {
    this.windows?.close(block);
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
  lower(one: RegionInstruction, onJump?: (target: () => void) => void): void {
    const { instruction, meaning, at } = one;
    this.one = one;
    this.instruction = instruction;
    this.meaning = meaning;
    this.at = at;
    this.onJump = onJump;
    const counted = meaning.counted === undefined ? 1 : this.constant(meaning.counted);
    if (meaning.needsFlagWords || counted === undefined || meaning.conditions.some((code) => !this.frame.flags.knows(code))) this.frame.flags.toWords();
    this.windows?.open((linear, length) => {
      this.frame.noteMissed(linear, length, at);
      this.frame.leaveBefore(at, this.left, "window", this.frame.missedLabel);
    }, () => this.miss());
    this.hasKept = false;
    if (meaning.repeats) this.repeat = this.f.loop();
    // A jump writes the code that it leads to before its instruction is done.
    const lowering = this.lowerings.pop() ?? new Lowering(this);
    lowering.lower(meaning.statements);
    this.lowerings.push(lowering);
    if (meaning.repeats) this.f.end();
    this.windows?.next();
    // What was not kept went to the words.
    if (meaning.setsFlags && counted !== 0 && !this.hasKept) this.frame.flags.state = "words";
    if (!this.hasKept) this.frame.flags.changed(meaning.calls || meaning.repeats ? -1 : one.registers.writes);
    this.facts.instructionEnds();
    if (meaning.changesSteady) this.forgetSteady();
    if (meaning.remaps) this.frame.leaveTo(() => this.nextIp(), `remaps ${instruction.form.mnemonic}`, at);
    else if (meaning.calls && !meaning.transfers) this.attend(at + instruction.length);
    this.left -= 1;
  }

  /** What is known of the flags, for a way through the code that is written later. */
  get flagState(): FlagState {
    return this.frame.flags.state;
  }

  set flagState(state: FlagState) {
    this.frame.flags.state = state;
  }

  /** Ways meet behind this, at the beginning of a block where that is known. */
  meet(block?: number): void {
    this.frame.flags.meet(block === undefined ? undefined : this.changedIn(block));
  }

  /** Registers that a block changes before the last place where it may be left with the flags that it began with, if nothing asks for them until all are set anew. */
  private changedIn(id: number): number | undefined {
    let changed = 0;
    let since = 0;
    for (const { instruction, meaning, registers } of this.frame.region.blocks.get(id)!.instructions) {
      if (meaning.needsFlagWords || meaning.conditions.length > 0 || meaning.calls || meaning.repeats) return undefined;
      const counted = !meaning.setsFlags ? 0 : meaning.counted === undefined ? 1 : this.constant(meaning.counted, instruction);
      if (!meaning.computes) {
        changed |= since;
        since = 0;
      }
      if (counted !== 0) return counted !== undefined && meaning.setsAllFlags ? changed : undefined;
      since |= registers.writes;
    }
    return undefined;
  }

  /** Pushes the condition that ends a block. */
  blockCondition(code: number): void {
    if (this.frame.flags.knows(code)) return this.frame.flags.pushCondition(code);
    this.frame.flags.toWords();
    new Lowering(this).pushCondition(code);
  }

  condition(code: number): boolean {
    const known = this.frame.flags.knows(code);
    if (known) this.frame.flags.pushCondition(code);
    return known;
  }
  keepFlags(kept: KeptFlags): void {
    this.hasKept = true;
    this.frame.flags.keep(kept, toldFlags(kept, this.one, (value) => this.constant(value)));
  }
  keepCarries(push: () => void): void {
    this.hasKept = true;
    this.frame.flags.keepCarries(push);
  }
  constant({ op, args, data }: Value, instruction = this.instruction): number | undefined {
    if (op === "const") return typeof data === "number" ? data : undefined;
    if (op === "field") return data === "immediate" ? instruction.immediate : undefined;
    const [a, b] = args.length === 2 ? [this.constant(args[0]!, instruction), this.constant(args[1]!, instruction)] : [];
    if (a === undefined || b === undefined) return undefined;
    return op === "i32_and" ? a & b : op === "i32_ne" ? Number(a !== b) : undefined;
  }
  miss(): void {
    this.frame.leaveBefore(this.at, this.left, `miss ${this.instruction.form.mnemonic}`);
  }
  window(statement: Statement): { host: number; offset: number } | undefined {
    return this.windows?.find(statement);
  }
  /** Of a helper: it may have done something before, as a task switch has. All other faults are found anew by the interpreter. */
  fault(): void {
    if (!this.isCalling) return this.miss();
    this.isCalling = false;
    this.frame.leaveAt(this.at, this.left, `fault ${this.instruction.form.mnemonic}`, undefined, () => this.f.i32(FAULT_HERE));
  }
  jump(target: () => void): void {
    if (this.onJump !== undefined) {
      // A call or a return has moved the stack pointer.
      this.frame.flags.changed(this.one.registers.writes);
      const { flagState, one, instruction, meaning, at, left, hasKept } = this;
      this.onJump(target);
      // LOOP may also go on behind it.
      Object.assign(this, { flagState, one, instruction, meaning, at, left, hasKept });
      return;
    }
    const unused = this.left - 1;
    // LOOP and JCXZ of a word.
    if (unused > 0) this.f.get(this.frame.budget).i32(unused).op(OP.i32_add).set(this.frame.budget);
    this.frame.leaveTo(target, `jump ${this.instruction.form.mnemonic}`, this.at);
  }
  /** The next iteration of a repeated instruction, each of which retires; one that the budget is not enough for is the interpreter's. */
  again(): void {
    const { f } = this;
    const { budget } = this.frame;
    f.get(budget).i32(1).op(OP.i32_sub).tee(budget).i32(this.most).op(OP.i32_lt_s).if(undefined, false);
    this.frame.leaveAt(this.at, this.left, "budget");
    f.end().br(this.repeat!);
  }
  leave(at: "rip" | "next" | "again"): void {
    const { f, long } = this;
    if (at === "rip") this.frame.leaveTo(() => f.i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + RIP), `transfer ${this.instruction.form.mnemonic}`, this.at);
  }
  bulk(statement: Statement & { kind: "bulk" }): void {
    // FS and GS have bases.
    if (statement.addressSize !== (this.long ? 8 : 4) || this.instruction.segment >= FS) return;
    const { f, long, most } = this;
    const { budget, registers } = this.frame;
    writeIterations({ f, long, budget, most, register: (n) => registers.get(n)!, callee: (name, signature) => this.frame.shared(name, signature) }, statement);
  }
  calls(helper: string): boolean {
    return isCalled(helper);
  }
  /** The helper finds the registers, and of the budget what is left behind this instruction. */
  synchronize(): void {
    const { f } = this;
    this.isCalling = true;
    this.frame.storeRegisters();
    if (this.meaning.device) this.frame.storeIp(() => this.ip());
    f.i32(0).get(this.frame.budget).i32(this.left - 1).op(OP.i32_add).memory(OP.i32_store, STATE + BUDGET);
    f.i32(0).memory(OP.i32_load, STATE + MODE).set(this.modeBefore);
    pushCodeChanges(f);
    f.set(this.codeBefore);
  }
  resynchronize(): void {
    const { f } = this;
    if (this.frame.tally !== undefined) f.get(this.frame.budgetBefore).get(this.frame.budget).op(OP.i32_sub).set(this.frame.budgetBefore);
    f.i32(0).memory(OP.i32_load, STATE + BUDGET).i32(this.left - 1).op(OP.i32_sub).set(this.frame.budget);
    if (this.frame.tally !== undefined) f.get(this.frame.budgetBefore).get(this.frame.budget).op(OP.i32_add).set(this.frame.budgetBefore);
    // Where the visit is to end, its budget was added there.
    f.i32(0).i32(0).memory(OP.i32_store, STATE + SAMPLE_BEYOND);
    if (this.frame.missed === undefined) f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).set(this.frame.view);
    if (this.meaning.transfers) this.frame.loadRegisters(this.frame.dirty);
    if (this.meaning.loadsVectors) this.frame.loadRegisters([...this.frame.registers.keys()].filter((n) => n >= FIRST_VECTOR));
  }

  /** Leaves behind an instruction whose helper has changed the mode, or code, or wants the visit to end. */
  private attend(next: number): void {
    const { f } = this;
    f.i32(0).memory(OP.i32_load, STATE + MODE).get(this.modeBefore).op(OP.i32_ne);
    pushCodeChanges(f);
    f.get(this.codeBefore).op(OP.i32_ne).op(OP.i32_or);
    if (this.frame.missed !== undefined) this.frame.hasOtherView().op(OP.i32_or);
    f.get(this.frame.budget).i32(1 - this.left).op(OP.i32_eq).op(OP.i32_or).if(undefined, false);
    this.frame.leaveAt(next, this.left - 1, "attention");
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
    this.frame.pushAddress(this.at);
  }
  nextIp(): void {
    this.frame.pushAddress(this.at + this.instruction.length);
  }
  effectiveAddress(): void {
    const { f, long, instruction: i } = this;
    const add = long ? OP.i64_add : OP.i32_add;
    const displacement = displacementOf(i);
    if (i.ripRelative) this.frame.pushAddress(this.at + i.length + displacement);
    else if (i.base >= 0) {
      f.get(this.frame.registers.get(i.base)!);
      if (displacement !== 0) {
        this.frame.native(displacement);
        f.op(add);
      }
    } else this.frame.native(displacement);
    if (i.index >= 0) {
      f.get(this.frame.registers.get(i.index)!);
      if (i.scale > 0) {
        this.frame.native(i.scale);
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
    const { f } = this;
    const offset = placeOffset(place, this.instruction);
    const register = registerAt(offset);
    if (register < 0) {
      f.i32(0).memory(loadOf(size, type), STATE + offset);
      return;
    }
    if (register >= FIRST_VECTOR) return readVectorLocal(f, this.frame.registers.get(register)!, offset, size, type);
    this.frame.pushPart(offset, size);
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
    const local = this.frame.registers.get(register)!;
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
      this.frame.native(~mask);
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
  tlbView(): number {
    return this.frame.tlbView();
  }
}
