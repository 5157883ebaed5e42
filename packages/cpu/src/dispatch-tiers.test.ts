import { expect, test } from "vitest";
import { DispatchTiers } from "./dispatch-tiers.ts";
import { dispatchModule } from "./dispatch.ts";
import { shapeKey } from "./handler.ts";
import { frequentShapes, hotShapes } from "./hot-shapes.ts";

/** Tiers over two fake functions that take so many nanoseconds an instruction on a fake clock. */
function tiers(small: () => number, big: () => number): { run: (visits: number) => void; ran: { small: number; big: number } } {
  let now = 0;
  const ran = { small: 0, big: 0 };
  const fake = (name: "small" | "big", cost: () => number) => (budget: number) => {
    ran[name] += budget;
    now += (budget * cost()) / 1e6;
    return 0;
  };
  const made = new DispatchTiers(fake("small", small), fake("big", big), () => now);
  return { ran, run: (visits) => void Array.from({ length: visits }, () => made.run(1_000_000, () => 0)) };
}

test("the big function takes over once it is the faster one, and is tried seldom before", () => {
  let bigCost = 10;
  const { run, ran } = tiers(() => 3, () => bigCost);
  run(200);
  expect(ran.big).toBeGreaterThan(0);
  expect(ran.big).toBeLessThan(ran.small / 10);
  bigCost = 2;
  run(60);
  const before = ran.small;
  run(100);
  expect(ran.small).toBe(before);
});

test("a big function that never is faster is taken in the end", () => {
  const { run, ran } = tiers(() => 3, () => 3);
  run(2000);
  const before = ran.small;
  run(10);
  expect(ran.small).toBe(before);
});

test("both functions of both kinds of code validate, and the one without pairs is the smaller", () => {
  for (const long of [false, true]) {
    const [small, big] = [false, true].map((pairs) => dispatchModule(hotShapes(long), long, pairs).module.encode());
    expect(WebAssembly.validate(small!)).toBe(true);
    expect(WebAssembly.validate(big!)).toBe(true);
    expect(small!.length).toBeLessThan(big!.length);
  }
});

test("beside a translator it is smaller still, and each of its handlers is there once", () => {
  for (const long of [false, true]) {
    const shapes = frequentShapes(long);
    const code = dispatchModule(shapes, long).module.encode();
    expect(WebAssembly.validate(code)).toBe(true);
    expect(code.length).toBeLessThan(dispatchModule(hotShapes(long), long, false).module.encode().length * 0.7);
    expect(new Set(shapes.map(({ shape, second }) => `${shapeKey(shape)} ${second && shapeKey(second)}`)).size).toBe(shapes.length);
    expect(shapes.length).toBeGreaterThan(150);
    // There are hosts without SIMD.
    expect(shapes.filter(({ shape }) => /SSE|MMX|AVX/.test(shape.form.feature))).toEqual([]);
  }
});
