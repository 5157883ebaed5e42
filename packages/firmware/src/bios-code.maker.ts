/** Makes the code of the BIOS's interrupt services; the package's build puts it into `bios-code.made.ts`. */
import { assemble } from "@doppel/x86";

/** Offset of the code in the BIOS segment. */
export const SERVICES = 0xe000;
/** "SMAP" as a number. */
const SMAP = 0x534d4150;
/** Bytes of an entry of the memory map. */
const ENTRY_SIZE = 20;

/** Vectors and their handlers, in the order of the handlers' jumps; every other vector returns at once. */
export const HANDLERS: readonly (readonly [name: string, ...vectors: number[]])[] = [
  ["nothing"],
  ["tick", 0x08],
  ["key", 0x09],
  ["master", 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f],
  ["slave", 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77],
  ["video", 0x10],
  ["equipment", 0x11],
  ["memory", 0x12],
  ["failure", 0x13],
  ["system", 0x15],
  ["keyboard", 0x16],
  ["time", 0x1a],
];

/**
 * Assembles it. The machine's parameters stand behind it: words with the KiB above 1 MiB, those below 16 MiB and the 64 KiB blocks from there on, a double
 * word with the number of entries of the memory map, and the entries. Handlers return with their caller's flags, but for what `succeed` and `fail` change
 * in the copy on the stack.
 */
export function make(): readonly number[] {
  return [...assemble(SOURCE, { bits: 16, origin: SERVICES })];
}

const SOURCE = `
${HANDLERS.map(([name]) => `  jmp near ${name}`).join("\n")}

nothing:
  iret

tick:
  push ds
  push ax
  mov ax, 0x40
  mov ds, ax
  add word [0x6c], 1
  adc word [0x6e], 0
  pop ax
  pop ds
  jmp short master
key:
  push ax
  in al, 0x60
  pop ax
  jmp short master
slave:
  push ax
  mov al, 0x20
  out 0xa0, al
  pop ax
master:
  push ax
  mov al, 0x20
  out 0x20, al
  pop ax
  iret

video:
  cmp ah, 0x0f
  je mode
  cmp ah, 3
  jne nothing
  mov cx, 0x0607
  xor dx, dx
  iret
mode:
  mov ax, 0x5003
  mov bh, 0
  iret

equipment:
  mov ax, 0x10
  jmp short word_of_data
memory:
  mov ax, 0x13
word_of_data:
  push ds
  push bx
  mov bx, ax
  mov ax, 0x40
  mov ds, ax
  mov ax, [bx]
  pop bx
  pop ds
  iret

keyboard:
  xor ax, ax
  push bp
  mov bp, sp
  or byte [bp+6], 0x40
  pop bp
  iret

time:
  cmp ah, 0
  jne failure
  push ds
  mov ax, 0x40
  mov ds, ax
  mov dx, [0x6c]
  mov cx, [0x6e]
  xor ax, ax
  pop ds
  iret

system:
  cmp ax, 0xe820
  je map
  cmp ax, 0xe801
  je sizes
  cmp ah, 0x88
  jne failure
  mov ax, [cs:parameters]
  jmp short succeed
sizes:
  mov ax, [cs:parameters+2]
  mov bx, [cs:parameters+4]
  mov cx, ax
  mov dx, bx
  jmp short succeed
map:
  cmp edx, ${SMAP}
  jne failure
  cmp ebx, [cs:parameters+6]
  jae failure
  push ds
  push si
  push di
  push cs
  pop ds
  imul si, bx, ${ENTRY_SIZE}
  add si, parameters+10
  mov cx, ${ENTRY_SIZE}
  cld
  rep movsb
  pop di
  pop si
  pop ds
  inc ebx
  cmp ebx, [cs:parameters+6]
  jb more
  xor ebx, ebx
more:
  mov eax, ${SMAP}
  mov ecx, ${ENTRY_SIZE}
succeed:
  push bp
  mov bp, sp
  and byte [bp+6], 0xfe
  pop bp
  iret

failure:
  mov ah, 0x86
  push bp
  mov bp, sp
  or byte [bp+6], 1
  pop bp
  iret

parameters:
`;
