// A machine in a time of its own, which executes as many instructions per millisecond as a test says.
import type { Engine, Exit } from "@doppel/cpu";
import { Clock } from "@doppel/clock";
import { expect, it } from "vitest";
import { RunLoop } from "./run-loop.ts";

/** Runs for some milliseconds at a speed that may change, and gives the moments at which the host had its turn, and the number of slices. */
async function turns(milliseconds: number, speedAt: (time: number) => number): Promise<{ turns: number[]; slices: number }> {
  let time = 0;
  let retired = 0;
  let slices = 0;
  const moments: number[] = [];
  const engine: Engine = {
    get retired() { return retired; },
    run(budget: number): Exit {
      slices++;
      retired += budget;
      time += budget / speedAt(time);
      return { reason: "budget" };
    },
    requestExit() {},
  };
  const pace = {
    yield: async () => {
      moments.push(time);
      if (time > milliseconds) loop.end();
    },
    sleep: async () => {},
    wake: () => {},
  };
  const loop = new RunLoop(engine, new Clock({ now: () => time * 1e6 }), undefined, pace, () => time);
  await loop.run();
  return { turns: moments, slices };
}
const longest = (moments: readonly number[]): number => Math.max(...moments.slice(1).map((moment, i) => moment - moments[i]!));

it.each([20_000, 50_000, 1_000_000])("gives the host a turn every few milliseconds at %i instructions per millisecond", async (speed) => {
  const { turns: moments, slices } = await turns(1000, () => speed);
  expect(longest(moments)).toBeLessThan(5);
  // Four slices a millisecond, and few more to find out the speed.
  expect(slices).toBeLessThan(4100);
});

it("makes the host wait only once when code gets much slower", async () => {
  const { turns: moments } = await turns(1000, (time) => (time % 200 < 100 ? 400_000 : 4_000));
  const long = moments.slice(1).filter((moment, i) => moment - moments[i]! > 6);
  expect(long.length).toBeLessThanOrEqual(5);
});

it("cuts the slice that runs when a timer is armed that is due before its end", async () => {
  let time = 0;
  const fired: number[] = [];
  let exits = 0;
  const clock = new Clock({ now: () => time });
  const loop: RunLoop = new RunLoop({
    retired: 0,
    run(): Exit {
      time += 10;
      // A device arms a far timer, and then one before it; what is due later asks for nothing.
      if (time === 10) {
        clock.schedule(5000, () => loop.end());
        clock.schedule(30, () => fired.push(time));
        clock.schedule(40, () => fired.push(time));
      }
      return { reason: "budget" };
    },
    requestExit: () => void exits++,
  }, clock, undefined, { yield: async () => {}, sleep: async () => {}, wake: () => {} }, () => 0);
  // While nothing runs there is nothing to cut.
  clock.schedule(6000, () => {});
  await loop.run();
  expect([fired, exits]).toEqual([[30, 40], 3]);
});
