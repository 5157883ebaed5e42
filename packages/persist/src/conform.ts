/**
 * A state that comes from a file need not be one of ours. Each part knows the shape of its state from its own fresh one, and
 * `conform` takes over what fits that shape and nothing else, so that a part never works on fields that are absent.
 */

import { PersistError } from "./errors.ts";
import type { PersistValue } from "./value.ts";

/** A value that shares nothing with the given one. */
export function copy<Value extends PersistValue>(value: Value): Value {
  return copied(value) as Value;
}

function copied(value: PersistValue): PersistValue {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(copied);
  return Object.fromEntries(Object.entries(value as { readonly [key: string]: PersistValue }).map(([key, item]) => [key, copied(item)]));
}

function kind(value: PersistValue): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return "bytes";
  return Array.isArray(value) ? "array" : typeof value;
}

function wrong(path: string, what: string): PersistError {
  return new PersistError("PERSIST_SHAPE", `The saved state does not fit this machine: ${path} ${what}. Restore it into a machine of the same configuration.`);
}

function fit(state: PersistValue, like: PersistValue, path: string): void {
  if (kind(state) !== kind(like)) throw wrong(path, `is of kind ${kind(state)}, not ${kind(like)}`);
  if (typeof state === "number" && Number.isNaN(state)) throw wrong(path, "is not a number");
  if (like instanceof Uint8Array) {
    const length = (state as Uint8Array).length;
    if (like.length > 0 && length !== like.length) throw wrong(path, `has ${length} bytes, not ${like.length}`);
  } else if (Array.isArray(like)) {
    const items = state as readonly PersistValue[];
    if (like.length > 0 && items.length !== like.length) throw wrong(path, `has ${items.length} entries, not ${like.length}`);
    items.forEach((item, i) => fit(item, like.length > 0 ? (like as readonly PersistValue[])[i] : 0, `${path}[${i}]`));
  } else if (kind(like) === "object") {
    const fields = state as { readonly [key: string]: PersistValue };
    const expected = like as { readonly [key: string]: PersistValue };
    for (const key of Object.keys(expected)) {
      if (!Object.hasOwn(fields, key)) throw wrong(`${path}.${key}`, "is absent");
      fit(fields[key], expected[key], `${path}.${key}`);
    }
    for (const key of Object.keys(fields)) if (!Object.hasOwn(expected, key)) throw wrong(`${path}.${key}`, "is unknown");
  }
}

/**
 * A copy of `state`, proven to have the shape of `like`: the same keys, the same kinds of values, arrays and bytes of the same
 * length. In `like`, an empty array stands for any list of numbers, and empty bytes for bytes of any length.
 *
 * @throws PersistError `PERSIST_SHAPE`, naming the first field that does not fit.
 * @example
 * conform({ count: 3, queue: [1, 2] }, { count: 0, queue: [] as number[] });
 */
export function conform<State extends PersistValue>(state: PersistValue, like: State, path = "state"): State {
  fit(state, like, path);
  return copied(state) as State;
}
