/** Repeated string instructions in regions do what the interpreter's do: any count, direction, overlap and slice, over pages' ends. */
import { CR0_PG } from "@doppel/x86";
import { expect, test } from "vitest";
import { type Bits, DATA, machine, outcome } from "./machine.fixture.ts";

function program(seed: number, bits: Bits): string {
  let state = seed * 2654435761;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
  const [c, si, di, a] = bits === 64 ? ["rcx", "rsi", "rdi", "rax"] : ["ecx", "esi", "edi", "eax"];
  const sizes = bits === 64 ? ["b", "w", "d", "q"] : ["b", "w", "d"];
  const strings = Array.from({ length: 12 }, () => {
    const from = DATA + 0xf00 + random(0x200);
    // Near enough to overlap, half of the time.
    const to = random(2) ? from + random(24) - 12 : DATA + random(0x2000);
    const count = pick([0, 1, 2, 5, 19, random(300), random(1500)]);
    const name = pick(["rep movs", "rep movs", "rep stos", "rep stos", "rep lods", "repe cmps", "repne scas", "repne cmps", "repe scas"]);
    return `mov ${c}, ${count}\nmov ${si}, ${from}\nmov ${di}, ${to}\nmov eax, ${pick([0, 0, 0x01010101, random(2 ** 31)])}\n${random(5) ? "" : "std\n"}${name}${pick(sizes)}\ncld\nxor edx, ecx\nsetc bl\nadd edx, ${a === "rax" ? "eax" : a}\nrol edx, 1`;
  });
  return `mov ebp, 12\nl:\n${strings.join("\n")}\nadd [${DATA + 0x1000}], edx\ndec ebp\njnz l\nhlt`;
}

test.each(Array.from({ length: 24 }, (_, n) => n + 1))("program %i", (seed) => {
  for (const bits of [32, 64] as const) {
    for (const slice of [1e6, 97, 1000]) {
      const [plain, translated] = [machine(program(seed, bits), bits, false), machine(program(seed, bits), bits, true)];
      for (let n = 0; n < 60; n++) {
        expect(translated.engine.run(slice)).toEqual(plain.engine.run(slice));
        expect(translated.engine.retired).toBe(plain.engine.retired);
      }
      expect(outcome(translated)).toEqual(outcome(plain));
      expect(translated.translator!.counters.regions).toBeGreaterThan(0);
    }
  }
});

test("an address of 16 or 32 bits, and a segment with a base, go element by element", () => {
  const sources = [
    [32, `mov ecx, 40\nmov esi, ${DATA}\nmov edi, ${DATA + 64}\na16 rep movsb\nmov ecx, 9\nrep fs movsd\nhlt`], [64, `mov rcx, 0x100000009\nmov esi, ${DATA}\nmov edi, ${DATA + 64}\na32 rep movsq\nhlt`],
  ] as const;
  for (const [bits, source] of sources) {
    const both = [false, true].map((translate) => machine(source, bits, translate));
    for (const one of both) {
      one.cpu.setBase(4, 0x10);
      one.engine.run(1e5);
    }
    expect(outcome(both[1]!)).toEqual(outcome(both[0]!));
  }
});

/** Found by the fuzzer. */
test("a REP STOS whose next element goes beyond its page, into one that is absent, stores no part of it", () => {
  const [plain, translated] = [false, true].map((translate) => {
    const one = machine(`mov edi, ${DATA + 0xff6}\nmov eax, 0x01020304\nmov ecx, 9\nrep stosd\nhlt`, 32, translate);
    const [directory, table] = [0x9000, 0xa000];
    one.physical.write32(directory, table | 3);
    for (let page = 0; page < 16; page++) one.physical.write32(table + 4 * page, page * 0x1000 === DATA + 0x1000 ? 0 : (page << 12) | 3);
    Object.assign(one.cpu, { cr3: directory, cr0: one.cpu.cr0 | CR0_PG });
    one.cpu.applyPaging();
    one.cpu.mmu.setRoot(directory);
    one.engine.run(1e5);
    return one;
  });
  expect(outcome(translated!)).toEqual(outcome(plain!));
  expect(plain!.cpu.state.gpr32(7)).toBe(DATA + 0xffe);
  expect([DATA + 0xffe, DATA + 0x1000].map((at) => translated!.physical.read16(at))).toEqual([0, 0]);
});
