/**
 * Interpreter handlers: for each variant of a form (operand sizes, register or memory, flat or checked segments) the code that
 * executes its records. Hot variants stand inside the one dispatch function, all others are functions of their own, made
 * when the decoder first meets them.
 */
import { type FunctionBuilder, type Label, ModuleBuilder, OP } from "@doppel/wasm";
import { type Block, DEFINITIONS, InstructionBuilder, type IrFunction, type IrType, type Place, type Shape, type Size, type Statement } from "@doppel/semantics";
import { type Form, type Instruction, PREFIX_REP, PREFIX_REPNE } from "@doppel/x86";
import { factsOf, isGeneral } from "./form-facts.ts";
import { FunctionSet } from "./ir-functions.ts";
import { Lowering } from "./lowering.ts";
import { type CarryRule, loadOf, storeOf, type Target } from "./target.ts";
import {
  isWide, R_BASE, R_DISPLACEMENT, R_HANDLER, R_IMMEDIATE, R_IMMEDIATE_HIGH, R_INDEX, R_LENGTH, R_LINK, R_OFFSET, R_REG, R_RM, R_SCALE, R_SEGMENT, R_VVVV, RECORD_SIZE,
} from "./record.ts";
import { BLOCK_ENDED, BUDGET, CS, FS, RIP, STATE, TLB_VIEW } from "./state-layout.ts";

/** How a handler outside the dispatch function says what comes next. */
export const NEXT = 0;
export const FAULT = 1;
/** RIP is set; look it up. */
export const JUMP = 2;
/** The same record again. */
export const AGAIN = 3;
/** As JUMP, by a direct jump whose link is not known yet. */
export const DIRECT = 4;
/** A region does not execute its first instruction now: the record's link leads to the instruction alone. BUDGET is what is left. */
export const ALONE = 5;
/** A region has called a helper that recorded a fault. RIP stands at the instruction, and BUDGET is what is left. */
export const FAULT_HERE = 6;

/** Whether an operand needs no segment checks. A store through CS is #GP(0) however flat the segment is. */
function isFlat(i: Instruction, long: boolean, flat: boolean): boolean {
  return flat && (!i.memory || (i.segment < FS && (long || i.segment !== CS)));
}

/** The address size as far as it matters: in 16- and 32-bit code that of a checked operand is a mask in the record. */
function addressSizeOf(i: Instruction, long: boolean, flatOperand: boolean): Shape["addressSize"] {
  return factsOf(i.form).isAddressSized || (i.memory && (flatOperand || long)) ? i.addressSize : long ? 8 : 4;
}

function repOf({ form, prefixes }: Instruction): Shape["rep"] {
  return (prefixes & (PREFIX_REP | PREFIX_REPNE)) === 0 || !factsOf(form).isRepeatable ? "" : prefixes & PREFIX_REP ? "rep" : "repne";
}

function conditionOf({ form, condition }: Instruction): number {
  return form.range === "cc" ? condition : 0;
}

/** The shape of an instruction's handler in the given kind of code. */
export function shapeOf(i: Instruction, long: boolean, flat: boolean): Shape {
  const flatOperand = isFlat(i, long, flat);
  return {
    form: i.form, operandSize: i.operandSize, addressSize: addressSizeOf(i, long, flatOperand), memory: i.memory, rep: repOf(i),
    condition: conditionOf(i), long, flat, flatOperand, indexed: i.index >= 0, ripRelative: i.memory && i.ripRelative,
  };
}

/**
 * A number below 2^26 that tells shapes apart: form, operand and address size, REP or condition (no form has both), and
 * the yes-or-no properties.
 */
export function shapeKey(s: Shape): number {
  return packed(s.form.id, s.operandSize, s.addressSize, s.rep, s.condition, s.memory, s.long, s.flat, s.flatOperand, s.indexed, s.ripRelative);
}

/** The key of an instruction's shape: most instructions have a handler already, and need no more. */
export function shapeKeyOf(i: Instruction, long: boolean, flat: boolean): number {
  const flatOperand = isFlat(i, long, flat);
  return packed(i.form.id, i.operandSize, addressSizeOf(i, long, flatOperand), repOf(i), conditionOf(i), i.memory, long, flat, flatOperand, i.index >= 0, i.memory && i.ripRelative);
}

