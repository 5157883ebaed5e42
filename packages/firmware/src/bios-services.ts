/**
 * The interrupt services that a BIOS leaves behind, as far as a boot loader's client calls them: IBM PC/AT Technical Reference, "BIOS
 * Interface", and ACPI 6.4, section 15.1 "INT 15H, E820H". Xen looks at screen, disks and memory from real mode although a loader told
 * it all; the hardware interrupts that are on by then want an end of interrupt. There are no disks, and no key was pressed.
 */
import { assemble } from "@doppel/x86";
import type { E820Entry } from "./memory-map.ts";
import { ByteWriter } from "./byte-writer.ts";
import { BIOS_SEGMENT, HIGH_MEMORY } from "./memory-map.ts";

/** Offset of the code in the BIOS segment. */
const SERVICES = 0xe000;
const VECTORS = 256;
const MIB = 1 << 20;
/** "SMAP" as a number. */
const SMAP = 0x534d4150;
const ENTRY_SIZE = 20;

/** Vectors and their handlers, in the order of the handlers' jumps; every other vector returns at once. */
const HANDLERS: readonly (readonly [name: string, ...vectors: number[]])[] = [
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
/** `jmp near` has three bytes. */
const JUMP = 3;

/** Interrupt vectors to be written at 0, and the code to be written at `base`. */
export function biosServices(map: readonly E820Entry[]): { vectors: Uint8Array; base: number; code: Uint8Array } {
  const targets = new Map(HANDLERS.flatMap(([, ...vectors], n) => vectors.map((vector) => [vector, n] as const)));
  const vectors = new ByteWriter();
  for (let n = 0; n < VECTORS; n++) vectors.u16(SERVICES + JUMP * (targets.get(n) ?? 0)).u16(BIOS_SEGMENT >> 4);
  return { vectors: vectors.finish(), base: BIOS_SEGMENT + SERVICES, code: assemble(source(map), { bits: 16, origin: SERVICES }) };
}

/** Handlers return with their caller's flags, but for what `succeed` and `fail` change in the copy on the stack. */
function source(map: readonly E820Entry[]): string {
  const extended = map.find((entry) => entry.base === HIGH_MEMORY)?.length ?? 0;
  const kilobytes = Math.floor(extended / 1024);
  const below16M = Math.min(kilobytes, 15 * 1024);
  const bytes = new ByteWriter();
  for (const entry of map) bytes.u64(entry.base).u64(entry.length).u32(entry.type);
  return `
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
  mov ax, ${Math.min(kilobytes, 0xffff)}
  jmp short succeed
sizes:
  mov ax, ${below16M}
  mov bx, ${Math.max(0, Math.floor((extended - 15 * MIB) / 65536))}
  mov cx, ax
  mov dx, bx
  jmp short succeed
map:
  cmp edx, ${SMAP}
  jne failure
  cmp ebx, ${map.length}
  jae failure
  push ds
  push si
  push di
  push cs
  pop ds
  imul si, bx, ${ENTRY_SIZE}
  add si, entries
  mov cx, ${ENTRY_SIZE}
  cld
  rep movsb
  pop di
  pop si
  pop ds
  inc ebx
  cmp ebx, ${map.length}
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

entries:
  db ${[...bytes.finish()].join(", ")}
`;
}
