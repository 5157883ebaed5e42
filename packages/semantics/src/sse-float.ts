/**
 * SSE, SSE2 and SSE3 floating point instructions (SDM volume 2): arithmetic, comparison, conversion. Flags go to MXCSR; an unmasked
 * exception raises #XM (a helper decides between it and #UD) before anything else changes. What the host computes alike is left
 * to it (`sse-host.ts`, `sse-host-packed.ts`); everything else is done by functions that stand out of line.
 */
import type { Builder } from "./builder.ts";
import { F32, F64, type Format } from "./float/rounding.ts";
import { f32ToF64, f32ToI32, f32ToI64, f64ToF32, f64ToI32, f64ToI64, i64ToF32, i64ToF64 } from "./float/short-conversions.ts";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { IrFunction, Place, Value } from "./ir.ts";
import { F32_FUNCTIONS, F64_FUNCTIONS, raising, sseControl } from "./sse-functions.ts";
import { PACKED_CONVERSION } from "./sse-conversions.ts";
import { type Attempt, HOST_SCALAR, hostComparison, hostFromInteger, hostNarrower, type HostOperation, hostOrder, hostToInteger, hostWider, isNotDenormal, regular } from "./sse-host.ts";
import { HOST_CONVERSION, HOST_PACKED, hostPackedComparison, type PackedHostOperation } from "./sse-host-packed.ts";
import { lanes, shuffle } from "./sse-integer.ts";
import { beginVector, enterMmx, immediateByte, isMmx, lowLane, partOf, readMmx, readVector, usesMmx, writeMmx, writeVector } from "./sse-operands.ts";
import { floatFlags } from "./x87-stack.ts";

/** Raises #XM when a function has left flags that are unmasked. */
function raiseUnmasked(i: InstructionBuilder): void {
  const flags = floatFlags(i);
  i.if(flags, () => i.helper("simdException", [flags]), undefined, false);
}

/** Calls a function of soft float and takes its flags; #XM for an unmasked exception. Stands before every other commit. */
export function exactly(i: InstructionBuilder, callee: IrFunction, args: readonly Value[]): Value {
  const result = i.call(raising(callee), args);
  raiseUnmasked(i);
  return result;
}

/** What the host computes, where that is what SSE does, and otherwise something exact. */
function hostOr(i: InstructionBuilder, { result, fits }: Attempt, exact: () => Value): Value {
  if (fits.length === 0) return result;
  const taken = i.variable(result);
  i.if(i.all(fits), () => {}, () => i.setVariable(taken, exact()), true);
  return i.get(taken);
}

/** The same for the lowest number of operand 0. It is noted not to be denormal, and so is a source that the attempt asks about. */
function setFloat(i: InstructionBuilder, format: Format, attempt: Attempt, exact: () => Value, source?: Value): void {
  const place = i.placeOf(0);
  const result = hostOr(i, attempt, () => {
    const value = exact();
    if (source?.op === "place") i.note((source.data as { place: Place }).place, regular(format), isNotDenormal(i, format, source));
    i.note(place, regular(format), isNotDenormal(i, format, value));
    return value;
  });
  i.setPlace(place, format.size, result);
}

/** Reads a scalar operand as a float. */
function readFloat(i: InstructionBuilder, n: number, { name, size }: Format): Value {
  return i.inMemory(n) ? i.load(i.memory(), size, name) : i.place(i.placeOf(n), size, name);
}
function bitsOf(i: InstructionBuilder, { name, type }: Format, x: Value): Value {
  return i.op(`${type}_reinterpret_${name}`, [x]);
}
function fromBits(i: InstructionBuilder, { name, type }: Format, bits: Value): Value {
  return i.op(`${name}_reinterpret_${type}`, [bits]);
}

/** Arithmetic of two scalars, or of one (`unary`); the rest of the destination stays. */
const scalar = (format: Format, callee: IrFunction, unary: boolean, host: HostOperation | undefined): Definition => (i) => {
  beginVector(i);
  const y = readFloat(i, 1, format);
  const operands = unary ? [y] : [readFloat(i, 0, format), y];
  const exact = (): Value => fromBits(i, format, exactly(i, callee, [...operands.map((x) => bitsOf(i, format, x)), i.call(sseControl, [])]));
  if (host === undefined) i.setPlace(i.placeOf(0), format.size, exact());
  else setFloat(i, format, host(i, format, ...operands), exact, y);
};

