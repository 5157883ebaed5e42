/**
 * Runs the host vectors: user-mode instructions whose outcome the processor of a Linux host gave (`oracle/oracle.c`), for every form,
 * operand size and place of the operand. Inputs are made again from each group's name; the files hold the answers.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DEFINITIONS } from "@doppel/semantics";
import { decode, EFLAGS_RF, Instruction, OK, PF_ID, VECTOR_AC, VECTOR_PF } from "@doppel/x86";
import { acceptWithinBounds } from "./host-vectors-bounds.ts";
import { casesOf } from "./host-vectors-cases.ts";
import { AnswerReader, hashRecord, readVectorFile } from "./host-vectors-file.ts";
import { type Family, type Group, groups } from "./host-vectors-groups.ts";
import { VectorMachine } from "./host-vectors-machine.ts";
import {
  ADDRESS, advance, CaseRecord, CODE, COMPLETED, DATA, DATA_WINDOW, EFLAGS, EIP, ERROR, FCW, forgetPointers, FSW, FTW, GENERAL, LENGTH, MXCSR, RECORD_SIZE,
  SELECTORS, ST, STACK, STACK_WINDOW, VECTOR, XMM,
} from "./host-vectors-record.ts";
import { addressMask, clearUndefined, exclusion, undefinedFlags, undefinedStatus } from "./host-vectors-rules.ts";
import type { RegionRun } from "./region-steps.ts";
import type { VectorReport } from "./sst286.ts";

const FOLDER = join(import.meta.dirname, "../vectors");
const SHOWN = 40;
const SHOWN_PER_GROUP = 8;
const GPR_NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

/** What happened to one group. */
export interface GroupOutcome {
  readonly group: Group;
  run: number;
  failed: number;
  /** Cases in which the host raised an exception, by vector. */
  readonly faults: Map<number, number>;
}

/** Which part of a record an offset is, for messages. */
function place(at: number): string {
  if (at >= STACK) return `[${(STACK_WINDOW + at - STACK).toString(16)}]`;
  if (at >= DATA) return `[${(DATA_WINDOW + at - DATA).toString(16)}]`;
  if (at >= XMM) return `xmm${(at - XMM) >> 4}.${(at - XMM) & 15}`;
  if (at >= ST) return `r${(at - ST) >> 4}.${(at - ST) & 15}`;
  const names: readonly [number, string][] = [
    [MXCSR, "mxcsr"], [FTW, "tags"], [FSW, "fsw"], [FCW, "fcw"], [SELECTORS, "selectors"], [ADDRESS, "cr2"], [ERROR, "error"], [VECTOR, "vector"],
    [EIP, "eip"], [EFLAGS, "eflags"],
  ];
  return names.find(([from]) => at >= from)?.[1] ?? GPR_NAMES[(at - GENERAL) >> 2]!;
}

/** The differing words of two records in words. */
function differences(got: CaseRecord, expected: CaseRecord): string {
  const out: string[] = [];
  for (let at = 0; at < RECORD_SIZE && out.length < 6; at += 2) {
    const wide = at < SELECTORS;
    if (wide && (at & 2) !== 0) continue;
    const [a, b] = wide ? [got.u32(at), expected.u32(at)] : [got.u16(at), expected.u16(at)];
    if (a !== b) out.push(`${place(at)} ${a.toString(16)}, expected ${b.toString(16)}`);
  }
  return out.join("; ");
}

function describe(group: Group, input: CaseRecord): string {
  const code = Buffer.from(input.bytes.subarray(CODE, CODE + input.bytes[LENGTH]!)).toString("hex");
  if (group.family !== "integer") {
    const st = (n: number): string => `${input.u16(ST + 16 * n + 8).toString(16)}:${input.view.getBigUint64(ST + 16 * n, true).toString(16)}`;
    return `${code} with fcw=${input.u16(FCW).toString(16)} fsw=${input.u16(FSW).toString(16)} tags=${input.bytes[FTW]!.toString(16)} st0=${st(0)} st1=${st(1)} mxcsr=${input.u32(MXCSR).toString(16)}`;
  }
  return `${code} with ${GPR_NAMES.map((name, n) => `${name}=${input.gpr(n).toString(16)}`).join(" ")} eflags=${input.u32(EFLAGS).toString(16)}`;
}

/** A branch to where no code is: the branch itself completed, and the fault belongs to the next instruction. */
function completeFetchFaults(expected: CaseRecord): void {
  if (expected.u32(VECTOR) !== VECTOR_PF || (expected.u32(ERROR) & PF_ID) === 0) return;
  expected.setU32(VECTOR, COMPLETED);
  expected.setU32(ERROR, 0);
  expected.setU32(ADDRESS, 0);
  expected.setU32(EFLAGS, expected.u32(EFLAGS) & ~EFLAGS_RF);
}

