/**
 * Makes a failing program small: fewer instructions in a run, then NOPs for every instruction that is not needed, as long as two
 * runs still differ. What is left is printed as an assembly listing.
 */
import { disassemble } from "@doppel/x86";
import type { FuzzMachine } from "./fuzz-machine.ts";
import type { FuzzProgram } from "./fuzz-program.ts";
import { checkProgram } from "./fuzz-run.ts";
import { CODE } from "./image-layout.ts";

/** A small program, the instructions it takes to fail, and how it fails. */
export interface MinimalFailure {
  readonly program: FuzzProgram;
  readonly budget: number;
  readonly failure: string;
}

const NOP = 0x90;

function without(program: FuzzProgram, from: number, to: number): FuzzProgram {
  const image = program.image.slice();
  const code = program.code.slice();
  const begin = program.starts[from]!;
  const end = program.starts[to] ?? program.starts.at(-1)!;
  code.fill(NOP, begin, end);
  image.fill(NOP, CODE + begin, CODE + end);
  return { ...program, image, code };
}

/** The smallest failing variant that removing instructions finds. */
export function minimise(machines: readonly [FuzzMachine, FuzzMachine], program: FuzzProgram): MinimalFailure | undefined {
  let failure = checkProgram(machines, program);
  if (failure === undefined) return undefined;
  let { budget } = program;
  let small = program;
  for (let step = 2 ** Math.floor(Math.log2(budget - 1)); step > 0; step >>= 1) {
    if (budget <= step) continue;
    const shorter = checkProgram(machines, small, undefined, budget - step);
    if (shorter === undefined) continue;
    budget -= step;
    failure = shorter;
  }
  for (let step = 2 ** Math.floor(Math.log2(program.legs.length)); step > 0; step >>= 1) {
    for (let from = 0; from < small.legs.length && step < small.legs.length;) {
      const candidate = { ...small, legs: small.legs.toSpliced(from, step) };
      const result = checkProgram(machines, candidate, undefined, budget);
      if (result === undefined) from += step;
      else [small, failure] = [candidate, result];
    }
  }
  for (let step = 256; step > 0; step >>= 1) {
    for (let from = 0; from < program.starts.length - 1; from += step) {
      const candidate = without(small, from, from + step);
      const result = checkProgram(machines, candidate, undefined, budget);
      if (result === undefined) continue;
      small = candidate;
      failure = result;
    }
  }
  return { program: small, budget, failure };
}

/** The program's instructions with their offsets; runs of NOP are left out. */
export function listing({ code, starts, mode, codeOffset }: FuzzProgram): string {
  const lines: string[] = [];
  for (const [n, start] of starts.entries()) {
    const end = starts[n + 1] ?? code.length;
    if (code.subarray(start, end).every((byte) => byte === NOP)) continue;
    for (let at = start; at < end;) {
      const { text, length } = disassemble(code, at, mode.codeSize, codeOffset + at);
      const size = Math.max(1, length);
      const bytes = Array.from(code.subarray(at, at + size), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      lines.push(`  ${(codeOffset + at).toString(16).padStart(5, "0")}  ${bytes.padEnd(30)}  ${text}`);
      at += size;
      if (n === starts.length - 1) break;
    }
  }
  return lines.join("\n");
}
