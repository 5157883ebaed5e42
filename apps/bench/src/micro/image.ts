/**
 * Puts the micro-kernels together and assembles them, for 32 or for 64 bits from one source. It has words that the assembler has not:
 * `@ax` is EAX or RAX (and so for each register), `@word` and `dword@` are an operand and data as wide, `@width` is their bytes in an address, and
 * `iret@` is the IRET of the mode.
 */
import * as x86 from "@doppel/x86";
import { computing } from "./computing.ts";
import { descriptors } from "./descriptors.ts";
import { monitor } from "./monitor.ts";
import { start } from "./start.ts";
import { system } from "./system.ts";

const LOAD_ADDRESS = 0x100000;

/** Zeroed memory: name and bytes, in order of falling alignment. */
const BSS: readonly (readonly [name: string, size: number])[] = [
  ["top", 4096], ["other_top", 4096], ["pointers", 4096], ["other_pointers", 4096], ["low_directory", 4096], ["directory", 4096], ["other_directory", 4096],
  ["window_table", 4096], ["other_window_table", 4096], ["field_tables", 8192 * 8], ["patched", 4096],
  ["stack", 4096], ["stack_top", 0], ["trap_stack", 4096], ["trap_stack_top", 0], ["user_stack", 4096], ["user_stack_top", 0],
  ["idt", 0x82 * 16], ["task", 104], ["kernel_stack", 8], ["served", 4], ["line", 64], ["line_end", 0],
];

/** The manual's constants by their names. */
const symbols = Object.fromEntries(Object.entries(x86).filter((entry): entry is [string, number] => typeof entry[1] === "number" && /^[A-Z]/.test(entry[0])));

/** The multiboot image with the kernels of these names, for a mode. */
export function assembleMicroKernels(bits: 32 | 64, names: readonly string[]): Uint8Array {
  let offset = 0;
  const variables = BSS.map(([name, size]) => {
    const line = `${name} equ bss + ${offset}`;
    offset += size;
    return line;
  });
  const code = [start(bits), `bits ${bits}`, descriptors(bits), monitor(names), computing, system(bits)].join("\n")
    .replaceAll("iret@", bits === 32 ? "iretd" : "iretq").replaceAll("dword@", bits === 32 ? "dd" : "dq").replaceAll("@word", bits === 32 ? "dword" : "qword")
    .replaceAll("@width", `${bits / 8}`).replaceAll("@", bits === 32 ? "e" : "r");
  const source = [
    `load_address equ ${LOAD_ADDRESS}`, code, "align 4, 0", "image_end:", "bss equ (image_end + 0xfff) & ~0xfff", ...variables, `bss_end equ bss + ${offset}`,
  ].join("\n");
  return x86.assembleProgram(source, { bits: 32, origin: LOAD_ADDRESS, symbols }).bytes;
}
