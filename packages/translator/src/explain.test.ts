/** What is said of code, against programs whose counts follow from their source; and that counting changes nothing that the program can see. */
import { assemble, FORMS } from "@doppel/x86";
import { functionTexts } from "@doppel/wasm";
import { describe, expect, test } from "vitest";
import { chainDot, EXPLAIN_PARTS, Explainer, formRegion, RegionCounts, regionModule, Translator, unitText } from "./index.ts";
import { type Bits, CODE, machine, outcome } from "./machine.fixture.ts";
import { SENSITIVE } from "./sensitivity.ts";

const COUNTS = 1 << 16;
const ALL = new Set(EXPLAIN_PARTS);

/** A machine whose regions count, and its explainer. */
function counting(source: string, bits: Bits, size = COUNTS) {
  const made = machine(source, bits, false);
  const { arena } = made.physical.frames;
  const counts = new RegionCounts(arena.memory, arena.reserve(COUNTS), size);
  const translator = new Translator({ engine: made.engine, memory: arena.memory, threshold: 0, counts });
  return { ...made, translator, counts, explainer: (): Explainer => new Explainer(translator) };
}

/** Runs the program to its end twice, and counts the second time: the first one fills the TLB, and regions begin wherever it missed. */
function runTwice({ cpu, engine, counts }: ReturnType<typeof counting>): void {
  engine.run(1e6);
  counts.clear();
  cpu.state.rip = CODE;
  cpu.activity = 0;
  engine.run(1e6);
}

const LOOP = "mov ecx, 300\nl: add eax, ecx\npush eax\npop ebx\ndec ecx\njnz l\nnop\ncpuid\nhlt";

describe("a loop", () => {
  const made = counting(LOOP, 32);
  runTwice(made);
  const [unit] = made.explainer().hottest(1);

  test("how often each block ran, and what retired", () => {
    expect(unit).toMatchObject({
      address: "0x1000", bits: 32, state: "translated", entered: 1, retired: 1 + 5 * 300 + 1,
      blocks: [{ address: "0x1000", copies: 1, executed: 1, next: ["0x1005"] }, { address: "0x1005", executed: 300, next: ["0x1005", "0x100c"] }, { executed: 1, next: [] }],
    });
  });
  test("each instruction with its kind and its meaning", () => {
    const all = unit!.blocks.flatMap(({ instructions }) => instructions);
    expect(all.map(({ text }) => text)).toEqual(["mov ecx, 0x12c", "add eax, ecx", "push eax", "pop ebx", "dec ecx", "jnz 0x1005", "nop", "cpuid"]);
    expect(all.map(({ sensitive }) => sensitive)).toEqual([false, false, false, false, false, false, false, true]);
    expect(all.at(-1)!.left).toMatch(/only the monitor can do it \(cpuid\)/);
    expect(all[1]!.ir).toEqual(["%1 = eax", "%2 = ecx", "%3 = i32.add(%1, %2)", "eax = %3", "flags add.4 a=%1, b=%2, result=%3"]);
    expect(all[5]!.ir.join()).toContain("jump i32.add(0x100c, -7)");
  });
  test("the ways out, with what was taken", () => {
    expect(unit!.waysOut.find(({ what }) => what === "leave CPUID")).toEqual({
      what: "leave CPUID", from: "0x100d", to: "0x100d", chained: false, count: 1, stop: "cpuid: only the monitor can do it (cpuid)", where: "to the interpreter",
    });
  });
  test("the fragment as text, with the names of registers and without what counts", () => {
    expect(unit!.wasm).toMatch(/^\(func \$region0 \(param \$record i32\) \(param \$delta i32\) \(result i32\)/);
    expect(unit!.wasm).toContain("local.get $ecx");
    expect(unit!.wasm).toMatch(/i32\.store offset=\d+ align=1 ;; esp/);
    expect(unit!.wasm).not.toContain("i64.add");
  });
  test("text for people", () => {
    const text = unitText(unit!, ALL, made.engine.retired);
    expect(text).toMatch(/^translation unit 0x1000: 32-bit code, 7 instructions in \d blocks; compiled\nentered .*% of all\)\n/);
    expect(text).toMatch(/0x100d {2}cpuid +; sensitive, left to the interpreter: only the monitor can do it \(cpuid\)/);
    expect(unitText(unit!, new Set(["chain"]))).not.toContain("cpuid  ");
  });
});

test("64-bit code: addresses are whole, calls are chained, and the graph shows them", () => {
  // So long that the function stands in no caller's region.
  const long = Array.from({ length: 400 }, (_, n) => `add rax, ${n}`).join("\n");
  const { engine, explainer } = counting(`mov rcx, 500\njmp l\nf: ${long}\nret\nl: call f\ndec rcx\njnz l\nhlt`, 64);
  engine.run(1e6);
  const units = explainer().hottest(10);
  const callee = units[0]!;
  expect(callee.blocks[0]!.executed).toBe(callee.entered);
  const call = units.flatMap(({ waysOut }) => waysOut).find(({ what, to }) => what === "jump CALL" && to === callee.address)!;
  expect(call).toMatchObject({ chained: true });
  expect(callee.waysOut[0]).toMatchObject({ what: "jump RET", count: callee.entered });
  expect(callee.waysOut[0]).not.toHaveProperty("to");
  expect(chainDot(units)).toContain(`-> "${callee.address}" [label="jump CALL ${call.count}"]`);
});

