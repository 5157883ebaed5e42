/** What the two ROMs of this folder, for protected mode and for IA-32e mode, have alike. */
import { assemble } from "@doppel/x86";

/** Name and code of a case. */
export interface SystemCase {
  readonly name: string;
  readonly code: string;
}

/** Where the copy in RAM runs. */
export const ORIGIN = 0x10000;
/** How many vectors have a stub. */
export const VECTORS = 0x61;
const WITH_CODE = [8, 10, 11, 12, 13, 14, 17];

/** A stub for each vector: it pushes -1 where the processor has pushed no error code, the vector, and goes to `common`. */
export function stubs(wide: boolean): string {
  const push = wide ? "push qword" : "push dword";
  const lines: string[] = [];
  for (let vector = 0; vector < VECTORS; vector += 1) {
    lines.push(`stub${vector}:`, WITH_CODE.includes(vector) ? "" : `${push} -1`, `${push} ${vector}`, "jmp common");
  }
  return lines.join("\n");
}

/** The routine `hex`, which prints EAX, or RAX where `wide`, and a space; it changes AL, BL, rDX and EDI. */
export const hex = (wide: boolean): string => `
hex:
  mov ${wide ? "rdx, rax" : "edx, eax"}
  mov bl, 0
  mov edi, ${wide ? 16 : 8}
.digit:
  rol ${wide ? "rdx" : "edx"}, 4
  mov al, dl
  and al, 15
  jnz .show
  cmp edi, 1
  je .show
  test bl, bl
  jz .skip
.show:
  mov bl, 1
  add al, '0'
  cmp al, '9'
  jbe .put
  add al, 39
.put:
  out 0xe9, al
.skip:
  dec edi
  jnz .digit
  mov al, ' '
  out 0xe9, al
  ret`;

/** The ROM: 64 KiB, to stand at F0000h and below 4 GiB; it begins with a far jump at its reset vector. */
export function romImage(source: string): Uint8Array {
  const image = new Uint8Array(0x10000).fill(0x90);
  image.set(assemble(source, { origin: ORIGIN, bits: 16 }));
  image.set([0xea, 0, 0, 0, 0xf0], 0xfff0);
  return image;
}
