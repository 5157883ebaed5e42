/**
 * Results that the manual gives with an error bound: the x87 transcendental functions (one unit in the last place of the significand,
 * SDM volume 1, 8.3.10) and RCPPS, RCPSS, RSQRTPS, RSQRTSS (relative error 1.5 * 2^-12, SDM volume 2). What lies within the bound counts
 * as equal to the host's answer.
 */
import type { Instruction } from "@doppel/x86";
import { BEHIND_READ_ONLY, type CaseRecord, DATA, DATA_WINDOW, READ_ONLY, readOnlyByte, ST, WINDOW_SIZE, XMM } from "./host-vectors-record.ts";
import { operandAddress, TRANSCENDENTAL } from "./host-vectors-rules.ts";

const RECIPROCAL_ERROR = 1.5 * 2 ** -12;
const RECIPROCALS = new Set(["RCPPS", "RCPSS", "RSQRTPS", "RSQRTSS"]);

/** Where a number stands among all 80-bit numbers of its sign: neighbours differ by one. */
function ordinal(record: CaseRecord, at: number): bigint {
  const significand = record.view.getBigUint64(at, true);
  const exponent = record.u16(at + 8) & 0x7fff;
  return exponent === 0 ? significand : (BigInt(exponent) << 63n) + (significand & 0x7fffffffffffffffn);
}

function withinUlp(got: CaseRecord, expected: CaseRecord, at: number): boolean {
  if ((got.u16(at + 8) ^ expected.u16(at + 8)) & 0x8000) return false;
  const distance = ordinal(got, at) - ordinal(expected, at);
  return distance >= -1n && distance <= 1n;
}

/** The source of a reciprocal's lane. */
function sourceLane(instruction: Instruction, input: CaseRecord, lane: number): number | undefined {
  if (!instruction.memory) return input.view.getFloat32(XMM + 16 * instruction.rm + 4 * lane, true);
  const linear = operandAddress(instruction, input) + 4 * lane;
  const at = linear - DATA_WINDOW;
  if (at >= 0 && at + 4 <= WINDOW_SIZE) return input.view.getFloat32(DATA + at, true);
  if (linear < READ_ONLY || linear >= BEHIND_READ_ONLY) return undefined;
  return new DataView(Uint8Array.from({ length: 4 }, (_, n) => readOnlyByte(linear - READ_ONLY + n)).buffer).getFloat32(0, true);
}

/** Makes what lies within the manual's bound of the right result equal to the host's answer. */
export function acceptWithinBounds(instruction: Instruction, input: CaseRecord, got: CaseRecord, expected: CaseRecord): void {
  const { mnemonic } = instruction.form;
  if (TRANSCENDENTAL.has(mnemonic)) {
    for (let at = ST; at < XMM; at += 16) if (withinUlp(got, expected, at)) got.bytes.set(expected.bytes.subarray(at, at + 10), at);
  }
  if (!RECIPROCALS.has(mnemonic)) return;
  for (let lane = 0; lane < (mnemonic.endsWith("SS") ? 1 : 4); lane++) {
    const at = XMM + 16 * instruction.reg + 4 * lane;
    const source = sourceLane(instruction, input, lane);
    if (source === undefined) continue;
    const right = mnemonic.startsWith("RCP") ? 1 / source : 1 / Math.sqrt(source);
    const bound = Math.abs(right) * RECIPROCAL_ERROR;
    if (Math.abs(got.view.getFloat32(at, true) - right) <= bound && Math.abs(expected.view.getFloat32(at, true) - right) <= bound) {
      got.setU32(at, expected.u32(at));
    }
  }
}
