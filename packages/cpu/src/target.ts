/**
 * What a tier supplies to the lowering: where registers, record fields and the budget are, and how one leaves. The
 * interpreter has two targets (arms of the dispatch function, functions of their own); a translator has another.
 */
import { OP, type FunctionBuilder } from "@doppel/wasm";
import type { FlagUpdate, IrFunction, IrType, Place, Size, Statement, Value } from "@doppel/semantics";

/** Name of a WebAssembly instruction. */
export type Op = keyof typeof OP;

const NARROW: Record<number, [load: Op, store: Op]> = { 1: ["i32_load8_u", "i32_store8"], 2: ["i32_load16_u", "i32_store16"] };

/** The load of so many bytes as a value of this type. */
export function loadOf(size: Size, type: IrType): number {
  if (type === "v128" && size < 16) return size === 8 ? OP.v128_load64_zero : OP.v128_load32_zero;
  return OP[NARROW[size]?.[0] ?? `${type}_load`];
}

/** The store of so many bytes of a value of this type. */
export function storeOf(size: Size, type: IrType): number {
  return OP[NARROW[size]?.[1] ?? `${type}_store`];
}

/** How the lowering of flags reads the two words. */
export type FlagLoad = "i32_load" | "i32_load8_u" | "i64_load";

/** Where the two words of the arithmetic flags are (docs/decisions/0001). */
export interface FlagWords {
  /** Pushes what the load would give at this offset of the state: one of the words, or a part of it. */
  load(op: FlagLoad, offset: number): void;
  /** Pushes what a write needs below its value. */
  begin(): void;
  /** Writes the value on the stack: the result word is i64, the other i32. */
  end(word: "result" | "aux"): void;
}

/** Rules whose carries follow from two operands and the result. */
export type CarryRule = "add" | "sub" | "inc" | "dec" | "shl" | "shr" | "sar";

/**
 * Operands of a flag update, as functions that push them. Where a carry went in, an addition is "adc" and a subtraction "sbb". Of "bits", `a` is
 * the auxiliary word.
 */
export interface KeptFlags {
  readonly rule: CarryRule | "adc" | "sbb" | "logic" | "bits";
  readonly size: Size;
  readonly result: () => void;
  readonly a: () => void;
  readonly b: () => void;
  /** The update that it was. */
  readonly update?: FlagUpdate;
}

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
  readPlace(place: Place, size: Size, type: IrType): void;
  /** Writes a register operand; `value` pushes what to write. */
  writePlace(place: Place, size: Size, type: IrType, value: () => void): void;
  /** Pushes the byte offset in the state of a segment that only the record knows. */
  recordSegment(): void;
  /** Leaves with the fault that the state describes. */
  fault(): void;
  jump(target: () => void, direct: boolean): void;
  again(): void;
  leave(at: "rip" | "next" | "again"): void;
  bulk(statement: Statement & { kind: "bulk" }): void;
  /** Whether a tier that leaves before TypeScript helpers calls this one. */
  calls?(helper: string): boolean;
  /** Called before a TypeScript helper: what it may look at (the budget) goes to the state. */
  synchronize(): void;
  /** Called after a TypeScript helper, with its status on the stack: what it may have changed comes back. */
  resynchronize(): void;
  /**
   * Pushes a steady value that the target has kept, or keeps it now; `push` computes it. Without this, it is computed each time.
   */
  steady?(name: string, type: IrType, push: () => void): void;
  /** Pushes whether something is so of a register operand, where the target knows it; false where it does not. */
  known?(place: Place, fact: string): boolean;
  /** Takes note of it; `push` says whether it is so, on this way through the instruction. */
  note?(place: Place, fact: string, push: () => void): void;
  /** A register operand has become the same as another. */
  copied?(place: Place, from: Place): void;
  /** Whether a stop of this name was passed, and the steady condition still is what it was. From now on it was. */
  passed?(name: string): boolean;
  /** Adds the address of the TLB view in use to the distance on the stack; what it returns, an access to the entry has as its offset. */
  tlbView(): number;
  /** The flag words, when they are not in the state. */
  readonly flagWords?: FlagWords;
  /**
   * Pushes a condition where the tier knows a shorter way than the flag words: from the operands of the instruction that set them. False
   * when it knows none.
   */
  condition?(code: number): boolean;
  /** Takes an update of the arithmetic flags of which the tier makes flag words later, if at all. INC and DEC keep CF. */
  keepFlags?(kept: KeptFlags): void;
  /** Takes an update of CF and OF alone, as the two upper bits of the auxiliary word. */
  keepCarries?(push: () => void): void;
  /** A number that is known when code is written: of constants and record fields. */
  constant?(value: Value): number | undefined;
  /**
   * Leaves before the instruction, for a tier that can have it executed otherwise: a segment does not permit an access, the TLB does not have
   * its page, or a TypeScript helper would be called.
   */
  miss?(): void;
  /** Where an access is made, for a tier that has looked at its page before: a local with a host address, and the distance from it. */
  window?(statement: Statement): { readonly host: number; readonly offset: number } | undefined;
  /** Index of a TypeScript helper's import. */
  helper(name: string, parameters: number): number;
  /** Index of an IR function. */
  callee(callee: IrFunction): number;
}

/** The values of the instruction being lowered, as its parts see them. */
export interface ValueSource {
  /** What is lowered now stands on every way through the instruction. */
  readonly isUnconditional: boolean;
  /** Pushes a value; counts as one of its uses. */
  push(value: Value): void;
  /** Makes sure that a value can be pushed several times; returns what pushes it. The use is counted by `done`. */
  shared(value: Value): { push: () => void; done: () => void };
  /** Computes a value now, into a local. */
  materialize(value: Value): void;
  /** Takes the value on the stack as the result of an effect, or drops it when nobody uses it. */
  take(value: Value): void;
  /** Counts a use of a value without emitting it. */
  forget(value: Value): void;
  /** The same of a value that may not have been computed: what it would read is not to be read for it either. */
  leaveOut(value: Value): void;
  /** A local that is given back when the instruction ends. */
  own(type: IrType): number;
}
