/**
 * Which exception an access of a non-canonical address is: #SS(0) through SS, else #GP(0) (SDM volume 1, 3.3.7.1; volume 3, 6.15,
 * interrupts 12 and 13). The access itself knows only its address, so the instruction is looked at when the fault is delivered.
 */
import { decode, Instruction, MAXIMUM_LENGTH, OK, VECTOR_SS } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { FS, SS } from "../state-layout.ts";
import { ESP } from "./architecture.ts";

/** 2^47: canonical addresses are from its negative up to below it. */
const CANONICAL = 0x8000_0000_0000;
/** Farther from RSP than this no stack access of one instruction lies: ENTER with its levels stays below. */
const FRAME = 0x1_0000;

/** Is a 64-bit address, as a signed number, canonical with 48 bits? */
export function isCanonical(linear: number): boolean {
  return linear >= -CANONICAL && linear < CANONICAL;
}

/** #GP(0) unless a 64-bit value is a canonical address. */
export function canonicalHalves(low: number, high: number): boolean {
  return isCanonical((high | 0) * 0x1_0000_0000 + (low >>> 0));
}

const instruction = new Instruction();

/** Turns the recorded #GP(0) into #SS(0) when the instruction at RIP accessed the stack. */
export function settleNonCanonical(cpu: Cpu): void {
  cpu.nonCanonical = false;
  if (!cpu.longMode || !accessesStack(cpu)) return;
  cpu.state.setFault(VECTOR_SS, 0);
}

function accessesStack(cpu: Cpu): boolean {
  const { state } = cpu;
  const bytes = new Uint8Array(MAXIMUM_LENGTH);
  for (let i = 0; i < MAXIMUM_LENGTH; i += 1) {
    const physical = cpu.mmu.peek(state.rip + i);
    bytes[i] = physical < 0 ? 0xff : cpu.physical.read8(physical);
  }
  if (decode(bytes, 0, MAXIMUM_LENGTH, 8, instruction) !== OK) return false;
  if (instruction.memory && instruction.segment === SS) return true;
  const { mnemonic } = instruction.form;
  if (mnemonic === "LEAVE") return true; // reads at RBP
  if (!PUSHES.has(mnemonic) || Math.abs(cpu.nonCanonicalAddress - state.gprAddress(ESP)) > FRAME) return false;
  // An operand near the stack: POP reads the stack before it, all others load it first.
  if (!instruction.memory) return true;
  return mnemonic === "POP" ? cpu.nonCanonicalAddress === state.gprAddress(ESP) : cpu.nonCanonicalAddress !== operandAddress(cpu, instruction);
}

/** Linear address of a memory operand, rounded as the recorded one is. */
function operandAddress({ state }: Cpu, i: Instruction): number {
  const register = (n: number): bigint => (n < 0 ? 0n : (BigInt(state.gprHigh(n)) << 32n) | BigInt(state.gpr32(n) >>> 0));
  const base = i.ripRelative ? BigInt(state.rip + i.length) : register(i.base);
  const segment = i.segment >= FS ? BigInt(state.segmentBase(i.segment)) : 0n;
  return Number(BigInt.asIntN(64, base + (register(i.index) << BigInt(i.scale)) + BigInt(i.displacement) + segment));
}

/** Instructions that use the stack. */
const PUSHES = new Set(["PUSH", "POP", "CALL", "RET", "CALLF", "RETF", "PUSHF", "POPF", "ENTER", "IRET"]);
