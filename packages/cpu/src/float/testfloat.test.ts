// Expected values: Berkeley TestFloat 3 (see the folder's README for how they were made).
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { testFloatFiles, testFloatRunner } from "./testfloat.fixture.ts";

const folder = process.env["DOPPEL_VECTORS"] ?? join(import.meta.dirname, "../../../../../shared/vectors");
const files = testFloatFiles(folder);

describe.skipIf(files === undefined)(`TestFloat (skipped where ${folder}/testfloat is absent)`, () => {
  const run = files === undefined ? undefined : testFloatRunner(folder);
  test.each(files ?? [""])("%s", (file) => {
    const { passed, differences } = run!(file);
    expect(differences).toEqual([]);
    expect(passed).toBeGreaterThan(0);
  });
});
