/**
 * Soft float: IR functions of the extended format, f32 and f64. See `scratch.ts` for how they return flags and second results.
 */
import type { IrFunction } from "../ir.ts";
import {
  decimalToF80, f32Operand, f32ToF80, f64Operand, f64ToF80, f80Compare, f80RoundToInteger, f80ToDecimal, f80ToF32, f80ToF64, f80ToI16, f80ToI32,
  f80ToI64, i64ToF80,
} from "./conversions.ts";
import { f80Add, f80Div, f80Mul, f80Sqrt, f80Sub } from "./extended.ts";
import { f80Exponent, f80Fraction, f80IeeeRemainder, f80Remainder, f80Scale } from "./remainder.ts";
import {
  f32Compare, f32Max, f32Min, f32ToF64, f32ToI32, f32ToI64, f64Compare, f64Max, f64Min, f64ToF32, f64ToI32, f64ToI64, i64ToF32, i64ToF64,
} from "./short-conversions.ts";
import { f32Arithmetic, f64Arithmetic } from "./short.ts";

export { FLOAT_EXTRA, FLOAT_FLAGS, FLOAT_LANES, FLOAT_SE } from "./scratch.ts";
export { INCOMPLETE as FLOAT_INCOMPLETE } from "./remainder.ts";
export { HOST as FLOAT_HOST } from "./short.ts";

/** Every soft-float function, for tests that compile and call them alone. */
export const FLOAT_FUNCTIONS: readonly IrFunction[] = [
  f80Add, f80Sub, f80Mul, f80Div, f80Sqrt, f80Remainder, f80IeeeRemainder, f80Scale, f80Exponent, f80Fraction, f80Compare, f80RoundToInteger,
  f80ToF32, f80ToF64, f80ToI16, f80ToI32, f80ToI64, f80ToDecimal, decimalToF80, f32ToF80, f64ToF80, f32Operand, f64Operand, i64ToF80,
  ...Object.values(f32Arithmetic), ...Object.values(f64Arithmetic),
  f32ToI32, f32ToI64, f64ToI32, f64ToI64, i64ToF32, i64ToF64, f32ToF64, f64ToF32, f32Compare, f64Compare, f32Min, f32Max, f64Min, f64Max,
];
