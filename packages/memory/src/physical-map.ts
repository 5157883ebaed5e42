/**
 * The physical->machine map of one VM: which machine frame holds each guest-physical page, and what kind of page it is.
 * Pages that have no frame are memory-mapped I/O or nothing at all; the bus decides.
 *
 *   chunk[page >> 10][page & 1023] = frame | ROM flag, or 0 for no memory; the first chunks stand in the arena
 */
import type { Arena } from "./arena.ts";
import { PAGE_SIZE, type Frame, type MachineAddress, type PhysicalAddress } from "./address.ts";
import type { Frames } from "./frames.ts";

const ROM = 0x4000_0000;
const FRAME_MASK = 0x3fff_ffff;
const CHUNK_PAGES = 1024;
const CHUNK_SIZE = 4 * CHUNK_PAGES;

/** Guest-physical memory as reads and writes of whatever size; what is not memory reads all ones and ignores writes. */
export class PhysicalMap {
  readonly frames: Frames;
  /** Where generated code finds the entries of the first pages, and who watches frames. */
  readonly image: { readonly entries: MachineAddress; readonly pages: number; readonly romBit: number; readonly observed: MachineAddress };
  private readonly arena: Arena;
  private readonly chunks = new Map<number, Int32Array>();
  private lastChunk = -1;
  private last: Int32Array | undefined;

  /** @param known the first pages, whose entries generated code is to find: each takes 4 bytes of the arena */
  constructor(frames: Frames, known = 0) {
    this.frames = frames;
    this.arena = frames.arena;
    const size = PhysicalMap.sizeFor(known);
    this.image = { entries: this.arena.reserve(size), pages: (size / CHUNK_SIZE) * CHUNK_PAGES, romBit: ROM, observed: frames.observed.byteOffset };
  }

  /** Bytes of the arena that the entries of so many pages take. */
  static sizeFor(known: number): number {
    return Math.ceil(known / CHUNK_PAGES) * CHUNK_SIZE;
  }

  private entry(page: number): number {
    const chunk = Math.floor(page / CHUNK_PAGES);
    if (chunk !== this.lastChunk) {
      this.last = this.chunks.get(chunk);
      this.lastChunk = chunk;
    }
    return this.last === undefined ? 0 : this.last[page % CHUNK_PAGES]!;
  }

  private setEntry(page: number, value: number): void {
    const chunk = Math.floor(page / CHUNK_PAGES);
    let entries = this.chunks.get(chunk);
    if (entries === undefined) {
      const { entries: known, pages } = this.image;
      entries = page < pages ? new Int32Array(this.arena.buffer, known + chunk * CHUNK_SIZE, CHUNK_PAGES) : new Int32Array(CHUNK_PAGES);
      this.chunks.set(chunk, entries);
      this.lastChunk = -1;
    }
    entries[page % CHUNK_PAGES] = value;
  }

  /** Gives a page a frame, as RAM or as ROM (guest writes are ignored). Flush the TLBs afterwards. */
  map(page: number, frame: Frame, kind: "ram" | "rom" = "ram"): void {
    this.setEntry(page, kind === "rom" ? frame | ROM : frame);
  }

  /** Takes the frame away: the page is the bus's business from now on. Flush the TLBs afterwards. */
  unmap(page: number): void {
    this.setEntry(page, 0);
  }

  /** Allocates frames for a range of RAM. @throws {MemoryError} `MEMORY_FRAMES` when there are too few. */
  addRam(from: PhysicalAddress, bytes: number): void {
    for (let page = from / PAGE_SIZE; page < (from + bytes) / PAGE_SIZE; page++) this.map(page, this.frames.allocate());
  }

  /** Every page that has a frame, in ascending order of page number. */
  *pages(): Generator<{ page: number; frame: Frame; kind: "ram" | "rom" }> {
    for (const chunk of [...this.chunks.keys()].sort((a, b) => a - b)) {
      const entries = this.chunks.get(chunk)!;
      for (let i = 0; i < CHUNK_PAGES; i++) {
        const entry = entries[i]!;
        if (entry !== 0) yield { page: chunk * CHUNK_PAGES + i, frame: entry & FRAME_MASK, kind: entry & ROM ? "rom" : "ram" };
      }
    }
  }

  /** Frame of a page, or 0 when it has none. */
  frameOf(page: number): Frame {
    return this.entry(page) & FRAME_MASK;
  }

  /** Machine address of a page's bytes, or -1 when the page is not memory. */
  hostAddress(page: number): MachineAddress {
    const frame = this.entry(page) & FRAME_MASK;
    return frame === 0 ? -1 : frame * PAGE_SIZE;
  }

