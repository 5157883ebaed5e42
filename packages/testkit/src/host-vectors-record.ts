/**
 * One test of the host vectors: an instruction and everything it can see, as the bytes that `oracle/oracle.c` reads and writes.
 *
 *   +0x000 u8 length, 15 bytes of code        +0x044 u16 DS ES SS GS
 *   +0x010 u32 GPR[8] EAX..EDI                +0x04c u32 stray: a write outside the windows; u16 FS
 *   +0x030 u32 EFLAGS, u32 EIP                +0x054 288 bytes of an FXSAVE image: control, ST(0..7), XMM0..7
 *   +0x038 u32 vector (FFh none), u32 error   +0x174 512 bytes at DATA_WINDOW
 *   +0x040 u32 page-fault address             +0x374 512 bytes at STACK_WINDOW
 *
 * Memory outside the windows is zero, save for a read-only page with a fixed pattern; the rest is unmapped.
 */

export const RECORD_SIZE = 1396;
export const LENGTH = 0x00;
export const CODE = 0x01;
export const GENERAL = 0x10;
export const EFLAGS = 0x30;
export const EIP = 0x34;
export const VECTOR = 0x38;
export const ERROR = 0x3c;
export const ADDRESS = 0x40;
export const SELECTORS = 0x44;
export const STRAY = 0x4c;
export const FX = 0x54;
export const FCW = FX;
export const FSW = FX + 2;
export const FTW = FX + 4;
export const MXCSR = FX + 24;
export const ST = FX + 32;
export const XMM = FX + 160;
export const DATA = 0x174;
export const STACK = 0x374;

/** Value of `VECTOR` when the instruction completed. */
export const COMPLETED = 0xff;
/** Bytes of a window. */
export const WINDOW_SIZE = 512;
/** Linear addresses of the two windows; each lies across the border of two mapped pages. */
export const DATA_WINDOW = 0x4f00;
export const STACK_WINDOW = 0x9f00;
/** Where the instruction stands, between 4 KiB of INT3 on both sides. */
export const CODE_ADDRESS = 0x2000;
/** First addresses without memory behind the data pages, the read-only page and the stack pages. */
export const UNMAPPED = 0x6000;
export const READ_ONLY = 0x7000;
export const BEHIND_READ_ONLY = 0x8000;
export const STACK_FLOOR = 0x9000;
export const STACK_CEILING = 0xb000;
/** Selectors of 32-bit user code and data. */
export const CODE_SELECTOR = 0x23;
export const DATA_SELECTOR = 0x2b;

/** The byte of the read-only page at an offset. */
export function readOnlyByte(offset: number): number {
  return (offset * 37 + (offset >> 8)) & 0xff;
}

/** A record with accessors for its numbers. */
export class CaseRecord {
  readonly bytes = new Uint8Array(RECORD_SIZE);
  readonly words = new Int32Array(this.bytes.buffer);
  readonly view = new DataView(this.bytes.buffer);

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  u16(at: number): number {
    return this.view.getUint16(at, true);
  }
  setU16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }
  gpr(n: number): number {
    return this.u32(GENERAL + 4 * n);
  }
  setGpr(n: number, value: number): void {
    this.setU32(GENERAL + 4 * n, value);
  }
  /** Writes a general register of 1, 2 or 4 bytes, named as ModRM names it. */
  setRegister(n: number, size: number, value: number): void {
    if (size === 1) this.bytes[GENERAL + 4 * (n & 3) + (n >> 2)] = value;
    else if (size === 2) this.setU16(GENERAL + 4 * n, value);
    else this.setGpr(n, value);
  }
  /** Writes `size` bytes at a linear address; what lies outside the windows is ignored. */
  poke(linear: number, size: number, value: number): void {
    for (let n = 0; n < size; n++) {
      const at = linear + n;
      const byte = n < 4 ? value >>> (8 * n) : 0;
      if (at >= DATA_WINDOW && at < DATA_WINDOW + WINDOW_SIZE) this.bytes[DATA + at - DATA_WINDOW] = byte;
      else if (at >= STACK_WINDOW && at < STACK_WINDOW + WINDOW_SIZE) this.bytes[STACK + at - STACK_WINDOW] = byte;
    }
  }
  /** Where MMX register `n` stands: the image holds ST(i), and MM(n) is physical register n. */
  mmxAt(n: number): number {
    return ST + 16 * ((n - (this.u16(FSW) >> 11)) & 7);
  }
  /** Copies bytes to a linear address within the data window. */
  pokeBytes(linear: number, from: Uint8Array): void {
    const at = linear - DATA_WINDOW;
    if (at >= 0 && at + from.length <= WINDOW_SIZE) this.bytes.set(from, DATA + at);
  }
}

/** Clears what the host's FXSAVE does not tell: AMD saves the last x87 instruction only while an exception is pending. */
export function forgetPointers(bytes: Uint8Array): void {
  bytes.fill(0, FX + 5, FX + 24);
  bytes.fill(0, FX + 28, FX + 32);
  for (let n = 0; n < 8; n++) bytes.fill(0, ST + 16 * n + 10, ST + 16 * n + 16);
}

/** Reorders an image's ST(0..7) to physical registers R0..7: outcomes are compared and stored so, since a push moves no register. */
export function toPhysical(bytes: Uint8Array): void {
  const top = (bytes[FSW + 1]! >> 3) & 7;
  if (top === 0) return;
  const rotated = Uint8Array.from(bytes.subarray(ST, ST + 128)); // not slice: that of a Buffer copies nothing
  for (let n = 0; n < 8; n++) bytes.set(rotated.subarray(16 * n, 16 * n + 16), ST + 16 * ((top + n) & 7));
}

/** What every completed instruction does: EIP moves behind it. The outcome has its x87 registers in physical order. */
export function advance(input: Uint8Array, out: Uint8Array): void {
  out.set(input);
  toPhysical(out);
  const view = new DataView(out.buffer, out.byteOffset);
  view.setUint32(EIP, view.getUint32(EIP, true) + out[LENGTH]!, true);
  view.setUint32(VECTOR, COMPLETED, true);
}

/**
 * The differences between two records as runs: `u8 count`, then per run `u16 offset, u8 length`, and apart from them the bytes
 * of the runs. Runs closer than three bytes are one.
 */
export function difference(from: Uint8Array, to: Uint8Array, heads: number[], bytes: number[]): void {
  const count = heads.length;
  heads.push(0);
  for (let at = 0; at < RECORD_SIZE; at++) {
    if (from[at] === to[at]) continue;
    let end = at + 1;
    for (let look = end; look < RECORD_SIZE && look < end + 3 && look - at < 255; look++) if (from[look] !== to[look]) end = look + 1;
    heads.push(at & 0xff, at >> 8, end - at);
    heads[count]!++;
    for (; at < end; at++) bytes.push(to[at]!);
    at--;
  }
}
