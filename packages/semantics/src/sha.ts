/**
 * SHA extensions (SDM volume 2, SHA1RNDS4 to SHA256MSG2; FIPS 180-4). Registers hold their four numbers with the first one in the
 * highest dword for SHA-1, and in the lowest for the message words of SHA-256.
 */
import { irFunction, type Builder } from "./builder.ts";
import type { Definition } from "./instruction.ts";
import type { IrFunction, Value } from "./ir.ts";
import { XMM } from "./layout.ts";
import { lanes, shuffle } from "./sse-integer.ts";
import { beginVector, immediateByte, readVector, writeVector } from "./sse-operands.ts";

function lane(b: Builder, vector: Value, n: number): Value {
  return b.op("i32x4_extract_lane", [vector], n);
}
/** A vector of four numbers, the lowest first. */
function vectorOf(b: Builder, numbers: readonly Value[]): Value {
  return numbers.reduce((vector, number, n) => b.op("i32x4_replace_lane", [vector, number], n), b.v128(new Uint8Array(16)));
}
function added(b: Builder, ...values: Value[]): Value {
  return values.reduce((x, y) => b.add(x, y));
}
const choose = (b: Builder, x: Value, y: Value, z: Value): Value => b.xor(b.and(x, y), b.and(b.not(x), z));
const majority = (b: Builder, x: Value, y: Value, z: Value): Value => b.xor(b.xor(b.and(x, y), b.and(x, z)), b.and(y, z));
const parity = (b: Builder, x: Value, y: Value, z: Value): Value => b.xor(b.xor(x, y), z);

// ---- SHA-1 ----

/** The round constants by the low bits of the immediate (FIPS 180-4, 4.2.1). */
const SHA1_CONSTANTS = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6];

const sha1Rounds = irFunction("sha1_rounds", ["v128", "v128", "i32"], "v128", (b, state, words, kind) => {
  const constant = SHA1_CONSTANTS.slice(1).reduce((value, k, n) => b.select(b.eq(kind, n + 1), b.i32(k), value), b.i32(SHA1_CONSTANTS[0]!));
  let [a, x, y, z, e] = [lane(b, state, 3), lane(b, state, 2), lane(b, state, 1), lane(b, state, 0), b.i32(0)];
  for (let n = 0; n < 4; n++) {
    const f = b.select(b.eqz(kind), choose(b, x, y, z), b.select(b.eq(kind, 2), majority(b, x, y, z), parity(b, x, y, z)));
    // The first of the words has E in it already.
    const next = added(b, f, b.rotl(a, 5), lane(b, words, 3 - n), constant, e);
    [a, x, y, z, e] = [next, a, b.rotl(x, 30), y, z];
  }
  b.return(vectorOf(b, [z, y, x, a]));
});

const sha1Next = irFunction("sha1_next", ["v128", "v128"], "v128", (b, x, y) => {
  b.return(b.op("i32x4_replace_lane", [y, b.add(lane(b, y, 3), b.rotl(lane(b, x, 3), 30))], 3));
});

const sha1Schedule1 = irFunction("sha1_schedule_1", ["v128", "v128"], "v128", (b, x, y) => {
  b.return(b.op("v128_xor", [x, shuffle(b, y, x, lanes(4, [2, 3, 4, 5]))]));
});

const sha1Schedule2 = irFunction("sha1_schedule_2", ["v128", "v128"], "v128", (b, x, y) => {
  const word = (n: number, other: Value): Value => b.rotl(b.xor(lane(b, x, n), other), 1);
  const first = word(3, lane(b, y, 2));
  b.return(vectorOf(b, [word(0, first), word(1, lane(b, y, 0)), word(2, lane(b, y, 1)), first]));
});

// ---- SHA-256 ----

const rotations = (b: Builder, x: Value, first: number, second: number, third: number): Value =>
  b.xor(b.xor(b.rotr(x, first), b.rotr(x, second)), b.rotr(x, third));
const smallSigma = (b: Builder, x: Value, first: number, second: number, shift: number): Value =>
  b.xor(b.xor(b.rotr(x, first), b.rotr(x, second)), b.shrU(x, shift));

const sha256Rounds = irFunction("sha256_rounds", ["v128", "v128", "v128"], "v128", (b, cdgh, abef, words) => {
  let [a, x, e, f] = [3, 2, 1, 0].map((n) => lane(b, abef, n)) as [Value, Value, Value, Value];
  let [c, d, g, h] = [3, 2, 1, 0].map((n) => lane(b, cdgh, n)) as [Value, Value, Value, Value];
  for (let n = 0; n < 2; n++) {
    const t1 = added(b, h, rotations(b, e, 6, 11, 25), choose(b, e, f, g), lane(b, words, n));
    const t2 = b.add(rotations(b, a, 2, 13, 22), majority(b, a, x, c));
    [a, x, c, d, e, f, g, h] = [b.add(t1, t2), a, x, c, b.add(d, t1), e, f, g];
  }
  b.return(vectorOf(b, [f, e, x, a]));
});

const sha256Schedule1 = irFunction("sha256_schedule_1", ["v128", "v128"], "v128", (b, x, y) => {
  const words = [lane(b, x, 0), lane(b, x, 1), lane(b, x, 2), lane(b, x, 3), lane(b, y, 0)];
  b.return(vectorOf(b, [0, 1, 2, 3].map((n) => b.add(words[n]!, smallSigma(b, words[n + 1]!, 7, 18, 3)))));
});

const sha256Schedule2 = irFunction("sha256_schedule_2", ["v128", "v128"], "v128", (b, x, y) => {
  const words: Value[] = [];
  for (let n = 0; n < 4; n++) {
    const before = n < 2 ? lane(b, y, n + 2) : words[n - 2]!;
    words.push(b.add(lane(b, x, n), smallSigma(b, before, 17, 19, 10)));
  }
  b.return(vectorOf(b, words));
});

const twoOperands = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  writeVector(i, 0, i.call(callee, [readVector(i, 0), source]));
};

export const SHA: Record<string, Definition> = {
  SHA1RNDS4: (i) => {
    beginVector(i);
    const source = readVector(i, 1);
    writeVector(i, 0, i.call(sha1Rounds, [readVector(i, 0), source, i.and(immediateByte(i), 3)]));
  },
  SHA1NEXTE: twoOperands(sha1Next),
  SHA1MSG1: twoOperands(sha1Schedule1),
  SHA1MSG2: twoOperands(sha1Schedule2),
  SHA256RNDS2: (i) => {
    beginVector(i);
    const source = readVector(i, 1);
    writeVector(i, 0, i.call(sha256Rounds, [readVector(i, 0), source, i.place({ at: XMM }, 16)]));
  },
  SHA256MSG1: twoOperands(sha256Schedule1),
  SHA256MSG2: twoOperands(sha256Schedule2),
};
