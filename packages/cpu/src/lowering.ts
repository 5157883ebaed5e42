/**
 * Lowers IR to WebAssembly. This is the one place where an IR operation becomes code; the interpreter and the translator
 * each supply a `Target` that says where registers, record fields and exits are. Values used once are emitted where they
 * are used; values used more often get a local; a read is emitted at the latest before something that may change it.
 *
 * A memory access is inline (engine.md, item 9): entry = TLB view + ((linear >> 12) & 1023) * 32, off = linear - tag, and
 * `off <u 4097 - size` says both that the page matches and that the access does not cross its end.
 */
import { OP, type FunctionBuilder } from "@doppel/wasm";
import type { Address, Block, FlagUpdate, IrFunction, IrType, Place, SegmentRef, Size, Statement, Value, Variable } from "@doppel/semantics";
import {
  AUX_PFX_SHIFT, FAULT_CODE, FAULT_HAS_CODE, FAULT_VECTOR, FLAG_AUX, FLAG_RESULT, SCRATCH, SEGMENT, SEGMENT_STRIDE,
  SEG_BASE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, STATE,
} from "./state-layout.ts";

/** TLB entry layout (package `mmu`): byte offsets of its fields. */
const ENTRY_READ = 0;
const ENTRY_WRITE = 8;
const ENTRY_HOST = 24;

/** What a tier supplies: its registers, record fields and exits. */
export interface Target {
  readonly f: FunctionBuilder;
  /** 64-bit mode: linear addresses and instruction pointers are i64. */
  readonly long: boolean;
  /** Pushes a record field; `immediate64` as i64, the others as i32. */
  field(name: string): void;
  ip(): void;
  nextIp(): void;
  effectiveAddress(): void;
  addressMask(): void;
  /** Pushes a register operand's value, zero-extended from its size. */
  readPlace(place: Place, size: Size): void;
  /** Writes a register operand; `value` pushes what to write. */
  writePlace(place: Place, size: Size, value: () => void): void;
  /** Pushes the byte offset in the state of a segment that only the record knows. */
  recordSegment(): void;
  /** Leaves with the fault that the state describes. */
  fault(): void;
  jump(target: () => void, direct: boolean): void;
  again(): void;
  leave(at: "rip" | "next" | "again"): void;
  bulk(statement: Statement & { kind: "bulk" }): void;
  /** Called before a TypeScript helper: what it may look at (the budget) goes to the state. */
  synchronize(): void;
  /** Called after a TypeScript helper, with its status on the stack: what it may have changed comes back. */
  resynchronize(): void;
  /** Pushes the address of the TLB view in use. */
  tlbView(): void;
  /** Index of a TypeScript helper's import. */
  helper(name: string, parameters: number): number;
  /** Index of an IR function. */
  callee(callee: IrFunction): number;
}

type Op = keyof typeof OP;

const LOADS: Record<Size, Op> = { 1: "i32_load8_u", 2: "i32_load16_u", 4: "i32_load", 8: "i64_load", 16: "v128_load" };
const STORES: Record<Size, Op> = { 1: "i32_store8", 2: "i32_store16", 4: "i32_store", 8: "i64_store", 16: "v128_store" };

/** Lowers statement lists into a target's function. */
export class Lowering {
  private readonly t: Target;
  private readonly f: FunctionBuilder;
  private readonly locals = new Map<Value, number>();
  private readonly remaining = new Map<Value, number>();
  private readonly loopOf = new Map<Value, number>();
  private readonly variables = new Map<number, number>();
  private readonly pending = new Set<Value>();
  private readonly probes = new Map<Statement, { linear: number; host: number }>();
  private readonly owned: number[] = [];
  private loop = 0;
  /** With `retain`: the operands of the last flag update, kept in locals until `release`. */
  private kept: Kept | undefined;
  private readonly retain: boolean;
  private loopExit: ReturnType<FunctionBuilder["block"]>[] = [];

