/**
 * Linear memory as helpers and slow paths see it: any alignment, memory or device behind it, both pages of a crossing
 * access translated before a byte moves (SDM volume 3, 4.7 and 6.15 "Page-Fault Exception").
 */
import { VECTOR_GP } from "@doppel/x86";
import { EXECUTE, READ, TLB_READ_TAG, TLB_WRITE_TAG, WRITE } from "@doppel/mmu";
import type { Access } from "@doppel/mmu";
import type { Cpu } from "../cpu.ts";
import { SCRATCH, STATE } from "../state-layout.ts";
import { noteDataAccess } from "./debug-registers.ts";
import { isCanonical } from "./non-canonical.ts";

const TWO_32 = 0x1_0000_0000;

/** Result of {@link LinearMemory.fetch}: a fault is recorded. */
export const FETCH_FAULT = -1;
/** Result of {@link LinearMemory.fetch}: no memory stands there; the bytes read as all ones. */
export const FETCH_NO_MEMORY = -2;

/** Reads and writes for one vCPU. A method returns false when a fault was recorded; nothing has been written then. */
export class LinearMemory {
  /** The value of the last read, unsigned; the low half of eight bytes. */
  value = 0;
  /** The upper half of an eight-byte read, else zero. */
  valueHigh = 0;
  readonly #cpu: Cpu;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  // The span translated last: where each of its (at most two) pages is, and how many bytes lie on the first.
  #host0 = -1;
  #host1 = -1;
  #physical0 = 0;
  #physical1 = 0;
  #mmio0 = false;
  #mmio1 = false;
  #split = 0;

  constructor(cpu: Cpu, buffer: ArrayBufferLike) {
    this.#cpu = cpu;
    this.#view = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  /** Checks that `size` bytes may be accessed, with the side effects of an access on TLB, A and D bits. */
  probe(linear: number, size: number, access: Access, user: boolean): boolean {
    const mmu = this.#cpu.mmu;
    if (!mmu.translate(linear, access, user)) return this.#pageFault(linear);
    this.#host0 = mmu.host;
    this.#physical0 = mmu.physical;
    this.#mmio0 = mmu.mmio;
    const room = 4096 - (linear & 0xfff);
    this.#split = size;
    if (size <= room) return true;
    this.#split = room;
    // Segments of 32 bits wrap around at 4 GiB; tables of compatibility mode may stand anywhere.
    const next = linear + room === TWO_32 && !this.#cpu.longMode ? 0 : linear + room;
    if (!mmu.translate(next, access, user)) return this.#pageFault(next);
    this.#host1 = mmu.host;
    this.#physical1 = mmu.physical;
    this.#mmio1 = mmu.mmio;
    return true;
  }

  /** Host address of bytes that one entry of the TLB permits to be accessed without a further look, else -1. */
  #direct(linear: number, size: number, tag: number, user: boolean): number {
    const { mmu, dataBreakpoints } = this.#cpu;
    return dataBreakpoints || (linear & 0xfff) + size > 4096 ? -1 : mmu.tlb.lookup(mmu.viewOf(user), linear, tag);
  }

