/**
 * The host's arithmetic stands for the exact one only where both give the same: with PE set it may be tried, with PE clear it is not. Expected
 * values are the exact functions', which TestFloat has seen (`testfloat.test.ts`).
 */
import { bareMachine } from "@doppel/testkit";
import { assemble } from "@doppel/x86";
import { describe, expect, test } from "vitest";

const PE = 0x20;
const CODE = 0x1000;
const [X, Y, RESULT, CONTROL] = [0x2000, 0x2010, 0x2020, 0x2030];

/** Numbers near every border, of both signs, by the bits of their positive ones. */
const DOUBLES = [
  0n, 1n, 0xf_ffff_ffff_ffffn, 0x10_0000_0000_0000n, 0x10_0000_0000_0001n, 0x1f_ffff_ffff_ffffn, 0x20_0000_0000_0000n, 0x30_0000_0000_0001n, 0x40_0000_0000_0000n,
  0x36a0_0000_0000_0000n, 0x380f_ffff_f000_0000n, 0x3ca0_0000_0000_0000n, 0x3fe0_0000_0000_0000n, 0x3ff0_0000_0000_0000n, 0x3ff8_0000_0000_0000n, 0x4008_cccc_cccc_cccdn,
  0x41df_ffff_ffc0_0000n, 0x41df_ffff_ffe0_0000n, 0x41e0_0000_0000_0000n, 0x43df_ffff_ffff_ffffn, 0x43e0_0000_0000_0000n, 0x47ef_ffff_f000_0000n, 0x7fc0_0000_0000_0000n,
  0x7fef_ffff_ffff_ffffn, 0x7ff0_0000_0000_0000n, 0x7ff0_0000_0000_0001n, 0x7ff8_0000_0000_0000n,
].flatMap((bits) => [bits, bits | (1n << 63n)]);
const SINGLES = [
  0, 1, 0x7f_ffff, 0x80_0000, 0x80_0001, 0xff_ffff, 0x100_0000, 0x180_0001, 0x200_0000, 0x3300_0000, 0x3f00_0000, 0x3f80_0000, 0x3fc0_0000, 0x4046_6666, 0x4eff_ffff, 0x4f00_0000,
  0x5eff_ffff, 0x5f00_0000, 0x7e00_0000, 0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001, 0x7fc0_0000,
].flatMap((bits) => [bits, bits | (1 << 31)]);

const ARITHMETIC = ["add", "sub", "mul", "div", "min", "max", "sqrt"];
const COMPARISONS = ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"];
const of = (suffixes: readonly string[], names: readonly string[]): string[] => suffixes.flatMap((suffix) => names.map((name) => `${name}${suffix} xmm0, xmm1`));
const compares = (suffixes: readonly string[]): string[] => suffixes.flatMap((suffix) => COMPARISONS.map((_, n) => `cmp${suffix} xmm0, xmm1, ${n}`));

function everyPair<T>(values: readonly T[]): [T, T][] {
  return values.flatMap((x) => values.map((y): [T, T] => [x, y]));
}

/** Runs one instruction on 16 bytes each of x and y: the register and the general one behind it, flags and MXCSR. */
function machineFor(instruction: string): (x: ArrayBufferView, y: ArrayBufferView, mxcsr: number) => unknown {
  const { cpu, engine, physical } = bareMachine();
  const source = `movups xmm0, [${X}]\nmovups xmm1, [${Y}]\nldmxcsr [${CONTROL}]\n${instruction}\nmovups [${RESULT}], xmm0\nstmxcsr [${CONTROL}]\nhlt`;
  physical.load(CODE, assemble(source, { origin: CODE, bits: 16 }));
  cpu.state.setSegmentBase(1, 0);
  cpu.cr4 = 0x600;
  cpu.updateMode();
  const bytes = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return (x, y, mxcsr) => {
    cpu.activity = 0;
    cpu.state.rip = CODE;
    cpu.state.setGpr32(0, 0x1234_5678);
    physical.writeBytes(X, bytes(x));
    physical.writeBytes(Y, bytes(y));
    physical.writeBytes(CONTROL, bytes(Uint32Array.of(mxcsr)));
    expect(engine.run(100).reason).toBe("halted");
    const result = new Uint8Array(20);
    physical.readBytes(RESULT, result);
    return { result: [...result], eax: cpu.state.gpr32(0), flags: cpu.state.eflags };
  };
}

function compare(instruction: string, inputs: readonly [ArrayBufferView, ArrayBufferView][]): void {
  const run = machineFor(instruction);
  for (const mode of [0x1f80, 0x9fc0]) {
    for (const [x, y] of inputs) {
      const exact = run(x, y, mode) as { result: number[] };
      // The low byte of MXCSR, behind the register.
      exact.result[16]! |= PE;
      expect({ mode, x, y, ...(run(x, y, mode | PE) as object) }).toEqual({ mode, x, y, ...exact });
    }
  }
}

describe("SDM volume 1, 11.5.2: the host's arithmetic is tried only where it is exact", () => {
  const doubles = everyPair(DOUBLES).map(([x, y], n): [BigUint64Array, BigUint64Array] => [BigUint64Array.of(x, DOUBLES[n % 7]!), BigUint64Array.of(y, 0x4000_0000_0000_0000n)]);
  const singles = everyPair(SINGLES).map(([x, y], n): [Uint32Array, Uint32Array] => [Uint32Array.of(x, 0x3f80_0000, SINGLES[n % 5]!, 0), Uint32Array.of(y, 0x4000_0000, 0x4080_0000, 0)]);
  test.each([...of(["sd", "pd"], ARITHMETIC), ...compares(["sd", "pd"]), "comisd xmm0, xmm1", "ucomisd xmm0, xmm1", "haddpd xmm0, xmm1", "hsubpd xmm0, xmm1"])("%s", (instruction) => {
    compare(instruction, doubles);
  });
  test.each([...of(["ss", "ps"], ARITHMETIC), ...compares(["ss", "ps"]), "comiss xmm0, xmm1", "ucomiss xmm0, xmm1", "haddps xmm0, xmm1", "hsubps xmm0, xmm1"])("%s", (instruction) => {
    compare(instruction, singles);
  });
  test.each(["cvtsd2si eax, xmm1", "cvttsd2si eax, xmm1", "cvtsd2ss xmm0, xmm1"])("%s", (instruction) => {
    compare(instruction, doubles);
  });
  test.each(["cvtss2si eax, xmm1", "cvttss2si eax, xmm1", "cvtss2sd xmm0, xmm1", "cvtdq2ps xmm0, xmm1", "cvtdq2pd xmm0, xmm1", "movd eax, xmm1\ncvtsi2ss xmm0, eax", "movd eax, xmm1\ncvtsi2sd xmm0, eax"])("%s", (instruction) => {
    compare(instruction, singles);
  });
});
