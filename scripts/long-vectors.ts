/**
 * Makes the 64-bit host vectors anew: `node --conditions=@doppel/source scripts/long-vectors.ts`. Builds the oracle with the system's C
 * compiler (x86-64 Linux only), lets the host's processor execute every input, and writes packages/testkit/vectors/long.dhv.gz. The host
 * must have every extension of the tables up to BMI2, ADX and SHA.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { type GroupAnswers, VOID, writeVectorFile } from "../packages/testkit/src/host-vectors-file.ts";
import { longCases } from "../packages/testkit/src/long-vectors-cases.ts";
import { longGroups } from "../packages/testkit/src/long-vectors-groups.ts";
import { advance, difference, forgetPointers, hashRecord, LongRecord, RECORD_SIZE, STRAY, toPhysical } from "../packages/testkit/src/long-vectors-record.ts";
import { LONG_VECTORS } from "../packages/testkit/src/long-vectors.ts";

const BATCH = 16_384;
const scratch = mkdtempSync(join(tmpdir(), "doppel-oracle-"));
const oracle = join(scratch, "oracle64");
const source = join(import.meta.dirname, "../packages/testkit/oracle/oracle64.c");
if (spawnSync("cc", ["-O2", "-mno-red-zone", "-fno-stack-protector", "-o", oracle, source], { stdio: "inherit" }).status !== 0) {
  console.error("long-vectors: the oracle needs a C compiler called cc on x86-64 Linux");
  process.exit(2);
}

function execute(inputs: Uint8Array): Uint8Array {
  const result = spawnSync(oracle, { input: inputs, maxBuffer: inputs.length + 1024 });
  if (result.status === 0 && result.stdout.length === inputs.length) return result.stdout;
  throw new Error(`the oracle failed (status ${result.status}, signal ${result.signal}): ${result.stderr.toString()}`);
}

const record = new LongRecord();
const input = new LongRecord();
const expected = new LongRecord();
const answers: GroupAnswers[] = [];
let waiting: { name: string; hash: number; inputs: Uint8Array[] }[] = [];
let voids = 0;

function flush(): void {
  const outputs = execute(Buffer.concat(waiting.flatMap(({ inputs }) => inputs)));
  let at = 0;
  for (const { name, hash, inputs } of waiting) {
    const heads: number[] = [];
    const values: number[] = [];
    for (const bytes of inputs) {
      const output = outputs.subarray(at, (at += RECORD_SIZE));
      forgetPointers(output);
      toPhysical(output);
      input.bytes.set(bytes);
      advance(input, expected);
      if (output[STRAY] !== 0) {
        heads.push(VOID);
        voids++;
      } else difference(expected.bytes, output, heads, values);
    }
    answers.push({ name, cases: inputs.length, hash: hash >>> 0, heads: Uint8Array.from(heads), values: Uint8Array.from(values) });
  }
  waiting = [];
}

let cases = 0;
for (const group of longGroups()) {
  const inputs: Uint8Array[] = [];
  let hash = 0;
  for (const _ of longCases(group, record)) {
    hash = hashRecord(hash, record.words);
    inputs.push(record.bytes.slice());
  }
  waiting.push({ name: group.name, hash, inputs });
  cases += inputs.length;
  if (waiting.reduce((sum, { inputs: list }) => sum + list.length, 0) > BATCH) flush();
}
if (waiting.length > 0) flush();
const bytes = gzipSync(writeVectorFile(answers), { level: 9 });
writeFileSync(LONG_VECTORS, bytes);
console.log(`long: ${answers.length} groups, ${cases} cases, ${voids} void, ${bytes.length} bytes`);
rmSync(scratch, { recursive: true, force: true });
