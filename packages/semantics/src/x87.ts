/**
 * x87 data instructions (SDM volume 2; volume 1, 8.3): loads, stores, constants, arithmetic, comparison. Each checks the unit and pending
 * exceptions, then memory, and only then notes its pointers and acts on the stack through `x87-operations.ts`.
 */
import { f32Operand, f32ToF80, f64Operand, f64ToF80, decimalToF80, i64ToF80 } from "./float/conversions.ts";
import { FLOAT_EXTRA } from "./float/scratch.ts";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Size, Value } from "./ir.ts";
import {
  changeSign, compareOperand, compareStack, compareToFlags, examine, exchange, extract, ieeeRemainder, loadStack, moveIf, OPERAND_OPERATION, remainder,
  roundToInteger, scale, squareRoot, STACK_OPERATION, storeStack, storeStackSilently,
} from "./x87-operations.ts";
import { checkUnit, clearFloatFlags, control, notePointers, push, resultSe, TRAP_X87 } from "./x87-stack.ts";
import { MEMORY_STORE, pop, storeExtended } from "./x87-stores.ts";

/** Begins a data instruction without a memory operand. */
function begin(i: InstructionBuilder): void {
  checkUnit(i, TRAP_X87, true);
  notePointers(i);
}

/** The memory operand's size letter. */
function memorySize(i: InstructionBuilder): string {
  return i.shape.form.operands.find(({ kind }) => kind === "M")!.size;
}
const BYTES: Record<string, Size> = { w: 2, d: 4, q: 8 };

/** Loads a memory operand and converts it to extended; the flags of the conversion stand in FLOAT_FLAGS. */
function loadOperand(i: InstructionBuilder, integer: boolean, quiet: boolean): { significand: Value; se: Value } {
  checkUnit(i, TRAP_X87, true);
  const letter = memorySize(i);
  const bits = i.load(i.memory(), BYTES[letter]!);
  notePointers(i);
  clearFloatFlags(i);
  const convert = letter === "d" ? (quiet ? f32ToF80 : f32Operand) : quiet ? f64ToF80 : f64Operand;
  const significand = integer ? i.call(i64ToF80, [i.extendS(i.signExtend(bits, BYTES[letter]!))]) : i.call(convert, [bits]);
  return { significand, se: resultSe(i) };
}

/** FADD and the like. Forms: ST0,STi / STi,ST0 / memory; `reversed`: operand 1 op operand 0. */
const arithmetic = (name: string, reversed: boolean, integer: boolean, pops: number): Definition => (i) => {
  if (i.shape.memory) {
    const { significand, se } = loadOperand(i, integer, false);
    i.call(OPERAND_OPERATION[name]!, [significand, se, i.i32(reversed ? 1 : 0)]);
    return;
  }
  begin(i);
  const [top, other] = [i.i32(0), i.field("rm")];
  const intoTop = i.shape.form.operands[0]!.kind === "ST0";
  const [destination, source] = intoTop ? [top, other] : [other, top];
  const [x, y] = reversed ? [source, destination] : [destination, source];
  i.call(STACK_OPERATION[name]!, [x, y, destination, i.i32(pops)]);
};

const ARITHMETIC: Record<string, Definition> = {};
for (const [mnemonic, name, reversed] of [
  ["ADD", "add", false], ["MUL", "mul", false], ["SUB", "sub", false], ["SUBR", "sub", true], ["DIV", "div", false], ["DIVR", "div", true],
] as const) {
  ARITHMETIC[`F${mnemonic}`] = arithmetic(name, reversed, false, 0);
  ARITHMETIC[`F${mnemonic}P`] = arithmetic(name, reversed, false, 1);
  ARITHMETIC[`FI${mnemonic}`] = arithmetic(name, reversed, true, 0);
}

