/**
 * Puts the parts of the kernel together and assembles them. Two things are added to the assembler's language: `say ITEMS`, which prints
 * a string that is kept with all others behind the code, and the layout of the zeroed memory behind the image.
 */
import * as x86 from "@doppel/x86";
import { access } from "./access.ts";
import { commands } from "./commands.ts";
import { consoleOutput } from "./console.ts";
import { descriptors } from "./descriptors.ts";
import { consoleInput } from "./input.ts";
import { interrupts } from "./interrupts.ts";
import { memory } from "./memory.ts";
import { power } from "./power.ts";
import { processor } from "./processor.ts";
import { programs } from "./programs.ts";
import { script } from "./script.ts";
import { start } from "./start.ts";
import { time } from "./time.ts";

/** Where the loader puts the first byte of the image. */
export const LOAD_ADDRESS = 0x100000;

/** Zeroed memory: name and bytes, in order of falling alignment. */
const BSS: readonly (readonly [name: string, size: number])[] = [
  ["page_directory", 4096], ["page_table", 4096], ["demo_page", 4096], ["stack", 16384], ["stack_top", 0],
  ["idt", 48 * 8], ["map", 32 * 20], ["map_count", 4], ["memory_top", 4], ["ticks", 4], ["tsc_rate", 4], ["cpu_features", 4], ["cursor", 4],
  ["script_rest", 4], ["script", 1024], ["ring", 256], ["line", 128], ["text", 64], ["ring_head", 1], ["ring_tail", 1], ["shift", 1], ["last_key", 1],
];

/** The manual's constants by their names, for the assembly source. */
const symbols = Object.fromEntries(
  Object.entries(x86).filter((entry): entry is [string, number] => typeof entry[1] === "number" && /^(CR\d|PTE|DESCRIPTOR|TYPE|CPUID)_/.test(entry[0])),
);

/** The kernel's source, all parts in one. */
export function kernelSource(): string {
  const parts = [start, descriptors, interrupts, consoleOutput, consoleInput, memory, access, processor, time, programs, power, script, commands].join("");
  const strings = new Map<string, string>();
  const code = parts.replace(/^ +say (.*)$/gm, (_, items: string) => {
    const label = strings.get(items) ?? `text_${strings.size}`;
    strings.set(items, label);
    return `push esi\nmov esi, ${label}\ncall print\npop esi`;
  });
  let offset = 0;
  const variables = BSS.map(([name, size]) => {
    const line = `${name} equ bss + ${offset}`;
    offset += size;
    return line;
  });
  return [
    `load_address equ ${LOAD_ADDRESS}`, code,
    ...Array.from(strings, ([items, label]) => `${label} db ${items}, 0`), "align 4, 0", "image_end:",
    "bss equ (image_end + 0xfff) & ~0xfff", ...variables, `bss_end equ bss + ${offset}`,
  ].join("\n");
}

/** Assembles the kernel. */
export function assembleKernel(): x86.AssembledProgram {
  return x86.assembleProgram(kernelSource(), { bits: 32, origin: LOAD_ADDRESS, symbols });
}
