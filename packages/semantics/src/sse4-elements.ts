/**
 * Single elements of a vector (SDM volume 2, PEXTRB to PEXTRQ, EXTRACTPS, PINSRB to PINSRQ, INSERTPS): the immediate names the lane, its
 * upper bits are ignored.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Value } from "./ir.ts";
import { beginVector, immediateByte, readVector, writeVector } from "./sse-operands.ts";
import { BYTE_NUMBERS } from "./sse-packed.ts";

type ElementSize = 1 | 2 | 4 | 8;
const SHAPE = { 1: "i8x16", 2: "i16x8", 4: "i32x4", 8: "i64x2" } as const;
const EXTRACT = { 1: "i8x16_extract_lane_u", 2: "i16x8_extract_lane_u", 4: "i32x4_extract_lane", 8: "i64x2_extract_lane" } as const;

/** The element of a run-time number. */
function element(i: InstructionBuilder, vector: Value, size: ElementSize, number: Value): Value {
  const first = i.op("i8x16_splat", [i.shl(number, Math.log2(size))]);
  const moved = i.op("i8x16_swizzle", [vector, i.op("i8x16_add", [i.v128(BYTE_NUMBERS), first])]);
  return i.op(EXTRACT[size], [moved], 0);
}

/** A vector whose lane n holds n. */
function laneNumbers(size: ElementSize): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, n) => (n % size === 0 ? n / size : 0));
}

/** The vector with one element replaced. */
function withElement(i: InstructionBuilder, vector: Value, size: ElementSize, number: Value, value: Value): Value {
  const shape = SHAPE[size];
  const chosen = i.op(`${shape}_splat`, [size === 8 ? i.extendU(number) : number]);
  const mask = i.op(`${shape}_eq`, [chosen, i.v128(laneNumbers(size))]);
  return i.op("v128_bitselect", [i.op(`${shape}_splat`, [value]), vector, mask]);
}

/** Operand 0 is a general register, cleared above the element, or memory of the element's size. */
const extract = (fixed?: ElementSize): Definition => (i) => {
  beginVector(i);
  const size = fixed ?? (i.size(0) as ElementSize);
  const value = element(i, readVector(i, 1), size, i.and(immediateByte(i), 16 / size - 1));
  if (i.inMemory(0)) i.store(i.memory(), size, value);
  else i.setPlace(i.placeOf(0), size === 8 ? 8 : 4, value);
};

const insert = (fixed?: ElementSize): Definition => (i) => {
  beginVector(i);
  const size = fixed ?? (i.size(1) as ElementSize);
  const value = i.inMemory(1) ? i.load(i.memory(), size) : i.place(i.placeOf(1), size === 8 ? 8 : 4);
  writeVector(i, 0, withElement(i, readVector(i, 0), size, i.and(immediateByte(i), 16 / size - 1), value));
};

/** INSERTPS: bits 7-6 name the source's lane (a memory operand is one), 5-4 the destination's, 3-0 lanes to clear. */
const insertps: Definition = (i) => {
  beginVector(i);
  const immediate = immediateByte(i);
  const value = i.inMemory(1) ? i.load(i.memory(), 4) : element(i, readVector(i, 1), 4, i.shrU(immediate, 6));
  const placed = withElement(i, readVector(i, 0), 4, i.and(i.shrU(immediate, 4), 3), value);
  const bits = i.v128(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0));
  const cleared = i.op("i32x4_eq", [i.op("v128_and", [i.op("i32x4_splat", [immediate]), bits]), bits]);
  writeVector(i, 0, i.op("v128_andnot", [placed, cleared]));
};

export const SSE4_ELEMENTS: Record<string, Definition> = {
  PEXTRB: extract(1),
  PEXTRD: extract(),
  EXTRACTPS: extract(4),
  PINSRB: insert(1),
  PINSRD: insert(),
  INSERTPS: insertps,
};
