/**
 * Integer arithmetic and logic: ADD to CMP, INC, DEC, NEG, NOT, MUL, IMUL, DIV, IDIV, XADD, CMPXCHG, the BCD adjustments and
 * sign extensions (SDM volume 2). Flags that the manual leaves undefined are set as processors set them where the
 * hardware vectors agree on it.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import { RAX, RBX, RCX, RDX, SCRATCH } from "./layout.ts";
import type { Size, Value } from "./ir.ts";
import { VECTOR_DE } from "./vectors.ts";

type Operation = "add" | "or" | "adc" | "sbb" | "and" | "sub" | "xor";

function compute(i: InstructionBuilder, operation: Operation, a: Value, b: Value): Value {
  switch (operation) {
    case "adc": return i.add(i.add(a, b), carryLike(i, a));
    case "sbb": return i.sub(i.sub(a, b), carryLike(i, a));
    default: return i[operation](a, b);
  }
}

function carryLike(i: InstructionBuilder, value: Value): Value {
  const carry = i.flag("CF");
  return value.type === "i64" ? i.extendU(carry) : carry;
}

function setArithmeticFlags(i: InstructionBuilder, operation: Operation, size: Size, a: Value, b: Value, result: Value): void {
  if (operation === "add" || operation === "adc") i.setFlags({ rule: "add", carry: operation === "adc", size, a, b, result });
  else if (operation === "sub" || operation === "sbb") i.setFlags({ rule: "sub", carry: operation === "sbb", size, a, b, result });
  else i.setFlags({ rule: "logic", size, result });
}

const binary = (operation: Operation): Definition => (i) => {
  const a = i.readForUpdate(0);
  const b = i.read(1);
  const result = compute(i, operation, a, b);
  i.write(0, result);
  setArithmeticFlags(i, operation, i.size(0), a, b, result);
};

const compare = (operation: "sub" | "and"): Definition => (i) => {
  const a = i.read(0);
  const b = i.read(1);
  setArithmeticFlags(i, operation, i.size(0), a, b, compute(i, operation, a, b));
};

const step = (rule: "inc" | "dec"): Definition => (i) => {
  const a = i.readForUpdate(0);
  const b = i.like(a, 1);
  const result = rule === "inc" ? i.add(a, b) : i.sub(a, b);
  i.write(0, result);
  i.setFlags({ rule, size: i.size(0), a, b, result });
};

const neg: Definition = (i) => {
  const b = i.readForUpdate(0);
  const a = i.like(b, 0);
  const result = i.sub(a, b);
  i.write(0, result);
  i.setFlags({ rule: "sub", size: i.size(0), a, b, result });
};

const not: Definition = (i) => i.write(0, i.not(i.readForUpdate(0)));

const xadd: Definition = (i) => {
  const size = i.size(0);
  const a = i.readForUpdate(0);
  const b = i.read(1);
  const result = i.add(a, b);
  if (i.inMemory(0)) {
    i.write(0, result);
    i.write(1, a);
  } else {
    i.write(1, a);
    i.write(0, result);
  }
  i.setFlags({ rule: "add", size, a, b, result });
};

const cmpxchg: Definition = (i) => {
  const size = i.size(0);
  const destination = i.readForUpdate(0);
  const accumulator = i.register(RAX, size);
  const source = i.read(1);
  const equal = i.eq(accumulator, destination);
  const result = i.sub(accumulator, destination);
  // Memory is always written, with its own value when the comparison fails; of a register not even the upper half changes then.
  if (i.long && size === 4 && !i.inMemory(0)) i.if(equal, () => i.write(0, source));
  else i.write(0, i.select(equal, source, destination));
  i.if(equal, () => {}, () => i.setRegister(RAX, size, destination));
  i.setFlags({ rule: "sub", size, a: accumulator, b: destination, result });
};

const cmpxchgPair: Definition = (i) => {
  const wide = i.mnemonic === "CMPXCHG16B";
  const size: Size = wide ? 8 : 4;
  const low = i.memory();
  const alignment = wide ? i.and(i.wrap(low.offset), 15) : i.i32(0);
  if (wide) i.faultIf(alignment, 13, 0);
  i.probe(low, wide ? 16 : 8);
  const high = i.further(low, size);
  high.probed = low.probed!;
  const wasLow = i.load(low, size);
  const wasHigh = i.load(high, size);
  const equal = i.and(i.eq(wasLow, i.register(RAX, size)), i.eq(wasHigh, i.register(RDX, size)));
  const newLow = i.select(equal, i.register(RBX, size), wasLow);
  const newHigh = i.select(equal, i.register(RCX, size), wasHigh);
  i.store(low, size, newLow);
  i.store(high, size, newHigh);
  i.if(equal, () => {}, () => {
    i.setRegister(RAX, size, wasLow);
    i.setRegister(RDX, size, wasHigh);
  });
  const flags = i.arithmeticFlags();
  i.setFlags({ rule: "image", image: i.or(i.and(flags, ~0x40), i.shl(equal, 6)) });
};

/** Splits a 64 x 64 bit product into its halves; the high half by four partial products. */
export function multiplyHigh(i: InstructionBuilder, x: Value, y: Value, signed: boolean): Value {
  const xl = i.and(x, 0xffff_ffff);
  const yl = i.and(y, 0xffff_ffff);
  const xh = i.shrU(x, 32);
  const yh = i.shrU(y, 32);
  const low = i.mul(xl, yl);
  const middle = i.add(i.mul(xh, yl), i.shrU(low, 32));
  const middle2 = i.add(i.mul(xl, yh), i.and(middle, 0xffff_ffff));
  const high = i.add(i.add(i.mul(xh, yh), i.shrU(middle, 32)), i.shrU(middle2, 32));
  if (!signed) return high;
  return i.sub(i.sub(high, i.and(i.shrS(x, 63), y)), i.and(i.shrS(y, 63), x));
}

