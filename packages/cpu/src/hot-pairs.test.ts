/** Two instructions as one do what they do alone, for every pair of the lists: registers, flags, memory, faults and counts. */
import type { Shape } from "@doppel/semantics";
import { bareMachine } from "@doppel/testkit";
import { decode, DESCRIPTOR_L, Instruction, OK } from "@doppel/x86";
import { expect, test } from "vitest";
import { CPU_MODELS } from "./system/cpu-model.ts";
import { shapeKey, shapeOf } from "./handler.ts";
import { frequentShapes, hotShapes } from "./hot-shapes.ts";

const RAM = 0x20000;
const CODE = 0x1000;
const DATA = 0x2000;
const FS_PREFIX = 0x64;
const HLT = 0xf4;
/** Of each pair. */
const TRIALS = 12;

let state = 1;
/** A number from 0 to n - 1 (Marsaglia's xorshift32). */
function below(n: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

/** Bytes of an instruction of the shape: any registers, small displacements, any immediate. */
function bytesOf(shape: Shape): number[] {
  const { form, long, operandSize } = shape;
  const wide = long && operandSize === 8 && !form.default64 && !form.forced64;
  const rex = long && (wide || below(2) === 1) ? [0x40 | (wide ? 8 : 0) | below(8)] : [];
  const prefixes = [...(operandSize === 2 ? [0x66] : []), ...(shape.flatOperand ? [] : [FS_PREFIX]), ...rex];
  const opcode = form.range === "cc" ? form.opcodeByte + shape.condition : form.range === "r" ? form.opcodeByte + below(8) : form.opcodeByte;
  const reg = form.digit >= 0 ? form.digit : below(8);
  const base = [0, 1, 2, 3, 5, 6, 7][below(7)]!;
  const modrm = !form.hasModrm ? []
    : shape.ripRelative ? [(reg << 3) | 5, below(256), 0x10, 0, 0]
    : !shape.memory ? [0xc0 | (reg << 3) | below(8)]
    : shape.indexed ? [0x44 | (reg << 3), (below(4) << 6) | ([0, 1, 2, 3, 5, 6, 7][below(7)]! << 3) | base, below(128)]
    : [0x40 | (reg << 3) | base, below(128)];
  const rest = Array.from({ length: 8 }, () => [below(256), 0, 0xff, below(64)][below(4)]!);
  return [...prefixes, ...(form.map > 0 ? [0x0f] : []), opcode, ...modrm, ...rest];
}

/** The instruction that is of exactly this shape, cut to its length. */
function instructionOf(shape: Shape, into: Instruction): number[] {
  for (;;) {
    const bytes = bytesOf(shape);
    if (decode(Uint8Array.from(bytes), 0, bytes.length, shape.long ? 8 : 4, into) !== OK) continue;
    if (shapeKey({ ...shapeOf(into, shape.long, true), form: shape.form }) === shapeKey(shape)) return bytes.slice(0, into.length);
  }
}

function machine(long: boolean, besideTranslator: boolean) {
  const made = bareMachine({ ram: RAM, model: CPU_MODELS["x86-64-v2"], pairs: !besideTranslator });
  const { cpu, engine, physical } = made;
  if (besideTranslator) engine.regions = { sample: () => {}, dropped: () => {} };
  /** Runs two instructions from the registers given, in one visit or in two. */
  const run = (code: readonly number[], registers: readonly number[], memory: Uint8Array, flags: number, together: boolean): string => {
    cpu.reset();
    for (let segment = 0; segment < 6; segment += 1) {
      cpu.state.setSegmentBase(segment, segment === 4 ? 0x100 : 0);
      cpu.state.setSegmentLimit(segment, 0xffff_ffff);
      cpu.state.setSegmentAttributes(segment, segment === 1 ? (long ? 0x008f9b00 | DESCRIPTOR_L : 0x00cf9b00) : 0x00cf9300);
    }
    cpu.cr0 = 0x11;
    if (long) cpu.efer = 0x500;
    cpu.deriveSegments();
    physical.load(0, memory);
    physical.load(CODE, Uint8Array.from([...code, HLT]));
    for (let n = 0; n < (long ? 16 : 8); n++) cpu.state.setGpr64(n, registers[2 * n]!, long ? registers[2 * n + 1]! : 0);
    cpu.state.eflags = 2 | flags;
    cpu.state.rip = CODE;
    const before = engine.retired;
    if (together) engine.run(2);
    else for (let n = 0; n < 2 && cpu.activity === 0; n++) engine.run(1);
    const bytes = new Uint8Array(RAM);
    physical.readBytes(0, bytes);
    const gpr = Array.from({ length: 16 }, (_, n) => `${cpu.state.gprHigh(n).toString(16)}:${(cpu.state.gpr32(n) >>> 0).toString(16)}`);
    return [...gpr, cpu.state.eflags.toString(16), cpu.state.rip.toString(16), cpu.activity, engine.retired - before, Buffer.from(bytes).toString("latin1")].join(" ");
  };
  return { ...made, run };
}

const name = ({ form, operandSize, condition }: Shape): string => `${form.opcode} ${form.mnemonic} ${operandSize} ${condition}`;

test.each([
  ["32-bit", false, false], ["64-bit", true, false], ["32-bit", false, true], ["64-bit", true, true],
] as const)("pairs of %s code (64-bit: %s), beside a translator: %s", { timeout: 120_000 }, (_name, long, besideTranslator) => {
  const { engine, run } = machine(long, besideTranslator);
  const memory = Uint8Array.from({ length: RAM }, (_, at) => (at >= DATA ? below(256) : 0));
  const first = new Instruction();
  const second = new Instruction();
  const wrong: string[] = [];
  const pairs = (besideTranslator ? frequentShapes : hotShapes)(long).filter((hot) => hot.second !== undefined);
  for (const { shape, second: behind } of pairs) {
    for (let n = 0; n < TRIALS; n++) {
      const code = [...instructionOf(shape, first), ...instructionOf(behind!, second)];
      const { handlers } = engine;
      if (handlers.fused(handlers.handler(first, long, true), handlers.handler(second, long, true), long) === 0) wrong.push(`${name(shape)} | ${name(behind!)} is no pair`);
      // Mostly pointers that are good, so that most trials fault nowhere; in every other trial, often the same.
      const registers = Array.from({ length: 32 }, (_, at) => (below(8) === 0 ? below(2 ** 32) : at % 2 === 0 ? DATA + 8 * below(n % 2 === 0 ? 2 : 64) : 0));
      const flags = below(2 ** 12) & 0x8d5;
      if (run(code, registers, memory, flags, true) !== run(code, registers, memory, flags, false)) wrong.push(`${name(shape)} | ${name(behind!)}: ${Buffer.from(code).toString("hex")}`);
    }
  }
  expect(pairs.length).toBeGreaterThan(besideTranslator ? 100 : 500);
  expect(wrong).toEqual([]);
});
