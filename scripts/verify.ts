/**
 * `npx pnpm@12.21.0 verify`: every check of the workspace, one after the other, with the totals on the last line.
 * A test counts one; so does each step that is not a test runner. `verify lint types` runs the named steps only.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

interface Count { passed: number; failed: number; skipped: number }
interface Step { name: string; says: string; run(): Promise<Count> }

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "doppel-verify-"));
const passed: Count = { passed: 1, failed: 0, skipped: 0 };
const failed: Count = { passed: 0, failed: 1, skipped: 0 };
const skipped: Count = { passed: 0, failed: 0, skipped: 1 };

/** Runs a command of the workspace with its output shown, and gives its exit status (127 when it cannot be started). */
function execute(command: string, args: readonly string[]): Promise<number> {
  const env = {
    ...process.env,
    PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
  };
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(127);
    });
    child.on("close", (status) => resolve(status ?? 1));
  });
}

/** turbo looks for its package manager on PATH, where only pnpm itself puts it. */
const pnpm = ["npx", "-y", "pnpm@12.21.0"] as const;

const check = async (command: string, ...args: string[]): Promise<Count> =>
  (await execute(command, args)) === 0 ? passed : failed;

/** The root project (tests and scripts included, with Node's types), then each package as it stands alone, without them. */
async function types(): Promise<Count> {
  const projects = ["tsconfig.json"];
  for (const group of ["packages", "apps"])
    for (const name of readdirSync(join(root, group)).sort()) {
      // An entry point for a platform is a project of its own, with that platform's types.
      for (const file of ["tsconfig.json", "tsconfig.node.json", "tsconfig.browser.json"]) {
        const project = join(group, name, file);
        if (existsSync(join(root, project)) && existsSync(join(root, group, name, "src"))) projects.push(project);
      }
    }
  let wrong = 0;
  for (const project of projects)
    if ((await execute("tsc", ["-p", project])) !== 0) {
      console.error(`types: ${project} does not compile`);
      wrong++;
    }
  return wrong === 0 ? passed : failed;
}

/** Vitest's own figures, and one failure for each file that could not even be loaded. */
async function tests(): Promise<Count> {
  const report = join(scratch, "vitest.json");
  const status = await execute("vitest", ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]);
  if (!existsSync(report)) return failed;
  const result = JSON.parse(readFileSync(report, "utf8")) as {
    numPassedTests: number; numFailedTests: number; numPendingTests: number; numTodoTests: number;
    testResults: { status: string; assertionResults: unknown[] }[];
  };
  const unloaded = result.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  const count = {
    passed: result.numPassedTests,
    failed: result.numFailedTests + unloaded,
    skipped: result.numPendingTests + result.numTodoTests,
  };
  // An error outside every test (an unhandled rejection) shows in the exit status only.
  if (status !== 0 && count.failed === 0) count.failed = 1;
  return count;
}

/** The hardware vectors are no part of the repository: where their folder is absent, the command ends with 2. */
async function vectors(): Promise<Count> {
  const status = await execute("node", ["--conditions=@doppel/source", "scripts/vectors.ts"]);
  return status === 0 ? passed : status === 2 ? skipped : failed;
}

const steps: Step[] = [
  { name: "lint", says: "eslint", run: () => check("eslint", ".", "--max-warnings=0") },
  { name: "types", says: "every project, by tsc", run: types },
  { name: "layering", says: "who may import whom", run: () => check("depcruise", "--config", "layering.config.js", "packages", "apps") },
  { name: "test", says: "unit, file and boot tests", run: tests },
  ...(existsSync(join(root, "scripts/vectors.ts"))
    ? [{ name: "vectors", says: "hardware and soft-float vectors", run: vectors }]
    : []),
  { name: "docs", says: "API documentation without a warning", run: () => check("typedoc", "--emit", "none") },
  { name: "build", says: "every package, by turbo and tsup", run: () => check(...pnpm, "exec", "turbo", "run", "build", "--output-logs=errors-only") },
  { name: "pack", says: "packages packed, and imported from a scratch project", run: () => check("node", "scripts/pack.ts") },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`verify: no step is called ${unknown.join(", ")}; the steps are ${steps.map((step) => step.name).join(", ")}`);
  process.exit(2);
}

const total: Count = { passed: 0, failed: 0, skipped: 0 };
const chosen = steps.filter((step) => wanted.length === 0 || wanted.includes(step.name));
const broken: string[] = [];
for (const [index, step] of chosen.entries()) {
  console.log(`\n[${index + 1}/${chosen.length}] ${step.name}: ${step.says}`);
  const start = performance.now();
  const count = await step.run();
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  if (count.failed > 0) broken.push(step.name);
  const outcome = count.failed > 0 ? "FAILED" : count.passed === 0 ? "skipped" : "passed";
  console.log(`[${index + 1}/${chosen.length}] ${step.name}: ${outcome} after ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
rmSync(scratch, { recursive: true, force: true });

if (broken.length > 0) console.log(`\nfailed: ${broken.join(", ")}`);
console.log("");
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed > 0 ? 1 : 0;
