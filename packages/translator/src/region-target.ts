/**
 * How a region lowers the IR: general registers, flag words and the budget in locals, record fields as constants. Whatever it cannot do
 * itself (a page that the TLB does not have, a fault, a helper) it leaves to the interpreter: a side exit in front of the instruction, with
 * everything stored. So a region makes no calls, and state is precise wherever it is left.
 *
 *   parameters: record, delta = RIP minus the offset in the page
 *   locals: budget, ip at the exit, TLB view, the registers that the region uses, the two flag words
 */
import {
  ALONE, CONTROL_DELTA, CONTROL_REGION, displacementOf, ENTRY_RECORD, type FlagWords, type GeneratedModule, ifKnown, JUMP, layout, Lowering, R_HANDLER, R_LENGTH, R_OFFSET,
  REGION_MARK, type Target,
} from "@doppel/cpu";
import type { IrFunction, Place, Size } from "@doppel/semantics";
import { type FunctionBuilder, type Label, OP } from "@doppel/wasm";
import type { Instruction } from "@doppel/x86";
import { placeOffset, registerAt } from "./effects.ts";
import type { Region, RegionBlock, RegionInstruction } from "./region.ts";

const { STATE, GPR, RIP, BUDGET, TLB_VIEW, FLAG_RESULT, FLAG_AUX, SEGMENT, SEGMENT_STRIDE } = layout;
const RECORD = 0;
const DELTA = 1;
/** Bits of a byte register's offset: 1 where it is the second byte (AH to BH). */
const HIGH_BYTE = 1;

/** How regions go on to each other: the type of their functions in the module, and the number of the handler that is the table's first entry. */
export interface Chain {
  readonly type: number;
  readonly first: number;
}

/** Lowers the instructions of one region. */
export class RegionTarget implements Target {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  readonly flagWords: FlagWords;
  readonly budget: number;
  private readonly generated: GeneratedModule;
  private readonly ipLocal: number;
  private readonly view: number;
  private readonly registers = new Map<number, number>();
  private readonly dirty: readonly number[];
  private readonly result: number;
  private readonly aux: number;
  private readonly setsFlags: boolean;
  private exitLabel: Label | undefined;
  private instruction!: Instruction;
  private offset = 0;
  /** Instructions of the block behind the present one, it included: counted already, and not yet retired. */
  private left = 0;
  /** The last instruction of this block that set flags: its operands are still at hand. */
  private setter: Lowering | undefined;
  private readonly chaining: Chain | undefined;
  private readonly how: number;
  private readonly entry: number;

  constructor(f: FunctionBuilder, generated: GeneratedModule, region: Region, chaining?: Chain) {
    this.f = f;
    this.chaining = chaining;
    this.generated = generated;
    this.long = region.long;
    const native = region.long ? "i64" : "i32";
    this.entry = region.entry;
    this.budget = f.local("i32");
    this.how = f.local("i32");
    this.ipLocal = f.local(native);
    this.view = f.local("i32");
    const effects = [...region.blocks.values()].flatMap(({ instructions }) => instructions.map((one) => one.effects));
    this.dirty = [...new Set(effects.flatMap(({ writes }) => [...writes]))];
    for (const n of new Set([...this.dirty, ...effects.flatMap(({ reads }) => [...reads])])) this.registers.set(n, f.local(native));
    this.setsFlags = effects.some((one) => one.setsFlags);
    this.result = f.local("i64");
    this.aux = f.local("i32");
    const { result, aux } = this;
    this.flagWords = {
      load: (op, offset) => {
        if (offset >= FLAG_AUX) f.get(aux);
        else f.get(result);
        if (offset === FLAG_RESULT + 4) f.i64(32).op(OP.i64_shr_u);
        if (offset < FLAG_AUX && op !== "i64_load") f.op(OP.i32_wrap_i64);
        if (op === "i32_load8_u") {
          if (offset > FLAG_AUX) f.i32(8 * (offset - FLAG_AUX)).op(OP.i32_shr_u);
          f.i32(0xff).op(OP.i32_and);
        }
      },
      begin: () => {},
      end: (word) => void f.set(word === "result" ? result : aux),
    };
  }

