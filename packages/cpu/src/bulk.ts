/**
 * REP MOVS and REP STOS over whole runs: as many iterations as lie in one page of each operand are done at once when both
 * pages are in the TLB and nothing watches them. The last iteration, and everything special, is left to the instruction
 * itself, so that faults, flags and counts are its own.
 */
import { TLB_READ_TAG, TLB_WRITE_TAG, VIEW_SUPERVISOR } from "@doppel/mmu";
import type { Cpu } from "./cpu.ts";
import { BUDGET, ES, GPR, SEGMENT, SEGMENT_STRIDE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, STATE, STATUS_OK } from "./state-layout.ts";

const RAX = 0;
const RCX = 1;
const RSI = 6;
const RDI = 7;
const DF = 0x400;

/** Bytes from a linear address to the end of its page. */
function toPageEnd(linear: number): number {
  return 4096 - (linear & 0xfff);
}

interface Operand {
  readonly host: number;
  /** Bytes that may be accessed from here on. */
  readonly room: number;
}

function operand(cpu: Cpu, register: number, segmentPlace: number, write: boolean): Operand | undefined {
  const { state } = cpu;
  const offset = state.gpr32(register) >>> 0;
  const segment = (segmentPlace - SEGMENT) / SEGMENT_STRIDE;
  const length = state.address(segmentPlace + (write ? SEG_WRITE_LENGTH : SEG_READ_LENGTH));
  const linear = cpu.wrap(state.segmentBase(segment) + offset);
  const view = state.cpl === 3 ? cpu.mmu.userView : VIEW_SUPERVISOR;
  const host = cpu.mmu.tlb.lookup(view, linear, write ? TLB_WRITE_TAG : TLB_READ_TAG);
  if (host < 0) return undefined;
  return { host, room: Math.min(toPageEnd(linear), length - offset) };
}

/** Iterations to do now: not the last one, not more than the budget, within both rooms; 0 for none. */
function iterations(cpu: Cpu, view: DataView, size: number, addressSize: number, room: number): number {
  if (addressSize !== 4 || cpu.longMode || (cpu.state.systemFlags & DF) !== 0) return 0;
  const count = (cpu.state.gpr32(RCX) >>> 0) - 1;
  const budget = view.getInt32(STATE + BUDGET, true);
  return Math.max(0, Math.min(count, budget, Math.floor(room / size)));
}

function retire(cpu: Cpu, view: DataView, n: number): void {
  view.setInt32(STATE + BUDGET, view.getInt32(STATE + BUDGET, true) - n, true);
  view.setInt32(STATE + GPR + 8 * RCX, cpu.state.gpr32(RCX) - n, true);
}

function advance(cpu: Cpu, view: DataView, register: number, bytes: number): void {
  view.setInt32(STATE + GPR + 8 * register, cpu.state.gpr32(register) + bytes, true);
}

/** Does iterations of REP MOVS in 32-bit addressing, upwards. */
export function bulkMovs(cpu: Cpu, view: DataView, size: number, addressSize: number, segmentPlace: number): number {
  if (iterations(cpu, view, size, addressSize, 4096) < 4) return STATUS_OK;
  const to = operand(cpu, RDI, SEGMENT + SEGMENT_STRIDE * ES, true);
  if (to === undefined) return STATUS_OK;
  const from = operand(cpu, RSI, segmentPlace, false);
  if (from === undefined) return STATUS_OK;
  const n = iterations(cpu, view, size, addressSize, Math.min(to.room, from.room));
  const bytes = n * size;
  if (n <= 0) return STATUS_OK;
  const memory = new Uint8Array(view.buffer);
  if (to.host > from.host && to.host < from.host + bytes) {
    // An overlap upwards repeats what was just written: byte order matters, so copy element by element.
    for (let at = 0; at < bytes; at += size) memory.copyWithin(to.host + at, from.host + at, from.host + at + size);
  } else memory.copyWithin(to.host, from.host, from.host + bytes);
  retire(cpu, view, n);
  advance(cpu, view, RSI, bytes);
  advance(cpu, view, RDI, bytes);
  return STATUS_OK;
}

/** Does iterations of REP STOS in 32-bit addressing, upwards. */
export function bulkStos(cpu: Cpu, view: DataView, size: number, addressSize: number): number {
  if (iterations(cpu, view, size, addressSize, 4096) < 4) return STATUS_OK;
  const to = operand(cpu, RDI, SEGMENT + SEGMENT_STRIDE * ES, true);
  if (to === undefined) return STATUS_OK;
  const n = iterations(cpu, view, size, addressSize, to.room);
  if (n <= 0) return STATUS_OK;
  const value = cpu.state.gpr32(RAX);
  const memory = new Uint8Array(view.buffer);
  const bytes = n * size;
  if (size === 1) memory.fill(value, to.host, to.host + bytes);
  else {
    for (let at = 0; at < size; at++) memory[to.host + at] = value >>> (8 * at);
    for (let done = size; done < bytes; done *= 2) memory.copyWithin(to.host + done, to.host, to.host + Math.min(done, bytes - done));
  }
  retire(cpu, view, n);
  advance(cpu, view, RDI, bytes);
  return STATUS_OK;
}
