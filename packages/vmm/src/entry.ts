/** Puts a CPU into the state that a boot protocol hands to a kernel. */
import type { Cpu } from "@doppel/cpu";
import type { EntryState } from "@doppel/firmware";

const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** Everything the entry names is set; the rest keeps its value after reset. */
export function enterState(cpu: Cpu, entry: EntryState): void {
  const { state } = cpu;
  for (const [n, name] of GENERAL.entries()) state.setGpr32(n, entry.registers[name]);
  for (const [n, name] of SEGMENTS.entries()) {
    const { selector, base, limit, attributes } = entry.segments[name];
    state.setSelector(n, selector);
    state.setSegmentBase(n, base);
    state.setSegmentLimit(n, limit);
    state.setSegmentAttributes(n, attributes);
  }
  Object.assign(cpu.gdtr, entry.gdt);
  Object.assign(cpu.idtr, entry.idt);
  cpu.cr0 = entry.cr0 | 0;
  cpu.cr3 = entry.cr3;
  cpu.cr4 = entry.cr4;
  cpu.efer = entry.efer;
  state.rip = entry.registers.eip;
  state.eflags = entry.registers.eflags;
  cpu.applyPaging();
  cpu.mmu.setRoot(entry.cr3);
  cpu.deriveSegments();
}
