/**
 * Lowers IR to WebAssembly. This is the one place where an IR operation becomes code; the interpreter and the translator
 * each supply a `Target` that says where registers, record fields and exits are. Values used once are emitted where they
 * are used; values used more often get a local; a read is emitted at the latest before something that may change it.
 * Flags and memory accesses stand in files of their own.
 */
import { OP, type FunctionBuilder } from "@doppel/wasm";
import { type Block, type IrType, type Place, type SegmentRef, SemanticsError, type Size, type Statement, type Value, type Variable } from "@doppel/semantics";
import { FLAG_CONDITIONS, FlagLowering } from "./flag-lowering.ts";
import { faultOnStatus, MemoryLowering } from "./memory-lowering.ts";
import { FAULT_CODE, FAULT_HAS_CODE, FAULT_VECTOR, STATE } from "./state-layout.ts";
import type { Op, Target, ValueSource } from "./target.ts";

/**
 * What becomes of an instruction's flags: stored, or given to a target that keeps them; stored, and their operands kept for `staticCondition`;
 * or not even computed, because the next instruction sets them all and nothing can come between.
 */
export type FlagUse = "stored" | "static" | "dead";

/** A value in a local, how often it is still to be used, and the loop that it was computed in. */
interface Held {
  readonly value: Value;
  readonly local: number;
  uses: number;
  readonly loop: number;
}

/** Lowers statement lists into a target's function, one after the other. */
export class Lowering implements ValueSource {
  private readonly t: Target;
  private readonly f: FunctionBuilder;
  /** Few at a time: they are found sooner one by one than in a Map. */
  private readonly held: Held[] = [];
  private readonly variables = new Map<number, number>();
  private readonly pending = new Set<Value>();
  private readonly flags: FlagLowering;
  private readonly memory: MemoryLowering;
  private readonly owned: number[] = [];
  private loop = 0;
  /** Of nested blocks. */
  private depth = 0;
  private readonly flagUse: FlagUse;
  private loopExit: ReturnType<FunctionBuilder["block"]>[] = [];

  /** @param flagUse what becomes of flag updates; with "static", call `release` afterwards */
  constructor(target: Target, flagUse: FlagUse = "stored") {
    this.t = target;
    this.f = target.f;
    this.flagUse = flagUse;
    this.flags = new FlagLowering(target, this, flagUse === "static");
    this.memory = new MemoryLowering(target, this);
  }

  /** Lowers a whole instruction or function body; gives its locals back afterwards. */
  lower(block: Block): void {
    this.block(block);
    if (this.flagUse !== "static") this.release();
  }

  /** Gives all locals back. */
  release(): void {
    for (const { local } of this.held) this.f.release(local);
    this.held.length = 0;
    // A Map that is cleared is made anew.
    if (this.variables.size > 0) {
      for (const local of this.variables.values()) this.f.release(local);
      this.variables.clear();
    }
    for (const local of this.owned) this.f.release(local);
    this.owned.length = 0;
    if (this.pending.size > 0) this.pending.clear();
    this.memory.forget();
  }

  // ---- values ----

  get isUnconditional(): boolean {
    return this.depth === 1;
  }

  /** Puts the value on the stack into a local. */
  private define(value: Value): Held {
    const held = { value, local: this.f.local(value.type), uses: value.uses, loop: this.loop };
    this.held.push(held);
    this.f.set(held.local);
    return held;
  }

  private find(value: Value): Held | undefined {
    const { held } = this;
    for (let n = held.length - 1; n >= 0; n--) if (held[n]!.value === value) return held[n];
    return undefined;
  }

  private hold(value: Value): Held {
    const known = this.find(value);
    if (known !== undefined) return known;
    this.compute(value);
    return this.define(value);
  }

  materialize(value: Value): void {
    if (value.op !== "const" && value.op !== "parameter") this.hold(value);
  }

