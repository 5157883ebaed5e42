import { embeddedGuest } from "@doppel/guests";
import { expect, test } from "vitest";
import { createVm } from "./index.ts";

test("the README's example: boot, wait for the prompt, type, power off", async () => {
  const vm = await createVm({ guest: "embedded", memory: 16 << 20 });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  vm.console.type("sum 1000\n");
  expect(await vm.console.waitFor("doppel> ")).toContain("500500");
  vm.console.type("poweroff\n");
  expect((await end).kind).toBe("power-off");
});

test("the keyboard types as well, and the screen shows it", async () => {
  const vm = await createVm({ guest: "embedded", memory: 16 << 20 });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  for (const key of ["e", "c", "h", "o", "spc", "h", "i", "enter"]) expect(vm.sendKey(key)).toBe(true);
  await vm.console.waitFor(/hi\r?\n/);
  await vm.console.waitFor("doppel> ");
  expect(vm.screen()).toContain("doppel> echo hi");
  vm.stop();
  expect((await end).kind).toBe("stopped");
});

test("two deterministic runs have the same state, and one across a save and restore has it too", async () => {
  const make = () => createVm({ guest: "embedded", memory: 16 << 20, deterministic: true });
  const [a, b, c] = [await make(), await make(), await make()];
  a.machine.runExactly(300_000);
  b.machine.runExactly(300_000);
  expect(a.stateHash()).toBe(b.stateHash());
  c.machine.runExactly(123_456);
  const d = await createVm({ restore: await c.save() });
  // The one that saved goes on as the restored one does.
  for (const vm of [c, d]) vm.machine.runExactly(300_000 - 123_456);
  expect(c.stateHash()).toBe(d.stateHash());
});

test("both engines come to the same state, also where code is hot at once", async () => {
  const { image } = embeddedGuest();
  const run = async (engine: "interpreter" | "auto", hotThreshold?: number) => {
    const vm = await createVm({
      multiboot: { image, append: "-- primes 3000; sum 300000; poweroff" }, memory: 16 << 20, deterministic: true, engine, ...(hotThreshold === undefined ? {} : { hotThreshold }),
    });
    expect((await vm.run()).kind).toBe("power-off");
    return { hash: vm.stateHash(), regions: vm.stats().translator.regions };
  };
  const [plain, translated] = [await run("interpreter"), await run("auto")];
  expect(translated.hash).toBe(plain.hash);
  expect([plain.regions, translated.regions > 0]).toEqual([0, true]);
  for (const hotThreshold of [0, 1]) {
    const { hash, regions } = await run("auto", hotThreshold);
    expect([hash, regions > translated.regions]).toEqual([plain.hash, true]);
  }
});

test("a machine is saved while it runs and goes on in another", async () => {
  const vm = await createVm({ guest: "embedded", memory: 16 << 20 });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  vm.console.type("echo abc");
  await vm.console.waitFor("abc");
  const saved = await vm.save();
  vm.stop();
  await end;
  const other = await createVm({ restore: saved });
  const otherEnd = other.run();
  other.console.type("def\n");
  await other.console.waitFor("abcdef");
  other.console.type("poweroff\n");
  expect((await otherEnd).kind).toBe("power-off");
});

test("a guest that resets the machine again and again leaves the host its turns", async () => {
  // Multiboot 0.6.96 header with load addresses, then LIDT of an empty table and INT3: a triple fault at each start.
  const at = 0x100000;
  const image = new Uint8Array(4096);
  const words = new Uint32Array(image.buffer);
  words.set([0x1badb002, 0x10000, -(0x1badb002 + 0x10000), at, at, at + 4096, at + 4096, at + 32]);
  image.set([0x0f, 0x01, 0x1d, 0x40, 0x00, 0x10, 0x00, 0xcc], 32);
  const vm = await createVm({ multiboot: { image }, memory: 16 << 20 });
  const end = vm.run();
  await new Promise((resolve) => setTimeout(resolve, 50));
  vm.stop();
  expect((await end).kind).toBe("stopped");
  const strict = await createVm({ multiboot: { image }, memory: 16 << 20, noReboot: true });
  expect((await strict.run()).kind).toBe("triple-fault");
});

test("bad options say what to do", async () => {
  await expect(createVm({})).rejects.toThrow(/exactly one thing to boot/);
  await expect(createVm({ guest: "embedded", memory: 12345 })).rejects.toThrow(/multiple of 4 KiB/);
  await expect(createVm({ kernel: { kernel: new Uint8Array(100) } })).rejects.toThrow();
  await expect(createVm({ restore: new Uint8Array(100) })).rejects.toThrow();
});
