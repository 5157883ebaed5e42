// V8's own switch takes SIMD away: it needs SSE4.1.
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { hostFeatures } from "./index.ts";

const index = new URL("./index.ts", import.meta.url).href;
const asked = (...flags: string[]): unknown => JSON.parse(execFileSync(process.execPath,
  [...flags, "--conditions=@doppel/source", "--input-type=module", "-e", `import { hostFeatures } from ${JSON.stringify(index)}; console.log(JSON.stringify(hostFeatures()))`],
  { encoding: "utf8" }));

test("a host of today has both features", () => {
  expect(hostFeatures()).toEqual({ tailCalls: true, simd: true });
});

test.runIf(process.arch === "x64")("a host without SIMD is told apart", () => {
  expect(asked("--no-enable-sse4-1")).toEqual({ tailCalls: true, simd: false });
});