function packed(
  form: number, operandSize: number, addressSize: number, rep: Shape["rep"], condition: number,
  memory: boolean, long: boolean, flat: boolean, flatOperand: boolean, indexed: boolean, ripRelative: boolean,
): number {
  const sizes = (((form << 2) | sizeBits(operandSize)) << 2) | sizeBits(addressSize);
  const variant = rep === "" ? condition : rep === "rep" ? 1 : 2;
  const bits = (memory ? 1 : 0) | (long ? 2 : 0) | (flat ? 4 : 0) | (flatOperand ? 8 : 0) | (memory && !indexed ? 16 : 0) | (ripRelative ? 32 : 0);
  return (((sizes << 4) | variant) << 6) | bits;
}

function sizeBits(size: number): number {
  return size === 8 ? 2 : size >> 2;
}

/** Whether a form has a definition. */
export function isDefined(form: Form): boolean {
  return factsOf(form).isDefined;
}

/**
 * What code is generated for: for nobody who watches; for somebody to whom a helper may show the processor, so that RIP stands in the state
 * before each; or for one who also wants to know where basic blocks begin.
 */
export type Watching = "nothing" | "accesses" | "blocks";

/** Instructions that end a basic block, whether they go elsewhere or on. */
export const BLOCK_ENDS: ReadonlySet<string> = new Set([
  "Jcc", "JMP", "CALL", "RET", "LOOP", "LOOPE", "LOOPNE", "JCXZ", "JMPF", "CALLF", "RETF", "IRET", "INT", "INT3", "INT1", "INTO", "SYSENTER", "SYSEXIT", "SYSCALL", "SYSRET", "RSM",
]);

/** What a handler needs of the module it stands in. */
export interface HandlerModule {
  readonly watching: Watching;
  helper(name: string, parameters: number): number;
  callee(callee: IrFunction): number;
}

/** Imports of generated modules: memory, table, and helpers by name. */
export class GeneratedModule implements HandlerModule {
  readonly module = new ModuleBuilder();
  readonly watching: Watching;
  private readonly helpers = new Map<string, number>();
  private readonly functions = new FunctionSet(this.module);
  private readonly sharedFunctions = new Map<string, number>();

  constructor(watching: Watching = "nothing") {
    this.watching = watching;
    this.module.importMemory("doppel", "memory", 1);
  }

  helper(name: string, parameters: number): number {
    let index = this.helpers.get(name);
    if (index === undefined) {
      index = this.module.importFunction("helpers", name, { parameters: Array.from({ length: parameters }, () => "i32" as const), results: ["i32"] });
      this.helpers.set(name, index);
    }
    return index;
  }

  callee(callee: IrFunction): number {
    return this.functions.index(callee);
  }

  /** Index of a function that gives the auxiliary flag word; see `FunctionSet`. */
  carries(rule: CarryRule, size: Size): number {
    return this.functions.carries(rule, size);
  }

  /** Index of a function that `write` makes when it is first asked for. */
  shared(name: string, write: () => number): number {
    const index = this.sharedFunctions.get(name) ?? write();
    this.sharedFunctions.set(name, index);
    return index;
  }

  instantiate(memory: WebAssembly.Memory, helpers: Helpers, extra: Record<string, unknown> = {}): WebAssembly.Instance {
    return instantiate(new WebAssembly.Module(this.module.encode()), memory, helpers, extra);
  }
}

/** TypeScript functions that generated code calls, by name. */
export type Helpers = Record<string, (...args: number[]) => number>;

/** Instantiates a generated module for one machine. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory, helpers: Helpers, extra: Record<string, unknown> = {}): WebAssembly.Instance {
  return new WebAssembly.Instance(module, { doppel: { memory, ...extra }, helpers } as WebAssembly.Imports);
}

/** Access to record fields and registers, common to handlers inside and outside the dispatch function. */
abstract class RecordTarget implements Target {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  protected readonly shape: Shape;
  protected readonly record: number;
  protected readonly delta: number;
  private readonly module: HandlerModule;

  /** @param record local of the record's address @param delta local of RIP minus the offset in the page */
  constructor(f: FunctionBuilder, shape: Shape, module: HandlerModule, record: number, delta: number) {
    this.f = f;
    this.shape = shape;
    this.long = shape.long;
    this.module = module;
    this.record = record;
    this.delta = delta;
  }

  field(name: string): void {
    this.f.get(this.record);
    switch (name) {
      case "immediate64": {
        const { hasWideImmediate, hasOffset } = factsOf(this.shape.form);
        const wide = hasWideImmediate && isWide(this.shape);
        this.f.memory(wide || hasOffset ? OP.i64_load32_u : OP.i64_load32_s, R_IMMEDIATE);
        if (wide) this.f.get(this.record).memory(OP.i64_load32_u, R_IMMEDIATE_HIGH).i64(32).op(OP.i64_shl).op(OP.i64_or);
        return;
      }
      case "immediate": this.f.memory(OP.i32_load, R_IMMEDIATE); return;
      case "immediate2": this.f.memory(OP.i32_load, R_LINK); return;
      case "reg": this.f.memory(OP.i32_load16_u, R_REG); return;
      default: this.f.memory(OP.i32_load16_u, R_RM);
    }
  }

