/** Windows: what lies in them, and that a page's end in one, or a page that may not be written directly, changes nothing but the speed. */
import { assemble, CR4_SMAP, EFLAGS_AC } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { SLOTS, windowsOf, type WindowRule } from "./windows.ts";
import { type Bits, CODE, DATA, machine, outcome } from "./machine.fixture.ts";
import { formRegion } from "./region.ts";
import { structureOf } from "./structure.ts";

const PAGE_END = 0x7000;

/** The windows of a program, and of each access in one, in the order of the code: in which of them, and where. */
function found(source: string, bits: Bits, rule?: WindowRule) {
  const bytes = new Uint8Array(4096);
  bytes.set(assemble(source, { bits, origin: 0 }));
  const region = formRegion({ bytes, long: bits === 64, view: 0, comesBack: false, hasFeature: () => true, pageAt: () => 0, isKnown: () => true, isRare: () => false, isFunction: () => false, isElsewhere: () => false }, 0)!;
  const blocks = windowsOf(region, structureOf(region), rule);
  const windows = [...blocks.values()].flatMap(({ opens }) => opens);
  const inOrder = [...region.blocks.values()].sort((a, b) => a.start - b.start);
  const accesses = inOrder.flatMap(({ id }) => [...(blocks.get(id)?.accesses.values() ?? [])].flatMap((own) => [...own.values()].map(({ window, offset }) => `${windows.indexOf(window)}+${offset}`)));
  return { windows, accesses };
}

const register = (base: number): object => ({ kind: "registers", base, index: -1, scale: 0 });

describe("what lies in a window", () => {
  test("a frame by both registers: PUSH, CALL's stores, loads and updates, from where the stack pointer was", () => {
    const { windows, accesses } = found("push ebp\nmov ebp, esp\nsub esp, 32\nmov [ebp - 8], eax\nadd [esp + 4], ecx\nmov edx, [ebp + 8]\nleave\nret 8", 32);
    expect(windows).toEqual([{ origin: register(4), at: 0, low: -32, length: 40, write: true, isAlone: false }]);
    expect(accesses).toEqual(["0+28", "0+20", "0+0", "0+36", "0+28", "0+32"]);
  });
  test("an unknown register begins another one; a segment, a far place and a single access are in none", () => {
    expect(found("push rax\npush rbx\nand rsp, -16\nmov rax, [rsp]\nmov rbx, [rsp + 8]\nmov rcx, [fs:rsp]\nret", 64).windows)
      .toEqual([{ origin: register(4), at: 0, low: -16, length: 16, write: true, isAlone: false }, { origin: register(4), at: 3, low: 0, length: 16, write: false, isAlone: false }]);
    expect(found("mov eax, [esi]\nmov [esi + 2000], eax\nhlt", 32).windows).toEqual([]);
    expect(found("mov eax, [esi]\nhlt", 32).windows).toEqual([]);
  });
  test("a structure's fields, also behind an addition to its pointer, and not behind a load of it", () => {
    const { windows, accesses } = found("mov eax, [esi + 4]\nadd esi, 8\nmov [esi], eax\nmov esi, [esi + 16]\nmov [esi], eax\nhlt", 32);
    expect(windows).toEqual([{ origin: register(6), at: 0, low: 4, length: 24, write: true, isAlone: false }]);
    expect(accesses).toEqual(["0+0", "0+4", "0+20"]);
  });
  test("elements by the same index, until it changes to something unknown", () => {
    const { windows, accesses } = found("movzx eax, byte [rsi + rcx*2]\ninc rcx\nmov [rsi + rcx*2], al\nimul rcx, rax\nmov [rsi + rcx*2], al\nhlt", 64);
    expect(windows).toEqual([{ origin: { kind: "registers", base: 6, index: 1, scale: 1 }, at: 0, low: 0, length: 3, write: true, isAlone: false }]);
    expect(accesses).toEqual(["0+0", "0+2"]);
  });
  test("variables in one page of memory", () => {
    const { windows, accesses } = found("mov eax, [0x5004]\nadd [0x5ffc], eax\nmov [0x6000], eax\nmov [0x6ffe], eax\nhlt", 32);
    expect(windows).toEqual([{ origin: { kind: "constant", address: 0x5000 }, at: 0, low: 4, length: 0xffc, write: true, isAlone: false }]);
    expect(accesses).toEqual(["0+0", "0+4088"]);
  });

  test("where no window may open in front of the first access none opens in front of the others, by one register or by a sum", () => {
    const source = "mov eax, [rbx]\nmov ecx, [rbx + 8]\nmov edx, [rbx + 16]\nmov esi, [rdi + rbp * 4]\nmov eax, [rdi + rbp * 4 + 4]\nmov ecx, [rdi + rbp * 4 + 8]\nhlt";
    expect(found(source, 64).accesses).toEqual(["0+0", "0+8", "0+16", "1+0", "1+4", "1+8"]);
    expect(found(source, 64, { frames: true, without: new Set([0, 8]) }).accesses).toEqual([]);
  });
});

