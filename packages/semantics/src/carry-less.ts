/**
 * Arithmetic on polynomials over two elements (SDM volume 2, CRC32 and PCLMULQDQ).
 */
import { irFunction } from "./builder.ts";
import type { Definition } from "./instruction.ts";
import type { Value } from "./ir.ts";
import { beginVector, immediateByte, readVector, writeVector } from "./sse-operands.ts";

/** The polynomial 11EDC6F41h with its bits reflected, without the highest. */
const CASTAGNOLI = 0x82f6_3b78 | 0;

/** Divides (remainder so far, with the next bits already added to it) by the polynomial, `bits` steps. */
const crcSteps = irFunction("crc32c_steps", ["i32", "i32"], "i32", (b, start, bits) => {
  const crc = b.variable(start);
  const left = b.variable(bits);
  b.loop(() => {
    b.breakIf(b.eqz(b.get(left)));
    b.setVariable(left, b.sub(b.get(left), 1));
    const low = b.sub(b.i32(0), b.and(b.get(crc), 1));
    b.setVariable(crc, b.xor(b.shrU(b.get(crc), 1), b.and(low, CASTAGNOLI)));
  });
  b.return(b.get(crc));
});

const crc32: Definition = (i) => {
  const size = i.size(1);
  const data = i.read(1);
  const crc = i.place(i.placeOf(0), 4);
  let result: Value;
  if (size === 8) {
    const low = i.call(crcSteps, [i.xor(crc, i.wrap(data)), i.i32(32)]);
    result = i.call(crcSteps, [i.xor(low, i.wrap(i.shrU(data, 32))), i.i32(32)]);
  } else result = i.call(crcSteps, [i.xor(crc, data), i.i32(8 * size)]);
  // With REX.W the upper half is cleared, as that of every 4-byte result is.
  i.setPlace(i.placeOf(0), 4, result);
};

/** The product of two polynomials of degree 63, both halves. */
const multiply = irFunction("carry_less_product", ["i64", "i64"], "v128", (b, x, y) => {
  const low = b.variable(b.i64(0));
  const high = b.variable(b.i64(0));
  const n = b.variable(b.i64(0));
  b.loop(() => {
    b.breakIf(b.eq(b.get(n), b.i64(64)));
    const shift = b.get(n);
    const chosen = b.and(b.sub(b.i64(0), b.and(b.shrU(y, shift), b.i64(1))), x);
    b.setVariable(low, b.xor(b.get(low), b.shl(chosen, shift)));
    b.setVariable(high, b.xor(b.get(high), b.shrU(b.shrU(chosen, b.i64(1)), b.sub(b.i64(63), shift))));
    b.setVariable(n, b.add(b.get(n), b.i64(1)));
  });
  b.return(b.op("i64x2_replace_lane", [b.op("i64x2_splat", [b.get(low)]), b.get(high)], 1));
});

const pclmulqdq: Definition = (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  const x = readVector(i, 0);
  const half = (v: Value, bit: number): Value =>
    i.select(i.and(immediateByte(i), bit), i.op("i64x2_extract_lane", [v], 1), i.op("i64x2_extract_lane", [v], 0));
  writeVector(i, 0, i.call(multiply, [half(x, 1), half(y, 16)]));
};

export const CARRY_LESS: Record<string, Definition> = { CRC32: crc32, PCLMULQDQ: pclmulqdq };