  /** Loads what the region uses; the budget counts the instruction that the dispatch has taken already. `needed` instructions or nothing. */
  enter(needed: number): void {
    const { f, long } = this;
    f.i32(0).memory(OP.i32_load, STATE + BUDGET).i32(1).op(OP.i32_add).tee(this.budget).i32(needed).op(OP.i32_lt_s).if(undefined, false);
    f.i32(0).get(this.budget).memory(OP.i32_store, STATE + BUDGET);
    this.alone();
    f.i32(ALONE).op(OP.return).end();
    f.i32(JUMP).set(this.how);
    for (const [n, local] of this.registers) f.i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + GPR + 8 * n).set(local);
    f.i32(0).memory(OP.i64_load, STATE + FLAG_RESULT).set(this.result);
    f.i32(0).memory(OP.i32_load, STATE + FLAG_AUX).set(this.aux);
    f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).set(this.view);
    this.exitLabel = f.block();
  }

  /** Stores everything, behind the code of all blocks. */
  exit(): void {
    const { f, long } = this;
    f.op(OP.unreachable).end();
    for (const n of this.dirty) f.i32(0).get(this.registers.get(n)!).memory(long ? OP.i64_store : OP.i32_store, STATE + GPR + 8 * n);
    if (this.setsFlags) {
      f.i32(0).get(this.result).memory(OP.i64_store, STATE + FLAG_RESULT);
      f.i32(0).get(this.aux).memory(OP.i32_store, STATE + FLAG_AUX);
    }
    if (this.chaining !== undefined) this.chain(this.chaining);
    f.i32(0).get(this.budget).memory(OP.i32_store, STATE + BUDGET);
    f.i32(0).get(this.ipLocal);
    if (!long) f.op(OP.i64_extend_i32_u);
    f.memory(OP.i64_store, STATE + RIP);
    f.get(this.how);
  }

  /** Says for which record and page the first instruction is to be executed otherwise. */
  private alone(): void {
    const { f, long } = this;
    f.i32(0).get(RECORD).memory(OP.i32_store, STATE + CONTROL_REGION);
    f.i32(0).get(DELTA).memory(long ? OP.i64_store : OP.i32_store, STATE + CONTROL_DELTA);
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
    ifKnown(f, long, this.ipLocal, linear, entry);
    f.get(entry).memory(OP.i32_load, ENTRY_RECORD).tee(next).memory(OP.i32_load8_u, R_LENGTH).i32(REGION_MARK).op(OP.i32_eq).if();
    f.get(next);
    f.get(this.ipLocal).get(next).memory(long ? OP.i64_load16_u : OP.i32_load16_u, R_OFFSET).op(long ? OP.i64_sub : OP.i32_sub);
    // The dispatch would have taken one from the budget.
    f.i32(0).get(this.budget).i32(1).op(OP.i32_sub).memory(OP.i32_store, STATE + BUDGET);
    f.get(next).memory(OP.i32_load16_u, R_HANDLER).i32(first).op(OP.i32_sub).returnCallIndirect(type);
    f.end().end().end();
  }

  /** Takes a block from the budget, or leaves in front of it. */
  begin({ start, count }: RegionBlock): void {
    const { f, budget } = this;
    f.get(budget).i32(count).op(OP.i32_sub).tee(budget).i32(0).op(OP.i32_lt_s).if(undefined, false);
    this.leaveAt(start, count);
    f.end();
    this.left = count;
  }

  /** Ends a block's straight code. */
  endBlock(): void {
    this.setter?.release();
    this.setter = undefined;
  }

  /** Lowers one instruction. */
  lower({ instruction, statements, effects, offset }: RegionInstruction): void {
    this.instruction = instruction;
    this.offset = offset;
    const lowering = new Lowering(this, "static");
    lowering.lower(statements);
    if (effects.setsFlags) {
      this.setter?.release();
      this.setter = lowering;
    } else lowering.release();
    this.left -= 1;
  }

  /** Leaves to an offset of the page; `unused` instructions of the block were not executed. */
  leaveAt(offset: number, unused: number): void {
    this.leave_(() => this.pushAddress(offset), unused);
  }

  private leave_(push: () => void, unused: number): void {
    const { f, budget } = this;
    if (unused > 0) f.get(budget).i32(unused).op(OP.i32_add).set(budget);
    push();
    f.set(this.ipLocal).br(this.exitLabel!);
  }

  private pushAddress(offset: number): void {
    this.f.get(DELTA);
    this.native(offset);
    this.f.op(this.long ? OP.i64_add : OP.i32_add);
  }

  private native(value: number): void {
    if (this.long) this.f.i64(value);
    else this.f.i32(value);
  }

  /** Pushes the condition that ends a block. */
  blockCondition(code: number): void {
    if (this.setter !== undefined) this.setter.staticCondition(code);
    else new Lowering(this).pushCondition(code);
  }

  // ---- Target ----

  condition(code: number): boolean {
    this.setter?.staticCondition(code);
    return this.setter !== undefined;
  }
  miss(): void {
    // Behind the entry stands this region again: the interpreter must execute the instruction.
    if (this.offset === this.entry) {
      this.alone();
      this.f.i32(ALONE).set(this.how);
    }
    this.leaveAt(this.offset, this.left);
  }
  fault(): void {
    this.miss();
  }
  jump(target: () => void): void {
    this.leave_(target, this.left - 1);
  }
  again(): void {
    this.miss();
  }
  leave(): void {
    this.miss();
  }
  bulk(): void {}
  synchronize(): void {}
  resynchronize(): void {}

  field(name: string): void {
    const { form, immediate, immediateHigh, immediate2, memory, modrm, reg } = this.instruction;
    // x87 notes the ModRM byte of a memory operand as part of its last opcode.
    const rm = memory && form.memoryOperand >= 0 ? modrm : this.instruction.rm;
    if (name === "immediate64") this.f.i64((BigInt(immediateHigh) << 32n) | BigInt(immediate >>> 0));
    else this.f.i32(name === "immediate" ? immediate : name === "immediate2" ? immediate2 : name === "reg" ? reg : rm);
  }
  ip(): void {
    this.pushAddress(this.offset);
  }
  nextIp(): void {
    this.pushAddress(this.offset + this.instruction.length);
  }
  effectiveAddress(): void {
    const { f, long, instruction: i } = this;
    const add = long ? OP.i64_add : OP.i32_add;
    const displacement = displacementOf(i);
    if (i.ripRelative) this.pushAddress(this.offset + i.length + displacement);
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
  tlbView(): void {
    this.f.get(this.view);
  }

  readPlace(place: Place, size: Size): void {
    const { f, long } = this;
    const offset = placeOffset(place, this.instruction);
    const register = registerAt(offset);
    if (register < 0) {
      const op = size === 1 ? OP.i32_load8_u : size === 2 ? OP.i32_load16_u : size === 4 ? OP.i32_load : size === 8 ? OP.i64_load : OP.v128_load;
      f.i32(0).memory(op, STATE + offset);
      return;
    }
    f.get(this.registers.get(register)!);
    if (size === 8) return;
    if (long) f.op(OP.i32_wrap_i64);
    if (offset & HIGH_BYTE) f.i32(8).op(OP.i32_shr_u);
    if (size < 4) f.i32(size === 1 ? 0xff : 0xffff).op(OP.i32_and);
  }
  writePlace(place: Place, size: Size, value: () => void): void {
    const { f, long } = this;
    const offset = placeOffset(place, this.instruction);
    const register = registerAt(offset);
    if (register < 0) {
      f.i32(0);
      value();
      f.memory(size === 1 ? OP.i32_store8 : size === 2 ? OP.i32_store16 : size === 4 ? OP.i32_store : size === 8 ? OP.i64_store : OP.v128_store, STATE + offset);
      return;
    }
    const local = this.registers.get(register)!;
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

  helper(name: string): number {
    throw new Error(`a region does not call helpers: ${name}`);
  }
  callee(callee: IrFunction): number {
    return this.generated.callee(callee);
  }
}