test("counting changes nothing, and a page that runs out of counters only shows fewer", () => {
  const plain = machine(LOOP, 32, true);
  plain.engine.run(1e6);
  for (const size of [COUNTS, 24]) {
    const made = counting(LOOP, 32, size);
    made.engine.run(1e6);
    expect(outcome(made)).toEqual(outcome(plain));
    expect(made.explainer().hottest(1)).toHaveLength(1);
  }
});

test("counting begins and ends while the code runs: regions go, come again, and the program's end is the same", () => {
  const plain = machine(LOOP, 32, true);
  plain.engine.run(1e6);
  const made = counting(LOOP, 32);
  const { engine, translator, counts, explainer } = made;
  translator.setCounts(undefined);
  engine.run(300);
  const uncounted = explainer().regions();
  expect(uncounted).toContainEqual({ address: "0x1000", bits: 32, instructions: 7 });
  expect(explainer().hottest(1)).toEqual([]);
  expect(explainer().at(CODE)).toMatchObject({ state: "translated", address: "0x1000" });
  translator.setCounts(counts);
  expect(explainer().regions()).toEqual([]);
  engine.run(600);
  const [counted] = explainer().regions();
  expect(counted!.retired).toBeGreaterThan(500);
  expect(explainer().hottest(1)[0]).toMatchObject({ address: counted!.address, entered: counted!.entered!, retired: counted!.retired! });
  translator.setCounts(undefined);
  expect(counts.all()).toEqual([]);
  engine.run(1e6);
  expect(outcome(made)).toEqual(outcome(plain));
});

test("code that changes loses its figures, and its counters are used again", () => {
  const { engine, physical, counts, explainer } = counting("l: add eax, 1\njmp l", 32, 8 * 12);
  for (let n = 1; n < 20; n++) {
    engine.run(1000);
    expect(explainer().hottest(1)[0]!.blocks[0]!.executed).toBeGreaterThan(400);
    physical.writeBytes(CODE, assemble(`add eax, ${n}`, { bits: 32 }));
    expect(counts.all()).toEqual([]);
  }
  engine.run(1000);
  counts.clear();
  expect(explainer().hottest(1)[0]!.retired).toBe(0);
});

describe("an address", () => {
  test("inside a fragment: the whole of it", () => {
    const made = counting(LOOP, 32);
    runTwice(made);
    expect(made.explainer().at(CODE + 6).address).toBe("0x1000");
  });
  test("without a fragment: the one that it would get, of code that ran or of any", () => {
    const { engine, physical, explainer } = counting("nop\nhlt", 32);
    engine.run(10);
    physical.load(0x3000, assemble("l: add eax, 1\ndec ecx\njnz l\nnop\nrdpmc", { bits: 32, origin: 0x3000 }));
    const unit = explainer().at(0x3000);
    expect(unit).toMatchObject({ state: "never executed", blocks: [{ next: ["0x3000", "0x3006"] }, { instructions: [{ text: "nop" }, { text: "rdpmc", sensitive: true }] }] });
    expect(unit).not.toHaveProperty("entered");
    // A translator that counts nothing forms a region's like once more.
    const other = machine(LOOP, 32, true);
    other.engine.run(1e6);
    expect(new Explainer(other.translator!).at(CODE)).toMatchObject({ state: "translated", blocks: [{ instructions: [{ text: "mov ecx, 0x12c" }] }, {}, {}] });
    expect(new Explainer(other.translator!).hottest(3)).toEqual([]);
  });
  test("with nothing to translate: a sentence", () => {
    const { engine, cpu, explainer } = counting("hlt", 32);
    engine.run(10);
    expect(() => explainer().at(CODE)).toThrow(/no region begins at 0x1000, where hlt stands: .*; name/);
    expect(() => explainer().at(0xe000_0000)).toThrow(/nothing is mapped at 0xe0000000/);
    cpu.reset();
    expect(() => explainer().at(CODE)).toThrow(/16-bit code/);
  });
});

test("every function of a module of regions has a text", () => {
  const { physical } = machine("fld1\nfadd st0, st0\naddsd xmm0, xmm1\nsqrtss xmm2, xmm0\npshufb xmm1, xmm2\ncvtsi2sd xmm0, rax\nl: imul rax, rbx\ndec ecx\njnz l\nret", 64, false);
  const { u8, memory } = physical.frames.arena;
  const base = physical.hostAddress(1);
  const region = formRegion({ bytes: u8, long: true, view: 0, hasFeature: () => true, pageAt: (distance) => (distance === 0 ? base : undefined), isKnown: () => true, isRare: () => false, isFunction: () => false, isElsewhere: () => false, comesBack: true }, 0)!;
  const module = regionModule([{ region }], { first: [0, 0] }).module.encode(true);
  const texts = functionTexts(module);
  expect(texts.length).toBeGreaterThan(5);
  expect(texts.filter(({ name }) => /^\d+$/.test(name))).toEqual([]);
  expect(memory.buffer.byteLength).toBeGreaterThan(0);
});

test("sensitive instructions are instructions of the tables", () => {
  const mnemonics = new Set(FORMS.map(({ mnemonic }) => mnemonic));
  expect([...SENSITIVE].filter((name) => !mnemonics.has(name))).toEqual([]);
});
