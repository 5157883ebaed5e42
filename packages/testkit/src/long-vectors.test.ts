import { expect, test } from "vitest";
import { runLongVectors } from "./long-vectors.ts";
import type { VectorReport } from "./sst286.ts";

test("what the host's processor did with user-mode instructions in 64-bit code", () => {
  const report: VectorReport = { run: 0, passed: 0, failed: 0, excluded: new Map(), failures: [] };
  runLongVectors(report);
  expect(report.failures).toEqual([]);
  expect(report.failed).toBe(0);
  expect(report.run).toBeGreaterThan(70_000);
}, 120_000);

test("the same in regions of the translator", () => {
  const report: VectorReport = { run: 0, passed: 0, failed: 0, excluded: new Map(), failures: [] };
  const regions = { each: 8, retired: 0 };
  runLongVectors(report, "", 2, regions);
  expect(report.failures).toEqual([]);
  expect(report.failed).toBe(0);
  expect(regions.retired).toBeGreaterThan(report.run / 2);
}, 240_000);
