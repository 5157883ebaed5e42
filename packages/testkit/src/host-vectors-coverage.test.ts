import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "../../../scripts/coverage-table.ts");

test("docs/coverage.md says what the tables, the definitions and the vector files say", () => {
  const { status, stderr } = spawnSync(process.execPath, ["--conditions=@doppel/source", SCRIPT, "--check"], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
