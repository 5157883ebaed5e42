/**
 * The second way to lower the IR, as the translator will do it (engine.md, items 1 and 4): a run of instructions becomes one
 * function with the general registers in locals, record fields as constants, and side exits that store what is dirty. It
 * stands here, ahead of the translator, so that every IR operation is tried both ways from the first day.
 */
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { DEFINITIONS, InstructionBuilder, type IrFunction, type Place, type Shape, type Size } from "@doppel/semantics";
import { Instruction, decode } from "@doppel/x86";
import { GeneratedModule, shapeOf } from "./handler.ts";
import { Lowering } from "./lowering.ts";
import type { Target } from "./target.ts";
import { fieldKinds, isGeneral } from "./record.ts";
import { GPR, RIP, SEGMENT, SEGMENT_STRIDE, STATE, TLB_VIEW, XMM, FPR } from "./state-layout.ts";

/** Registers in locals for one straight run of instructions. */
class RegionTarget implements Target {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  private readonly generated: GeneratedModule;
  private readonly registers = new Map<number, number>();
  private readonly dirty = new Set<number>();
  private instruction = new Instruction();
  private shape: Shape | undefined;
  private start = 0;
  private index = 0;

  constructor(f: FunctionBuilder, generated: GeneratedModule, long: boolean) {
    this.f = f;
    this.generated = generated;
    this.long = long;
  }

  /** Lowers one instruction at an offset in the code segment. */
  instructionAt(instruction: Instruction, shape: Shape, start: number, index: number): void {
    Object.assign(this, { instruction, shape, start, index });
    const b = new InstructionBuilder(shape);
    DEFINITIONS.get(shape.form.mnemonic)!(b);
    new Lowering(this).lower(b.root);
  }

  /** Stores dirty registers and RIP; the function returns the number of instructions that retired. */
  exit(ip: () => void, retired: number): void {
    const { f } = this;
    for (const register of this.dirty) {
      f.i32(0).get(this.registers.get(register)!).memory(this.long ? OP.i64_store : OP.i32_store, STATE + GPR + 8 * register);
    }
    f.i32(0);
    ip();
    if (!this.long) f.op(OP.i64_extend_i32_u);
    f.memory(OP.i64_store, STATE + RIP);
    f.i32(retired).op(OP.return);
  }

  /** The local of a register; the function loads all of them at its entry. */
  private register(n: number): number {
    return this.registers.get(n)!;
  }
  loadAll(): void {
    for (let n = 0; n < (this.long ? 16 : 8); n++) {
      const local = this.f.local(this.long ? "i64" : "i32");
      this.registers.set(n, local);
      this.f.i32(0).memory(this.long ? OP.i64_load : OP.i32_load, STATE + GPR + 8 * n).set(local);
    }
  }
  /** Every register may be written before the next exit; marking all dirty keeps a run with branches simple. */
  allDirty(): void {
    for (const n of this.registers.keys()) this.dirty.add(n);
  }

  private native(value: number): void {
    if (this.long) this.f.i64(value);
    else this.f.i32(value);
  }
  field(name: string): void {
    const { immediate, immediateHigh, immediate2, reg, rm } = this.instruction;
    if (name === "immediate64") this.f.i64((BigInt(immediateHigh) << 32n) | BigInt(immediate >>> 0));
    else this.f.i32(name === "immediate" ? immediate : name === "immediate2" ? immediate2 : name === "reg" ? reg : rm);
  }
  ip(): void {
    this.native(this.start);
  }
  nextIp(): void {
    this.native(this.start + this.instruction.length);
  }
  effectiveAddress(): void {
    const { f, long, instruction: i } = this;
    const add = long ? OP.i64_add : OP.i32_add;
    this.native(i.displacement + (i.ripRelative ? this.start + i.length : 0));
    if (i.base >= 0) f.get(this.register(i.base)).op(add);
    if (i.index >= 0) {
      f.get(this.register(i.index));
      this.native(i.scale);
      f.op(long ? OP.i64_shl : OP.i32_shl).op(add);
    }
    if (i.addressSize === 2 || (long && i.addressSize === 4)) {
      this.addressMask();
      f.op(long ? OP.i64_and : OP.i32_and);
    }
  }
  addressMask(): void {
    const { addressSize } = this.instruction;
    this.native(addressSize === 2 ? 0xffff : this.long && addressSize === 4 ? 0xffff_ffff : -1);
  }

