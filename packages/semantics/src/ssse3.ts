/**
 * SSSE3 (SDM volume 1, 12.6; volume 2): byte shuffles, horizontal sums, signs and rounded products on MMX and XMM registers. An
 * MMX operand stands in both halves of a vector, as in `sse-integer.ts`.
 */
import type { Builder } from "./builder.ts";
import type { Definition } from "./instruction.ts";
import type { Value } from "./ir.ts";
import { lanes, shuffle, type PackedOperation, type VectorOperation } from "./sse-integer.ts";
import { beginVector, enterMmx, immediateByte, isMmx, readMmx, readVector, writeMmx, writeVector } from "./sse-operands.ts";
import { BYTE_NUMBERS, packed } from "./sse-packed.ts";

const ZEROS = new Uint8Array(16);

/** Bytes of x by number; a number with its top bit set selects zero. */
function shuffleBytes(keep: number): VectorOperation {
  return (b, x, y) => b.op("i8x16_swizzle", [x, b.op("v128_and", [y, b.op("i8x16_splat", [b.i32(keep)])])]);
}
const pshufb: PackedOperation = { wide: shuffleBytes(0x8f), mmx: shuffleBytes(0x87) };

/** Neighbours of both operands combined: the even elements with the odd ones. */
function horizontal(name: string, size: 2 | 4): PackedOperation {
  const count = 16 / size;
  const combine = (b: Builder, x: Value, y: Value, even: readonly number[]): Value =>
    b.op(name, [shuffle(b, x, y, lanes(size, even)), shuffle(b, x, y, lanes(size, even.map((n) => n + 1)))]);
  const wide = Array.from({ length: count }, (_, n) => 2 * n);
  // Of an MMX operand only the low half counts, and the result's low half has the elements of both.
  const half = count / 4;
  const low = Array.from({ length: count }, (_, n) => 2 * (n % half) + (n % (2 * half) < half ? 0 : count));
  return { wide: (b, x, y) => combine(b, x, y, wide), mmx: (b, x, y) => combine(b, x, y, low) };
}

/** PMADDUBSW: unsigned bytes of x times signed bytes of y, neighbouring products added with saturation. */
const multiplyAdd: VectorOperation = (b, x, y) => {
  const product = (half: "low" | "high"): Value =>
    b.op("i16x8_mul", [b.op(`i16x8_extend_${half}_i8x16_u`, [x]), b.op(`i16x8_extend_${half}_i8x16_s`, [y])]);
  const [low, high] = [product("low"), product("high")];
  const even = [0, 2, 4, 6, 8, 10, 12, 14];
  return b.op("i16x8_add_sat_s", [shuffle(b, low, high, lanes(2, even)), shuffle(b, low, high, lanes(2, even.map((n) => n + 1)))]);
};

/** PSIGN: x negated where y is negative, zero where y is zero. */
function sign(shape: "i8x16" | "i16x8" | "i32x4"): VectorOperation {
  return (b, x, y) => {
    const zeros = b.v128(ZEROS);
    const negative = b.op(`${shape}_gt_s`, [zeros, y]);
    const turned = b.op(`${shape}_sub`, [b.op("v128_xor", [x, negative]), negative]);
    return b.op("v128_andnot", [turned, b.op(`${shape}_eq`, [y, zeros])]);
  };
}

/** PMULHRSW: bits 30 to 15 of the products, rounded. WebAssembly's own instruction saturates the product of two -1. */
const roundedProduct: VectorOperation = (b, x, y) => {
  const half = (name: "low" | "high"): Value => {
    const shifted = b.op("i32x4_shr_s", [b.op(`i32x4_extmul_${name}_i16x8_s`, [x, y]), b.i32(14)]);
    return b.op("i32x4_shr_s", [b.op("i32x4_add", [shifted, b.op("i32x4_splat", [b.i32(1)])]), b.i32(1)]);
  };
  return shuffle(b, half("low"), half("high"), lanes(2, [0, 2, 4, 6, 8, 10, 12, 14]));
};

const absolute = (shape: string): VectorOperation => (b, _x, y) => b.op(`${shape}_abs`, [y]);

/** PALIGNR: the two operands, the destination above, moved down by bytes; numbers outside 0..15 select zero. */
const palignr: Definition = (i) => {
  beginVector(i);
  const mmx = isMmx(i, 0);
  const most = mmx ? 16 : 32;
  const count = i.select(i.gtU(immediateByte(i), most), i.i32(most), immediateByte(i));
  const numbers = i.op("i8x16_add", [i.v128(BYTE_NUMBERS), i.op("i8x16_splat", [count])]);
  if (mmx) {
    const low = readMmx(i, 1);
    const both = i.op("i64x2_replace_lane", [i.op("i64x2_splat", [low]), readMmx(i, 0)], 1);
    const result = i.op("i64x2_extract_lane", [i.op("i8x16_swizzle", [both, numbers])], 0);
    enterMmx(i);
    return writeMmx(i, 0, result);
  }
  const low = i.op("i8x16_swizzle", [readVector(i, 1), numbers]);
  const high = i.op("i8x16_swizzle", [readVector(i, 0), i.op("i8x16_sub", [numbers, i.op("i8x16_splat", [i.i32(16)])])]);
  writeVector(i, 0, i.op("v128_or", [low, high]));
};

const OPERATIONS: Record<string, PackedOperation> = {
  PSHUFB: pshufb,
  PHADDW: horizontal("i16x8_add", 2), PHADDD: horizontal("i32x4_add", 4), PHADDSW: horizontal("i16x8_add_sat_s", 2),
  PHSUBW: horizontal("i16x8_sub", 2), PHSUBD: horizontal("i32x4_sub", 4), PHSUBSW: horizontal("i16x8_sub_sat_s", 2),
  PMADDUBSW: { wide: multiplyAdd },
  PSIGNB: { wide: sign("i8x16") }, PSIGNW: { wide: sign("i16x8") }, PSIGND: { wide: sign("i32x4") },
  PMULHRSW: { wide: roundedProduct },
  PABSB: { wide: absolute("i8x16") }, PABSW: { wide: absolute("i16x8") }, PABSD: { wide: absolute("i32x4") },
};

export const SSSE3: Record<string, Definition> = { PALIGNR: palignr };
for (const [mnemonic, operation] of Object.entries(OPERATIONS)) SSSE3[mnemonic] = packed(operation);
