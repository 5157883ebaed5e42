/**
 * Packed integer instructions on MMX and XMM registers: arithmetic, logic, shifts, shuffles, extraction (SDM volume 2).
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Value } from "./ir.ts";
import { lanes, PACKED, SHIFT, shuffle, type PackedOperation, type VectorShift } from "./sse-integer.ts";
import {
  beginVector, enterMmx, immediateByte, isMmx, lowLane, partOf, readMmx, readVector, writeMmx, writeVector,
} from "./sse-operands.ts";

function splat(i: InstructionBuilder, value: Value): Value {
  return i.op("i64x2_splat", [value]);
}
function lowHalf(i: InstructionBuilder, value: Value): Value {
  return i.op("i64x2_extract_lane", [value], 0);
}

/** A definition from an operation on vectors. */
export const packed = ({ wide, mmx = wide }: PackedOperation): Definition => (i) => {
  beginVector(i);
  if (!isMmx(i, 0)) {
    const source = readVector(i, 1);
    return writeVector(i, 0, wide(i, readVector(i, 0), source));
  }
  const source = splat(i, narrowSource(i));
  const result = lowHalf(i, mmx(i, splat(i, readMmx(i, 0)), source));
  enterMmx(i);
  writeMmx(i, 0, result);
};
/** PUNPCKL* read only four bytes of memory. */
function narrowSource(i: InstructionBuilder): Value {
  return i.inMemory(1) && i.size(1) === 4 ? i.extendU(i.load(i.memory(), 4)) : readMmx(i, 1);
}

const shift = (operation: VectorShift): Definition => (i) => {
  beginVector(i);
  const immediate = i.shape.form.operands[1]!.kind === "I";
  if (!isMmx(i, 0)) {
    const count = immediate ? i.extendU(immediateByte(i)) : lowHalf(i, readVector(i, 1));
    return writeVector(i, 0, operation(i, readVector(i, 0), count));
  }
  const count = immediate ? i.extendU(immediateByte(i)) : readMmx(i, 1);
  const result = lowHalf(i, operation(i, splat(i, readMmx(i, 0)), count));
  enterMmx(i);
  writeMmx(i, 0, result);
};

/** The numbers of a vector's bytes: a swizzle by them changes nothing. */
export const BYTE_NUMBERS = Uint8Array.from({ length: 16 }, (_, n) => n);

/** PSLLDQ, PSRLDQ: byte numbers that fall out of 0..15 select zero. */
const byteShift = (direction: "i8x16_add" | "i8x16_sub"): Definition => (i) => {
  beginVector(i);
  const count = immediateByte(i);
  const bytes = i.op("i8x16_splat", [i.select(i.gtU(count, 16), i.i32(16), count)]);
  const numbers = i.op(direction, [i.v128(BYTE_NUMBERS), bytes]);
  writeVector(i, 0, i.op("i8x16_swizzle", [readVector(i, 0), numbers]));
};

/** Byte numbers of the dword that bits 2n and 2n + 1 of the immediate choose. */
function dwordNumbers(i: InstructionBuilder, n: number): Value {
  return i.add(i.mul(i.and(i.shrU(immediateByte(i), 2 * n), 3), 0x0404_0404), 0x0302_0100);
}
/** A vector of byte numbers from four dwords. */
function numbers(i: InstructionBuilder, words: readonly Value[]): Value {
  let vector = i.op("i32x4_splat", [words[0]!]);
  for (let n = 1; n < 4; n++) vector = i.op("i32x4_replace_lane", [vector, words[n]!], n);
  return vector;
}

const pshufd: Definition = (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  writeVector(i, 0, i.op("i8x16_swizzle", [source, numbers(i, [0, 1, 2, 3].map((n) => dwordNumbers(i, n)))]));
};

/** Byte numbers of four words chosen from the low half. */
function wordNumbers(i: InstructionBuilder): Value {
  let all: Value | undefined;
  for (let n = 0; n < 4; n++) {
    const word = i.extendU(i.add(i.mul(i.and(i.shrU(immediateByte(i), 2 * n), 3), 0x0202), 0x0100));
    const placed = i.shl(word, 16 * n);
    all = all === undefined ? placed : i.or(all, placed);
  }
  return all!;
}

/** PSHUFLW, PSHUFHW, PSHUFW. */
const shuffleWords = (half: 0 | 1): Definition => (i) => {
  beginVector(i);
  if (isMmx(i, 0)) {
    const source = splat(i, readMmx(i, 1));
    const result = lowHalf(i, i.op("i8x16_swizzle", [source, splat(i, wordNumbers(i))]));
    enterMmx(i);
    return writeMmx(i, 0, result);
  }
  const source = readVector(i, 1);
  const chosen = half === 0 ? wordNumbers(i) : i.add(wordNumbers(i), i.i64(0x0808_0808_0808_0808n));
  writeVector(i, 0, i.op("i8x16_swizzle", [source, i.op("i64x2_replace_lane", [i.v128(BYTE_NUMBERS), chosen], half)]));
};