/** FCOM, FUCOM, FICOM and their popping forms. */
const compare = (integer: boolean, quiet: boolean, pops: number): Definition => (i) => {
  if (i.shape.memory) {
    const { significand, se } = loadOperand(i, integer, false);
    i.call(compareOperand, [significand, se, i.i32(pops)]);
    return;
  }
  begin(i);
  const index = i.shape.form.stackRegister ? i.field("rm") : i.i32(1);
  i.call(compareStack, [index, i.i32(quiet ? 1 : 0), i.i32(pops)]);
};

/** FCOMI: CF, PF, ZF; OF, SF, AF are cleared. */
const compareFlags = (quiet: boolean, pops: number): Definition => (i) => {
  begin(i);
  const order = i.call(compareToFlags, [i.field("rm"), i.i32(quiet ? 1 : 0), i.i32(pops)]);
  i.setFlags({ rule: "image", image: order });
};

const ftst: Definition = (i) => {
  begin(i);
  clearFloatFlags(i);
  i.call(compareOperand, [i.i64(0), i.i32(0), i.i32(0)]);
};

const fld: Definition = (i) => {
  if (!i.shape.memory) {
    begin(i);
    i.call(loadStack, [i.field("rm")]);
    return;
  }
  if (memorySize(i) !== "t") {
    const { significand, se } = loadOperand(i, false, true);
    i.call(push, [significand, se]);
    return;
  }
  checkUnit(i, TRAP_X87, true);
  const significand = i.load(i.memory(), 8);
  const se = i.load(i.further(i.memory(), 8), 2);
  notePointers(i);
  clearFloatFlags(i);
  i.call(push, [significand, se]);
};

const fild: Definition = (i) => {
  const { significand, se } = loadOperand(i, true, false);
  i.call(push, [significand, se]);
};

const fbld: Definition = (i) => {
  checkUnit(i, TRAP_X87, true);
  const low = i.load(i.memory(), 8);
  const high = i.load(i.further(i.memory(), 8), 2);
  notePointers(i);
  clearFloatFlags(i);
  const significand = i.call(decimalToF80, [low, high]);
  i.call(push, [significand, resultSe(i)]);
};

/** FST, FSTP, FIST, FISTP, FISTTP to memory: the destination is probed before anything happens. */
const store = (integer: boolean, truncate: boolean, pops: number): Definition => (i) => {
  if (!i.shape.memory) {
    begin(i);
    i.call(storeStack, [i.field("rm"), i.i32(pops)]);
    return;
  }
  const letter = memorySize(i);
  if (letter === "t") return storeTen(i);
  checkUnit(i, TRAP_X87, true);
  const size = BYTES[letter]!;
  const address = i.memory();
  i.probe(address, size);
  notePointers(i);
  const bits = i.call(MEMORY_STORE[`${integer ? "i" : "f"}${8 * size}`]!, [i.i32(truncate ? 1 : 0)]);
  i.if(resultSe(i), () => {
    i.store(address, size, size === 8 ? bits : i.wrap(bits));
    if (pops) i.call(pop, []);
  });
};

/** FSTP m80. */
function storeTen(i: InstructionBuilder): void {
  checkUnit(i, TRAP_X87, true);
  const [low, high] = [i.memory(), i.further(i.memory(), 8)];
  i.probe(low, 8);
  i.probe(high, 2);
  notePointers(i);
  const significand = i.call(storeExtended, []);
  i.if(i.state("i32_load", FLOAT_EXTRA), () => {
    i.store(low, 8, significand);
    i.store(high, 2, resultSe(i));
    i.call(pop, []);
  });
}

const fbstp: Definition = (i) => {
  checkUnit(i, TRAP_X87, true);
  const [low, high] = [i.memory(), i.further(i.memory(), 8)];
  i.probe(low, 8);
  i.probe(high, 2);
  notePointers(i);
  const digits = i.call(MEMORY_STORE["decimal"]!, [i.i32(0)]);
  i.if(resultSe(i), () => {
    i.store(low, 8, digits);
    i.store(high, 2, i.state("i32_load", FLOAT_EXTRA));
    i.call(pop, []);
  });
};

