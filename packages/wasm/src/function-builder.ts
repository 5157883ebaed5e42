/**
 * Builds the body of one WebAssembly function (core specification, section 5.4). Labels are objects instead of relative
 * depths, and locals can be given back and used again, so that a giant function with thousands of arms needs few of them.
 */
import { Bytes } from "./bytes.ts";
import { OP, VALUE_TYPE, type ValueType } from "./opcodes.ts";

/** A structured-control label; made by `block`, `loop` and `if`. */
export interface Label {
  readonly depth: number;
}

/** Parameter and result types of a function. */
export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Indices from here on name the module's own functions; imports, whose number may still grow, come before them. */
export const DEFINED = 0x10000;

/** Writes one function's code. Every method appends the instruction of its name. */
export class FunctionBuilder {
  readonly signature: Signature;
  private readonly locals: ValueType[] = [];
  private readonly free: Readonly<Record<ValueType, number[]>> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private readonly code = new Bytes(4096);
  private readonly hints: { offset: number; taken: boolean }[] = [];
  private readonly relocations: { offset: number; index: number }[] = [];
  private depth = 0;
  /** The function's name for people, and those of its locals; see `ModuleBuilder.encode`. */
  name: string | undefined;
  readonly localNames = new Map<number, string>();

  constructor(signature: Signature) {
    this.signature = signature;
  }

  /** Bytes of code so far. */
  get size(): number {
    return this.code.length;
  }

  /** A local of this type: one that was released, or a new one, with a name for people if one is given. Its content is unspecified. */
  local(type: ValueType, name?: string): number {
    const known = this.free[type].pop();
    if (known !== undefined) return known;
    this.locals.push(type);
    const index = this.signature.parameters.length + this.locals.length - 1;
    if (name !== undefined) this.localNames.set(index, name);
    return index;
  }

  /** Gives a local back for use by a later `local` call. */
  release(index: number): void {
    this.free[this.locals[index - this.signature.parameters.length]!].push(index);
  }

  /** An instruction without immediates, by its number in `OP`. */
  op(opcode: number): this {
    if (opcode > 0xffff) {
      this.code.u8(opcode >>> 16);
      this.code.u32(opcode & 0xffff);
    } else this.code.u8(opcode);
    return this;
  }

  get(local: number): this {
    this.code.withU32(OP.local_get, local);
    return this;
  }
  set(local: number): this {
    this.code.withU32(OP.local_set, local);
    return this;
  }
  tee(local: number): this {
    this.code.withU32(OP.local_tee, local);
    return this;
  }
  globalGet(index: number): this {
    this.code.u8(OP.global_get);
    this.code.u32(index);
    return this;
  }
  i32(value: number): this {
    this.code.u8(OP.i32_const);
    this.code.s32(value);
    return this;
  }
  i64(value: bigint | number): this {
    this.code.u8(OP.i64_const);
    if (typeof value === "number" && value === (value | 0)) this.code.s32(value);
    else this.code.s64(BigInt(value));
    return this;
  }
  f32(value: number): this {
    this.code.u8(OP.f32_const);
    this.code.f32(value);
    return this;
  }
  f64(value: number): this {
    this.code.u8(OP.f64_const);
    this.code.f64(value);
    return this;
  }
  /** A vector constant of 16 bytes. */
  v128(bytes: Uint8Array): this {
    this.op(OP.v128_const);
    this.code.append(bytes);
    return this;
  }
  /** `i8x16.shuffle` with 16 lane numbers, 0..31. */
  shuffle(lanes: readonly number[]): this {
    this.op(OP.i8x16_shuffle);
    for (const lane of lanes) this.code.u8(lane);
    return this;
  }
  /** A lane instruction (`extract_lane`, `replace_lane`) with its lane number. */
  lane(opcode: number, lane: number): this {
    this.op(opcode);
    this.code.u8(lane);
    return this;
  }
  /** A load or store with a constant offset. The alignment hint is always one byte: x86 promises nothing. */
  memory(opcode: number, offset = 0): this {
    this.op(opcode);
    this.code.withU32(0, offset);
    return this;
  }
  memoryCopy(): this {
    this.op(OP.memory_copy);
    this.code.u8(0);
    this.code.u8(0);
    return this;
  }
  memoryFill(): this {
    this.op(OP.memory_fill);
    this.code.u8(0);
    return this;
  }
  /** Calls a function by the index that `importFunction` or `function` gave. */
  call(index: number): this {
    this.code.u8(OP.call);
    if (index < DEFINED) this.code.u32(index);
    else {
      // Five bytes whatever the number, filled in when the number of imports is known.
      this.relocations.push({ offset: this.code.length, index: index - DEFINED });
      for (const byte of [0x80, 0x80, 0x80, 0x80, 0x00]) this.code.u8(byte);
    }
    return this;
  }
  callIndirect(type: number, table = 0): this {
    this.code.u8(OP.call_indirect);
    this.code.u32(type);
    this.code.u32(table);
    return this;
  }
  returnCallIndirect(type: number, table = 0): this {
    this.code.u8(OP.return_call_indirect);
    this.code.u32(type);
    this.code.u32(table);
    return this;
  }

  private open(opcode: number, result: ValueType | number | undefined): Label {
    this.code.u8(opcode);
    if (typeof result === "number") this.code.s32(result);
    else this.code.u8(result === undefined ? 0x40 : VALUE_TYPE[result]);
    return { depth: ++this.depth };
  }
  /** `block`; several results by the number of their type, which `ModuleBuilder.type` gives. */
  block(result?: ValueType | number): Label {
    return this.open(OP.block, result);
  }
  loop(result?: ValueType): Label {
    return this.open(OP.loop, result);
  }
  /** `if`; with a hint, tells the engine whether the condition is likely (`metadata.code.branch_hint`). */
  if(result?: ValueType, likely?: boolean): Label {
    if (likely !== undefined) this.hints.push({ offset: this.code.length, taken: likely });
    return this.open(OP.if, result);
  }
  else(): this {
    this.code.u8(OP.else);
    return this;
  }
  end(): this {
    this.code.u8(OP.end);
    this.depth--;
    return this;
  }
  br(label: Label): this {
    this.code.u8(OP.br);
    this.code.u32(this.depth - label.depth);
    return this;
  }
  brIf(label: Label, likely?: boolean): this {
    if (likely !== undefined) this.hints.push({ offset: this.code.length, taken: likely });
    this.code.u8(OP.br_if);
    this.code.u32(this.depth - label.depth);
    return this;
  }
  brTable(labels: readonly Label[], otherwise: Label): this {
    this.code.u8(OP.br_table);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.depth - label.depth);
    this.code.u32(this.depth - otherwise.depth);
    return this;
  }

  /** The encoded body: local declarations, code, `end`; and the branch hints with offsets from the body's start. */
  finish(imports: number): { body: Bytes; hints: readonly { offset: number; taken: boolean }[] } {
    const body = new Bytes(this.code.length + 64);
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs[runs.length - 1];
      if (last !== undefined && last.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.u32(runs.length);
    for (const run of runs) {
      body.u32(run.count);
      body.u8(VALUE_TYPE[run.type]);
    }
    const prefix = body.length;
    const code = this.code.take();
    for (const { offset, index } of this.relocations) {
      const final = imports + index;
      for (let n = 0; n < 4; n++) code[offset + n] = ((final >>> (7 * n)) & 0x7f) | 0x80;
    }
    body.append(code);
    body.u8(OP.end);
    return { body, hints: this.hints.map((hint) => ({ offset: hint.offset + prefix, taken: hint.taken })) };
  }
}
