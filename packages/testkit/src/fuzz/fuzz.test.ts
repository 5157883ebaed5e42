/** The fuzzer itself, small: programs of every mode, all ways of running them alike, most forms reached. `npx pnpm fuzz` runs it at length. */
import { expect, test } from "vitest";
import { Coverage } from "./coverage.ts";
import { coverageSummary, rarestForms, unreached } from "./coverage-report.ts";
import { FORM_CLASSES } from "./form-classes.ts";
import { FuzzMachine, fuzzMachines } from "./fuzz-machine.ts";
import { FUZZ_MODES } from "./fuzz-modes.ts";
import { fuzzProgram } from "./fuzz-program.ts";
import { checkProgram, runProgram } from "./fuzz-run.ts";
import { listing, minimise } from "./minimise.ts";
import { roundProgram } from "./round-program.ts";

const machines = fuzzMachines();
/** Forms that so short a run may miss; a long one reaches all. */
const MOST_UNREACHED = { "legacy": 40, "compatibility": 150, "64-bit": 40 };

test("250,000 instructions: no run of a program differs from another, and nothing throws", { timeout: 600_000 }, () => {
  const coverage = new Coverage();
  for (let n = 0; coverage.instructions < 250_000; n++) {
    const program = fuzzProgram(`test/${n}`);
    const pair = machines[program.model];
    const failure = checkProgram(pair, program, coverage);
    if (failure !== undefined) expect.fail(`fuzz --program test/${n}: ${failure}\n${listing(minimise(pair, program)?.program ?? program)}`);
  }
  for (const one of FORM_CLASSES) expect(unreached(coverage, one).length, `${one.name}\n${coverageSummary(coverage, 1)}`).toBeLessThan(MOST_UNREACHED[one.kind]);
  for (const { name } of FUZZ_MODES) expect([...coverage.modes.keys()].some((mode) => mode.includes(`: ${name}`)), name).toBe(true);
});

const translating = fuzzMachines(true);

test("30,000 instructions of it against regions of the translator", { timeout: 300_000 }, () => {
  const coverage = new Coverage();
  for (let n = 0; coverage.instructions < 30_000; n++) {
    const program = fuzzProgram(`regions/${n}`);
    const failure = checkProgram(translating[program.model], program, coverage);
    if (failure !== undefined) expect.fail(`program regions/${n}: ${failure}`);
  }
});

test("the beginnings of programs for regions, most of which retires in them", { timeout: 300_000 }, () => {
  const coverage = new Coverage();
  for (let n = 0; n < 5; n++) {
    const program = { ...fuzzProgram(`regions/${n}`, true), budget: 6000 };
    const failure = checkProgram(translating[program.model], program, coverage);
    if (failure !== undefined) expect.fail(`fuzz --translate --program regions/${n}: ${failure}`);
  }
  expect(coverage.inRegions / coverage.translated).toBeGreaterThan(0.6);
});

test("the beginnings of programs that go round, nearly all of which retires in regions", { timeout: 300_000 }, () => {
  const coverage = new Coverage();
  for (let n = 0; n < 10; n++) {
    const program = { ...roundProgram(`rounds/${n}`), budget: 9000 };
    const failure = checkProgram(translating[program.model], program, coverage);
    if (failure !== undefined) expect.fail(`round program rounds/${n}: ${failure}`);
  }
  expect(coverage.inRegions / coverage.translated).toBeGreaterThan(0.85);
  expect(coverage.faults / coverage.instructions).toBeLessThan(0.1);
  expect(rarestForms(coverage)[0]).toMatch(/^i686, legacy: every form retired at least \d+ times/);
});

/** An IRET to a task that faults in the new one: the fault is not for the interpreter to find once more. */
test.each(["sse9/105", "sse2x/131"])("a program that regions once ran otherwise: %s", (seed) => {
  const program = fuzzProgram(seed);
  expect(checkProgram(fuzzMachines(true)[program.model], program, new Coverage())).toBeUndefined();
});

test("a machine that runs otherwise is found out, and the program that shows it gets small", { timeout: 120_000 }, () => {
  const wrong = new FuzzMachine("max");
  const answer = wrong.cpu.bus.readPort.bind(wrong.cpu.bus);
  wrong.cpu.bus.readPort = (port, size) => answer(port, size) & 0xfe;
  for (let n = 0; n < 200; n++) {
    const program = fuzzProgram(`wrong/${n}`);
    // Of real mode, where every program may read ports.
    if (program.model !== "max" || program.mode.kind !== "real" || checkProgram([machines.max[0], wrong], program) === undefined) continue;
    // Fewer places to try: the search shall take a second, not a minute.
    const small = minimise([machines.max[0], wrong], { ...program, starts: program.starts.filter((_, at) => at % 24 === 0) })!;
    expect(small.failure).toMatch(/^(two runs alike|(one by one|in slices) and in one piece|saved in place and restored): /);
    // In some programs the instruction lies amid another one, which is what the listing shows.
    if (!/\bin(s[bwd])?\b/.test(listing(small.program))) continue;
    return;
  }
  expect.fail("no program was found that reads a port");
});

test("the same seed gives the same program and the same end", () => {
  const [a, b] = [fuzzProgram("same"), fuzzProgram("same")];
  expect(b).toEqual(a);
  const plan = { saveAt: a.budget, slices: "whole" } as const;
  expect(runProgram(machines[a.model][1], b, plan)).toEqual(runProgram(machines[a.model][0], a, plan));
});

test("a machine just made goes on from an image as the one that saved it", { timeout: 120_000 }, () => {
  for (let n = 0; n < 8; n++) {
    const program = fuzzProgram(`new/${n}`);
    const whole = runProgram(machines[program.model][0], program, { saveAt: 700, slices: "whole" });
    if (whole.save === undefined) continue;
    const restored = runProgram(new FuzzMachine(program.model), program, { saveAt: 700, slices: "whole", from: whole.save });
    expect(restored.digest, `program new/${n}`).toEqual(whole.digest);
  }
});
