/**
 * The builder through which definitions write IR. It folds constants, records statements in order, and refuses code that
 * commits a register, flag or memory before the last thing that can still fault: the architecture promises that a
 * faulting instruction changed nothing.
 */
import { DoppelError } from "@doppel/persist";
import { FLOAT_SCRATCH } from "./layout.ts";
import type { Address, Block, FlagUpdate, Field, IrFunction, IrType, Place, SegmentRef, Size, Statement, Value, Variable } from "./ir.ts";

/** A definition breaks a rule of the IR; a mistake in Doppel, never in a guest. */
export class SemanticsError extends DoppelError {}

const VECTOR = /^(v128|[if]\d+x\d+)_/;

function resultType(op: string): IrType {
  if (VECTOR.test(op)) {
    const lane = /^(\w+?)x\d+_extract_lane/.exec(op);
    if (lane !== null) return lane[1] === "i64" ? "i64" : lane[1] === "f32" ? "f32" : lane[1] === "f64" ? "f64" : "i32";
    return /_(bitmask|all_true|any_true)$/.test(op) ? "i32" : "v128";
  }
  if (/_(eqz?|ne|[lg][te](_[su])?)$/.test(op)) return "i32";
  return op.slice(0, 3) as IrType;
}

/** Type of a number of so many bytes. */
export function typeOfSize(size: Size): IrType {
  return size === 16 ? "v128" : size === 8 ? "i64" : "i32";
}

const FOLD32: Record<string, (x: number, y: number) => number> = {
  i32_add: (x, y) => (x + y) | 0,
  i32_sub: (x, y) => (x - y) | 0,
  i32_mul: (x, y) => Math.imul(x, y),
  i32_and: (x, y) => x & y,
  i32_or: (x, y) => x | y,
  i32_xor: (x, y) => x ^ y,
  i32_shl: (x, y) => x << y,
  i32_shr_u: (x, y) => (x >>> y) | 0,
  i32_shr_s: (x, y) => x >> y,
  i32_eq: (x, y) => (x === y ? 1 : 0),
  i32_ne: (x, y) => (x !== y ? 1 : 0),
};

/** Options of a builder. */
export interface BuilderOptions {
  /** 64-bit mode: offsets and the instruction pointer are i64. */
  readonly long: boolean;
  /** Whether near targets need a limit check, and memory operands base and limit. */
  readonly flat: boolean;
}

/** Writes the statements of one instruction or IR function. */
export class Builder {
  readonly root: Block;
  readonly long: boolean;
  readonly flat: boolean;
  private current: Block;
  private blocks = 0;
  private variables = 0;
  private committed = false;
  private relaxed = false;

  constructor(options: BuilderOptions) {
    this.long = options.long;
    this.flat = options.flat;
    this.root = this.current = { id: this.blocks++, statements: [] };
  }

  // ---- values ----

  private make(type: IrType, op: string, args: readonly Value[], data: unknown, effect: Value["effect"]): Value {
    for (const arg of args) arg.uses++;
    const value: Value = { type, op, args, data, effect, uses: 0, block: this.current.id };
    if (op !== "const" && effect !== "effect") this.current.statements.push({ kind: "let", value });
    return value;
  }

  /** A parameter of an IR function. */
  parameter(type: IrType, index: number): Value {
    return this.make(type, "parameter", [], index, "pure");
  }
  /** A 32-bit constant. */
  i32(value: number): Value {
    return this.make("i32", "const", [], value | 0, "pure");
  }
  /** A 64-bit constant. */
  i64(value: number | bigint): Value {
    return this.make("i64", "const", [], BigInt.asIntN(64, BigInt(value)), "pure");
  }
  /** A float constant. */
  float(type: "f32" | "f64", value: number): Value {
    return this.make(type, "const", [], value, "pure");
  }
  /** A vector constant of 16 bytes. */
  v128(bytes: Uint8Array): Value {
    return this.make("v128", "const", [], bytes, "pure");
  }
  /** An integer constant of the type of another value. */
  like(value: Value, n: number | bigint): Value {
    return value.type === "i64" ? this.i64(n) : this.i32(Number(n));
  }

