/** The command, on the embedded guest. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";

function stateHashes(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--conditions=@doppel/source", join(import.meta.dirname, "state-hashes.ts"), ...args], { timeout: 120_000 }, (error, out, err) =>
      resolve({ status: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out, err }));
  });
}

test("engines have the same hashes at the same places, and other ones at others", async () => {
  const { status, out, err } = await stateHashes("--every", "3", "--count", "2", "--engines", "interpreter,auto:1", "--type", "sum 1000");
  expect(status, err).toBe(0);
  const lines = out.trim().split("\n").map((line) => line.split(/\s+/));
  expect(lines.map(([engine, place]) => [engine, place])).toEqual([["interpreter", "3"], ["interpreter", "6"], ["auto:1", "3"], ["auto:1", "6"]]);
  const hashes = lines.map((line) => line[3]);
  expect(hashes.slice(2)).toEqual(hashes.slice(0, 2));
  expect(new Set(hashes).size).toBe(2);
}, 120_000);

test("what it does not know is refused with a sentence and status 2", async () => {
  for (const [args, sentence] of [[["--engines", "fast"], "there is no engine called fast"], [["--every", "often"], "--every and --count take numbers above 0"], [["--guest", "nobody"], "nobody"]] as const) {
    const { status, err } = await stateHashes(...args);
    expect([status, err]).toEqual([2, expect.stringContaining(sentence)]);
  }
}, 60_000);
