/**
 * The IR: what one guest instruction does, as a list of statements over typed values. A value is pure (computed from
 * other values), a read of state that may change, or the result of an effect; the lowering may move the first freely, the
 * second up to the next effect, the third not at all. Pure operations carry WebAssembly's own names, so that lowering
 * them is a table look-up. Numbers of 1, 2 and 4 bytes are i32 (the narrow ones zero-extended when read), 8 bytes are i64,
 * 16 bytes v128.
 */

/** Type of a value. */
export type IrType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Bytes of an operand. */
export type Size = 1 | 2 | 4 | 8 | 16;

/** A register operand: a byte offset in the hot state, constant or carried by the decoded record (`plus` so many bytes further, for parts of a vector). */
export type Place = { readonly at: number } | { readonly field: "reg" | "rm" | "vvvv"; readonly plus?: number };

/** A segment: a number 0..5, or the one the decoded record names. */
export type SegmentRef = number | "record";

/** A memory operand. `checked` asks for base and limit; a flat segment needs neither. */
export interface Address {
  readonly segment: SegmentRef;
  /** Offset in the segment: i32 in 16- and 32-bit code, i64 in 64-bit code. */
  readonly offset: Value;
  readonly checked: boolean;
  /** Set by `loadForUpdate` and `probe`: a later store of at most this size at this address cannot fault. */
  probed?: Statement & { kind: "load" | "probe" };
}

/** Numbers that the decoded record carries; `reg` and `rm` are raw register numbers where a form has no `Place` for them (Sreg, CR, DR, ST(i)). */
export type Field = "immediate" | "immediate64" | "immediate2" | "reg" | "rm";

/** A mutable variable, for loops and for values that differ between arms. */
export interface Variable {
  readonly type: IrType;
  readonly id: number;
}

/** A value: a node in the expression graph. */
export interface Value {
  readonly type: IrType;
  readonly op: string;
  readonly args: readonly Value[];
  /** Constant, lane number, state offset, field name..., by `op`. */
  readonly data: unknown;
  readonly effect: "pure" | "read" | "effect";
  /** How often statements and values refer to it. */
  uses: number;
  /** Number of the block (statement list) it was made in. */
  readonly block: number;
}

/** The arithmetic flags an instruction leaves behind. */
export type FlagUpdate =
  /** Carry, overflow and adjust from a + b = result or a - b = result; `carry` where a carry or borrow went in as well. */
  | { readonly rule: "add" | "sub"; readonly carry?: boolean; readonly size: Size; readonly a: Value; readonly b: Value; readonly result: Value }
  /** The same, but CF stays as it was (INC, DEC). */
  | { readonly rule: "inc" | "dec"; readonly size: Size; readonly a: Value; readonly b: Value; readonly result: Value }
  /** Carry and overflow from a shifted by b, which is 1 or more; AF = 0. Of "sar", a is extended with its sign. */
  | { readonly rule: "shl" | "shr" | "sar"; readonly size: Size; readonly a: Value; readonly b: Value; readonly result: Value }
  /** CF = OF = AF = 0. */
  | { readonly rule: "logic"; readonly size: Size; readonly result: Value }
  /** ZF, SF, PF from result; CF, OF, AF (0 or 1) as given. */
  | { readonly rule: "result"; readonly size: Size; readonly result: Value; readonly cf: Value; readonly of: Value; readonly af: Value }
  /** Only CF changes. */
  | { readonly rule: "carry"; readonly cf: Value }
  /** Only CF and OF change (rotates). */
  | { readonly rule: "carry-overflow"; readonly cf: Value; readonly of: Value }
  /** All six from an EFLAGS image. */
  | { readonly rule: "image"; readonly image: Value };

/** One step of an instruction. */
export type Statement =
  | { readonly kind: "let"; readonly value: Value }
  | { readonly kind: "load"; readonly address: Address; readonly size: Size; readonly update: boolean; readonly value: Value }
  | { readonly kind: "probe"; readonly address: Address; readonly size: Size }
  | { readonly kind: "checkSegment"; readonly address: Address; readonly size: number; readonly write: boolean }
  | { readonly kind: "store"; readonly address: Address; readonly size: Size; readonly value: Value }
  | { readonly kind: "setPlace"; readonly place: Place; readonly size: Size; readonly value: Value }
  | { readonly kind: "setState"; readonly op: string; readonly base: Value | undefined; readonly offset: number; readonly value: Value }
  | { readonly kind: "setVariable"; readonly variable: Variable; readonly value: Value }
  | { readonly kind: "note"; readonly place: Place; readonly fact: string; readonly value: Value }
  | { readonly kind: "flags"; readonly update: FlagUpdate; readonly when: Value | undefined }
  | { readonly kind: "call"; readonly callee: IrFunction; readonly args: readonly Value[]; readonly value: Value | undefined }
  | { readonly kind: "helper"; readonly name: string; readonly args: readonly Value[]; readonly faults: boolean }
  | { readonly kind: "if"; readonly condition: Value; readonly then: Block; readonly otherwise: Block | undefined; readonly likely: boolean | undefined; readonly once?: string }
  | { readonly kind: "loop"; readonly body: Block }
  | { readonly kind: "break"; readonly condition: Value }
  | { readonly kind: "fault"; readonly vector: number; readonly code: Value | undefined }
  | { readonly kind: "bulk"; readonly operation: "movs" | "stos"; readonly size: Size; readonly addressSize: Size }
  | { readonly kind: "jump"; readonly target: Value; readonly direct: boolean }
  | { readonly kind: "again" }
  | { readonly kind: "leave"; readonly at: "rip" | "next" | "again" }
  | { readonly kind: "return"; readonly value: Value };

/** A list of statements. */
export interface Block {
  readonly id: number;
  readonly statements: Statement[];
}

/** A function over IR values (soft float and the like), lowered once to a function of its own. */
export interface IrFunction {
  readonly name: string;
  readonly parameters: readonly IrType[];
  readonly result: IrType | undefined;
  /** Writes the body; the last statement of a function with a result is `return`. */
  readonly body: (b: import("./builder.ts").Builder, ...args: Value[]) => void;
}
