// Plugins that watch a whole machine: what they see is the same under both engines, at the same counts, and the machine is as without them.
import { blockCoverage, cacheSimulator, ioLine } from "@doppel/debug";
import { readFileSync } from "node:fs";
import { embeddedGuest } from "@doppel/guests";
import { describe, expect, test } from "vitest";
import * as self from "./index.ts";
import { createVm, type EngineName, type Plugin, type Vm } from "./index.ts";

const { image } = embeddedGuest();
const make = (append: string, engine: EngineName, plugins: readonly Plugin[] = [], cpus = 1): Promise<Vm> =>
  createVm({ multiboot: { image, append }, memory: 16 << 20, deterministic: true, engine, plugins, cpus });
const COMMANDS = "-- primes 300; sum 20000; poweroff";

/** A digest of events: an order-dependent sum, and how many. */
class Digest {
  count = 0;
  sum = 0;
  add(...numbers: readonly number[]): void {
    this.count++;
    for (const n of numbers) this.sum = (Math.imul(this.sum, 31) + (n | 0)) | 0;
  }
}

/** Everything that can be watched, with registers. */
function everything(): Plugin & { readonly seen: Record<"block" | "memory" | "io", Digest> } {
  const seen = { block: new Digest(), memory: new Digest(), io: new Digest() };
  return {
    name: "everything", seen,
    attach: (vm) => {
      const { cpu } = vm.machine;
      const precise = (): number[] => [cpu.state.rip, cpu.state.gpr32(0), cpu.state.gpr32(4), cpu.state.eflags];
      return vm.observe({
        block: ({ instructions, address }) => seen.block.add(instructions, address, ...precise()),
        memory: ({ instructions, address, size, write }) => seen.memory.add(instructions, address, size, write ? 1 : 0, ...precise()),
        io: ({ instructions, address, size, write, value }) => seen.io.add(instructions, address, size, write ? 1 : 0, value, ...precise()),
      });
    },
  };
}

async function outcome(vm: Vm): Promise<{ stop: string; instructions: number; hash: string }> {
  const { kind } = await vm.run();
  return { stop: kind, instructions: vm.stats().instructions, hash: vm.stateHash() };
}

describe("a machine that is watched", () => {
  test("is as one that is not, and tells the same under both engines", async () => {
    const plain = await outcome(await make(COMMANDS, "interpreter"));
    const [one, other] = [everything(), everything()];
    expect(await outcome(await make(COMMANDS, "interpreter", [one]))).toEqual(plain);
    expect(await outcome(await make(COMMANDS, "auto", [other]))).toEqual(plain);
    expect(other.seen).toEqual(one.seen);
    expect([one.seen.block.count > 1e4, one.seen.memory.count > 1e4, one.seen.io.count > 1000]).toEqual([true, true, true]);
  });

  test("runs in regions while only devices are watched", async () => {
    const [plain, lines, others] = [await make("-- sum 3000000; poweroff", "auto"), [] as string[], [] as string[]];
    const trace = (to: string[]): Plugin => ({ name: "trace", attach: (vm) => vm.observe({ io: (event) => to.push(`${ioLine(event)} ${vm.machine.cpu.state.rip}`) }) });
    const [a, b] = [await make("-- sum 3000000; poweroff", "auto", [trace(lines)]), await make("-- sum 3000000; poweroff", "interpreter", [trace(others)])];
    const [expected, seen, interpreted] = [await outcome(plain), await outcome(a), await outcome(b)];
    expect([seen, interpreted]).toEqual([expected, expected]);
    expect(a.stats().translator.regions).toBeGreaterThan(0);
    expect(lines).toEqual(others);
    const { portReads, portWrites, mmioReads, mmioWrites } = a.stats().exits;
    expect(lines).toHaveLength(portReads + portWrites + mmioReads + mmioWrites);
  });

  test("with two processors names the one that acts", async () => {
    const seen = new Set<number>();
    const watch: Plugin = { name: "who", attach: (vm) => vm.observe({ block: ({ cpu }) => seen.add(cpu), io: ({ cpu }) => seen.add(cpu) }) };
    const plain = await outcome(await make(COMMANDS, "auto", [], 2));
    expect(await outcome(await make(COMMANDS, "auto", [watch], 2))).toEqual(plain);
    expect([...seen]).toEqual([0]);
  });
});

