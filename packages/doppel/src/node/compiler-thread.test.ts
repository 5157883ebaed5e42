/** A machine whose hot code another thread compiles, in a process of its own: a thread resolves packages as its process does. */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";

const SCRIPT = `
  import { createVm } from "doppel";
  import { compilerThread } from "doppel/node";
  const thread = compilerThread();
  while (!thread.isReady) await new Promise((resolve) => setTimeout(resolve, 5));
  const asked = [];
  const compiler = { isReady: true, compile: (request) => (asked.push(request), thread.compile(request)) };
  const finished = async (options) => {
    const vm = await createVm({ guest: "embedded", memory: 16 << 20, deterministic: true, hotThreshold: 50, ...options });
    const run = vm.run();
    await vm.console.waitFor("doppel> ");
    vm.console.type("sum 20000000\\n");
    await vm.console.waitFor("doppel> ");
    vm.console.type("poweroff\\n");
    const { kind } = await run;
    return { kind, hash: vm.stateHash(), ...vm.stats() };
  };
  const [alone, beside] = [await finished({ engine: "interpreter" }), await finished({ compiler })];
  const waits = setInterval(() => {}, 1000);
  const failed = [];
  for (let n = 0; n < 2; n++) failed.push(await thread.compile({ words: new Int32Array([1]) }).catch(({ message }) => message));
  console.log(JSON.stringify({ kinds: [alone.kind, beside.kind], isSame: alone.hash === beside.hash, asked: asked.length, modules: beside.translator.modules, failed, isReady: thread.isReady }));
  clearInterval(waits);
`;

test.skipIf(availableParallelism() < 2)("hot code is compiled on a thread that keeps no process alive; one that fails is used no more", () => {
  const told = execFileSync(process.execPath, ["--conditions=@doppel/source", "--input-type=module", "-e", SCRIPT], { cwd: import.meta.dirname, encoding: "utf8", timeout: 60_000 });
  const { asked, modules, ...rest } = JSON.parse(told) as { asked: number; modules: number };
  expect(rest).toEqual({ kinds: ["power-off", "power-off"], isSame: true, failed: [expect.any(String), "the thread that compiles takes no requests"], isReady: false });
  expect(asked).toBeGreaterThan(0);
  expect(modules).toBeGreaterThan(0);
});
