/**
 * The reading half of the codec; the layout stands in `encode.ts`. The input is not trusted: each length is checked against
 * what is left of the input before anything is allocated, and each step consumes input, so time and space are bounded by it.
 */

import { MAGIC, MAX_DEPTH, MAX_ZEROS, TAG, VERSION } from "./encode.ts";
import { PersistError } from "./errors.ts";
import type { PersistValue } from "./value.ts";

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  seek(position: number): void {
    this.#at = position;
  }

  malformed(what: string): PersistError {
    return new PersistError("PERSIST_MALFORMED", `The saved state is damaged at byte ${this.#at}: ${what}.`);
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) this.#truncated();
    return this.#bytes[this.#at++];
  }

  raw(count: number): Uint8Array {
    if (count > this.left) this.#truncated();
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  #truncated(): never {
    throw new PersistError("PERSIST_TRUNCATED", `The saved state ends at byte ${this.#bytes.length}, in the middle of a value; use a complete file.`);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw this.malformed("a number is too long");
      if (byte < 0x80) {
        // One spelling per number keeps equal values equal in bytes.
        if (byte === 0 && scale > 1) throw this.malformed("a number has a needless zero byte");
        return value;
      }
      scale *= 0x80;
      if (scale > Number.MAX_SAFE_INTEGER) throw this.malformed("a number is too long");
    }
  }

  /** A count of things that take at least one byte each. */
  count(): number {
    const count = this.varint();
    if (count > this.left) this.#truncated();
    return count;
  }

  string(): string {
    const length = this.count();
    const parts: string[] = [];
    for (let i = 0; i < length; i++) {
      const unit = this.varint();
      if (unit > 0xffff) throw this.malformed("a string holds a code unit above 65535");
      parts.push(String.fromCharCode(unit));
    }
    return parts.join("");
  }
}

function readBigInt(from: Reader): bigint {
  const sign = from.byte();
  const bytes = from.raw(from.count());
  if (sign > 1 || (bytes.length > 0 && bytes[bytes.length - 1] === 0) || (sign === 1 && bytes.length === 0)) {
    throw from.malformed("a big integer is not in its shortest form");
  }
  if (bytes.length === 0) return 0n;
  let hex = "0x";
  for (let i = bytes.length - 1; i >= 0; i--) hex += bytes[i].toString(16).padStart(2, "0");
  return sign === 1 ? -BigInt(hex) : BigInt(hex);
}

/** The pairs are walked twice: once to prove that they make up the length, then into the array. */
function readBytes(from: Reader): Uint8Array {
  const length = from.varint();
  const start = from.position;
  for (let done = 0; done < length; ) {
    const zeros = from.varint();
    const literals = from.count();
    from.raw(literals);
    if (zeros > MAX_ZEROS || zeros + literals === 0 || done + zeros + literals > length) throw from.malformed("a run of bytes has a wrong length");
    done += zeros + literals;
  }
  from.seek(start);
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    done += from.varint();
    const literals = from.raw(from.varint());
    bytes.set(literals, done);
    done += literals.length;
  }
  return bytes;
}

function readArray(from: Reader, depth: number): PersistValue[] {
  const count = from.count();
  const items: PersistValue[] = [];
  for (let i = 0; i < count; i++) items.push(readValue(from, depth));
  return items;
}

function readObject(from: Reader, depth: number): { [key: string]: PersistValue } {
  const count = from.count();
  const entries: [string, PersistValue][] = [];
  for (let i = 0; i < count; i++) {
    const key = from.string();
    if (i > 0 && key <= entries[i - 1][0]) throw from.malformed("the keys of an object are not in ascending order");
    entries.push([key, readValue(from, depth)]);
  }
  // `fromEntries` defines properties, so a key "__proto__" is only a key.
  return Object.fromEntries(entries);
}

function readValue(from: Reader, depth: number): PersistValue {
  if (depth > MAX_DEPTH) throw new PersistError("PERSIST_TOO_DEEP", `The saved state nests deeper than ${MAX_DEPTH} levels, which no machine's does.`);
  const tag = from.byte();
  switch (tag) {
    case TAG.NULL: return null;
    case TAG.FALSE: return false;
    case TAG.TRUE: return true;
    case TAG.INTEGER: {
      const zigzag = from.varint();
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    }
    case TAG.FLOAT: {
      const bytes = from.raw(8);
      return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
    }
    case TAG.BIGINT: return readBigInt(from);
    case TAG.STRING: return from.string();
    case TAG.BYTES: return readBytes(from);
    case TAG.ARRAY: return readArray(from, depth + 1);
    case TAG.OBJECT: return readObject(from, depth + 1);
    default: throw from.malformed(`there is no tag ${tag}`);
  }
}

/**
 * The value that `encode` made these bytes from. Nothing of it shares memory with the input.
 *
 * @throws PersistError, in this order: `PERSIST_MAGIC` (not a saved state), `PERSIST_VERSION` (a newer format),
 *   then `PERSIST_TRUNCATED`, `PERSIST_MALFORMED` or `PERSIST_TOO_DEEP` where it is met, `PERSIST_TRAILING` (bytes left over).
 * @example
 * decode(encode([1, "two", 3n])); // [1, "two", 3n]
 */
export function decode(bytes: Uint8Array): PersistValue {
  const from = new Reader(bytes);
  if (bytes.length < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new PersistError("PERSIST_MAGIC", "These bytes are not a saved state; they do not begin with DPLS.");
  }
  from.seek(MAGIC.length);
  const version = from.byte();
  if (version !== VERSION) throw new PersistError("PERSIST_VERSION", `The saved state has format ${version}; this program reads format ${VERSION}.`);
  const value = readValue(from, 0);
  if (from.left > 0) throw new PersistError("PERSIST_TRAILING", `The saved state is followed by ${from.left} bytes that do not belong to it.`);
  return value;
}
