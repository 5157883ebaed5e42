/** Helpers that a region calls itself do what they do for the interpreter, also where they fault. */
import { bareMachine, enterFlatMode } from "@doppel/testkit";
import { assemble, CR0_AM } from "@doppel/x86";
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

test("XMM registers and MXCSR that a region has in locals, behind FXRSTOR of what FXSAVE stored (SDM volume 1, 10.5.1)", () => {
  const [interpreted, translated] = [false, true].map((translate) => {
    const made = machine(`mov ecx, 9\nl: mov eax, ecx\nmovd xmm0, eax\npaddd xmm1, xmm0\nfxsave [${DATA}]\npaddd xmm0, xmm1\npaddd xmm1, xmm0\nfxrstor [${DATA}]\npaddd xmm2, xmm1\npaddd xmm2, xmm0\nloop l\nhlt`, 32, translate);
    expect(made.engine.run(10_000).reason).toBe("halted");
    return made;
  }) as [ReturnType<typeof machine>, ReturnType<typeof machine>];
  expect(outcome(translated)).toEqual(outcome(interpreted));
  // Its other changes undone, xmm1 gains ecx each time, and xmm2 the sum of both.
  expect(new DataView(interpreted.cpu.state.xmm(2).slice().buffer).getUint32(0, true)).toBe(285 + 45);
});

test.each([32, 64] as const)("a device that is watched finds in %i-bit code RIP and the count, and ends the run behind the instruction", (bits) => {
  const both = [false, true].map((translate) => {
    const made = machine("mov ecx, 40\nmov edx, 0x3f8\nl: mov eax, ecx\nout dx, al\nadd ebx, eax\nin eax, 0x21\nxor ebx, eax\nstc\nin ax, dx\nadc ebx, eax\nloop l\nhlt", bits, translate);
    const { cpu, engine } = made;
    const seen: unknown[] = [];
    let accesses = 0;
    engine.observe({});
    const tell = (...what: number[]): void => {
      seen.push([...what, cpu.state.rip, engine.count, cpu.state.gpr32(1)]);
      if (++accesses % 5 === 0) engine.requestExit();
    };
    cpu.bus.writePort = (...access) => tell(...access);
    cpu.bus.readPort = (...access) => {
      tell(...access);
      return 0x12345678 + accesses;
    };
    for (let runs = 0; runs < 24; runs++) {
      expect(engine.run(10_000).reason).toBe("requested");
      seen.push(outcome(made));
    }
    expect(engine.run(10_000).reason).toBe("halted");
    return { seen, end: outcome(made) };
  });
  expect(both[1]!.seen).toEqual(both[0]!.seen);
  expect(both[1]!.end).toEqual(both[0]!.end);
});

test("a port behind which memory is elsewhere: the next instruction is that of the new place (gate A20)", () => {
  const [low, high] = [0x1000, 0x101000];
  const sums = [undefined, 0].map((translate) => {
    const made = bareMachine({ ram: 2 << 20, ...(translate === undefined ? {} : { translate }) });
    const { cpu, engine, physical } = made;
    enterFlatMode(cpu, 32);
    cpu.bus.writePort = (_port, _size, value) => cpu.mmu.setA20((value & 2) !== 0);
    for (const [at, addend] of [[low, 100], [high, 1]] as const) {
      physical.load(at, assemble(`mov ecx, 40\nl: mov eax, ecx\nout 0x92, al\nadd ebx, ${addend}\nloop l\nhlt`, { bits: 32, origin: high }));
    }
    cpu.state.rip = high;
    expect(engine.run(10_000).reason).toBe("halted");
    expect(engine.retired).toBe(162);
    return cpu.state.gpr32(3);
  });
  // Half of the numbers from 40 to 1 have bit 1 set.
  expect(sums).toEqual([20 + 2000, 20 + 2000]);
});