/** Product of two operands: the low part in the operand's type, the high part, and whether the high part says something. */
function product(i: InstructionBuilder, x: Value, y: Value, size: Size, signed: boolean): { low: Value; high: Value; significant: Value } {
  const extend = (v: Value): Value => (signed ? i.signExtend(v, size) : v);
  if (size === 8) {
    const low = i.mul(x, y);
    const high = multiplyHigh(i, x, y, signed);
    return { low, high, significant: i.ne(high, signed ? i.shrS(low, 63) : i.i64(0)) };
  }
  if (size === 4) {
    const wide = signed ? i.mul(i.extendS(x), i.extendS(y)) : i.mul(i.extendU(x), i.extendU(y));
    const low = i.wrap(wide);
    return { low, high: i.wrap(i.shrU(wide, 32)), significant: i.ne(wide, signed ? i.extendS(low) : i.extendU(low)) };
  }
  const wide = i.mul(extend(x), extend(y));
  const bits = size * 8;
  return { low: wide, high: i.shrU(wide, bits), significant: i.ne(wide, signed ? i.signExtend(wide, size) : i.zeroExtend(wide, size)) };
}

function multiplyFlags(i: InstructionBuilder, size: Size, low: Value, significant: Value): void {
  i.setFlags({ rule: "result", size, result: low, cf: significant, of: significant, af: i.i32(0) });
}

const multiply = (signed: boolean): Definition => (i) => {
  const size = i.size(0);
  if (i.operandCount > 1) {
    const x = i.read(1);
    const y = i.operandCount === 3 ? i.read(2) : i.read(0);
    const { low, significant } = product(i, x, y, size, true);
    i.write(0, low);
    return multiplyFlags(i, size, low, significant);
  }
  const { low, high, significant } = product(i, i.read(0), i.register(RAX, size), size, signed);
  if (size === 1) i.setRegister(RAX, 2, low);
  else {
    i.setRegister(RAX, size, low);
    i.setRegister(RDX, size, high);
  }
  multiplyFlags(i, size, low, significant);
};

const divide = (signed: boolean): Definition => (i) => {
  const size = i.size(0);
  const divisor = i.read(0);
  i.faultIf(i.eqz(divisor), VECTOR_DE);
  if (size === 8) {
    const low = i.register(RAX, 8);
    const high = i.register(RDX, 8);
    const quotient = i.variable(low);
    const remainder = i.variable(high);
    // Nearly always the dividend has 64 significant bits. The rest, and -2^63 / -1, is for a helper, which raises #DE itself.
    i.if(signed ? i.and(i.eq(high, i.shrS(low, 63)), i.ne(divisor, -1)) : i.eqz(high), () => {
      i.setVariable(quotient, i.op(signed ? "i64_div_s" : "i64_div_u", [low, divisor]));
      i.setVariable(remainder, i.op(signed ? "i64_rem_s" : "i64_rem_u", [low, divisor]));
    }, () => {
      i.helper(signed ? "idiv128" : "div128", [i.wrap(divisor), i.wrap(i.shrU(divisor, 32))]);
      i.setVariable(quotient, i.state("i64_load", SCRATCH));
      i.setVariable(remainder, i.state("i64_load", SCRATCH + 8));
    }, true);
    i.setRegister(RAX, 8, i.get(quotient));
    i.setRegister(RDX, 8, i.get(remainder));
    return;
  }
  const bits = size * 8;
  const dividend =
    size === 1 ? (signed ? i.extendS(i.signExtend(i.register(RAX, 2), 2)) : i.extendU(i.register(RAX, 2)))
    : i.or(i.shl(i.extendU(i.register(RDX, size)), bits), i.extendU(i.register(RAX, size)));
  const wide = size === 2 && signed ? i.extendS(i.wrap(dividend)) : dividend;
  const by = signed ? i.extendS(i.signExtend(divisor, size)) : i.extendU(divisor);
  // -2^63 / -1 is the one quotient that WebAssembly itself cannot represent, and it overflows every size.
  if (signed && size === 4) i.faultIf(i.and(i.eq(by, -1), i.eq(wide, i.i64(-(2n ** 63n)))), VECTOR_DE);
  const quotient = signed ? i.op("i64_div_s", [wide, by]) : i.op("i64_div_u", [wide, by]);
  const narrow = signed ? i.signExtend(quotient, size) : i.zeroExtend(quotient, size);
  i.faultIf(i.ne(narrow, quotient), VECTOR_DE);
  const remainder = signed ? i.op("i64_rem_s", [wide, by]) : i.op("i64_rem_u", [wide, by]);
  if (size === 1) i.setRegister(RAX, 2, i.or(i.and(i.wrap(quotient), 0xff), i.shl(i.and(i.wrap(remainder), 0xff), 8)));
  else {
    i.setRegister(RAX, size, i.wrap(quotient));
    i.setRegister(RDX, size, i.wrap(remainder));
  }
};

