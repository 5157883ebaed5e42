/**
 * Where instructions have been decoded to, by host address and mode: a block that begins in the middle of another one is in its
 * records, and one that comes to it copies them. An instruction whose place another one has taken is decoded anew.
 */
import { codeKey } from "./code-key.ts";

const ENTRIES = 1 << 17;

/** Records by the keys of their instructions. */
export class RecordIndex {
  private readonly keys = new Float64Array(ENTRIES);
  private readonly records = new Uint32Array(ENTRIES);

  /** The record of an instruction, or 0. */
  find(host: number, mode: number): number {
    const place = host & (ENTRIES - 1);
    return this.keys[place] === codeKey(host, mode) ? this.records[place]! : 0;
  }

  set(host: number, mode: number, record: number): void {
    const place = host & (ENTRIES - 1);
    this.keys[place] = codeKey(host, mode);
    this.records[place] = record;
  }

  clear(): void {
    this.keys.fill(0);
  }
}
