/** The example of the README, run as it is printed there. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as x86 from "./index.ts";

test("the README's example prints what it says", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!.replace(/import .*\n/, "");
  const printed: string[] = [];
  const log = { log: (...values: unknown[]) => printed.push(values.join(" ")) };
  new Function("console", "x86", `const { assemble, decode, disassemble, Instruction, OK } = x86;\n${example}`)(log, x86);
  expect(printed).toEqual([...example.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map((match) => match[1]));
});
