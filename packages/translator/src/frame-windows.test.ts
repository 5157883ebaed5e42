/** Windows on the stack: what lies in them, and that a page's end in one, or a stack that may not be written directly, changes nothing but the speed. */
import { assemble, CR4_SMAP, EFLAGS_AC } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { windowsOf } from "./frame-windows.ts";
import { type Bits, CODE, DATA, machine, outcome } from "./machine.fixture.ts";
import { formRegion } from "./region.ts";

const PAGE_END = 0x7000;

function blockOf(source: string, bits: Bits) {
  const bytes = new Uint8Array(4096);
  bytes.set(assemble(source, { bits, origin: 0 }));
  const region = formRegion({ bytes, long: bits === 64, view: 0, comesBack: false, hasFeature: () => true, pageAt: () => 0, isKnown: () => true, isRare: () => false, isFunction: () => false }, 0)!;
  return region.entries[0]!.instructions;
}

describe("what lies in a window", () => {
  test("a frame by both registers: PUSH, CALL's stores, loads and updates, from where the stack pointer was", () => {
    const { windows, accesses } = windowsOf(blockOf("push ebp\nmov ebp, esp\nsub esp, 32\nmov [ebp - 8], eax\nadd [esp + 4], ecx\nmov edx, [ebp + 8]\nleave\nret 8", 32), false);
    // Behind LEAVE the frame pointer is another one, and nothing is accessed through it.
    expect(windows).toEqual([{ register: 4, at: 0, low: -32, length: 40, write: true }]);
    expect([...accesses].map(([n, own]) => [n, ...[...own.values()].map(({ offset }) => offset)])).toEqual([[0, 28], [3, 20], [4, 0], [5, 36], [6, 28], [7, 32]]);
  });
  test("an unknown stack pointer begins another one; an index, a segment and a far place are in none", () => {
    const { windows } = windowsOf(blockOf("push rax\npush rbx\nand rsp, -16\nmov rax, [rsp]\nmov rbx, [rsp + 8]\nmov rcx, [rsp + rdx]\nmov rcx, [fs:rsp]\nret", 64), true);
    expect(windows).toEqual([{ register: 4, at: 0, low: -16, length: 16, write: true }, { register: 4, at: 3, low: 0, length: 16, write: false }]);
    expect(windowsOf(blockOf("mov eax, [esp]\nmov [esp + 2000], eax\nret", 32), false).windows).toEqual([]);
    expect(windowsOf(blockOf("mov eax, [esp]\nret", 32), false).windows).toHaveLength(1);
  });
});

/** A program whose blocks access the stack in many ways, around a page's end. */
function program(seed: number, bits: Bits): string {
  let state = seed * 2654435761;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const [sp, bp, a, b] = bits === 64 ? ["rsp", "rbp", "rax", "rbx"] : ["esp", "ebp", "eax", "ebx"];
  const place = (): string => `[${random(2) ? sp : bp} + ${random(40)}]`;
  const steps = [
    () => `push ${a}\npop ${b}`, () => `mov ${place()}, ${a}`, () => `mov ${b}, ${place()}`, () => `add ${place()}, ${b}`, () => `xor ${a}, ${place()}`,
    () => `xchg ${a}, ${place()}`, () => `push ${place()}\npop ${a}`, () => `push ${b}\npop ${place()}`, () => `inc byte ${place()}`, () => `lea ${bp}, [${sp} - ${random(24)}]`,
    () => `mov ${bp}, ${sp}`, () => `sub ${sp}, 16\nmov [${sp}], ${b}\nadd ${sp}, 16`, () => "call f", () => `test ${b}, ${1 << random(4)}\njz k${random(1e9)}`, () => `movzx ecx, word ${place()}`,
    () => `push ${sp}\npop ${a}`, () => `push ${bp}\nmov ${bp}, ${sp}\nmov ${a}, [${bp} + 8]\nleave`, () => `cmpxchg ${place()}, ${b}`,
  ];
  const body = Array.from({ length: 24 }, () => {
    const step = steps[random(steps.length)]!();
    const label = /k\d+$/.exec(step)?.[0];
    return label === undefined ? step : `${step}\nadd ${b}, 77\n${label}:`;
  });
  return `mov ${sp}, ${PAGE_END + random(96) - 16}\nmov ${bp}, ${sp}\nmov ${b}, ${seed}\nmov edi, 400\nl:\n${body.join("\n")}\nrol ${b}, 3\ndec edi\njnz l\nhlt\nf: add ${a}, [${sp}]\nret`;
}

test.each(Array.from({ length: 40 }, (_, n) => n + 1))("program %i", (seed) => {
  for (const bits of [32, 64] as const) {
    const [plain, translated] = [machine(program(seed, bits), bits, false), machine(program(seed, bits), bits, true)];
    expect([plain.engine.run(1e6).reason, translated.engine.run(1e6).reason]).toEqual(["halted", "halted"]);
    expect(outcome(translated)).toEqual(outcome(plain));
  }
});

describe("a window that is always missed", () => {
  const loop = (stack: number): string => `mov esp, ${stack}\nmov ecx, 9000\nl: push eax\nadd eax, ecx\npush eax\nadd [esp + 4], eax\npop edx\npop ebx\nxor eax, ebx\ndec ecx\njnz l\nhlt`;
  test.each([["because a page ends in it", DATA + 4], ["because its page has code", CODE + 0x800]])("%s: the region is made anew without", (_why, stack) => {
    const [plain, translated] = [machine(loop(stack), 32, false), machine(loop(stack), 32, true)];
    expect([plain.engine.run(1e6).reason, translated.engine.run(1e6).reason]).toEqual(["halted", "halted"]);
    expect(outcome(translated)).toEqual(outcome(plain));
    const elsewhere = machine(loop(DATA + 0x800), 32, true);
    elsewhere.engine.run(1e6);
    expect(translated.translator!.counters.dropped).toBeGreaterThan(elsewhere.translator!.counters.dropped);
  });
});

test("a TLB view that is another one than when the region was formed (SMAP, and EFLAGS.AC by turns): the region is made anew for any", () => {
  const source = (bit: number): string => `mov esi, ${DATA}\nmov edx, 200\no: mov ecx, 50\nl: add [esi], ecx\nadd eax, [esi]\ndec ecx\njnz l\npushfd\nxor dword [esp], ${bit}\npopfd\ndec edx\njnz o\nhlt`;
  const run = (bit: number, translate: boolean): ReturnType<typeof machine> => {
    const made = machine(source(bit), 32, translate);
    made.cpu.cr4 |= CR4_SMAP;
    made.cpu.deriveSegments();
    expect(made.engine.run(1e6).reason).toBe("halted");
    return made;
  };
  expect(outcome(run(EFLAGS_AC, true))).toEqual(outcome(run(EFLAGS_AC, false)));
  expect(run(EFLAGS_AC, true).translator!.counters.dropped).toBeGreaterThan(run(0, true).translator!.counters.dropped);
});
