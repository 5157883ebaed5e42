/**
 * The helper behind the x87 transcendental instructions: takes operands out of the hot state's float scratch area and puts results there, as
 * `x87-transcendental.ts` of `semantics` lays them out.
 */
import { FLOAT_FLAGS, FLOAT_LANES } from "@doppel/semantics";
import type { HotState } from "../hot-state.ts";
import type { ExtendedNumber } from "./extended-number.ts";
import { TRANSCENDENTAL } from "./transcendental.ts";

const RESULTS = 32;
const OUT_OF_RANGE = 64;

function operand(state: HotState, at: number): ExtendedNumber {
  const significand = (BigInt(state.word(at + 4) >>> 0) << 32n) | BigInt(state.word(at) >>> 0);
  return { significand, se: state.word(at + 8) & 0xffff };
}

/** Computes function `number` of {@link TRANSCENDENTAL}. */
export function fpuTranscendental(state: HotState, number: number): void {
  const compute = TRANSCENDENTAL[number]!;
  const { results, flags, outOfRange } = compute(operand(state, FLOAT_LANES), operand(state, FLOAT_LANES + 16), state.fpuControl);
  for (const [n, { significand, se }] of results.entries()) {
    const at = FLOAT_LANES + RESULTS + 16 * n;
    state.setWord(at, Number(significand & 0xffff_ffffn));
    state.setWord(at + 4, Number(significand >> 32n));
    state.setWord(at + 8, se);
  }
  state.setWord(FLOAT_LANES + OUT_OF_RANGE, outOfRange ? 1 : 0);
  state.setWord(FLOAT_FLAGS, flags);
}
