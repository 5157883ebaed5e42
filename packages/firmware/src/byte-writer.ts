/**
 * A growing little-endian byte string: boot parameters, descriptor tables and ACPI tables are written with it field by field,
 * in the order in which their specifications list them.
 */

/** Appends fields, and writes over earlier ones by offset. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Bytes written so far, which is the offset of the next field. */
  get length(): number {
    return this.#length;
  }

  /** Appends an unsigned integer of `size` bytes (1 to 8; values up to 2^53). */
  integer(size: number, value: number): this {
    let rest = value;
    for (let i = 0; i < size; i++) {
      this.#push(rest % 256);
      rest = Math.floor(rest / 256);
    }
    return this;
  }

  u8(value: number): this {
    return this.integer(1, value);
  }

  u16(value: number): this {
    return this.integer(2, value);
  }

  u32(value: number): this {
    return this.integer(4, value);
  }

  u64(value: number): this {
    return this.integer(8, value);
  }

  /** Appends bytes as they are. */
  bytes(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i++) this.#push(bytes[i]!);
    return this;
  }

  /** Appends the Latin-1 codes of `text`, cut or padded to `width` with `fill` where a width is given. */
  text(text: string, width = text.length, fill = 0): this {
    for (let i = 0; i < width; i++) this.#push(i < text.length ? text.charCodeAt(i) : fill);
    return this;
  }

  /** Appends zeros until the length is `length`. */
  padTo(length: number): this {
    while (this.#length < length) this.#push(0);
    return this;
  }

  /** Appends zeros until the length is a multiple of `alignment`. */
  align(alignment: number): this {
    return this.padTo(Math.ceil(this.#length / alignment) * alignment);
  }

  /** Writes an unsigned integer over bytes that are already there. */
  patch(offset: number, size: number, value: number): this {
    let rest = value;
    for (let i = 0; i < size; i++) {
      this.#bytes[offset + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return this;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }
}

/** The byte that makes the sum of `bytes` zero modulo 256, as ACPI, MP and SMBIOS structures want it. */
export function checksum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += bytes[i]!;
  return -sum & 0xff;
}