describe("plugins that are there", () => {
  test("coverage: the loop of `sum` is executed as often as it says", async () => {
    const coverage = blockCoverage();
    await (await make("-- sum 12345; poweroff", "auto", [coverage])).run();
    expect([...coverage.blocks.values()].filter((count) => count === 12345 - 1 || count === 12345).length).toBeGreaterThan(0);
    const partial = blockCoverage(({ address }) => address < 0x100000);
    await (await make("-- poweroff", "auto", [partial])).run();
    expect([...partial.blocks.keys()].every((address) => address < 0x100000)).toBe(true);
  });
  test("a cache: a bigger one misses less", async () => {
    const [small, big] = [cacheSimulator({ bytes: 512, line: 64, ways: 1 }), cacheSimulator()];
    await (await make("-- primes 2000; poweroff", "auto", [small, big])).run();
    expect(small.accesses).toBe(big.accesses);
    expect(big.accesses).toBeGreaterThan(10_000);
    expect(big.misses).toBeLessThan(small.misses / 4);
  });
});

test("the README's example", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!).find((text) => text.includes("cacheSimulator"))!;
  const body = example.replace(/^import (.*) from "doppel";$/m, "const $1 = self;");
  const lines: unknown[][] = [];
  const run = new Function("self", "console", `return (async () => { ${body}; return { vm, calls, cache }; })()`) as
    (library: typeof self, console: object) => Promise<{ vm: Vm; calls: Map<number, number>; cache: self.CacheSimulator }>;
  const { vm, calls, cache } = await run(self, { log: (...words: unknown[]) => void lines.push(words) });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  vm.stop();
  await end;
  expect(lines).toContainEqual(["port", "3f8", "<-", "d".charCodeAt(0), "at", expect.any(Number)]);
  expect([calls.size > 100, cache.accesses > 1000]).toEqual([true, true]);
});

test("hooks come and go while the machine runs, and a hook may pause it", async () => {
  const vm = await createVm({ guest: "embedded", memory: 16 << 20, engine: "auto" });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  let blocks = 0;
  const watching = vm.observe({ block: () => blocks++ });
  vm.console.type("sum 1000\n");
  expect(await vm.console.waitFor("doppel> ")).toContain("500500");
  watching[Symbol.dispose]();
  const before = blocks;
  expect(before).toBeGreaterThan(1000);
  vm.console.type("sum 1000\n");
  expect(await vm.console.waitFor("doppel> ")).toContain("500500");
  expect(blocks).toBe(before);
  let paused: Promise<void> | undefined;
  const once = vm.observe({ io: () => void (paused ??= vm.pause()) });
  vm.console.type("echo x\n");
  while (paused === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  await paused;
  once[Symbol.dispose]();
  vm.resume();
  await vm.console.waitFor("doppel> ");
  vm[Symbol.dispose]();
  expect((await end).kind).toBe("stopped");
});

test("plugins are detached with the machine, the last one first; one that fails is named", async () => {
  const order: string[] = [];
  const plugin = (name: string): Plugin => ({ name, attach: () => ({ [Symbol.dispose]: () => void order.push(name) }) });
  {
    using vm = await createVm({ guest: "embedded", memory: 16 << 20, plugins: [plugin("a"), plugin("b")] });
    expect([vm.machine.isRunning, order]).toEqual([false, []]);
  }
  expect(order).toEqual(["b", "a"]);
  const broken: Plugin = { name: "broken", attach: () => { throw new Error("no such file"); } };
  await expect(createVm({ guest: "embedded", memory: 16 << 20, plugins: [plugin("c"), broken] })).rejects.toThrow("the plugin broken could not be attached: no such file");
  expect(order).toEqual(["b", "a", "c"]);
});
