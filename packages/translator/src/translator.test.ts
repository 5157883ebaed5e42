/** Compiled regions do what the interpreter does, whatever the slices: registers, flags, memory and counts (engine.md, items 4, 6 and 8). */
import { assemble } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { Translator } from "./index.ts";
import { type Bits, CODE, DATA, machine, outcome } from "./machine.fixture.ts";

const PROGRAMS: Record<string, { bits: Bits; source: string }> = {
  "a loop of arithmetic": { bits: 32, source: "mov ecx, 3000\nxor eax, eax\nl: add eax, ecx\nxor eax, 0x1234567\nrol eax, 3\nsbb edx, eax\ndec ecx\njnz l\nhlt" },
  "branches, calls and stores": {
    bits: 64,
    source: `mov rcx, 3000\nxor rax, rax\nl: add rax, rcx\nimul rax, rax, 77\ncmp rax, rcx\njl s\nadd rdx, 1\ns: mov [${DATA}+rcx], rax\nand rcx, 0x7ff\ncall f\n`
      + "dec rcx\njnz l\nhlt\nf: push rax\nadd rax, 5\npop rbx\nret",
  },
  "nested loops, narrow and high registers": {
    bits: 64,
    source: `mov r8d, 200\no: mov ecx, 50\nmov esi, ${DATA}\nl: mov eax, [rsi]\nadd eax, ecx\nmov [rsi], eax\nadc byte [rsi+7], 3\nsetc dl\nadd ah, dl\nxchg bl, ah\n`
      + "add rsi, 8\nsub ecx, 1\nja l\ntest r8b, 3\njz p\ncmovs edi, eax\njmp q\np: bswap edi\nq: dec r8d\njnz o\nhlt",
  },
  "a jump into the middle of a loop": { bits: 32, source: "mov ecx, 500\ntest ecx, 1\njz m\nl: add eax, 3\nm: xor eax, ecx\nadd ebx, eax\nloop l\nhlt" },
  "LOOP, LOOPE, LOOPNE and JCXZ, one in the other": {
    bits: 32, source: `mov edi, 60\no: mov ecx, 7\nl: add eax, ecx\nmov [${DATA}+ecx*4], eax\nloop l\nmov ecx, 9\nm: inc eax\ntest eax, 3\nloopne m\njecxz s\nadd ebx, ecx\nmov ecx, 6\nn: add esi, ecx\n`
      + `cmp cl, 3\nadc edx, 0\ncmp eax, eax\nloope n\ns: sbb edx, ecx\nmov ecx, edi\np: call f\nadd ebp, [${DATA}+8]\nloop p\ndec edi\njnz o\nhlt\nf: xor ebp, ecx\njecxz g\ninc ebp\ng: ret`,
  },
  "LOOP by RCX and by ECX": {
    bits: 64, source: `mov ebx, 90\no: mov rcx, 0x100000003\nl: add rax, rcx\na32 loop l\nmov rcx, 5\nm: sub rdx, [${DATA}]\nsub [${DATA}], rax\nloop m\njrcxz q\ninc rsi\nq: jecxz r\ndec rsi\nr: dec ebx\njnz o\nhlt`,
  },
  "strings, and instructions that only the interpreter has": {
    bits: 32, source: `mov ebp, 300\no: mov edi, ${DATA}\nmov ecx, 70\nmov eax, ebp\nrep stosb\nmov esi, ${DATA}\nlodsd\nadd edx, eax\ncpuid\npushfd\npop ebx\nand ebx, 0x8d5\nadd edx, ebx\ndec ebp\njnz o\nhlt`,
  },
  "code that changes itself": { bits: 32, source: `mov ecx, 400\nl: mov byte [patch + 1], cl\npatch: mov al, 1\nadd edx, eax\nror edx, 1\ndec ecx\njnz l\nhlt` },
  "floating point in both units": {
    bits: 64,
    source: `mov ecx, 300\nfld1\ncvtsi2sd xmm0, rcx\nl: fadd st0, st0\nfld1\nfaddp\nfld st0\nfstp qword [${DATA}]\naddsd xmm0, [${DATA}]\nmulsd xmm0, xmm0\nmovq rax, xmm0\nxor rbx, rax\n`
      + "mov eax, 3\ncvtsi2sd xmm0, eax\npaddq xmm1, xmm0\npshufd xmm2, xmm1, 0x1b\nmovd edx, xmm2\nadd esi, edx\nfld1\nfstp st1\ndec ecx\njnz l\nhlt",
  },
};

