// Runs the first example of the README as it stands there.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as self from "./index.ts";

test("README example", async () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))![1]!
    .replace(/^import (.*) from "doppel";$/m, "const $1 = self;");
  const run = new Function("self", `return (async () => { ${example}; return [answer, stop]; })()`) as (library: typeof self) => Promise<[string, self.Stop]>;
  const [answer, stop] = await run(self);
  expect(answer).toContain("500500");
  expect(stop).toEqual({ kind: "power-off" });
});