/** Two vectors to one, by the host where it can. */
function compute(i: InstructionBuilder, format: Format, callee: IrFunction, host: PackedHostOperation | undefined, x: Value, y: Value): Value {
  const exact = (): Value => exactly(i, callee, [x, y]);
  return host === undefined ? exact() : hostOr(i, host(i, format, x, y), exact);
}

const packed = (format: Format, callee: IrFunction, host: PackedHostOperation | undefined): Definition => (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  writeVector(i, 0, compute(i, format, callee, host, readVector(i, 0), y));
};

/** HADDPS and its kind: the even elements of both operands with the odd ones. */
const horizontal = (format: Format, name: "ADD" | "SUB", callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  const x = readVector(i, 0);
  const elements = Array.from({ length: 16 / format.size }, (_, n) => 2 * n);
  const chosen = (from: 0 | 1): Value => shuffle(i, x, y, lanes(format.size, elements.map((n) => n + from)));
  writeVector(i, 0, compute(i, format, callee, HOST_PACKED[name], chosen(0), chosen(1)));
};

const compareScalar = (format: Format, callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const y = readFloat(i, 1, format);
  const x = readFloat(i, 0, format);
  const predicate = i.and(immediateByte(i), 7);
  const exact = (): Value => exactly(i, callee, [bitsOf(i, format, x), bitsOf(i, format, y), predicate, i.call(sseControl, [])]);
  i.setPlace(i.placeOf(0), format.size, hostOr(i, hostComparison(predicate)(i, format, x, y), exact));
};

const comparePacked = (format: Format, callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  const x = readVector(i, 0);
  const predicate = i.and(immediateByte(i), 7);
  writeVector(i, 0, hostOr(i, hostPackedComparison(predicate)(i, format, x, y), () => exactly(i, callee, [x, y, predicate])));
};

/** COMISS, UCOMISS: ZF, PF, CF; OF, SF, AF are cleared. */
const order = (format: Format, callee: IrFunction, quiet: boolean): Definition => (i) => {
  beginVector(i);
  const y = readFloat(i, 1, format);
  const x = readFloat(i, 0, format);
  const exact = (): Value => exactly(i, callee, [bitsOf(i, format, x), bitsOf(i, format, y), i.i32(quiet ? 1 : 0), i.call(sseControl, [])]);
  i.setFlags({ rule: "image", image: hostOr(i, hostOrder(i, format, x, y), exact) });
};

/** Control argument with rounding toward zero for the T forms. */
function conversionControl(i: InstructionBuilder, truncate: boolean): Value {
  const control = i.call(sseControl, []);
  return truncate ? i.or(control, 0xc00) : control;
}

/** CVTSS2SI and its kind. */
const toGeneral = (format: Format, narrow: IrFunction, wide: IrFunction, truncate: boolean): Definition => (i) => {
  beginVector(i);
  const x = readFloat(i, 1, format);
  const long = i.size(0) === 8;
  const exact = (): Value => exactly(i, long ? wide : narrow, [bitsOf(i, format, x), conversionControl(i, truncate)]);
  i.write(0, hostOr(i, hostToInteger(i, format, long ? "i64" : "i32", truncate, x), exact));
};

const fromGeneral = (format: Format, callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const value = i.read(1);
  const exact = (): Value => fromBits(i, format, exactly(i, callee, [i.extendS(value), conversionControl(i, false)]));
  setFloat(i, format, hostFromInteger(i, format, value), exact);
};

/** CVTSS2SD, CVTSD2SS. */
const between = (from: Format, to: Format, callee: IrFunction, host: (i: InstructionBuilder, x: Value) => Attempt): Definition => (i) => {
  beginVector(i);
  const x = readFloat(i, 1, from);
  const exact = (): Value => fromBits(i, to, exactly(i, callee, [bitsOf(i, from, x), conversionControl(i, false)]));
  setFloat(i, to, host(i, x), exact);
};

