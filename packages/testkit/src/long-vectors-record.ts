/**
 * One test of the 64-bit host vectors, as the bytes that `oracle/oracle64.c` reads and writes.
 *
 *   +0x000 u8 length, 15 bytes of code        +0x0a8 u32 error, u32 stray
 *   +0x010 u64 GPR[16]                        +0x0b0 416 bytes of an FXSAVE image
 *   +0x090 u64 RIP, u64 page-fault address    +0x250 512 bytes at DATA_WINDOW
 *   +0x0a0 u32 EFLAGS, u32 vector (FFh none)  +0x450 512 bytes at STACK_WINDOW
 *
 * The same pages are mapped at HIGH and, for 32-bit addresses, at LOW: the two differ in the upper halves only.
 */
export const RECORD_SIZE = 0x650;
export const LENGTH = 0x00;
export const CODE = 0x01;
export const GENERAL = 0x10;
export const RIP = 0x90;
export const ADDRESS = 0x98;
export const EFLAGS = 0xa0;
export const VECTOR = 0xa4;
export const ERROR = 0xa8;
export const STRAY = 0xac;
export const FX = 0xb0;
export const FCW = FX;
export const FSW = FX + 2;
export const FTW = FX + 4;
export const MXCSR = FX + 24;
export const ST = FX + 32;
export const XMM = FX + 160;
export const DATA = 0x250;
export const STACK = 0x450;

/** Value of `VECTOR` when the instruction completed. */
export const COMPLETED = 0xff;
/** Bytes of a window. */
export const WINDOW_SIZE = 512;
/** Where the pages begin. */
export const HIGH = 0x5_4000_0000n;
export const LOW = 0x4000_0000n;
/** Offsets from HIGH or LOW. */
export const CODE_OFFSET = 0x2000;
export const DATA_WINDOW = 0x4f00;
export const UNMAPPED = 0x6000;
export const READ_ONLY = 0x7000;
export const BEHIND_READ_ONLY = 0x8000;
export const STACK_FLOOR = 0x9000;
export const STACK_WINDOW = 0x9f00;
export const STACK_CEILING = 0xb000;

/** A record with accessors for its numbers. */
export class LongRecord {
  readonly bytes = new Uint8Array(RECORD_SIZE);
  readonly words = new Int32Array(this.bytes.buffer);
  readonly view = new DataView(this.bytes.buffer);

  u16(at: number): number {
    return this.view.getUint16(at, true);
  }
  setU16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }
  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  u64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }
  setU64(at: number, value: bigint): void {
    this.view.setBigUint64(at, value, true);
  }
  gpr(n: number): bigint {
    return this.u64(GENERAL + 8 * n);
  }
  setGpr(n: number, value: bigint): void {
    this.setU64(GENERAL + 8 * n, value);
  }
  /** Where a linear address stands in the record, or -1. */
  at(linear: bigint): number {
    const offset = linear >= HIGH ? linear - HIGH : linear - LOW;
    for (const [window, place] of [[DATA_WINDOW, DATA], [STACK_WINDOW, STACK]] as const) {
      if (offset >= BigInt(window) && offset < BigInt(window + WINDOW_SIZE)) return place + Number(offset) - window;
    }
    return -1;
  }
  /** Writes the low bytes of a value at a linear address; what lies outside the windows is ignored. */
  poke(linear: bigint, size: number, value: bigint): void {
    for (let n = 0; n < size; n++) {
      const at = this.at(linear + BigInt(n));
      if (at >= 0) this.bytes[at] = Number((value >> BigInt(8 * n)) & 0xffn);
    }
  }
}

/** Clears what the host's FXSAVE does not tell: AMD saves the last x87 instruction only while an exception is pending. */
export function forgetPointers(bytes: Uint8Array): void {
  bytes.fill(0, FX + 5, FX + 24);
  bytes.fill(0, FX + 28, FX + 32);
  for (let n = 0; n < 8; n++) bytes.fill(0, ST + 16 * n + 10, ST + 16 * n + 16);
}

/** Reorders an image's ST(0..7) to physical registers R0..7. */
export function toPhysical(bytes: Uint8Array): void {
  const top = (bytes[FSW + 1]! >> 3) & 7;
  if (top === 0) return;
  const rotated = Uint8Array.from(bytes.subarray(ST, ST + 128));
  for (let n = 0; n < 8; n++) bytes.set(rotated.subarray(16 * n, 16 * n + 16), ST + 16 * ((top + n) & 7));
}

/** What every completed instruction does: RIP moves behind it. The outcome has its x87 registers in physical order. */
export function advance(input: LongRecord, out: LongRecord): void {
  out.bytes.set(input.bytes);
  toPhysical(out.bytes);
  out.setU64(RIP, input.u64(RIP) + BigInt(input.bytes[LENGTH]!));
  out.setU32(VECTOR, COMPLETED);
}

/** The differences between two records as runs, in the form of `host-vectors-file.ts`. */
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

/** One step of the hash over a group's inputs. */
export function hashRecord(hash: number, words: Int32Array): number {
  let sum = hash;
  for (let n = 0; n < RECORD_SIZE / 4; n++) sum = Math.imul(sum ^ words[n]!, 0x01000193);
  return sum ^ (sum >>> 15);
}
