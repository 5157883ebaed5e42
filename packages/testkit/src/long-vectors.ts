/**
 * Runs the 64-bit host vectors: user-mode instructions whose outcome the processor of a Linux host gave (`oracle/oracle64.c`). Inputs are made
 * again from each group's name; `vectors/long.dhv.gz` holds the answers.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DEFINITIONS } from "@doppel/semantics";
import { decode, EFLAGS_RF, Instruction, OK, PF_ID, sizeOf, VECTOR_GP, VECTOR_PF, VECTOR_SS } from "@doppel/x86";
import { AnswerReader, readVectorFile } from "./host-vectors-file.ts";
import { longCases } from "./long-vectors-cases.ts";
import { type LongGroup, longGroups } from "./long-vectors-groups.ts";
import { LongMachine } from "./long-vectors-machine.ts";
import {
  ADDRESS, advance, CODE, COMPLETED, DATA, EFLAGS, ERROR, FCW, forgetPointers, FSW, FTW, GENERAL, hashRecord, HIGH, LENGTH, LongRecord, LOW, MXCSR, RECORD_SIZE, RIP, ST,
  STACK, VECTOR, XMM,
} from "./long-vectors-record.ts";
import type { RegionRun } from "./region-steps.ts";
import type { VectorReport } from "./sst286.ts";

/** The vector file. */
export const LONG_VECTORS = join(import.meta.dirname, "../vectors/long.dhv.gz");

const CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;
/** Flags that the manual leaves undefined (SDM volume 2, "Flags Affected"), whatever the operands are. */
const UNDEFINED: Readonly<Record<string, number>> = {
  AND: AF, OR: AF, XOR: AF, TEST: AF, ANDN: AF | PF, BLSI: AF | PF, BLSMSK: AF | PF, BLSR: AF | PF, BZHI: AF | PF, BEXTR: AF | SF | PF,
  TZCNT: OF | SF | PF | AF, LZCNT: OF | SF | PF | AF,
  MUL: SF | ZF | AF | PF, IMUL: SF | ZF | AF | PF, DIV: ALL, IDIV: ALL,
  BT: OF | SF | AF | PF, BTS: OF | SF | AF | PF, BTR: OF | SF | AF | PF, BTC: OF | SF | AF | PF, BSF: ALL & ~ZF, BSR: ALL & ~ZF,
};
const SHIFTS = new Set(["SHL", "SHR", "SAR", "SHLD", "SHRD"]);
const ROTATES = new Set(["ROL", "ROR", "RCL", "RCR"]);

function shiftCount(instruction: Instruction, input: LongRecord): number {
  const kind = instruction.form.operands.at(-1)!.kind;
  const count = kind === "I" ? instruction.immediate : kind === "reg" ? input.bytes[GENERAL + 8]! : 1;
  return count & (sizeOf(instruction.form.operands[0]!.size, instruction.operandSize) === 8 ? 63 : 31);
}

function undefinedFlags(instruction: Instruction, input: LongRecord): number {
  const { mnemonic } = instruction.form;
  const shift = SHIFTS.has(mnemonic);
  if (!shift && !ROTATES.has(mnemonic)) return UNDEFINED[mnemonic] ?? 0;
  const count = shiftCount(instruction, input);
  if (count === 0) return 0;
  const bits = 8 * sizeOf(instruction.form.operands[0]!.size, instruction.operandSize);
  return (count > 1 ? OF : 0) | (shift ? AF : 0) | ((mnemonic === "SHL" || mnemonic === "SHR") && count >= bits ? CF : 0);
}

