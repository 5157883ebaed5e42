/**
 * Writes docs/coverage.md: for each instruction how many of its forms are decoded, executed and by what, how many vectors it has, and
 * which exceptions tests have seen it raise. `--check` only compares, and ends with 1 when the page is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { DEFINITIONS } from "../packages/semantics/src/index.ts";
import { decode, type Form, FORMS, Instruction, OK, VECTOR_NAMES } from "../packages/x86/src/index.ts";
import { LEVEL_0_PROGRAMS, runLevel0 } from "../packages/testkit/src/host-vectors-level-0.ts";
import { systemRom } from "../packages/cpu/src/system/system-rom.ts";
import { bareMachine } from "../packages/testkit/src/bare-machine.ts";
import { encode, type EncodingChoice } from "../packages/testkit/src/host-vectors-encoding.ts";
import { AnswerReader, readVectorFile } from "../packages/testkit/src/host-vectors-file.ts";
import { groups, WITHOUT_VECTORS } from "../packages/testkit/src/host-vectors-groups.ts";
import { LONG_VECTORS } from "../packages/testkit/src/long-vectors.ts";
import { longGroups } from "../packages/testkit/src/long-vectors-groups.ts";
import { COMPLETED, ERROR, RECORD_SIZE, VECTOR } from "../packages/testkit/src/host-vectors-record.ts";

const PAGE = join(import.meta.dirname, "../docs/coverage.md");
const VECTORS = join(import.meta.dirname, "../packages/testkit/vectors");
const UD = 6;
const PF = 14;
const FETCH = 16;
const ROM_AT = 0xf0000;
/** One-byte opcodes of the set of 80286 vectors; those of groups have a file for each digit. */
const SST286 = "00-0E 10-25 27-2D 2F-35 37-3D 3F-62 68-9F A0-C7 C9-D7 E0-EF F4-F9 FA-FF";

/** What is known of one form. */
interface Coverage {
  readonly form: Form;
  decoded: boolean;
  readonly executed: Set<string>;
  vectors: number;
  /** Host vectors in 64-bit code. */
  longVectors: number;
  readonly faults: Set<number>;
}

/** Whether bytes made from the form's line decode to that form, with register and with memory operand. */
function isDecoded(form: Form): boolean {
  const instruction = new Instruction();
  const choices = form.registerOnly || !form.hasModrm ? [false] : form.memoryOnly ? [true] : [false, true];
  return choices.every((memory) => {
    const choice: EncodingChoice = {
      operandSize: 4, addressSize: 4, prefixes: [], reg: form.operands.some(({ kind }) => kind === "C") ? 3 : 2, rm: 1, condition: 5, immediate: 0x11, immediate2: 0x23,
      memory: memory ? { addressSize: 4, base: 3, index: -1, scale: 0, displacement: 0, mod: 0, rm: 3, displacementBytes: 0 } : undefined,
    };
    // What follows 64-bit immediates and REX.W does not matter to the choice of the form.
    const bytes = Uint8Array.from([...(form.rexW ? [0x48] : []), ...encode(form, choice), 0, 0, 0, 0, 0, 0, 0, 0]);
    return decode(bytes, 0, bytes.length, form.only64 ? 8 : 4, instruction) === OK && instruction.form === form;
  });
}

function hasOpcode286(form: Form): boolean {
  if (form.map !== 0 || form.mandatoryPrefix !== "" || form.feature !== "" || form.only64) return false;
  return SST286.split(" ").some((range) => {
    const [first, last = first] = range.split("-").map((byte) => Number.parseInt(byte, 16));
    return form.opcodeByte >= first! && form.opcodeByte <= last!;
  });
}