  /** General register number and byte within it, or the constant state offset of another register file. */
  private resolve(place: Place, size: Size): { register: number; high: boolean } | { at: number } {
    if ("at" in place) return place.at < 0x80 ? { register: place.at >> 3, high: (place.at & 1) !== 0 } : { at: place.at };
    if (place.field === "vvvv") return { register: this.instruction.vvvv, high: false };
    const kinds = fieldKinds(this.shape!.form);
    const kind = place.field === "reg" ? kinds.reg : kinds.rm;
    const n = place.field === "reg" ? this.instruction.reg : this.instruction.rm;
    if (!isGeneral(kind)) return { at: kind === 3 ? FPR + 16 * (n & 7) : XMM + 16 * n };
    const high = size === 1 && n >= 4 && n < 8 && (this.instruction.prefixes & 64) === 0;
    return { register: high ? n - 4 : n, high };
  }
  readPlace(place: Place, size: Size): void {
    const { f, long } = this;
    const where = this.resolve(place, size);
    if ("at" in where) {
      f.i32(0).memory(size === 16 ? OP.v128_load : size === 8 ? OP.i64_load : OP.i32_load, STATE + where.at);
      return;
    }
    f.get(this.register(where.register));
    if (size === 8) return;
    if (long) f.op(OP.i32_wrap_i64);
    if (where.high) f.i32(8).op(OP.i32_shr_u);
    if (size < 4) f.i32(size === 1 ? 0xff : 0xffff).op(OP.i32_and);
  }
  writePlace(place: Place, size: Size, value: () => void): void {
    const { f, long } = this;
    const where = this.resolve(place, size);
    if ("at" in where) {
      f.i32(0);
      value();
      f.memory(size === 16 ? OP.v128_store : size === 8 ? OP.i64_store : OP.i32_store, STATE + where.at);
      return;
    }
    const local = this.register(where.register);
    if (size >= 4) {
      value();
      if (long && size === 4) f.op(OP.i64_extend_i32_u);
    } else {
      const mask = (size === 1 ? 0xff : 0xffff) << (where.high ? 8 : 0);
      f.get(local);
      this.native(~mask);
      f.op(long ? OP.i64_and : OP.i32_and);
      value();
      if (where.high) f.i32(8).op(OP.i32_shl);
      f.i32(mask).op(OP.i32_and);
      if (long) f.op(OP.i64_extend_i32_u);
      f.op(long ? OP.i64_or : OP.i32_or);
    }
    f.set(local);
    this.dirty.add(where.register);
  }
  recordSegment(): void {
    this.f.i32(SEGMENT + SEGMENT_STRIDE * this.instruction.segment);
  }
  synchronize(): void {}
  resynchronize(): void {}
  tlbView(): void {
    this.f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW);
  }
  fault(): void {
    this.exit(() => this.ip(), this.index | 0x100);
  }
  jump(target: () => void): void {
    this.exit(target, this.index + 1);
  }
  again(): void {
    this.exit(() => this.ip(), this.index + 1);
  }
  leave(at: "rip" | "next" | "again"): void {
    this.exit(() => (at === "next" ? this.nextIp() : this.ip()), this.index + 1);
  }
  bulk(): void {}
  helper(name: string, parameters: number): number {
    return this.generated.helper(name, parameters);
  }
  callee(callee: IrFunction): number {
    return this.generated.callee(callee);
  }
}

/** A run of instructions as one function; it returns the number retired, with bit 8 set when the next one faulted. */
export function compileRegion(code: Uint8Array, start: number, long: boolean): GeneratedModule {
  const generated = new GeneratedModule();
  const { builder: f } = generated.module.function({ parameters: [], results: ["i32"] }, "region");
  const target = new RegionTarget(f, generated, long);
  target.loadAll();
  target.allDirty();
  let index = 0;
  let at = 0;
  for (; at < code.length; index++) {
    const instruction = new Instruction();
    if (decode(code, at, code.length, long ? 8 : 4, instruction) !== 0) throw new RangeError(`no instruction at ${at}`);
    target.instructionAt(instruction, shapeOf(instruction, long, true), start + at, index);
    at += instruction.length;
  }
  target.exit(() => void (long ? f.i64(start + at) : f.i32(start + at)), index);
  f.op(OP.unreachable);
  return generated;
}
