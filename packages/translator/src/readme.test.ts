/** The README's example. */
import { bareMachine } from "@doppel/testkit";
import { assemble } from "@doppel/x86";
import { expect, test } from "vitest";
import { Translator } from "./index.ts";

test("README example", () => {
  const { cpu, engine, physical: { frames }, physical } = bareMachine();
  physical.load(0x1000, assemble("l: add eax, ecx\n jmp l", { bits: 32 }));
  for (let segment = 0; segment < 6; segment++) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffff_ffff);
    cpu.state.setSegmentAttributes(segment, segment === 1 ? 0x00cf9b00 : 0x00cf9300);
  }
  cpu.cr0 = 0x11;
  cpu.deriveSegments();
  cpu.state.rip = 0x1000;
  const translator = new Translator({ engine, memory: frames.arena.memory });
  engine.run(10_000_000);
  expect(translator.counters.regions).toBe(1);
});
