/** REP MOVS and REP STOS in a region: as many iterations at once as lie in a page of each operand. */
import { layout } from "@doppel/cpu";
import type { Statement } from "@doppel/semantics";
import { type FunctionBuilder, OP, type Signature } from "@doppel/wasm";
import { EFLAGS_DF } from "@doppel/x86";
import { bulkName, bulkSignature } from "./region-helpers.ts";

const { STATE, EFLAGS_REST } = layout;
/** Numbers of registers. */
const [RAX, RCX, RSI, RDI] = [0, 1, 6, 7] as const;

/** What of a region the iterations are written with: locals, and how much of the budget is needed behind them at most. */
export interface StringTarget {
  readonly f: FunctionBuilder;
  readonly long: boolean;
  readonly budget: number;
  readonly most: number;
  /** Local of a general register. */
  register(n: number): number;
  callee(name: string, signature: Signature): number;
}

/** Does iterations, each of which retires; the last one, and what is special, is left to the instruction itself. */
export function writeIterations({ f, long, budget, most, register, callee }: StringTarget, { operation, size }: Statement & { kind: "bulk" }): void {
  const count = register(RCX);
  const iterations = f.local("i32");
  const step = f.local("i32");
  const native = (narrow: number, wide: number): FunctionBuilder => f.op(long ? wide : narrow);
  const constant = (n: number): FunctionBuilder => (long ? f.i64(n) : f.i32(n));
  f.get(count);
  constant(1);
  native(OP.i32_gt_u, OP.i64_gt_u);
  f.get(budget).i32(most).op(OP.i32_gt_s).op(OP.i32_and).if();
  f.i32(-size).i32(size).i32(0).memory(OP.i32_load, STATE + EFLAGS_REST).i32(EFLAGS_DF).op(OP.i32_and).op(OP.select).set(step);
  f.get(budget).i32(most).op(OP.i32_sub).set(iterations);
  f.get(count);
  constant(1);
  native(OP.i32_sub, OP.i64_sub);
  f.get(iterations);
  if (long) f.op(OP.i64_extend_i32_u);
  native(OP.i32_lt_u, OP.i64_lt_u).if();
  f.get(count);
  if (long) f.op(OP.i32_wrap_i64);
  f.i32(1).op(OP.i32_sub).set(iterations).end();
  f.get(register(RDI)).get(register(operation === "movs" ? RSI : RAX));
  f.get(iterations).get(step).call(callee(bulkName(operation, long), bulkSignature(long))).set(iterations);
  f.get(budget).get(iterations).op(OP.i32_sub).set(budget);
  const advance = (n: number, by: () => FunctionBuilder): void => {
    f.get(register(n)).get(iterations);
    by().op(OP.i32_mul);
    if (long) f.op(OP.i64_extend_i32_s);
    native(OP.i32_add, OP.i64_add).set(register(n));
  };
  advance(RCX, () => f.i32(-1));
  advance(RDI, () => f.get(step));
  if (operation === "movs") advance(RSI, () => f.get(step));
  f.end();
  f.release(iterations);
  f.release(step);
}
