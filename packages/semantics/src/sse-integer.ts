/**
 * Packed integer operations of MMX and SSE2 (SDM volume 1, chapters 9 and 11; volume 2) as operations on 16 bytes. An MMX
 * operand stands in both halves of a vector; an operation says with `mmx` when its low half is not what MMX wants.
 */
import type { Builder } from "./builder.ts";
import type { Value } from "./ir.ts";

/** Computes a result from destination and source. */
export type VectorOperation = (b: Builder, x: Value, y: Value) => Value;

/** An operation and, where it differs, its MMX form on 64-bit operands in both halves. */
export interface PackedOperation {
  readonly wide: VectorOperation;
  readonly mmx?: VectorOperation;
}

const direct = (name: string): PackedOperation => ({ wide: (b, x, y) => b.op(name, [x, y]) });
const swapped = (name: string): PackedOperation => ({ wide: (b, x, y) => b.op(name, [y, x]) });

/** Byte numbers of a shuffle that takes elements of `size` bytes: below 16 / size from x, the others from y. */
export function lanes(size: number, elements: readonly number[]): number[] {
  return elements.flatMap((element) => Array.from({ length: size }, (_, n) => element * size + n));
}
export function shuffle(b: Builder, x: Value, y: Value, bytes: readonly number[]): Value {
  return b.op("i8x16_shuffle", [x, y], bytes);
}
/** Elements of the low (0) or high (1) half, interleaved. */
function interleave(size: number, half: 0 | 1): PackedOperation {
  const count = 16 / size;
  const pattern = (first: number): number[] => lanes(size, Array.from({ length: count }, (_, n) => first + (n >> 1) + (n & 1 ? count : 0)));
  // The high half of an MMX register is where the low one's interleaving has its upper eight bytes.
  const low = pattern(0);
  return {
    wide: (b, x, y) => shuffle(b, x, y, half === 0 ? low : pattern(count / 2)),
    mmx: (b, x, y) => shuffle(b, x, y, half === 0 ? low : [...low.slice(8), ...low.slice(8)]),
  };
}
/** Narrowing: x fills the lower half of the result, y the upper one. */
function pack(name: string): PackedOperation {
  const joined = lanes(8, [0, 2]);
  return {
    wide: (b, x, y) => b.op(name, [x, y]),
    mmx: (b, x, y) => {
      const both = shuffle(b, x, y, joined);
      return b.op(name, [both, both]);
    },
  };
}
/** Upper halves of the 32-bit products of words. */
function highProduct(signed: "s" | "u"): PackedOperation {
  return {
    wide: (b, x, y) => shuffle(b, b.op(`i32x4_extmul_low_i16x8_${signed}`, [x, y]), b.op(`i32x4_extmul_high_i16x8_${signed}`, [x, y]), lanes(2, [1, 3, 5, 7, 9, 11, 13, 15])),
  };
}
const LOW_DWORDS = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]);

/** PSADBW: sums of absolute differences, one of eight bytes in each half. */
const sumOfDifferences: PackedOperation = {
  wide: (b, x, y) => {
    const difference = b.op("i8x16_sub", [b.op("i8x16_max_u", [x, y]), b.op("i8x16_min_u", [x, y])]);
    const four = b.op("i32x4_extadd_pairwise_i16x8_u", [b.op("i16x8_extadd_pairwise_i8x16_u", [difference])]);
    return b.op("i64x2_add", [b.op("v128_and", [four, b.v128(LOW_DWORDS)]), b.op("i64x2_shr_u", [four, b.i32(32)])]);
  },
};