  /** Reads 1, 2, 4 or 8 bytes into `value` (and `valueHigh`). */
  read(linear: number, size: number, user: boolean): boolean {
    const host = this.#direct(linear, size, TLB_READ_TAG, user);
    if (host >= 0) {
      this.value = size >= 4 ? this.#view.getUint32(host, true) : size === 2 ? this.#view.getUint16(host, true) : this.#bytes[host];
      this.valueHigh = size === 8 ? this.#view.getUint32(host + 4, true) : 0;
      return true;
    }
    if (!this.probe(linear, size, READ, user)) return false;
    if (this.#cpu.dataBreakpoints) noteDataAccess(this.#cpu, linear, size, false);
    this.value = this.#get(0, size < 4 ? size : 4);
    this.valueHigh = size === 8 ? this.#get(4, 4) : 0;
    return true;
  }

  /** The last value read as a signed 64-bit number; exact when it is a canonical address. */
  get number(): number {
    return (this.valueHigh | 0) * TWO_32 + this.value;
  }

  /** Writes 1, 2, 4 or 8 bytes. */
  write(linear: number, size: number, value: number, user: boolean, high = 0): boolean {
    const host = this.#direct(linear, size, TLB_WRITE_TAG, user);
    if (host >= 0) {
      if (size >= 4) this.#view.setInt32(host, value, true);
      else if (size === 2) this.#view.setInt16(host, value, true);
      else this.#bytes[host] = value;
      if (size === 8) this.#view.setInt32(host + 4, high, true);
      return true;
    }
    if (!this.probe(linear, size, WRITE, user)) return false;
    if (this.#cpu.dataBreakpoints) noteDataAccess(this.#cpu, linear, size, true);
    this.#put(0, size < 4 ? size : 4, value);
    if (size === 8) this.#put(4, 4, high);
    return true;
  }

  /** Writes `count` values of 4 or 8 bytes downwards, the last of them at `linear`; all lie in one page, and nobody watches. */
  writeFrame(linear: number, size: number, count: number, lows: Int32Array, highs: Int32Array, user: boolean): boolean {
    const bytes = size * count;
    const host = this.#direct(linear, bytes, TLB_WRITE_TAG, user);
    if (host < 0 && !this.probe(linear, bytes, WRITE, user)) return false;
    for (let i = 0, at = bytes - size; i < count; i += 1, at -= size) {
      if (host >= 0) {
        this.#view.setInt32(host + at, lows[i], true);
        if (size === 8) this.#view.setInt32(host + at + 4, highs[i], true);
      } else {
        this.#put(at, 4, lows[i]);
        if (size === 8) this.#put(at + 4, 4, highs[i]);
      }
    }
    return true;
  }

  /** Copies bytes out of linear memory, `out.length` at most 4096. #GP(0) for a non-canonical address, #PF. */
  readBytes(linear: number, out: Uint8Array, user: boolean): boolean {
    const host = this.#direct(linear, out.length, TLB_READ_TAG, user);
    if (host >= 0) {
      out.set(this.#bytes.subarray(host, host + out.length));
      return true;
    }
    if (!this.#canonical(linear, out.length) || !this.probe(linear, out.length, READ, user)) return false;
    if (this.#cpu.dataBreakpoints) noteDataAccess(this.#cpu, linear, out.length, false);
    for (let i = 0; i < out.length; i += 1) out[i] = this.#get(i, 1);
    return true;
  }

  /** Copies at most 4096 bytes into linear memory. Faults as {@link readBytes}. */
  writeBytes(linear: number, bytes: Uint8Array, user: boolean): boolean {
    const host = this.#direct(linear, bytes.length, TLB_WRITE_TAG, user);
    if (host >= 0) {
      this.#bytes.set(bytes, host);
      return true;
    }
    if (!this.#canonical(linear, bytes.length) || !this.probe(linear, bytes.length, WRITE, user)) return false;
    if (this.#cpu.dataBreakpoints) noteDataAccess(this.#cpu, linear, bytes.length, true);
    for (let i = 0; i < bytes.length; i += 1) this.#put(i, 1, bytes[i]);
    return true;
  }

  /**
   * What generated code calls when its inline check fails: reads 1, 2, 4, 8, 10 or 16 bytes into SCRATCH, zero-extended to
   * the next 4 bytes, with the privilege of CPL. #PF, #AC(0), and #GP(0) for a non-canonical address.
   */
  loadSlow(low: number, high: number, size: number): boolean {
    const linear = this.#linear(low, high);
    if (!this.#slowProbe(linear, size, READ)) return false;
    if (this.#cpu.dataBreakpoints) noteDataAccess(this.#cpu, linear, size, false);
    let at = 0;
    for (; at + 4 <= size; at += 4) this.#view.setUint32(STATE + SCRATCH + at, this.#get(at, 4), true);
    if (at < size) this.#view.setUint32(STATE + SCRATCH + at, this.#get(at, size - at), true);
    return true;
  }

  /** Writes `size` bytes from SCRATCH, with the privilege of CPL. Faults as {@link loadSlow}. */
  storeSlow(low: number, high: number, size: number): boolean {
    const linear = this.#linear(low, high);
    if (!this.#slowProbe(linear, size, WRITE)) return false;
    if (this.#cpu.dataBreakpoints) noteDataAccess(this.#cpu, linear, size, true);
    let at = 0;
    for (; at + 4 <= size; at += 4) this.#put(at, 4, this.#view.getUint32(STATE + SCRATCH + at, true));
    if (at < size) this.#put(at, size - at, this.#view.getUint32(STATE + SCRATCH + at, true));
    return true;
  }

  /** Checks a write without doing it, so that an instruction can commit registers before its store. */
  probeWrite(low: number, high: number, size: number): boolean {
    return this.#slowProbe(this.#linear(low, high), size, WRITE);
  }

  /** Linear-memory address of the byte to be executed at a linear address, {@link FETCH_FAULT} or {@link FETCH_NO_MEMORY}. */
  fetch(linear: number): number {
    const mmu = this.#cpu.mmu;
    if (!mmu.translate(linear, EXECUTE, this.#cpu.state.cpl === 3)) {
      this.#pageFault(linear);
      return FETCH_FAULT;
    }
    return mmu.host >= 0 ? mmu.host : FETCH_NO_MEMORY;
  }

  #linear(low: number, high: number): number {
    return this.#cpu.longMode ? high * TWO_32 + (low >>> 0) : low >>> 0;
  }

  #slowProbe(linear: number, size: number, access: Access): boolean {
    const cpu = this.#cpu;
    if (!this.#canonical(linear, size)) return false;
    const user = cpu.state.cpl === 3;
    if (!this.probe(linear, size, access, user)) return false;
    return !user || cpu.aligned(linear, size === 10 ? 8 : size);
  }

  /** Records #GP(0), which may become #SS(0), unless all bytes have canonical addresses. */
  #canonical(linear: number, size: number): boolean {
    const cpu = this.#cpu;
    if (!cpu.longMode || (isCanonical(linear) && isCanonical(linear + size - 1))) return true;
    cpu.nonCanonical = true;
    cpu.nonCanonicalAddress = linear;
    return cpu.fault(VECTOR_GP, 0);
  }

  #pageFault(linear: number): false {
    return this.#cpu.pageFault(linear, this.#cpu.mmu.faultCode);
  }

  /** `size` bytes (at most 4) at byte `at` of the span, unsigned. */
  #get(at: number, size: number): number {
    if (at + size <= this.#split) return this.#getPage(this.#host0, this.#physical0 + at, this.#mmio0, at, size);
    if (at >= this.#split) {
      const rest = at - this.#split;
      return this.#getPage(this.#host1, this.#physical1 + rest, this.#mmio1, rest, size);
    }
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + this.#get(at + i, 1);
    return value;
  }

  #getPage(host: number, physical: number, mmio: boolean, at: number, size: number): number {
    if (host < 0 && !mmio) return this.#getPhysical(physical, size);
    switch (size) {
      case 1: return host >= 0 ? this.#bytes[host + at] : this.#cpu.bus.readMmio(physical, 1) & 0xff;
      case 2: return host >= 0 ? this.#view.getUint16(host + at, true) : this.#cpu.bus.readMmio(physical, 2) & 0xffff;
      case 4: return host >= 0 ? this.#view.getUint32(host + at, true) : this.#cpu.bus.readMmio(physical, 4) >>> 0;
      default: return this.#getPage(host, physical, mmio, at, 1) + this.#getPage(host, physical + 1, mmio, at + 1, size - 1) * 256;
    }
  }

  #getPhysical(physical: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + (this.#cpu.physical.read8(physical + i) & 0xff);
    return value;
  }

  #put(at: number, size: number, value: number): void {
    if (at + size <= this.#split) return this.#putPage(this.#host0, this.#physical0 + at, this.#mmio0, at, size, value);
    if (at >= this.#split) {
      const rest = at - this.#split;
      return this.#putPage(this.#host1, this.#physical1 + rest, this.#mmio1, rest, size, value);
    }
    for (let i = 0; i < size; i += 1) this.#put(at + i, 1, value >>> (8 * i));
  }

  #putPage(host: number, physical: number, mmio: boolean, at: number, size: number, value: number): void {
    if (size === 3) {
      this.#putPage(host, physical, mmio, at, 2, value);
      return this.#putPage(host, physical + 2, mmio, at + 2, 1, value >>> 16);
    }
    if (host >= 0) {
      if (size === 1) this.#bytes[host + at] = value;
      else if (size === 2) this.#view.setUint16(host + at, value, true);
      else this.#view.setUint32(host + at, value, true);
    } else if (mmio) {
      const mask = size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
      this.#cpu.bus.writeMmio(physical, size, mask);
    } else if (size === 1) {
      this.#cpu.physical.write8(physical, value & 0xff);
    } else if (size === 2) {
      this.#cpu.physical.write16(physical, value & 0xffff);
    } else {
      this.#cpu.physical.write32(physical, value >>> 0);
    }
  }
}
