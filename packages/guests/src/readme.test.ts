// Runs the example of the README as it stands there.
import { readFileSync } from "node:fs";
import * as firmware from "@doppel/firmware";
import { expect, it } from "vitest";
import * as guests from "./index.ts";

it("the example of the README loads the guest", () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))![1]!;
  const body = example.replace(/^import (\{.*\}) from "@doppel\/(.*)";$/gm, "const $1 = $2;");
  const printed: unknown[] = [];
  const run = new Function("firmware", "guests", "console", body) as (...names: unknown[]) => void;
  run(firmware, guests, { log: (...values: unknown[]) => printed.push(...values) });
  expect(printed).toEqual([true, true, "doppel> ", "help"]);
});
