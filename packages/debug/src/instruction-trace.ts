/** Instructions as they are executed, with the registers that each one changed: a trace for people, and for comparing two runs. */
import type { VirtualMachine } from "@doppel/vmm";
import { disassemble } from "@doppel/x86";
import { layout } from "@doppel/cpu";
import { currentProcessor } from "./debuggee.ts";
import { readLinear } from "./guest-memory.ts";

const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const LONGEST = 15;
const MODE_CODE32 = 1;

/** One instruction, executed. */
export interface TracedInstruction {
  /** Linear address. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Disassembly, or "(not mapped)". */
  readonly text: string;
  /** General registers and flags that it changed, with their new values. */
  readonly changed: Readonly<Record<string, number>>;
}

/** The instruction at CS:EIP, before it is executed. */
export function currentInstruction(machine: VirtualMachine): { address: number; bytes: Uint8Array; text: string } {
  const { cpu } = currentProcessor(machine);
  const address = cpu.wrap(cpu.state.segmentBase(layout.CS) + cpu.state.rip);
  const bytes = readLinear(machine, address, LONGEST);
  if (bytes.length === 0) return { address, bytes, text: "(not mapped)" };
  const { text, length } = disassemble(bytes, 0, cpu.state.mode & MODE_CODE32 ? 4 : 2, address);
  return { address, bytes: bytes.subarray(0, length), text };
}

function values(machine: VirtualMachine): Record<string, number> {
  const { cpu } = currentProcessor(machine);
  return { ...Object.fromEntries(REGISTERS.map((name, n) => [name, cpu.state.gpr32(n)])), eflags: cpu.state.eflags };
}

/**
 * Executes instructions of a machine that stands still, one at a time, and yields each one after its execution.
 *
 * @example
 * for (const { address, text } of traceInstructions(machine, 3)) console.log(address.toString(16), text);
 */
export function* traceInstructions(machine: VirtualMachine, count: number): Generator<TracedInstruction> {
  for (let n = 0; n < count; n++) {
    const instruction = currentInstruction(machine);
    const before = values(machine);
    machine.step();
    const after = values(machine);
    const changed = Object.fromEntries(Object.entries(after).filter(([name, value]) => value !== before[name]));
    yield { ...instruction, changed };
  }
}

/** A traced instruction as a line. */
export function traceLine({ address, text, changed }: TracedInstruction): string {
  const effects = Object.entries(changed).map(([name, value]) => `${name}=${value.toString(16)}`).join(" ");
  return `${address.toString(16).padStart(8, "0")}  ${text.padEnd(40)} ${effects}`.trimEnd();
}