  private offset(): void {
    this.f.get(this.delta).get(this.record).memory(this.long ? OP.i64_load16_u : OP.i32_load16_u, R_OFFSET);
    this.f.op(this.long ? OP.i64_add : OP.i32_add);
  }
  ip(): void {
    this.offset();
  }
  nextIp(): void {
    this.offset();
    this.f.get(this.record).memory(this.long ? OP.i64_load8_u : OP.i32_load8_u, R_LENGTH).op(this.long ? OP.i64_add : OP.i32_add);
  }

  effectiveAddress(): void {
    const { f, long } = this;
    const add = long ? OP.i64_add : OP.i32_add;
    if (this.shape.ripRelative) {
      this.nextIp();
      f.get(this.record).memory(OP.i64_load32_s, R_DISPLACEMENT).op(OP.i64_add);
      if (this.shape.addressSize === 4) f.i64(0xffff_ffff).op(OP.i64_and);
      return;
    }
    f.get(this.record).memory(OP.i32_load16_u, R_BASE).memory(long ? OP.i64_load : OP.i32_load, STATE);
    if (this.shape.indexed) {
      f.get(this.record).memory(OP.i32_load16_u, R_INDEX).memory(long ? OP.i64_load : OP.i32_load, STATE);
      f.get(this.record).memory(long ? OP.i64_load8_u : OP.i32_load8_u, R_SCALE).op(long ? OP.i64_shl : OP.i32_shl).op(add);
    }
    f.get(this.record).memory(long ? OP.i64_load32_s : OP.i32_load, R_DISPLACEMENT).op(add);
    if (!long && !this.shape.flatOperand) {
      this.addressMask();
      f.op(OP.i32_and);
    } else if (this.shape.addressSize === 2) f.i32(0xffff).op(OP.i32_and);
    else if (long && this.shape.addressSize === 4) f.i64(0xffff_ffff).op(OP.i64_and);
  }

  addressMask(): void {
    const { f, long, shape } = this;
    if (long) f.i64(shape.addressSize === 4 ? 0xffff_ffff : -1);
    else if (shape.flatOperand) f.i32(shape.addressSize === 2 ? 0xffff : -1);
    else f.get(this.record).memory(OP.i32_load, R_LINK);
  }

  /** Pushes the base of a register access; returns the constant offset. */
  private base(place: Place): number {
    if ("at" in place) {
      this.f.i32(0);
      return STATE + place.at;
    }
    this.f.get(this.record).memory(OP.i32_load16_u, place.field === "reg" ? R_REG : place.field === "rm" ? R_RM : R_VVVV);
    return STATE + (place.plus ?? 0);
  }

  readPlace(place: Place, size: Size, type: IrType): void {
    const at = this.base(place);
    this.f.memory(loadOf(size, type), at);
  }

  writePlace(place: Place, size: Size, type: IrType, value: () => void): void {
    const at = this.base(place);
    value();
    if (size === 4 && this.long && this.isGeneralPlace(place)) this.f.op(OP.i64_extend_i32_u).memory(OP.i64_store, at);
    else this.f.memory(storeOf(size, type), at);
  }

  private isGeneralPlace(place: Place): boolean {
    if ("at" in place) return place.at < 0x80;
    if (place.field === "vvvv") return true;
    const kinds = factsOf(this.shape.form);
    return isGeneral(place.field === "reg" ? kinds.reg : kinds.rm);
  }

  protected setRip(push: () => void): void {
    this.f.i32(0);
    push();
    if (!this.long) this.f.op(OP.i64_extend_i32_u);
    this.f.memory(OP.i64_store, STATE + RIP);
  }

  /** Before a helper that may show the processor to somebody. */
  protected showIp(): void {
    if (this.module.watching !== "nothing") this.setRip(() => this.ip());
  }

  recordSegment(): void {
    this.f.get(this.record).memory(OP.i32_load16_u, R_SEGMENT);
  }
  helper(name: string, parameters: number): number {
    return this.module.helper(name, parameters);
  }
  callee(callee: IrFunction): number {
    return this.module.callee(callee);
  }
  bulk(s: Statement & { kind: "bulk" }): void {
    const { f } = this;
    // Whether the instruction overwrites itself is seen by where it is.
    this.setRip(() => this.ip());
    f.i32(s.size).i32(s.addressSize);
    this.recordSegment();
    f.call(this.helper(s.operation === "movs" ? "bulkMovs" : "bulkStos", 3)).op(OP.drop);
  }

