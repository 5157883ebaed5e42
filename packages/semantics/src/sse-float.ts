/**
 * SSE, SSE2 and SSE3 floating point instructions (SDM volume 2): arithmetic, comparison, conversion. Flags go to MXCSR; an unmasked
 * exception raises #XM (a helper decides between it and #UD) before anything else changes.
 */
import { f32ToF64, f32ToI32, f32ToI64, f64ToF32, f64ToI32, f64ToI64, i64ToF32, i64ToF64 } from "./float/short-conversions.ts";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { IrFunction, Size, Value } from "./ir.ts";
import { MXCSR } from "./layout.ts";
import { F32_FUNCTIONS, F64_FUNCTIONS, sseControl } from "./sse-functions.ts";
import { PACKED_CONVERSION } from "./sse-conversions.ts";
import { lanes, shuffle } from "./sse-integer.ts";
import { beginVector, enterMmx, immediateByte, isMmx, lowLane, partOf, readMmx, readVector, usesMmx, writeMmx, writeVector } from "./sse-operands.ts";
import { clearFloatFlags, floatFlags } from "./x87-stack.ts";

/** Raises #XM for an unmasked exception; notes the flags otherwise. Stands before every other commit. */
export function takeFlags(i: InstructionBuilder): void {
  const flags = i.and(floatFlags(i), 0x3f);
  const mxcsr = i.state("i32_load", MXCSR);
  i.if(i.and(flags, i.not(i.shrU(mxcsr, 7))), () => i.helper("simdException", [flags]), undefined, false);
  i.setState("i32_store", MXCSR, i.or(i.state("i32_load", MXCSR), flags));
}

/** Arithmetic of two scalars, or of one (`unary`); the rest of the destination stays. */
const scalar = (callee: IrFunction, unary: boolean): Definition => (i) => {
  beginVector(i);
  const size = i.size(1);
  const y = i.read(1);
  clearFloatFlags(i);
  const control = i.call(sseControl, []);
  const result = i.call(callee, unary ? [y, control] : [i.place(i.placeOf(0), size), y, control]);
  takeFlags(i);
  i.setPlace(i.placeOf(0), size, result);
};

const packed = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  clearFloatFlags(i);
  const result = i.call(callee, [readVector(i, 0), y]);
  takeFlags(i);
  writeVector(i, 0, result);
};

/** HADDPS and its kind: the even elements of both operands with the odd ones. */
const horizontal = (callee: IrFunction, size: 4 | 8): Definition => (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  const x = readVector(i, 0);
  const elements = Array.from({ length: 16 / size }, (_, n) => 2 * n);
  clearFloatFlags(i);
  const result = i.call(callee, [shuffle(i, x, y, lanes(size, elements)), shuffle(i, x, y, lanes(size, elements.map((n) => n + 1)))]);
  takeFlags(i);
  writeVector(i, 0, result);
};

const compareScalar = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const size = i.size(1);
  const y = i.read(1);
  clearFloatFlags(i);
  const mask = i.call(callee, [i.place(i.placeOf(0), size), y, i.and(immediateByte(i), 7), i.call(sseControl, [])]);
  takeFlags(i);
  i.setPlace(i.placeOf(0), size, mask);
};

const comparePacked = (callee: IrFunction): Definition => (i) => {
  beginVector(i);
  const y = readVector(i, 1);
  clearFloatFlags(i);
  const mask = i.call(callee, [readVector(i, 0), y, i.and(immediateByte(i), 7)]);
  takeFlags(i);
  writeVector(i, 0, mask);
};

/** COMISS, UCOMISS: ZF, PF, CF; OF, SF, AF are cleared. */
const order = (callee: IrFunction, quiet: boolean): Definition => (i) => {
  beginVector(i);
  const y = i.read(1);
  clearFloatFlags(i);
  const image = i.call(callee, [i.place(i.placeOf(0), i.size(1)), y, i.i32(quiet ? 1 : 0), i.call(sseControl, [])]);
  takeFlags(i);
  i.setFlags({ rule: "image", image });
};

/** Control argument with rounding toward zero for the T forms. */
function conversionControl(i: InstructionBuilder, truncate: boolean): Value {
  const control = i.call(sseControl, []);
  return truncate ? i.or(control, 0xc00) : control;
}