describe("which blocks a window is open in", () => {
  const windows = (source: string) => found(source, 32).accesses;
  test("those that its own dominates, behind where ways meet as well, unless a register was written on one", () => {
    expect(windows("mov eax, [esi]\ntest eax, eax\njz l\nmov ebx, [esi + 4]\nl: mov ecx, [esi + 8]\nhlt")).toEqual(["0+0", "0+4", "0+8"]);
    expect(windows("mov eax, [esi]\ntest eax, eax\njz l\nmov esi, [esi + 4]\nl: mov ecx, [esi + 8]\nhlt")).toEqual(["0+0", "0+4"]);
  });
  test("not behind a helper, which may change the TLB", () => {
    expect(windows("mov eax, [esi]\nmov ebx, [esi + 4]\nrdtsc\nmov ecx, [esi + 8]\nhlt")).toEqual(["0+0", "0+4"]);
  });
  test("nothing far away, and no permission to write, is asked for that may not be needed", () => {
    expect(windows("mov eax, [esi]\ntest eax, eax\njz l\nmov ebx, [esi + 400]\nl: hlt")).toEqual([]);
    expect(windows("mov eax, [esi]\ntest eax, eax\njz l\nmov [esi + 4], ebx\nl: hlt")).toEqual([]);
    expect(windows("mov [esi], eax\ntest eax, eax\njz l\nmov [esi + 4], ebx\nl: hlt")).toEqual(["0+0", "0+4"]);
  });
  test("a loop that does not write the register", () => {
    expect(windows("mov eax, [esi]\nl: add ebx, [esi + 4]\ndec ecx\njnz l\nhlt")).toEqual(["0+0", "0+4"]);
    expect(windows("mov eax, [esi]\nl: add ebx, [esi + 4]\nrdtsc\nadd esi, 4\ndec ecx\njnz l\nhlt")).toEqual([]);
  });
});

describe("which windows keep their page from round to round", () => {
  const slots = (source: string) => found(source, 32).windows.map(({ slot, isAlone }) => `${slot}${isAlone ? " alone" : ""}`);
  test("those in a loop, also of one access", () => {
    expect(slots("mov eax, [edi]\nl: movzx edx, byte [esi]\nadd ebx, [edi + edx*4]\nadd edi, [edi + edx*4 + 4]\ninc esi\ndec ecx\njnz l\nhlt")).toEqual(["0 alone", "1"]);
  });
  test("none in a loop that calls a helper, which may change the TLB; those of a loop in it that calls none", () => {
    expect(slots("l: add eax, [esi]\nadd eax, [esi + 4]\ninc esi\nrdtsc\ndec ecx\njnz l\nhlt")).toEqual(["undefined"]);
    expect(slots("l: add eax, [esi]\nadd eax, [esi + 4]\nrdtsc\nm: inc esi\nmov [esi], al\ntest al, 7\njnz m\ndec ecx\njnz l\nhlt")).toEqual(["undefined", "0 alone"]);
  });
  test("none in a loop of several blocks, and no more than there are slots", () => {
    expect(slots("l: add eax, [esi]\ninc esi\njz m\nadd eax, [esi + 8]\nm: dec ecx\njnz l\nhlt")).toEqual(["undefined"]);
    const many = Array.from({ length: SLOTS + 1 }, () => "mov edx, [edi]\nmov edi, edx").join("\n");
    expect(slots(`l: ${many}\ndec ecx\njnz l\nhlt`).length).toBe(SLOTS);
  });

  test.each([32, 64] as const)("a loop through pages up and down, reading here and writing there (%i bits)", (bits) => {
    const [a, b, c] = bits === 64 ? ["rsi", "rdi", "rcx"] : ["esi", "edi", "ecx"];
    same(`mov ${a}, ${DATA}\nmov ${b}, ${DATA + 0x2ffd}\nmov ${c}, 2000\nl: movzx eax, word [${a}]\nxor [${b}], ax\nadd edx, [${b} - 5]\nadd ${a}, 3\nsub ${b}, 2\nadd al, [${b} + ${c} - 1500]\ndec ${c}\njnz l\nhlt`, bits);
  });
  test.each([32, 64] as const)("a loop that writes the function which it calls, on a page that it has written before (%i bits)", (bits) => {
    const f = bits === 64 ? "rbx" : "ebx";
    // MOV EAX, an immediate number; RET: the number is the loop's.
    same(`mov ${f}, ${DATA}\nmov byte [${f}], 0xb8\nmov byte [${f} + 5], 0xc3\nmov ecx, 300\no: mov ebp, 5\nl: mov [${f} + 1], ecx\nmov [${f} + 64], ecx\ndec ebp\njnz l\ncall ${f}\nadd edx, eax\ndec ecx\njnz o\nhlt`, bits);
  });
});

