/**
 * A ROM image that tries one rule of the system architecture after another and prints what happened on port E9h: the
 * vector, the error code and the frame that the handler found. The same image runs on other machines, so that their
 * answers can stand beside the manual's.
 *
 *   F000:0000 the image   0x10000 its copy in RAM, where it runs   0x1000 GDT  0x1800 LDT  0x2000 IDT  0x3000 TSS
 *   0x4000 second TSS (32-bit)  0x5000 third TSS (16-bit)  0x8000 page directory  0x9000 page table
 *   0x1f000, 0x2f000 stacks of level 0 and 3, 0x2e000 of the second task
 */
import { assembleProgram } from "@doppel/x86";
import { hex, ORIGIN, romImage, stubs, VECTORS } from "./rom-parts.ts";
import { SYSTEM_CASES } from "./system-rom-cases.ts";

/** Selectors of the ROM's GDT. */
const SELECTORS = `
CODE0 equ 0x08
DATA0 equ 0x10
CODE3 equ 0x1b
DATA3 equ 0x23
TASK1 equ 0x28
TASK2 equ 0x30
TASK3 equ 0x38
TABLE equ 0x40
CODE16 equ 0x48
DATA16 equ 0x50
CONFORM equ 0x58
EXECONLY equ 0x60
READONLY equ 0x68
ABSENT equ 0x70
ABSENTCODE equ 0x78
GATE32 equ 0x80
GATE16 equ 0x88
TASKGATE equ 0x90
ABSENTGATE equ 0x98
GATE0 equ 0xa0
SMALL equ 0xa8
CODE1 equ 0xb0
DATA1 equ 0xb8
DOWN equ 0xc0
GATE1 equ 0xc8
BASE equ 0x10000
`;

