/**
 * SSE in regions: registers in locals, what is known of them, control words looked at once a block, looks at the TLB shared by accesses. Expected is
 * what the interpreter does, in which nothing of that is.
 */
import { CR0_TS } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { CODE, DATA, machine, outcome, STACK } from "./machine.fixture.ts";

/** Numbers by which results become plain, denormal, zero, infinite and NaN. */
const DOUBLES = [0x3ff0_0000_0000_0000n, 0x4000_0000_0000_0001n, 0xbfe5_5555_5555_5555n, 0x10_0000_0000_0000n, 0x3n, 0x8000_0000_0000_0007n, 0n, 1n << 63n, 0x7fef_ffff_ffff_ffffn, 0x7ff0_0000_0000_0000n, 0x7ff8_0000_0000_0001n, 0x7ff0_0000_0000_0001n];
const SCALAR = ["addsd", "subsd", "mulsd", "divsd", "sqrtsd", "minsd", "maxsd", "addss", "mulss", "cvtss2sd", "cvtsd2ss", "ucomisd", "comiss", "movsd", "movss", "cmpsd"];
const PACKED = ["addpd", "mulps", "divpd", "maxpd", "movapd", "movaps", "unpcklpd", "haddpd", "paddq", "pshufd", "cmpps", "cvtdq2pd", "andps"];
const CONTROLS = [0x1fa0, 0x1fa0, 0x1fa0, 0x1f80, 0x9fa0, 0x1fe0, 0x3fa0, 0x7f80];

/** A small generator of numbers below a bound. */
function numbers(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x = Math.imul(x, 1664525) + 1013904223;
    return (x >>> 8) % below;
  };
}

/** A loop of SSE instructions on four registers and memory around a page's end; EBP wanders. */
function program(seed: number): string {
  const random = numbers(seed);
  const register = (): string => `xmm${random(4)}`;
  const memory = (step: number): string => `[ebp${["+", "-"][random(2)]}${step * random(5)}]`;
  const lines = Array.from({ length: 24 }, () => {
    switch (random(9)) {
      case 0: return `movsd ${memory(8)}, ${register()}`;
      case 1: return `movups ${memory(16)}, ${register()}`;
      case 2: return `${["add", "sub"][random(2)]} ebp, ${8 * random(3)}`;
      case 3: return `ldmxcsr [${DATA + 0x100} + ${4 * random(CONTROLS.length)}]`;
      case 4: return `cvtsi2sd ${register()}, eax\ncvttsd2si edx, ${register()}\npush edx\nadd ebx, [esp]\npop edx\nsetp al`;
      case 5: {
        const name = PACKED[random(PACKED.length)]!;
        return `${name} ${register()}, ${register()}${/^(pshuf|cmp)/.test(name) ? `, ${random(8)}` : ""}`;
      }
      case 6: return `j${["a", "c", "p"][random(3)]} $+${2 + 4}\nmovapd xmm${random(4)}, xmm${random(4)}`;
      default: {
        const name = SCALAR[random(SCALAR.length)]!;
        return `${name} ${register()}, ${random(2) === 0 ? register() : memory(8)}${name === "cmpsd" ? `, ${random(8)}` : ""}`;
      }
    }
  });
  return `mov ecx, 12\nl: mov ebp, ${DATA + 0x1000}\n${lines.join("\n")}\ndec ecx\njnz l\nstmxcsr [${DATA}]\nhlt`;
}

type Machine = ReturnType<typeof machine>;

/** Runs it from its beginning, with numbers in memory that follow from the seed. */
function start({ cpu, engine, physical }: Machine, seed: number, mxcsr: number): void {
  const random = numbers(seed ^ 0x5555);
  const filled = BigUint64Array.from({ length: 64 }, () => DOUBLES[random(DOUBLES.length)]!);
  physical.writeBytes(DATA + 0xf00, new Uint8Array(filled.buffer));
  physical.writeBytes(DATA + 0x100, new Uint8Array(Uint32Array.from(CONTROLS).buffer));
  for (let n = 0; n < 4; n++) cpu.state.xmm(n).set(new Uint8Array(filled.buffer, 64 * n, 16));
  cpu.state.setGpr64(4, STACK, 0);
  cpu.state.mxcsr = mxcsr;
  cpu.state.rip = CODE;
  cpu.activity = 0;
  engine.run(2000);
}

/** Both ways; the second run finds the pages in the TLB. */
function compare(source: string, seed: number, mxcsr: number, before?: (made: Machine, round: number) => void): [Machine, Machine] {
  const both: [Machine, Machine] = [machine(source, 32, false), machine(source, 32, true)];
  for (const made of both) {
    for (let round = 0; round < 2; round++) {
      before?.(made, round);
      start(made, seed, mxcsr);
    }
  }
  const [plain, translated] = both;
  expect(outcome(translated)).toEqual(outcome(plain));
  expect(translated.engine.counters.exceptions).toEqual(plain.engine.counters.exceptions);
  expect(translated.translator!.counters.regions).toBeGreaterThan(0);
  return both;
}

describe("whatever the numbers and the control word", () => {
  test.each(Array.from({ length: 60 }, (_, n) => n + 1))("program %i", (seed) => {
    for (const mxcsr of [0x1fa0, 0x1f80, 0x9fe0]) compare(program(seed), seed, mxcsr);
  });
});

test("SDM volume 1, 11.5.3: unmasked exceptions in a region, behind registers that are only in locals", () => {
  const source = `movupd xmm0, [${DATA + 0xf00}]\nmov eax, 3\ncvtsi2sd xmm1, eax\naddsd xmm1, xmm1\nxorpd xmm2, xmm2\nmovapd xmm3, xmm1\ndivsd xmm3, xmm2\nmulsd xmm1, xmm1\nhlt`;
  // Without a handler for #XM the processor shuts down.
  const [plain] = compare(source, 1, 0x1d80);
  expect(plain.engine.counters.exceptions[19]).toBeGreaterThan(0);
});