  push(value: Value): void {
    const held = this.find(value);
    if (held === undefined) return this.compute(value);
    this.f.get(held.local);
    this.count(held);
  }

  shared(value: Value): { push: () => void; done: () => void } {
    if (value.op === "const" || value.op === "parameter") return { push: () => this.compute(value), done: () => {} };
    const held = this.hold(value);
    return { push: () => this.f.get(held.local), done: () => this.count(held) };
  }

  take(value: Value): void {
    if (value.uses === 0) {
      this.f.op(OP.drop);
      return;
    }
    this.define(value);
  }

  forget(value: Value): void {
    const held = this.find(value);
    if (held !== undefined) this.count(held);
  }

  own(type: IrType): number {
    const local = this.f.local(type);
    this.owned.push(local);
    return local;
  }

  /** Counts a use of a value in a local; behind the last one the local is free, except in a loop that comes round again. */
  private count(held: Held): void {
    held.uses -= 1;
    if (held.uses > 0 || held.loop !== this.loop) return;
    this.held.splice(this.held.indexOf(held), 1);
    this.f.release(held.local);
  }

  /** Pushes a condition from the operands of the flag update just lowered; see `FlagLowering`. */
  staticCondition(code: number): void {
    this.flags.staticCondition(code);
  }

  /** Pushes a condition from the flag words. */
  pushCondition(code: number): void {
    this.flags.condition(code);
  }

  private state(op: Op, offset: number): void {
    this.f.i32(0).memory(OP[op], STATE + offset);
  }

  private compute(value: Value): void {
    this.pending.delete(value);
    const { f, t } = this;
    switch (value.op) {
      case "const":
        if (value.type === "i32") f.i32(value.data as number);
        else if (value.type === "i64") f.i64(value.data as bigint);
        else if (value.type === "f32") f.f32(value.data as number);
        else if (value.type === "f64") f.f64(value.data as number);
        else f.v128(value.data as Uint8Array);
        return;
      case "parameter":
        f.get(value.data as number);
        return;
      case "field":
        return t.field(value.data as string);
      case "ip":
        return t.ip();
      case "nextIp":
        return t.nextIp();
      case "effectiveAddress":
        return t.effectiveAddress();
      case "addressMask":
        return t.addressMask();
      case "recordSegment":
        return t.recordSegment();
      case "linear":
        this.push(value.args[0]!);
        return this.memory.addSegmentBase(value.data as SegmentRef);
      case "place": {
        const { place, size } = value.data as { place: Place; size: Size };
        return t.readPlace(place, size, value.type);
      }
      case "state": {
        const { op, offset } = value.data as { op: Op; offset: number };
        if (value.args.length === 0) return this.state(op, offset);
        this.push(value.args[0]!);
        f.memory(OP[op], STATE + offset);
        return;
      }
      case "variable":
        f.get(this.variable(value.data as Variable));
        return;
      case "flag": {
        const code = FLAG_CONDITIONS[value.data as string];
        if (code === undefined || t.condition?.(code) !== true) this.flags.flag(value.data as string);
        return;
      }
      case "condition":
        if (t.condition?.(value.data as number) !== true) this.flags.condition(value.data as number);
        return;
      case "arithmeticFlags":
        return this.flags.arithmeticFlags();
      case "steady":
        // On some ways only it would not be known behind them.
        if (!this.isUnconditional || t.steady === undefined) return this.push(value.args[0]!);
        return this.steady(t.steady.bind(t), value);
      case "known": {
        const { place, fact } = value.data as { place: Place; fact: string };
        if (t.known?.(place, fact) === true) return this.leaveOut(value.args[0]!);
        return this.push(value.args[0]!);
      }
      case "all":
        f.i32(1);
        for (const arg of value.args) {
          this.push(arg);
          f.op(OP.i32_and);
        }
        return;
      case "select":
        for (const arg of value.args) this.push(arg);
        f.op(OP.select);
        return;
      default: {
        for (const arg of value.args) this.push(arg);
        const code = OP[value.op as Op] as number | undefined;
        if (code === undefined) throw new SemanticsError("SEMANTICS_OPERATION", `WebAssembly has no operation ${value.op}, or @doppel/wasm does not list it`);
        if (value.op === "i8x16_shuffle") f.shuffle(value.data as number[]);
        else if (value.data !== undefined) f.lane(code, value.data as number);
        else f.op(code);
      }
    }
  }

