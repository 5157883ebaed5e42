// A machine behind messages does what one in the same thread does: every test runs with both.
import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type AnyVm, createVm, type Endpoint, FirmwareError, linearAddress, MachineError, OptionError, PersistError, PLAIN_CPU, RemoteVm, serveVm, type VmOptions } from "../index.ts";

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
  vi.restoreAllMocks();
});

function throughMessages(options: VmOptions): Promise<RemoteVm> {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  port1.start();
  port2.start();
  serveVm(port2 as unknown as Endpoint);
  return RemoteVm.create(port1 as unknown as Endpoint, options);
}

const embedded: VmOptions = { guest: "embedded", memory: 16 << 20 };

describe.each<[string, (options: VmOptions) => Promise<AnyVm>]>([["in this thread", createVm], ["behind messages", throughMessages]])("a machine %s", (_, make) => {
  test("boots, answers, is paused, and powers off", async () => {
    const vm = await make(embedded);
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    vm.console.type("sum 1000\n");
    expect(await vm.console.waitFor("doppel> ")).toContain("500500");
    expect((await vm.stats()).mips).toBeGreaterThan(0);
    await vm.pause();
    const { instructions } = await vm.stats();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await vm.stats()).instructions).toBe(instructions);
    const { eip } = await vm.registers();
    expect(await vm.readMemory(eip!, 4)).toHaveLength(4);
    expect(await vm.disassemble(eip!)).toMatch(/^[a-z]+/);
    // It sleeps in HLT, and a key wakes it.
    vm.serial[0]!.write("p");
    await vm.step(3);
    expect((await vm.stats()).instructions).toBeGreaterThan(instructions);
    await vm.resume();
    vm.serial[0]!.write("oweroff\n");
    expect(await end).toEqual({ kind: "power-off" });
  });

  test("takes keys, shows its display, and starts anew", async () => {
    const vm = await make(embedded);
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    for (const code of ["KeyE", "KeyC", "KeyH", "KeyO", "Space", "KeyH", "KeyI", "Enter"]) {
      expect(await vm.key(code, true)).toBe(true);
      expect(await vm.key(code, false)).toBe(true);
    }
    expect(await vm.key("KeyÄ", true)).toBe(false);
    expect(await vm.sendKey("nothing-known")).toBe(false);
    await vm.console.waitFor(/hi\r?\n/);
    await vm.console.waitFor("doppel> ");
    expect(await vm.screen()).toContain("doppel> echo hi");
    const display = await vm.display();
    expect(display.rows.some((row) => row.startsWith("doppel> echo hi"))).toBe(true);
    expect([display.columns, display.cells.length, display.colours.length, display.isText]).toEqual([80, 4000, 48, true]);
    await vm.reset();
    expect(await vm.console.waitFor("doppel> ")).toContain("help lists the commands");
    await vm.stop();
    expect((await end).kind).toBe("stopped");
  });

  test("is saved, and goes on in another", async () => {
    const vm = await make(embedded);
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    vm.console.type("echo abc");
    await vm.console.waitFor("abc");
    const restore = await vm.save();
    await vm.stop();
    await end;
    const other = await make({ restore });
    const otherEnd = other.run();
    other.console.type("def\n");
    await other.console.waitFor("abcdef");
    await other.console.waitFor("doppel> ");
    // A reset starts what was booted once, which the bytes hold.
    await other.reset();
    expect(await other.console.waitFor("doppel> ")).toContain("help lists the commands");
    await other.stop();
    expect((await otherEnd).kind).toBe("stopped");
    await expect(make({ restore: restore.subarray(0, restore.length >> 1) })).rejects.toThrow(PersistError);
  });

  test("explains the code that ran most, as long as it counts", async () => {
    const vm = await make(embedded);
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    expect((await vm.hotspots(5)).counted).toBeUndefined();
    await expect((async () => vm.explain({ top: 1 }))()).rejects.toThrow(/countCode/);
    await vm.countCode(true);
    vm.console.type("sum 3000000\n");
    await vm.console.waitFor("doppel> ");
    const { counted, regions } = await vm.hotspots(5);
    const [hottest] = regions;
    expect(hottest!.retired! / counted!).toBeGreaterThan(0.8);
    expect(hottest!.bits).toBe(32);
    // The loop of `sum` adds with carry.
    const [unit] = await vm.explain({ at: linearAddress(hottest!.address) });
    expect(unit).toMatchObject({ address: hottest!.address, state: "translated", retired: hottest!.retired! });
    expect(unit!.blocks.flatMap(({ instructions }) => instructions).some(({ text, ir }) => text.startsWith("adc") && ir.length > 0)).toBe(true);
    expect(unit!.wasm).toContain("(func");
    expect(await vm.explain({ top: 1 })).toEqual([unit]);
    await vm.clearCounts();
    expect((await vm.hotspots(1)).counted).toBeLessThan(counted!);
    await vm.countCode(false);
    expect((await vm.hotspots(5)).counted).toBeUndefined();
    await expect((async () => vm.explain({ at: 0xfffff000 }))()).rejects.toMatchObject({ name: "ExplainError", code: "EXPLAIN_NOT_MAPPED" });
    await vm.stop();
    expect((await end).kind).toBe("stopped");
    const plain = await make({ ...embedded, engine: "interpreter" });
    await expect((async () => plain.hotspots(5))()).rejects.toThrow(MachineError);
    await plain.close();
  });

  test("speaks to a debugger", async () => {
    const vm = await make(embedded);
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    let heard = "";
    const session = await vm.attachDebugger((bytes) => (heard += new TextDecoder().decode(bytes)));
    await expect((async () => vm.attachDebugger(() => {}))()).rejects.toThrow(/attached already/);
    session.receive(new TextEncoder().encode("$?#3f"));
    await vi.waitFor(() => expect(heard).toContain("$T05"));
    session[Symbol.dispose]();
    vm.console.type("poweroff\n");
    expect((await end).kind).toBe("power-off");
  });

  test("has a plugin of a module's, loaded where it runs", async () => {
    const module = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;
    // It says on the second serial line which ports the guest wrote to first.
    const vm = await make({ ...embedded, plugins: [module(`export default {
      name: "ports",
      attach: (vm) => vm.observe({ io: ({ address, write }) => write && vm.serial[1].output(address & 0xff) }),
    }`)] });
    let heard = 0;
    vm.serial[1]!.onOutput((bytes) => (heard += bytes.filter((port) => port === 0xf8).length));
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    await vi.waitFor(() => expect(heard).toBeGreaterThan(20));
    await vm.stop();
    await end;
    await expect(make({ ...embedded, plugins: [module("export default {}")] })).rejects.toThrow(/its default export has no method attach/);
    await expect(make({ ...embedded, plugins: [module("}")] })).rejects.toThrow(OptionError);
  });

  test("is refused with an error of its class, which says what to do", async () => {
    await expect(make({})).rejects.toThrow(OptionError);
    await expect(make({ ...embedded, memory: 1 << 20 })).rejects.toThrow(/from 2 to 3584 MiB/);
    await expect(make({ kernel: { kernel: new Uint8Array(5000) } })).rejects.toThrow(FirmwareError);
    await expect(make({ restore: new Uint8Array(100) })).rejects.toMatchObject({ name: "PersistError", code: "PERSIST_MAGIC" });
  });

  test("without SIMD has a processor without SSE, and another is refused", async () => {
    const vm = await make({ ...embedded, features: { simd: false } });
    const end = vm.run();
    await vm.console.waitFor("doppel> ");
    vm.console.type("cpu\npoweroff\n");
    const said = await vm.console.waitFor("doppel> poweroff");
    expect(said).toContain(`Doppel Virtual CPU ${PLAIN_CPU}`);
    expect(said).not.toMatch(/\bsse/i);
    expect((await end).kind).toBe("power-off");
    await expect(make({ ...embedded, features: { simd: false }, cpu: "max" })).rejects.toThrow(MachineError);
  });
});