  /** Any pure WebAssembly operation by its name in `OP`; `data` is the lane of a lane operation or the lanes of a shuffle. */
  op(name: string, args: readonly Value[], data?: unknown): Value {
    if (args.length === 2 && args[1]!.op === "const") {
      const y = args[1]!.data;
      if (args[0]!.op === "const" && FOLD32[name] !== undefined) return this.i32(FOLD32[name](args[0]!.data as number, y as number));
      if ((y === 0 || y === 0n) && /^i(32|64)_(add|sub|or|xor|shl|shr_[su])$/.test(name)) return args[0]!;
    }
    return this.make(resultType(name), name, args, data, "pure");
  }
  private binary(name: string, x: Value, y: Value | number): Value {
    return this.op(`${x.type}_${name}`, [x, typeof y === "number" ? this.like(x, y) : y]);
  }
  add(x: Value, y: Value | number): Value {
    return this.binary("add", x, y);
  }
  sub(x: Value, y: Value | number): Value {
    return this.binary("sub", x, y);
  }
  mul(x: Value, y: Value | number): Value {
    return this.binary("mul", x, y);
  }
  and(x: Value, y: Value | number): Value {
    return this.binary("and", x, y);
  }
  or(x: Value, y: Value | number): Value {
    return this.binary("or", x, y);
  }
  xor(x: Value, y: Value | number): Value {
    return this.binary("xor", x, y);
  }
  shl(x: Value, y: Value | number): Value {
    return this.binary("shl", x, y);
  }
  shrU(x: Value, y: Value | number): Value {
    return this.binary("shr_u", x, y);
  }
  shrS(x: Value, y: Value | number): Value {
    return this.binary("shr_s", x, y);
  }
  rotl(x: Value, y: Value | number): Value {
    return this.binary("rotl", x, y);
  }
  rotr(x: Value, y: Value | number): Value {
    return this.binary("rotr", x, y);
  }
  not(x: Value): Value {
    return this.xor(x, -1);
  }
  eq(x: Value, y: Value | number): Value {
    return this.binary("eq", x, y);
  }
  ne(x: Value, y: Value | number): Value {
    return this.binary("ne", x, y);
  }
  ltU(x: Value, y: Value | number): Value {
    return this.binary("lt_u", x, y);
  }
  ltS(x: Value, y: Value | number): Value {
    return this.binary("lt_s", x, y);
  }
  leU(x: Value, y: Value | number): Value {
    return this.binary("le_u", x, y);
  }
  leS(x: Value, y: Value | number): Value {
    return this.binary("le_s", x, y);
  }
  gtU(x: Value, y: Value | number): Value {
    return this.binary("gt_u", x, y);
  }
  gtS(x: Value, y: Value | number): Value {
    return this.binary("gt_s", x, y);
  }
  geU(x: Value, y: Value | number): Value {
    return this.binary("ge_u", x, y);
  }
  geS(x: Value, y: Value | number): Value {
    return this.binary("ge_s", x, y);
  }
  /** 1 when the value is zero. */
  eqz(x: Value): Value {
    return this.op(`${x.type}_eqz`, [x]);
  }
  /** `condition ? x : y`, both computed. */
  select(condition: Value, x: Value, y: Value): Value {
    return this.make(x.type, "select", [x, y, condition], undefined, "pure");
  }
  /** For `if`: 1 when no value is 0. They are looked at in this order, up to the first that is. */
  all(values: readonly Value[]): Value {
    return this.make("i32", "all", values, undefined, "pure");
  }
  /**
   * A value of what only instructions of few kinds change: a target may keep it from one instruction to the next ones.
   * @param name the same for the same value
   */
  steady(name: string, value: Value): Value {
    return this.make(value.type, "steady", [value], name, "read");
  }
  /** 1 when something is so of a register operand: `value` says whether, and a target may know it by `note`. */
  known(place: Place, fact: string, value: Value): Value {
    return this.make("i32", "known", [value], { place, fact }, "read");
  }
  /**
   * On an unlikely way through an instruction: `value` says whether something will be so of a register operand behind the instruction. On
   * its other ways it will.
   */
  note(place: Place, fact: string, value: Value): void {
    this.statement({ kind: "note", place, fact, value }, value);
  }
  /** i64 to i32 (its low half); an i32 stays. */
  wrap(x: Value): Value {
    return x.type === "i64" ? this.op("i32_wrap_i64", [x]) : x;
  }
  /** i32 to i64, zero-extended; an i64 stays. */
  extendU(x: Value): Value {
    if (x.op === "const" && x.type === "i32") return this.i64((x.data as number) >>> 0);
    return x.type === "i32" ? this.op("i64_extend_i32_u", [x]) : x;
  }
  /** i32 to i64, sign-extended; an i64 stays. */
  extendS(x: Value): Value {
    if (x.op === "const" && x.type === "i32") return this.i64(x.data as number);
    return x.type === "i32" ? this.op("i64_extend_i32_s", [x]) : x;
  }
  /** The low `size` bytes, zero-extended within the value's type. */
  zeroExtend(x: Value, size: Size): Value {
    if (size === 1) return this.and(x, 0xff);
    if (size === 2) return this.and(x, 0xffff);
    return size === 4 && x.type === "i64" ? this.and(x, 0xffff_ffff) : x;
  }
  /** The low `size` bytes, sign-extended within the value's type. */
  signExtend(x: Value, size: Size): Value {
    if (size === 1) return this.op(`${x.type}_extend8_s`, [x]);
    if (size === 2) return this.op(`${x.type}_extend16_s`, [x]);
    return size === 4 && x.type === "i64" ? this.op("i64_extend32_s", [x]) : x;
  }
  /** Sign-extends from one operand size to the type of another. */
  signExtendTo(x: Value, from: Size, to: Size): Value {
    const narrow = this.signExtend(x, from);
    return to === 8 ? this.extendS(narrow) : narrow;
  }

