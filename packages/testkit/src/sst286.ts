/**
 * Runs the single-step tests captured from an 80286 (real mode) on our CPU. What a 386 and later does otherwise is excluded by
 * rule, each with its reason; flags that the manual leaves undefined are masked by the set's own metadata.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { layout } from "@doppel/cpu";
import { decode, Instruction, OK, PREFIX_LOCK } from "@doppel/x86";
import { type BareMachine, bareMachine } from "./bare-machine.ts";
import { type MooTest, readMoo } from "./moo.ts";

/** Counts of a run. */
export interface VectorReport {
  run: number;
  passed: number;
  failed: number;
  /** Tests left out, by the rule's reason. */
  readonly excluded: Map<string, number>;
  /** One line for each of the first failures. */
  readonly failures: string[];
}

const GENERAL = { ax: 0, cx: 1, dx: 2, bx: 3, sp: 4, bp: 5, si: 6, di: 7 } as const;
const SEGMENTS = { es: layout.ES, cs: layout.CS, ss: layout.SS, ds: layout.DS } as const;
/** FLAGS bits 12 to 15 are zero on a 286 in real mode, and IOPL and NT from the 386 on. */
const REAL_MODE_FLAGS = 0x0fff;
const RAM = 0x120000;
const SHOWN = 40;

const GP = 13;
const STACK_USERS = new Set(["PUSH", "POP", "PUSHA", "POPA", "PUSHF", "POPF", "CALL", "CALLF", "RET", "RETF", "IRET", "ENTER", "LEAVE", "INT", "INT3", "INTO"]);
const STRINGS = new Set(["MOVS", "CMPS", "SCAS", "LODS", "STOS", "INS", "OUTS"]);

const instruction = new Instruction();

/** Offset of the memory operand of the instruction just decoded. */
function effectiveAddress(test: MooTest): number {
  const { registers } = test.initial;
  const value = (n: number): number => (n < 0 ? 0 : registers[(["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"] as const)[n]!]!);
  return (value(instruction.base) + value(instruction.index) + instruction.displacement) & 0xffff;
}

/** The rule that excludes a test, or undefined. */
function exclusion(test: MooTest): string | undefined {
  const { bytes } = test;
  const status = decode(bytes, 0, bytes.length, 2, instruction);
  let at = 0;
  let locked = false;
  while (at < bytes.length && [0x26, 0x2e, 0x36, 0x3e, 0xf0, 0xf2, 0xf3].includes(bytes[at]!)) locked = bytes[at++] === 0xf0 || locked;
  const opcode = bytes[at]!;
  if (locked && status !== OK) return "LOCK where a 386 and later raises #UD";
  if (status === OK && (instruction.prefixes & PREFIX_LOCK) !== 0 && instruction.length > 10) return "the 286 limits an instruction to 10 bytes";
  // BYTS ends with the HLT that stops the capture.
  if (bytes.length - 1 > 10) return "the 286 limits an instruction to 10 bytes";
  const reg = (bytes[at + 1]! >> 3) & 7;
  if ((opcode === 0x8e || opcode === 0x8c) && (reg & 3) !== reg && reg < 6) return "MOV with FS or GS, which exist from the 386 on";
  if (test.exception?.vector === GP) {
    if (STRINGS.has(instruction.form.mnemonic)) return "the 286 has moved SI, DI and CX when a string instruction overruns its segment";
    if (opcode === 0x8f) return "the 286 has moved SP when POP to memory overruns a segment";
    if (instruction.segment === 2 && instruction.memory) return "an overrun of the stack segment is #GP on the 286, #SS from the 386 on";
    if (STACK_USERS.has(instruction.form.mnemonic)) return "an overrun of the stack segment is #GP on the 286, #SS from the 386 on";
  }
  if (instruction.memory && instruction.form.operands.some(({ size }) => size === "p" || size === "a") && effectiveAddress(test) > 0xfffc) {
    return "the 286 wraps a pointer at the end of its segment to offset 0, where a 386 and later faults";
  }
  if (opcode >= 0xd8 && opcode <= 0xdf) return "ESC: the 286 talks to a coprocessor on the bus";
  return undefined;
}

