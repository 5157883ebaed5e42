/**
 * One round of AES per instruction (SDM volume 1, 12.13; FIPS 197). The state's columns are the dwords of the register. The substitution is
 * sixteen table look-ups of 16 bytes each: a swizzle gives zero for what lies outside its table.
 */
import { irFunction, type Builder } from "./builder.ts";
import type { Definition } from "./instruction.ts";
import type { IrFunction, Value } from "./ir.ts";
import { shuffle } from "./sse-integer.ts";
import { beginVector, immediateByte, readVector, writeVector } from "./sse-operands.ts";

/** The S-box and its inverse, from their definition (FIPS 197, 5.1.1): the multiplicative inverse, then an affine map. */
function substitutionBoxes(): { forward: Uint8Array; inverse: Uint8Array } {
  const forward = new Uint8Array(256);
  const inverse = new Uint8Array(256);
  // p runs through all powers of 3, q through those of its inverse.
  let p = 1;
  let q = 1;
  do {
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x11b : 0)) & 0xff;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    const turned = (n: number): number => ((q << n) | (q >> (8 - n))) & 0xff;
    forward[p] = q ^ turned(1) ^ turned(2) ^ turned(3) ^ turned(4) ^ 0x63;
  } while (p !== 1);
  forward[0] = 0x63;
  for (let n = 0; n < 256; n++) inverse[forward[n]!] = n;
  return { forward, inverse };
}
const BOXES = substitutionBoxes();

function substitution(name: string, box: Uint8Array): IrFunction {
  return irFunction(name, ["v128"], "v128", (b, state) => {
    const sixteen = b.op("i8x16_splat", [b.i32(16)]);
    const numbers = b.variable(state);
    const result = b.variable(b.op("i8x16_swizzle", [b.v128(box.slice(0, 16)), state]));
    for (let n = 16; n < 256; n += 16) {
      b.setVariable(numbers, b.op("i8x16_sub", [b.get(numbers), sixteen]));
      b.setVariable(result, b.op("v128_or", [b.get(result), b.op("i8x16_swizzle", [b.v128(box.slice(n, n + 16)), b.get(numbers)])]));
    }
    b.return(b.get(result));
  });
}
const substitute = substitution("aes_substitute", BOXES.forward);
const substituteBack = substitution("aes_substitute_back", BOXES.inverse);

/** Byte n of the result: row r of column c comes from column c + r (or c - r). */
const SHIFT_ROWS = Array.from({ length: 16 }, (_, n) => (n + 4 * (n & 3)) & 15);
const SHIFT_ROWS_BACK = Array.from({ length: 16 }, (_, n) => (n - 4 * (n & 3)) & 15);

/** Every column's bytes turned by so many rows. */
function turnColumns(b: Builder, state: Value, rows: number): Value {
  return shuffle(b, state, state, Array.from({ length: 16 }, (_, n) => (n & 12) | ((n + rows) & 3)));
}
/** Every byte times 2 in the field. */
function twice(b: Builder, state: Value): Value {
  const reduced = b.op("v128_and", [b.op("i8x16_shr_s", [state, b.i32(7)]), b.op("i8x16_splat", [b.i32(0x1b)])]);
  return b.op("v128_xor", [b.op("i8x16_add", [state, state]), reduced]);
}
function sum(b: Builder, ...values: Value[]): Value {
  return values.reduce((x, y) => b.op("v128_xor", [x, y]));
}
/** 2 times a byte, 3 times the next row's, and those of the other two rows. */
function mixColumns(b: Builder, state: Value): Value {
  const next = turnColumns(b, state, 1);
  return sum(b, twice(b, sum(b, state, next)), next, turnColumns(b, state, 2), turnColumns(b, state, 3));
}
/** The inverse is the forward mix of a state to which 4 times (itself and the row after next) was added. */
function mixColumnsBack(b: Builder, state: Value): Value {
  const four = twice(b, twice(b, sum(b, state, turnColumns(b, state, 2))));
  return mixColumns(b, sum(b, state, four));
}

function round(name: string, mixed: boolean, back: boolean): IrFunction {
  return irFunction(name, ["v128", "v128"], "v128", (b, state, key) => {
    const shifted = shuffle(b, state, state, back ? SHIFT_ROWS_BACK : SHIFT_ROWS);
    const substituted = b.call(back ? substituteBack : substitute, [shifted]);
    b.return(sum(b, mixed ? (back ? mixColumnsBack : mixColumns)(b, substituted) : substituted, key));
  });
}

const twoOperands = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const key = readVector(i, 1);
  writeVector(i, 0, i.call(callee, [readVector(i, 0), key]));
};

const inverseMix = irFunction("aes_mix_back", ["v128"], "v128", (b, state) => b.return(mixColumnsBack(b, state)));

const aesimc: Definition = (i) => {
  beginVector(i);
  writeVector(i, 0, i.call(inverseMix, [readVector(i, 1)]));
};

/** AESKEYGENASSIST: dwords 1 and 3 substituted, as they are and turned by a byte with the round constant added. */
const keyAssist: Definition = (i) => {
  beginVector(i);
  const substituted = i.call(substitute, [readVector(i, 1)]);
  const arranged = shuffle(i, substituted, substituted, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  const constant = i.op("i64x2_splat", [i.shl(i.extendU(immediateByte(i)), 32)]);
  writeVector(i, 0, i.op("v128_xor", [arranged, constant]));
};

export const AES: Record<string, Definition> = {
  AESENC: twoOperands(round("aes_encrypt", true, false)),
  AESENCLAST: twoOperands(round("aes_encrypt_last", false, false)),
  AESDEC: twoOperands(round("aes_decrypt", true, true)),
  AESDECLAST: twoOperands(round("aes_decrypt_last", false, true)),
  AESIMC: aesimc,
  AESKEYGENASSIST: keyAssist,
};