/** Why a case is not compared, or undefined. */
function exclusion(instruction: Instruction, input: LongRecord, expected: LongRecord): string | undefined {
  const { mnemonic, opcode } = instruction.form;
  const vector = expected.u32(VECTOR);
  if (mnemonic.startsWith("SHA") && instruction.memory && misaligned(instruction, input)) return "the SDM wants SHA's memory operands aligned, AMD does not";
  if (mnemonic === "MASKMOVQ" && vector !== COMPLETED) return "AMD has changed TOP and the tags when MASKMOVQ faults";
  if ((mnemonic === "SHLD" || mnemonic === "SHRD") && instruction.operandSize === 2 && shiftCount(instruction, input) > 16) {
    return "SHLD and SHRD of 16 bits by more than 16 are undefined";
  }
  if (mnemonic === "MOVSXD" && instruction.operandSize === 2) return "MOVSXD to 16 bits reads 32 on AMD, 16 on Intel";
  const page = expected.u64(ADDRESS) & ~0xffffn;
  if (vector === VECTOR_PF && page !== LOW && page !== HIGH) return "a page fault elsewhere: the host has pages of its own there";
  if (opcode.startsWith("0F 0D") && instruction.mod === 3) return "0F 0D with a register operand is #UD on AMD, a hint on Intel";
  return undefined;
}

/** Why two different exceptions are both right, or undefined. */
function freedom({ form: { mnemonic } }: Instruction, got: number, expected: number): string | undefined {
  if (mnemonic === "CALL" && got === VECTOR_GP && (expected === VECTOR_PF || expected === VECTOR_SS)) return "the SDM looks at the target of a CALL before its push, AMD after it";
  if (mnemonic === "MASKMOVDQU" && got === COMPLETED && expected === VECTOR_PF) return "whether MASKMOVDQU faults for bytes that it does not store is the processor's choice";
  return undefined;
}

/** Whether the low bits of a memory operand's address are not zero; those of RIP itself are. */
function misaligned({ base, index, scale, displacement, ripRelative, length }: Instruction, input: LongRecord): boolean {
  const part = (register: number): number => (register < 0 ? 0 : input.bytes[GENERAL + 8 * register]!);
  return ((displacement + part(base) + (part(index) << scale) + (ripRelative ? length : 0)) & 15) !== 0;
}

/** Instructions that make several accesses in an order that no manual gives: which of them faults is open. */
const UNORDERED = new Set(["ENTER", "FXSAVE", "FXRSTOR", "MASKMOVQ", "MASKMOVDQU"]);

/** RCPPS and its kind have an error bound, tested with the 32-bit vectors. */
const BOUNDED = new Set(["RCPPS", "RCPSS", "RSQRTPS", "RSQRTSS"]);

function place(at: number): string {
  if (at >= STACK) return `stack+${at - STACK}`;
  if (at >= DATA) return `data+${at - DATA}`;
  if (at >= XMM) return `xmm${(at - XMM) >> 4}.${(at - XMM) & 15}`;
  if (at >= ST) return `r${(at - ST) >> 4}.${(at - ST) & 15}`;
  const names: readonly [number, string][] = [
    [MXCSR, "mxcsr"], [FTW, "tags"], [FSW, "fsw"], [FCW, "fcw"], [ERROR, "error"], [VECTOR, "vector"], [EFLAGS, "eflags"], [ADDRESS, "cr2"], [RIP, "rip"],
  ];
  return names.find(([from]) => at >= from)?.[1] ?? `r${(at - GENERAL) >> 3}.${(at - GENERAL) & 7}`;
}

function differences(got: LongRecord, expected: LongRecord): string {
  const out: string[] = [];
  for (let at = 0; at < RECORD_SIZE && out.length < 5; at += 4) {
    if (got.u32(at) !== expected.u32(at)) out.push(`${place(at)} ${got.u32(at).toString(16)}, expected ${expected.u32(at).toString(16)}`);
  }
  return out.join("; ");
}

/** What happened to one group. */
export interface LongOutcome {
  readonly group: LongGroup;
  run: number;
  failed: number;
}

/**
 * Runs the vectors and counts into `report`.
 * @param names only groups whose name has this text
 * @param perGroup failures to describe in each group
 * @param regions executes some of the cases in regions of the translator instead
 */
