// The programs are ELF files that a Linux runs: on this host's processor they print what the same work gives in JavaScript.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, test } from "vitest";
import { PLANETS } from "./n-body.ts";
import { programFiles } from "./programs.ts";

/** Divides the work; what is left is done in some milliseconds. */
const SCALE = 100;
const folder = mkdtempSync(join(tmpdir(), "doppel-programs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const isRunner = process.platform === "linux" && process.arch === "x64";

/** What a program prints; undefined on a host that runs no such programs. */
function answer(name: string, bits: 32 | 64): string | undefined {
  const path = join(folder, `${name}-${bits}`);
  writeFileSync(path, programFiles(bits, SCALE).find((one) => one.name === name)!.file, { mode: 0o755 });
  const { error, stdout, status } = spawnSync(path, { encoding: "utf8", timeout: 30_000 });
  // A kernel without the old system calls knows no 32-bit programs.
  if (bits === 32 && (error !== undefined || status !== 0)) return undefined;
  expect([name, error, status]).toEqual([name, undefined, 0]);
  return stdout.trim();
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
const rol = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const count = (rounds: number): number => rounds / SCALE;

/** n-body with the rounding of doubles, which JavaScript and SSE2 share. */
function nBody(steps: number): string {
  const [mass, days] = [4 * Math.PI * Math.PI, 365.24];
  const planets = PLANETS.map((body) => body.map((value: number, n) => (n < 3 ? value : n < 6 ? value * days : value * mass)));
  const sun = [0, 0, 0, ...[3, 4, 5].map((n) => -planets.reduce((sum, planet) => sum + planet[n]! * planet[6]!, 0) / mass), mass];
  const bodies = [sun, ...planets];
  for (let step = 0; step < steps; step++) {
    for (const [n, a] of bodies.entries()) for (const b of bodies.slice(n + 1)) {
      const d = [0, 1, 2].map((axis) => a[axis]! - b[axis]!);
      const square = d[0]! * d[0]! + d[1]! * d[1]! + d[2]! * d[2]!;
      const pull = 0.01 / (Math.sqrt(square) * square);
      for (const axis of [0, 1, 2]) {
        a[3 + axis]! -= d[axis]! * (b[6]! * pull);
        b[3 + axis]! += d[axis]! * (pull * a[6]!);
      }
    }
    for (const body of bodies) for (const axis of [0, 1, 2]) body[axis]! += 0.01 * body[3 + axis]!;
  }
  return hex(new Uint32Array(Float64Array.from(bodies.flat()).buffer).reduce((sum, word) => rol(sum, 5) ^ word, 0));
}

function faults(rounds: number): string {
  let sum = 0;
  for (let round = 0; round < rounds; round++) for (let page = 1024; page > 0; page--) sum = (Math.imul(sum, 3) + (page & 255)) | 0;
  return hex(sum);
}

function chase(rounds: number): string {
  let at = 0;
  for (let n = 0; n < rounds; n++) at = (Math.imul(at, 0x2545f5) + 12345) & 0x7ffff;
  return hex(at);
}

function selfModifying(rounds: number): string {
  let sum = 0;
  for (let n = rounds; n > 0; n--) sum = rol(sum + n, 1);
  return hex(sum);
}

function pipe(rounds: number): string {
  let sum = 0;
  for (let n = rounds; n > 0; n--) sum += (n & 255) ^ 0x55;
  return hex(sum);
}

const EXPECTED: Readonly<Record<string, string>> = {
  "n-body-sse2": nBody(count(250_000)), "pointer-chase": chase(count(8_000_000)), getppid: hex(count(1_500_000)), "page-faults": faults(Math.round(count(160))),
  "self-modifying": selfModifying(count(100_000)), pipe: pipe(count(30_000)),
};

describe.skipIf(!isRunner)("on the host's processor", () => {
  test.each(programFiles(64, SCALE).map(({ name }) => name))("%s", (name) => {
    const [narrow, wide] = [answer(name, 32), answer(name, 64)];
    expect(wide).toMatch(/^[0-9a-f]{8}$/);
    if (narrow !== undefined) expect(narrow).toBe(wide);
    if (EXPECTED[name] !== undefined) expect(wide).toBe(EXPECTED[name]);
  });
});

test.each([[32, 1, 3, 0x34], [64, 2, 62, 0x40]] as const)("System V ABI, chapter 4: a file of %i bits", (bits, size, machine, program) => {
  for (const { file } of programFiles(bits, SCALE)) {
    const view = new DataView(file.buffer, file.byteOffset);
    expect([view.getUint32(0), file[4], view.getUint16(16, true), view.getUint16(18, true), view.getUint32(bits === 32 ? 28 : 32, true)]).toEqual([0x7f454c46, size, 2, machine, program]);
  }
});
