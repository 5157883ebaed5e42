/**
 * REP MOVS and REP STOS over whole runs: as many iterations as lie in one page of each operand are done at once when both
 * are memory and no debug register watches them. The last iteration, and everything special, is left to the instruction
 * itself, so that faults, flags and counts are its own.
 */
import { type Access, READ, TLB_EXEC_TAG, TLB_READ_TAG, TLB_WRITE_TAG, VIEW_CHECKED, WRITE } from "@doppel/mmu";
import { PAGE_SIZE, type Arena } from "@doppel/memory";
import { MAXIMUM_LENGTH } from "@doppel/x86";
import type { Cpu } from "./cpu.ts";
import { isCanonical } from "./system/non-canonical.ts";
import { BUDGET, CS, ES, SEGMENT, SEGMENT_STRIDE, SEG_READ_LENGTH, SEG_WRITE_LENGTH, STATE, STATUS_OK } from "./state-layout.ts";

const RAX = 0;
const RCX = 1;
const RSI = 6;
const RDI = 7;
const DF = 0x400;

/** One operand of a string instruction: where it points, and where that is when the TLB knows. */
class Operand {
  linear = 0;
  /** -1 when the TLB has no entry for the access. */
  host = -1;
  /** Bytes that may be accessed from here on, upwards or downwards. */
  room = 0;
}

/** Those of the instruction that is under way: short runs are many, and would leave more garbage than they move bytes. */
const [source, destination] = [new Operand(), new Operand()];

const TWO_32 = 0x1_0000_0000;

/** A register as an address: all of it in 64-bit mode (a canonical one fits a number), else its lower half. */
function pointer(cpu: Cpu, register: number): number {
  return cpu.longMode ? cpu.state.gprAddress(register) : cpu.state.gpr32(register) >>> 0;
}

function setPointer(cpu: Cpu, register: number, value: number): void {
  if (cpu.longMode) cpu.state.setGpr64(register, value | 0, Math.floor(value / TWO_32));
  else cpu.state.setGpr64(register, value | 0, cpu.state.gprHigh(register));
}

/** @param step bytes from one element to the next */
function find(operand: Operand, cpu: Cpu, register: number, segmentPlace: number, write: boolean, step: number): void {
  const { state } = cpu;
  const offset = pointer(cpu, register);
  const segment = (segmentPlace - SEGMENT) / SEGMENT_STRIDE;
  // In 64-bit mode there are no limits, and a non-canonical address is in no TLB.
  const length = cpu.longMode ? Infinity : state.address(segmentPlace + (write ? SEG_WRITE_LENGTH : SEG_READ_LENGTH));
  const linear = cpu.wrap(state.segmentBase(segment) + offset);
  const inPage = linear & (PAGE_SIZE - 1);
  operand.linear = linear;
  operand.host = cpu.mmu.tlb.lookup(cpu.mmu.viewOf(state.cpl === 3), linear, write ? TLB_WRITE_TAG : TLB_READ_TAG);
  if (step > 0) operand.room = Math.min(PAGE_SIZE - inPage, length - offset);
  // The first element ends highest.
  else operand.room = inPage - step <= PAGE_SIZE && offset - step <= length ? Math.min(inPage, cpu.longMode ? Infinity : offset) - step : 0;
}

