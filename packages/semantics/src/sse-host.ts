/**
 * Where the host's own arithmetic gives the bits and flags that SSE's does (SDM volume 1, sections 11.5.2 and 4.9.1): rounding to nearest,
 * the precision exception masked and noted already, no operand a NaN or denormal, and a result that is neither tiny nor too large. What
 * follows from none of that is for the exact functions, which stand out of line.
 *
 * Most numbers are results of such operations, so that it is known of registers that they are not denormal.
 */
import type { Builder } from "./builder.ts";
import { F32, F64, type Format } from "./float/rounding.ts";
import type { InstructionBuilder } from "./instruction.ts";
import type { Place, Value } from "./ir.ts";
import { MXCSR } from "./layout.ts";

/** RC and the mask and flag of the precision exception, and what they are when the host rounds as SSE does and nothing is to be noted. */
const ROUNDING = 0x7020;
const AS_HOST = 0x1020;

/** A result, and what must be so for it to be SSE's. */
export interface Attempt {
  readonly result: Value;
  readonly fits: readonly Value[];
}

/** An operation on numbers of a format, in the host's arithmetic. */
export type HostOperation = (i: InstructionBuilder, format: Format, ...operands: Value[]) => Attempt;

/** 1 when results may be inexact. */
export function roundsAsHost(b: Builder): Value {
  return b.steady("rounding", b.eq(b.and(b.state("i32_load", MXCSR), ROUNDING), AS_HOST));
}

/** The word of a number with sign and exponent. */
function upperWord(b: Builder, format: Format, x: Value): Value {
  return format === F32 ? b.op("i32_reinterpret_f32", [x]) : b.wrap(b.shrU(b.op("i64_reinterpret_f64", [x]), 32));
}

/**
 * 1 when results may be inexact, and a number is neither a NaN nor infinite nor near to being denormal: one more than its exponent, in which
 * those are 0 to 3, has a bit beyond.
 */
function isPlain(b: Builder, format: Format, x: Value): Value {
  const unit = format === F32 ? 1 << 23 : 1 << 20;
  const mask = b.steady(`${format.name} mask`, b.mul(roundsAsHost(b), (format.maxExponent & ~3) * unit));
  return b.ne(b.and(b.add(upperWord(b, format, x), unit), mask), 0);
}

/** 1 when a number is not denormal (nor the smallest one that is not): zero becomes the largest when 1 is taken from it. */
export function isNotDenormal(b: Builder, format: Format, x: Value): Value {
  const bits = b.op(`${format.type}_reinterpret_${format.name}`, [x]);
  return b.ne(b.shrU(b.sub(b.shl(bits, 1), 1), format.fraction + 1), 0);
}

/** Of a register: its lowest number of this format is not denormal. */
export function regular(format: Format): string {
  return `a regular ${format.name}`;
}

/** 1 when an operand, which may be in a register, is not denormal. */
function isRegular(i: InstructionBuilder, format: Format, x: Value): Value {
  const value = isNotDenormal(i, format, x);
  return x.op === "place" ? i.known((x.data as { place: Place }).place, regular(format), value) : value;
}

/** 1 when two numbers have an order: neither is a NaN. */
function isOrdered(b: Builder, format: Format, x: Value, y: Value): Value {
  return b.or(b.op(`${format.name}_le`, [x, y]), b.op(`${format.name}_ge`, [x, y]));
}

const arithmetic = (name: string): HostOperation => (i, format, ...operands) => {
  const result = i.op(`${format.name}_${name}`, operands);
  return { result, fits: [isPlain(i, format, result), ...operands.map((x) => isRegular(i, format, x))] };
};

/** What must be so for a comparison to raise no flag. */
function comparable(i: InstructionBuilder, format: Format, x: Value, y: Value): Value[] {
  return [isOrdered(i, format, x, y), isRegular(i, format, x), isRegular(i, format, y)];
}

/** The second operand where both are zeros. */
const extreme = (comparison: "lt" | "gt"): HostOperation => (b, format, x, y) =>
  ({ result: b.select(b.op(`${format.name}_${comparison}`, [x!, y!]), x!, y!), fits: comparable(b, format, x!, y!) });

/** Operations of scalars by the beginning of their mnemonics. */
export const HOST_SCALAR: Readonly<Record<string, HostOperation>> = {
  ADD: arithmetic("add"), SUB: arithmetic("sub"), MUL: arithmetic("mul"), DIV: arithmetic("div"), SQRT: arithmetic("sqrt"), MIN: extreme("lt"), MAX: extreme("gt"),
};

/** ZF at its place for equal numbers, CF for a smaller first one. */
export const hostOrder: HostOperation = (b, format, x, y) =>
  ({ result: b.or(b.shl(b.op(`${format.name}_eq`, [x!, y!]), 6), b.op(`${format.name}_lt`, [x!, y!])), fits: comparable(b, format, x!, y!) });

/** CMPccSS and CMPccSD: bits 0 and 1 of the predicate choose equal, less, either or (of ordered numbers) neither, bit 2 negates. */
export const hostComparison = (predicate: Value): HostOperation => (b, format, x, y) => {
  const [equal, less] = [b.op(`${format.name}_eq`, [x!, y!]), b.op(`${format.name}_lt`, [x!, y!])];
  const holds = b.or(b.and(equal, b.not(predicate)), b.and(less, b.xor(predicate, b.shrU(predicate, 1))));
  const mask = b.sub(b.i32(0), b.xor(holds, b.and(b.shrU(predicate, 2), 1)));
  return { result: format === F32 ? mask : b.extendS(mask), fits: comparable(b, format, x!, y!) };
};

/** An integer to a number: only one of 32 bits always fits a double. */
export function hostFromInteger(b: Builder, format: Format, value: Value): Attempt {
  const result = b.op(`${format.name}_convert_${value.type}_s`, [value]);
  return { result, fits: format === F64 && value.type === "i32" ? [] : [roundsAsHost(b)] };
}

/** A number to an integer, to the nearest one or toward zero, where neither end of the integer's range is near. */
export function hostToInteger(b: Builder, format: Format, type: "i32" | "i64", truncate: boolean, x: Value): Attempt {
  const whole = truncate ? x : b.op(`${format.name}_nearest`, [x]);
  const limit = b.float(format.name, type === "i32" ? 2 ** 31 : 2 ** 63);
  return {
    result: b.op(`${type}_trunc_sat_${format.name}_s`, [whole]),
    fits: [roundsAsHost(b), b.op(`${format.name}_lt`, [b.op(`${format.name}_abs`, [whole]), limit])],
  };
}

/** Single to double. */
export function hostWider(i: InstructionBuilder, x: Value): Attempt {
  return { result: i.op("f64_promote_f32", [x]), fits: [i.op("f32_eq", [x, x]), isRegular(i, F32, x)] };
}

/** Double to single. */
export function hostNarrower(b: Builder, x: Value): Attempt {
  const result = b.op("f32_demote_f64", [x]);
  return { result, fits: [isPlain(b, F32, result)] };
}