  /** @param retain keeps the operands of the last flag update for `staticCondition`; call `release` afterwards */
  constructor(target: Target, retain = false) {
    this.t = target;
    this.f = target.f;
    this.retain = retain;
  }

  /** Lowers a whole instruction or function body; gives its locals back afterwards. */
  lower(block: Block): void {
    this.block(block);
    if (!this.retain) this.release();
  }

  /** Gives all locals back. */
  release(): void {
    this.kept = undefined;
    for (const local of this.locals.values()) this.f.release(local);
    for (const local of this.variables.values()) this.f.release(local);
    for (const local of this.owned) this.f.release(local);
    this.locals.clear();
    this.variables.clear();
    this.owned.length = 0;
  }

  // ---- values ----

  private define(value: Value): void {
    const local = this.f.local(value.type);
    this.locals.set(value, local);
    this.remaining.set(value, value.uses);
    this.loopOf.set(value, this.loop);
  }

  /** Computes a value now, into a local. */
  private materialize(value: Value): void {
    if (this.locals.has(value) || value.op === "const" || value.op === "parameter") return;
    this.compute(value);
    this.define(value);
    this.f.set(this.locals.get(value)!);
  }

  /** Pushes a value; counts as one of its uses. */
  private push(value: Value): void {
    const local = this.locals.get(value);
    if (local === undefined) return this.compute(value);
    this.f.get(local);
    const left = this.remaining.get(value)! - 1;
    this.remaining.set(value, left);
    if (left === 0 && this.loopOf.get(value) === this.loop) {
      this.locals.delete(value);
      this.f.release(local);
    }
  }

