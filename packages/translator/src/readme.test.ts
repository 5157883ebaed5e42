/** The README's example. */
import { bareMachine, enterFlatMode } from "@doppel/testkit";
import { assemble } from "@doppel/x86";
import { expect, test } from "vitest";
import { Translator } from "./index.ts";

test("README example", () => {
  const { cpu, engine, physical: { frames }, physical } = bareMachine();
  physical.load(0x1000, assemble("l: add eax, ecx\n jmp l", { bits: 32 }));
  enterFlatMode(cpu, 32);
  cpu.state.rip = 0x1000;
  const translator = new Translator({ engine, memory: frames.arena.memory });
  engine.run(10_000_000);
  expect(translator.counters.regions).toBe(1);
});
