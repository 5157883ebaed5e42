/**
 * Packed integers of SSE4.1 and SSE4.2 (SDM volume 1, 12.10 and 12.11; volume 2): extensions, minima and maxima, blends, tests,
 * and sums of absolute differences at an offset.
 */
import { irFunction } from "./builder.ts";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Size, Value } from "./ir.ts";
import { XMM } from "./layout.ts";
import { lanes, shuffle, type PackedOperation } from "./sse-integer.ts";
import { beginVector, immediateByte, lowLane, readVector, writeVector } from "./sse-operands.ts";
import { BYTE_NUMBERS, packed } from "./sse-packed.ts";

const direct = (name: string): PackedOperation => ({ wide: (b, x, y) => b.op(name, [x, y]) });

const EVEN_DWORDS = lanes(4, [0, 2, 0, 2]);

const OPERATIONS: Record<string, PackedOperation> = {
  PMULDQ: { wide: (b, x, y) => b.op("i64x2_extmul_low_i32x4_s", [shuffle(b, x, x, EVEN_DWORDS), shuffle(b, y, y, EVEN_DWORDS)]) },
  PMULLD: direct("i32x4_mul"),
  PCMPEQQ: direct("i64x2_eq"), PCMPGTQ: direct("i64x2_gt_s"),
  PACKUSDW: direct("i16x8_narrow_i32x4_u"),
  PMINSB: direct("i8x16_min_s"), PMINUW: direct("i16x8_min_u"), PMINSD: direct("i32x4_min_s"), PMINUD: direct("i32x4_min_u"),
  PMAXSB: direct("i8x16_max_s"), PMAXUW: direct("i16x8_max_u"), PMAXSD: direct("i32x4_max_s"), PMAXUD: direct("i32x4_max_u"),
};

/** PMOVSX and PMOVZX: the source has as many bytes as the result needs, and memory need not be aligned. */
const extend = (steps: readonly string[]): Definition => (i) => {
  beginVector(i);
  const source = i.inMemory(1) ? lowLane(i, i.load(i.memory(), i.size(1) as Size)) : readVector(i, 1);
  writeVector(i, 0, steps.reduce((value, step) => i.op(step, [value]), source));
};
const STEPS: Record<string, (sign: string) => string[]> = {
  BW: (s) => [`i16x8_extend_low_i8x16_${s}`],
  BD: (s) => [`i16x8_extend_low_i8x16_${s}`, `i32x4_extend_low_i16x8_${s}`],
  BQ: (s) => [`i16x8_extend_low_i8x16_${s}`, `i32x4_extend_low_i16x8_${s}`, `i64x2_extend_low_i32x4_${s}`],
  WD: (s) => [`i32x4_extend_low_i16x8_${s}`],
  WQ: (s) => [`i32x4_extend_low_i16x8_${s}`, `i64x2_extend_low_i32x4_${s}`],
  DQ: (s) => [`i64x2_extend_low_i32x4_${s}`],
};

/** Lanes of the source where the mask is all ones, of the destination elsewhere. */
function blend(i: InstructionBuilder, source: Value, mask: Value): void {
  writeVector(i, 0, i.op("v128_bitselect", [source, readVector(i, 0), mask]));
}

/** PBLENDVB and its kind: the signs of XMM0's lanes choose. */
const blendVariable = (shape: string, bits: number): Definition => (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  blend(i, source, i.op(`${shape}_shr_s`, [i.place({ at: XMM }, 16), i.i32(bits - 1)]));
};

/** A vector whose lane n holds 1 << n. */
function laneBits(size: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, n) => (n % size === 0 ? 1 << (n / size) : 0));
}

/** PBLENDW and its kind: bits of the immediate choose. */
const blendImmediate = (shape: string, size: number): Definition => (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  const bits = i.v128(laneBits(size));
  const immediate = i.op(`${shape}_splat`, [shape === "i64x2" ? i.extendU(immediateByte(i)) : immediateByte(i)]);
  blend(i, source, i.op(`${shape}_eq`, [i.op("v128_and", [immediate, bits]), bits]));
};

