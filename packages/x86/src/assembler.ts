/**
 * The assembler: Intel syntax as NASM writes it, from the same tables as the decoder. Passes repeat until every label stands still; a
 * jump starts short and is lengthened once when it does not reach.
 *
 * Directives: `bits 16|32|64`, `org N`, `align N[, fill]`, `db dw dd dq`, `resb resw resd resq`, `times N ...`, `name equ E`, `name = E`,
 * `default rel|abs`; each may be written with a leading dot. A label ends with a colon; `.name` is local to the last label without a dot.
 */
import { Assembly } from "./assembly.ts";
import type { AssembledProgram, AssemblyOptions } from "./assembly-types.ts";

/**
 * Assembles `source` and gives back its bytes.
 *
 * @throws AssemblyError when a line cannot be read or encoded.
 * @example
 * ```ts
 * assemble("add eax, 5\n jmp $", { bits: 32 }); // Uint8Array of 83 c0 05 eb fe
 * ```
 */
export function assemble(source: string, options: AssemblyOptions = {}): Uint8Array {
  return assembleProgram(source, options).bytes;
}

/**
 * Assembles `source` and gives back bytes, labels and lines.
 *
 * @throws AssemblyError when a line cannot be read or encoded.
 */
export function assembleProgram(source: string, options: AssemblyOptions = {}): AssembledProgram {
  return new Assembly(source, options).run();
}
