// Runs the example of the README as it stands there.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as self from "./index.ts";

test("README example", async () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))![1]!
    .replace(/^import (.*) from "@doppel\/wasm";$/m, "const $1 = self;");
  const names = { self };
  const run = new Function(...Object.keys(names), `return (async () => { ${example}; return result; })()`) as (...values: unknown[]) => Promise<unknown>;
  expect(await run(...Object.values(names))).toEqual(5050);
});
