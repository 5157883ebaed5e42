/**
 * A growing byte buffer with the number encodings of the WebAssembly binary format (core specification, section 5.2):
 * unsigned and signed LEB128, IEEE 754 little-endian, and length-prefixed names.
 */
export class Bytes {
  private buffer: Uint8Array<ArrayBuffer>;
  /** Bytes written so far. */
  length = 0;

  /** @param capacity bytes that there is room for before it grows */
  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  /** Makes room for so many bytes more. */
  private grow(count: number): void {
    const bigger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + count));
    bigger.set(this.buffer.subarray(0, this.length));
    this.buffer = bigger;
  }

  /** Appends one byte. */
  u8(value: number): void {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = value;
  }

  /** Appends bytes as they are. */
  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.buffer.length) this.grow(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Appends an unsigned 32-bit LEB128 number. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Appends a byte and an unsigned 32-bit LEB128 number. */
  withU32(byte: number, value: number): void {
    if (this.length + 1 >= this.buffer.length) this.grow(2);
    this.buffer[this.length++] = byte;
    if (value >= 0 && value < 0x80) this.buffer[this.length++] = value;
    else this.u32(value);
  }

  /** Appends a signed 32-bit LEB128 number. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.u8(low);
      this.u8(low | 0x80);
    }
  }

  /** Appends a signed 64-bit LEB128 number. */
  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.u8(low);
      this.u8(low | 0x80);
    }
  }

  /** Appends a 32-bit float. */
  f32(value: number): void {
    this.append(new Uint8Array(new Float32Array([value]).buffer));
  }

  /** Appends a 64-bit float. */
  f64(value: number): void {
    this.append(new Uint8Array(new Float64Array([value]).buffer));
  }

  /** Appends an ASCII name with its length. */
  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i) & 0x7f);
  }

  /** Appends another buffer with its length before it. */
  sized(bytes: Bytes): void {
    this.u32(bytes.length);
    this.append(bytes.take());
  }

  /** The bytes written, without a copy. */
  take(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length);
  }
}