/** Iterations to do now: not the last one, not more than the budget, within both rooms; 0 for none. */
function iterations(cpu: Cpu, arena: Arena, size: number, addressSize: number, room: number): number {
  if (addressSize !== (cpu.longMode ? 8 : 4)) return 0;
  const count = pointer(cpu, RCX) - 1;
  // A count beyond what a number holds exactly is not taken apart here.
  if (count < 0 || count > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(0, Math.min(count, arena.view.getInt32(STATE + BUDGET, true), Math.floor(room / size)));
}

function retire(cpu: Cpu, arena: Arena, n: number): void {
  arena.view.setInt32(STATE + BUDGET, arena.view.getInt32(STATE + BUDGET, true) - n, true);
  setPointer(cpu, RCX, pointer(cpu, RCX) - n);
}

/** Bytes from one element to the next. */
function stepOf(cpu: Cpu, size: number): number {
  return (cpu.state.systemFlags & DF) === 0 ? size : -size;
}

function advance(cpu: Cpu, register: number, bytes: number): void {
  setPointer(cpu, register, pointer(cpu, register) + bytes);
}

/**
 * Host address of an operand's lowest byte. What the TLB does not have is translated as the instruction would, and who observes a frame is told
 * of the write. -1 where bytes cannot be accessed at once, and where an instruction would overwrite itself.
 *
 * @param below bytes from the lowest element up to that which the operand points to
 */
function reach(cpu: Cpu, { linear, host }: Operand, access: Access, below: number, bytes: number): number {
  if (host >= 0) return host - below;
  const { mmu, state } = cpu;
  const user = state.cpl === 3;
  if (mmu.viewOf(user) === VIEW_CHECKED || cpu.dataBreakpoints || (cpu.longMode && !isCanonical(linear))) return -1;
  if (!mmu.translate(linear, access, user) || mmu.mmio) return -1;
  if (mmu.host >= 0) return mmu.host - below;
  const page = Math.floor(mmu.physical / PAGE_SIZE);
  const code = mmu.tlb.lookup(mmu.viewOf(user), cpu.wrap(state.segmentBase(CS) + state.rip), TLB_EXEC_TAG);
  const isOwn = code < 0 || code % PAGE_SIZE > PAGE_SIZE - MAXIMUM_LENGTH || code - (code % PAGE_SIZE) === cpu.physical.hostAddress(page);
  return isOwn ? -1 : cpu.physical.aboutToWrite(mmu.physical - below, bytes);
}

/** Does iterations of REP MOVS in 32- or 64-bit addressing. */
export function bulkMovs(cpu: Cpu, arena: Arena, size: number, addressSize: number, segmentPlace: number): number {
  if (iterations(cpu, arena, size, addressSize, PAGE_SIZE) < 4) return STATUS_OK;
  const step = stepOf(cpu, size);
  find(destination, cpu, RDI, SEGMENT + SEGMENT_STRIDE * ES, true, step);
  find(source, cpu, RSI, segmentPlace, false, step);
  const n = iterations(cpu, arena, size, addressSize, Math.min(destination.room, source.room));
  const bytes = n * size;
  if (n <= 0) return STATUS_OK;
  const below = step > 0 ? 0 : bytes - size;
  const from = reach(cpu, source, READ, below, bytes);
  const to = from < 0 ? -1 : reach(cpu, destination, WRITE, below, bytes);
  if (to < 0) return STATUS_OK;
  const memory = arena.u8;
  const ahead = step > 0 ? to - from : from - to;
  if (ahead > 0 && ahead < bytes) {
    // An overlap ahead repeats what was just written: order matters, so copy element by element.
    for (let done = 0; done < bytes; done += size) {
      const at = step > 0 ? done : bytes - size - done;
      memory.copyWithin(to + at, from + at, from + at + size);
    }
  } else memory.copyWithin(to, from, from + bytes);
  retire(cpu, arena, n);
  advance(cpu, RSI, n * step);
  advance(cpu, RDI, n * step);
  return STATUS_OK;
}

/** Does iterations of REP STOS in 32- or 64-bit addressing. */
export function bulkStos(cpu: Cpu, arena: Arena, size: number, addressSize: number): number {
  if (iterations(cpu, arena, size, addressSize, PAGE_SIZE) < 4) return STATUS_OK;
  const step = stepOf(cpu, size);
  find(destination, cpu, RDI, SEGMENT + SEGMENT_STRIDE * ES, true, step);
  const n = iterations(cpu, arena, size, addressSize, destination.room);
  if (n <= 0) return STATUS_OK;
  const bytes = n * size;
  const to = reach(cpu, destination, WRITE, step > 0 ? 0 : bytes - size, bytes);
  if (to < 0) return STATUS_OK;
  const [low, high] = [cpu.state.gpr32(RAX), cpu.state.gprHigh(RAX)];
  const memory = arena.u8;
  const first = low & 0xff;
  let areAlike = true;
  for (let at = 0; at < size; at++) {
    const byte = ((at < 4 ? low : high) >>> (8 * (at & 3))) & 0xff;
    memory[to + at] = byte;
    areAlike &&= byte === first;
  }
  // Most clear memory.
  if (areAlike) memory.fill(first, to, to + bytes);
  else for (let done = size; done < bytes; done *= 2) memory.copyWithin(to + done, to, to + Math.min(done, bytes - done));
  retire(cpu, arena, n);
  advance(cpu, RDI, n * step);
  return STATUS_OK;
}
