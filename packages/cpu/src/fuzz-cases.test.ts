/** Cases that the fuzzer found, each as the least program that shows it. Expectations follow from the manual's section. */
import { bareMachine } from "@doppel/testkit";
import { assemble } from "@doppel/x86";
import { expect, test } from "vitest";
import { type InterruptSource, layout } from "./index.ts";

/** A machine in real mode with code at 1000:0000, and the NMI's handler, an IRET, at 0000:0500. */
function realMode(source: string, writePort: (port: number, value: number) => void): ReturnType<typeof bareMachine> {
  const machine = bareMachine({
    bus: { readPort: () => 0xff, writePort: (port, _size, value) => writePort(port, value), readMmio: () => 0xffffffff, writeMmio: () => {} },
  });
  const { cpu, physical } = machine;
  physical.load(0x10000, assemble(source, { bits: 16 }));
  physical.load(8, Uint8Array.of(0, 5, 0, 0));
  physical.load(0x500, Uint8Array.of(0xcf));
  cpu.state.setSelector(layout.CS, 0x1000);
  cpu.state.setSegmentBase(layout.CS, 0x10000);
  cpu.state.rip = 0;
  cpu.state.setGpr32(4, 0x8000);
  cpu.updateMode();
  return machine;
}

test("an NMI is taken behind the instruction that raised it, also some instructions behind POP SS (SDM volume 3, 6.8.3)", () => {
  const machine = realMode("push ss\n pop ss\n nop\n nop\n out 1, al\n inc cx\n inc cx\n inc cx\n hlt", () => {
    machine.engine.nmiPending = true;
    machine.engine.attend();
  });
  machine.engine.run(6); // five up to OUT, and the handler's IRET
  expect([machine.engine.nmiPending, machine.cpu.state.rip, machine.cpu.state.gpr32(1)]).toEqual([false, 6, 0]);
});

test("an NMI waits for the instruction behind POP SS", () => {
  const machine = realMode("push ss\n out 1, al\n pop ss\n inc cx\n inc cx\n hlt", () => {});
  machine.engine.run(3);
  machine.engine.nmiPending = true;
  machine.engine.run(1);
  expect([machine.cpu.state.rip, machine.cpu.state.gpr32(1)]).toEqual([0x500, 1]);
});

test("a handler that faults at once, for ever, does not hold the host: run comes back", () => {
  const machine = realMode("ud2", () => {});
  machine.physical.load(4 * 6, Uint8Array.of(0, 6, 0, 0));
  machine.physical.load(0x600, assemble("ud2", { bits: 16 }));
  machine.cpu.state.setSelector(layout.SS, 0x4000);
  machine.cpu.state.setSegmentBase(layout.SS, 0x40000);
  for (let n = 0; n < 2; n++) expect([machine.engine.run(10).reason, machine.engine.retired]).toEqual(["requested", 0]);
  machine.physical.load(0x600, assemble("hlt", { bits: 16 }));
  expect([machine.engine.run(10).reason, machine.engine.retired]).toEqual(["halted", 1]);
});

/** Flat 32-bit protected mode at level 0, EIP 9000h, ESP 7000h. */
function flat({ cpu, physical }: ReturnType<typeof bareMachine>): void {
  physical.write32(0x1008, 0xffff);
  physical.write32(0x100c, 0x00cf9b00);
  Object.assign(cpu.gdtr, { base: 0x1000, limit: 15 });
  cpu.cr0 |= 1;
  const { CS, SS, DS, ES } = layout;
  for (const segment of [CS, SS, DS, ES]) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffffffff);
    cpu.state.setSegmentAttributes(segment, segment === CS ? 0x00cf9b00 : 0x00cf9300);
  }
  cpu.state.setSelector(CS, 8);
  cpu.state.rip = 0x9000;
  cpu.state.setGpr32(4, 0x7000);
  cpu.deriveSegments();
}

test("of two interrupts through trap gates the second comes before the first one's handler begins (SDM volume 3, 6.12.1.2)", () => {
  const waiting = [0x31, 0x30];
  const interrupts: InterruptSource = { pending: () => waiting.length > 0, acknowledge: () => waiting.pop()! };
  const machine = bareMachine({ interrupts });
  const { cpu, physical } = machine;
  const handler = 0x8000;
  physical.load(handler, assemble("nop\n nop\n hlt"));
  for (const vector of [0x30, 0x31]) {
    physical.write32(0x2000 + 8 * vector, handler | (8 << 16));
    physical.write32(0x2004 + 8 * vector, 0x8f00);
  }
  Object.assign(cpu.idtr, { base: 0x2000, limit: 0x3ff });
  cpu.state.eflags = 0x202;
  flat(machine);
  machine.engine.run(3);
  expect([waiting.length, cpu.state.gpr32(4), cpu.state.rip]).toEqual([0, 0x7000 - 24, handler + 3]);
  expect(physical.read32(0x7000 - 24)).toBe(handler);
});

test("SBB with a conditional jump behind it: the borrow that went in counts (SDM volume 2, SBB)", () => {
  const machine = bareMachine();
  const { cpu, engine, physical } = machine;
  physical.load(0x9000, assemble("stc\n sbb eax, ebx\n jc below\n inc ecx\n below: hlt", { bits: 32, origin: 0x9000 }));
  flat(machine);
  expect(engine.run(10).reason).toBe("halted");
  expect([cpu.state.gpr32(0) >>> 0, cpu.state.gpr32(1)]).toEqual([0xffffffff, 0]);
});

test("a store that changes the next instruction, of which it is executed as one: the new one runs (SDM volume 3, 11.6)", () => {
  const machine = bareMachine();
  const { cpu, physical } = machine;
  physical.load(0x9000, assemble("mov [esi], edi\n mov ecx, 0x22\n hlt"));
  flat(machine);
  cpu.state.setGpr32(6, 0x9002);
  cpu.state.setGpr32(7, 0x90904241); // inc ecx, inc edx
  cpu.state.setGpr32(1, 0x100);
  cpu.state.setGpr32(2, 0x200);
  machine.engine.run(3);
  expect([cpu.state.gpr32(1), cpu.state.gpr32(2), cpu.state.rip]).toEqual([0x101, 0x201, 0x9004]);
});

test("a device that wants the run to end is heard behind its instruction, also within a pair", () => {
  let stop = (): void => {};
  const machine = bareMachine({ bus: { readPort: () => 0xff, writePort: () => {}, readMmio: () => (stop(), 7), writeMmio: () => {} } });
  const { cpu, engine, physical } = machine;
  stop = () => engine.requestExit();
  physical.load(0x9000, assemble("mov eax, [esi]\n mov ebx, eax\n hlt"));
  flat(machine);
  cpu.state.setGpr32(6, 0x200000); // behind the end of memory
  expect([engine.run(10).reason, engine.retired, cpu.state.gpr32(0), cpu.state.gpr32(3)]).toEqual(["requested", 1, 7, 0]);
});