/** A constant: significand rounded to nearest; `down` is what rounding toward zero takes off it, `up` what rounding up adds. */
const constant = (se: number, significand: bigint, down: number, up: number): Definition => (i) => {
  begin(i);
  clearFloatFlags(i);
  const rounding = i.and(i.shrU(control(i), 10), 3);
  const lower = i.and(rounding, 1);
  const adjusted = i.sub(i.add(i.i64(significand), i.extendU(i.mul(i.eq(rounding, 2), up))), i.extendU(i.mul(lower, down)));
  i.call(push, [down + up === 0 ? i.i64(significand) : adjusted, i.i32(se)]);
};

const plain = (callee: typeof examine): Definition => (i) => {
  begin(i);
  i.call(callee, []);
};

/** FCMOVcc by the condition codes of Jcc. */
const fcmov = (condition: number): Definition => (i) => {
  begin(i);
  i.call(moveIf, [i.field("rm"), i.condition(condition)]);
};

const sign = (and: number, xor: number): Definition => (i) => {
  begin(i);
  i.call(changeSign, [i.i32(and), i.i32(xor)]);
};

export const X87: Record<string, Definition> = {
  ...ARITHMETIC,
  FCOM: compare(false, false, 0),
  FCOMP: compare(false, false, 1),
  FCOMPP: compare(false, false, 2),
  FUCOM: compare(false, true, 0),
  FUCOMP: compare(false, true, 1),
  FUCOMPP: compare(false, true, 2),
  FICOM: compare(true, false, 0),
  FICOMP: compare(true, false, 1),
  FCOMI: compareFlags(false, 0),
  FCOMIP: compareFlags(false, 1),
  FUCOMI: compareFlags(true, 0),
  FUCOMIP: compareFlags(true, 1),
  FTST: ftst,
  FXAM: plain(examine),
  FLD: fld,
  FILD: fild,
  FBLD: fbld,
  FST: store(false, false, 0),
  FSTP: store(false, false, 1),
  FIST: store(true, false, 0),
  FISTP: store(true, false, 1),
  FISTTP: store(true, true, 1),
  FBSTP: fbstp,
  FSTPNCE: (i) => {
    begin(i);
    i.call(storeStackSilently, [i.field("rm")]);
  },
  FXCH: (i) => {
    begin(i);
    i.call(exchange, [i.field("rm")]);
  },
  FLD1: constant(0x3fff, 0x8000_0000_0000_0000n, 0, 0),
  FLDZ: constant(0, 0n, 0, 0),
  FLDL2T: constant(0x4000, 0xd49a_784b_cd1b_8afen, 0, 1),
  FLDL2E: constant(0x3fff, 0xb8aa_3b29_5c17_f0bcn, 1, 0),
  FLDPI: constant(0x4000, 0xc90f_daa2_2168_c235n, 1, 0),
  FLDLG2: constant(0x3ffd, 0x9a20_9a84_fbcf_f799n, 1, 0),
  FLDLN2: constant(0x3ffe, 0xb172_17f7_d1cf_79acn, 1, 0),
  FCHS: sign(0xffff, 0x8000),
  FABS: sign(0x7fff, 0),
  FSQRT: plain(squareRoot),
  FRNDINT: plain(roundToInteger),
  FSCALE: plain(scale),
  FPREM: plain(remainder),
  FPREM1: plain(ieeeRemainder),
  FXTRACT: plain(extract),
  FCMOVB: fcmov(2),
  FCMOVNB: fcmov(3),
  FCMOVE: fcmov(4),
  FCMOVNE: fcmov(5),
  FCMOVBE: fcmov(6),
  FCMOVNBE: fcmov(7),
  FCMOVU: fcmov(10),
  FCMOVNU: fcmov(11),
};