function prepare({ cpu, physical }: BareMachine, test: MooTest): void {
  cpu.reset();
  const { state } = cpu;
  const { registers, ram } = test.initial;
  for (const [name, n] of Object.entries(GENERAL)) state.setGpr32(n, registers[name as keyof typeof GENERAL]!);
  for (const [name, n] of Object.entries(SEGMENTS)) {
    const selector = registers[name as keyof typeof SEGMENTS]!;
    state.setSelector(n, selector);
    state.setSegmentBase(n, selector * 16);
  }
  state.rip = registers.ip!;
  state.eflags = (registers.flags! & REAL_MODE_FLAGS) | 2;
  cpu.updateMode();
  for (const [address, value] of ram) physical.load(address, Uint8Array.of(value));
}

/** What differs from the captured state, in words; empty when nothing does. */
function compare({ cpu, physical }: BareMachine, test: MooTest, flagsMask: number): string {
  const { state } = cpu;
  const wrong: string[] = [];
  const check = (name: string, got: number, expected: number): void => {
    if (got !== expected) wrong.push(`${name} ${got.toString(16)}, expected ${expected.toString(16)}`);
  };
  const expected = { ...test.initial.registers, ...test.final.registers };
  for (const [name, n] of Object.entries(GENERAL)) check(name, state.gpr32(n) & 0xffff, expected[name as keyof typeof GENERAL]!);
  for (const [name, n] of Object.entries(SEGMENTS)) check(name, state.selector(n), expected[name as keyof typeof SEGMENTS]!);
  check("ip", state.rip & 0xffff, expected.ip!);
  const mask = flagsMask & REAL_MODE_FLAGS;
  check("flags", state.eflags & mask, expected.flags! & mask);
  // The set names the bus word that FLAGS went to; with an odd stack pointer FLAGS begin a byte further.
  const pushed = test.exception === undefined ? undefined : expected.ss! * 16 + ((expected.sp! + 4) & 0xffff);
  for (const [address, value] of test.final.ram) {
    let bits = 0xff;
    if (pushed !== undefined && address === pushed) bits = mask & 0xff;
    if (pushed !== undefined && address === pushed + 1) bits = mask >> 8;
    check(`[${address.toString(16)}]`, physical.read8(address) & bits, value & bits);
  }
  return wrong.join("; ");
}

interface OpcodeMetadata {
  readonly "flags-mask"?: number;
  readonly reg?: Record<string, OpcodeMetadata>;
}

/**
 * Runs every file of the folder.
 * @param folder where the `.MOO.gz` files and `metadata.json` are
 * @param only names of files to run, without the ending; all when absent
 * @param translate threshold of a translator that is there, too: it must leave this 16-bit code alone, and be right about what it looks at
 */
export function runSst286(folder: string, report: VectorReport, only?: readonly string[], translate?: number): void {
  const metadata = JSON.parse(readFileSync(join(folder, "metadata.json"), "utf8")) as { opcodes: Record<string, OpcodeMetadata> };
  const machine = bareMachine({ ram: RAM, ...(translate === undefined ? {} : { translate }) });
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith(".MOO.gz")) continue;
    const name = file.slice(0, -".MOO.gz".length);
    if (only !== undefined && !only.includes(name)) continue;
    const [opcode, reg] = name.split(".");
    const entry = metadata.opcodes[opcode!];
    const flagsMask = (reg === undefined ? entry : entry?.reg?.[reg])?.["flags-mask"] ?? 0xffff;
    for (const test of readMoo(gunzipSync(readFileSync(join(folder, file))))) {
      const rule = exclusion(test);
      if (rule !== undefined) {
        report.excluded.set(rule, (report.excluded.get(rule) ?? 0) + 1);
        continue;
      }
      report.run++;
      prepare(machine, test);
      machine.engine.run(100_000);
      const wrong = compare(machine, test, flagsMask);
      if (wrong === "") report.passed++;
      else {
        report.failed++;
        if (report.failures.length < SHOWN) report.failures.push(`${name} #${test.index} ${test.name}: ${wrong}`);
      }
    }
  }
}
