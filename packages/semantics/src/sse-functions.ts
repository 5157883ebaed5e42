/**
 * SSE floating point on scalars and lanes, as IR functions (SDM volume 1, 11.5). A packed function goes lane by lane, uniting the lanes' flags.
 */
import { irFunction, type Builder } from "./builder.ts";
import { F32, F64, type Format } from "./float/rounding.ts";
import { FLOAT_FLAGS } from "./float/scratch.ts";
import { defaultNaN, f32Arithmetic, f64Arithmetic, HOST, quieted, take } from "./float/short.ts";
import { f32Compare, f32Max, f32Min, f64Compare, f64Max, f64Min } from "./float/short-conversions.ts";
import type { IrFunction, Value } from "./ir.ts";
import { MXCSR } from "./layout.ts";
import { clearFloatFlags, floatFlags } from "./x87-stack.ts";

/** MXCSR as soft float's control argument. */
export const sseControl = irFunction("sse_control", [], "i32", (b) => {
  const mxcsr = b.state("i32_load", MXCSR);
  const exact = b.or(b.or(b.and(b.shrU(mxcsr, 7), 0x3f), b.and(b.shrU(mxcsr, 3), 0xc00)), b.and(mxcsr, 0x8040));
  // Rounding to nearest, inexact results masked and already noted: the host's arithmetic may serve.
  const host = b.eq(b.and(mxcsr, 0x7020), 0x1020);
  b.return(b.or(exact, b.mul(host, HOST)));
});

const raisers = new Map<IrFunction, IrFunction>();

/** The same function with its flags taken into MXCSR; where one is unmasked, MXCSR stays and FLOAT_FLAGS has them, else 0. */
export function raising(callee: IrFunction): IrFunction {
  const known = raisers.get(callee);
  if (known !== undefined) return known;
  const made = irFunction(`${callee.name}_raising`, callee.parameters, callee.result, (b, ...args) => {
    clearFloatFlags(b);
    const result = b.call(callee, args);
    const flags = b.and(floatFlags(b), 0x3f);
    const mxcsr = b.state("i32_load", MXCSR);
    const unmasked = b.and(flags, b.not(b.shrU(mxcsr, 7)));
    b.setState("i32_store", MXCSR, b.or(mxcsr, b.select(unmasked, b.i32(0), flags)));
    b.setState("i32_store", FLOAT_FLAGS, b.select(unmasked, flags, b.i32(0)));
    b.return(result);
  });
  raisers.set(callee, made);
  return made;
}

/** Number of a format's lanes in a vector, and their accessors. */
export function lanesOf(format: Format): { count: number; get: (b: Builder, v: Value, n: number) => Value; set: (b: Builder, v: Value, n: number, x: Value) => Value } {
  const shape = format === F32 ? "i32x4" : "i64x2";
  return {
    count: format === F32 ? 4 : 2,
    get: (b, v, n) => b.op(`${shape}_extract_lane`, [v], n),
    set: (b, v, n, x) => b.op(`${shape}_replace_lane`, [v, x], n),
  };
}

/** Runs lanes one after another; each begins with no flags, and all their flags are raised at the end. */
export function uniteFlags(b: Builder, count: number, lane: (n: number) => void): void {
  const all = b.variable(b.i32(0));
  for (let n = 0; n < count; n++) {
    b.setState("i32_store", FLOAT_FLAGS, b.i32(0));
    lane(n);
    b.setVariable(all, b.or(b.get(all), b.state("i32_load", FLOAT_FLAGS)));
  }
  b.setState("i32_store", FLOAT_FLAGS, b.get(all));
}

/** A packed function from a scalar one of (x, y, control), or (y, control) when `unary`. */
function perLane(format: Format, name: string, scalar: IrFunction, unary: boolean): IrFunction {
  const { count, get, set } = lanesOf(format);
  return irFunction(`${name}_packed`, ["v128", "v128"], "v128", (b, x, y) => {
    const control = b.call(sseControl, []);
    const result = b.variable(x);
    uniteFlags(b, count, (n) => {
      const args = unary ? [get(b, y, n), control] : [get(b, x, n), get(b, y, n), control];
      b.setVariable(result, set(b, b.get(result), n, b.call(scalar, args)));
    });
    b.return(b.get(result));
  });
}

/** ADDSUBPS, ADDSUBPD: even lanes are subtracted, odd ones added. */
function alternating(format: Format): IrFunction {
  const { count, get, set } = lanesOf(format);
  const { add, sub } = format === F32 ? f32Arithmetic : f64Arithmetic;
  return irFunction(`${format.name}_addsub`, ["v128", "v128"], "v128", (b, x, y) => {
    const control = b.call(sseControl, []);
    const result = b.variable(x);
    uniteFlags(b, count, (n) =>
      b.setVariable(result, set(b, b.get(result), n, b.call(n & 1 ? add : sub, [get(b, x, n), get(b, y, n), control]))));
    b.return(b.get(result));
  });
}

