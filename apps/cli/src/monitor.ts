/**
 * The monitor: a prompt beside the guest's console, at which the machine stands still. Each command is a line; what it prints
 * is text with plain newlines.
 */
import type { Vm } from "./machine.ts";

/** What a command did to the session besides printing. */
export type MonitorResult = { text: string; then: "stay" | "continue" | "quit" };

/** What the monitor may do that is not the machine's own. */
export interface MonitorHost {
  /** Writes the machine's state; without a name to the file of `--save`. Gives what to print. */
  save(path: string | undefined): Promise<string>;
}

/** The prompt. */
export const PROMPT = "(doppel) ";

const HELP = `info registers   the CPU's registers
info tlb         what the TLB holds
x/COUNT[b|h|w] ADDRESS   memory at a linear address, in bytes, 16-bit or 32-bit words
step [COUNT]     execute instructions
continue         let the machine run, and go back to its console
screen           the text screen
sendkey KEYS     press keys together: sendkey ctrl-alt-delete
save [FILE]      save the machine's state
quit             end doppel
`;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** Executes one line. */
export async function monitorCommand(vm: Vm, host: MonitorHost, line: string): Promise<MonitorResult> {
  const [command = "", ...args] = line.trim().split(/\s+/);
  const say = (text: string): MonitorResult => ({ text, then: "stay" });
  if (command.startsWith("x/")) return say(examine(vm, command.slice(2), args[0]));
  switch (command) {
    case "": return say("");
    case "help": case "?": return say(HELP);
    case "info": case "i":
      if (args[0] === "registers" || args[0] === "r") return say(registers(vm));
      if (args[0] === "tlb") return say(vm.tlb ? `${vm.tlb().join("\n")}\n` : "This machine does not show its TLB.\n");
      return say("info registers, or info tlb\n");
    case "step": case "s": {
      const count = args[0] === undefined ? 1 : Number(args[0]);
      if (!Number.isSafeInteger(count) || count < 1) return say("step wants a number of instructions\n");
      if (!vm.step) return say("This machine cannot step.\n");
      vm.step(count);
      return say(registers(vm));
    }
    case "continue": case "c": return { text: "", then: "continue" };
    case "screen": return say(`${vm.screen()}\n`);
    case "sendkey":
      if (args[0] === undefined) return say("sendkey wants keys, such as a, ret or ctrl-alt-delete\n");
      if (!vm.sendKey) return say("This machine has no keyboard.\n");
      return say(vm.sendKey(args[0]) ? "" : `There is no key for ${args[0]}.\n`);
    case "save": return say(await host.save(args[0]));
    case "quit": case "q": return { text: "", then: "quit" };
    default: return say(`There is no command ${command}; try help.\n`);
  }
}

/** Name and value, a few a line; numbers in hexadecimal. */
function registers(vm: Vm): string {
  const all = Object.entries(vm.registers()).map(([name, value]) =>
    `${name.toUpperCase().padEnd(6)} ${typeof value === "number" || typeof value === "bigint" ? value.toString(16).padStart(8, "0") : String(value)}`);
  let text = "";
  for (let i = 0; i < all.length; i += 4) text += `${all.slice(i, i + 4).map((cell) => cell.padEnd(19)).join(" ").trimEnd()}\n`;
  return text;
}

const sizes: Record<string, 1 | 2 | 4> = { b: 1, h: 2, w: 4 };

function examine(vm: Vm, format: string, where: string | undefined): string {
  const match = /^(\d*)([bhw]?)x?$/.exec(format);
  const address = where === undefined ? Number.NaN : Number(/^0x/i.test(where) ? where : `0x${where}`);
  if (!match || !(address >= 0 && address < 2 ** 32)) return "x/COUNT[b|h|w] ADDRESS, with the address in hexadecimal\n";
  if (!vm.readMemory) return "This machine does not show its memory.\n";
  const count = Math.min(Number(match[1] || "1"), 4096);
  const size = sizes[match[2] || "w"]!;
  let text = "";
  const perLine = 16 / size;
  for (let i = 0; i < count; i += perLine) {
    const at = address + i * size;
    const bytes = vm.readMemory(at, Math.min(perLine, count - i) * size);
    if (!bytes) return `${text}${hex(at, 8)}: nothing is mapped here\n`;
    const words: string[] = [];
    for (let j = 0; j < bytes.length; j += size) {
      let word = 0;
      for (let k = size - 1; k >= 0; k--) word = word * 256 + (bytes[j + k] ?? 0);
      words.push(hex(word, size * 2));
    }
    text += `${hex(at, 8)}: ${words.join(" ")}\n`;
  }
  return text;
}