  private variable(variable: Variable): number {
    let local = this.variables.get(variable.id);
    if (local === undefined) {
      local = this.f.local(variable.type);
      this.variables.set(variable.id, local);
    }
    return local;
  }

  // ---- statements ----

  private block(block: Block): void {
    this.depth++;
    for (const statement of block.statements) this.statement(statement);
    this.depth--;
  }

  /** One branch for each condition, and the other arm once. */
  private ifAll({ condition, then, otherwise, likely }: Statement & { kind: "if" }): void {
    const { f } = this;
    const end = f.block();
    const other = f.block();
    for (const arg of condition.args) {
      this.push(arg);
      f.op(OP.i32_eqz).if(undefined, likely === undefined ? undefined : !likely);
      f.br(other).end();
    }
    this.block(then);
    f.br(end).end();
    if (otherwise !== undefined) this.block(otherwise);
    f.end();
  }

  private steady(ask: NonNullable<Target["steady"]>, { data, type, args: [made] }: Value): void {
    let isNew = false;
    ask(data as string, type, () => {
      isNew = true;
      this.push(made!);
    });
    if (!isNew) this.leaveOut(made!);
  }

  leaveOut(value: Value): void {
    this.pending.delete(value);
    const held = this.find(value);
    if (held !== undefined) this.count(held);
    else for (const arg of value.args) this.leaveOut(arg);
  }

  /** Whether computing a value computes another one. */
  private computes(value: Value | undefined, wanted: Value): boolean {
    if (value === undefined || this.find(value) !== undefined) return false;
    return value === wanted || value.args.some((arg) => this.computes(arg, wanted));
  }

  private consumes(s: Statement, wanted: Value): boolean {
    if ("address" in s && this.computes(s.address.offset, wanted)) return true;
    switch (s.kind) {
      case "setPlace": case "setVariable": case "return": case "note": case "store": return this.computes(s.value, wanted);
      case "setState": return this.computes(s.base, wanted) || this.computes(s.value, wanted);
      case "helper": case "call": return s.args.some((arg) => this.computes(arg, wanted));
      case "if": case "break": return this.computes(s.condition, wanted);
      case "jump": return this.computes(s.target, wanted);
      default: return false;
    }
  }

  /** Emits the pending reads that a statement may change and does not itself use. */
  private flush(statement: Statement): void {
    for (const value of this.pending) if (affects(statement, value) && !this.consumes(statement, value)) this.materialize(value);
  }