test("a plugin that is a value does not go into a worker", async () => {
  const plugin = { name: "mine", attach: () => ({ [Symbol.dispose]: () => {} }) };
  await expect(throughMessages({ ...embedded, plugins: [plugin] })).rejects.toThrow(/the plugin mine is a value, .* give the URL of a module/);
});

test("a machine that is closed ends its run and its worker", async () => {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  port1.start();
  port2.start();
  serveVm(port2 as unknown as Endpoint);
  const vm = await RemoteVm.create(port1 as unknown as Endpoint, embedded, { end: () => port2.close() });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  await vm.close();
  expect(await end).toEqual({ kind: "stopped" });
  await expect(vm.save()).rejects.toThrow("this machine was closed");
});

test("a call to a machine whose worker is gone is rejected, and a run ends", async () => {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  port1.start();
  port2.start();
  serveVm(port2 as unknown as Endpoint);
  let lose: (error: Error) => void = () => {};
  const vm = await RemoteVm.create(port1 as unknown as Endpoint, embedded, { lost: new Promise((_, reject) => (lose = reject)) });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  lose(new Error("the worker ended"));
  expect(await end).toMatchObject({ kind: "host-fault", error: { message: "the worker ended" } });
  await expect(vm.stats()).rejects.toThrow("the worker ended");
  port2.close();
});

const program = (features: string): string => `
  import { createVm } from ${JSON.stringify(new URL("../index.ts", import.meta.url).href)};
  let tables = 0;
  const Module = WebAssembly.Module;
  // Regions import the table in order to go on to each other, and for nothing else.
  WebAssembly.Module = class extends Module {
    constructor(bytes) {
      super(bytes);
      if (Module.exports(this).some(({ name }) => name === "region0") && Module.imports(this).some(({ kind }) => kind === "table")) tables++;
    }
  };
  const vm = await createVm({ guest: "embedded", memory: 16 << 20, engine: "auto", deterministic: true${features} });
  const end = vm.run();
  await vm.console.waitFor("doppel> ");
  vm.console.type("primes 3000\\nsum 300000\\npoweroff\\n");
  await end;
  console.log(JSON.stringify({ text: vm.console.text.match(/primes 3000[^]*/)[0], regions: vm.stats().translator.regions > 0, tables: tables > 0 }));
`;
const inNode = (flags: string[], features: string): { text: string; regions: boolean; tables: boolean } => JSON.parse(
  execFileSync(process.execPath, [...flags, "--conditions=@doppel/source", "--input-type=module", "-e", program(features)], { encoding: "utf8" }),
);

describe("features of WebAssembly that are missing", () => {
  test("regions without tail calls do the same work", () => {
    const [with_, without] = [inNode([], ""), inNode([], ", features: { tailCalls: false }")];
    expect([with_.regions, with_.tables]).toEqual([true, true]);
    expect([without.regions, without.tables]).toEqual([true, false]);
    expect(without.text).toBe(with_.text);
    expect(with_.text).toContain("430");
  });

  test.runIf(process.arch === "x64")("a host whose V8 has no SIMD runs the guest, translated", () => {
    expect(inNode(["--no-enable-sse4-1"], "")).toMatchObject({ regions: true, text: expect.stringContaining("430") });
  });
});
