import { expect, test } from "vitest";
import { assembleProgram } from "@doppel/x86";
import { VirtualMachine } from "@doppel/vmm";

// Host breakpoints and watchpoints. What gdb sees of them is tested in `debug`; here it is that they stop exactly, and cost nothing beside.

const AT = 0x1000;
const SOURCE = `
  xor eax, eax
  mov ecx, 1000
loop: inc eax
  mov [0x3000], eax
  cmp eax, ecx
target: jne loop
done: jmp done
`;

function machine() {
  const vm = new VirtualMachine({ memory: 4 << 20, deterministic: true });
  vm.engine.interrupts = undefined;
  vm.chipset.presetAsFirmware();
  const { cpu } = vm;
  const { bytes, labels } = assembleProgram(SOURCE, { origin: AT });
  const label = (name: string): number => labels.get(name)!;
  vm.memory.map.load(AT, bytes);
  for (let segment = 0; segment < 6; segment++) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffffffff);
    cpu.state.setSegmentAttributes(segment, segment === 1 ? 0xc09b00 : 0xc09300);
  }
  cpu.cr0 |= 1;
  cpu.applyPaging();
  cpu.deriveSegments();
  cpu.state.rip = AT;
  return { vm, cpu, label, engine: vm.engine };
}

test("a breakpoint on the second half of a fused pair stops each time round, before its instruction", () => {
  const { engine, cpu, label } = machine();
  engine.run(500);
  engine.addBreakpoint(label("target"));
  const first = cpu.state.gpr32(0);
  for (let n = 0; n < 5; n++) {
    expect(engine.run(100_000).reason).toBe("breakpoint");
    expect(cpu.state.rip).toBe(label("target"));
  }
  expect(cpu.state.gpr32(0) - first).toBeLessThanOrEqual(5);
  engine.removeBreakpoint(label("target"));
  expect(engine.run(100_000).reason).toBe("budget");
  expect(cpu.state.rip).toBe(label("done"));
});

test("a jump to itself is met again, and a slice that ends at a breakpoint does not hide it", () => {
  const { engine, cpu, label } = machine();
  engine.run(100_000);
  engine.addBreakpoint(label("done"));
  expect(engine.run(10).reason).toBe("breakpoint");
  expect(engine.run(10).reason).toBe("breakpoint");
  engine.removeBreakpoint(label("done"));
  cpu.state.rip = AT;
  engine.addBreakpoint(label("loop"));
  expect(engine.run(2).reason).toBe("budget");
  expect(cpu.state.rip).toBe(label("loop"));
  expect(engine.run(2).reason).toBe("breakpoint");
});

test("code runs through elsewhere without single steps", () => {
  const { engine, label } = machine();
  engine.addBreakpoint(0x7fff000 + label("loop"));
  const before = engine.counters.visits;
  engine.run(5000);
  expect(engine.counters.visits - before).toBeLessThan(20);
});

test("a watchpoint ends the run behind the access; the guest's debug registers and flags know nothing", () => {
  const { engine, cpu, label } = machine();
  const dr = [...cpu.dr];
  engine.watch([{ linear: 0x3002, length: 2, on: "write" }, { linear: 0x3000, length: 4, on: "read" }]);
  expect(engine.run(1000).reason).toBe("breakpoint");
  expect(engine.watchHit).toEqual({ linear: 0x3002, length: 2, on: "write" });
  expect(cpu.state.gpr32(0)).toBe(1);
  expect(cpu.state.rip).toBeGreaterThan(label("loop") + 2);
  expect(cpu.dr).toEqual(dr);
  engine.watch([]);
  expect(engine.run(100_000).reason).toBe("budget");
  expect(engine.watchHit).toBeUndefined();
  expect(cpu.state.gpr32(0)).toBe(1000);
});

test("one step is one instruction, also at a breakpoint, and a fault's delivery is a step", () => {
  const { engine, cpu, label, vm } = machine();
  engine.addBreakpoint(AT);
  engine.step();
  expect(cpu.state.rip).toBe(AT + 2);
  // UD2, and an interrupt gate for it at 2000h + 6 * 8.
  vm.memory.map.load(label("done"), Uint8Array.of(0x0f, 0x0b));
  vm.memory.map.load(0x2030, Uint8Array.of(0x00, 0x10, 0x08, 0, 0, 0x8e, 0, 0));
  vm.memory.map.load(0x2108, Uint8Array.of(0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0));
  Object.assign(cpu.idtr, { base: 0x2000, limit: 0xff });
  Object.assign(cpu.gdtr, { base: 0x2100, limit: 0xf });
  cpu.state.setSelector(1, 8);
  cpu.state.setGpr32(4, 0x8000);
  cpu.state.rip = label("done");
  const { retired } = engine;
  engine.step();
  expect([cpu.state.rip, engine.retired - retired]).toEqual([AT, 0]);
});
