import { decode, encode } from "@doppel/persist";
import { describe, expect, test } from "vitest";
import { Clock, CountTime, HostTime } from "./index.ts";
import type { ClockState } from "./index.ts";

function counted(nsPerInstruction = 1) {
  const cpu = { count: 0 };
  return { cpu, clock: new Clock(new CountTime(() => cpu.count, nsPerInstruction)) };
}

describe("Clock", () => {
  test("the README's example", () => {
    let instructions = 0;
    const clock = new Clock(new CountTime(() => instructions, 10));
    const log: string[] = [];
    clock.schedule(100, () => log.push(`tick at ${clock.now()}`), "tick");
    expect(clock.nextDeadline()).toBe(100);
    instructions = 10;
    clock.runDue();
    expect(log).toEqual(["tick at 100"]);
  });

  test("fires by deadline, then by label, then by insertion; callbacks may schedule and cancel", () => {
    const { cpu, clock } = counted();
    const log: string[] = [];
    const say = (what: string) => () => void log.push(what);
    clock.schedule(30, say("30"), "z");
    clock.schedule(20, say("20b"), "b");
    clock.schedule(20, say("20a"), "a");
    clock.schedule(20, say("20b2"), "b");
    const late = clock.schedule(31, say("never"), "n");
    clock.schedule(10, () => {
      log.push("10");
      clock.schedule(15, say("15"), "inner");
      late.cancel();
    });
    cpu.count = 9;
    clock.runDue();
    expect(log).toEqual([]);
    cpu.count = 50;
    clock.runDue();
    expect(log).toEqual(["10", "15", "20a", "20b", "20b2", "30"]);
    expect(clock.nextDeadline()).toBe(Infinity);
    late.cancel();
  });

  test("tells of a timer that is due before all others, and of no other", () => {
    const { clock } = counted();
    const told: number[] = [];
    clock.onSooner = (deadline) => void told.push(deadline);
    for (const at of [300, 400, 200.5, Infinity, 201]) clock.schedule(at, () => {});
    clock.schedule(100, () => {}).cancel();
    clock.schedule(150, () => {});
    expect(told).toEqual([300, 201, 100, 150]);
  });

  test("cancelled timers leave the queue", () => {
    const { clock } = counted();
    for (let i = 0; i < 1000; i++) clock.schedule(1e9 - i, () => {}).cancel();
    expect(clock.pending).toBe(0);
    clock.schedule(Infinity, () => {});
    expect(clock.pending).toBe(0);
  });

  test("agrees with a sorted list over random adds and removals", () => {
    const { cpu, clock } = counted();
    let seed = 7;
    const next = () => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) >>> 8;
    const expected: { at: number; id: number }[] = [];
    const fired: number[] = [];
    const timers = Array.from({ length: 500 }, (_, id) => {
      const at = next() % 100;
      expected.push({ at, id });
      return clock.schedule(at, () => fired.push(id));
    });
    for (let i = 0; i < 200; i++) {
      const id = next() % 500;
      timers[id].cancel();
      const index = expected.findIndex((e) => e.id === id);
      if (index >= 0) expected.splice(index, 1);
    }
    cpu.count = 100;
    clock.runDue();
    expect(fired).toEqual(expected.sort((a, b) => a.at - b.at || a.id - b.id).map((e) => e.id));
  });

  test("pause, resume and jumps", () => {
    const { cpu, clock } = counted();
    cpu.count = 10;
    clock.pause();
    cpu.count = 1000;
    expect(clock.now()).toBe(10);
    clock.resume();
    cpu.count = 1005;
    expect(clock.now()).toBe(15);
    clock.advanceTo(100);
    expect(clock.now()).toBe(100);
    clock.advanceTo(50);
    clock.advanceTo(Infinity);
    expect(clock.now()).toBe(100);
  });

  test("time survives a save into a clock over another source", () => {
    const { cpu, clock } = counted();
    cpu.count = 12345;
    const saved = decode(encode(clock.save())) as ClockState;
    let ms = 77.5;
    const other = new Clock(new HostTime(() => ms));
    other.restore(saved);
    expect(other.now()).toBe(12345);
    ms += 0.25;
    expect(other.now()).toBe(12345 + 250_000);
    ms -= 0.1;
    expect(other.now()).toBe(12345 + 250_000);
  });

  test("the length of a slice up to a deadline", () => {
    const time = new CountTime(() => 0, 2.5);
    expect(time.instructionsFor(10)).toBe(4);
    expect(time.instructionsFor(11)).toBe(5);
    expect(() => new CountTime(() => 0, 0)).toThrow(/pace/);
  });
});
