/** VEX prefixes outside 64-bit code (SDM volume 2, 2.3): in protected mode BMI works with eight registers; in real-address mode VEX is #UD. */
import { expect, test } from "vitest";
import { bareMachine } from "@doppel/testkit";
import { assemble, VECTOR_UD } from "@doppel/x86";

const START = 0x1000;
const FLAT_CODE = 0x00cf9b00;
const FLAT_DATA = 0x00cf9300;

function machine(source: string, bits: 16 | 32): ReturnType<typeof bareMachine> {
  const made = bareMachine();
  const { cpu, physical } = made;
  cpu.hasFeature = () => true;
  physical.load(START, assemble(source, { origin: START, bits }));
  for (let segment = 0; segment < 6; segment++) {
    cpu.state.setSegmentBase(segment, 0);
    if (bits === 16) continue;
    cpu.state.setSegmentLimit(segment, 0xffff_ffff);
    cpu.state.setSegmentAttributes(segment, segment === 1 ? FLAT_CODE : FLAT_DATA);
  }
  if (bits === 32) cpu.cr0 |= 1;
  cpu.deriveSegments();
  cpu.updateMode();
  cpu.state.rip = START;
  return made;
}

test("three registers in 32-bit code", () => {
  const { cpu, engine } = machine("mov ebx, 0xff00ff\nmov ecx, 0x12345678\nandn eax, ebx, ecx\nrorx edx, ecx, 8\nshlx esi, ecx, ebx", 32);
  engine.run(5);
  expect([0, 2, 6].map((n) => cpu.state.gpr32(n))).toEqual([0x12005600, 0x78123456, 0]);
});

test("#UD in real-address mode, and LES of a register stays #UD", () => {
  for (const source of ["andn eax, ebx, ecx", "db 0xc4, 0xc0"]) {
    const { engine } = machine(source, 16);
    engine.run(1);
    expect(engine.counters.exceptions[VECTOR_UD]).toBe(1);
  }
});