/** Packed operations of two operands by mnemonic. */
export const PACKED: Record<string, PackedOperation> = {
  PADDB: direct("i8x16_add"), PADDW: direct("i16x8_add"), PADDD: direct("i32x4_add"), PADDQ: direct("i64x2_add"),
  PSUBB: direct("i8x16_sub"), PSUBW: direct("i16x8_sub"), PSUBD: direct("i32x4_sub"), PSUBQ: direct("i64x2_sub"),
  PADDSB: direct("i8x16_add_sat_s"), PADDSW: direct("i16x8_add_sat_s"), PADDUSB: direct("i8x16_add_sat_u"), PADDUSW: direct("i16x8_add_sat_u"),
  PSUBSB: direct("i8x16_sub_sat_s"), PSUBSW: direct("i16x8_sub_sat_s"), PSUBUSB: direct("i8x16_sub_sat_u"), PSUBUSW: direct("i16x8_sub_sat_u"),
  PCMPEQB: direct("i8x16_eq"), PCMPEQW: direct("i16x8_eq"), PCMPEQD: direct("i32x4_eq"),
  PCMPGTB: direct("i8x16_gt_s"), PCMPGTW: direct("i16x8_gt_s"), PCMPGTD: direct("i32x4_gt_s"),
  PMINUB: direct("i8x16_min_u"), PMAXUB: direct("i8x16_max_u"), PMINSW: direct("i16x8_min_s"), PMAXSW: direct("i16x8_max_s"),
  PAVGB: direct("i8x16_avgr_u"), PAVGW: direct("i16x8_avgr_u"),
  PAND: direct("v128_and"), POR: direct("v128_or"), PXOR: direct("v128_xor"), PANDN: swapped("v128_andnot"),
  PMULLW: direct("i16x8_mul"), PMULHW: highProduct("s"), PMULHUW: highProduct("u"), PMADDWD: direct("i32x4_dot_i16x8_s"),
  PMULUDQ: {
    wide: (b, x, y) => b.op("i64x2_mul", [b.op("v128_and", [x, b.v128(LOW_DWORDS)]), b.op("v128_and", [y, b.v128(LOW_DWORDS)])]),
  },
  PSADBW: sumOfDifferences,
  PACKSSWB: pack("i8x16_narrow_i16x8_s"), PACKUSWB: pack("i8x16_narrow_i16x8_u"), PACKSSDW: pack("i16x8_narrow_i32x4_s"),
  PUNPCKLBW: interleave(1, 0), PUNPCKLWD: interleave(2, 0), PUNPCKLDQ: interleave(4, 0), PUNPCKLQDQ: interleave(8, 0),
  PUNPCKHBW: interleave(1, 1), PUNPCKHWD: interleave(2, 1), PUNPCKHDQ: interleave(4, 1), PUNPCKHQDQ: interleave(8, 1),
  // The same on what the mnemonics call floats.
  ANDPS: direct("v128_and"), ANDPD: direct("v128_and"), ORPS: direct("v128_or"), ORPD: direct("v128_or"),
  XORPS: direct("v128_xor"), XORPD: direct("v128_xor"), ANDNPS: swapped("v128_andnot"), ANDNPD: swapped("v128_andnot"),
  UNPCKLPS: interleave(4, 0), UNPCKLPD: interleave(8, 0), UNPCKHPS: interleave(4, 1), UNPCKHPD: interleave(8, 1),
};

/** A shift of every lane by one 64-bit count; counts beyond the lane give zeros or copies of the sign. */
export type VectorShift = (b: Builder, x: Value, count: Value) => Value;
function shift(name: string, bits: number): VectorShift {
  const arithmetic = name.endsWith("shr_s");
  return (b, x, count) => {
    const beyond = b.gtU(count, bits - 1);
    const amount = b.wrap(count);
    if (arithmetic) return b.op(name, [x, b.select(beyond, b.i32(bits - 1), amount)]);
    return b.select(beyond, b.v128(new Uint8Array(16)), b.op(name, [x, amount]));
  };
}

/** Shifts by mnemonic. */
export const SHIFT: Record<string, VectorShift> = {
  PSLLW: shift("i16x8_shl", 16), PSLLD: shift("i32x4_shl", 32), PSLLQ: shift("i64x2_shl", 64),
  PSRLW: shift("i16x8_shr_u", 16), PSRLD: shift("i32x4_shr_u", 32), PSRLQ: shift("i64x2_shr_u", 64),
  PSRAW: shift("i16x8_shr_s", 16), PSRAD: shift("i32x4_shr_s", 32),
};