  /** Makes sure that a value can be pushed several times; returns what pushes it. The use is counted by `done`. */
  private shared(value: Value): { push: () => void; done: () => void } {
    if (value.op === "const" || value.op === "parameter") return { push: () => this.compute(value), done: () => {} };
    this.materialize(value);
    const local = this.locals.get(value)!;
    return {
      push: () => this.f.get(local),
      done: () => {
        const left = this.remaining.get(value)! - 1;
        this.remaining.set(value, left);
        if (left === 0 && this.loopOf.get(value) === this.loop) {
          this.locals.delete(value);
          this.f.release(local);
        }
      },
    };
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
        return this.addSegmentBase(value.data as SegmentRef);
      case "place": {
        const { place, size } = value.data as { place: Place; size: Size };
        return t.readPlace(place, size);
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
      case "flag":
        return this.flag(value.data as string);
      case "condition":
        return this.condition(value.data as number);
      case "arithmeticFlags":
        return this.arithmeticFlags();
      case "select":
        for (const arg of value.args) this.push(arg);
        f.op(OP.select);
        return;
      default: {
        for (const arg of value.args) this.push(arg);
        const code = OP[value.op as Op];
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
    for (const statement of block.statements) this.statement(statement);
  }

  private consumed(statement: Statement): Set<Value> {
    const out = new Set<Value>();
    const visit = (value: Value | undefined): void => {
      if (value === undefined || this.locals.has(value)) return;
      out.add(value);
      for (const arg of value.args) visit(arg);
    };
    switch (statement.kind) {
      case "setPlace": case "setVariable": case "return": visit(statement.value); break;
      case "setState": visit(statement.base); visit(statement.value); break;
      case "store": visit(statement.value); break;
      case "helper": case "call": statement.args.forEach(visit); break;
      case "if": case "break": visit(statement.condition); break;
      case "jump": visit(statement.target); break;
    }
    if ("address" in statement) visit(statement.address.offset);
    return out;
  }

  /** Emits the pending reads that a statement may change and does not itself use. */
  private flush(statement: Statement): void {
    if (this.pending.size === 0) return;
    const stays = this.consumed(statement);
    for (const value of [...this.pending]) {
      if (stays.has(value) || !affects(statement, value)) continue;
      this.materialize(value);
    }
  }

  private statement(s: Statement): void {
    const { f, t } = this;
    if (s.kind === "let") {
      const { value } = s;
      if (value.uses === 0) return;
      if (value.uses > 1) this.materialize(value);
      else if (value.effect === "read") this.pending.add(value);
      return;
    }
    this.flush(s);
    switch (s.kind) {
      case "load":
        return this.load(s);
      case "probe":
        return this.probe(s);
      case "store":
        return this.store(s);
      case "checkSegment":
        this.linear(s.address, s.size, s.write);
        return;
      case "setPlace":
        return t.writePlace(s.place, s.size, () => this.push(s.value));
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
        if (s.when === undefined) return this.flags(s.update);
        this.shareFlagOperands(s.update);
        this.push(s.when);
        f.if();
        this.flags(s.update);
        f.end();
        return;
      }
      case "call":
        for (const arg of s.args) this.push(arg);
        f.call(t.callee(s.callee));
        if (s.value === undefined) return;
        if (s.value.uses === 0) {
          f.op(OP.drop);
          return;
        }
        this.define(s.value);
        f.set(this.locals.get(s.value)!);
        return;
      case "helper":
        t.synchronize();
        for (const arg of s.args) this.push(arg);
        f.call(t.helper(s.name, s.args.length));
        t.resynchronize();
        this.faultOnStatus();
        return;
      case "if":
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

  private faultOnStatus(): void {
    this.f.if(undefined, false);
    this.t.fault();
    this.f.end();
  }

  // ---- memory ----

  private pushSegment(segment: SegmentRef): void {
    if (segment === "record") this.t.recordSegment();
    else this.f.i32(SEGMENT + SEGMENT_STRIDE * segment);
  }

  private addSegmentBase(segment: SegmentRef): void {
    const { long } = this.t;
    this.pushSegment(segment);
    this.f.memory(long ? OP.i64_load : OP.i32_load, STATE + SEG_BASE).op(long ? OP.i64_add : OP.i32_add);
  }

  private own(type: IrType): number {
    const local = this.f.local(type);
    this.owned.push(local);
    return local;
  }

  /** Leaves the linear address of an access in a local, after the segment's checks. */
  private linear(address: Address, size: number, write: boolean): number {
    const { f, t } = this;
    const type = t.long ? "i64" : "i32";
    this.push(address.offset);
    const local = this.own(type);
    if (!address.checked) {
      f.set(local);
      return local;
    }
    if (!t.long) {
      f.tee(local).op(OP.i64_extend_i32_u).i64(size).op(OP.i64_add);
      this.pushSegment(address.segment);
      f.memory(OP.i64_load, STATE + (write ? SEG_WRITE_LENGTH : SEG_READ_LENGTH)).op(OP.i64_gt_u);
      f.if(undefined, false);
      this.pushSegment(address.segment);
      f.get(local).i32(0).i32(size).i32(write ? 1 : 0).call(t.helper("segmentCheck", 5));
      this.faultOnStatus();
      f.end();
      f.get(local);
    }
    this.addSegmentBase(address.segment);
    f.set(local);
    return local;
  }

  /** Pushes linear - tag, teed into `off`; leaves the entry's address in `entry`. */
  private lookUp(linear: number, entry: number, off: number, tag: number): void {
    const { f, t } = this;
    if (t.long) f.get(linear).i64(7).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
    else f.get(linear).i32(7).op(OP.i32_shr_u);
    f.i32(1023 * 32).op(OP.i32_and);
    t.tlbView();
    f.op(OP.i32_add).set(entry);
    f.get(linear).get(entry);
    if (t.long) f.memory(OP.i64_load, tag).op(OP.i64_sub);
    else f.memory(OP.i32_load, tag).op(OP.i32_sub);
    f.tee(off);
  }

  private inBounds(size: Size): void {
    if (this.t.long) this.f.i64(4097 - size).op(OP.i64_lt_u);
    else this.f.i32(4097 - size).op(OP.i32_lt_u);
  }

  private hostAddress(entry: number, off: number): void {
    this.f.get(off);
    if (this.t.long) this.f.op(OP.i32_wrap_i64);
    this.f.get(entry).memory(OP.i32_load, ENTRY_HOST).op(OP.i32_add);
  }

  private slow(name: string, linear: number, size: Size): void {
    const { f, t } = this;
    t.synchronize();
    if (t.long) f.get(linear).op(OP.i32_wrap_i64).get(linear).i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
    else f.get(linear).i32(0);
    f.i32(size).call(t.helper(name, 3));
    t.resynchronize();
    this.faultOnStatus();
  }

  private load(s: Statement & { kind: "load" }): void {
    const { f, t } = this;
    const linear = this.linear(s.address, s.size, s.update);
    const type = t.long ? "i64" : "i32";
    const entry = f.local("i32");
    const off = f.local(type);
    this.lookUp(linear, entry, off, s.update ? ENTRY_WRITE : ENTRY_READ);
    this.inBounds(s.size);
    if (s.update) {
      const host = this.own("i32");
      this.probes.set(s, { linear, host });
      f.if(s.value.type, true);
      this.hostAddress(entry, off);
      f.tee(host).memory(OP[LOADS[s.size]]).else();
      this.slow("probeWrite", linear, s.size);
      this.slow("loadSlow", linear, s.size);
      f.i32(0).set(host);
      this.state(LOADS[s.size], SCRATCH);
    } else {
      f.if(s.value.type, true);
      this.hostAddress(entry, off);
      f.memory(OP[LOADS[s.size]]).else();
      this.slow("loadSlow", linear, s.size);
      this.state(LOADS[s.size], SCRATCH);
    }
    f.end();
    f.release(entry);
    f.release(off);
    if (s.value.uses === 0) f.op(OP.drop);
    else {
      this.define(s.value);
      f.set(this.locals.get(s.value)!);
    }
  }

  private probe(s: Statement & { kind: "probe" }): void {
    const { f, t } = this;
    const linear = this.linear(s.address, s.size, true);
    const entry = f.local("i32");
    const off = f.local(t.long ? "i64" : "i32");
    const host = this.own("i32");
    this.probes.set(s, { linear, host });
    this.lookUp(linear, entry, off, ENTRY_WRITE);
    this.inBounds(s.size);
    f.if("i32", true);
    this.hostAddress(entry, off);
    f.else();
    this.slow("probeWrite", linear, s.size);
    f.i32(0).end().set(host);
    f.release(entry);
    f.release(off);
  }

  private store(s: Statement & { kind: "store" }): void {
    const { f, t } = this;
    const op = OP[STORES[s.size]];
    const probed = s.address.probed === undefined ? undefined : this.probes.get(s.address.probed);
    const value = this.shared(s.value);
    const slowly = (linear: number): void => {
      f.i32(0);
      value.push();
      f.memory(op, STATE + SCRATCH);
      this.slow("storeSlow", linear, s.size);
    };
    if (probed !== undefined && s.address.probed!.address === s.address) {
      // The offset was evaluated by the probe; count this use of it.
      this.forget(s.address.offset);
      f.get(probed.host).if(undefined, true);
      f.get(probed.host);
      value.push();
      f.memory(op).else();
      slowly(probed.linear);
      f.end();
      value.done();
      return;
    }
    const linear = this.linear(s.address, s.size, true);
    const entry = f.local("i32");
    const off = f.local(t.long ? "i64" : "i32");
    this.lookUp(linear, entry, off, ENTRY_WRITE);
    this.inBounds(s.size);
    f.if(undefined, true);
    this.hostAddress(entry, off);
    value.push();
    f.memory(op).else();
    slowly(linear);
    f.end();
    f.release(entry);
    f.release(off);
    value.done();
  }

  /** Counts a use of a value without emitting it. */
  private forget(value: Value): void {
    const local = this.locals.get(value);
    if (local === undefined) return;
    const left = this.remaining.get(value)! - 1;
    this.remaining.set(value, left);
    if (left === 0 && this.loopOf.get(value) === this.loop) {
      this.locals.delete(value);
      this.f.release(local);
    }
  }

  // ---- flags (layout of the tuple: state-layout.ts) ----

  private flag(name: string): void {
    const { f } = this;
    switch (name) {
      case "CF":
        this.state("i32_load", FLAG_AUX);
        f.i32(31).op(OP.i32_shr_u);
        return;
      case "ZF":
        this.state("i64_load", FLAG_RESULT);
        f.op(OP.i64_eqz);
        return;
      case "SF":
        this.state("i32_load", FLAG_RESULT + 4);
        f.i32(31).op(OP.i32_shr_u);
        this.state("i32_load", FLAG_AUX);
        f.i32(1).op(OP.i32_and).op(OP.i32_xor);
        return;
      case "PF":
        this.state("i32_load8_u", FLAG_RESULT);
        this.state("i32_load8_u", FLAG_AUX + AUX_PFX_SHIFT / 8);
        f.op(OP.i32_xor).op(OP.i32_popcnt).i32(1).op(OP.i32_and).op(OP.i32_eqz);
        return;
      case "AF":
        this.state("i32_load", FLAG_AUX);
        f.i32(3).op(OP.i32_shr_u).i32(1).op(OP.i32_and);
        return;
      default: {
        const aux = f.local("i32");
        this.state("i32_load", FLAG_AUX);
        f.tee(aux).get(aux).i32(1).op(OP.i32_shl).op(OP.i32_xor).i32(31).op(OP.i32_shr_u);
        f.release(aux);
      }
    }
  }

  private condition(code: number): void {
    const { f } = this;
    switch (code >> 1) {
      case 0: this.flag("OF"); break;
      case 1: this.flag("CF"); break;
      case 2: this.flag("ZF"); break;
      case 3:
        this.flag("CF");
        this.flag("ZF");
        f.op(OP.i32_or);
        break;
      case 4: this.flag("SF"); break;
      case 5: this.flag("PF"); break;
      default:
        this.flag("SF");
        this.flag("OF");
        f.op(OP.i32_xor);
        if (code >> 1 === 7) {
          this.flag("ZF");
          f.op(OP.i32_or);
        }
    }
    if (code & 1) f.op(OP.i32_eqz);
  }

  private arithmeticFlags(): void {
    const { f } = this;
    this.flag("CF");
    for (const [name, bit] of [["PF", 2], ["AF", 4], ["ZF", 6], ["SF", 7], ["OF", 11]] as const) {
      this.flag(name);
      f.i32(bit).op(OP.i32_shl).op(OP.i32_or);
    }
  }

  private shareFlagOperands(update: FlagUpdate): void {
    for (const part of Object.values(update)) if (typeof part === "object") this.materialize(part);
  }

  /** Stores the result word, sign-extended from the operand's size; `push` pushes the result. */
  private storeResult(size: Size, push: () => void): void {
    const { f } = this;
    f.i32(0);
    push();
    if (size === 1) f.op(OP.i32_extend8_s);
    else if (size === 2) f.op(OP.i32_extend16_s);
    if (size < 8) f.op(OP.i64_extend_i32_s);
    f.memory(OP.i64_store, STATE + FLAG_RESULT);
  }

  private keep(kept: Kept): void {
    if (this.retain) this.kept = kept;
  }

  /**
   * Pushes a condition, 0 or 1, from the operands of the flag update just lowered instead of the flags it stored: the
   * static form of lazy flags (engine.md, item 1). Falls back on the stored flags where that is no shorter.
   */
  staticCondition(code: number): void {
    const { f, kept } = this;
    if (kept === undefined) return this.condition(code);
    const wide = kept.size === 8;
    const shift = wide ? 0 : 32 - 8 * kept.size;
    const signed = (push: () => void): void => {
      push();
      if (shift > 0) f.i32(shift).op(OP.i32_shl);
    };
    const negative = (): void => {
      signed(kept.result);
      if (wide) f.i64(0).op(OP.i64_lt_s);
      else f.i32(31).op(OP.i32_shr_u);
    };
    const zero = (): void => {
      signed(kept.result);
      f.op(wide ? OP.i64_eqz : OP.i32_eqz);
    };
    const compare = (op: number, wideOp: number): void => {
      signed(kept.a);
      signed(kept.b);
      f.op(wide ? wideOp : op);
    };
    switch (kept.rule === "sub" ? `sub${code >> 1}` : kept.rule === "logic" ? `logic${code >> 1}` : `${code >> 1}`) {
      case "sub1": compare(OP.i32_lt_u, OP.i64_lt_u); break;
      case "sub2": compare(OP.i32_eq, OP.i64_eq); break;
      case "sub3": compare(OP.i32_le_u, OP.i64_le_u); break;
      case "sub6": compare(OP.i32_lt_s, OP.i64_lt_s); break;
      case "sub7": compare(OP.i32_le_s, OP.i64_le_s); break;
      case "sub4": case "logic4": case "logic6": case "4": negative(); break;
      case "logic2": case "logic3": case "2": zero(); break;
      case "logic7":
        signed(kept.result);
        if (wide) f.i64(0).op(OP.i64_le_s);
        else f.i32(0).op(OP.i32_le_s);
        break;
      default: return this.condition(code);
    }
    if (code & 1) f.op(OP.i32_eqz);
  }

  private flags(update: FlagUpdate): void {
    const { f } = this;
    const CARRIES = 0xc000_0000 | 0;
    switch (update.rule) {
      case "logic": {
        const result = this.shared(update.result);
        this.storeResult(update.size, result.push);
        this.keep({ rule: "logic", size: update.size, result: result.push, a: result.push, b: result.push });
        if (!this.retain) result.done();
        f.i32(0).i32(0).memory(OP.i32_store, STATE + FLAG_AUX);
        return;
      }
      case "result": {
        const result = this.shared(update.result);
        this.storeResult(update.size, result.push);
        result.done();
        const cf = this.shared(update.cf);
        f.i32(0);
        cf.push();
        f.i32(31).op(OP.i32_shl);
        cf.push();
        this.push(update.of);
        f.op(OP.i32_xor).i32(30).op(OP.i32_shl).op(OP.i32_or);
        this.push(update.af);
        f.i32(3).op(OP.i32_shl).op(OP.i32_or).memory(OP.i32_store, STATE + FLAG_AUX);
        cf.done();
        return;
      }
      case "carry": {
        // Flipping CF and CIN together keeps OF.
        const aux = f.local("i32");
        f.i32(0);
        this.state("i32_load", FLAG_AUX);
        f.tee(aux).i32(0).get(aux).i32(31).op(OP.i32_shr_u);
        this.push(update.cf);
        f.op(OP.i32_xor).op(OP.i32_sub).i32(CARRIES).op(OP.i32_and).op(OP.i32_xor).memory(OP.i32_store, STATE + FLAG_AUX);
        f.release(aux);
        return;
      }
      case "carry-overflow": {
        const cf = this.shared(update.cf);
        f.i32(0);
        this.state("i32_load", FLAG_AUX);
        f.i32(~CARRIES).op(OP.i32_and);
        cf.push();
        f.i32(31).op(OP.i32_shl).op(OP.i32_or);
        cf.push();
        this.push(update.of);
        f.op(OP.i32_xor).i32(30).op(OP.i32_shl).op(OP.i32_or).memory(OP.i32_store, STATE + FLAG_AUX);
        cf.done();
        return;
      }
      case "image": {
        const image = this.shared(update.image);
        const bit = (n: number): void => {
          image.push();
          f.i32(n).op(OP.i32_shr_u).i32(1).op(OP.i32_and);
        };
        f.i32(0);
        bit(6);
        f.op(OP.i32_eqz).op(OP.i64_extend_i32_u).memory(OP.i64_store, STATE + FLAG_RESULT);
        f.i32(0);
        bit(0);
        f.i32(31).op(OP.i32_shl);
        bit(0);
        bit(11);
        f.op(OP.i32_xor).i32(30).op(OP.i32_shl).op(OP.i32_or);
        bit(4);
        f.i32(3).op(OP.i32_shl).op(OP.i32_or);
        bit(7);
        f.op(OP.i32_or);
        // The result word is 0 (even parity) or 1 (odd): PFX mends it where PF differs from ZF.
        bit(2);
        bit(6);
        f.op(OP.i32_xor).i32(AUX_PFX_SHIFT).op(OP.i32_shl).op(OP.i32_or).memory(OP.i32_store, STATE + FLAG_AUX);
        image.done();
        return;
      }
      default: {
        const a = this.shared(update.a);
        const b = this.shared(update.b);
        const result = this.shared(update.result);
        const wide = update.size === 8;
        const W = wide
          ? { and: OP.i64_and, or: OP.i64_or, xor: OP.i64_xor }
          : { and: OP.i32_and, or: OP.i32_or, xor: OP.i32_xor };
        const ones = (): void => void (wide ? f.i64(-1) : f.i32(-1));
        const subtracts = update.rule === "sub" || update.rule === "dec";
        // Carry (borrow) out of every bit: add (a & b) | ((a | b) & ~r), sub (~a & b) | (~(a ^ b) & r).
        const carries = (): void => {
          if (subtracts) {
            a.push();
            ones();
            f.op(W.xor);
            b.push();
            f.op(W.and);
            a.push();
            b.push();
            f.op(W.xor);
            ones();
            f.op(W.xor);
            result.push();
          } else {
            a.push();
            b.push();
            f.op(W.and);
            a.push();
            b.push();
            f.op(W.or);
            result.push();
            ones();
            f.op(W.xor);
          }
          f.op(W.and).op(W.or);
        };
        // INC and DEC overflow exactly at one result; their carries are those of +1, of which only AF is kept.
        const keepsCarry = update.rule === "inc" || update.rule === "dec";
        const vector = f.local(wide ? "i64" : "i32");
        carries();
        f.set(vector);
        const top = f.local("i32");
        f.get(vector);
        if (wide) f.i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
        else if (update.size < 4) f.i32(32 - 8 * update.size).op(OP.i32_shl);
        f.set(top);
        const adjust = (): void => {
          f.get(vector);
          if (wide) f.op(OP.i32_wrap_i64);
          f.i32(8).op(OP.i32_and);
        };
        f.i32(0);
        if (keepsCarry) {
          const old = f.local("i32");
          this.state("i32_load", FLAG_AUX);
          f.i32(1 << 31).op(OP.i32_and).tee(old);
          f.get(top).get(top).i32(1).op(OP.i32_shl).op(OP.i32_xor).get(old).op(OP.i32_xor);
          f.i32(1 << 31).op(OP.i32_and).i32(1).op(OP.i32_shr_u).op(OP.i32_or);
          f.release(old);
        } else f.get(top).i32(CARRIES).op(OP.i32_and);
        adjust();
        f.op(OP.i32_or).memory(OP.i32_store, STATE + FLAG_AUX);
        f.release(top);
        f.release(vector);
        this.storeResult(update.size, result.push);
        this.keep({ rule: update.rule, size: update.size, result: result.push, a: a.push, b: b.push });
        if (this.retain) return;
        a.done();
        b.done();
        result.done();
      }
    }
  }
}

/** Operands of a flag update, as functions that push them. */
interface Kept {
  readonly rule: "add" | "sub" | "inc" | "dec" | "logic";
  readonly size: Size;
  readonly result: () => void;
  readonly a: () => void;
  readonly b: () => void;
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
