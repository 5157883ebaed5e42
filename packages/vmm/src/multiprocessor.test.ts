import { expect, test } from "vitest";
import { countingBios } from "./bios.fixture.ts";
import { VirtualMachine } from "./index.ts";

const make = (cpus: number): VirtualMachine =>
  new VirtualMachine({ memory: 16 << 20, cpus, deterministic: true, noReboot: true, debugExit: true, bios: countingBios(cpus - 1) });

test.each([2, 4, 8])("%i processors start, each with its own state, and their locked additions all count", async (cpus) => {
  expect(await make(cpus).run()).toEqual({ kind: "debug-exit", value: (cpus - 1) * 5000 });
});

test("turns are part of the state: two runs agree, and so does one across a save and restore", () => {
  const [a, b, c] = [make(4), make(4), make(4)];
  a.runExactly(30_000);
  b.runExactly(12_345);
  c.restore(b.save());
  for (const vm of [b, c]) vm.runExactly(30_000 - 12_345);
  expect(b.stateHash()).toBe(a.stateHash());
  expect(c.stateHash()).toBe(a.stateHash());
  expect(a.processors.processors.filter(({ engine }) => engine.retired > 0).length).toBeGreaterThan(1);
});

test("a number of processors that cannot be had is refused in words", () => {
  expect(() => make(9)).toThrow(/1 to 8 CPUs/);
});
