/**
 * String comparisons of SSE4.2 (SDM volume 1, 12.12; volume 2, chapter 4.1: "Imm8 control byte operation"). Operand 0 is the set, the
 * ranges or the needle, operand 1 the text. A function gives the mask of the text's elements; definitions make flags and result of it.
 */
import { irFunction, type Builder } from "./builder.ts";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { IrFunction, Value } from "./ir.ts";
import { RAX, RCX, RDX, XMM } from "./layout.ts";
import { beginVector, immediateByte, readVector } from "./sse-operands.ts";

/** Bits of the immediate. */
const WORDS = 1;
const SIGNED = 2;
const AGGREGATION_SHIFT = 2;
const NEGATE = 16;
const MASKED = 32;
const SELECTION = 64;

const RANGES = 1, EACH = 2, ORDERED = 3;

interface Elements {
  readonly count: number;
  readonly shape: "i8x16" | "i16x8";
  readonly top: number;
}
const BYTE_ELEMENTS: Elements = { count: 16, shape: "i8x16", top: 0x80 };
const WORD_ELEMENTS: Elements = { count: 8, shape: "i16x8", top: 0x8000 };

/** (set, text, length of set, length of text, immediate) to the mask IntRes2. */
function comparison({ count, shape, top }: Elements): IrFunction {
  const all = (1 << count) - 1;
  return irFunction(`compare_${shape}`, ["v128", "v128", "i32", "i32", "i32"], "i32", (b, set, text, setLength, textLength, immediate) => {
    const bits = (vector: Value): Value => b.op(`${shape}_bitmask`, [vector]);
    const valid = (length: Value): Value => b.sub(b.shl(b.i32(1), length), 1);
    const textValid = valid(textLength);
    const kind = b.and(b.shrU(immediate, AGGREGATION_SHIFT), 3);
    const found = b.variable(b.i32(0));
    const splat = (vector: Value, n: number): Value => b.op(`${shape}_splat`, [b.op(`${shape}_extract_lane_u`, [vector], n)]);
    const present = (n: number): Value => b.gtU(setLength, n);
    b.if(b.eq(kind, EACH), () => {
      const setValid = valid(setLength);
      const equal = b.and(b.and(bits(b.op(`${shape}_eq`, [set, text])), setValid), textValid);
      b.setVariable(found, b.or(equal, b.and(b.not(b.or(setValid, textValid)), all)));
    });
    b.if(b.eq(kind, ORDERED), () => {
      // Beyond the end of the vector the rest of the needle counts as found.
      b.setVariable(found, b.i32(-1));
      for (let n = 0; n < count; n++) {
        b.if(present(n), () => {
          const equal = b.or(b.and(bits(b.op(`${shape}_eq`, [text, splat(set, n)])), textValid), ~all);
          b.setVariable(found, b.and(b.get(found), b.shrS(equal, n)));
        });
      }
      b.setVariable(found, b.and(b.get(found), all));
    });
    b.if(b.eq(kind, RANGES), () => {
      // Unsigned numbers are compared as signed ones with the top bit turned.
      const turn = b.op(`${shape}_splat`, [b.select(b.and(immediate, SIGNED), b.i32(0), b.i32(top))]);
      const bounds = b.op("v128_xor", [set, turn]);
      const numbers = b.op("v128_xor", [text, turn]);
      for (let n = 0; n < count; n += 2) {
        b.if(present(n + 1), () => {
          const below = b.op(`${shape}_gt_s`, [splat(bounds, n), numbers]);
          const above = b.op(`${shape}_gt_s`, [numbers, splat(bounds, n + 1)]);
          b.setVariable(found, b.or(b.get(found), bits(b.op("v128_not", [b.op("v128_or", [below, above])]))));
        });
      }
      b.setVariable(found, b.and(b.get(found), textValid));
    });
    b.if(b.eqz(kind), () => {
      for (let n = 0; n < count; n++) {
        b.if(present(n), () => b.setVariable(found, b.or(b.get(found), bits(b.op(`${shape}_eq`, [text, splat(set, n)])))));
      }
      b.setVariable(found, b.and(b.get(found), textValid));
    });
    const turned = b.select(b.and(immediate, MASKED), textValid, b.i32(all));
    b.return(b.xor(b.get(found), b.select(b.and(immediate, NEGATE), turned, b.i32(0))));
  });
}
const compareBytes = comparison(BYTE_ELEMENTS);
const compareWords = comparison(WORD_ELEMENTS);