/** The translator does what the interpreter does. */
function same(source: string, bits: Bits): void {
  const [plain, translated] = [machine(source, bits, false), machine(source, bits, true)];
  expect([plain.engine.run(1e6).reason, translated.engine.run(1e6).reason]).toEqual(["halted", "halted"]);
  expect(outcome(translated)).toEqual(outcome(plain));
}

/** A program whose blocks access the stack and data in many ways, around pages' ends. */
function program(seed: number, bits: Bits): string {
  let state = seed * 2654435761;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const [sp, bp, a, b] = bits === 64 ? ["rsp", "rbp", "rax", "rbx"] : ["esp", "ebp", "eax", "ebx"];
  const [data, index] = bits === 64 ? ["rsi", "rdx"] : ["esi", "edx"];
  const places = [
    () => `[${random(2) ? sp : bp} + ${random(40)}]`, () => `[${data} + ${random(60)}]`, () => `[${data} + ${index}*${1 << random(4)} + ${random(8)}]`, () => `[${index}*4 + ${DATA + 0x1fe0 + random(8)}]`,
    () => `[${DATA + 0xff0 + random(24)}]`,
  ];
  const place = (): string => places[random(places.length)]!();
  const steps = [
    () => `push ${a}\npop ${b}`, () => `mov ${place()}, ${a}`, () => `mov ${b}, ${place()}`, () => `add ${place()}, ${b}`, () => `xor ${a}, ${place()}`,
    () => `xchg ${a}, ${place()}`, () => `push ${place()}\npop ${a}`, () => `push ${b}\npop ${place()}`, () => `inc byte ${place()}`, () => `lea ${bp}, [${sp} - ${random(24)}]`,
    () => `mov ${bp}, ${sp}`, () => `sub ${sp}, 16\nmov [${sp}], ${b}\nadd ${sp}, 16`, () => "call f", () => `test ${b}, ${1 << random(4)}\njz k${random(1e9)}`, () => `movzx ecx, word ${place()}`,
    () => `push ${sp}\npop ${a}`, () => `push ${bp}\nmov ${bp}, ${sp}\nmov ${a}, [${bp} + 8]\nleave`, () => `cmpxchg ${place()}, ${b}`,
    () => `mov ${data}, ${DATA + 0xfe0 + random(64)}`, () => `add ${data}, ${random(16) - 8}`, () => `mov ${index}, ${random(6)}`, () => `inc ${index}\nand ${index}, 7`, () => `lea ${data}, [${data} + ${index}]\nmov ${place()}, ${a}\nsub ${data}, ${index}`,
  ];
  const body = Array.from({ length: 30 }, () => {
    const step = steps[random(steps.length)]!();
    const label = /k\d+$/.exec(step)?.[0];
    return label === undefined ? step : `${step}\nadd ${b}, 77\n${label}:`;
  });
  return `mov ${sp}, ${PAGE_END + random(96) - 16}\nmov ${bp}, ${sp}\nmov ${data}, ${DATA + 0xff0}\nmov ${index}, 1\nmov ${b}, ${seed}\nmov edi, 400\nl:\n${body.join("\n")}\nrol ${b}, 3\ndec edi\njnz l\nhlt\nf: add ${a}, [${sp}]\nret`;
}

test.each(Array.from({ length: 40 }, (_, n) => n + 1))("program %i", (seed) => {
  for (const bits of [32, 64] as const) {
    same(program(seed, bits), bits);
  }
});

describe("a window that is always missed", () => {
  test("in data: the region is made anew without it, and without it only", () => {
    const source = (data: number): string => `mov esi, ${data}\nmov edi, ${DATA + 0x800}\nmov ecx, 9000\nl: add [esi], ecx\nmov eax, [esi + 4]\nadd [edi], eax\nadd eax, [edi + 4]\nmov [esi + 4], eax\ndec ecx\njnz l\nhlt`;
    const [plain, translated, elsewhere] = [machine(source(DATA + 0xffc), 32, false), machine(source(DATA + 0xffc), 32, true), machine(source(DATA + 0x400), 32, true)];
    for (const { engine } of [plain, translated, elsewhere]) expect(engine.run(1e6).reason).toBe("halted");
    expect(outcome(translated)).toEqual(outcome(plain));
    expect(translated.translator!.counters.dropped).toBe(elsewhere.translator!.counters.dropped + 1);
  });
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