test("SDM volume 3, 13.1: CR0.TS set behind the compilation of a region stops its first SSE instruction, not those before it", () => {
  const source = "add eax, 1\nadd eax, 2\nmovapd xmm0, xmm1\naddpd xmm1, xmm1\nadd eax, 4\nhlt";
  const [plain] = compare(source, 1, 0x1fa0, ({ cpu }, round) => {
    cpu.state.setGpr64(0, 0, 0);
    cpu.cr0 = round === 0 ? 0x11 : 0x11 | CR0_TS;
    cpu.updateMode();
  });
  expect([plain.engine.counters.exceptions[7]! > 0, plain.cpu.state.gpr32(0)]).toEqual([true, 3]);
});

test("a fault, and a page that the TLB does not have, behind registers that are only in locals", () => {
  const source = `mov ebp, ${DATA}\nmov eax, 5\ncvtsi2sd xmm0, eax\naddsd xmm0, xmm0\nmov [ebp + 0x2ffc], eax\nmovapd xmm1, xmm0\nmulsd xmm1, xmm0\nmovapd xmm2, [ebp + 8]\naddsd xmm1, xmm1\nhlt`;
  const [plain] = compare(source, 1, 0x1fa0);
  expect(plain.engine.counters.exceptions[13]).toBeGreaterThan(0);
});

const SMALL = 0x900;
/** Numbers at SMALL: 2^-600, 2^-450, the least denormal, 1. */
const SMALL_NUMBERS = BigUint64Array.of(0x1a70_0000_0000_0000n, 0x23d0_0000_0000_0000n, 1n, 0x3ff0_0000_0000_0000n);
const DE = 2;

test.each([
  ["a result", `mulsd xmm0, [${SMALL + 8}]\naddsd xmm1, xmm0`, true],
  ["a result that is not", `mulsd xmm0, xmm1\naddsd xmm1, xmm0`, false],
  ["a copy of a result", `mulsd xmm0, [${SMALL + 8}]\nmovapd xmm2, xmm0\naddsd xmm1, xmm2`, true],
  ["a load over a result", `mulsd xmm0, xmm1\nmovsd xmm0, [${SMALL + 16}]\naddsd xmm1, xmm0`, true],
  ["a move over a result", `mulsd xmm0, xmm1\nmovsd xmm2, [${SMALL + 16}]\nmovsd xmm0, xmm2\nucomisd xmm1, xmm0`, true],
  ["a shift of a result", "mulsd xmm0, xmm1\npsrlq xmm0, 60\naddsd xmm1, xmm0", true],
  ["a source of two instructions", `movsd xmm2, [${SMALL + 16}]\nstmxcsr [${DATA}]\naddsd xmm0, xmm2\nldmxcsr [${DATA}]\naddsd xmm1, xmm2`, true],
  ["one half of a double that is a result", `addss xmm0, xmm0\nmulsd xmm0, xmm1\ncvtsd2ss xmm0, xmm0\naddsd xmm1, xmm0`, false],
  ["a result under another rounding", `mulsd xmm0, xmm1\nmov dword [${DATA}], 0x7fa0\nldmxcsr [${DATA}]\naddsd xmm1, xmm0\ndivsd xmm1, xmm0`, false],
] as const)("SDM volume 1, 4.9.1.2: a denormal operand is noted: %s", (_name, code, denormal) => {
  const source = `movsd xmm0, [${SMALL}]\nmovsd xmm1, [${SMALL + 24}]\n${code}\nhlt`;
  const [plain] = compare(source, 1, 0x1fa0, ({ physical }) => physical.writeBytes(SMALL, new Uint8Array(SMALL_NUMBERS.buffer)));
  expect((plain.cpu.state.mxcsr & DE) !== 0).toBe(denormal);
});

test("a page is kept only where every way has been through an access; there is one at address 0, too", () => {
  // The mask has no bits: nothing is accessed. Then the jump leaves out the only access of its block.
  const source = `mov edi, ${SMALL}\nmov eax, 77\npxor xmm1, xmm1\nmaskmovdqu xmm0, xmm1\nmov [edi], eax\nmov esi, ${SMALL + 64}\ncmp eax, 77\njz m\nmov ebx, [esi]\nmov [esi], edi\nm: mov edx, [esi + 4]\n`
    + `mov [esi + 8], eax\nadd edx, [edi]\nhlt`;
  const [, translated] = compare(source, 1, 0x1fa0);
  expect(translated.cpu.state.gpr32(2)).toBe(77);
});

test("accesses through one register that leave its page, meet its end, and stand on some ways only", () => {
  const source = `mov ecx, 40\nl: mov ebp, ${DATA + 0xff0}\nmov [ebp], ecx\nadd eax, [ebp + 4]\nadd [ebp + 14], ecx\nadd ebx, [ebp + 13]\nmov [ebp + 0x20], eax\nadd edx, [ebp]\nadd edx, [ebp - 0xff0]\n`
    + `add ebp, 8\nadd dword [ebp + 6], 3\nadd ebx, [ebp + 0x1000]\nmov esi, 0\nadd edx, [esi + ${DATA}]\ntest cl, 3\njz m\nadd ebx, [esi + ${DATA + 0x1000}]\npush ebx\nm: add edx, [esi + ${DATA + 0xffe}]\n`
    + `cmpxchg [ebp + 7], edx\nmov [esp], edx\nadd esp, 4\npush dword [ebp]\npop eax\nsub esp, 4\ndec ecx\njnz l\nhlt`;
  compare(source, 3, 0x1f80);
});
