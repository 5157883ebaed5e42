/**
 * What x87 arithmetic, comparison and register moves do to the register stack, as IR functions (SDM volume 1, 8.3 and 8.5). A
 * missing operand is a stack underflow; a masked one puts the indefinite into the destination. Unmasked invalid, denormal and
 * zero-divide exceptions leave destination and stack alone; unmasked overflow, underflow and precision do not.
 */
import { FSW_C0, FSW_C1, FSW_C2, FSW_C3 } from "@doppel/x86";
import { irFunction, type Builder } from "./builder.ts";
import { f80Compare, f80RoundToInteger } from "./float/conversions.ts";
import { f80Add, f80Div, f80Mul, f80Sqrt, f80Sub } from "./float/extended.ts";
import { f80Exponent, f80Fraction, f80IeeeRemainder, f80Remainder, f80Scale, INCOMPLETE } from "./float/remainder.ts";
import { FLOAT_EXTRA } from "./float/scratch.ts";
import type { IrFunction, Value } from "./ir.ts";
import {
  clearFloatFlags, commitFlags, control, indefinite, isEmpty, moveTop, popStack, readStack, resultSe, setStatusBits, stackFault, writeStack,
} from "./x87-stack.ts";

const CONDITIONS = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3;

/** A stack underflow: `masked` runs when the exception is masked; the function ends with 0. */
function underflowIf(b: Builder, condition: Value, masked: () => void): void {
  b.if(condition, () => {
    b.if(b.call(stackFault, [b.i32(0)]), masked);
    b.return(b.i32(0));
  }, undefined, false);
}

function writeIndefinite(b: Builder, index: Value | number): void {
  const nan = indefinite(b);
  writeStack(b, index, nan.significand, nan.se);
}

const OPERATIONS: Record<string, IrFunction> = { add: f80Add, sub: f80Sub, mul: f80Mul, div: f80Div };

/** (x, y, destination, pops): stack indices; destination = x op y, then pops. */
function stackOperation(name: string): IrFunction {
  return irFunction(`x87_${name}`, ["i32", "i32", "i32", "i32"], "i32", (b, x, y, destination, pops) => {
    underflowIf(b, b.or(isEmpty(b, x), isEmpty(b, y)), () => {
      writeIndefinite(b, destination);
      popStack(b, pops);
    });
    clearFloatFlags(b);
    const [u, v] = [readStack(b, x), readStack(b, y)];
    const result = b.call(OPERATIONS[name]!, [u.significand, u.se, v.significand, v.se, control(b)]);
    b.if(b.call(commitFlags, []), () => {
      writeStack(b, destination, result, resultSe(b));
      popStack(b, pops);
    });
    b.return(b.i32(0));
  });
}

/** (significand, se, reversed): ST(0) = ST(0) op operand, or operand op ST(0). The operand's conversion has begun the flags. */
function memoryOperation(name: string): IrFunction {
  return irFunction(`x87_${name}_operand`, ["i64", "i32", "i32"], "i32", (b, significand, se, reversed) => {
    underflowIf(b, isEmpty(b, 0), () => writeIndefinite(b, 0));
    const top = readStack(b, 0);
    const pick = (u: Value, v: Value): Value => b.select(reversed, u, v);
    const result = b.call(OPERATIONS[name]!, [
      pick(significand, top.significand), pick(se, top.se), pick(top.significand, significand), pick(top.se, se), control(b),
    ]);
    b.if(b.call(commitFlags, []), () => writeStack(b, 0, result, resultSe(b)));
    b.return(b.i32(0));
  });
}

/** By operation: on two registers, and on ST(0) and an operand from memory. */
export const STACK_OPERATION: Record<string, IrFunction> = {};
export const OPERAND_OPERATION: Record<string, IrFunction> = {};
for (const name of Object.keys(OPERATIONS)) {
  STACK_OPERATION[name] = stackOperation(name);
  OPERAND_OPERATION[name] = memoryOperation(name);
}

/** ST(0) = f(ST(0)). */
function unary(name: string, callee: IrFunction): IrFunction {
  return irFunction(`x87_${name}`, [], "i32", (b) => {
    underflowIf(b, isEmpty(b, 0), () => writeIndefinite(b, 0));
    clearFloatFlags(b);
    const top = readStack(b, 0);
    const result = b.call(callee, [top.significand, top.se, control(b)]);
    b.if(b.call(commitFlags, []), () => writeStack(b, 0, result, resultSe(b)));
    b.return(b.i32(0));
  });
}
export const squareRoot = unary("sqrt", f80Sqrt);
export const roundToInteger = unary("round", f80RoundToInteger);