  // ---- the instruction and its record ----

  /** A number that the decoded record carries. `immediate64` is i64, all others i32 (immediates sign-extended). */
  field(name: Field): Value {
    return this.make(name === "immediate64" ? "i64" : "i32", "field", [], name, "pure");
  }
  /** Offset of this instruction in the code segment: i32, or i64 in 64-bit mode. */
  ip(): Value {
    return this.make(this.long ? "i64" : "i32", "ip", [], undefined, "pure");
  }
  /** Offset of the next instruction. */
  nextIp(): Value {
    return this.make(this.long ? "i64" : "i32", "nextIp", [], undefined, "pure");
  }
  /** Effective address of the memory operand as the record gives it: base + index * scale + displacement, cut to the address size. */
  effectiveAddress(): Value {
    return this.make(this.long ? "i64" : "i32", "effectiveAddress", [], undefined, "read");
  }
  /** Mask of the address size: 0xffff, 0xffffffff or all ones. */
  addressMask(): Value {
    return this.make(this.long ? "i64" : "i32", "addressMask", [], undefined, "pure");
  }

  // ---- state ----

  /** Reads a register operand: 1 and 2 bytes zero-extended, or 4 and 8 bytes of a vector register as a float. */
  place(place: Place, size: Size, type = typeOfSize(size)): Value {
    return this.make(type, "place", [], { place, size }, "read");
  }
  /** Writes a register operand; a float into a vector register. A 4-byte write to a general register clears the upper half in 64-bit mode. */
  setPlace(place: Place, size: Size, value: Value): void {
    this.commit();
    this.statement({ kind: "setPlace", place, size, value }, value);
  }
  /** Reads hot state by a load opcode's name, at a constant offset, or at `base` + offset. */
  state(op: string, offset: number, base?: Value): Value {
    return this.make(resultType(op), "state", base === undefined ? [] : [base], { op, offset }, "read");
  }
  /** Writes hot state by a store opcode's name. Soft float's scratch area is no commit. */
  setState(op: string, offset: number, value: Value, base?: Value): void {
    if (base !== undefined || offset < FLOAT_SCRATCH) this.commit();
    if (base === undefined) this.statement({ kind: "setState", op, base, offset, value }, value);
    else this.statement({ kind: "setState", op, base, offset, value }, base, value);
  }
  /** One arithmetic flag, 0 or 1. */
  flag(name: "CF" | "PF" | "AF" | "ZF" | "SF" | "OF"): Value {
    return this.make("i32", "flag", [], name, "read");
  }
  /** A condition code, 0..15 as in Jcc; 0 or 1. */
  condition(code: number): Value {
    return this.make("i32", "condition", [], code, "read");
  }
  /** The six arithmetic flags in their EFLAGS places. */
  arithmeticFlags(): Value {
    return this.make("i32", "arithmeticFlags", [], undefined, "read");
  }
  /** Sets the arithmetic flags; with `when`, only if it is not zero. */
  setFlags(update: FlagUpdate, when?: Value): void {
    this.commit();
    const used = Object.values(update).filter((part): part is Value => typeof part === "object");
    this.statement({ kind: "flags", update, when }, ...used, ...(when === undefined ? [] : [when]));
  }

