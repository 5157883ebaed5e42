/**
 * Rounding and dot products of SSE4.1 (SDM volume 1, 12.8.2 and 12.8.5; volume 2, ROUNDPS to ROUNDSD, DPPS, DPPD).
 */
import { irFunction } from "./builder.ts";
import { F32, F64, type Format } from "./float/rounding.ts";
import { FLOAT_FLAGS, IE, PE, raise, roundingOf } from "./float/scratch.ts";
import { f32Arithmetic, f64Arithmetic, quieted, take } from "./float/short.ts";
import type { Definition } from "./instruction.ts";
import type { IrFunction, Value } from "./ir.ts";
import { lanesOf, sseControl, uniteFlags } from "./sse-functions.ts";
import { exactly } from "./sse-float.ts";
import { beginVector, immediateByte, readVector, writeVector } from "./sse-operands.ts";

/** Bits of ROUND's immediate: rounding from MXCSR, no precision exception. */
const FROM_MXCSR = 4;
const QUIET = 8;

/** (bits, immediate, control) to the nearest integer in the direction that the immediate says. */
function roundTo(format: Format): IrFunction {
  const float = format.name;
  return irFunction(`${float}_round`, [format.type, "i32", "i32"], format.type, (b, bits, immediate, control) => {
    const x = take(b, format, bits, control);
    b.if(x.nan, () => {
      b.if(x.signaling, () => raise(b, IE));
      b.return(quieted(b, format, bits));
    });
    const sign = b.and(bits, b.like(bits, format === F32 ? 1 << 31 : -(2n ** 63n)));
    // Under DAZ a denormal counts as zero.
    b.if(x.zero, () => b.return(sign));
    const mode = b.select(b.and(immediate, FROM_MXCSR), roundingOf(b, control), b.and(immediate, 3));
    const number = b.op(`${float}_reinterpret_${format.type}`, [bits]);
    const inMode = (op: string): Value => b.op(`${format.type}_reinterpret_${float}`, [b.op(`${float}_${op}`, [number])]);
    const result = b.variable(inMode("nearest"));
    for (const [n, op] of [[1, "floor"], [2, "ceil"], [3, "trunc"]] as const) b.if(b.eq(mode, n), () => b.setVariable(result, inMode(op)));
    b.if(b.and(b.ne(b.get(result), bits), b.eqz(b.and(immediate, QUIET))), () => raise(b, PE));
    b.return(b.get(result));
  });
}
const roundSingle = roundTo(F32);
const roundDouble = roundTo(F64);

const roundScalar = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const source = i.read(1);
  const result = exactly(i, callee, [source, immediateByte(i), i.call(sseControl, [])]);
  i.setPlace(i.placeOf(0), i.size(0), result);
};

function roundLanes(format: Format, callee: IrFunction): IrFunction {
  const { count, get, set } = lanesOf(format);
  return irFunction(`${callee.name}_packed`, ["v128", "i32"], "v128", (b, x, immediate) => {
    const control = b.call(sseControl, []);
    const result = b.variable(x);
    uniteFlags(b, count, (n) => b.setVariable(result, set(b, b.get(result), n, b.call(callee, [get(b, x, n), immediate, control]))));
    b.return(b.get(result));
  });
}

const roundPacked = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  const result = exactly(i, callee, [source, immediateByte(i)]);
  writeVector(i, 0, result);
};

/** DPPS, DPPD: bits 7-4 of the immediate choose the products, bits 3-0 where their sum goes; every step rounds and raises, and the first with an unmasked exception is the last. */
function dotProduct(format: Format): IrFunction {
  const { count, get, set } = lanesOf(format);
  const { add, mul } = format === F32 ? f32Arithmetic : f64Arithmetic;
  return irFunction(`${format.name}_dot`, ["v128", "v128", "i32"], "v128", (b, x, y, immediate) => {
    const control = b.call(sseControl, []);
    const flags = b.variable(b.i32(0));
    const step = (callee: IrFunction, p: Value, q: Value): Value => {
      b.setState("i32_store", FLOAT_FLAGS, b.i32(0));
      const result = b.call(callee, [p, q, control]);
      b.setVariable(flags, b.or(b.get(flags), b.state("i32_load", FLOAT_FLAGS)));
      return result;
    };
    const endStage = (): void => b.if(b.and(b.and(b.get(flags), b.not(control)), 0x3f), () => {
      b.setState("i32_store", FLOAT_FLAGS, b.get(flags));
      b.return(x);
    }, undefined, false);
    const zero = (): Value => (format === F32 ? b.i32(0) : b.i64(0));
    const products = Array.from({ length: count }, (_, n) => {
      const product = b.variable(zero());
      b.if(b.and(immediate, 0x10 << n), () => b.setVariable(product, step(mul, get(b, x, n), get(b, y, n))));
      return product;
    });
    endStage();
    const pair = (n: number): Value => step(add, b.get(products[n]!), b.get(products[n + 1]!));
    const sum = b.variable(pair(0));
    if (count === 4) {
      const upper = b.variable(pair(2));
      endStage();
      b.setVariable(sum, step(add, b.get(sum), b.get(upper)));
    }
    b.setState("i32_store", FLOAT_FLAGS, b.get(flags));
    let result = b.v128(new Uint8Array(16));
    for (let n = 0; n < count; n++) result = set(b, result, n, b.select(b.and(immediate, 1 << n), b.get(sum), zero()));
    b.return(result);
  });
}

const dot = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const source = readVector(i, 1);
  const result = exactly(i, callee, [readVector(i, 0), source, immediateByte(i)]);
  writeVector(i, 0, result);
};

export const SSE4_FLOAT: Record<string, Definition> = {
  ROUNDSS: roundScalar(roundSingle),
  ROUNDSD: roundScalar(roundDouble),
  ROUNDPS: roundPacked(roundLanes(F32, roundSingle)),
  ROUNDPD: roundPacked(roundLanes(F64, roundDouble)),
  DPPS: dot(dotProduct(F32)),
  DPPD: dot(dotProduct(F64)),
};