  private statement(s: Statement): void {
    const { f, t } = this;
    if (s.kind === "let") {
      const { value } = s;
      if (value.uses === 0) return;
      if (value.uses > 1 || (value.op === "steady" && this.isUnconditional)) this.materialize(value);
      else if (value.effect === "read") this.pending.add(value);
      return;
    }
    if (s.kind === "if" && s.once !== undefined && this.isUnconditional && t.passed?.(s.once) === true) return this.leaveOut(s.condition);
    this.flush(s);
    switch (s.kind) {
      case "load":
        return this.memory.load(s);
      case "probe":
        return this.memory.probe(s);
      case "store":
        return this.memory.store(s);
      case "checkSegment":
        this.memory.linear(s.address, s.size, s.write);
        return;
      case "setPlace":
        t.writePlace(s.place, s.size, s.value.type, () => this.push(s.value));
        if (s.size === 16 && s.value.op === "place" && this.isUnconditional) t.copied?.(s.place, (s.value.data as { place: Place }).place);
        return;
      case "note":
        if (t.note === undefined) return this.leaveOut(s.value);
        return t.note(s.place, s.fact, () => this.push(s.value));
      case "setState":
        if (s.base === undefined) f.i32(0);
        else this.push(s.base);
        this.push(s.value);
        f.memory(OP[s.op as Op], STATE + s.offset);
        return;
      case "setVariable":
        this.push(s.value);
        f.set(this.variable(s.variable));
        return;
      case "flags": {
        if (this.flagUse === "dead") return;
        const when = s.when === undefined ? 1 : t.constant?.(s.when);
        if (s.when !== undefined && when !== undefined) this.leaveOut(s.when);
        if (when === 0) return;
        if (this.isUnconditional && when !== undefined && this.flags.offer(s.update)) return;
        if (s.when === undefined || when !== undefined) return this.flags.set(s.update);
        this.flags.shareOperands(s.update);
        this.push(s.when);
        f.if();
        this.flags.set(s.update);
        f.end();
        return;
      }
      case "call":
        for (const arg of s.args) this.push(arg);
        f.call(t.callee(s.callee));
        if (s.value !== undefined) this.take(s.value);
        return;
      case "helper":
        if (t.miss !== undefined && t.calls?.(s.name) !== true) {
          t.miss();
          // Arguments count as used.
          for (const arg of s.args) this.forget(arg);
          return;
        }
        t.synchronize();
        for (const arg of s.args) this.push(arg);
        f.call(t.helper(s.name, s.args.length));
        t.resynchronize();
        faultOnStatus(t);
        return;
      case "if":
        if (s.condition.op === "all" && this.find(s.condition) === undefined) return this.ifAll(s);
        this.push(s.condition);
        f.if(undefined, s.likely);
        this.block(s.then);
        if (s.otherwise !== undefined && s.otherwise.statements.length > 0) {
          f.else();
          this.block(s.otherwise);
        }
        f.end();
        return;
      case "loop": {
        const outer = this.loop;
        this.loop = s.body.id;
        this.loopExit.push(f.block());
        const again = f.loop();
        this.block(s.body);
        f.br(again).end().end();
        this.loopExit.pop();
        this.loop = outer;
        return;
      }
      case "break":
        this.push(s.condition);
        f.brIf(this.loopExit[this.loopExit.length - 1]!);
        return;
      case "fault":
        if (t.miss !== undefined) {
          t.miss();
          if (s.code !== undefined) this.forget(s.code);
          return;
        }
        f.i32(0).i32(s.vector).memory(OP.i32_store, STATE + FAULT_VECTOR);
        f.i32(0);
        if (s.code === undefined) f.i32(0);
        else this.push(s.code);
        f.memory(OP.i32_store, STATE + FAULT_CODE);
        f.i32(0).i32(s.code === undefined ? 0 : 1).memory(OP.i32_store, STATE + FAULT_HAS_CODE);
        return t.fault();
      case "jump":
        return t.jump(() => this.push(s.target), s.direct);
      case "again":
        return t.again();
      case "leave":
        return t.leave(s.at);
      case "bulk":
        return t.bulk(s);
      case "return":
        this.push(s.value);
        f.op(OP.return);
        return;
    }
  }

}

const FLAG_READS = new Set(["flag", "condition", "arithmeticFlags"]);

/** Whether a statement may change what a pending read reads. */
function affects(statement: Statement, value: Value): boolean {
  switch (statement.kind) {
    case "setVariable":
      return value.op === "variable" && (value.data as Variable).id === statement.variable.id;
    case "flags":
      return FLAG_READS.has(value.op);
    case "setPlace":
    case "setState":
      return value.op !== "variable";
    case "load": case "probe": case "store": case "checkSegment": case "call":
      return value.op === "state";
    case "jump": case "again": case "leave": case "break": case "return": case "fault":
      return false;
    default:
      return true;
  }
}
