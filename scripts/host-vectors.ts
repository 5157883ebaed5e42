/**
 * Makes the host vectors anew: `node --conditions=@doppel/source scripts/host-vectors.ts [family ...]`. Builds the oracle with the
 * system's C compiler (x86-64 Linux only), lets the host's processor execute every input, and writes packages/testkit/vectors/.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { casesOf } from "../packages/testkit/src/host-vectors-cases.ts";
import { type GroupAnswers, hashRecord, VOID, writeVectorFile } from "../packages/testkit/src/host-vectors-file.ts";
import { FAMILY_NAMES, type Family, type Group, groups } from "../packages/testkit/src/host-vectors-groups.ts";
import { advance, CaseRecord, difference, forgetPointers, RECORD_SIZE, STRAY, toPhysical } from "../packages/testkit/src/host-vectors-record.ts";

const BATCH = 16_384;
const testkit = join(import.meta.dirname, "../packages/testkit");
const scratch = mkdtempSync(join(tmpdir(), "doppel-oracle-"));
const oracle = join(scratch, "oracle");

function execute(inputs: Uint8Array): Uint8Array {
  const result = spawnSync(oracle, { input: inputs, maxBuffer: BATCH * RECORD_SIZE + 1024 });
  if (result.status === 0 && result.stdout.length === inputs.length) return result.stdout;
  throw new Error(`the oracle failed (status ${result.status}, signal ${result.signal}): ${result.stderr.toString()}`);
}

/** Answers of several groups at once: a process for each would take longer than its work. */
function* answer(list: Iterable<Group>): Generator<GroupAnswers> {
  const record = new CaseRecord();
  let waiting: { name: string; hash: number; inputs: Uint8Array[] }[] = [];
  let count = 0;
  function* flush(): Generator<GroupAnswers> {
    const all = waiting.flatMap(({ inputs }) => inputs);
    const outputs = execute(Buffer.concat(all));
    const expected = new Uint8Array(RECORD_SIZE);
    let at = 0;
    let voids = 0;
    for (const { name, hash, inputs } of waiting) {
      const heads: number[] = [];
      const values: number[] = [];
      for (const input of inputs) {
        const output = outputs.subarray(at, (at += RECORD_SIZE));
        forgetPointers(output);
        toPhysical(output);
        advance(input, expected);
        if (output[STRAY] !== 0) {
          heads.push(VOID);
          voids++;
        } else difference(expected, output, heads, values);
      }
      yield { name, cases: inputs.length, hash: hash >>> 0, heads: Uint8Array.from(heads), values: Uint8Array.from(values) };
    }
    if (voids > 0) console.log(`  ${voids} void cases among ${all.length}`);
    waiting = [];
    count = 0;
  }
  for (const group of list) {
    const inputs: Uint8Array[] = [];
    let hash = 0;
    for (const _ of casesOf(group, record)) {
      hash = hashRecord(hash, record.words);
      inputs.push(record.bytes.slice());
    }
    if (count + inputs.length > BATCH) yield* flush();
    waiting.push({ name: group.name, hash, inputs });
    count += inputs.length;
  }
  if (count > 0) yield* flush();
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(FAMILY_NAMES as readonly string[]).includes(name));
if (unknown.length > 0) {
  console.error(`host-vectors: no family is called ${unknown.join(", ")}; the families are ${FAMILY_NAMES.join(", ")}`);
  process.exit(2);
}
const compiled = spawnSync("cc", ["-O2", "-mno-red-zone", "-fno-stack-protector", "-o", oracle, join(testkit, "oracle/oracle.c")], { stdio: "inherit" });
if (compiled.status !== 0) {
  console.error("host-vectors: the oracle needs a C compiler called cc on x86-64 Linux");
  process.exit(2);
}
mkdirSync(join(testkit, "vectors"), { recursive: true });
for (const family of FAMILY_NAMES.filter((name: Family) => wanted.length === 0 || wanted.includes(name))) {
  const answers = [...answer(groups(family))];
  const bytes = gzipSync(writeVectorFile(answers), { level: 9 });
  writeFileSync(join(testkit, "vectors", `${family}.dhv.gz`), bytes);
  console.log(`${family}: ${answers.length} groups, ${answers.reduce((sum, { cases }) => sum + cases, 0)} cases, ${bytes.length} bytes`);
}
rmSync(scratch, { recursive: true, force: true });
