import { describe, expect, test } from "vitest";
import { decode, DoppelError, encode, PersistError } from "./index.ts";
import type { PersistValue } from "./index.ts";

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(PersistError);
    expect(error).toBeInstanceOf(DoppelError);
    return (error as PersistError).code;
  }
  return "none";
};

/** A small generator (Marsaglia's xorshift32), so that a failure can be repeated. */
const random = (seed: number) => () => {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
};

function sample(next: () => number, depth: number): PersistValue {
  switch (next() % (depth > 4 ? 8 : 10)) {
    case 0: return null;
    case 1: return next() % 2 === 0;
    case 2: return next() - 2 ** 31;
    case 3: return next() / 7;
    case 4: return (BigInt(next()) << 64n) - (BigInt(next()) << 65n);
    case 5: return String.fromCharCode(next() & 0xffff, next() & 0xff, 0xd800);
    case 6: return Uint8Array.from({ length: next() % 50 }, () => (next() % 3 === 0 ? next() : 0));
    case 7: return new Uint8Array(next() % 100);
    case 8: return Array.from({ length: next() % 5 }, () => sample(next, depth + 1));
    default: return Object.fromEntries(Array.from({ length: next() % 5 }, () => [String(next() % 99), sample(next, depth + 1)]));
  }
}

describe("codec", () => {
  test("the README's example", () => {
    const saved = encode({ ticks: 3, ram: new Uint8Array(1 << 20) });
    expect(saved.length).toBeLessThan(64);
    expect(decode(saved)).toEqual({ ticks: 3, ram: new Uint8Array(1 << 20) });
  });

  test.each([0, -0, 1, -1, 2 ** 52, -(2 ** 52), 2 ** 53, 1.5, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE])("number %d", (value) => {
    expect(Object.is(decode(encode(value)), value)).toBe(true);
  });

  test.each([0n, 1n, -1n, 255n, 256n, -(1n << 64n), (1n << 200n) - 1n])("bigint %d", (value) => {
    expect(decode(encode(value))).toBe(value);
  });

  test("strings keep lone surrogates, and __proto__ is only a key", () => {
    expect(decode(encode("a\ud800\u{1f600}"))).toBe("a\ud800\u{1f600}");
    const value = Object.fromEntries([["__proto__", 1]]);
    expect(Object.keys(decode(encode(value)) as object)).toEqual(["__proto__"]);
  });

  test("equal values give equal bytes whatever the order of their keys", () => {
    expect(encode({ a: 1, b: [2] })).toEqual(encode({ b: [2], a: 1 }));
  });

  test("long zero runs and literals beside each other", () => {
    const ram = new Uint8Array((3 << 20) + 5);
    ram[0] = 1;
    ram[(2 << 20) + 7] = 2;
    ram[ram.length - 1] = 3;
    expect(encode(ram).length).toBeLessThan(64);
    expect(decode(encode(ram))).toEqual(ram);
  });

  test("random values come back", () => {
    const next = random(1);
    for (let i = 0; i < 500; i++) {
      const value = sample(next, 0);
      expect(decode(encode(value))).toEqual(value);
    }
  });

  test("each kind of damage has its code", () => {
    const good = encode([1, "x", new Uint8Array(9)]);
    expect(code(() => decode(new Uint8Array()))).toBe("PERSIST_MAGIC");
    expect(code(() => decode(Uint8Array.from([...good.slice(0, 4), 9])))).toBe("PERSIST_VERSION");
    expect(code(() => decode(Uint8Array.from([...good, 0])))).toBe("PERSIST_TRAILING");
    for (let length = 4; length < good.length; length++) expect(code(() => decode(good.slice(0, length)))).toBe("PERSIST_TRUNCATED");
    expect(code(() => decode(Uint8Array.from([...good.slice(0, 5), 99])))).toBe("PERSIST_MALFORMED");
    expect(code(() => encode(undefined as never))).toBe("PERSIST_UNSUPPORTED");
    const loop: PersistValue[] = [];
    loop.push(loop);
    expect(code(() => encode(loop))).toBe("PERSIST_TOO_DEEP");
    const nested = Uint8Array.from([...good.slice(0, 5), ...Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 8 : 1)), 0]);
    expect(code(() => decode(nested))).toBe("PERSIST_TOO_DEEP");
  });

  test("damaged input never does anything but a PersistError", () => {
    const next = random(2);
    for (let i = 0; i < 3000; i++) {
      const bytes = encode(sample(next, 0));
      for (let k = 0; k < 3 && bytes.length > 5; k++) bytes[5 + (next() % (bytes.length - 5))] = next();
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(PersistError);
      }
    }
  });
});