  abstract synchronize(): void;
  abstract resynchronize(): void;
  abstract tlbView(): number;
  abstract fault(): void;
  abstract jump(target: () => void, direct: boolean): void;
  abstract again(): void;
  abstract leave(at: "rip" | "next" | "again"): void;
}

/** A handler as a function of (record, delta) that returns one of the codes above. */
class OutlineTarget extends RecordTarget {
  /** The dispatch function has stored the budget before the call. */
  synchronize(): void {
    this.showIp();
  }
  resynchronize(): void {}
  tlbView(): number {
    this.f.i32(0).memory(OP.i32_load, STATE + TLB_VIEW).op(OP.i32_add);
    return 0;
  }
  fault(): void {
    this.f.i32(FAULT).op(OP.return);
  }
  jump(target: () => void, direct: boolean): void {
    this.setRip(target);
    this.f.i32(direct ? DIRECT : JUMP).op(OP.return);
  }
  again(): void {
    this.f.i32(AGAIN).op(OP.return);
  }
  leave(at: "rip" | "next" | "again"): void {
    if (at === "next") this.setRip(() => this.nextIp());
    else if (at === "again") this.setRip(() => this.ip());
    this.f.i32(JUMP).op(OP.return);
  }
}

/** Labels and locals of the dispatch function that a handler inside it uses. */
export interface DispatchFrame {
  readonly record: number;
  readonly delta: number;
  readonly budget: number;
  /** Local of the TLB view's address, loaded at every look-up. */
  readonly view: number;
  /** Local of the instruction pointer to look up. */
  readonly ip: number;
  /** Local of the record a direct jump came from, or 0. */
  readonly from: number;
  readonly dispatch: Label;
  readonly lookUp: Label;
  readonly fault: Label;
  /** The visit ends before the instruction that `record` names. */
  readonly out: Label;
  readonly next: Label;
}

/** A handler as an arm of the dispatch function. */
class InlineTarget extends RecordTarget {
  private readonly frame: DispatchFrame;

  constructor(f: FunctionBuilder, shape: Shape, module: HandlerModule, frame: DispatchFrame) {
    super(f, shape, module, frame.record, frame.delta);
    this.frame = frame;
  }
  synchronize(): void {
    this.f.i32(0).get(this.frame.budget).memory(OP.i32_store, STATE + BUDGET);
    this.showIp();
  }
  resynchronize(): void {
    this.f.i32(0).memory(OP.i32_load, STATE + BUDGET).set(this.frame.budget);
  }
  tlbView(): number {
    this.f.get(this.frame.view).op(OP.i32_add);
    return 0;
  }
  fault(): void {
    this.f.br(this.frame.fault);
  }
  jump(target: () => void, direct: boolean): void {
    const { f, frame } = this;
    if (direct) {
      const link = f.local("i32");
      f.get(frame.record).memory(OP.i32_load, R_LINK).tee(link).if(undefined, true);
      f.get(link).set(frame.record).br(frame.dispatch).end();
      f.release(link);
      target();
      f.set(frame.ip).get(frame.record).set(frame.from).br(frame.lookUp);
    } else {
      target();
      f.set(frame.ip).i32(0).set(frame.from).br(frame.lookUp);
    }
  }
  again(): void {
    this.f.br(this.frame.dispatch);
  }
  leave(at: "rip" | "next" | "again"): void {
    const { f, frame } = this;
    if (at === "next") this.nextIp();
    else if (at === "again") this.ip();
    else f.i32(0).memory(this.long ? OP.i64_load : OP.i32_load, STATE + RIP);
    f.set(frame.ip).i32(0).set(frame.from).br(frame.lookUp);
  }
}

/** Says that an instruction which ends a block has begun. */
function noteBlockEnd(f: FunctionBuilder, { form }: Shape, { watching }: HandlerModule): void {
  if (watching === "blocks" && BLOCK_ENDS.has(form.mnemonic)) f.i32(0).i32(1).memory(OP.i32_store, STATE + BLOCK_ENDED);
}

function write(shape: Shape, target: Target, module: HandlerModule): void {
  noteBlockEnd(target.f, shape, module);
  const b = new InstructionBuilder(shape);
  DEFINITIONS.get(shape.form.mnemonic)!(b);
  new Lowering(target).lower(b.root);
}

