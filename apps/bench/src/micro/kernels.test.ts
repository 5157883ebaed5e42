/**
 * The micro-kernels on Doppel in both widths, and on v86, which no other test boots. What they must answer is arithmetic: a model of each kernel,
 * written a second time in TypeScript.
 */
import { describe, expect, test } from "vitest";
import { benchEngines } from "../engines.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { session } from "../session.ts";
import { microGuest } from "./kernels.ts";

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
/** N, N - 1, ... 1. */
const down = (count: number): number[] => Array.from({ length: count }, (_, n) => count - n);
/** How the kernels make one number of many. */
const fold = (values: readonly number[]): number => values.reduce((sum, value) => (Math.imul(sum, 3) + value) | 0, 0);
const calls = (count: number): number => fold(down(count).map((n, served) => n ^ (served + 1)));

function alu(count: number, bits: 32 | 64): number {
  const wrap = (value: bigint): bigint => BigInt.asUintN(bits, value);
  let [a, b, d, s] = [1n, 0n, 0n, 0n];
  for (let n = 0; n < count; n++) {
    a = wrap(a * 5n + 1n);
    a = wrap((a << 7n) | (a >> BigInt(bits - 7)));
    b ^= a;
    const sum = d + b;
    d = wrap(sum);
    s = wrap(s + (sum >> BigInt(bits)));
    const product = wrap(a * 0x1b873593n);
    d = wrap(d - product);
    s = wrap(s + ((product >> 3n) | 1n));
  }
  return Number(BigInt.asIntN(32, a + b + d + s));
}

function indirect(count: number): number {
  let [answer, state] = [0, 0x2545f491];
  for (const n of down(count)) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const functions = [answer + state, answer ^ state, answer - state, rotate(answer, 5), Math.imul(answer, 5), ~answer, answer + n, rotate(answer, 29)];
    answer = functions[state & 7]! | 0;
  }
  return answer;
}

function stride(count: number): number {
  const field = new Int32Array(8192 * 1024);
  let [answer, at] = [0, 0];
  for (const n of down(count)) {
    answer = (answer + field[at]!) | 0;
    field[at] = field[at]! + n;
    at = (at + 37 * 1024 + 16) % field.length;
  }
  return answer;
}

/** `times` additions of what a page has grown to, for each of `places`, then a rotation. */
function grow(count: number, times: number, places: number): number {
  let [answer, page] = [0, 0];
  for (const n of down(count)) {
    page = (page + n) | 0;
    for (let place = 0; place < places; place++) answer = rotate((answer + Math.imul(page, times)) | 0, 3);
  }
  return answer;
}

const models: Record<string, (count: number, bits: 32 | 64) => number> = {
  alu, indirect: (count) => indirect(count), stride: (count) => stride(count),
  calls: (count) => down(count).reduce((sum, n) => (Math.imul((Math.imul(sum, 3) + 1 + n) | 0, 3) + 1) | 0, 0),
  int80: calls, sysenter: calls, syscall: calls,
  switch: (count) => grow(count, 4, 2),
  fault: (count) => grow(count, 256, 1) ^ (256 * count),
  smc: (count) => fold(down(count)),
  port: (count) => fold(down(count).map((n) => n & 0xff)),
  // The cause that the transmitter gives is 2 (PC16550D data sheet, table 4), and it counts twice.
  interrupt: (count) => 5 * count,
};

describe("the micro-kernels", () => {
  test.each([["doppel-auto", 32], ["doppel-auto", 64], ["v86", 32]] as const)("answer on %s in %i bits what arithmetic says", async (name, bits) => {
    const folder = mkdtempSync(join(tmpdir(), "doppel-micro-test-"));
    try {
      const guest = microGuest(bits, 2000);
      const files = { kernel: join(folder, "kernel") };
      writeFileSync(files.kernel, guest.kernel);
      const engine = benchEngines(true).find((candidate) => candidate.name === name)!;
      const { samples } = await session(engine.command(guest, files), guest, undefined, () => {}, new AbortController().signal);
      const expected = guest.workloads.map(({ name: work, command }) =>
        [work, (models[work]!(Number(command.split(" ")[1]), bits) >>> 0).toString(16).padStart(8, "0")]);
      expect(samples.slice(1).map(({ work, answer }) => [work, answer])).toEqual(expected);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
