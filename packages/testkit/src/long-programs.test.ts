import { expect, test } from "vitest";
import { runLongPrograms } from "./long-programs.ts";

test("random 64-bit programs end alike one instruction at a time and in one piece", () => {
  runLongPrograms(400, "long", (one, whole, source) => expect(one, source).toEqual(whole));
}, 120_000);
