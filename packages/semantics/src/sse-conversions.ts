/**
 * Packed conversions of SSE2 as IR functions from vector to vector (SDM volume 1, 11.4.1.6; volume 2, CVT*).
 */
import { irFunction, type Builder } from "./builder.ts";
import { f32ToF64, f32ToI32, f64ToF32, f64ToI32, i64ToF32, i64ToF64 } from "./float/short-conversions.ts";
import type { IrFunction, Value } from "./ir.ts";
import { sseControl, uniteFlags } from "./sse-functions.ts";

const ZEROS = new Uint8Array(16);

interface Lane {
  readonly shape: "i32x4" | "i64x2";
  /** Integers are sign-extended to 64 bits for the scalar function. */
  readonly integer?: true;
}
const DWORD: Lane = { shape: "i32x4", integer: true };
const SINGLE: Lane = { shape: "i32x4" };
const DOUBLE: Lane = { shape: "i64x2" };

/** Converts the first `count` lanes; lanes of the result beyond them are zero. */
function conversion(name: string, from: Lane, to: Lane, count: number, scalar: IrFunction, truncate: boolean): IrFunction {
  return irFunction(name, ["v128"], "v128", (b: Builder, x: Value) => {
    const plain = b.call(sseControl, []);
    const control = truncate ? b.or(plain, 0xc00) : plain;
    const result = b.variable(b.v128(ZEROS));
    uniteFlags(b, count, (n) => {
      const lane = b.op(`${from.shape}_extract_lane`, [x], n);
      const value = b.call(scalar, [from.integer === true ? b.extendS(lane) : lane, control]);
      b.setVariable(result, b.op(`${to.shape}_replace_lane`, [b.get(result), value], n));
    });
    b.return(b.get(result));
  });
}

const pairToDwords = (name: string, truncate: boolean): IrFunction => conversion(name, DOUBLE, DWORD, 2, f64ToI32, truncate);

/** By mnemonic. */
export const PACKED_CONVERSION: Readonly<Record<string, IrFunction>> = {
  CVTDQ2PS: conversion("cvtdq2ps", DWORD, SINGLE, 4, i64ToF32, false),
  CVTPS2DQ: conversion("cvtps2dq", SINGLE, DWORD, 4, f32ToI32, false),
  CVTTPS2DQ: conversion("cvttps2dq", SINGLE, DWORD, 4, f32ToI32, true),
  CVTPS2PD: conversion("cvtps2pd", SINGLE, DOUBLE, 2, f32ToF64, false),
  CVTPD2PS: conversion("cvtpd2ps", DOUBLE, SINGLE, 2, f64ToF32, false),
  CVTDQ2PD: conversion("cvtdq2pd", DWORD, DOUBLE, 2, i64ToF64, false),
  CVTPD2DQ: pairToDwords("cvtpd2dq", false),
  CVTTPD2DQ: pairToDwords("cvttpd2dq", true),
  CVTPI2PS: conversion("cvtpi2ps", DWORD, SINGLE, 2, i64ToF32, false),
  CVTPI2PD: conversion("cvtpi2pd", DWORD, DOUBLE, 2, i64ToF64, false),
  CVTPS2PI: conversion("cvtps2pi", SINGLE, DWORD, 2, f32ToI32, false),
  CVTTPS2PI: conversion("cvttps2pi", SINGLE, DWORD, 2, f32ToI32, true),
  CVTPD2PI: pairToDwords("cvtpd2pi", false),
  CVTTPD2PI: pairToDwords("cvttpd2pi", true),
};
