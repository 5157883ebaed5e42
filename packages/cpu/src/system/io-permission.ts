/**
 * Permission bitmaps of the 32-bit TSS: ports, and the software interrupts that VME redirects (SDM volume 1, 18.5.2;
 * volume 3, 7.2.1 and 20.3.3).
 */
import { EFLAGS_IOPL, EFLAGS_VM, VECTOR_GP } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { TR } from "../state-layout.ts";

const IO_MAP_BASE = 102;

/** Offset of the I/O map in the TSS, -1 when the TSS has none, or -2 when a page fault was recorded. */
function mapBase(cpu: Cpu): number {
  const { state, linear } = cpu;
  if (!(state.segmentAttributes(TR) & 0x800) || state.segmentLimit(TR) < IO_MAP_BASE + 1) return -1;
  return linear.read(cpu.wrapTable(state.segmentBase(TR) + IO_MAP_BASE), 2, false) ? linear.value : -2;
}

/** #GP(0) unless CPL, IOPL and the I/O bitmap permit `size` bytes at `port`. */
export function checkPort(cpu: Cpu, port: number, size: number): boolean {
  const { state, linear } = cpu;
  const flags = state.systemFlags;
  if (!(cpu.cr0 & 1)) return true;
  if (!(flags & EFLAGS_VM) && state.cpl <= (flags & EFLAGS_IOPL) >> 12) return true;
  const map = mapBase(cpu);
  if (map === -2) return false;
  const at = map + (port >> 3);
  // The processor reads two bytes, so the map must end with a byte of ones.
  if (map < 0 || at + 1 > state.segmentLimit(TR)) return cpu.fault(VECTOR_GP, 0);
  if (!linear.read(cpu.wrapTable(state.segmentBase(TR) + at), 2, false)) return false;
  return ((linear.value >> (port & 7)) & ((1 << size) - 1)) === 0 || cpu.fault(VECTOR_GP, 0);
}

/** With CR4.VME: 1 when INT `vector` goes to the 8086 program's own handler, 0 when not, -1 when a fault was recorded. */
export function interruptRedirected(cpu: Cpu, vector: number): number {
  const { state, linear } = cpu;
  const map = mapBase(cpu);
  if (map === -2) return -1;
  const at = map - 32 + (vector >> 3);
  if (map < 32 || at > state.segmentLimit(TR)) {
    cpu.fault(VECTOR_GP, 0);
    return -1;
  }
  if (!linear.read(cpu.wrapTable(state.segmentBase(TR) + at), 1, false)) return -1;
  return (linear.value >> (vector & 7)) & 1 ? 0 : 1;
}
