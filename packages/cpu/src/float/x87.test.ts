// x87 instructions on the interpreter. Expected values are the manual's (SDM volume 1 chapter 8, volume 2), named in each test.
import { expect, test } from "vitest";
import { bareMachine, type BareMachine } from "@doppel/testkit";
import { assemble } from "@doppel/x86";

/** Runs code in real mode from 0x1000 with FINIT done; CR0.NE set unless `ferr`. */
function run(source: string, ferr?: () => void): BareMachine {
  const machine = bareMachine();
  machine.physical.load(0x1000, assemble(`fninit\n${source}\nhlt`, { origin: 0x1000, bits: 16 }));
  const { cpu, engine } = machine;
  cpu.state.setSegmentBase(1, 0);
  cpu.state.setSelector(1, 0);
  cpu.state.rip = 0x1000;
  cpu.state.setGpr32(4, 0x8000);
  cpu.onFpuError = ferr;
  if (ferr === undefined) cpu.cr0 |= 0x20;
  cpu.updateMode();
  expect(engine.run(10_000).reason).toBe("halted");
  return machine;
}

/** ST(i) as sign+exponent and significand in hex. */
function st({ cpu }: BareMachine, index: number): string {
  const bytes = cpu.state.fpr((((cpu.state.fpuStatus >> 11) & 7) + index) & 7);
  const hex = (part: Uint8Array): string => [...part].reverse().map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex(bytes.subarray(8, 10))}:${hex(bytes.subarray(0, 8))}`;
}

const NE_HANDLER = "mov word [16 * 4], handler\nmov word [16 * 4 + 2], 0\n";

test("SDM volume 2, FNINIT, FNSTCW and FNSTSW: 37Fh and 0", () => {
  const { cpu } = run("fnstcw [0x2000]\nmov bx, [0x2000]\nmov ax, 0xffff\nfnstsw ax\nfnstsw [0x2000]\nmov cx, [0x2000]");
  expect(cpu.state.gpr32(3) & 0xffff).toBe(0x37f);
  expect(cpu.state.gpr32(0) & 0xffff).toBe(0);
  expect(cpu.state.gpr32(1) & 0xffff).toBe(0);
});

test("SDM volume 1, 8.1.8: instruction, operand pointer and opcode of the last data instruction; control instructions keep them", () => {
  const { cpu } = run("nop\nfld1\nfst qword [0x2008]\nfnstcw [0x2000]\nfwait");
  expect(cpu.state.fpuIp).toBe(0x1005);
  expect(cpu.state.fpuDp).toBe(0x2008);
  expect(cpu.state.fpuOpcode).toBe(0x516);
});

test("SDM volume 1, 8.5.1.1: a stack underflow gives the indefinite, an overflow too, C1 tells them apart", () => {
  const under = run("fadd st0, st1");
  expect(under.cpu.state.fpuStatus & 0x241).toBe(0x41);
  expect(st(under, 0)).toBe("ffff:c000000000000000");
  const over = run("fldz\n".repeat(9));
  expect(over.cpu.state.fpuStatus & 0x241).toBe(0x241);
  expect(st(over, 0)).toBe("ffff:c000000000000000");
});

test("SDM volume 1, 8.5.1.2 and 8.7.1: an unmasked invalid operation keeps the stack, and the next waiting instruction raises #MF", () => {
  const machine = run(`${NE_HANDLER}mov word [0x2000], 0x37e\nfldcw [0x2000]\nfldz\nfldz\nfdivp st1, st0\nfnstsw [0x2002]\nfnop\nhlt\nhandler: mov bx, [0x2002]\nfnclex`);
  expect(machine.engine.counters.exceptions[16]).toBe(1);
  expect(machine.cpu.state.gpr32(3) & 0xffff).toBe(0xb081);
  expect(st(machine, 0)).toBe("0000:0000000000000000");
});

test("SDM volume 3, 9.2.2: with CR0.NE clear the error goes to FERR# and execution continues", () => {
  let asserted = 0;
  const { engine } = run("mov word [0x2000], 0x37b\nfldcw [0x2000]\nfld1\nfldz\nfdivp st1, st0\nfld1\n", () => void asserted++);
  expect(asserted).toBeGreaterThan(0);
  expect(engine.counters.exceptions[16]).toBe(0);
});

test("SDM volume 1, 8.1.5.2: precision control rounds to 24 bits", () => {
  const machine = run("mov word [0x2000], 0x7f\nfldcw [0x2000]\nfld1\nmov word [0x2002], 3\nfild word [0x2002]\nfdivp st1, st0");
  expect(st(machine, 0)).toBe("3ffd:aaaaab0000000000");
});

test("SDM volume 2, FBLD and FBSTP: 18 digits there and back", () => {
  const { cpu } = run("mov word [0x2000], 0x9012\nmov word [0x2002], 0x5678\nmov word [0x2004], 0x1234\nmov word [0x2006], 0x9876\nmov word [0x2008], 0x8054\nfbld [0x2000]\nfbstp [0x2010]\nmov eax, [0x2010]\nmov ebx, [0x2014]\nmov cx, [0x2018]");
  expect(cpu.state.gpr32(0)).toBe(0x56789012);
  expect(cpu.state.gpr32(3)).toBe(0x98761234);
  expect(cpu.state.gpr32(1) & 0xffff).toBe(0x8054);
});

test("SDM volume 2, FPREM: the quotient's low bits in C0, C3, C1", () => {
  const machine = run("mov word [0x2000], 7\nmov word [0x2002], 47\nfild word [0x2000]\nfild word [0x2002]\nfprem\nfnstsw ax");
  expect(st(machine, 0)).toBe("4001:a000000000000000"); // 47 - 6 * 7 = 5
  expect(machine.cpu.state.gpr32(0) & 0x4700).toBe(0x4100); // Q = 6 = 110b: C0 = 1, C3 = 1, C1 = 0
});

test("SDM volume 2, FSIN: 2^63 and beyond are out of range, C2 says so", () => {
  const machine = run("mov dword [0x2000], 0x5f000000\nfld dword [0x2000]\nfsin\nfnstsw ax");
  expect(machine.cpu.state.gpr32(0) & 0x400).toBe(0x400);
  expect(st(machine, 0)).toBe("403e:8000000000000000");
});

test("SDM volume 1, 8.3.8: the processor's pi has 66 bits, so sin(FLDPI) is what the two pis differ by", () => {
  // 66-bit pi minus FLDPI (rounded up) = -(0x8000...235 - 0x...234C) units: -(0.25) * 2^-62, that is -1 * 2^-64.
  expect(st(run("fldpi\nfsin"), 0)).toBe("bfbf:8000000000000000");
});

test("SDM volume 2, F2XM1, FYL2X, FPATAN, FPTAN at arguments with well-known results", () => {
  expect(st(run("fld1\nf2xm1"), 0)).toBe("3fff:8000000000000000"); // 2^1 - 1
  expect(st(run("fld1\nmov word [0x2000], 1024\nfild word [0x2000]\nfyl2x"), 0)).toBe("4002:a000000000000000"); // log2 1024
  expect(st(run("fld1\nfld1\nfpatan"), 0)).toBe("3ffe:c90fdaa22168c235"); // pi / 4
  expect(st(run("fldz\nfptan"), 0)).toBe("3fff:8000000000000000"); // FPTAN pushes 1
});

test("SDM volume 2, FCOMI: an unordered comparison sets ZF, PF and CF and clears OF, SF and AF", () => {
  const { cpu } = run("fldz\nfldz\nfdivp st1, st0\nfld1\nmov al, 0x7f\nadd al, 1\nfucomi st0, st1");
  expect(cpu.state.eflags & 0x8d5).toBe(0x45);
});

test("SDM volume 2, FLD: no register changes when the operand faults", () => {
  const { cpu, engine } = run("mov word [13 * 4], handler\nmov word [13 * 4 + 2], 0\nfld1\nmov ebx, 0xfffd\nfst dword [bx]\nhandler: hlt");
  expect(engine.counters.exceptions[13]).toBe(1);
  expect((cpu.state.fpuStatus >> 11) & 7).toBe(7);
  expect(cpu.state.fpuIp).toBeLessThan(0x1020);
});

test("SDM volume 1, 9.5 and volume 2, EMMS: MMX writes set exponents and tags, TOP becomes 0; EMMS empties the registers", () => {
  const mmx = run("fld1\nmov eax, 0x12345678\nmovd mm3, eax").cpu.state;
  expect(mmx.fpuTags).toBe(0xff);
  expect(mmx.fpuStatus & 0x3800).toBe(0);
  expect([...mmx.fpr(3)]).toEqual([0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0, 0xff, 0xff]);
  expect(run("movd mm3, eax\nemms").cpu.state.fpuTags).toBe(0);
});

test("SDM volume 3, 2.5: with CR0.TS set x87 instructions raise #NM, and WAIT with CR0.MP too", () => {
  const source = (code: string): string => `mov word [7 * 4], handler\nmov word [7 * 4 + 2], 0\nmov eax, cr0\nor al, 10\nmov cr0, eax\n${code}\nhlt\nhandler: clts`;
  for (const code of ["fld1", "fnstcw [0x2000]", "fwait", "emms"]) expect(run(source(code)).engine.counters.exceptions[7]).toBe(1);
});