  // ---- variables and control ----

  /** A variable with its first value. */
  variable(initial: Value): Variable {
    const variable = { type: initial.type, id: this.variables++ };
    this.setVariable(variable, initial);
    return variable;
  }
  get(variable: Variable): Value {
    return this.make(variable.type, "variable", [], variable, "read");
  }
  setVariable(variable: Variable, value: Value): void {
    this.statement({ kind: "setVariable", variable, value }, value);
  }

  private nested(write: () => void): Block {
    const outer = this.current;
    const block: Block = { id: this.blocks++, statements: [] };
    this.current = block;
    write();
    this.current = outer;
    return block;
  }
  /** Runs `then` when the condition is not zero, else `otherwise`. A constant condition leaves only its arm. */
  if(condition: Value, then: () => void, otherwise?: () => void, likely?: boolean): void {
    if (condition.op === "const") {
      if (condition.data !== 0) then();
      else otherwise?.();
      return;
    }
    const before = this.committed;
    const thenBlock = this.nested(then);
    const afterThen = this.endsHere(thenBlock) ? before : this.committed;
    this.committed = before;
    const otherwiseBlock = otherwise === undefined ? undefined : this.nested(otherwise);
    const afterElse = otherwiseBlock !== undefined && this.endsHere(otherwiseBlock) ? before : this.committed;
    this.committed = afterThen || afterElse;
    this.statement({ kind: "if", condition, then: thenBlock, otherwise: otherwiseBlock, likely }, condition);
  }
  /**
   * Runs `then`, which does not come back, when a steady condition is not zero. A target that has passed it goes on without looking again.
   * @param name the same for the same condition
   */
  stopIf(name: string, condition: Value, then: () => void): void {
    this.statement({ kind: "if", condition, then: this.nested(then), otherwise: undefined, likely: false, once: name }, condition);
  }
  private endsHere(block: Block): boolean {
    const last = block.statements[block.statements.length - 1]?.kind;
    return last === "jump" || last === "again" || last === "leave" || last === "fault" || last === "return";
  }
  /** Repeats the body until a `breakIf` in it leaves. */
  loop(body: () => void): void {
    const block = this.nested(body);
    this.statement({ kind: "loop", body: block });
  }
  /** Leaves the innermost loop when the condition is not zero. */
  breakIf(condition: Value): void {
    this.statement({ kind: "break", condition }, condition);
  }
  /** Ends an IR function with its result. */
  return(value: Value): void {
    this.statement({ kind: "return", value }, value);
  }
  /** Calls an IR function. */
  call(callee: IrFunction, args: readonly Value[]): Value {
    const value = callee.result === undefined ? undefined : this.make(callee.result, "result", [], undefined, "effect");
    this.statement({ kind: "call", callee, args, value }, ...args);
    return value ?? this.i32(0);
  }

  // ---- memory ----