/** Number of elements before the first that is zero: (vector, immediate). */
const terminated = irFunction("string_length", ["v128", "i32"], "i32", (b: Builder, vector, immediate) => {
  const zeros = b.v128(new Uint8Array(16));
  const bytes = b.or(b.op("i8x16_bitmask", [b.op("i8x16_eq", [vector, zeros])]), 1 << 16);
  const words = b.or(b.op("i16x8_bitmask", [b.op("i16x8_eq", [vector, zeros])]), 1 << 8);
  b.return(b.op("i32_ctz", [b.select(b.and(immediate, WORDS), words, bytes)]));
});

/** The magnitude of a length register, at most the number of elements. */
function givenLength(i: InstructionBuilder, register: number, count: Value): Value {
  const value = i.register(register, i.operandSize === 8 ? 8 : 4);
  const sign = i.shrS(value, value.type === "i64" ? 63 : 31);
  const magnitude = i.sub(i.xor(value, sign), sign);
  // The magnitude of the most negative number stays as it is: unsigned it is greater than any count.
  return i.select(i.gtU(magnitude, value.type === "i64" ? i.extendU(count) : count), count, i.wrap(magnitude));
}

const compare = (explicit: boolean, index: boolean): Definition => (i) => {
  beginVector(i);
  const text = readVector(i, 1, true);
  const set = readVector(i, 0);
  const immediate = immediateByte(i);
  const count = i.select(i.and(immediate, WORDS), i.i32(8), i.i32(16));
  const setLength = explicit ? givenLength(i, RAX, count) : i.call(terminated, [set, immediate]);
  const textLength = explicit ? givenLength(i, RDX, count) : i.call(terminated, [text, immediate]);
  const mask = i.variable(i.i32(0));
  const args = [set, text, setLength, textLength, immediate];
  i.if(i.and(immediate, WORDS), () => i.setVariable(mask, i.call(compareWords, args)), () => i.setVariable(mask, i.call(compareBytes, args)));
  const found = i.get(mask);
  const flags = [
    i.ne(found, 0), i.shl(i.ltU(textLength, count), 6), i.shl(i.ltU(setLength, count), 7), i.shl(i.and(found, 1), 11),
  ].reduce((x, y) => i.or(x, y));
  const upper = i.and(immediate, SELECTION);
  if (index) {
    const place = i.select(upper, i.sub(i.i32(31), i.op("i32_clz", [found])), i.op("i32_ctz", [found]));
    i.setRegister(RCX, 4, i.select(found, place, count));
  } else {
    const wide = i.select(i.and(immediate, WORDS), expand(i, "i16x8", 2, found), expand(i, "i8x16", 1, found));
    const narrow = i.op("i32x4_replace_lane", [i.v128(new Uint8Array(16)), found], 0);
    i.setPlace({ at: XMM }, 16, i.select(upper, wide, narrow));
  }
  i.setFlags({ rule: "image", image: flags });
};

/** Lanes of ones where the mask has a bit. */
function expand(i: InstructionBuilder, shape: "i8x16" | "i16x8", size: 1 | 2, mask: Value): Value {
  const pattern = Uint8Array.from({ length: 16 }, (_, n) => (n % size === 0 ? 1 << (n / size & 7) : 0));
  const bits = i.v128(pattern);
  const spread = size === 2 ? i.op("i16x8_splat", [mask])
    : i.op("i8x16_swizzle", [i.op("i16x8_splat", [mask]), i.v128(Uint8Array.from({ length: 16 }, (_, n) => n >> 3))]);
  return i.op(`${shape}_eq`, [i.op("v128_and", [spread, bits]), bits]);
}

export const SSE4_STRINGS: Record<string, Definition> = {
  PCMPESTRI: compare(true, true),
  PCMPESTRM: compare(true, false),
  PCMPISTRI: compare(false, true),
  PCMPISTRM: compare(false, false),
};
