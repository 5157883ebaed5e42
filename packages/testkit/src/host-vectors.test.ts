import { expect, test } from "vitest";
import { FAMILY_NAMES } from "./host-vectors-groups.ts";
import { runHostVectors } from "./host-vectors.ts";
import type { VectorReport } from "./sst286.ts";

/** Seconds on a quiet machine; a loaded one takes its time. */
const TIMEOUT = 180_000;

test.each(FAMILY_NAMES)("what the host's processor did with user-mode instructions: %s", (family) => {
  const report: VectorReport = { run: 0, passed: 0, failed: 0, excluded: new Map(), failures: [] };
  runHostVectors(report, [family]);
  expect(report.failures).toEqual([]);
  expect(report.failed).toBe(0);
  expect(report.run).toBeGreaterThan(1000);
}, TIMEOUT);

test("some of the same in regions of the translator", () => {
  const report: VectorReport = { run: 0, passed: 0, failed: 0, excluded: new Map(), failures: [] };
  const regions = { each: 50, retired: 0 };
  runHostVectors(report, undefined, undefined, undefined, regions);
  expect(report.failures).toEqual([]);
  expect(report.failed).toBe(0);
  expect(regions.retired).toBeGreaterThan(report.run / 2);
}, 240_000);
