/**
 * Guest memory by linear address as a debugger sees it: through the guest's own page tables, but with no fault, no accessed or dirty
 * bit and no TLB entry left behind, and without a look at what is no memory, because a device may change when it is read.
 */
import type { VirtualMachine } from "@doppel/vmm";
import { PAGE_SIZE } from "@doppel/x86";
import { currentProcessor } from "./debuggee.ts";

function* pieces(machine: VirtualMachine, linear: number, length: number): Generator<{ physical: number; from: number; to: number }> {
  const { memory } = machine;
  const { cpu } = currentProcessor(machine);
  for (let from = 0; from < length; ) {
    const at = cpu.wrap(linear + from);
    const physical = cpu.mmu.peek(at);
    if (physical < 0 || !memory.map.isMemory(Math.floor(physical / PAGE_SIZE))) return;
    const to = Math.min(length, from + PAGE_SIZE - (at % PAGE_SIZE + PAGE_SIZE) % PAGE_SIZE);
    yield { physical, from, to };
    from = to;
  }
}

/** Up to `length` bytes from a linear address on; fewer, or none, where no memory is mapped. */
export function readLinear(machine: VirtualMachine, linear: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  for (const { physical, from, to } of pieces(machine, linear, length)) {
    machine.memory.map.readBytes(physical, bytes.subarray(from, to));
    done = to;
  }
  return bytes.subarray(0, done);
}

/** Writes bytes, into ROM as well; false, and nothing is written, where not all of it is memory. Decoded code there is forgotten. */
export function writeLinear(machine: VirtualMachine, linear: number, bytes: Uint8Array): boolean {
  const all = [...pieces(machine, linear, bytes.length)];
  if (bytes.length > 0 && all.at(-1)?.to !== bytes.length) return false;
  for (const { physical, from, to } of all) machine.memory.map.load(physical, bytes.subarray(from, to));
  return true;
}
