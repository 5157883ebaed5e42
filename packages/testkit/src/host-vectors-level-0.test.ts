import { expect, test } from "vitest";
import { LEVEL_0_PROGRAMS, runLevel0 } from "./host-vectors-level-0.ts";

test.each(LEVEL_0_PROGRAMS)("SDM volume 2: $name", (program) => {
  const { registers, vector } = runLevel0(program);
  expect(vector).toBe(program.vector);
  for (const [register, value] of Object.entries(program.registers)) expect(registers[Number(register)]).toBe(value);
});
