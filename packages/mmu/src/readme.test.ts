/** The README's example. */
import { expect, test } from "vitest";
import { createPagingMode, READ, Translation, walk } from "./index.ts";

test("README example", () => {
  const words = new Map([[0x1004, 0x2007], [0x200c, 0x5007]]);
  const memory = { read32: (a: number) => words.get(a) ?? 0, write32: (a: number, v: number) => void words.set(a, v) };
  const mode = { ...createPagingMode(), paging: true, root: 0x1000 };
  const out = new Translation();
  expect(walk(memory, mode, 0x403123, READ, false, out)).toBe(true);
  expect(out.physical).toBe(0x5123);
  expect(words.get(0x200c)).toBe(0x5027);
});
