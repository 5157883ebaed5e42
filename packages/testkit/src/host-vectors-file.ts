/**
 * The container of the host vectors: what the host's processor answered, group by group. Inputs are not stored; each group
 * carries a hash of them, so that a generator that has changed is noticed. Gzipped, little-endian:
 *
 *   "DHV1"  u32 groups  { u16 length, name, u32 cases, u32 hash of the inputs, u32 bytes of heads, u32 bytes of values }
 *   heads of all groups, then values of all groups
 *
 * An answer is the difference to the input with EIP behind the instruction: `u8 runs { u16 offset, u8 length }` among the heads,
 * and the runs' bytes among the values. 255 runs: the host wrote outside the windows, and the case is void.
 */
import { RECORD_SIZE } from "./host-vectors-record.ts";

/** Number of runs that says that a case is void. */
export const VOID = 255;
const MAGIC = 0x31564844;

/** The answers of one group. */
export interface GroupAnswers {
  readonly name: string;
  readonly cases: number;
  readonly hash: number;
  readonly heads: Uint8Array;
  readonly values: Uint8Array;
}

/** One step of the hash over a group's inputs. */
export function hashRecord(hash: number, words: Int32Array): number {
  let sum = hash;
  for (let n = 0; n < RECORD_SIZE / 4; n++) sum = Math.imul(sum ^ words[n]!, 0x01000193);
  return sum ^ (sum >>> 15);
}

/** The bytes of a file, not yet compressed. */
export function writeVectorFile(groups: readonly GroupAnswers[]): Uint8Array {
  const names = groups.map(({ name }) => new TextEncoder().encode(name));
  const size = 8 + groups.reduce((sum, { heads, values }, n) => sum + 18 + names[n]!.length + heads.length + values.length, 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, groups.length, true);
  let at = 8;
  for (const [n, group] of groups.entries()) {
    view.setUint16(at, names[n]!.length, true);
    out.set(names[n]!, at + 2);
    at += 2 + names[n]!.length;
    for (const value of [group.cases, group.hash, group.heads.length, group.values.length]) {
      view.setUint32(at, value, true);
      at += 4;
    }
  }
  for (const part of ["heads", "values"] as const) {
    for (const group of groups) {
      out.set(group[part], at);
      at += group[part].length;
    }
  }
  return out;
}

/** The groups of a file by name. @throws {RangeError} when it is not a vector file */
export function readVectorFile(bytes: Uint8Array): Map<string, GroupAnswers> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw new RangeError("this is no file of host vectors: make it anew with scripts/host-vectors.ts");
  let at = 8;
  const directory = Array.from({ length: view.getUint32(4, true) }, () => {
    const length = view.getUint16(at, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length + 16;
    const number = (n: number): number => view.getUint32(at - 16 + 4 * n, true);
    return { name, cases: number(0), hash: number(1), headsLength: number(2), valuesLength: number(3) };
  });
  const take = (length: number): Uint8Array => bytes.subarray(at, (at += length));
  const heads = directory.map(({ headsLength }) => take(headsLength));
  const values = directory.map(({ valuesLength }) => take(valuesLength));
  return new Map(directory.map(({ name, cases, hash }, n) => [name, { name, cases, hash, heads: heads[n]!, values: values[n]! }]));
}

/** Reads a group's answers one after the other. */
export class AnswerReader {
  private head = 0;
  private value = 0;
  private readonly answers: GroupAnswers;

  constructor(answers: GroupAnswers) {
    this.answers = answers;
  }
  /** Applies the next answer to a record that holds the expected outcome without it; false when the case is void. */
  next(record: Uint8Array): boolean {
    const { heads, values } = this.answers;
    const runs = heads[this.head++]!;
    if (runs === VOID) return false;
    for (let n = 0; n < runs; n++) {
      const offset = heads[this.head]! | (heads[this.head + 1]! << 8);
      const length = heads[this.head + 2]!;
      this.head += 3;
      record.set(values.subarray(this.value, this.value + length), offset);
      this.value += length;
    }
    return true;
  }
}
