/**
 * Fuzzes the interpreter: `npx pnpm@12.21.0 fuzz [--instructions 10M] [--seed N] [--program SEED] [--table] [--translate [--threshold N] [--longer N]]`. Ends
 * with 1, and prints the least program that shows it, when two runs of a program differ or the host throws; with 1 as well when a form was not reached.
 */
import process from "node:process";
import { checkProgram, Coverage, coverageSummary, coverageTable, fuzzMachines, fuzzProgram, regionProgram, listing, minimise, missingForms, rarestForms } from "@doppel/testkit";

/** Machines are replaced after so many programs, so that new ones are tried too; those that translate have regions of another size then. */
const PROGRAMS_PER_MACHINE = 2000;
const PROGRAMS_TRANSLATED = 25;
/** Instructions between two lines on stderr. */
const PROGRESS = 1_000_000;
const USAGE = "usage: fuzz [--instructions N[K|M]] [--seed N] [--program SEED] [--table] [--translate [--threshold N] [--longer N]]";

function refuse(message: string): never {
  console.error(`fuzz: ${message}\n${USAGE}`);
  process.exit(2);
}

function count(text: string | undefined): number {
  const match = /^(\d+)([KM]?)$/i.exec(text ?? "");
  if (match === null) refuse(`"${text ?? ""}" is no number of instructions`);
  return Number(match[1]) * ({ "": 1, K: 1e3, M: 1e6 }[match[2]!.toUpperCase()] ?? 1);
}

let wanted = 1_000_000;
let seed = "1";
let single: string | undefined;
let table = false;
let translate = false;
let threshold: number | undefined = 0;
let longer = 1;
for (let n = 2; n < process.argv.length; n++) {
  const option = process.argv[n]!;
  if (option === "--instructions") wanted = count(process.argv[++n]);
  else if (option === "--seed") seed = process.argv[++n] ?? refuse("--seed needs a value");
  else if (option === "--program") single = process.argv[++n] ?? refuse("--program needs a seed, such as 1/42");
  else if (option === "--table") table = true;
  else if (option === "--translate") translate = true;
  else if (option === "--threshold") threshold = process.argv[++n] === "default" ? undefined : count(process.argv[n]);
  else if (option === "--longer") longer = count(process.argv[++n]);
  else refuse(`unknown option "${option}"`);
}

let turn = 0;
let machines = fuzzMachines(translate, turn, threshold);
const coverage = new Coverage();
const begun = performance.now();

function tryProgram(name: string): void {
  const program = translate ? regionProgram(name, longer) : fuzzProgram(name);
  const failure = checkProgram(machines[program.model], program, coverage);
  if (failure === undefined) return;
  console.log(`program ${name} (${program.model}, ${program.mode.name}, paging ${program.paging}): ${failure}`);
  const small = minimise(fuzzMachines(translate, turn, threshold)[program.model], program);
  if (small === undefined) console.log("it fails only behind the programs before it");
  else console.log(`${small.failure}, within ${small.budget} instructions of:\n${listing(small.program)}`);
  process.exit(1);
}

if (single !== undefined) tryProgram(single);
let announced = 0;
const perMachine = translate ? PROGRAMS_TRANSLATED : PROGRAMS_PER_MACHINE;
const done = (): number => (translate ? coverage.translated : coverage.instructions);
for (let n = 0; single === undefined && done() < wanted; n++) {
  if (n % perMachine === perMachine - 1) machines = fuzzMachines(translate, ++turn, threshold);
  tryProgram(`${seed}/${n}`);
  if (done() < announced + PROGRESS) continue;
  announced = done();
  console.error(`${announced} instructions, ${((performance.now() - begun) / 1000).toFixed(0)} s`);
}
if (table) console.log(coverageTable(coverage));
console.log(coverageSummary(coverage, (performance.now() - begun) / 1000));
if (translate) for (const line of rarestForms(coverage)) console.log(line);
const missing = single === undefined ? missingForms(coverage) : [];
for (const line of missing) console.log(line);
if (missing.length > 0) process.exit(1);
