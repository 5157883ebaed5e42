/** Regions take the place of blocks also while those are under way. */
import { expect, test } from "vitest";
import { machine, outcome } from "./machine.fixture.ts";

// The jump is interpreted, and where it leads is decoded and has a region made at once: the jump stands behind a call and is an entry of it. A
// budget too small for the region has the jump executed alone.
test("a direct jump whose record becomes a region's while it is under way is still that jump", () => {
  const source = "mov ecx, 60\nl: call f\njmp t\nhlt\nt: add ebx, 4\ndec ecx\njnz l\nhlt\nf: add eax, ecx\npop edx\njmp edx";
  const both = [false, true].map((translate) => machine(source, 32, translate));
  for (let n = 0; n < 100; n++) {
    for (const { engine } of both) engine.run(n % 20 < 2 ? 20 : 1 + (n % 5));
    if (n % 20 === 0) both[1]!.engine.code.dropRegions(() => true);
    expect(outcome(both[1]!)).toEqual(outcome(both[0]!));
  }
});