/** ST(0) = ST(0) * 2^trunc(ST(1)). */
export const scale = irFunction("x87_scale", [], "i32", (b) => {
  underflowIf(b, b.or(isEmpty(b, 0), isEmpty(b, 1)), () => writeIndefinite(b, 0));
  clearFloatFlags(b);
  const [x, y] = [readStack(b, 0), readStack(b, 1)];
  const result = b.call(f80Scale, [x.significand, x.se, y.significand, y.se, control(b)]);
  b.if(b.call(commitFlags, []), () => writeStack(b, 0, result, resultSe(b)));
  b.return(b.i32(0));
});

/** FPREM and FPREM1: C0, C3, C1 are bits 2, 1, 0 of the quotient; C2 says that another step is needed. */
function partialRemainder(name: string, callee: IrFunction): IrFunction {
  return irFunction(`x87_${name}`, [], "i32", (b) => {
    underflowIf(b, b.or(isEmpty(b, 0), isEmpty(b, 1)), () => {
      setStatusBits(b, FSW_C2, 0);
      writeIndefinite(b, 0);
    });
    clearFloatFlags(b);
    const [x, y] = [readStack(b, 0), readStack(b, 1)];
    const result = b.call(callee, [x.significand, x.se, y.significand, y.se, control(b)]);
    const quotient = b.state("i32_load", FLOAT_EXTRA);
    const bit = (n: number, to: number): Value => b.shl(b.and(b.shrU(quotient, n), 1), to);
    b.if(b.call(commitFlags, []), () => {
      const codes = b.or(b.or(bit(2, 8), bit(1, 14)), b.or(bit(0, 9), b.shl(b.eq(quotient, INCOMPLETE), 10)));
      setStatusBits(b, CONDITIONS, codes);
      writeStack(b, 0, result, resultSe(b));
    }, () => setStatusBits(b, FSW_C2, 0));
    b.return(b.i32(0));
  });
}
export const remainder = partialRemainder("prem", f80Remainder);
export const ieeeRemainder = partialRemainder("prem1", f80IeeeRemainder);

/** FXTRACT: the exponent replaces ST(0), the significand is pushed. */
export const extract = irFunction("x87_extract", [], "i32", (b) => {
  const empty = isEmpty(b, 0);
  b.if(b.or(empty, b.eqz(isEmpty(b, 7))), () => {
    b.if(b.call(stackFault, [b.eqz(empty)]), () => {
      writeIndefinite(b, 0);
      moveTop(b, -1);
      writeIndefinite(b, 0);
    });
    b.return(b.i32(0));
  }, undefined, false);
  clearFloatFlags(b);
  const top = readStack(b, 0);
  const fraction = b.call(f80Fraction, [top.significand, top.se]);
  const fractionSe = resultSe(b);
  const exponent = b.call(f80Exponent, [top.significand, top.se]);
  b.if(b.call(commitFlags, []), () => {
    writeStack(b, 0, exponent, resultSe(b));
    moveTop(b, -1);
    writeStack(b, 0, fraction, fractionSe);
  });
  b.return(b.i32(0));
});

/** A comparison's result goes to C3 C2 C0, or as the function's result to CF PF ZF: also after an unmasked exception, which only keeps the stack. */
function finishComparison(b: Builder, order: Value, toFlags: boolean, pops: Value): void {
  if (!toFlags) setStatusBits(b, FSW_C0 | FSW_C2 | FSW_C3, b.shl(order, 8));
  b.if(b.call(commitFlags, []), () => popStack(b, pops));
  b.return(order);
}

/** Ends a comparison with a missing operand: unordered. */
function finishMissing(b: Builder, toFlags: boolean, pops: Value): void {
  if (!toFlags) setStatusBits(b, 0, FSW_C0 | FSW_C2 | FSW_C3);
  b.if(b.call(stackFault, [b.i32(0)]), () => popStack(b, pops));
  b.return(b.i32(0x45));
}

function comparison(name: string, toFlags: boolean): IrFunction {
  return irFunction(name, ["i32", "i32", "i32"], "i32", (b, y, quiet, pops) => {
    b.if(b.or(isEmpty(b, 0), isEmpty(b, y)), () => finishMissing(b, toFlags, pops), undefined, false);
    clearFloatFlags(b);
    const [u, v] = [readStack(b, 0), readStack(b, y)];
    const order = b.call(f80Compare, [u.significand, u.se, v.significand, v.se, quiet]);
    finishComparison(b, order, toFlags, pops);
  });
}
/** (index, quiet, pops): ST(0) with another register. */
export const compareStack = comparison("x87_compare", false);
export const compareToFlags = comparison("x87_compare_flags", true);
/** (significand, se, pops): ST(0) with an operand from memory or zero; a quiet NaN is invalid. */
export const compareOperand = irFunction("x87_compare_operand", ["i64", "i32", "i32"], "i32", (b, significand, se, pops) => {
  b.if(isEmpty(b, 0), () => finishMissing(b, false, pops), undefined, false);
  const top = readStack(b, 0);
  const order = b.call(f80Compare, [top.significand, top.se, significand, se, b.i32(0)]);
  finishComparison(b, order, false, pops);
});

