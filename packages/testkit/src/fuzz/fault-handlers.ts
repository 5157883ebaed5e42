/**
 * The handlers of a fuzzed program, for every size of code (SDM volume 3, chapter 6): one skips the instruction that faulted, by the
 * table of what follows it, one restarts it (#NM, which clears TS), one returns, and one stops. They lie at `HANDLERS`; those of
 * 64-bit code run wherever they are seen.
 */
import { assembleProgram } from "@doppel/x86";
import { HANDLERS, NEXT } from "./image-layout.ts";

/** Those of 32- or 64-bit code: the letter and the size of its stack pointer, its IRET, and how the table of what follows is addressed by (E)AX. */
const flat = (prefix: string, letter: string, size: number, iret: string, following: string): string => `
${prefix}skip_code:
  lea ${letter}sp, [${letter}sp + ${size}]
${prefix}skip:
  push ${letter}ax
  mov ${letter}ax, [${letter}sp + ${size}]
  and eax, 0xfff
  mov ${letter}ax, [${following}]
  test ${letter}ax, ${letter}ax
  jz ${prefix}stop
  mov [${letter}sp + ${size}], ${letter}ax
  pop ${letter}ax
  ${iret}
${prefix}restart:
  clts
  ${iret}
${prefix}return_code:
  add ${letter}sp, ${size}
${prefix}return:
  ${iret}
${prefix}stop:
  hlt
  jmp ${prefix}stop
`;

const SOURCE = `
bits 32
${flat("", "e", 4, "iretd", `cs:eax * 4 + ${NEXT}`)}
return16:
  iretw
bits 64
${flat("long_", "r", 8, "iretq", `rax * 8 + ${NEXT}`)}
bits 16
real_skip:
  push bx
  push bp
  mov bp, sp
  mov bx, [bp + 4]
  and bx, 0xfff
  shl bx, 2
  mov bx, [cs:bx + ${NEXT - HANDLERS}]
  test bx, bx
  jz real_stop
  mov [bp + 4], bx
  pop bp
  pop bx
  iret
real_restart:
  clts
real_return:
  iret
real_stop:
  hlt
  jmp real_stop
`;
const handlers = assembleProgram(SOURCE, { origin: HANDLERS, bits: 32 });

/** Their bytes, from `HANDLERS` on. */
export const HANDLER_BYTES: Uint8Array = handlers.bytes;

/** Address of a label of theirs. */
export function handlerAddress(name: string): number {
  const at = handlers.labels.get(name);
  if (at === undefined) throw new Error(`the handlers have no label "${name}"`);
  return Number(at);
}

const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const FAULTS = new Set([0, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19]);

/** Whether a vector is a fault, which would come again if its handler returned as it is. */
export function isFault(vector: number): boolean {
  return FAULTS.has(vector);
}

/** What is to be done about a vector: the names of the 32-bit handlers. */
export function remedyOf(vector: number): "restart" | "skip" | "skip_code" | "return" | "return_code" {
  if (vector === 7) return "restart";
  const code = WITH_CODE.has(vector);
  return isFault(vector) ? (code ? "skip_code" : "skip") : code ? "return_code" : "return";
}
