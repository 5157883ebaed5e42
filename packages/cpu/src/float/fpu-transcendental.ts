/**
 * The helper behind the x87 transcendental instructions: takes operands out of the hot state's float scratch area and puts results there, as
 * `x87-transcendental.ts` of `semantics` lays them out.
 */
import { FLOAT_FLAGS, FLOAT_LANES } from "@doppel/semantics";
import { FPU_IE } from "@doppel/x86";
import type { HotState } from "../hot-state.ts";
import { INDEFINITE, type ExtendedNumber } from "./extended-number.ts";
import { TRANSCENDENTAL, type Outcome } from "./transcendental.ts";

const RESULTS = 32;
const OUT_OF_RANGE = 64;
const INVALID: Outcome = { results: [INDEFINITE, INDEFINITE], flags: FPU_IE, outOfRange: false };

function operand(state: HotState, at: number): ExtendedNumber {
  const significand = (BigInt(state.word(at + 4) >>> 0) << 32n) | BigInt(state.word(at) >>> 0);
  return { significand, se: state.word(at + 8) & 0xffff };
}

/** A NaN or an unsupported encoding; generated code keeps them to itself. */
function isSpecial({ significand, se }: ExtendedNumber): boolean {
  const exponent = se & 0x7fff;
  return exponent !== 0 && (significand >> 63n === 0n || (exponent === 0x7fff && significand !== 1n << 63n));
}

/** Computes function `number` of {@link TRANSCENDENTAL}. */
export function fpuTranscendental(state: HotState, number: number): void {
  const compute = TRANSCENDENTAL[number & 7]!;
  const [x, y] = [operand(state, FLOAT_LANES), operand(state, FLOAT_LANES + 16)];
  const { results, flags, outOfRange } = isSpecial(x) || isSpecial(y) ? INVALID : compute(x, y, state.fpuControl);
  for (const [n, { significand, se }] of results.entries()) {
    const at = FLOAT_LANES + RESULTS + 16 * n;
    state.setWord(at, Number(significand & 0xffff_ffffn));
    state.setWord(at + 4, Number(significand >> 32n));
    state.setWord(at + 8, se);
  }
  state.setWord(FLOAT_LANES + OUT_OF_RANGE, outOfRange ? 1 : 0);
  state.setWord(FLOAT_FLAGS, flags);
}
