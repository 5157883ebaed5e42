// SSE and MMX behaviour that single-instruction vectors do not reach. Expected values are the manual's, named in each test.
import { expect, test } from "vitest";
import { bareMachine, type BareMachine } from "@doppel/testkit";
import { assemble } from "@doppel/x86";

const OSFXSR = 0x200;
const OSXMMEXCPT = 0x400;

/** Runs code in real mode from 0x1000 with SSE enabled. Vectors at 0x2000 and up come from `data`. */
function run(source: string, data: readonly number[] = [], cr4 = OSFXSR | OSXMMEXCPT): BareMachine {
  const machine = bareMachine();
  machine.physical.load(0x1000, assemble(`${source}\nhlt`, { origin: 0x1000, bits: 16 }));
  machine.physical.load(0x2000, new Uint8Array(Uint32Array.from(data).buffer));
  const { cpu, engine } = machine;
  cpu.state.setSegmentBase(1, 0);
  cpu.state.setSelector(1, 0);
  cpu.state.rip = 0x1000;
  cpu.state.setGpr32(4, 0x8000);
  cpu.cr0 |= 0x20;
  cpu.cr4 = cr4;
  cpu.updateMode();
  expect(engine.run(10_000).reason).toBe("halted");
  return machine;
}

const words = ({ cpu }: BareMachine, register: number): number[] => [...new Uint32Array(cpu.state.xmm(register).slice().buffer)];
const handler = (vector: number): string => `mov word [${vector} * 4], handler\nmov word [${vector} * 4 + 2], 0\n`;
const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;
const value = (word: number): number => new Float32Array(Uint32Array.of(word).buffer)[0]!;

test("SDM volume 1, 10.4.1.1: a 16-byte operand off its boundary raises #GP, MOVUPS does not mind", () => {
  const machine = run(`${handler(13)}movups xmm1, [0x2004]\nmovaps xmm0, [0x2004]\nhandler: hlt`, [1, 2, 3, 4, 5]);
  expect(machine.engine.counters.exceptions[13]).toBe(1);
  expect(words(machine, 1)).toEqual([2, 3, 4, 5]);
  expect(words(machine, 0)).toEqual([0, 0, 0, 0]);
});

test("SDM volume 3, 13.1: #UD without CR4.OSFXSR, #NM with CR0.TS", () => {
  expect(run(`${handler(6)}movups xmm1, [0x2000]\nhandler: hlt`, [], 0).engine.counters.exceptions[6]).toBe(1);
  const task = `${handler(7)}mov eax, cr0\nor al, 8\nmov cr0, eax\nmovups xmm1, [0x2000]\nhandler: hlt`;
  expect(run(task).engine.counters.exceptions[7]).toBe(1);
});

test("SDM volume 1, 11.5.3: an unmasked divide by zero raises #XM, or #UD without CR4.OSXMMEXCPT, and leaves the destination", () => {
  const source = (vector: number): string =>
    `${handler(vector)}mov dword [0x3000], 0x1d80\nldmxcsr [0x3000]\nmovss xmm0, [0x2000]\ndivss xmm0, [0x2004]\nhandler: stmxcsr [0x3000]\nmov ebx, [0x3000]`;
  const data = [bits(3), 0];
  const machine = run(source(19), data);
  expect(machine.engine.counters.exceptions[19]).toBe(1);
  expect(machine.cpu.state.gpr32(3)).toBe(0x1d84);
  expect(words(machine, 0)[0]).toBe(bits(3));
  expect(run(source(6), data, OSFXSR).engine.counters.exceptions[6]).toBe(1);
});

test("SDM volume 2, LDMXCSR: a reserved bit raises #GP(0)", () => {
  const { engine, cpu } = run(`${handler(13)}mov dword [0x3000], 0x11f80\nldmxcsr [0x3000]\nhandler: hlt`);
  expect(engine.counters.exceptions[13]).toBe(1);
  expect(cpu.state.mxcsr).toBe(0x1f80);
});

test("SDM volume 2, MASKMOVDQU: only bytes whose mask bit 7 is set are written, at DS:DI", () => {
  const machine = run("mov di, 0x2020\nmovups xmm0, [0x2000]\nmovups xmm1, [0x2010]\nmaskmovdqu xmm0, xmm1\nmovups xmm2, [0x2020]", [
    0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x80, 0x80000000, 0, 0x00800000, 0x11111111, 0x11111111, 0x11111111, 0x11111111,
  ]);
  expect(words(machine, 2)).toEqual([0x11111100, 0x07111111, 0x11111111, 0x110e1111]);
});

test.each([1, 1.5, 3, 1e-10, 123456, 3.4e38, -7])("SDM volume 2, RCPSS and RSQRTSS of %d: within 1.5 * 2^-12", (x) => {
  const machine = run("movss xmm0, [0x2000]\nrcpss xmm1, xmm0\nrsqrtss xmm2, xmm0", [bits(x)]);
  const bound = 1.5 * 2 ** -12;
  const reciprocal = value(words(machine, 1)[0]!);
  // A result below the normal range may be zero.
  if (Math.abs(1 / x) >= 2 ** -126) expect(Math.abs(reciprocal * x - 1)).toBeLessThanOrEqual(bound);
  else expect(reciprocal).toBe(0);
  if (x > 0) expect(Math.abs(value(words(machine, 2)[0]!) * Math.sqrt(x) - 1)).toBeLessThanOrEqual(bound);
  else expect(words(machine, 2)[0]).toBe(0xffc00000);
});

test("SDM volume 1, 11.5.2.3: the host's arithmetic and the exact one agree on flags: PE appears with the first inexact result", () => {
  const machine = run("movss xmm0, [0x2000]\naddss xmm0, xmm0\nstmxcsr [0x3000]\nmov ebx, [0x3000]\ndivss xmm0, [0x2004]\nstmxcsr [0x3000]\nmov ecx, [0x3000]", [bits(1), bits(3)]);
  expect(machine.cpu.state.gpr32(3)).toBe(0x1f80);
  expect(machine.cpu.state.gpr32(1)).toBe(0x1fa0);
  expect(value(words(machine, 0)[0]!)).toBe(Math.fround(2 / 3));
});

test("SDM volume 1, 9.6.2: a pending x87 exception stops an MMX instruction with #MF", () => {
  const source = `${handler(16)}fninit\nmov word [0x3000], 0x37b\nfldcw [0x3000]\nfld1\nfldz\nfdivp st1, st0\nmovd mm0, eax\nhandler: fnclex`;
  expect(run(source).engine.counters.exceptions[16]).toBe(1);
});