/** PTEST: ZF when no bit is common, CF when the source has none that the destination lacks. */
const ptest: Definition = (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  const destination = readVector(i, 0);
  const zero = i.eqz(i.op("v128_any_true", [i.op("v128_and", [source, destination])]));
  const carry = i.eqz(i.op("v128_any_true", [i.op("v128_andnot", [source, destination])]));
  i.setFlags({ rule: "image", image: i.or(carry, i.shl(zero, 6)) });
};

/** PHMINPOSUW: the least word and the number of the first lane that has it. */
const leastWord = irFunction("phminposuw", ["v128"], "v128", (b, source) => {
  let least: Value | undefined;
  for (let n = 0; n < 8; n++) {
    const candidate = b.or(b.shl(b.op("i16x8_extract_lane_u", [source], n), 3), n);
    least = least === undefined ? candidate : b.select(b.ltU(least, candidate), least, candidate);
  }
  const word = b.shrU(least!, 3);
  b.return(b.op("i32x4_replace_lane", [b.v128(new Uint8Array(16)), b.or(word, b.shl(b.and(least!, 7), 16))], 0));
});

/** Vector of byte numbers, moved up by a count. */
function numbersFrom(i: InstructionBuilder, count: Value): Value {
  return i.op("i8x16_add", [i.v128(BYTE_NUMBERS), i.op("i8x16_splat", [count])]);
}

/** MPSADBW: eight sums of four absolute differences, the destination's bytes moving on by one each time. */
const mpsadbw: Definition = (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  const immediate = immediateByte(i);
  const window = i.op("i8x16_swizzle", [readVector(i, 0), numbersFrom(i, i.and(immediate, 4))]);
  const block = i.op("i8x16_swizzle", [source, numbersFrom(i, i.shl(i.and(immediate, 3), 2))]);
  let sum: Value | undefined;
  for (let n = 0; n < 4; n++) {
    const moved = shuffle(i, window, window, Array.from({ length: 16 }, (_, k) => (n + k) & 15));
    const byte = i.op("i8x16_splat", [i.op("i8x16_extract_lane_u", [block], n)]);
    const difference = i.op("i8x16_sub", [i.op("i8x16_max_u", [moved, byte]), i.op("i8x16_min_u", [moved, byte])]);
    const words = i.op("i16x8_extend_low_i8x16_u", [difference]);
    sum = sum === undefined ? words : i.op("i16x8_add", [sum, words]);
  }
  writeVector(i, 0, sum!);
};

const phminposuw: Definition = (i) => {
  beginVector(i);
  writeVector(i, 0, i.call(leastWord, [readVector(i, 1)]));
};

/** MOVNTDQA: the hint has no effect on memory that is write-back. */
const movntdqa: Definition = (i) => {
  beginVector(i);
  writeVector(i, 0, readVector(i, 1));
};

export const SSE4_PACKED: Record<string, Definition> = {
  PBLENDVB: blendVariable("i8x16", 8),
  BLENDVPS: blendVariable("i32x4", 32),
  BLENDVPD: blendVariable("i64x2", 64),
  PBLENDW: blendImmediate("i16x8", 2),
  BLENDPS: blendImmediate("i32x4", 4),
  BLENDPD: blendImmediate("i64x2", 8),
  PTEST: ptest,
  PHMINPOSUW: phminposuw,
  MPSADBW: mpsadbw,
  MOVNTDQA: movntdqa,
};
for (const [mnemonic, operation] of Object.entries(OPERATIONS)) SSE4_PACKED[mnemonic] = packed(operation);
for (const [kinds, steps] of Object.entries(STEPS)) {
  SSE4_PACKED[`PMOVSX${kinds}`] = extend(steps("s"));
  SSE4_PACKED[`PMOVZX${kinds}`] = extend(steps("u"));
}