describe.each(Object.entries(PROGRAMS))("%s", (_name, { bits, source }) => {
  test("in one piece", () => {
    const [plain, translated] = [machine(source, bits, false), machine(source, bits, true)];
    expect([plain.engine.run(1e6).reason, translated.engine.run(1e6).reason]).toEqual(["halted", "halted"]);
    expect(outcome(translated)).toEqual(outcome(plain));
    expect(translated.translator!.counters.regions).toBeGreaterThan(0);
  });
  test.each([1, 2, 7, 101, 997])("in slices of %i", (slice) => {
    const [plain, translated] = [machine(source, bits, false), machine(source, bits, true)];
    for (let n = 0; n < 40; n++) {
      plain.engine.run(slice);
      translated.engine.run(slice);
      expect(outcome(translated)).toEqual(outcome(plain));
    }
  });
});

test("a write to a region's code drops it, and the new code runs", () => {
  const { cpu, engine, physical, translator } = machine("l: add eax, 1\njmp l", 32, true);
  engine.run(1000);
  expect(cpu.state.gpr32(0)).toBe(500);
  physical.writeBytes(CODE, assemble("add eax, 2", { bits: 32 }));
  engine.run(1000);
  expect([cpu.state.gpr32(0), translator!.counters.dropped > 0]).toEqual([1500, true]);
});

test("a write to one region's code leaves another one of the page", () => {
  const { cpu, engine, physical, translator } = machine("l: add eax, 1\njmp l", 32, true);
  physical.load(CODE + 0x100, assemble("l: add ebx, 1\njmp l", { bits: 32, origin: CODE + 0x100 }));
  const run = (rip: number): void => {
    cpu.state.rip = rip;
    engine.run(1000);
  };
  for (const rip of [CODE, CODE + 0x100]) run(rip);
  const { regions, dropped } = translator!.counters;
  physical.writeBytes(CODE + 0x102, Uint8Array.of(3));
  for (const rip of [CODE, CODE + 0x100]) run(rip);
  expect([cpu.state.gpr32(0), cpu.state.gpr32(3)]).toEqual([1000, 500 + 1500]);
  expect([translator!.counters.regions - regions, translator!.counters.dropped - dropped]).toEqual([1, 1]);
});

test("a translator may come to a machine that has run: what is decoded gets other handlers", () => {
  const { bits, source } = PROGRAMS["branches, calls and stores"]!;
  const [plain, late] = [machine(source, bits, false), machine(source, bits, false, false)];
  expect(late.engine.run(5000).reason).toBe("budget");
  const translator = new Translator({ engine: late.engine, memory: late.physical.frames.arena.memory, threshold: 0 });
  expect([plain.engine.run(1e6).reason, late.engine.run(1e6).reason]).toEqual(["halted", "halted"]);
  expect(outcome(late)).toEqual(outcome(plain));
  expect(translator.counters.regions).toBeGreaterThan(0);
});

test("hot code is found by samples", () => {
  const { cpu, engine, physical } = machine("l: add eax, 1\nxor ebx, eax\njmp l", 32, false);
  const translator = new Translator({ engine, memory: physical.frames.arena.memory });
  for (let n = 0; n < 20; n++) engine.run(300_000);
  expect([translator.counters.regions, cpu.state.gpr32(0)]).toEqual([1, 2_000_000]);
});