/** CVTSS2SI and its kind. */
const toGeneral = (narrow: IrFunction, wide: IrFunction, truncate: boolean): Definition => (i) => {
  beginVector(i);
  const bits = i.read(1);
  clearFloatFlags(i);
  const result = i.call(i.size(0) === 8 ? wide : narrow, [bits, conversionControl(i, truncate)]);
  takeFlags(i);
  i.write(0, result);
};

const fromGeneral = (callee: IrFunction, size: Size): Definition => (i) => {
  beginVector(i);
  const value = i.extendS(i.read(1));
  clearFloatFlags(i);
  const result = i.call(callee, [value, conversionControl(i, false)]);
  takeFlags(i);
  i.setPlace(i.placeOf(0), size, result);
};

/** CVTSS2SD, CVTSD2SS. */
const between = (callee: IrFunction, size: Size): Definition => (i) => {
  beginVector(i);
  const bits = i.read(1);
  clearFloatFlags(i);
  const result = i.call(callee, [bits, conversionControl(i, false)]);
  takeFlags(i);
  i.setPlace(i.placeOf(0), size, result);
};

/** Packed conversions: an operand of 8 bytes is the low half of a vector; a result of 8 bytes (`keep`) leaves the upper half as it is. */
const convert = (callee: IrFunction, keep: boolean): Definition => (i) => {
  beginVector(i);
  const source = isMmx(i, 1) ? lowLane(i, readMmx(i, 1)) : i.size(1) === 8 ? lowLane(i, i.inMemory(1) ? i.load(i.memory(), 8) : i.place(i.placeOf(1), 8)) : readVector(i, 1);
  clearFloatFlags(i);
  const result = i.call(callee, [source]);
  // Only a register operand enters the MMX state, and processors do so even when #XM follows.
  if (usesMmx(i) && !(isMmx(i, 1) && i.inMemory(1))) {
    i.allowEarlyCommit();
    enterMmx(i);
  }
  takeFlags(i);
  const low = i.op("i64x2_extract_lane", [result], 0);
  if (isMmx(i, 0)) writeMmx(i, 0, low);
  else if (keep) i.setPlace(partOf(i, 0, 0), 8, low);
  else writeVector(i, 0, result);
};

const UNARY = new Set(["SQRT", "RCP", "RSQRT"]);

export const SSE_FLOAT: Record<string, Definition> = {
  HADDPS: horizontal(F32_FUNCTIONS.packed["ADD"]!, 4),
  HADDPD: horizontal(F64_FUNCTIONS.packed["ADD"]!, 8),
  HSUBPS: horizontal(F32_FUNCTIONS.packed["SUB"]!, 4),
  HSUBPD: horizontal(F64_FUNCTIONS.packed["SUB"]!, 8),
  CMPSS: compareScalar(F32_FUNCTIONS.compareScalar),
  CMPSD: compareScalar(F64_FUNCTIONS.compareScalar),
  CMPPS: comparePacked(F32_FUNCTIONS.comparePacked),
  CMPPD: comparePacked(F64_FUNCTIONS.comparePacked),
  COMISS: order(F32_FUNCTIONS.order, false),
  COMISD: order(F64_FUNCTIONS.order, false),
  UCOMISS: order(F32_FUNCTIONS.order, true),
  UCOMISD: order(F64_FUNCTIONS.order, true),
  CVTSS2SI: toGeneral(f32ToI32, f32ToI64, false),
  CVTTSS2SI: toGeneral(f32ToI32, f32ToI64, true),
  CVTSD2SI: toGeneral(f64ToI32, f64ToI64, false),
  CVTTSD2SI: toGeneral(f64ToI32, f64ToI64, true),
  CVTSI2SS: fromGeneral(i64ToF32, 4),
  CVTSI2SD: fromGeneral(i64ToF64, 8),
  CVTSS2SD: between(f32ToF64, 8),
  CVTSD2SS: between(f64ToF32, 4),
};
for (const [suffix, functions] of [["S", F32_FUNCTIONS], ["D", F64_FUNCTIONS]] as const) {
  for (const [name, callee] of Object.entries(functions.scalar)) SSE_FLOAT[`${name}S${suffix}`] = scalar(callee, UNARY.has(name));
  for (const [name, callee] of Object.entries(functions.packed)) SSE_FLOAT[`${name}P${suffix}`] = packed(callee);
}
for (const [mnemonic, callee] of Object.entries(PACKED_CONVERSION)) SSE_FLOAT[mnemonic] = convert(callee, mnemonic === "CVTPI2PS");
