/**
 * REP MOVS and REP STOS over whole runs: as many iterations as lie in one page of each operand are done at once when both
 * pages are in the TLB and nothing watches them. The last iteration, and everything special, is left to the instruction
 * itself, so that faults, flags and counts are its own.
 */
import { TLB_READ_TAG, TLB_WRITE_TAG } from "@doppel/mmu";
import type { Arena } from "@doppel/memory";
import type { Cpu } from "./cpu.ts";
import { BUDGET, ES, SEGMENT, SEGMENT_STRIDE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, STATE, STATUS_OK } from "./state-layout.ts";

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

const TWO_32 = 0x1_0000_0000;

/** A register as an address: all of it in 64-bit mode (a canonical one fits a number), else its lower half. */
function pointer(cpu: Cpu, register: number): number {
  const { state } = cpu;
  return (cpu.longMode ? state.gprHigh(register) * TWO_32 : 0) + (state.gpr32(register) >>> 0);
}

function setPointer(cpu: Cpu, register: number, value: number): void {
  if (cpu.longMode) cpu.state.setGpr64(register, value | 0, Math.floor(value / TWO_32));
  else cpu.state.setGpr64(register, value | 0, cpu.state.gprHigh(register));
}

function operand(cpu: Cpu, register: number, segmentPlace: number, write: boolean): Operand | undefined {
  const { state } = cpu;
  const offset = pointer(cpu, register);
  const segment = (segmentPlace - SEGMENT) / SEGMENT_STRIDE;
  // In 64-bit mode there are no limits, and a non-canonical address is in no TLB.
  const length = cpu.longMode ? Infinity : state.address(segmentPlace + (write ? SEG_WRITE_LENGTH : SEG_READ_LENGTH));
  const linear = cpu.wrap(state.segmentBase(segment) + offset);
  const view = cpu.mmu.viewOf(state.cpl === 3);
  const host = cpu.mmu.tlb.lookup(view, linear, write ? TLB_WRITE_TAG : TLB_READ_TAG);
  if (host < 0) return undefined;
  return { host, room: Math.min(toPageEnd(linear), cpu.longMode ? Infinity : length - offset) };
}

/** Iterations to do now: not the last one, not more than the budget, within both rooms; 0 for none. */
function iterations(cpu: Cpu, arena: Arena, size: number, addressSize: number, room: number): number {
  if (addressSize !== (cpu.longMode ? 8 : 4) || (cpu.state.systemFlags & DF) !== 0) return 0;
  const count = pointer(cpu, RCX) - 1;
  // A count beyond what a number holds exactly is not taken apart here.
  if (count < 0 || count > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(0, Math.min(count, arena.view.getInt32(STATE + BUDGET, true), Math.floor(room / size)));
}

function retire(cpu: Cpu, arena: Arena, n: number): void {
  arena.view.setInt32(STATE + BUDGET, arena.view.getInt32(STATE + BUDGET, true) - n, true);
  setPointer(cpu, RCX, pointer(cpu, RCX) - n);
}

function advance(cpu: Cpu, register: number, bytes: number): void {
  setPointer(cpu, register, pointer(cpu, register) + bytes);
}

/** Does iterations of REP MOVS in 32- or 64-bit addressing, upwards. */
export function bulkMovs(cpu: Cpu, arena: Arena, size: number, addressSize: number, segmentPlace: number): number {
  if (iterations(cpu, arena, size, addressSize, 4096) < 4) return STATUS_OK;
  const to = operand(cpu, RDI, SEGMENT + SEGMENT_STRIDE * ES, true);
  if (to === undefined) return STATUS_OK;
  const from = operand(cpu, RSI, segmentPlace, false);
  if (from === undefined) return STATUS_OK;
  const n = iterations(cpu, arena, size, addressSize, Math.min(to.room, from.room));
  const bytes = n * size;
  if (n <= 0) return STATUS_OK;
  const memory = arena.u8;
  if (to.host > from.host && to.host < from.host + bytes) {
    // An overlap upwards repeats what was just written: byte order matters, so copy element by element.
    for (let at = 0; at < bytes; at += size) memory.copyWithin(to.host + at, from.host + at, from.host + at + size);
  } else memory.copyWithin(to.host, from.host, from.host + bytes);
  retire(cpu, arena, n);
  advance(cpu, RSI, bytes);
  advance(cpu, RDI, bytes);
  return STATUS_OK;
}

/** Does iterations of REP STOS in 32- or 64-bit addressing, upwards. */
export function bulkStos(cpu: Cpu, arena: Arena, size: number, addressSize: number): number {
  if (iterations(cpu, arena, size, addressSize, 4096) < 4) return STATUS_OK;
  const to = operand(cpu, RDI, SEGMENT + SEGMENT_STRIDE * ES, true);
  if (to === undefined) return STATUS_OK;
  const n = iterations(cpu, arena, size, addressSize, to.room);
  if (n <= 0) return STATUS_OK;
  const value = [cpu.state.gpr32(RAX), cpu.state.gprHigh(RAX)];
  const memory = arena.u8;
  const bytes = n * size;
  if (size === 1) memory.fill(value[0]!, to.host, to.host + bytes);
  else {
    for (let at = 0; at < size; at++) memory[to.host + at] = value[at >> 2]! >>> (8 * (at & 3));
    for (let done = size; done < bytes; done *= 2) memory.copyWithin(to.host + done, to.host, to.host + Math.min(done, bytes - done));
  }
  retire(cpu, arena, n);
  advance(cpu, RDI, bytes);
  return STATUS_OK;
}
