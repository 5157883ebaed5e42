/** Handlers that the package's build has made do what those do that are made when they are asked for. */
import { afterEach, expect, test, vi } from "vitest";
import { outlineKey, shapeKey } from "./handler.ts";
import { frequentShapes, usualShapes } from "./hot-shapes.ts";
import { stocked } from "./stock.ts";
import { make, type Stock } from "./stock.maker.ts";

const stock = make();

afterEach(() => {
  vi.doUnmock("./stock.made.ts");
  vi.resetModules();
});

test.each([false, true])("every usual handler is there, and none that stands inside the dispatch function (64-bit code: %s)", (long) => {
  const names = WebAssembly.Module.exports(stocked("handlers", long, stock)!).map(({ name }) => name);
  expect(names).toEqual(usualShapes(long).map((shape) => String(outlineKey(shape, "nothing"))));
  const inside = new Set(frequentShapes(long).filter(({ second }) => second === undefined).map(({ shape }) => shapeKey(shape)));
  // A handler of its own is for operands with an index and without.
  expect(usualShapes(long).filter((shape) => [true, false].every((indexed) => inside.has(shapeKey({ ...shape, indexed }))))).toEqual([]);
  expect(stocked("handlers", long, undefined)).toBeUndefined();
});

/** What the long-mode ROM answers, interpreted beside a translator that never finds anything hot; and how many modules were compiled for it. */
async function answersWith(made: Stock | undefined): Promise<{ text: string; modules: number }> {
  vi.resetModules();
  vi.doMock("./stock.made.ts", () => ({ MADE: made }));
  const { MODEL_MAX } = await import("./system/cpu-model.ts");
  const { longRom } = await import("./system/long-rom.ts");
  const { runHere } = await import("./system/rom.fixture.ts");
  const compile = vi.spyOn(WebAssembly, "Module");
  const text = runHere(longRom(), MODEL_MAX, 1e9, false);
  const modules = compile.mock.calls.length;
  compile.mockRestore();
  return { text, modules };
}

test("the long-mode ROM answers the same with a stock, for which less is compiled", async () => {
  const [apart, together] = [await answersWith(undefined), await answersWith(stock)];
  expect(together.text).toBe(apart.text);
  // It executes much that is not usual.
  expect(together.modules).toBeLessThan(apart.modules * 0.75);
});
