import { expect, test } from "vitest";
import { FAMILY_NAMES } from "./host-vectors-groups.ts";
import { runHostVectors } from "./host-vectors.ts";
import type { VectorReport } from "./sst286.ts";

/** One byte less than 4 GiB: no operand reaches it, and every access is checked. */
const LIMIT = 0xfffffffe;

/** Seconds on a quiet machine; a loaded one takes its time. */
const TIMEOUT = 180_000;

test.each(FAMILY_NAMES)("the same with segments that must be checked: %s", (family) => {
  const report: VectorReport = { run: 0, passed: 0, failed: 0, excluded: new Map(), failures: [] };
  // A register operand knows no segment; an instruction without ModRM may use the stack or strings.
  runHostVectors(report, [family], ({ memory, form }) => memory || !form.hasModrm, LIMIT);
  expect(report.failures).toEqual([]);
  expect(report.failed).toBe(0);
}, TIMEOUT);