/** SHUFPS: two dwords from the destination, two from the source. */
const shufps: Definition = (i) => {
  beginVector(i);
  const [y, x] = [readVector(i, 1), readVector(i, 0)];
  const none = i.i32(-1);
  const low = i.op("i8x16_swizzle", [x, numbers(i, [dwordNumbers(i, 0), dwordNumbers(i, 1), none, none])]);
  const high = i.op("i8x16_swizzle", [y, numbers(i, [none, none, dwordNumbers(i, 2), dwordNumbers(i, 3)])]);
  writeVector(i, 0, i.op("v128_or", [low, high]));
};

const shufpd: Definition = (i) => {
  beginVector(i);
  const [y, x] = [readVector(i, 1), readVector(i, 0)];
  const pick = (v: Value, bit: number): Value =>
    i.select(i.and(immediateByte(i), bit), i.op("i64x2_extract_lane", [v], 1), i.op("i64x2_extract_lane", [v], 0));
  writeVector(i, 0, i.op("i64x2_replace_lane", [splat(i, pick(x, 1)), pick(y, 2)], 1));
};

const pinsrw: Definition = (i) => {
  beginVector(i);
  const word = i.and(i.inMemory(1) ? i.load(i.memory(), 2) : i.place(i.placeOf(1), 4), 0xffff);
  const index = immediateByte(i);
  const at = i.extendU(i.shl(i.and(index, 3), 4));
  const mask = i.shl(i.i64(0xffff), at);
  const insert = (v: Value): Value => i.or(i.and(v, i.not(mask)), i.shl(i.extendU(word), at));
  if (isMmx(i, 0)) {
    const result = insert(readMmx(i, 0));
    enterMmx(i);
    return writeMmx(i, 0, result);
  }
  const upper = i.and(index, 4);
  const [low, high] = [i.place(partOf(i, 0, 0), 8), i.place(partOf(i, 0, 8), 8)];
  const [newLow, newHigh] = [i.select(upper, low, insert(low)), i.select(upper, insert(high), high)];
  i.setPlace(partOf(i, 0, 0), 8, newLow);
  i.setPlace(partOf(i, 0, 8), 8, newHigh);
};

const pextrw: Definition = (i) => {
  beginVector(i);
  const index = immediateByte(i);
  const half = isMmx(i, 1) ? readMmx(i, 1) : i.select(i.and(index, 4), i.place(partOf(i, 1, 8), 8), i.place(partOf(i, 1, 0), 8));
  const word = i.and(i.wrap(i.shrU(half, i.extendU(i.shl(i.and(index, 3), 4)))), 0xffff);
  if (i.inMemory(0)) return i.store(i.memory(), 2, word);
  if (isMmx(i, 1)) enterMmx(i);
  i.setPlace(i.placeOf(0), 4, word);
};

/** PMOVMSKB, MOVMSKPS, MOVMSKPD: the signs of the lanes. */
const signs = (name: string): Definition => (i) => {
  beginVector(i);
  const source = isMmx(i, 1) ? lowLane(i, readMmx(i, 1)) : readVector(i, 1);
  const mask = i.op(name, [source]);
  if (isMmx(i, 1)) enterMmx(i);
  i.setPlace(i.placeOf(0), 4, mask);
};

/** MOVDDUP and its kind: a fixed choice of the source's lanes. */
const duplicate = (pattern: readonly number[]): Definition => (i) => {
  beginVector(i);
  const source = i.size(1) === 8 ? lowLane(i, i.read(1)) : readVector(i, 1);
  writeVector(i, 0, shuffle(i, source, source, pattern));
};

export const SSE_PACKED: Record<string, Definition> = {
  PSLLDQ: byteShift("i8x16_sub"),
  PSRLDQ: byteShift("i8x16_add"),
  PSHUFD: pshufd,
  PSHUFLW: shuffleWords(0),
  PSHUFHW: shuffleWords(1),
  PSHUFW: shuffleWords(0),
  SHUFPS: shufps,
  SHUFPD: shufpd,
  PINSRW: pinsrw,
  PEXTRW: pextrw,
  PMOVMSKB: signs("i8x16_bitmask"),
  MOVMSKPS: signs("i32x4_bitmask"),
  MOVMSKPD: signs("i64x2_bitmask"),
  MOVDDUP: duplicate(lanes(8, [0, 0])),
  MOVSLDUP: duplicate(lanes(4, [0, 0, 2, 2])),
  MOVSHDUP: duplicate(lanes(4, [1, 1, 3, 3])),
};
for (const [mnemonic, operation] of Object.entries(PACKED)) SSE_PACKED[mnemonic] = packed(operation);
for (const [mnemonic, operation] of Object.entries(SHIFT)) SSE_PACKED[mnemonic] = shift(operation);