function same(a: CaseRecord, b: CaseRecord): boolean {
  const [x, y] = [a.words, b.words];
  for (let n = 0; n < RECORD_SIZE / 4; n++) if (x[n] !== y[n]) return false;
  return true;
}

/**
 * Runs the vectors of every family, or of the given ones, and counts into `report`. Forms without a definition are counted as excluded.
 * @param choose which groups to run; all when absent
 * @param segmentLimit limit of the segments: with less than 4 GiB the handlers that check segments run
 * @param regions executes some of the cases in regions of the translator instead
 * @returns what became of each group, for the coverage table
 */
export function runHostVectors(report: VectorReport, only?: readonly Family[], choose: (group: Group) => boolean = () => true, segmentLimit = 0xffffffff, regions?: RegionRun): GroupOutcome[] {
  const machine = new VectorMachine(segmentLimit, regions !== undefined);
  const input = new CaseRecord();
  const expected = new CaseRecord();
  const got = new CaseRecord();
  const instruction = new Instruction();
  const outcomes: GroupOutcome[] = [];
  let seen = 0;
  const exclude = (rule: string, count: number): void => void report.excluded.set(rule, (report.excluded.get(rule) ?? 0) + count);
  const fail = (line: string): void => {
    report.failed++;
    if (report.failures.length < SHOWN) report.failures.push(line);
  };
  for (const file of readdirSync(FOLDER).sort()) {
    const family = file.split(".")[0] as Family;
    if (!file.endsWith(".dhv.gz") || (only !== undefined && !only.includes(family))) continue;
    const answers = readVectorFile(gunzipSync(readFileSync(join(FOLDER, file))));
    for (const group of groups(family)) {
      if (!choose(group)) continue;
      const outcome: GroupOutcome = { group, run: 0, failed: 0, faults: new Map() };
      outcomes.push(outcome);
      const answer = answers.get(group.name);
      if (answer === undefined) {
        fail(`${group.name}: the vector file has no such group; make it anew with scripts/host-vectors.ts`);
        continue;
      }
      if (!DEFINITIONS.has(group.form.mnemonic)) {
        exclude("no definition", answer.cases);
        continue;
      }
      const reader = new AnswerReader(answer);
      let hash = 0;
      for (const _ of casesOf(group, input)) {
        hash = hashRecord(hash, input.words);
        advance(input.bytes, expected.bytes);
        if (!reader.next(expected.bytes)) {
          exclude("the host wrote outside the windows", 1);
          continue;
        }
        if (decode(input.bytes, CODE, CODE + input.bytes[LENGTH]!, 4, instruction) !== OK) instruction.form = group.form;
        completeFetchFaults(expected);
        if (regions !== undefined && seen++ % regions.each !== 0) continue;
        const vector = expected.u32(VECTOR);
        const rule = exclusion(instruction, input, expected);
        if (rule !== undefined) {
          exclude(rule, 1);
          continue;
        }
        if (vector !== COMPLETED) outcome.faults.set(vector, (outcome.faults.get(vector) ?? 0) + 1);
        machine.run(input, got);
        if (vector === VECTOR_AC && got.u32(VECTOR) === VECTOR_PF) {
          exclude("AMD looks at the alignment before the page, the SDM (volume 3, table 6-2) has #PF before #AC", 1);
          continue;
        }
        forgetPointers(got.bytes);
        forgetPointers(expected.bytes);
        const ignored = vector === COMPLETED || group.form.mnemonic.endsWith("DIV") ? undefinedFlags(instruction, input) : 0;
        got.setU32(EFLAGS, got.u32(EFLAGS) & ~ignored);
        for (const record of [got, expected]) record.setU32(ADDRESS, record.u32(ADDRESS) & addressMask(instruction));
        // The host shows the image that its exception pushed, in which a fault sets RF.
        expected.setU32(EFLAGS, expected.u32(EFLAGS) & ~ignored & (vector === COMPLETED ? -1 : ~EFLAGS_RF));
        const codes = undefinedStatus(instruction, input, expected);
        for (const record of [got, expected]) record.setU16(FSW, record.u16(FSW) & ~codes);
        clearUndefined(instruction, input, [got, expected]);
        acceptWithinBounds(instruction, input, got, expected);
        report.run++;
        outcome.run++;
        if (same(got, expected)) report.passed++;
        else {
          outcome.failed++;
          if (outcome.failed <= SHOWN_PER_GROUP) fail(`${group.name}: ${describe(group, input)}: ${differences(got, expected)}`);
          else report.failed++;
        }
      }
      if (hash >>> 0 !== answer.hash) fail(`${group.name}: the inputs are not those the host was asked; make the file anew with scripts/host-vectors.ts`);
    }
  }
  if (regions !== undefined) regions.retired = machine.regions!.retired;
  return outcomes;
}