  /** Whether stores may go straight to the frame: RAM that nobody watches. */
  writable(page: number): boolean {
    const entry = this.entry(page);
    return entry !== 0 && (entry & ROM) === 0 && this.frames.observed[entry & FRAME_MASK] === 0;
  }

  /** Whether the page is RAM or ROM. */
  isMemory(page: number): boolean {
    return this.entry(page) !== 0;
  }

  private machine(physical: PhysicalAddress): number {
    const host = this.hostAddress(Math.floor(physical / PAGE_SIZE));
    return host < 0 ? -1 : host + (physical % PAGE_SIZE);
  }

  /** Reads one byte; all ones where there is no memory. */
  read8(physical: PhysicalAddress): number {
    const at = this.machine(physical);
    return at < 0 ? 0xff : this.arena.u8[at]!;
  }
  /** Reads two bytes, which may lie in two pages. */
  read16(physical: PhysicalAddress): number {
    if (physical % PAGE_SIZE > PAGE_SIZE - 2) return this.read8(physical) | (this.read8(physical + 1) << 8);
    const at = this.machine(physical);
    return at < 0 ? 0xffff : this.arena.view.getUint16(at, true);
  }
  /** Reads four bytes, which may lie in two pages; an unsigned number. */
  read32(physical: PhysicalAddress): number {
    if (physical % PAGE_SIZE > PAGE_SIZE - 4) return (this.read16(physical) | (this.read16(physical + 2) << 16)) >>> 0;
    const at = this.machine(physical);
    return at < 0 ? 0xffff_ffff : this.arena.view.getUint32(at, true);
  }

  /** Writes one byte; ignored where there is no RAM. */
  write8(physical: PhysicalAddress, value: number): void {
    const at = this.aboutToWrite(physical, 1);
    if (at >= 0) this.arena.u8[at] = value;
  }
  /** Writes two bytes. */
  write16(physical: PhysicalAddress, value: number): void {
    if (physical % PAGE_SIZE > PAGE_SIZE - 2) {
      this.write8(physical, value);
      return this.write8(physical + 1, value >> 8);
    }
    const at = this.aboutToWrite(physical, 2);
    if (at >= 0) this.arena.view.setUint16(at, value, true);
  }
  /** Writes four bytes. */
  write32(physical: PhysicalAddress, value: number): void {
    if (physical % PAGE_SIZE > PAGE_SIZE - 4) {
      this.write16(physical, value);
      return this.write16(physical + 2, value >>> 16);
    }
    const at = this.aboutToWrite(physical, 4);
    if (at >= 0) this.arena.view.setUint32(at, value, true);
  }

  /** Copies bytes out of guest memory. */
  readBytes(physical: PhysicalAddress, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const run = Math.min(into.length - done, PAGE_SIZE - ((physical + done) % PAGE_SIZE));
      const at = this.machine(physical + done);
      if (at < 0) into.fill(0xff, done, done + run);
      else into.set(this.arena.u8.subarray(at, at + run), done);
      done += run;
    }
  }

  /** Copies bytes into guest memory; observers of the frames hear of it first, ROM and holes stay as they are. */
  writeBytes(physical: PhysicalAddress, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      const run = Math.min(from.length - done, PAGE_SIZE - ((physical + done) % PAGE_SIZE));
      const at = this.aboutToWrite(physical + done, run);
      if (at >= 0) this.arena.u8.set(from.subarray(done, done + run), at);
      done += run;
    }
  }

  /**
   * Tells observers that bytes of one page are about to be written, by whoever asks.
   *
   * @returns machine address of the first, or -1 where stores change nothing: ROM, and where there is no memory
   */
  aboutToWrite(physical: PhysicalAddress, length: number): MachineAddress {
    const entry = this.entry(Math.floor(physical / PAGE_SIZE));
    if (entry === 0 || (entry & ROM) !== 0) return -1;
    const frame = entry & FRAME_MASK;
    const offset = physical % PAGE_SIZE;
    if (this.frames.observed[frame] !== 0) this.frames.notify(frame, offset, length);
    return frame * PAGE_SIZE + offset;
  }

  /** Puts bytes into RAM or ROM as the host does when it loads an image: ROM takes them too. */
  load(physical: PhysicalAddress, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      const run = Math.min(from.length - done, PAGE_SIZE - ((physical + done) % PAGE_SIZE));
      const at = this.machine(physical + done);
      if (at >= 0) {
        const frame = Math.floor(at / PAGE_SIZE);
        if (this.frames.observed[frame] !== 0) this.frames.notify(frame, at % PAGE_SIZE, run);
        this.arena.u8.set(from.subarray(done, done + run), at);
      }
      done += run;
    }
  }
}
