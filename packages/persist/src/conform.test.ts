import { expect, test } from "vitest";
import { conform, copy, PersistError } from "./index.ts";

const like = { count: 0, name: "", queue: [] as number[], pair: [0, 0], ram: new Uint8Array(2), inner: { on: false } };

test("takes over what fits, and shares nothing with it", () => {
  const state = { count: 3, name: "x", queue: [1, 2, 3], pair: [1, 2], ram: new Uint8Array([5, 6]), inner: { on: true } };
  const taken = conform(state, like);
  expect(taken).toEqual(state);
  state.queue.push(4);
  state.ram[0] = 0;
  state.inner.on = false;
  expect(taken.queue).toEqual([1, 2, 3]);
  expect(taken.ram[0]).toBe(5);
  expect(taken.inner.on).toBe(true);
  expect(copy(taken)).toEqual(taken);
});

test.each([
  [null, /state is of kind null/],
  [{ ...like, count: "3" }, /state\.count is of kind string/],
  [{ ...like, count: Number.NaN }, /state\.count is not a number/],
  [{ ...like, queue: ["a"] }, /state\.queue\[0\]/],
  [{ ...like, pair: [1] }, /has 1 entries/],
  [{ ...like, ram: new Uint8Array(3) }, /has 3 bytes/],
  [{ ...like, inner: {} }, /state\.inner\.on is absent/],
  [{ ...like, more: 1 }, /state\.more is unknown/],
])("refuses what does not fit", (state, message) => {
  expect(() => conform(state, like)).toThrow(message);
  expect(() => conform(state, like)).toThrow(PersistError);
});
