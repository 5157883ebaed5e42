/** Commands behind gdb's `monitor`: what the machine is asked beyond the protocol. The machine stands still meanwhile. */
import type { Cpu } from "@doppel/cpu";
import { currentProcessor, type Debuggee } from "./debuggee.ts";
import { traceInstructions, traceLine } from "./instruction-trace.ts";

const HELP = `info registers   general and system registers, segments with their hidden parts
info tlb         what the TLB holds
info stats       counters
phys ADDR [N]    N bytes at a physical address (64)
trace N          execute N instructions and show them
reset            power-on state, and the boot once more
quit             end the machine
`;
const GENERAL = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"] as const;
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"] as const;
const LONGEST_TRACE = 100_000;

const hex = (value: number, digits = 8): string => (value < 0 ? value >>> 0 : value).toString(16).padStart(digits, "0");

/** Executes one command, and gives what it prints. */
export function monitorCommand(debuggee: Debuggee, line: string): string {
  const { machine } = debuggee;
  const [command = "", ...words] = line.trim().split(/\s+/);
  switch (command) {
    case "help": case "": return HELP;
    case "info":
      if (words[0] === "registers") return registers(currentProcessor(machine).cpu);
      if (words[0] === "stats") return `${JSON.stringify(machine.stats(), undefined, 2)}\n`;
      if (words[0] === "tlb") return tlb(currentProcessor(machine).cpu);
      return "info registers, info tlb or info stats\n";
    case "phys": {
      const address = Number.parseInt(words[0] ?? "", 16);
      const count = Math.min(Number(words[1] ?? 64), 4096);
      if (!Number.isSafeInteger(address) || !(count > 0) || address < 0) return "phys ADDRESS [COUNT], the address in hexadecimal\n";
      const bytes = new Uint8Array(count);
      machine.memory.map.readBytes(address, bytes);
      return dump(address, bytes);
    }
    case "trace": {
      const count = Number(words[0] ?? 1);
      if (!Number.isSafeInteger(count) || count < 1 || count > LONGEST_TRACE) return `trace N, N from 1 to ${LONGEST_TRACE}\n`;
      return `${[...traceInstructions(machine, count)].map(traceLine).join("\n")}\n`;
    }
    case "reset":
      machine.reset();
      return "";
    case "quit":
      debuggee.stop();
      return "";
    default: return `There is no command ${command}; try monitor help.\n`;
  }
}

function registers(cpu: Cpu): string {
  const { state } = cpu;
  const lines = [
    GENERAL.slice(0, 4).map((name, n) => `${name}=${hex(state.gpr32(n))}`).join(" "),
    GENERAL.slice(4).map((name, n) => `${name}=${hex(state.gpr32(n + 4))}`).join(" "),
    `EIP=${hex(state.rip)} EFLAGS=${hex(state.eflags)} CPL=${state.cpl}`,
    ...SEGMENTS.map((name, n) => `${name.padEnd(4)} =${hex(state.selector(n), 4)} ${hex(state.segmentBase(n))} ${hex(state.segmentLimit(n))} ${hex(state.segmentAttributes(n))}`),
    `GDT  =     ${hex(cpu.gdtr.base)} ${hex(cpu.gdtr.limit)}`,
    `IDT  =     ${hex(cpu.idtr.base)} ${hex(cpu.idtr.limit)}`,
    `CR0=${hex(cpu.cr0)} CR2=${hex(cpu.cr2)} CR3=${hex(cpu.cr3)} CR4=${hex(cpu.cr4)} EFER=${hex(cpu.efer)}`,
    [0, 1, 2, 3, 6, 7].map((n) => `DR${n}=${hex(cpu.dr[n]!)}`).join(" "),
    `FCW=${hex(state.fpuControl, 4)} FSW=${hex(state.fpuStatus, 4)} FTW=${hex(state.fpuTags, 2)} MXCSR=${hex(state.mxcsr)}`,
    `activity ${["active", "halted", "shutdown"][cpu.activity] ?? cpu.activity}, interrupt shadow ${["none", "sti", "stack"][cpu.shadow] ?? cpu.shadow}`,
  ];
  return `${lines.join("\n")}\n`;
}

function tlb(cpu: Cpu): string {
  let text = "";
  cpu.mmu.tlb.forEach(({ view, linear, host, write, execute, global, pageShift }) => {
    const flags = `${view === 0 ? "s" : "u"}${write ? "w" : "-"}${execute ? "x" : "-"}${global ? "g" : "-"}`;
    text += `${hex(linear)} -> machine ${hex(host)} ${flags} ${2 ** (pageShift - 10)}K\n`;
  });
  return text === "" ? "The TLB is empty.\n" : text;
}

function dump(address: number, bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 16) {
    text += `${hex(address + at)}: ${[...bytes.subarray(at, at + 16)].map((byte) => hex(byte, 2)).join(" ")}\n`;
  }
  return text;
}
