import { describe, expect, test } from "vitest";
import { Alarm, Clock, CountTime, Frequency } from "./index.ts";

test("an alarm holds one deadline, and may be set from its own callback", () => {
  let count = 0;
  const clock = new Clock(new CountTime(() => count));
  const log: number[] = [];
  const alarm = new Alarm(clock, "a", (deadline) => {
    log.push(deadline);
    if (deadline < 30) alarm.set(deadline + 10);
  });
  alarm.set(5);
  alarm.set(10);
  expect(alarm.deadline).toBe(10);
  count = 100;
  clock.runDue();
  expect(log).toEqual([10, 20, 30]);
  expect(alarm.deadline).toBe(Infinity);
  alarm.set(200);
  alarm.clear();
  expect(clock.pending).toBe(0);
});

describe("Frequency", () => {
  test.each([18, 32768, 1193182, 3579545, 115200, 999_999_999])("%d Hz: nsAt is the first nanosecond of its tick", (hz) => {
    const rate = new Frequency(hz);
    for (const tick of [0, 1, 2, 3, 1000, 65536, hz - 1, hz, hz + 1, 3 * hz + 7, 100_000 * hz + 13]) {
      const ns = rate.nsAt(tick);
      expect(rate.ticksAt(ns)).toBeGreaterThanOrEqual(tick);
      if (tick > 0 && hz < 9e6) expect(rate.ticksAt(ns - 1)).toBe(tick - 1);
    }
    expect(rate.ticksAt(7e9)).toBe(7 * hz);
  });
});