export function runLongVectors(report: VectorReport, names = "", perGroup = 2, regions?: RegionRun): LongOutcome[] {
  const machine = new LongMachine(regions !== undefined);
  const [input, expected, got] = [new LongRecord(), new LongRecord(), new LongRecord()];
  const instruction = new Instruction();
  const outcomes: LongOutcome[] = [];
  let seen = 0;
  const exclude = (rule: string): void => void report.excluded.set(rule, (report.excluded.get(rule) ?? 0) + 1);
  const answers = readVectorFile(gunzipSync(readFileSync(LONG_VECTORS)));
  for (const group of longGroups()) {
    if (!group.name.includes(names)) continue;
    const answer = answers.get(group.name);
    if (answer === undefined) {
      report.failed++;
      report.failures.push(`${group.name}: the vector file has no such group; make it anew with scripts/long-vectors.ts`);
      continue;
    }
    const outcome: LongOutcome = { group, run: 0, failed: 0 };
    outcomes.push(outcome);
    const reader = new AnswerReader(answer);
    let hash = 0;
    for (const _ of longCases(group, input)) {
      hash = hashRecord(hash, input.words);
      advance(input, expected);
      if (!reader.next(expected.bytes)) {
        exclude("the host wrote outside the windows");
        continue;
      }
      if (regions !== undefined && seen++ % regions.each !== 0) continue;
      if (!DEFINITIONS.has(group.form.mnemonic)) {
        exclude("no definition");
        continue;
      }
      if (decode(input.bytes, CODE, CODE + input.bytes[LENGTH]!, 8, instruction) !== OK) instruction.form = group.form;
      const rule = exclusion(instruction, input, expected);
      if (rule !== undefined) {
        exclude(rule);
        continue;
      }
      completeFetchFaults(expected);
      const vector = expected.u32(VECTOR);
      machine.run(input, got);
      const choice = freedom(instruction, got.u32(VECTOR), vector);
      if (choice !== undefined) {
        exclude(choice);
        continue;
      }
      for (const record of [got, expected]) forgetPointers(record.bytes);
      const ignored = (vector === COMPLETED ? undefinedFlags(instruction, input) : 0) | EFLAGS_RF;
      for (const record of [got, expected]) {
        record.setU32(EFLAGS, record.u32(EFLAGS) & ~ignored);
        if (BOUNDED.has(group.form.mnemonic)) record.bytes.fill(0, XMM + 16 * instruction.reg, XMM + 16 * instruction.reg + 16);
        if (UNORDERED.has(group.form.mnemonic) && vector === VECTOR_PF) {
          record.setU64(ADDRESS, 0n);
          record.setU32(ERROR, 0);
        }
        if (group.form.mnemonic === "FXSAVE") {
          record.bytes.fill(0, DATA + 6, DATA + 24);
          record.bytes.fill(0, DATA + 28, DATA + 32);
        }
      }
      report.run++;
      outcome.run++;
      const same = got.words.every((word, n) => word === expected.words[n]);
      if (same) report.passed++;
      else {
        report.failed++;
        outcome.failed++;
        const code = Buffer.from(input.bytes.subarray(CODE, CODE + input.bytes[LENGTH]!)).toString("hex");
        if (outcome.failed <= perGroup && report.failures.length < 60) report.failures.push(`${group.name}: ${code}: ${differences(got, expected)}`);
      }
    }
    if (hash >>> 0 !== answer.hash) {
      report.failed++;
      report.failures.push(`${group.name}: the inputs are not those the host was asked; make the file anew with scripts/long-vectors.ts`);
    }
  }
  if (regions !== undefined) regions.retired = machine.regions!.retired;
  return outcomes;
}

/** A branch to where no code is: the branch itself completed, and the fault belongs to the next instruction. */
function completeFetchFaults(expected: LongRecord): void {
  if (expected.u32(VECTOR) !== VECTOR_PF || (expected.u32(ERROR) & PF_ID) === 0) return;
  expected.setU32(VECTOR, COMPLETED);
  expected.setU32(ERROR, 0);
  expected.setU64(ADDRESS, 0n);
}
