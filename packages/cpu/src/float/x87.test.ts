// x87 instructions on the interpreter. Expected values are the manual's (SDM volume 1 chapter 8, volume 2), named in each test.
import { expect, test } from "vitest";
import { bareMachine, type BareMachine } from "@doppel/testkit";
import { assemble } from "@doppel/x86";

/** Runs 32-bit-operand code in real mode from 0x1000 with FINIT done. */
function run(source: string): BareMachine {
  const machine = bareMachine();
  machine.physical.load(0x1000, assemble(`fninit\n${source}\nhlt`, { origin: 0x1000, bits: 16 }));
  const { cpu, engine } = machine;
  cpu.state.setSegmentBase(1, 0);
  cpu.state.setSelector(1, 0);
  cpu.state.rip = 0x1000;
  cpu.updateMode();
  expect(engine.run(1000).reason).toBe("halted");
  return machine;
}

test("SDM volume 2, FNINIT, FNSTCW and FNSTSW: 37Fh and 0", () => {
  const { cpu } = run("fnstcw [0x2000]\nmov bx, [0x2000]\nmov ax, 0xffff\nfnstsw ax\nfnstsw [0x2000]\nmov cx, [0x2000]");
  expect(cpu.state.gpr32(3) & 0xffff).toBe(0x37f);
  expect(cpu.state.gpr32(0) & 0xffff).toBe(0);
  expect(cpu.state.gpr32(1) & 0xffff).toBe(0);
});
