/** Regions that another thread compiles are the same, and come into use when they are there, if their code still is what it was. */
import { assemble } from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { type CompileRequest, compileRequest, type ModuleCompiler, regionModule, Translator } from "./index.ts";
import { type Bits, CODE, DATA, machine, outcome } from "./machine.fixture.ts";
import { formRegion } from "./region.ts";
import { ordersOf, requestOf } from "./region-message.ts";

const SOURCES: [name: string, bits: Bits, source: string][] = [
  ["loops, branches and flags", 32, "l: add eax, [esi]\nadc ebx, [esi + 4]\njo m\nxor ebx, 5\nm: dec ecx\njnz l\njmp e\nnop\ne: hlt"],
  ["a function, a repeated instruction, and one that is not for regions", 64, "l: call f\nrep movsq\ncpuid\nadd rax, rbx\nloop l\njmp [rbx]\nf: push rbp\nmov rbp, rsp\nmov [rbp - 8], rdi\nadd dword [rsi + 64], 3\npop rbp\nret"],
  ["numbers of both units", 64, "fld qword [rsi]\nfadd st0, st1\nfstp qword [rdi + 8]\naddsd xmm1, [rsi + 16]\nmovaps xmm2, xmm1\nshl rax, 7\nlock xadd [rdi], eax\nhlt"],
  ["an indirect call of a known function, and an indirect jump that asks", 64, "call [rbx]\nadd eax, 1\njmp [rcx]\nf: add ebx, 1\nret"],
];

test.each(SOURCES)("%s: what is sent is what is written", (_name, bits, source) => {
  const bytes = new Uint8Array(5 * 4096);
  // The pages do not lie side by side.
  bytes.set(assemble("add eax, 1\njmp 4096", { bits, origin: 4000 }), 3 * 4096 + 4000);
  bytes.set(assemble(source, { bits, origin: 4096 }), 4096);
  const pageAt = (distance: number): number | undefined => [3 * 4096, 4096][distance];
  const region = formRegion({ bytes, long: bits === 64, view: 64, comesBack: true, hasFeature: () => true, pageAt, isKnown: () => true, isRare: () => false, isFunction: () => false, isElsewhere: () => false, usualTargets: (host) => (bytes[host + 1] === 0x13 ? [7] : undefined) }, 4000)!;
  const at = [...region.blocks.values()][0]!.start;
  const orders = [{ region, name: 7 }, { region }, { region, name: 8, windows: { frames: false, without: new Set([at]) } }];
  for (const first of [undefined, [900, 1000]] as const) {
    const request = requestOf(bytes, orders, first);
    expect(regionModule(ordersOf(request), { first }).module.encode()).toEqual(regionModule(orders, { first }).module.encode());
  }
  expect(region.pages.size).toBe(2);
});

/** Compiles when it is told to. */
class Later implements ModuleCompiler {
  isReady = true;
  private readonly waiting: (() => void)[] = [];

  compile(request: CompileRequest): Promise<WebAssembly.Module> {
    // What is sent to a thread is a copy.
    const sent = structuredClone(request);
    return new Promise((resolve, reject) => {
      this.waiting.push(() => (this.isReady ? resolve(compileRequest(sent)) : reject(new Error("ended"))));
    });
  }

  get asked(): number {
    return this.waiting.length;
  }

  async answer(): Promise<void> {
    for (const answer of this.waiting.splice(0)) answer();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

describe("a translator with a compiler elsewhere", () => {
  const LOOP = `l: mov eax, [${DATA}]\nadd eax, 3\nmov [${DATA}], eax\ntest eax, 0x100\njz s\nxor ebx, eax\ns: jmp l`;
  const made = (source = LOOP) => {
    const compiler = new Later();
    const plain = machine(source, 32, false);
    const beside = machine(source, 32, false);
    const translator = new Translator({ engine: beside.engine, memory: beside.physical.frames.arena.memory, threshold: 100, compiler });
    const run = (): void => {
      expect(beside.engine.run(3_000_000).reason).toBe(plain.engine.run(3_000_000).reason);
      expect(outcome(beside)).toEqual(outcome(plain));
    };
    return { compiler, plain, beside, translator, run };
  };

  test("interprets until its regions are there, and asks once for each", async () => {
    const { compiler, translator, run } = made();
    run();
    run();
    expect([compiler.asked, translator.counters.regions]).toEqual([1, 0]);
    await compiler.answer();
    expect(translator.counters).toMatchObject({ regions: 1, modules: 1 });
    run();
    expect(compiler.asked).toBe(0);
  });

  test("does not use a region whose code has changed meanwhile, and finds it again", async () => {
    const { compiler, plain, beside, translator, run } = made();
    run();
    for (const one of [plain, beside]) one.physical.writeBytes(CODE, assemble(LOOP.replace("3", "5"), { bits: 32, origin: CODE }));
    await compiler.answer();
    expect(translator.counters.regions).toBe(0);
    run();
    await compiler.answer();
    expect(translator.counters.regions).toBe(1);
    run();
  });

  test("compiles by itself where that is not ready, and from then on when it has failed", async () => {
    const { compiler, translator, run } = made();
    run();
    compiler.isReady = false;
    await compiler.answer();
    expect(translator.counters.regions).toBe(0);
    compiler.isReady = true;
    run();
    expect([compiler.asked, translator.counters.regions]).toEqual([0, 1]);
  });

  test("does not use what was asked for before regions were to count", async () => {
    const { compiler, beside, run } = made();
    run();
    beside.engine.code.regionsAllowed = false;
    await compiler.answer();
    expect(beside.engine.regions!).toMatchObject({ counters: { regions: 0 } });
    beside.engine.code.regionsAllowed = true;
    run();
  });
});