/** Packed conversions: an operand of 8 bytes is the low half of a vector; a result of 8 bytes (`keep`) leaves the upper half as it is. */
const convert = (callee: IrFunction, host: ((b: Builder, x: Value) => Attempt) | undefined, keep: boolean): Definition => (i) => {
  beginVector(i);
  const source = isMmx(i, 1) ? lowLane(i, readMmx(i, 1)) : i.size(1) === 8 ? lowLane(i, i.inMemory(1) ? i.load(i.memory(), 8) : i.place(i.placeOf(1), 8)) : readVector(i, 1);
  if (host !== undefined) return writeVector(i, 0, hostOr(i, host(i, source), () => exactly(i, callee, [source])));
  const result = i.call(raising(callee), [source]);
  // Only a register operand enters the MMX state, and processors do so even when #XM follows.
  if (usesMmx(i) && !(isMmx(i, 1) && i.inMemory(1))) {
    i.allowEarlyCommit();
    enterMmx(i);
  }
  raiseUnmasked(i);
  const low = i.op("i64x2_extract_lane", [result], 0);
  if (isMmx(i, 0)) writeMmx(i, 0, low);
  else if (keep) i.setPlace(partOf(i, 0, 0), 8, low);
  else writeVector(i, 0, result);
};

const UNARY = new Set(["SQRT", "RCP", "RSQRT"]);

export const SSE_FLOAT: Record<string, Definition> = {
  HADDPS: horizontal(F32, "ADD", F32_FUNCTIONS.packed["ADD"]!),
  HADDPD: horizontal(F64, "ADD", F64_FUNCTIONS.packed["ADD"]!),
  HSUBPS: horizontal(F32, "SUB", F32_FUNCTIONS.packed["SUB"]!),
  HSUBPD: horizontal(F64, "SUB", F64_FUNCTIONS.packed["SUB"]!),
  CMPSS: compareScalar(F32, F32_FUNCTIONS.compareScalar),
  CMPSD: compareScalar(F64, F64_FUNCTIONS.compareScalar),
  CMPPS: comparePacked(F32, F32_FUNCTIONS.comparePacked),
  CMPPD: comparePacked(F64, F64_FUNCTIONS.comparePacked),
  COMISS: order(F32, F32_FUNCTIONS.order, false),
  COMISD: order(F64, F64_FUNCTIONS.order, false),
  UCOMISS: order(F32, F32_FUNCTIONS.order, true),
  UCOMISD: order(F64, F64_FUNCTIONS.order, true),
  CVTSS2SI: toGeneral(F32, f32ToI32, f32ToI64, false),
  CVTTSS2SI: toGeneral(F32, f32ToI32, f32ToI64, true),
  CVTSD2SI: toGeneral(F64, f64ToI32, f64ToI64, false),
  CVTTSD2SI: toGeneral(F64, f64ToI32, f64ToI64, true),
  CVTSI2SS: fromGeneral(F32, i64ToF32),
  CVTSI2SD: fromGeneral(F64, i64ToF64),
  CVTSS2SD: between(F32, F64, f32ToF64, hostWider),
  CVTSD2SS: between(F64, F32, f64ToF32, hostNarrower),
};
for (const [suffix, format, functions] of [["S", F32, F32_FUNCTIONS], ["D", F64, F64_FUNCTIONS]] as const) {
  for (const [name, callee] of Object.entries(functions.scalar)) SSE_FLOAT[`${name}S${suffix}`] = scalar(format, callee, UNARY.has(name), HOST_SCALAR[name]);
  for (const [name, callee] of Object.entries(functions.packed)) SSE_FLOAT[`${name}P${suffix}`] = packed(format, callee, HOST_PACKED[name]);
}
for (const [mnemonic, callee] of Object.entries(PACKED_CONVERSION)) SSE_FLOAT[mnemonic] = convert(callee, HOST_CONVERSION[mnemonic], mnemonic === "CVTPI2PS");
