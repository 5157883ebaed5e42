/** The blocks of decoded records that have bytes in one frame, as numbers side by side: every sample of what runs goes through them. */
import { modeOfKey } from "./code-key.ts";
import { R_EXECUTED, RECORD_SIZE } from "./record.ts";

/** Numbers of a block. */
const FIELDS = 5;

/** A list of blocks. */
export class FrameBlocks {
  /** First record, in records' sizes, number of records (END included), mode, and where in the frame its bytes begin and end, if they begin in it. */
  private readonly fields: number[] = [];
  private readonly keys: number[] = [];

  get length(): number {
    return this.keys.length;
  }

  add(key: number, record: number, count: number, from: number, to: number): void {
    this.keys.push(key);
    this.fields.push(record / RECORD_SIZE, count, modeOfKey(key), from, to);
  }

  clear(): void {
    this.fields.length = this.keys.length = 0;
  }

  /** Key of the nth block. */
  key(n: number): number {
    return this.keys[n]!;
  }

  record(n: number): number {
    return this.fields[n * FIELDS]! * RECORD_SIZE;
  }

  /** Records of it, END included. */
  count(n: number): number {
    return this.fields[n * FIELDS + 1]!;
  }

  /** Whether the nth block has bytes of the frame from one offset up to another; of one that begins in another frame that is not known, and assumed. */
  reaches(n: number, from: number, to: number): boolean {
    const begin = this.begin(n);
    const end = this.end(n);
    return begin === end || (begin < to && from < end);
  }

  /** Where in the frame the nth block's bytes begin and end; the same where it begins in another frame. */
  begin(n: number): number {
    return this.fields[n * FIELDS + 3]!;
  }

  end(n: number): number {
    return this.fields[n * FIELDS + 4]!;
  }

  /** Takes blocks out of the list; the numbers of others change. */
  remove(gone: ReadonlySet<number>): void {
    let kept = 0;
    for (let n = 0; n < this.keys.length; n++) {
      if (gone.has(n)) continue;
      this.keys[kept] = this.keys[n]!;
      for (let field = 0; field < FIELDS; field++) this.fields[kept * FIELDS + field] = this.fields[n * FIELDS + field]!;
      kept++;
    }
    this.keys.length = kept;
    this.fields.length = kept * FIELDS;
  }

  mode(n: number): number {
    return this.fields[n * FIELDS + 2]!;
  }

  /**
   * Where in the frame the block begins that was executed most often of those of a mode that hold the byte at an offset, or -1. A block that begins
   * in another one counts what comes from there, too: of two that differ by less than a quarter it is the one that begins earlier.
   * @param words the memory that the records are in
   */
  hottest(at: number, mode: number, words: Int32Array): number {
    const { fields } = this;
    let best = -1;
    let most = -1;
    for (let n = 0; n < fields.length; n += FIELDS) {
      const from = fields[n + 3]!;
      if (from > at || at >= fields[n + 4]! || fields[n + 2] !== mode) continue;
      const executed = words[fields[n]! * (RECORD_SIZE >> 2) + (R_EXECUTED >> 2)]! >>> 0;
      if (from < best ? executed < most * 0.75 : executed * 0.75 <= most) continue;
      best = from;
      most = executed;
    }
    return best;
  }
}