/** What a translator makes of a program in so many instructions. */
function compiled(source: string, instructions: number, options: { threshold: number; longest?: number }) {
  const [plain, sampled] = [machine(source, 32, false), machine(source, 32, false)];
  const translator = new Translator({ engine: sampled.engine, memory: sampled.physical.frames.arena.memory, ...options });
  for (let n = 0; n < instructions; n += 300_000) for (const { engine } of [plain, sampled]) engine.run(300_000);
  expect(outcome(sampled)).toEqual(outcome(plain));
  return translator.counters;
}

test("a loop that is longer than a region may be is compiled once: its regions go on to each other", () => {
  const length = 300;
  const { instructions } = compiled(`l: ${Array.from({ length }, (_, n) => `add eax, ${n * 77}`).join("\n")}\njmp l`, 12e6, { threshold: 2000, longest: 64 });
  expect([instructions > length / 2, instructions <= length + 1]).toEqual([true, true]);
});

test("long straight code gets a region sooner than short code", () => {
  const [rounds, threshold] = [20_000, 40_000];
  // A block has 64 instructions at most, and goes on behind all but a jump that is always taken.
  const long = Array.from({ length: 256 }, (_, n) => `add eax, ${1000 + n}`);
  const short = long.map((add, n) => (n % 16 === 15 ? `${add}\njmp $+2` : add));
  const regions = [long, short].map((adds) => compiled(`l: ${adds.join("\n")}\njmp l`, rounds * 256, { threshold }).regions);
  expect([regions[0]! > 0, regions[1]]).toEqual([true, 0]);
});

test("what begins in the middle of other code that is found with it is compiled with that only", () => {
  const [before, page] = [12, 4096];
  const adds = (n: number): string => Array.from({ length: n }, (_, k) => `add eax, ${1000 + k}`).join("\n");
  // The loop, on the second page, does not lead back to what leads to it.
  const start = `mov edi, ${CODE + page - 5 * before}`;
  const source = `${start}\njmp edi\n${"nop\n".repeat(page - 5 * before - 7)}${adds(before)}\nmov ecx, 10\nm: ${adds(4)}\ndec ecx\njnz m\njmp edi`;
  const { regions, instructions } = compiled(source, 9e6, { threshold: 2000 });
  expect([regions, instructions]).toEqual([1, before + 8]);
});

test("a breakpoint in a region is met", () => {
  const { cpu, engine } = machine("l: add eax, 1\nadd ebx, 1\njmp l", 32, true);
  engine.run(1000);
  engine.addBreakpoint(CODE + 3);
  expect([engine.run(1000).reason, cpu.state.rip]).toEqual(["breakpoint", CODE + 3]);
  engine.removeBreakpoint(CODE + 3);
  expect(engine.run(1000).reason).toBe("budget");
});

// A function that ends with an indirect jump is not taken in: each has a region of its own.
test("the code that is kept is bounded: what was used longest ago goes", () => {
  const functions = Array.from({ length: 40 }, (_, n) => `f${n}: add eax, ${n}\nxor ebx, eax\nrol ebx, 3\npop edx\njmp edx`).join("\n");
  const calls = Array.from({ length: 40 }, (_, n) => `call f${n}`).join("\n");
  const source = `mov ecx, 200\nl: ${calls}\ndec ecx\njnz l\nhlt\n${functions}`;
  const [plain, small] = [machine(source, 32, false), machine(source, 32, false)];
  const translator = new Translator({ engine: small.engine, memory: small.physical.frames.arena.memory, threshold: 0, capacity: 200 });
  expect([plain.engine.run(1e6).reason, small.engine.run(1e6).reason]).toEqual(["halted", "halted"]);
  expect(outcome(small)).toEqual(outcome(plain));
  const { instructions, dropped } = translator.counters;
  expect([instructions > 200, dropped > 0]).toEqual([true, true]);
});
