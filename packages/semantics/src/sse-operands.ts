/**
 * Operands of MMX and SSE instructions: availability, alignment, and what an MMX instruction does to the x87 state it shares
 * (SDM volume 1, 9.5; volume 3, 12.1 and 13.1).
 */
import { FSW_TOP } from "@doppel/x86";
import type { InstructionBuilder } from "./instruction.ts";
import type { Address, Place, Size, Value } from "./ir.ts";
import { FPU_STATUS, FPU_TAGS } from "./layout.ts";
import { VECTOR_GP } from "./vectors.ts";
import { checkUnit, status, TRAP_MMX, TRAP_SSE } from "./x87-stack.ts";

const ZEROS = new Uint8Array(16);

/** Whether an operand is an MMX register (or memory in its place). */
export function isMmx(i: InstructionBuilder, n: number): boolean {
  return "PQN".includes(i.shape.form.operands[n]!.kind);
}
/** Whether any operand is an MMX register. */
export function usesMmx(i: InstructionBuilder): boolean {
  return i.shape.form.operands.some((_, n) => isMmx(i, n));
}

/** #UD and #NM first; an instruction with MMX operands also waits for pending x87 exceptions, a conversion from memory does not. */
export function beginVector(i: InstructionBuilder): void {
  const mmx = usesMmx(i) && !(i.mnemonic.startsWith("CVTPI2P") && i.inMemory(1));
  const sse = i.shape.form.operands.some(({ kind }) => "VWU".includes(kind)) || !mmx;
  checkUnit(i, (mmx ? TRAP_MMX : 0) | (sse ? TRAP_SSE : 0), mmx);
}

/** The state after an MMX instruction: all tags valid, TOP 0. Stands behind the last fault. */
export function enterMmx(i: InstructionBuilder): void {
  i.setState("i32_store", FPU_TAGS, i.i32(0xff));
  i.setState("i32_store", FPU_STATUS, i.and(status(i), ~FSW_TOP));
}

/** #GP(0) unless a 16-byte operand is aligned. */
export function requireAlignment(i: InstructionBuilder, address: Address): void {
  const linear = i.wrap(i.shape.flatOperand ? address.offset : i.linearAddress(address));
  i.faultIf(i.and(linear, 15), VECTOR_GP, 0);
}

/** Reads 16 bytes of an operand; memory has to be aligned unless `unaligned`. */
export function readVector(i: InstructionBuilder, n: number, unaligned = false): Value {
  if (!i.inMemory(n)) return i.place(i.placeOf(n), 16);
  if (!unaligned) requireAlignment(i, i.memory());
  return i.load(i.memory(), 16);
}
/** Writes 16 bytes. */
export function writeVector(i: InstructionBuilder, n: number, value: Value, unaligned = false): void {
  if (i.inMemory(n) && !unaligned) requireAlignment(i, i.memory());
  if (i.inMemory(n)) i.store(i.memory(), 16, value);
  else i.setPlace(i.placeOf(n), 16, value);
}

/** A part of a vector register, some bytes from its beginning. */
export function partOf(i: InstructionBuilder, n: number, plus: number): Place {
  return { field: (i.placeOf(n) as { field: "reg" | "rm" }).field, plus };
}

/** Reads an MMX register, or memory in its place, as i64. */
export function readMmx(i: InstructionBuilder, n: number): Value {
  return i.inMemory(n) ? i.load(i.memory(), 8) : i.place(i.placeOf(n), 8);
}
/** Writes an MMX register: sign and exponent become ones. */
export function writeMmx(i: InstructionBuilder, n: number, value: Value): void {
  i.setPlace(i.placeOf(n), 8, value);
  i.setPlace(partOf(i, n, 8), 2, i.i32(0xffff));
}

/** The float of so many bytes. */
export function floatOfSize(size: Size): "f32" | "f64" {
  return size === 4 ? "f32" : "f64";
}

/** A vector with a number in its low lane and zeros above. */
export function lowLane(i: InstructionBuilder, value: Value): Value {
  return i.op("i64x2_replace_lane", [i.v128(ZEROS), i.extendU(value)], 0);
}
/** The immediate byte. */
export function immediateByte(i: InstructionBuilder): Value {
  return i.and(i.field("immediate"), 0xff);
}