/** FXAM: sign in C1, class in C3 C2 C0: unsupported 0, NaN 1, normal 4, infinity 5, zero 40h, empty 41h, denormal 44h (shifted left by 8). */
export const examine = irFunction("x87_examine", [], "i32", (b) => {
  const { significand, se } = readStack(b, 0);
  const exponent = b.and(se, 0x7fff);
  const integer = b.ltS(significand, 0);
  const top = b.select(b.eqz(b.shl(significand, 1)), b.i32(5), b.i32(1));
  const nonzero = b.select(integer, b.select(b.eq(exponent, 0x7fff), top, b.i32(4)), b.i32(0));
  const tiny = b.select(b.eqz(significand), b.i32(0x40), b.i32(0x44));
  const kind = b.select(isEmpty(b, 0), b.i32(0x41), b.select(exponent, nonzero, tiny));
  setStatusBits(b, CONDITIONS, b.or(b.shl(kind, 8), b.and(b.shrU(se, 6), FSW_C1)));
  b.return(b.i32(0));
});

/** FXCH. An empty register counts as the indefinite once the stack underflow is masked. */
export const exchange = irFunction("x87_exchange", ["i32"], "i32", (b, index) => {
  const [emptyTop, emptyOther] = [isEmpty(b, 0), isEmpty(b, index)];
  b.if(b.or(emptyTop, emptyOther), () => {
    b.if(b.eqz(b.call(stackFault, [b.i32(0)])), () => b.return(b.i32(0)));
    b.if(emptyTop, () => writeIndefinite(b, 0));
    b.if(emptyOther, () => writeIndefinite(b, index));
  }, () => setStatusBits(b, FSW_C1, 0), false);
  const [u, v] = [readStack(b, 0), readStack(b, index)];
  writeStack(b, 0, v.significand, v.se);
  writeStack(b, index, u.significand, u.se);
  b.return(b.i32(0));
});

/** FCHS and FABS, (and, xor): the sign of ST(0) is (se & and) ^ xor. */
export const changeSign = irFunction("x87_sign", ["i32", "i32"], "i32", (b, and, xor) => {
  underflowIf(b, isEmpty(b, 0), () => writeIndefinite(b, 0));
  setStatusBits(b, FSW_C1, 0);
  const top = readStack(b, 0);
  writeStack(b, 0, top.significand, b.xor(b.and(top.se, and), xor));
  b.return(b.i32(0));
});

/** FLD ST(i): an empty source pushes the indefinite when the underflow is masked. */
export const loadStack = irFunction("x87_load", ["i32"], "i32", (b, index) => {
  const source = readStack(b, index);
  const occupied = b.eqz(isEmpty(b, 7));
  b.if(b.or(isEmpty(b, index), occupied), () => {
    b.if(b.call(stackFault, [occupied]), () => {
      moveTop(b, -1);
      writeIndefinite(b, 0);
    });
    b.return(b.i32(0));
  }, undefined, false);
  setStatusBits(b, FSW_C1, 0);
  moveTop(b, -1);
  writeStack(b, 0, source.significand, source.se);
  b.return(b.i32(0));
});

/** FSTPNCE ST(i) (D9 D8+i): copies and pops, and knows no exception; an empty register is only popped. */
export const storeStackSilently = irFunction("x87_store_silently", ["i32"], "i32", (b, destination) => {
  b.if(b.eqz(isEmpty(b, 0)), () => {
    const top = readStack(b, 0);
    writeStack(b, destination, top.significand, top.se);
  });
  popStack(b, 1);
  b.return(b.i32(0));
});

/** (destination, pops): FST ST(i). */
export const storeStack = irFunction("x87_store", ["i32", "i32"], "i32", (b, destination, pops) => {
  underflowIf(b, isEmpty(b, 0), () => {
    writeIndefinite(b, destination);
    popStack(b, pops);
  });
  setStatusBits(b, FSW_C1, 0);
  const top = readStack(b, 0);
  writeStack(b, destination, top.significand, top.se);
  popStack(b, pops);
  b.return(b.i32(0));
});

/** (index, condition): FCMOVcc. An empty register is an underflow, and gives the indefinite, whatever the condition says. */
export const moveIf = irFunction("x87_move_if", ["i32", "i32"], "i32", (b, index, condition) => {
  underflowIf(b, b.or(isEmpty(b, 0), isEmpty(b, index)), () => writeIndefinite(b, 0));
  setStatusBits(b, FSW_C1, 0);
  b.if(condition, () => {
    const source = readStack(b, index);
    writeStack(b, 0, source.significand, source.se);
  });
  b.return(b.i32(0));
});
