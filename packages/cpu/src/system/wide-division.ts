/** DIV and IDIV of 128 by 64 bits (SDM volume 2): rare enough that exact integers of the host do it. */
import { VECTOR_DE } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { EAX, EDX } from "./architecture.ts";

/** Divides RDX:RAX. Quotient to SCRATCH, remainder behind it; #DE when the quotient does not fit. The divisor is not zero. */
export function wideDivide(cpu: Cpu, low: number, high: number, signed: boolean): boolean {
  const { state } = cpu;
  const join = (upper: number, lower: number): bigint => (BigInt(upper >>> 0) << 32n) | BigInt(lower >>> 0);
  let dividend = (join(state.gprHigh(EDX), state.gpr32(EDX)) << 64n) | join(state.gprHigh(EAX), state.gpr32(EAX));
  let divisor = join(high, low);
  if (signed) {
    dividend = BigInt.asIntN(128, dividend);
    divisor = BigInt.asIntN(64, divisor);
  }
  const quotient = dividend / divisor;
  if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient))) return cpu.fault(VECTOR_DE);
  const remainder = dividend % divisor;
  for (const [i, value] of [quotient, quotient >> 32n, remainder, remainder >> 32n].entries()) {
    state.setScratch(i, Number(BigInt.asIntN(32, value)));
  }
  return true;
}