  /** A memory operand in a segment. Without `checked`, it is checked exactly when the code is not flat. */
  address(segment: SegmentRef, offset: Value, checked = !this.flat): Address {
    return { segment, offset, checked };
  }
  /** Checks an operand of any size against its segment, for a helper that then accesses memory by linear address. */
  checkSegment(address: Address, size: number, write: boolean): void {
    this.mayFault("checkSegment");
    this.statement({ kind: "checkSegment", address, size, write }, address.offset);
  }
  /** Linear address of a memory operand for a helper that checks paging and accesses memory itself. */
  linearAddress(address: Address): Value {
    return this.make(this.long ? "i64" : "i32", "linear", [address.offset], address.segment, "read");
  }
  /** Byte offset in the state of the segment that the decoded record names. */
  recordSegment(): Value {
    return this.make("i32", "recordSegment", [], undefined, "pure");
  }
  /** The same operand some bytes further. */
  further(address: Address, bytes: number): Address {
    return { segment: address.segment, offset: this.add(address.offset, bytes), checked: address.checked };
  }
  /** Reads memory; may fault. 1 and 2 bytes are zero-extended; 4 and 8 bytes may be a float, or a vector's lowest with zeros above. */
  load(address: Address, size: Size, type = typeOfSize(size)): Value {
    return this.loadAs(address, size, false, type);
  }
  /** Reads memory that will be written back: write permission is checked first, so that the store cannot fault. */
  loadForUpdate(address: Address, size: Size): Value {
    return this.loadAs(address, size, true, typeOfSize(size));
  }
  private loadAs(address: Address, size: Size, update: boolean, type: IrType): Value {
    this.mayFault("load");
    const value = this.make(type, "result", [], undefined, "effect");
    const statement = { kind: "load", address, size, update, value } as const;
    this.statement(statement, address.offset);
    if (update) address.probed = statement;
    return value;
  }
  /** Checks write permission without writing; a later store at the same `Address` cannot fault. */
  probe(address: Address, size: Size): void {
    this.mayFault("probe");
    const statement = { kind: "probe", address, size } as const;
    this.statement(statement, address.offset);
    address.probed = statement;
  }
  /** Writes memory; may fault unless the address was probed. */
  store(address: Address, size: Size, value: Value): void {
    if (address.probed === undefined) this.mayFault("store");
    this.commit();
    this.statement({ kind: "store", address, size, value }, address.offset, value);
  }

  // ---- helpers, faults, ends ----

  /** Calls a TypeScript helper. One that `faults` stands before every commit. Results come back in the scratch state. */
  helper(name: string, args: readonly Value[] = [], faults = true): void {
    if (faults) this.mayFault(`helper ${name}`);
    this.statement({ kind: "helper", name, args, faults }, ...args);
  }
  /** Raises an exception. */
  fault(vector: number, code?: Value): void {
    this.mayFault("fault");
    this.statement({ kind: "fault", vector, code }, ...(code === undefined ? [] : [code]));
  }
  /** Raises an exception when the condition is not zero. */
  faultIf(condition: Value, vector: number, code?: number): void {
    this.mayFault("fault");
    this.if(condition, () => this.fault(vector, code === undefined ? undefined : this.i32(code)), undefined, false);
  }
  /** Goes on at another offset in the code segment. `direct`: the target is constant for this instruction. */
  jump(target: Value, direct: boolean): void {
    this.statement({ kind: "jump", target, direct }, target);
  }
  /** Executes this instruction once more (the next iteration of REP); it counts as retired once. */
  again(): void {
    this.statement({ kind: "again" });
  }
  /** Runs as many iterations of REP MOVS or REP STOS at once as lie in one page; the registers stand where they got to. */
  bulk(operation: "movs" | "stos", size: Size, addressSize: Size): void {
    this.statement({ kind: "bulk", operation, size, addressSize });
  }
  /** Ends the visit: the mode may have changed. `rip`: a helper has set RIP; `next`: go on after this instruction. */
  leave(at: "rip" | "next" | "again"): void {
    this.statement({ kind: "leave", at });
  }
  /** Lifts the commit rule where the architecture itself commits before a later fault. Say why at the call. */
  allowEarlyCommit(): void {
    this.relaxed = true;
  }

  private statement(statement: Statement, ...used: Value[]): void {
    for (const value of used) value.uses++;
    this.current.statements.push(statement);
  }
  private commit(): void {
    this.committed = true;
  }
  private mayFault(what: string): void {
    if (this.committed && !this.relaxed) throw new SemanticsError("SEMANTICS_COMMIT", `${what} stands after a commit: move it before`);
  }
}

/** Declares an IR function. */
export function irFunction(name: string, parameters: readonly IrType[], result: IrType | undefined, body: IrFunction["body"]): IrFunction {
  return { name, parameters, result, body };
}
