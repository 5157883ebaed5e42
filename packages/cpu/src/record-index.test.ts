import { expect, test } from "vitest";
import { bareMachine, enterFlatMode } from "@doppel/testkit";
import { ModuleBuilder, OP } from "@doppel/wasm";
import { assemble } from "@doppel/x86";
import { CONTROL_DELTA, CONTROL_REGION } from "./dispatch.ts";
import { ALONE } from "./handler.ts";
import { BUDGET, STATE } from "./state-layout.ts";

/** A machine whose records are copied: with a compiler of regions there are no pairs. */
function machineAt(rip: number, ...parts: readonly [origin: number, source: string][]): ReturnType<typeof bareMachine> {
  const machine = bareMachine({ pairs: false });
  for (const [origin, source] of parts) machine.physical.load(origin, assemble(source, { origin, bits: 16 }));
  const { cpu, engine } = machine;
  engine.regions = { sample: () => {}, dropped: () => {} };
  cpu.state.setSegmentBase(1, 0);
  cpu.state.setSelector(1, 0);
  cpu.state.rip = rip;
  cpu.updateMode();
  return machine;
}

test("a block that begins in the middle of another one", () => {
  const { cpu, engine } = machineAt(0x1000, [0x1000, "mov ax, 0\nmov cx, 10\n.again: add ax, cx\ncmp cx, 5\nje .five\n.back: dec cx\njnz .again\nhlt\n.five: add ax, 100\njmp .back"]);
  engine.run(1000);
  expect(cpu.state.gpr32(0) & 0xffff).toBe(155);
});

test("a copied instruction that is overwritten is the new one in every block", () => {
  const { cpu, engine } = machineAt(0x1000, [0x1000, "mov cx, 3\nmov dx, 0\n.again: nop\n.changed: mov al, 1\nadd dl, al\ninc byte [.changed + 1]\ndec cx\njnz .again\nhlt"]);
  engine.run(1000);
  expect(cpu.state.gpr32(2) & 0xff).toBe(1 + 2 + 3);
});

test("a block that ends with its page copies nothing of the next one, whose addresses are others", () => {
  const { cpu, engine } = machineAt(0x2000, [0x1ffe, "inc ax\ninc ax"], [0x2000, "call sub\nagain: jmp again\nsub: pop dx\npush dx\nret"]);
  cpu.state.setGpr32(4, 0x8000);
  engine.run(10);
  expect(cpu.state.gpr32(2) & 0xffff).toBe(0x2003);
  cpu.state.setGpr32(2, 0);
  cpu.state.setGpr32(0, 0);
  cpu.state.rip = 0x1ffe;
  engine.run(10);
  expect([cpu.state.gpr32(0), cpu.state.gpr32(2)].map((n) => n & 0xffff)).toEqual([2, 0x2003]);
});

test("a write drops the blocks that have the bytes, and what is in their records; others of the page stay", () => {
  const { cpu, engine, physical } = bareMachine({ pairs: false });
  const load = (origin: number, source: string): void => physical.load(origin, assemble(source, { origin, bits: 32 }));
  load(0x1000, "again: call dword 0x1100\ncall dword 0x1200\ncall dword 0x1206\njmp again");
  load(0x1100, "add eax, 1\nret");
  load(0x1200, "add ebx, 0x12345\nadd eax, 2\nret");
  enterFlatMode(cpu, 32);
  cpu.state.setGpr32(4, 0x8000);
  const rounds = (): number[] => {
    cpu.state.rip = 0x1000;
    const before = engine.code.decoded;
    engine.run(10 * 11);
    return [cpu.state.gpr32(0), engine.code.decoded - before];
  };
  expect(rounds()).toEqual([50, 4 + 2 + 3]);
  // The second block of 1200h begins behind what is written, and is in the records of the first.
  physical.writeBytes(0x1202, Uint8Array.of(7));
  expect(rounds()).toEqual([100, 3]);
  physical.writeBytes(0x1102, Uint8Array.of(5));
  expect(rounds()).toEqual([190, 2]);
  expect(cpu.state.gpr32(3)).toBe(10 * (0x12345 + 2 * 0x12307));
});

/** A region that has every instruction executed without it, and fails when it is asked a hundred times. */
function refusingRegion(memory: WebAssembly.Memory): CallableFunction {
  const module = new ModuleBuilder();
  module.importMemory("doppel", "memory", 1);
  module.importFunction("test", "count", { parameters: [], results: [] });
  const { builder: f } = module.function({ parameters: ["i32", "i32"], results: ["i32"] }, "region");
  f.call(0);
  f.i32(0).get(0).memory(OP.i32_store, STATE + CONTROL_REGION).i32(0).get(1).memory(OP.i32_store, STATE + CONTROL_DELTA);
  f.i32(0).i32(0).memory(OP.i32_load, STATE + BUDGET).i32(1).op(OP.i32_add).memory(OP.i32_store, STATE + BUDGET).i32(ALONE);
  let left = 100;
  const count = (): void => {
    if (--left === 0) throw new Error("asked a hundred times");
  };
  return new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { doppel: { memory }, test: { count } }).exports["region"] as CallableFunction;
}

test("a jump to itself is under way when its record, in the middle of a block, becomes a region's", () => {
  const { cpu, engine, physical } = bareMachine({ pairs: false });
  physical.load(0x1000, assemble("mov eax, 1\nself: jmp self", { origin: 0x1000, bits: 32 }));
  engine.regions = { sample: () => {}, dropped: () => {} };
  enterFlatMode(cpu, 32);
  cpu.state.rip = 0x1000;
  expect(engine.run(2)).toEqual({ reason: "budget" });
  const host = cpu.linear.fetch(0x1005);
  engine.install(1, [engine.code.keyOf(host)], false, refusingRegion(physical.frames.arena.memory), [{ host, length: 2 }]);
  cpu.state.rip = 0x1000;
  expect(engine.run(10)).toEqual({ reason: "budget" });
  expect([engine.retired, cpu.state.rip]).toEqual([12, 0x1005]);
});
