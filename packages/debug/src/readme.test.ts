// Runs the README's example and compares what it prints with what the README says.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createVm } from "doppel";
import * as debug from "./index.ts";

test("the README's example prints what the README says", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readme)!;
  const [, printed] = /It prints\n\n```\n([\s\S]*?)```/.exec(readme)!;
  const lines: string[] = [];
  const body = example!.replace(/^import .*$/gm, "");
  const run = new Function("console", "debug", "createVm", `const { GdbStub, traceInstructions, traceLine } = debug; return (async () => {${body}})()`) as
    (...args: unknown[]) => Promise<void>;
  await run({ log: (line: string) => lines.push(line) }, debug, createVm);
  expect(`${lines.join("\n")}\n`).toBe(printed);
});
