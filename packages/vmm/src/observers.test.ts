// Hooks on a machine of several processors: each event names the one that acts, in the order of the turns, and the state stays what it is.
import { expect, test } from "vitest";
import { countingBios } from "./bios.fixture.ts";
import { type Hooks, VirtualMachine } from "./index.ts";

const CPUS = 4;
const make = (engine: "interpreter" | "auto"): VirtualMachine =>
  new VirtualMachine({ memory: 16 << 20, cpus: CPUS, deterministic: true, noReboot: true, debugExit: true, engine, bios: countingBios(CPUS - 1) });
/** Where the others count, and where they say that they are done. */
const COUNTER = 0x7004;
const DONE = 0x7000;

async function watched(engine: "interpreter" | "auto", hooks: (vm: VirtualMachine) => Hooks): Promise<string> {
  const vm = make(engine);
  vm.observe(hooks(vm));
  expect(await vm.run()).toEqual({ kind: "debug-exit", value: (CPUS - 1) * 5000 });
  return vm.stateHash();
}

test("four processors: additions, blocks and registers by processor, the same under both engines", async () => {
  const plain = make("interpreter");
  await plain.run();
  const runs = [];
  for (const engine of ["interpreter", "auto"] as const) {
    const writes = Array.from({ length: CPUS }, () => ({ counter: 0, done: 0 }));
    const loops = Array.from({ length: CPUS }, () => 0);
    const order: number[] = [];
    const io: string[] = [];
    let last = -1;
    const hash = await watched(engine, (vm) => ({
      block: ({ cpu, instructions }) => {
        expect(cpu).toBe(vm.processors.current);
        expect(instructions).toBe(vm.processors.count);
        const { state, protectedMode } = vm.processors.processors[cpu]!.cpu;
        // CX is what is left of the loop: every value once for each.
        if (!protectedMode && (state.gpr32(1) & 0xffff) > 0 && state.rip < 0x100) loops[cpu]!++;
        if (cpu !== last) order.push(cpu);
        last = cpu;
      },
      memory: ({ cpu, address, size, write }) => {
        if (write && size === 4 && address === COUNTER) writes[cpu]!.counter++;
        if (write && size === 4 && address === DONE) writes[cpu]!.done++;
      },
      io: ({ cpu, space, address, write, value }) => {
        if (space === "port" && address === 0xf4) io.push(`${cpu} ${write} ${value}`);
      },
    }));
    expect(hash).toBe(plain.stateHash());
    expect(writes).toEqual([{ counter: 0, done: 0 }, ...Array.from({ length: CPUS - 1 }, () => ({ counter: 5000, done: 1 }))]);
    expect(io).toEqual([`0 true ${(CPUS - 1) * 5000}`]);
    expect(new Set(order)).toEqual(new Set([0, 1, 2, 3]));
    runs.push({ order, loops });
  }
  expect(runs[1]).toEqual(runs[0]);
});

test("hooks are called in the order in which they came, and a disposed one no more", () => {
  const vm = make("auto");
  const calls: string[] = [];
  const first = vm.observe({ block: () => void calls.push("first") });
  const second = vm.observe({
    block: () => {
      calls.push("second");
      first[Symbol.dispose]();
    },
  });
  vm.runExactly(100);
  expect(calls.slice(0, 3)).toEqual(["first", "second", "second"]);
  second[Symbol.dispose]();
  const before = calls.length;
  vm.runExactly(1000);
  expect(calls).toHaveLength(before);
});