/** Writes a handler as an arm of the dispatch function. */
export function writeInline(f: FunctionBuilder, shape: Shape, module: HandlerModule, frame: DispatchFrame): void {
  write(shape, new InlineTarget(f, shape, module, frame), module);
}

const FLAG_SETTERS = new Set(["ADD", "SUB", "AND", "OR", "XOR", "CMP", "TEST", "NEG", "IMUL"]);

/** Whether an instruction sets all arithmetic flags, reads none, and cannot fault before it has. */
function setsAllFlags({ form, memory }: Shape): boolean {
  return !memory && FLAG_SETTERS.has(form.mnemonic);
}

/** Whether an instruction has a statement of one of these kinds. */
function hasAny({ statements }: Block, kinds: readonly Statement["kind"][]): boolean {
  return statements.some((s) => {
    if (s.kind === "if") return hasAny(s.then, kinds) || (s.otherwise !== undefined && hasAny(s.otherwise, kinds));
    return kinds.includes(s.kind) || (s.kind === "loop" && hasAny(s.body, kinds));
  });
}

/**
 * Writes the arm of a fused pair, two instructions as one. Both retire; when the budget holds only the first, the visit ends
 * before it, and the run loop executes it alone. A conditional jump takes its condition from the operands of the first.
 */
export function writeFused(f: FunctionBuilder, first: Shape, second: Shape, module: HandlerModule, frame: DispatchFrame): void {
  const jumps = second.form.mnemonic === "Jcc";
  f.get(frame.budget).op(OP.i32_eqz).brIf(frame.out, false);
  const b = new InstructionBuilder(first);
  DEFINITIONS.get(first.form.mnemonic)!(b);
  const stores = hasAny(b.root, ["store", "bulk"]);
  const mayStop = stores || hasAny(b.root, ["load", "probe", "helper"]);
  const lowering = new Lowering(new InlineTarget(f, first, module, frame), jumps ? "static" : setsAllFlags(second) && !mayStop ? "dead" : "stored");
  lowering.lower(b.root);
  f.get(frame.record).i32(RECORD_SIZE).op(OP.i32_add).set(frame.record);
  // A device, or a watchpoint, may want the visit to end behind the first: the budget is gone then.
  if (mayStop) f.get(frame.budget).op(OP.i32_eqz).brIf(frame.dispatch, false);
  // A store into the program ends its block: what comes next is what stands there now (SDM volume 3, 11.6).
  if (stores) f.get(frame.record).memory(OP.i32_load16_u, R_HANDLER).op(OP.i32_eqz).brIf(frame.dispatch, false);
  f.get(frame.budget).i32(1).op(OP.i32_sub).set(frame.budget);
  if (!jumps) return writeInline(f, second, module, frame);
  noteBlockEnd(f, second, module);
  lowering.staticCondition(second.condition);
  f.if();
  const target = new InlineTarget(f, second, module, frame);
  target.jump(() => {
    target.nextIp();
    if (first.long) f.get(frame.record).memory(OP.i64_load32_s, R_IMMEDIATE).op(OP.i64_add);
    else f.get(frame.record).memory(OP.i32_load, R_IMMEDIATE).op(OP.i32_add);
  }, true);
  f.end();
  lowering.release();
}

const WATCHING: readonly Watching[] = ["nothing", "accesses", "blocks"];
const outlined = new Map<number, WebAssembly.Module>();

/** A handler as a function of its own, exported as `handler`. Compiled once per process, for every machine in it. */
export function outlineModule(shape: Shape, watching: Watching = "nothing"): WebAssembly.Module {
  const key = outlineKey(shape, watching);
  let module = outlined.get(key);
  if (module === undefined) {
    const generated = new GeneratedModule(watching);
    writeOutline(shape, generated, "handler");
    module = new WebAssembly.Module(generated.module.encode());
    outlined.set(key, module);
  }
  return module;
}

/** A number for a handler of its own. */
export function outlineKey(shape: Shape, watching: Watching): number {
  return shapeKey(shape) + 2 ** 26 * WATCHING.indexOf(watching);
}

/** Several handlers in one module, each exported under its key. */
export function outlinesModule(shapes: Iterable<Shape>): GeneratedModule {
  const generated = new GeneratedModule();
  for (const shape of shapes) writeOutline(shape, generated, String(outlineKey(shape, "nothing")));
  return generated;
}

function writeOutline(shape: Shape, generated: GeneratedModule, name: string): void {
  const { builder: f } = generated.module.function({ parameters: ["i32", shape.long ? "i64" : "i32"], results: ["i32"] }, name);
  write(shape, new OutlineTarget(f, shape, generated, 0, 1), generated);
  f.i32(NEXT);
}
