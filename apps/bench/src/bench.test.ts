/** The harness on the embedded guest, one run, and its parts. Nothing here asserts how fast anything is. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { debianWorkloads } from "./debian-workloads.ts";
import { microGuest } from "./micro/kernels.ts";
import { parseOptions, UsageError } from "./options.ts";
import { session } from "./session.ts";
import { geometricMean, spread, standings, summarise } from "./summary.ts";

const main = join(import.meta.dirname, "main.ts");

function bench(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--conditions=@doppel/source", main, ...args], { timeout: 120_000 }, (error, out, err) =>
      resolve({ status: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out, err }));
  });
}

describe("the command", () => {
  test("measures the embedded guest and writes both reports", async () => {
    const folder = mkdtempSync(join(tmpdir(), "doppel-bench-test-"));
    try {
      const out = join(folder, "report");
      const { status, err } = await bench("--guest", "embedded", "--quick", "--runs", "1", "--engines", "doppel-interpreter", "--no-pin", "--source", "--json", "--out", out);
      expect(status, err).toBe(0);
      const report = JSON.parse(readFileSync(`${out}.json`, "utf8"));
      // 1 + 2 + ... + n = n (n + 1) / 2 for n = 2000000; and there are 1229 primes below 10000.
      expect(report.raw["doppel-interpreter"][0].samples.map(({ work, answer }: { work: string; answer: string }) => [work, answer]))
        .toEqual([["boot", "up"], ["sum", "2000001000000"], ["primes", "1229"]]);
      expect(readFileSync(`${out}.md`, "utf8")).toContain("| primes up to 10000 |");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);

  test("refuses what it does not know with one sentence and status 2", async () => {
    const { status, out, err } = await bench("--guest", "embedded", "--only", "dance");
    expect(status).toBe(2);
    expect(out).toBe("");
    expect(err).toBe("bench: There is no work called dance; there is boot, sum, primes.\n");
  }, 60_000);
});

test("a machine that ends early is a failure with its place and reason, not the end of the measurement", async () => {
  const { samples, failure } = await session(["sh", "-c", "echo up; exit 3"], { ...microGuest(32, 1), banner: "up" }, undefined, () => {}, new AbortController().signal);
  expect(samples.map(({ work }) => work)).toEqual(["boot"]);
  expect(failure).toMatchObject({ work: "boot", why: expect.stringContaining("the machine ended with 3") });
});

describe("options", () => {
  test("have defaults and are checked", () => {
    expect(parseOptions([])).toMatchObject({ guest: "debian-12-i386", runs: 5, scale: 1, pin: true, only: undefined });
    expect(parseOptions(["--only", "boot,sort"]).only).toEqual(new Set(["boot", "sort"]));
    expect(() => parseOptions(["--runs", "0"])).toThrow(UsageError);
    expect(() => parseOptions(["--fast"])).toThrow(UsageError);
  });
});

describe("figures", () => {
  test("median, extremes and geometric mean", () => {
    expect(spread([5, 1, 3])).toEqual({ median: 3, least: 1, most: 5 });
    expect(spread([4, 1, 3, 2]).median).toBe(2.5);
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
  });

  test("the first engine is compared with the last, and answers with each other", () => {
    const run = (elapsed: number, answer: string) => ({ samples: [{ work: "sum", elapsed, answer }] });
    const [line] = summarise({ ours: [run(30, "1"), run(10, "1"), run(20, "1")], theirs: [run(5, "1"), run(5, "2"), run(6, "1")] });
    expect(line).toMatchObject({ work: "sum", ratio: 4, processorRatio: undefined, answers: ["1", "2"] });
  });

  test("each engine is compared with each other over all work but the boot; memory is the median of the runs' peaks", () => {
    const run = (boot: number, sum: number, primes: number, peakMemory?: number) => ({
      samples: [["boot", boot], ["sum", sum], ["primes", primes]].map(([work, elapsed]) => ({ work: String(work), elapsed: Number(elapsed), answer: "" })),
      ...(peakMemory === undefined ? {} : { peakMemory }),
    });
    const runs = { ours: [run(1, 2, 8, 300), run(1, 2, 8, 100), run(1, 2, 8, 200)], v86: [run(9, 4, 16)], qemu: [run(9, 1, 1)] };
    const [ours, v86] = standings(runs, summarise(runs));
    expect(ours).toMatchObject({ engine: "ours", peakMemory: { median: 200, least: 100, most: 300 } });
    expect(ours!.against["v86"]).toBeCloseTo(0.5, 12);
    expect(ours!.against["qemu"]).toBeCloseTo(4, 12);
    expect(v86).toMatchObject({ peakMemory: undefined });
    expect(Object.keys(v86!.against)).toEqual(["ours", "qemu"]);
    const few = { ours: [run(1, 2, 8)].map(({ samples }) => ({ samples: samples.slice(0, 2) })), theirs: [{ samples: run(1, 2, 8).samples.slice(0, 2) }] };
    expect(standings(few, summarise(few))[0]!.against).toEqual({});
  });
});

test("the corpus is the same in every run, and marks are not in what is typed", () => {
  const { workloads, files } = debianWorkloads(1, 32);
  expect(files["bench/corpus"]).toBe(debianWorkloads(10, 32).files["bench/corpus"]);
  expect(String(files["bench/corpus"]).length).toBe(50_000 * 21);
  for (const { command, begin, end } of workloads) expect(command.includes(begin!) || command.includes(end!)).toBe(false);
});