/** The assembly source of the whole ROM. */
function systemRomSource(): string {
  const cases = SYSTEM_CASES.map(({ code }, i) => `case${i}:\n${code}\n int 0x60\n align 4`).join("\n");
  const names = SYSTEM_CASES.map(({ name }, i) => `name${i}: db "${name}", 0`).join("\n");
  const table = SYSTEM_CASES.map((_, i) => `dd case${i}, name${i}`).join("\n");
  return `${SELECTORS}
  .bits 16
start:
  cli
  cld
  mov ax, 0xf000
  mov ds, ax
  mov ax, 0x1000
  mov es, ax
  xor si, si
  xor di, di
  mov cx, 0x4000
  rep movsd
  jmp 0x1000:entry - ${ORIGIN}
entry:
  mov ax, 0x1000
  mov ds, ax
  lgdt [first_gdtr - ${ORIGIN}]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword CODE0:flat
  .bits 32
flat:
  mov ax, DATA0
  mov ds, ax
  mov dword [0x6f00], 0
next:
  ; Every case begins with fresh tables and registers.
  mov esp, 0x1f000
  mov eax, cr0
  and eax, 0x7ffefff1
  mov cr0, eax
  xor eax, eax
  mov cr3, eax
  mov cr4, eax
  mov cr2, eax
  mov dr7, eax
  mov dr6, eax
  mov ax, DATA0
  mov es, ax
  mov esi, gdt
  mov edi, 0x1000
  mov ecx, 0x200 / 4
  rep movsd
  mov edi, 0x1800
  mov esi, ldt
  mov ecx, 4
  rep movsd
  lgdt [gdtr]
  lidt [idtr]
  mov edi, 0x3000
  mov ecx, 0x3000 / 4
  xor eax, eax
  rep stosd
  mov dword [0x3004], 0x1f000
  mov dword [0x3008], DATA0
  mov dword [0x300c], 0x1e000
  mov dword [0x3010], DATA1 + 1
  mov dword [0x3066], 0x68
  mov edi, 0x3068
  mov ecx, 0x20
  mov eax, 0xffffffff
  rep stosd
  mov esi, task2
  mov edi, 0x4020
  mov ecx, 18
  rep movsd
  mov esi, task3
  mov edi, 0x500e
  mov ecx, 15
  rep movsw
  call make_idt
  mov ax, DATA0
  mov ss, ax
  mov fs, ax
  mov gs, ax
  xor eax, eax
  lldt ax
  mov ax, TASK1
  ltr ax
  mov eax, [0x6f00]
  cmp eax, ${SYSTEM_CASES.length}
  jae done
  mov ecx, eax
  inc dword [0x6f00]
  mov esi, [table + ecx * 8 + 4]
.print: lodsb
  test al, al
  jz .named
  out 0xe9, al
  jmp .print
.named:
  mov al, ':'
  out 0xe9, al
  mov edi, [table + ecx * 8]
  push dword 2
  popfd
  mov eax, 0
  mov ebx, 0
  mov ecx, 0
  mov edx, 0
  mov esi, 0
  mov ebp, 0
  push edi
  mov edi, 0
  ret
done:
  mov al, 10
  out 0xe9, al
  mov al, 0
  mov dx, 0xf4
  out dx, al
  hlt

make_tables:
  mov dword [0x8000], 0x9007
  mov eax, 7
  mov edi, 0x9000
.fill: stosd
  add eax, 0x1000
  cmp edi, 0xa000
  jb .fill
  ret

make_idt:
  mov edi, 0x2000
  xor ecx, ecx
.gate:
  mov eax, [stub_table + ecx * 4]
  mov [edi], ax
  mov word [edi + 2], CODE0
  mov word [edi + 4], 0x8e00
  shr eax, 16
  mov [edi + 6], ax
  add edi, 8
  inc ecx
  cmp ecx, ${VECTORS}
  jb .gate
  mov dword [0x2000 + 0x45 * 8], 0
  mov dword [0x2000 + 0x45 * 8 + 4], 0
  mov word [0x2000 + 3 * 8 + 4], 0xee00
  mov word [0x2000 + 0x30 * 8 + 4], 0xef00
  mov word [0x2000 + 0x60 * 8 + 4], 0xef00
  ; 0x32: a 16-bit gate to 16-bit code at 0x9000; 0x33 absent; 0x34 data; 0x35 a task; 0x36 code of level 3, 0x37 of level 1
  mov dword [0x2000 + 0x32 * 8], (CODE16 << 16) + 0x9000
  mov dword [0x2000 + 0x32 * 8 + 4], 0x8600
  mov dword [0x19000], 0x90906067
  mov word [0x19000], 0x30cd
  mov byte [0x2000 + 0x33 * 8 + 5], 0x0e
  mov word [0x2000 + 0x34 * 8 + 2], DATA0
  mov dword [0x2000 + 0x35 * 8], TASK2 << 16
  mov dword [0x2000 + 0x35 * 8 + 4], 0x8500
  mov word [0x2000 + 0x36 * 8 + 2], CODE3
  mov word [0x2000 + 0x37 * 8 + 2], CODE1
  mov byte [0x2000 + 0x37 * 8 + 5], 0xee
  ret

; What the handler found: vector, code, frame, registers.
common:
  pushad
  mov ebp, esp
  mov ax, ss
  cmp ax, DATA16
  jne .flat
  movzx ebp, bp
  add ebp, 0x10000
.flat:
  mov ax, DATA0
  mov ss, ax
  mov esp, 0x1d000
  push ds
  push es
  push fs
  push gs
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  cld
  mov eax, [ebp + 32]
  call hex
  mov eax, [ebp + 36]
  call hex
  lea esi, [ebp + 40]
  mov ecx, 3
  test dword [ebp + 48], 0x20000
  jnz .virtual
  test byte [ebp + 44], 3
  jz .frame
  mov ecx, 5
  jmp .frame
.virtual:
  mov ecx, 9
.frame:
  lodsd
  call hex
  loop .frame
  mov al, '|'
  out 0xe9, al
  lea esi, [ebp + 28]
  mov ecx, 8
.registers:
  std
  lodsd
  cld
  call hex
  loop .registers
  mov al, '|'
  out 0xe9, al
  lea esi, [esp + 12]
  mov ecx, 4
.segments:
  std
  lodsd
  cld
  and eax, 0xffff
  call hex
  loop .segments
  mov al, '|'
  out 0xe9, al
  mov eax, cr2
  call hex
  mov eax, dr6
  call hex
  mov eax, cr0
  call hex
  xor eax, eax
  str ax
  call hex
  mov eax, [0x1000 + TASK1 + 4]
  call hex
  mov eax, [0x1000 + TASK2 + 4]
  call hex
  mov al, 10
  out 0xe9, al
  jmp next

${hex(false)}

${stubs(false)}

${cases}
  align 8
first_gdtr: dw 0x1ff
  dd gdt
gdtr: dw 0x1ff
  dd 0x1000
idtr: dw ${VECTORS * 8 - 1}
  dd 0x2000
  align 8
gdt: dq 0
  dq 0x00cf9a000000ffff, 0x00cf92000000ffff
  dq 0x00cffa000000ffff, 0x00cff2000000ffff
  dq 0x00008900300000ff
  dq 0x0000890040000067
  dq 0x000081005000002b
  dq 0x000082001800000f
  dq 0x00009a010000ffff, 0x000092010000ffff
  dq 0x00cf9e000000ffff
  dq 0x00cf98000000ffff
  dq 0x00cf90000000ffff
  dq 0x00cf12000000ffff
  dq 0x00cf1a000000ffff
  dw gate_target & 0xffff, CODE0, 0xec02, gate_target >> 16
  dw 0x9000, CODE16, 0xe401, 0
  dw 0, TASK2, 0xe500, 0
  dw 0, CODE0, 0x6c00, 0
  dw gate_target & 0xffff, CODE0, 0x8c00, gate_target >> 16
  dq 0x0040920000000fff
  dq 0x00cfba000000ffff, 0x00cfb2000000ffff
  dq 0x0040960000000fff
  dw gate_target & 0xffff, CODE1, 0xec00, gate_target >> 16
  times 512 - ($ - gdt) db 0
ldt: dq 0, 0x00cf92000000ffff
  align 4
task2: dd case_task, 2, 1, 2, 3, 4, 0x2e000, 6, 7, 8, DATA0, CODE0, DATA0, DATA0, 0, 0, 0, 0
task3: dw 0x9000, 2, 1, 2, 3, 4, 0x8000, 6, 7, 8, DATA16, CODE16, DATA16, DATA16, 0
  align 4
real_idtr: dw 0x3ff
  dd 0
fast_entry:
  pushfd
  pop eax
  mov ebx, ss
case_task:
  int 0x30
gate_target:
  int 0x30
stub_table: dd ${Array.from({ length: VECTORS }, (_, i) => `stub${i}`).join(", ")}
table: ${table}
${names}
`;
}

/** Where the second task begins. */
export function taskAddress(): number {
  return assembleProgram(systemRomSource(), { origin: ORIGIN, bits: 16 }).labels.get("case_task") ?? 0;
}

/** The ROM: 64 KiB, to stand at F0000h and below 4 GiB; it begins with a far jump at its reset vector. */
export function systemRom(): Uint8Array {
  return romImage(systemRomSource());
}
