/**
 * `npx pnpm@12.21.0 vectors`: runs the test vectors of the folder DOPPEL_VECTORS names (default `../shared/vectors`): `sst286` (single-step
 * tests of a real 80286) and `testfloat` (Berkeley TestFloat). Prints what ran, passed and was excluded by which rule; ends with status 2
 * without the folder, and 1 when a test fails or rules exclude more than 6%. `vectors add f64` runs only files whose name contains one of the words.
 * With `--translate`, programs run with a translator that takes every block at once; TestFloat calls the functions that both engines share.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { runSst286, type VectorReport } from "@doppel/testkit";
import { testFloatFiles, testFloatRunner } from "../packages/cpu/src/float/testfloat.fixture.ts";

const MOST_EXCLUDED = 0.06;

const root = join(import.meta.dirname, "..");
const folder = resolve(root, process.env["DOPPEL_VECTORS"] ?? "../shared/vectors");
const translates = process.argv.includes("--translate");
const words = process.argv.slice(2).filter((word) => word !== "--translate");
const wanted = (name: string): boolean => words.length === 0 || words.some((word) => name.includes(word));

function emptyReport(): VectorReport {
  return { run: 0, passed: 0, failed: 0, excluded: new Map(), failures: [] };
}

/** The 80286's tests, or undefined when the folder does not hold them. */
function sst286(): VectorReport | undefined {
  const path = join(folder, "sst286");
  if (!existsSync(join(path, "metadata.json"))) return undefined;
  const report = emptyReport();
  const names = readdirSync(path).filter((file) => file.endsWith(".MOO.gz")).map((file) => file.slice(0, -".MOO.gz".length));
  runSst286(path, report, words.length === 0 ? undefined : names.filter(wanted), translates ? 0 : undefined);
  return report;
}

/** TestFloat's files, or undefined when the folder does not hold them. */
function testFloat(): VectorReport | undefined {
  const files = testFloatFiles(folder);
  if (files === undefined) return undefined;
  const report = emptyReport();
  const run = testFloatRunner(folder);
  for (const file of files.filter(wanted)) {
    const { passed, failed, differences } = run(file);
    report.run += passed + failed;
    report.passed += passed;
    report.failed += failed;
    report.failures.push(...differences.map((difference) => `${file}: ${difference}`));
  }
  return report;
}

function main(): number {
  if (!existsSync(folder)) {
    console.error(`vectors: there is no folder ${folder}; set DOPPEL_VECTORS to one that holds sst286 and testfloat.`);
    return 2;
  }
  const sets = Object.entries({ sst286, testfloat: testFloat }).map(([name, run]) => [name, run()] as const);
  if (sets.every(([, report]) => report === undefined)) {
    console.error(`vectors: ${folder} holds neither sst286 nor testfloat.`);
    return 2;
  }
  let [passed, failed, tooMany] = [0, 0, false];
  for (const [name, report] of sets) {
    if (report === undefined) {
      console.log(`${name}: absent, skipped`);
      continue;
    }
    const excluded = [...report.excluded.values()].reduce((sum, count) => sum + count, 0);
    const all = report.run + excluded;
    const share = all === 0 ? 0 : excluded / all;
    console.log(`${name}: ${report.run} run, ${report.passed} passed, ${report.failed} failed, ${excluded} excluded (${(100 * share).toFixed(2)}%)`);
    for (const [rule, count] of report.excluded) console.log(`  ${count} excluded: ${rule}`);
    for (const failure of report.failures) console.log(`  ${failure}`);
    if (words.length === 0 && share > MOST_EXCLUDED) {
      console.log(`  rules exclude more than ${100 * MOST_EXCLUDED}% of the tests`);
      tooMany = true;
    }
    passed += report.passed;
    failed += report.failed;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || tooMany ? 1 : 0;
}

process.exitCode = main();