/** Counts from the vector files, without running them. */
function addHostVectors(all: readonly Coverage[]): void {
  const record = new Uint8Array(RECORD_SIZE);
  const view = new DataView(record.buffer);
  const files = new Map<string, ReturnType<typeof readVectorFile>>();
  for (const group of groups()) {
    let file = files.get(group.family);
    if (file === undefined) files.set(group.family, (file = readVectorFile(gunzipSync(readFileSync(join(VECTORS, `${group.family}.dhv.gz`))))));
    const answers = file.get(group.name);
    if (answers === undefined) continue;
    const coverage = all[group.form.id]!;
    const reader = new AnswerReader(answers);
    for (let n = 0; n < answers.cases; n++) {
      view.setUint32(VECTOR, COMPLETED, true);
      view.setUint32(ERROR, 0, true);
      if (!reader.next(record)) continue;
      coverage.vectors++;
      const vector = view.getUint32(VECTOR, true);
      if (vector === COMPLETED || (vector === PF && (view.getUint32(ERROR, true) & FETCH) !== 0)) coverage.executed.add("host");
      else coverage.faults.add(vector);
      if (group.form.mnemonic.startsWith("UD") && vector === UD) coverage.executed.add("host"); // that is all it does
    }
  }
}

/** Counts the vectors of 64-bit code. */
function addLongVectors(all: readonly Coverage[]): void {
  const file = readVectorFile(gunzipSync(readFileSync(LONG_VECTORS)));
  for (const { name, form } of longGroups()) {
    const { cases } = file.get(name) ?? { cases: 0 };
    all[form.id]!.longVectors += cases;
    if (cases > 0) all[form.id]!.executed.add("host");
  }
}

/** Runs the system ROM and notes each form that it executes or that faults in it. */
function addSystemRom(all: readonly Coverage[]): void {
  const machine = bareMachine({ bus: { readPort: () => 0xff, writePort: () => {}, readMmio: () => 0xffffffff, writeMmio: () => {} } });
  const { cpu, engine, physical } = machine;
  const original = engine.handlers.handler.bind(engine.handlers);
  engine.handlers.handler = (instruction, long, flat) => {
    if (DEFINITIONS.has(instruction.form.mnemonic)) all[instruction.form.id]!.executed.add("ROM");
    return original(instruction, long, flat);
  };
  const deliver = cpu.deliverFault.bind(cpu);
  const instruction = new Instruction();
  cpu.deliverFault = () => {
    const { state } = cpu;
    const at = cpu.wrap(state.segmentBase(1) + state.rip);
    const bytes = Uint8Array.from({ length: 15 }, (_, n) => {
      const from = cpu.mmu.peek(at + n);
      return from < 0 ? 0 : physical.read8(from);
    });
    const size = cpu.longMode ? 8 : (state.segmentAttributes(1) & 0x400000) !== 0 ? 4 : 2;
    if (decode(bytes, 0, 15, size, instruction) === OK) all[instruction.form.id]!.faults.add(state.faultVector);
    return deliver();
  };
  physical.load(ROM_AT, systemRom());
  cpu.state.setSegmentBase(1, ROM_AT);
  cpu.updateMode();
  engine.run(20_000_000);
}

/** Runs the programs that stand in for what the host does not answer. */
function addLevel0(all: readonly Coverage[]): void {
  for (const program of LEVEL_0_PROGRAMS) {
    runLevel0(program, (instruction) => void all[instruction.form.id]!.executed.add("level 0"));
  }
}

function share(forms: readonly Coverage[], has: (coverage: Coverage) => boolean): string {
  const count = forms.filter(has).length;
  return count === forms.length ? "all" : `${count} of ${forms.length}`;
}

function rows(all: readonly Coverage[]): string[] {
  const byMnemonic = new Map<string, Coverage[]>();
  for (const coverage of all) byMnemonic.set(coverage.form.mnemonic, [...(byMnemonic.get(coverage.form.mnemonic) ?? []), coverage]);
  return [...byMnemonic].sort(([a], [b]) => (a < b ? -1 : 1)).map(([mnemonic, forms]) => {
    const suites = [...new Set(forms.flatMap(({ executed }) => [...executed]))].sort().join(", ");
    const faults = [...new Set(forms.flatMap((coverage) => [...coverage.faults]))].sort((a, b) => a - b).map((vector) => VECTOR_NAMES[vector]).join(" ");
    const executed = share(forms, (coverage) => coverage.executed.size > 0);
    const vectors = forms.reduce((sum, coverage) => sum + coverage.vectors, 0);
    const why = WITHOUT_VECTORS.get(mnemonic);
    return `| ${mnemonic} | ${forms.length} | ${share(forms, ({ decoded }) => decoded)} | ${executed}${suites === "" ? "" : ` (${suites})`} | ${vectors === 0 && why !== undefined ? why : vectors} | ${forms.reduce((sum, coverage) => sum + coverage.longVectors, 0)} | ${faults} |`;
  });
}