/** CMPccSS and CMPccSD: (x, y, predicate, control) to a mask. Bit 2 of the predicate negates equal, less, less or equal, unordered. */
function comparison(format: Format): IrFunction {
  const compare = format === F32 ? f32Compare : f64Compare;
  return irFunction(`${format.name}_cmp`, [format.type, format.type, "i32", "i32"], format.type, (b, x, y, predicate, control) => {
    const kind = b.and(predicate, 3);
    const order = b.call(compare, [x, y, b.eqz(b.or(b.eq(kind, 1), b.eq(kind, 2))), control]);
    const [less, equal] = [b.eq(order, 1), b.eq(order, 0x40)];
    const positive = b.select(b.eqz(kind), equal, b.select(b.eq(kind, 1), less, b.select(b.eq(kind, 2), b.or(less, equal), b.eq(order, 0x45))));
    const yes = b.xor(positive, b.and(b.shrU(predicate, 2), 1));
    const mask = b.sub(b.i32(0), yes);
    b.return(format === F32 ? mask : b.extendS(mask));
  });
}

function packedComparison(format: Format, scalar: IrFunction): IrFunction {
  const { count, get, set } = lanesOf(format);
  return irFunction(`${format.name}_cmp_packed`, ["v128", "v128", "i32"], "v128", (b, x, y, predicate) => {
    const control = b.call(sseControl, []);
    const result = b.variable(x);
    uniteFlags(b, count, (n) => b.setVariable(result, set(b, b.get(result), n, b.call(scalar, [get(b, x, n), get(b, y, n), predicate, control]))));
    b.return(b.get(result));
  });
}

/**
 * RCPSS: the quotient rounded to nearest, well inside the manual's bound of 1.5 * 2^-12; a denormal operand counts as zero, a denormal result becomes
 * one; no flags.
 */
export const reciprocal = irFunction("f32_rcp", ["i32", "i32"], "i32", (b, bits, control) => {
  const x = take(b, F32, bits, b.or(control, 0x40));
  b.if(x.nan, () => b.return(quieted(b, F32, bits)));
  const sign = b.and(bits, 1 << 31);
  b.if(x.zero, () => b.return(b.or(sign, 0x7f80_0000)));
  const quotient = b.op("i32_reinterpret_f32", [b.op("f32_div", [b.float("f32", 1), b.op("f32_reinterpret_i32", [bits])])]);
  b.return(b.select(b.and(quotient, 0x7f80_0000), quotient, sign));
});

/** RSQRTSS: by way of f64, correct to the last place but one; a denormal operand counts as zero, a negative one gives the default NaN. */
export const reciprocalRoot = irFunction("f32_rsqrt", ["i32", "i32"], "i32", (b, bits, control) => {
  const x = take(b, F32, bits, b.or(control, 0x40));
  b.if(x.nan, () => b.return(quieted(b, F32, bits)));
  b.if(x.zero, () => b.return(b.or(b.and(bits, 1 << 31), 0x7f80_0000)));
  b.if(x.negative, () => b.return(defaultNaN(b, F32)));
  const root = b.op("f64_sqrt", [b.op("f64_promote_f32", [b.op("f32_reinterpret_i32", [bits])])]);
  b.return(b.op("i32_reinterpret_f32", [b.op("f32_demote_f64", [b.op("f64_div", [b.float("f64", 1), root])])]));
});

/** Functions of one format. Scalar ones take a control argument, packed ones find it themselves. */
export interface FormatFunctions {
  readonly scalar: Readonly<Record<string, IrFunction>>;
  readonly packed: Readonly<Record<string, IrFunction>>;
  readonly compareScalar: IrFunction;
  readonly comparePacked: IrFunction;
  readonly order: IrFunction;
}

function functionsOf(format: Format): FormatFunctions {
  const arithmetic = format === F32 ? f32Arithmetic : f64Arithmetic;
  const [min, max] = format === F32 ? [f32Min, f32Max] : [f64Min, f64Max];
  const cmp = comparison(format);
  const single = format === F32;
  return {
    scalar: {
      ADD: arithmetic.add, SUB: arithmetic.sub, MUL: arithmetic.mul, DIV: arithmetic.div, MIN: min, MAX: max, SQRT: arithmetic.sqrt,
      ...(single ? { RCP: reciprocal, RSQRT: reciprocalRoot } : {}),
    },
    packed: {
      ADD: perLane(format, `${format.name}_add`, arithmetic.add, false), SUB: perLane(format, `${format.name}_sub`, arithmetic.sub, false),
      MUL: perLane(format, `${format.name}_mul`, arithmetic.mul, false), DIV: perLane(format, `${format.name}_div`, arithmetic.div, false),
      MIN: perLane(format, `${format.name}_min`, min, false), MAX: perLane(format, `${format.name}_max`, max, false),
      SQRT: perLane(format, `${format.name}_sqrt`, arithmetic.sqrt, true), ADDSUB: alternating(format),
      ...(single ? { RCP: perLane(F32, "f32_rcp", reciprocal, true), RSQRT: perLane(F32, "f32_rsqrt", reciprocalRoot, true) } : {}),
    },
    compareScalar: cmp,
    comparePacked: packedComparison(format, cmp),
    order: single ? f32Compare : f64Compare,
  };
}
export const F32_FUNCTIONS = functionsOf(F32);
export const F64_FUNCTIONS = functionsOf(F64);
