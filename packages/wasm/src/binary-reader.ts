/** Reads the number encodings that `Bytes` writes (core specification, section 5.2). */
export class BinaryReader {
  /** Where the next byte is. */
  at: number;
  readonly end: number;
  private readonly source: Uint8Array;
  private readonly view: DataView;

  constructor(source: Uint8Array, from = 0, end = source.length) {
    this.source = source;
    this.view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    this.at = from;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** One byte. */
  u8(): number {
    return this.source[this.at++]!;
  }

  /** An unsigned 32-bit LEB128 number. */
  u32(): number {
    return Number(BigInt.asUintN(32, this.leb()));
  }

  /** A signed 32-bit LEB128 number. */
  s32(): number {
    return Number(BigInt.asIntN(32, this.signed()));
  }

  /** A signed 64-bit LEB128 number. */
  s64(): bigint {
    return BigInt.asIntN(64, this.signed());
  }

  private bits = 0n;

  private leb(): bigint {
    let value = 0n;
    for (this.bits = 0n; ;) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << this.bits;
      this.bits += 7n;
      if (byte < 0x80) return value;
    }
  }

  private signed(): bigint {
    const value = this.leb();
    return BigInt.asIntN(Number(this.bits), value);
  }

  /** A 32-bit word. */
  word(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  /** A 32-bit float. */
  f32(): number {
    this.at += 4;
    return this.view.getFloat32(this.at - 4, true);
  }

  /** A 64-bit float. */
  f64(): number {
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }

  /** So many bytes. */
  bytes(length: number): Uint8Array {
    this.at += length;
    return this.source.subarray(this.at - length, this.at);
  }

  /** A name with its length before it. */
  name(): string {
    return new TextDecoder().decode(this.bytes(this.u32()));
  }

  /** Reads a count, and so many things. */
  repeat(read: () => void): void {
    for (let left = this.u32(); left > 0; left--) read();
  }
}
