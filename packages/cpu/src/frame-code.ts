/** The code that lies in one frame: which bytes were decoded, the blocks that were made of them, and the regions with instructions there. */
import { PAGE_SIZE } from "@doppel/memory";
import { MAXIMUM_LENGTH } from "@doppel/x86";
import { FrameBlocks } from "./frame-blocks.ts";
import { RECORD_SIZE } from "./record.ts";

/** Bytes in linear memory. */
export interface Span {
  readonly host: number;
  readonly length: number;
}

/** A compiled region as the cache of code knows it. */
export interface CodeRegion {
  /** Whose name it is, is for the compiler to say. */
  readonly id: number;
  /** Keys of its entries, in the order of their numbers. Another region may have taken one of them over. */
  readonly keys: readonly number[];
  readonly handler: number;
  readonly long: boolean;
  /** Its instructions: a write to any of them drops it. */
  readonly spans: readonly Span[];
}

/** What is known of one frame. Offsets are those in the frame, and ranges end in front of their second one. */
export class FrameCode {
  readonly blocks = new FrameBlocks();
  readonly regions = new Set<CodeRegion>();
  /** One bit per byte that some record was decoded from, or that a region has. */
  private readonly bytes = new Uint8Array(PAGE_SIZE / 8);

  /** Notes that a range is code. */
  mark(from: number, to: number): void {
    setBits(this.bytes, from, to);
  }

  /** Whether a byte is code. */
  isMarked(at: number): boolean {
    return ((this.bytes[at >> 3]! >> (at & 7)) & 1) !== 0;
  }

  /** Whether a range has code. */
  isHit(from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (this.isMarked(at)) return true;
    return false;
  }

  /** Numbers of the blocks that have bytes in a range, and of those in the records of such. */
  blocksIn(from: number, to: number): Set<number> {
    const { blocks } = this;
    const found = new Set<number>();
    const records: Span[] = [];
    for (let n = 0; n < blocks.length; n++) {
      if (!blocks.reaches(n, from, to)) continue;
      found.add(n);
      records.push({ host: blocks.record(n), length: blocks.count(n) * RECORD_SIZE });
    }
    // What begins in the middle of another block has no records of its own.
    for (let n = 0; n < blocks.length; n++) {
      if (blocks.count(n) === 0 && records.some(({ host, length }) => blocks.record(n) >= host && blocks.record(n) < host + length)) found.add(n);
    }
    return found;
  }

  /** Makes the bits anew, of the blocks and regions that are left. @param page host address of the frame */
  markAgain(page: number): void {
    const { blocks } = this;
    this.bytes.fill(0);
    for (let n = 0; n < blocks.length; n++) {
      const from = blocks.begin(n);
      this.mark(from, Math.min(PAGE_SIZE, blocks.end(n) === from ? from + MAXIMUM_LENGTH : blocks.end(n)));
    }
    for (const { spans } of this.regions) {
      for (const { host, length } of spans) if (host >= page && host < page + PAGE_SIZE) this.mark(host - page, Math.min(PAGE_SIZE, host - page + length));
    }
  }

  clear(): void {
    this.blocks.clear();
    this.regions.clear();
    this.bytes.fill(0);
  }
}

/** Sets the bits of a range. */
function setBits(bits: Uint8Array, from: number, to: number): void {
  const last = to >> 3;
  const first = from >> 3;
  const head = 0xff << (from & 7);
  const tail = (1 << (to & 7)) - 1;
  if (first === last) {
    bits[first]! |= head & tail;
    return;
  }
  bits[first]! |= head;
  for (let at = first + 1; at < last; at++) bits[at] = 0xff;
  if (tail !== 0) bits[last]! |= tail;
}
