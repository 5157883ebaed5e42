/**
 * F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS (SDM volume 2): stack, NaNs and exceptions here, the function itself in a
 * helper of `cpu`, which takes its operands from FLOAT_LANES and leaves there what it computed:
 *
 *   +0 ST(0)   +16 ST(1)   +32 first result   +48 second result (significand, and sign+exponent 8 bytes on)   +64 1 when the argument is too large
 */
import { FPU_IE, FSW_C1, FSW_C2 } from "@doppel/x86";
import { irFunction, type Builder } from "./builder.ts";
import { extended, isNaN, isUnsupported, propagateNaN } from "./float/extended.ts";
import { FLOAT_LANES, raiseOnly } from "./float/scratch.ts";
import type { Definition } from "./instruction.ts";
import type { IrFunction, Value } from "./ir.ts";
import {
  checkUnit, clearFloatFlags, commitFlags, indefinite, isEmpty, moveTop, notePointers, popStack, readStack, resultSe, setStatusBits, stackFault,
  TRAP_X87, writeStack,
} from "./x87-stack.ts";

/** Operands and results: ST(0); ST(0) and ST(1) with a pop; ST(0), and another one is pushed. */
type Kind = "unary" | "binary" | "double";

/** Writes results and moves the stack. */
function finish(b: Builder, kind: Kind, first: readonly [Value, Value], second: readonly [Value, Value]): void {
  b.if(b.call(commitFlags, []), () => {
    writeStack(b, kind === "binary" ? 1 : 0, first[0], first[1]);
    if (kind === "binary") popStack(b, 1);
    if (kind === "double") {
      moveTop(b, -1);
      writeStack(b, 0, second[0], second[1]);
    }
  });
}

/** Deals with empty registers, unsupported encodings and NaNs; 1 when the helper is to compute. */
function beginning(kind: Kind): IrFunction {
  return irFunction(`x87_begin_${kind}`, [], "i32", (b) => {
    setStatusBits(b, FSW_C2, 0);
    const missing = kind === "binary" ? b.or(isEmpty(b, 0), isEmpty(b, 1)) : isEmpty(b, 0);
    const full = kind === "double" ? b.and(b.eqz(isEmpty(b, 7)), b.eqz(missing)) : b.i32(0);
    b.if(b.or(missing, full), () => {
      b.if(b.call(stackFault, [full]), () => {
        clearFloatFlags(b);
        const nan = indefinite(b);
        writeStack(b, kind === "binary" ? 1 : 0, nan.significand, nan.se);
        if (kind === "binary") popStack(b, 1);
        if (kind === "double") {
          moveTop(b, -1);
          writeStack(b, 0, nan.significand, nan.se);
        }
      });
      b.return(b.i32(0));
    }, undefined, false);
    clearFloatFlags(b);
    const x = readStack(b, 0);
    const y = readStack(b, kind === "binary" ? 1 : 0);
    const [u, v] = [extended(b, x.significand, x.se), extended(b, y.significand, y.se)];
    b.if(b.or(isUnsupported(b, u), isUnsupported(b, v)), () => {
      raiseOnly(b, FPU_IE);
      const nan = indefinite(b);
      finish(b, kind, [nan.significand, nan.se], [nan.significand, nan.se]);
      b.return(b.i32(0));
    });
    b.if(b.or(isNaN(b, u), isNaN(b, v)), () => {
      const nan = b.call(propagateNaN, [y.significand, y.se, x.significand, x.se]);
      finish(b, kind, [nan, resultSe(b)], [nan, resultSe(b)]);
      b.return(b.i32(0));
    });
    for (const [n, operand] of [x, y].entries()) {
      b.setState("i64_store", FLOAT_LANES + 16 * n, operand.significand);
      b.setState("i32_store", FLOAT_LANES + 16 * n + 8, operand.se);
    }
    b.return(b.i32(1));
  });
}

/** Takes over what the helper computed. */
function ending(kind: Kind): IrFunction {
  return irFunction(`x87_end_${kind}`, [], "i32", (b) => {
    b.if(b.state("i32_load", FLOAT_LANES + 64), () => {
      setStatusBits(b, FSW_C1, FSW_C2);
      b.return(b.i32(0));
    });
    const result = (at: number): [Value, Value] => [b.state("i64_load", FLOAT_LANES + at), b.state("i32_load", FLOAT_LANES + at + 8)];
    finish(b, kind, result(32), result(48));
    b.return(b.i32(0));
  });
}

const BEGIN: Record<Kind, IrFunction> = { unary: beginning("unary"), binary: beginning("binary"), double: beginning("double") };
const END: Record<Kind, IrFunction> = { unary: ending("unary"), binary: ending("binary"), double: ending("double") };

/** `number` is the function's place in the helper's list. */
const transcendental = (number: number, kind: Kind): Definition => (i) => {
  checkUnit(i, TRAP_X87, true);
  notePointers(i);
  i.if(i.call(BEGIN[kind], []), () => {
    i.helper("fpuTranscendental", [i.i32(number)], false);
    i.call(END[kind], []);
  });
};

export const X87_TRANSCENDENTAL: Record<string, Definition> = {
  F2XM1: transcendental(0, "unary"),
  FYL2X: transcendental(1, "binary"),
  FPTAN: transcendental(2, "double"),
  FPATAN: transcendental(3, "binary"),
  FYL2XP1: transcendental(4, "binary"),
  FSINCOS: transcendental(5, "double"),
  FSIN: transcendental(6, "unary"),
  FCOS: transcendental(7, "unary"),
};