/** CBW, CWDE, CDQE: sign-extends the accumulator from half the operand size. */
const cbw: Definition = (i) => {
  const half = (i.operandSize / 2) as Size;
  i.setRegister(RAX, i.operandSize, i.signExtendTo(i.register(RAX, half), half, i.operandSize));
};

/** CWD, CDQ, CQO: fills rDX with the accumulator's sign. */
const cwd: Definition = (i) => {
  const size = i.operandSize;
  i.setRegister(RDX, size, i.shrS(i.signExtend(i.register(RAX, size), size), size === 8 ? 63 : 31));
};

// ---- decimal adjustment (SDM volume 2, AAA to DAS) ----

const decimalAdjust = (subtract: boolean): Definition => (i) => {
  const al = i.register(RAX, 1);
  const cf = i.flag("CF");
  const low = i.or(i.gtU(i.and(al, 0xf), 9), i.flag("AF"));
  const high = i.or(i.gtU(al, 0x99), cf);
  const correction = i.add(i.mul(low, 6), i.mul(high, 0x60));
  const result = i.and(subtract ? i.sub(al, correction) : i.add(al, correction), 0xff);
  const borrow = subtract ? i.and(low, i.ltU(al, 6)) : i.and(low, i.gtU(al, 0xf9));
  i.setRegister(RAX, 1, result);
  const overflow = subtract ? i.and(i.and(al, i.not(result)), 0x80) : i.and(i.and(i.not(al), result), 0x80);
  i.setFlags({ rule: "result", size: 1, result, cf: i.or(high, borrow), of: i.shrU(overflow, 7), af: low });
};

const asciiAdjust = (subtract: boolean): Definition => (i) => {
  const ax = i.register(RAX, 2);
  const adjust = i.or(i.gtU(i.and(ax, 0xf), 9), i.flag("AF"));
  const delta = i.mul(adjust, 0x106);
  const sum = subtract ? i.sub(ax, delta) : i.add(ax, delta);
  i.setRegister(RAX, 2, i.and(sum, 0xff0f));
  i.setFlags({ rule: "result", size: 1, result: i.and(sum, 0xf), cf: adjust, of: i.i32(0), af: adjust });
};

const aam: Definition = (i) => {
  const base = i.immediate(1);
  i.faultIf(i.eqz(base), VECTOR_DE);
  const al = i.register(RAX, 1);
  const remainder = i.op("i32_rem_u", [al, base]);
  i.setRegister(RAX, 2, i.or(i.shl(i.op("i32_div_u", [al, base]), 8), remainder));
  i.setFlags({ rule: "logic", size: 1, result: remainder });
};

const aad: Definition = (i) => {
  const ax = i.register(RAX, 2);
  const result = i.and(i.add(ax, i.mul(i.shrU(ax, 8), i.immediate(1))), 0xff);
  i.setRegister(RAX, 2, result);
  i.setFlags({ rule: "logic", size: 1, result });
};

/** SALC: AL = CF ? FFh : 0. */
const salc: Definition = (i) => i.setRegister(RAX, 1, i.sub(i.i32(0), i.flag("CF")));

export const ARITHMETIC: Record<string, Definition> = {
  ADD: binary("add"),
  OR: binary("or"),
  ADC: binary("adc"),
  SBB: binary("sbb"),
  AND: binary("and"),
  SUB: binary("sub"),
  XOR: binary("xor"),
  CMP: compare("sub"),
  TEST: compare("and"),
  INC: step("inc"),
  DEC: step("dec"),
  NEG: neg,
  NOT: not,
  XADD: xadd,
  CMPXCHG: cmpxchg,
  CMPXCHG8B: cmpxchgPair,
  CMPXCHG16B: cmpxchgPair,
  MUL: multiply(false),
  IMUL: multiply(true),
  DIV: divide(false),
  IDIV: divide(true),
  CBW: cbw,
  CWD: cwd,
  DAA: decimalAdjust(false),
  DAS: decimalAdjust(true),
  AAA: asciiAdjust(false),
  AAS: asciiAdjust(true),
  AAM: aam,
  AAD: aad,
  SALC: salc,
};
