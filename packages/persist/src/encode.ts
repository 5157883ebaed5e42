/**
 * The writing half of the codec.
 *
 *   magic "DPLS" (4 bytes) | version (1 byte) | value
 *   value = tag (1 byte) and:
 *     INTEGER  zigzag varint          FLOAT   8 bytes, little endian
 *     BIGINT   sign byte, length, magnitude (little endian)
 *     STRING   length, one varint per UTF-16 code unit
 *     BYTES    length, then pairs (zeros, literal count, literals) until the length is reached
 *     ARRAY    count, values          OBJECT  count, (key string, value) in ascending order of keys
 *
 * A varint has 7 bits per byte, low bits first. Equal values give equal bytes, so a hash of the bytes is a hash of the state.
 */

import { PersistError } from "./errors.ts";
import type { PersistValue } from "./value.ts";

export const MAGIC = [0x44, 0x50, 0x4c, 0x53] as const;
export const VERSION = 1;

export const TAG = {
  NULL: 0, FALSE: 1, TRUE: 2, INTEGER: 3, FLOAT: 4, BIGINT: 5, STRING: 6, BYTES: 7, ARRAY: 8, OBJECT: 9,
} as const;

/** Longest run of zeros that one pair may stand for: what a decoder allocates stays bounded by the length of its input. */
export const MAX_ZEROS = 1 << 20;
/** Zeros shorter than this stay among the literals: a pair costs two bytes or more. */
const MIN_ZEROS = 8;
/** Deepest nesting; a machine's state uses about six levels. */
export const MAX_DEPTH = 64;

class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  #room(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  raw(from: Uint8Array): void {
    this.#room(from.length);
    this.#bytes.set(from, this.#length);
    this.#length += from.length;
  }

  /** A non-negative safe integer, up to 53 bits. */
  varint(value: number): void {
    while (value >= 0x80) {
      this.byte((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    this.byte(value);
  }

  string(text: string): void {
    this.varint(text.length);
    for (let i = 0; i < text.length; i++) this.varint(text.charCodeAt(i));
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

function writeNumber(to: Writer, value: number): void {
  // Zigzag doubles the value, so half of the safe range is encoded as an integer; -0 is not an integer here.
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 52 && !Object.is(value, -0)) {
    to.byte(TAG.INTEGER);
    to.varint(value < 0 ? -2 * value - 1 : 2 * value);
    return;
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  to.byte(TAG.FLOAT);
  to.raw(bytes);
}

function writeBigInt(to: Writer, value: bigint): void {
  to.byte(TAG.BIGINT);
  to.byte(value < 0n ? 1 : 0);
  const hex = (value < 0n ? -value : value).toString(16);
  const digits = hex.length % 2 === 0 ? hex : `0${hex}`;
  const count = value === 0n ? 0 : digits.length / 2;
  to.varint(count);
  for (let i = count - 1; i >= 0; i--) to.byte(Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

function zerosAt(bytes: Uint8Array, from: number): number {
  const end = Math.min(bytes.length, from + MAX_ZEROS);
  let at = from;
  while (at < end && bytes[at] === 0) at++;
  return at - from;
}

function writeBytes(to: Writer, bytes: Uint8Array): void {
  to.byte(TAG.BYTES);
  to.varint(bytes.length);
  let at = 0;
  while (at < bytes.length) {
    const zeros = zerosAt(bytes, at);
    at += zeros;
    const start = at;
    if (zeros < MAX_ZEROS) {
      // Literals go on until a run of zeros that is worth a pair of its own.
      while (at < bytes.length) {
        if (bytes[at] !== 0) {
          at++;
          continue;
        }
        const gap = zerosAt(bytes, at);
        if (gap >= MIN_ZEROS || at + gap === bytes.length) break;
        at += gap;
      }
    }
    to.varint(zeros);
    to.varint(at - start);
    to.raw(bytes.subarray(start, at));
  }
}

function writeValue(to: Writer, value: PersistValue, depth: number): void {
  if (depth > MAX_DEPTH) throw new PersistError("PERSIST_TOO_DEEP", `A value nested deeper than ${MAX_DEPTH} levels cannot be saved; flatten it.`);
  if (value === null) to.byte(TAG.NULL);
  else if (value === false) to.byte(TAG.FALSE);
  else if (value === true) to.byte(TAG.TRUE);
  else if (typeof value === "number") writeNumber(to, value);
  else if (typeof value === "bigint") writeBigInt(to, value);
  else if (typeof value === "string") {
    to.byte(TAG.STRING);
    to.string(value);
  } else if (value instanceof Uint8Array) writeBytes(to, value);
  else if (Array.isArray(value)) {
    to.byte(TAG.ARRAY);
    to.varint(value.length);
    for (const item of value as readonly PersistValue[]) writeValue(to, item, depth + 1);
  } else if (typeof value === "object") {
    const fields = value as { readonly [key: string]: PersistValue };
    const keys = Object.keys(fields).sort();
    to.byte(TAG.OBJECT);
    to.varint(keys.length);
    for (const key of keys) {
      to.string(key);
      writeValue(to, fields[key], depth + 1);
    }
  } else {
    throw new PersistError("PERSIST_UNSUPPORTED", `A value of type ${typeof value} cannot be saved; use null, a number, a string, bytes, an array or a plain object.`);
  }
}

/**
 * The bytes of a value; equal values give equal bytes, whatever the order of their keys. Long runs of zeros, such as
 * untouched RAM, cost four bytes per mebibyte.
 *
 * @throws PersistError `PERSIST_UNSUPPORTED` for a value outside `PersistValue` (`undefined`, a function),
 *   `PERSIST_TOO_DEEP` beyond 64 levels (a cycle ends there too).
 * @example
 * decode(encode({ ticks: 3, ram: new Uint8Array(1 << 20) })); // the same value again
 */
export function encode(value: PersistValue): Uint8Array {
  const to = new Writer();
  for (const byte of MAGIC) to.byte(byte);
  to.byte(VERSION);
  writeValue(to, value, 0);
  return to.done();
}
