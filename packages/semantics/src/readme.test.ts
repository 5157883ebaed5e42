// Runs the example of the README as it stands there.
import { readFileSync } from "node:fs";
import * as x86 from "@doppel/x86";
import { expect, test } from "vitest";
import * as self from "./index.ts";

test("README example", async () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))![1]!
    .replace(/^import (.*) from "@doppel\/semantics";$/m, "const $1 = self;")
    .replace(/^import (.*) from "@doppel\/x86";$/m, "const $1 = x86;");
  const names = { self, x86 };
  const run = new Function(...Object.keys(names), `return (async () => { ${example}; return result; })()`) as (...values: unknown[]) => Promise<unknown>;
  expect(await run(...Object.values(names))).toEqual(["load", "store", "flags"]);
});
