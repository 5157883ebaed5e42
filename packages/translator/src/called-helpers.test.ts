/** Helpers that a region calls itself do what they do for the interpreter, also where they fault. */
import { CR0_AM } from "@doppel/x86";
import { expect, test } from "vitest";
import { DATA, machine, outcome } from "./machine.fixture.ts";

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

// The region is left in front of the access, and entered there, and then the access is the dispatch function's, which had another view.
test("alignment is checked behind a POPF that sets AC, whoever makes the access (SDM volume 3, 6.15, #AC)", () => {
  for (const translate of [false, true]) {
    const { cpu, engine } = machine(`mov ebx, ${DATA + 1}\nmov ecx, 9\njmp m\nl: push 0x40202\npopfd\nm: mov eax, [ebx]\nloop l\nhlt`, 32, translate);
    cpu.cr0 |= CR0_AM;
    cpu.state.cpl = 3;
    cpu.updateMode();
    engine.run(3); // control comes to the access from outside: a further entry
    expect([engine.run(100).reason, engine.retired]).toEqual(["shutdown", 7]);
  }
});
