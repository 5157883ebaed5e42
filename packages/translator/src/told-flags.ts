/**
 * Flags that registers tell of. Where ways meet, and what comes next sets all flags anew, only an exit in between wants those that came with each way. What
 * they are made of mostly stands in registers still - what was compared, or what an addition left and what it added -, so that a way notes which of these
 * it was and stores no operands: the place where the region is left works them out, at nobody else's expense.
 */
import type { KeptFlags } from "@doppel/cpu";
import type { Place, Size, Value } from "@doppel/semantics";
import { FIRST_VECTOR, placeOffset, registerAt } from "./effects.ts";
import type { RegionInstruction } from "./region-decoder.ts";

/** A general register, or a part of it, by its offset in the state; or a number. */
type Operand = Part | { readonly number: number | bigint };
interface Part {
  readonly offset: number;
  readonly size: Size;
}

/** What the flags are made of: the operands of an addition or a subtraction, or its result and what was added or subtracted; the result of something else, or what it is the AND of. */
export interface ToldFlags {
  readonly rule: "add" | "sub" | "logic";
  readonly size: Size;
  readonly result: Operand | undefined;
  readonly a: Operand | undefined;
  readonly b: Operand | undefined;
  /** Bits of the registers among them. */
  readonly registers: number;
}

const bitOf = (operand: Operand | undefined): number => (operand !== undefined && "offset" in operand ? 1 << registerAt(operand.offset) : 0);

/**
 * What registers and numbers tell of the flags behind an instruction that has set them, or undefined where they do not tell enough.
 * @param constant a number that the instruction has for a value
 */
export function toldFlags({ rule, size, update }: KeptFlags, { instruction, meaning, registers }: RegionInstruction, constant: (value: Value) => number | undefined): ToldFlags | undefined {
  if (update === undefined || (rule !== "add" && rule !== "sub" && rule !== "logic")) return undefined;
  const register = (place: Place, bytes: Size): Operand | undefined => {
    const offset = placeOffset(place, instruction);
    const number = registerAt(offset);
    return number < 0 || number >= FIRST_VECTOR ? undefined : { offset, size: bytes };
  };
  /** Of a value that the instruction begins with, where it is there still. */
  const left = (value: Value): Operand | undefined => {
    const number = value.op === "field" && value.data === "immediate64" ? (BigInt(instruction.immediateHigh) << 32n) | BigInt(instruction.immediate >>> 0) : constant(value);
    if (number !== undefined) return { number };
    if (value.op !== "place") return undefined;
    const { place, size: bytes } = value.data as { readonly place: Place; readonly size: Size };
    const found = register(place, bytes);
    return (bitOf(found) & registers.writes) === 0 ? found : undefined;
  };
  const told = (result: Operand | undefined, a: Operand | undefined, b: Operand | undefined): ToldFlags => ({ rule, size, result, a, b, registers: bitOf(result) | bitOf(a) | bitOf(b) });
  const write = meaning.statements.statements.findLast((statement) => statement.kind === "setPlace");
  const result = write?.kind === "setPlace" && "result" in update && write.value === update.result && write.size === size ? register(write.place, size) : undefined;
  if (update.rule === "logic") {
    if (result !== undefined) return told(result, undefined, undefined);
    if (update.result.op !== "i32_and" && update.result.op !== "i64_and") return undefined;
    const [a, b] = update.result.args.map(left);
    return a === undefined || b === undefined ? undefined : told(undefined, a, b);
  }
  if (update.rule !== "add" && update.rule !== "sub") return undefined;
  const [a, b] = [left(update.a), left(update.b)];
  if (b === undefined) return undefined;
  if (a !== undefined) return told(undefined, a, b);
  return result === undefined ? undefined : told(result, undefined, b);
}

/** Pushes result, a and b in turn. @param register pushes a register's part @param number pushes a number of the size @param operate replaces the two numbers on the stack */
export function pushTold(
  { rule, result, a, b }: ToldFlags, n: number,
  { register, number, operate }: { register: (offset: number, size: Size) => void; number: (value: number | bigint) => void; operate: (operation: "add" | "sub" | "and") => void },
): void {
  const push = (operand: Operand): void => ("offset" in operand ? register(operand.offset, operand.size) : number(operand.number));
  const wanted = [result, a, b][n];
  if (wanted !== undefined) return push(wanted);
  // Of a result the other operand, of two operands the result.
  const [first, operation] = n === 0 ? [a!, rule === "logic" ? "and" : rule] as const : [result!, rule === "add" ? "sub" : "add"] as const;
  push(first);
  push(b!);
  operate(operation);
}
