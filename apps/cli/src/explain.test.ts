// `doppel explain` with the guest that needs no file: what it is known to execute is known from its source (packages/guests).
import type { TranslationUnit } from "doppel";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commandLine } from "./command-line.ts";
import { fakeHost } from "./fake-vm.ts";
import { createVm } from "./machine.ts";

/** Runs the command with a real machine. */
async function explained(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const host = Object.assign(fakeHost(), { createVm });
  const status = await commandLine(["explain", "embedded", ...args], host);
  return { status, stdout: host.stdout, stderr: host.stderr };
}

test("the hottest unit of a command, as JSON: the loop that adds numbers up", async () => {
  const { status, stdout, stderr } = await explained("--run", "sum 5000000", "--top", "1", "--format", "json");
  expect([status, stderr]).toEqual([0, "booting embedded\nrunning sum 5000000\n"]);
  const { instructions, units: [unit] } = JSON.parse(stdout) as { instructions: number; units: TranslationUnit[] };
  expect(unit!.retired).toBeGreaterThan(0.8 * instructions);
  const most = Math.max(...unit!.blocks.map(({ executed }) => executed!));
  expect(most).toBeGreaterThan(3_000_000);
  expect(most).toBeLessThanOrEqual(5_000_000);
  const more = await explained("--run", "sum 5000000", "--at", unit!.address, "--show", "asm,ir,wasm,chain");
  expect(more.stdout).toMatch(/^translation unit 0x1[0-9a-f]{5}: 32-bit code/);
  expect(more.stdout).toMatch(/; innocuous\n/);
  expect(more.stdout).toContain("i32.add(");
  expect(more.stdout).toContain("(func $region0");
  expect((await explained("--run", "sum 5000000", "--format", "dot")).stdout).toMatch(/^digraph chain \{\n {2}"0x1/);
}, 120_000);

test("run --trace-io: a line for each access, in a file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "doppel-trace-"));
  const file = join(folder, "io");
  const host = Object.assign(fakeHost(), { createVm });
  expect(await commandLine(["run", "--guest", "embedded", "--trace-io", `file:${file}`, "--timeout", "1s"], host)).toBe(124);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  rmSync(folder, { recursive: true });
  for (const line of lines) expect(line).toMatch(/^ *\d+ cpu 0 (in|out|load|store) [0-9a-f]+ [124] [0-9a-f]+$/);
  // The console's bytes are among them.
  const said = lines.flatMap((line) => /out 3f8 1 ([0-9a-f]+)$/.exec(line)?.[1] ?? []).map((code) => String.fromCharCode(parseInt(code, 16))).join("");
  expect(said).toContain("doppel> ");
});

test("a guest that ends, an address that is nothing, and a text that does not come", async () => {
  expect((await explained("--run", "poweroff", "--top", "1")).status).toBe(0);
  const nowhere = await explained("--after", "300ms", "--at", "0xfffff000");
  expect([nowhere.status, nowhere.stderr]).toEqual([2, expect.stringContaining("doppel: nothing is mapped at 0xfffff000")]);
  const never = await explained("--until", "never", "--timeout", "200ms");
  expect([never.status, never.stderr]).toEqual([2, expect.stringContaining("the guest did not say never within 200 ms")]);
});
