/** Helpers that a region calls itself do what they do for the interpreter, also where they fault. */
import { expect, test } from "vitest";
import { machine, outcome } from "./machine.fixture.ts";

test("a return from an interrupt whose frame lies in a device, and which faults, has read the device once (SDM volume 2, IRET: EIP, CS, EFLAGS)", () => {
  const both = [false, true].map((translate) => {
    const made = machine("mov esp, 0xf0000000\nadd eax, 1\niretd", 32, translate);
    const reads: number[] = [];
    made.cpu.bus.readMmio = (physical) => {
      reads.push(physical);
      return 0xffff_ffff;
    };
    // Without an IDT its #GP ends in a shutdown.
    expect([made.engine.run(100).reason, made.engine.retired]).toEqual(["shutdown", 2]);
    return { made, reads };
  });
  for (const { reads } of both) expect(reads.slice(0, 3)).toEqual([0xf000_0000, 0xf000_0004, 0xf000_0008]);
  expect(both[1]!.reads).toEqual(both[0]!.reads);
  expect(outcome(both[1]!.made)).toEqual(outcome(both[0]!.made));
});