function page(): string {
  const all: Coverage[] = FORMS.map((form) => ({ form, decoded: isDecoded(form), executed: new Set(hasOpcode286(form) ? ["286"] : []), vectors: 0, longVectors: 0, faults: new Set() }));
  addHostVectors(all);
  addLongVectors(all);
  addSystemRom(all);
  addLevel0(all);
  // What the processor model lacks is #UD, or what the bytes were before: ENDBR32 is a NOP.
  const { cpu } = bareMachine();
  const isOurs = ({ form, vectors }: Coverage): boolean => DEFINITIONS.has(form.mnemonic) && !form.only64 && (cpu.hasFeature(form.feature) || vectors > 0);
  const defined = all.filter(isOurs);
  const longForms = all.filter(({ longVectors }) => longVectors > 0);
  const shown = all.filter((coverage) => isOurs(coverage) || coverage.longVectors > 0);
  const total = (has: (coverage: Coverage) => boolean): string => `${defined.filter(has).length}`;
  return `# What is tested of each instruction

Generated by \`node --conditions=@doppel/source scripts/coverage-table.ts\`; a test holds it to the code. A row is a mnemonic of the opcode tables, a
form one of its lines.

- **decoded**: bytes made from the form decode to it, with register and with memory operand (and the decoder agrees with iced-x86 on all of them).
- **executed**: a test has seen it complete: *host* are the vectors from the host's processor, *286* the single-step tests of an 80286,
  *ROM* the system ROM that is compared with QEMU, *level 0* short programs with the manual's outcome. Vectors that the runner excludes by a rule are counted too; the rules are in
  \`packages/testkit/src/host-vectors-rules.ts\`.
- **vectors**: host vectors of all its forms, or why there are none. \`npx pnpm@12.21.0 vectors\` runs more than these: the 80286's and TestFloat's.
- **in 64-bit code**: host vectors there, with every operand size, REX with and without high registers, bytes of AH to BH against SPL to DIL, and operands relative to
  RIP. Register forms of x87, segment loads, far transfers, VERR and its kin are the same code in every mode, and are not repeated.
- **faults**: exceptions that host vectors or the ROM expect of it, with the state and the error code compared.

Host vectors are compared bit for bit, with defined flags, exception, error code and CR2. Two kinds of results have the manual's error bound:
F2XM1 (arguments from -1 to 1), FYL2XP1 (up to 1 - sqrt(1/2) from zero), FYL2X, FPATAN, FPTAN, FSIN, FCOS and FSINCOS (all arguments) lie within one
unit in the last place of the 64-bit significand, RCPPS, RCPSS, RSQRTPS and RSQRTSS within 1.5 * 2^-12 of the right value.

Of ${defined.length} forms that a processor model executes outside 64-bit mode, ${total(({ decoded }) => decoded)} are decoded, ${total(({ executed }) => executed.size > 0)} executed, ${total(({ vectors }) => vectors > 0)} have vectors (${all.reduce((sum, { vectors }) => sum + vectors, 0)} in all), and ${total(({ faults }) => faults.size > 0)} have been seen to fault.
In 64-bit code ${longForms.length} forms have ${longForms.reduce((sum, { longVectors }) => sum + longVectors, 0)} vectors.

| instruction | forms | decoded | executed | vectors | in 64-bit code | faults |
|---|---|---|---|---|---|---|
${rows(shown).join("\n")}

The tables name more instructions than the model has: CPUID does not announce them, and they raise #UD or do what the bytes did before.
`;
}

const text = page();
if (!process.argv.includes("--check")) writeFileSync(PAGE, text);
else if (!existsSync(PAGE) || readFileSync(PAGE, "utf8") !== text) {
  console.error("docs/coverage.md is out of date: run scripts/coverage-table.ts");
  process.exit(1);
}
