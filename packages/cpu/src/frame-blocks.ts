/** The blocks of decoded records that have bytes in one frame, as numbers side by side: every sample of what runs goes through them. */

/** Numbers of a block. */
const FIELDS = 5;

/** A list of blocks. */
export class FrameBlocks {
  /** First record, number of records (END included), mode, and where in the frame its bytes begin and end, if they begin in it. */
  private readonly fields: number[] = [];
  private readonly keys: number[] = [];

  get length(): number {
    return this.keys.length;
  }

  add(key: number, record: number, count: number, from: number, to: number): void {
    this.keys.push(key);
    this.fields.push(record, count, key % 1024, from, to);
  }

  clear(): void {
    this.fields.length = this.keys.length = 0;
  }

  /** Key of the nth block. */
  key(n: number): number {
    return this.keys[n]!;
  }

  record(n: number): number {
    return this.fields[n * FIELDS]!;
  }

  /** Records of it, END included. */
  count(n: number): number {
    return this.fields[n * FIELDS + 1]!;
  }

  mode(n: number): number {
    return this.fields[n * FIELDS + 2]!;
  }

  /** Where in the frame it begins. */
  from(n: number): number {
    return this.fields[n * FIELDS + 3]!;
  }

  /** Whether it holds the byte at an offset of the frame. */
  holds(n: number, at: number): boolean {
    return this.fields[n * FIELDS + 3]! <= at && at < this.fields[n * FIELDS + 4]!;
  }
}
