/** Hooks for blocks and accesses, compared with a processor that is stepped: the same under both engines, in any slices, and nothing else changes. */
import { layout } from "@doppel/cpu";
import { assembleProgram, disassemble } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { CODE, DATA, machine, outcome } from "./machine.fixture.ts";

const SOURCE = `
  mov ecx, 40
l: call f
  test cl, 3
  jz s
  add eax, ecx
s: push ecx
  mov ecx, 5
m: add ebx, ecx
  loop m
  pop ecx
  xor edx, edx
  test cl, 7
  jnz n
  div edx
n: mov esi, ${DATA}
  mov edi, ${DATA + 256}
  push ecx
  mov ecx, 20
  rep movsb
  pop ecx
  mov byte [patch + 1], cl
patch: mov al, 1
  push dword [${DATA + 512}]
  pop dword [${DATA + 520}]
  cpuid
  mov ecx, [${DATA + 516}]
  dec ecx
  mov [${DATA + 516}], ecx
  jnz l
  hlt
f: inc dword [${DATA + 512}]
  mov [${DATA + 516}], ecx
  ret
handler: add dword [esp], 2
  iretd
`;
const { labels } = assembleProgram(SOURCE, { bits: 32, origin: CODE });
const at = (label: string): number => labels.get(label)!;
const GDT = 0x6000;
const IDT = 0x6100;

/** The program, with a handler for the division by zero in it. */
function start(translate: boolean) {
  const made = machine(SOURCE, 32, translate);
  const { cpu, physical } = made;
  for (const [n, value] of [0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300].entries()) physical.write32(GDT + 4 * n, value);
  physical.write32(IDT, 0x80000 | at("handler"));
  physical.write32(IDT + 4, 0x8e00);
  cpu.gdtr.base = GDT;
  cpu.gdtr.limit = 23;
  cpu.idtr.base = IDT;
  cpu.idtr.limit = 7;
  cpu.state.setSelector(1, 8);
  for (const segment of [0, 2, 3]) cpu.state.setSelector(segment, 16);
  return made;
}

type Made = ReturnType<typeof start>;
interface Seen { readonly blocks: string[]; readonly accesses: string[] }

/** Registers, RIP and count, as a hook finds them. */
function moment({ cpu, engine }: Made): string {
  return [engine.count, cpu.state.rip, ...Array.from({ length: 8 }, (_, n) => cpu.state.gpr32(n)), cpu.state.eflags].join(" ");
}

function watch(made: Made): Seen {
  const seen: Seen = { blocks: [], accesses: [] };
  made.engine.observe({
    block: () => seen.blocks.push(moment(made)),
    access: (linear, size, write) => seen.accesses.push(`${made.engine.count} ${made.cpu.state.rip} ${write ? "w" : "r"}${size} ${linear}`),
  });
  return seen;
}

/** Blocks by looking at each instruction: one begins behind a jump, and where an exception is delivered. */
function stepped(): string[] {
  const made = start(false);
  const { cpu, engine, physical } = made;
  const blocks: string[] = [];
  const bytes = new Uint8Array(16);
  let begins = true;
  while (cpu.activity === 0) {
    if (begins) blocks.push(moment(made));
    physical.readBytes(cpu.state.rip, bytes);
    const { text } = disassemble(bytes, 0, 4, cpu.state.rip);
    const before = engine.counters.exceptions[0]!;
    engine.step();
    begins = /^(j|call|ret|loop|iret)/.test(text) || engine.counters.exceptions[0]! > before;
  }
  return blocks;
}

const reference = stepped();
const plain = start(false);
plain.engine.run(1e6);

describe.each([["interpreter", false], ["translator", true]] as const)("%s", (_name, translate) => {
  test.each([1, 2, 7, 101, 1e6])("in slices of %i: every block once, with the state in front of it", (slice) => {
    const made = start(translate);
    const seen = watch(made);
    while (made.engine.run(slice).reason === "budget");
    expect(seen.blocks).toEqual(reference);
    expect(outcome(made)).toEqual(outcome(plain));
  });

  test("watched from the middle on, and no more", () => {
    const made = start(translate);
    for (let n = 0; n < 2; n++) {
      made.engine.run(700);
      const from = made.engine.retired;
      const seen = watch(made);
      made.engine.run(300);
      made.engine.observe(undefined);
      const expected = reference.filter((one) => Number(one.split(" ")[0]) > from && Number(one.split(" ")[0]) < from + 300);
      expect(expected.length).toBeGreaterThan(20);
      // Where the watch begins, a block does.
      expect(seen.blocks.filter((one) => Number(one.split(" ")[0]) > from)).toEqual(expected);
      expect(Number(seen.blocks[0]!.split(" ")[0])).toBe(from);
    }
    made.engine.run(1e6);
    expect(outcome(made)).toEqual(outcome(plain));
    if (translate) expect(made.translator!.counters.regions).toBeGreaterThan(3);
  });

  test("a hook ends the run in front of its block, and detaches itself", () => {
    const made = start(translate);
    made.engine.observe({
      block: () => {
        if (made.cpu.state.rip !== at("f")) return;
        made.engine.requestExit();
        made.engine.observe(undefined);
      },
    });
    expect([made.engine.run(1e6).reason, made.cpu.state.rip, made.engine.retired]).toEqual(["requested", at("f"), 2]);
    made.engine.run(1e6);
    expect(outcome(made)).toEqual(outcome(plain));
  });
});

describe("accesses", () => {
  const runs = [false, true].flatMap((translate) => [1, 13, 1e6].map((slice) => {
    const made = start(translate);
    const seen = watch(made);
    while (made.engine.run(slice).reason === "budget");
    return seen.accesses;
  }));
  const lines = runs[0]!.map((one) => one.split(" "));

  test("are the same under both engines and in any slices", () => {
    for (const run of runs) expect(run).toEqual(runs[0]);
  });
  test("come from the instruction that RIP names, in its order", () => {
    const inFunction = lines.filter(([, rip]) => Number(rip) === at("f")).map(([, , what, where]) => `${what} ${where}`);
    expect(inFunction).toEqual(Array.from({ length: 40 }, () => [`r4 ${DATA + 512}`, `w4 ${DATA + 512}`]).flat());
    // REP MOVSB: 20 times a byte read and one written, each counted when it happens.
    const moves = lines.filter(([, , what, where]) => what === "w1" && Number(where) >= DATA + 256 && Number(where) < DATA + 276);
    expect(moves).toHaveLength(40 * 20);
    expect(Number(moves[1]![0]) - Number(moves[0]![0])).toBe(1);
    expect(lines.filter(([, , what, where]) => what === "w1" && Number(where) === at("patch") + 1)).toHaveLength(40);
  });
  test("of the delivery of an exception stand at the instruction that faulted", () => {
    const division = at("n") - 2;
    const pushes = lines.filter(([, rip, what]) => Number(rip) === division && what === "w4");
    expect(pushes).toHaveLength(3 * 5);
  });
});

test("a processor that nobody watches any more is as before", () => {
  const made = start(true);
  const view = made.cpu.state.word(layout.TLB_VIEW);
  watch(made);
  made.engine.run(500);
  expect(made.cpu.state.word(layout.TLB_VIEW)).not.toBe(view);
  made.engine.observe(undefined);
  made.engine.run(500);
  expect([made.cpu.state.word(layout.TLB_VIEW), made.cpu.dataBreakpoints, made.cpu.onAccess, made.engine.code.takesRegions]).toEqual([view, false, undefined, true]);
});
