/** The stack of an inner privilege level, from the current TSS (SDM volume 3, 5.8.5 "Stack Switching" and 7.2.1). */
import { VECTOR_SS, VECTOR_TS } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { TR } from "../state-layout.ts";
import { Descriptor, isNull } from "./descriptor.ts";
import { isCanonical } from "./non-canonical.ts";
import { readStackDescriptor } from "./segmentation.ts";

/** Where an inner stack is: not loaded yet. */
export interface InnerStack {
  readonly selector: number;
  readonly descriptor: Descriptor;
  readonly pointer: number;
}

/**
 * Reads and checks SS:ESP of a privilege level. Undefined when a fault was recorded: #TS with the TSS's selector when it is
 * too short, #TS with the new SS for a bad one, #SS when that is not present.
 */
export function innerStack(cpu: Cpu, level: number): InnerStack | undefined {
  const { state, linear } = cpu;
  const wide = (state.segmentAttributes(TR) & 0x800) !== 0;
  const offset = wide ? 4 + level * 8 : 2 + level * 4;
  const size = wide ? 4 : 2;
  const base = state.segmentBase(TR);
  if (offset + size + 1 > state.segmentLimit(TR)) {
    cpu.selectorFault(VECTOR_TS, state.selector(TR));
    return undefined;
  }
  if (!linear.read(cpu.wrapTable(base + offset), size, false)) return undefined;
  const pointer = linear.value;
  if (!linear.read(cpu.wrapTable(base + offset + size), 2, false)) return undefined;
  const selector = linear.value;
  if (isNull(selector)) {
    cpu.fault(VECTOR_TS, cpu.external);
    return undefined;
  }
  const descriptor = new Descriptor();
  if (!readStackDescriptor(cpu, selector, level, VECTOR_TS, descriptor)) return undefined;
  return { selector, descriptor, pointer };
}

/** Offsets in the 64-bit TSS (SDM volume 3, 7.7): RSP0 to RSP2, and behind them IST1 to IST7. */
const RSP0 = 4;
const IST1 = 36;

/**
 * Reads the stack pointer of a privilege level from the 64-bit TSS, or of its interrupt stack table when `ist` is not zero.
 * NaN when a fault was recorded: #TS with the TSS's selector when it is too short, #SS(EXT) for a pointer that is not canonical.
 */
export function longInnerStack(cpu: Cpu, level: number, ist: number): number {
  const { state, linear } = cpu;
  const offset = ist === 0 ? RSP0 + 8 * level : IST1 + 8 * (ist - 1);
  if (offset + 7 > state.segmentLimit(TR)) {
    cpu.selectorFault(VECTOR_TS, state.selector(TR));
    return NaN;
  }
  if (!linear.read(state.segmentBase(TR) + offset, 8, false)) return NaN;
  if (isCanonical(linear.number)) return linear.number;
  cpu.fault(VECTOR_SS, cpu.external);
  return NaN;
}
