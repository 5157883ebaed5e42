/** Regions take in where indirect calls and jumps usually lead. */
import { HALTED } from "@doppel/cpu";
import { expect, test } from "vitest";
import { UsualTargets } from "./usual-targets.ts";
import { CODE, DATA, machine, outcome } from "./machine.fixture.ts";

test("where it seldom leads is none of the usual places", () => {
  const targets = new UsualTargets(1000);
  for (let n = 0; n < 999; n++) expect(targets.note(0x1000, n % 20 === 0 ? n : n % 2 === 0 ? 64 : -128)).toBe(false);
  expect(targets.usual(0x1000)).toBeUndefined();
  expect(targets.note(0x1000, 64)).toBe(true);
  expect(targets.usual(0x1000)).toEqual([-128, 64]);
  expect(targets.usual(0x1004)).toBeUndefined();
});

// The last function returns behind the instruction that follows the call.
const source = (bits: 32 | 64): string => {
  const [a, b, sp, si, word] = bits === 32 ? ["eax", "ebx", "esp", "esi", 4] : ["rax", "rbx", "rsp", "rsi", 8];
  return `
    mov ecx, 500
  again:
    mov eax, ecx
    and eax, 3
    call [${a}*${word} + ${DATA}]
    inc edx
    lea ${si}, [${si} + ${b}]
    dec ecx
    jnz again
    hlt
  f0: add ebx, ecx
    ret
  f1: xor ebx, ecx
    call f0
    ret
  f2: push ${b}
    pop ${a}
    rol ebx, 3
    ret
  f3: add ${bits === 32 ? "dword" : "qword"} [${sp}], ${bits === 32 ? 1 : 2}
    ret
  other: sub ebx, ecx
    ret
  `;
};

test.each([32, 64] as const)("the functions of a call in %i-bit code become part of its region, and others are called as before", (bits) => {
  const both = [false, true].map((translate) => machine(source(bits), bits, translate));
  const { translator, physical, cpu } = both[1]!;
  const place = (pattern: readonly number[]): number => {
    const bytes = new Uint8Array(256);
    physical.readBytes(CODE, bytes);
    for (let at = 0; at < 200; at++) if (pattern.every((byte, n) => bytes[at + n] === byte)) return CODE + at;
    throw new Error("no such function");
  };
  const functions = [[0x01, 0xcb, 0xc3], [0x31, 0xcb], [0x53, 0x58], bits === 32 ? [0x83, 0x04, 0x24, 1] : [0x48, 0x83, 0x04, 0x24, 2]].map(place);
  const put = (n: number, address: number): void => {
    for (const { physical: memory } of both) {
      memory.write32(DATA + (bits / 8) * n, address);
      if (bits === 64) memory.write32(DATA + 8 * n + 4, 0);
    }
  };
  for (const [n, at] of functions.entries()) put(n, at);
  const size = (): number => Math.max(...translator!.inUse().map(({ instructions }) => instructions));
  const go = (instructions: number): void => {
    for (const { engine } of both) engine.run(instructions);
    expect(outcome(both[1]!)).toEqual(outcome(both[0]!));
  };
  const sizes = [0, 1, 2, 3].map(() => {
    for (let n = 0; n < 10; n++) go(20 + n);
    translator!.sample(physical.hostAddress(CODE / 0x1000));
    return size();
  });
  // The loop, and the functions.
  expect(sizes.at(-1)).toBeGreaterThanOrEqual(9 + 3 + 5 + 4 + 2);
  expect(cpu.state.gpr32(1)).toBeGreaterThan(300);
  put(1, place([0x29, 0xcb]));
  for (let n = 0; n < 10; n++) go(20 + n);
  go(100_000);
  expect(cpu.activity).toBe(HALTED);
});
