/**
 * A ROM image that tries one rule of IA-32e mode after another and prints what happened on port E9h, as `system-rom.ts` does for
 * protected mode. The same image runs on other machines, so that their answers can stand beside the manual's.
 *
 *   F000:0000 the image   0x10000 its copy in RAM, where it runs   0x1000 GDT  0x1800 LDT  0x2000 IDT  0x3000 TSS
 *   0x8000 PML4 (entries 0, 256 and 511 are alike)  0x9000 PDPT  0xa000 PD  0xb000 PT   0x40000 a page to try things on
 *   0x1f000, 0x2f000 stacks of level 0 and 3   0x1e000 of level 1   0x1c000 IST1   0x1a000 of the handler
 */
import { LONG_CASES } from "./long-rom-cases.ts";
import { hex, ORIGIN, romImage, stubs, VECTORS } from "./rom-parts.ts";

const SELECTORS = `
CODE0 equ 0x08
DATA0 equ 0x10
CODE3 equ 0x1b
DATA3 equ 0x23
TASK equ 0x28
TABLE equ 0x38
CODE32 equ 0x48
CODE32USER equ 0x53
CODE16 equ 0x58
CONFORM equ 0x60
BADCODE equ 0x68
ABSENTCODE equ 0x70
EXECONLY equ 0x78
ABSENT equ 0x80
READONLY equ 0x88
BASED equ 0x93
GATE equ 0x98
GATE0 equ 0xa8
GATE32 equ 0xb8
GATEUPPER equ 0xc8
GATE16 equ 0xd8
ABSENTGATE equ 0xe8
CODE1 equ 0xf8
DATA1 equ 0x100
GATE1 equ 0x108
TASKGATE equ 0x118
TASK16 equ 0x128
TASKUPPER equ 0x138
TASKFAR equ 0x148
GATEFAR equ 0x158
STACK16 equ 0x168
BASE equ 0x10000
`;

/** A sixteen-byte entry for the GDT: a gate's words, or a TSS's. */
function gate(selector: string, access: string, offset: string, offsetHigh = "0", upper = "0"): string {
  return `dw ${offset} & 0xffff, ${selector}, ${access}, ${offset} >> 16\n dd ${offsetHigh}, ${upper}`;
}

/** The assembly source of the whole ROM; cases in `skipped` are there and do not run. */
function longRomSource(skipped: ReadonlySet<string> = new Set()): string {
  const shown = LONG_CASES.map(({ name }, i) => ({ name, i })).filter(({ name }) => !skipped.has(name));
  const cases = LONG_CASES.map(({ code }, i) => `.bits 64\ncase${i}:\n${code}\n int 0x60\n align 4`).join("\n");
  const names = LONG_CASES.map(({ name }, i) => `name${i}: db "${name}", 0`).join("\n");
  const table = shown.map(({ i }) => `dd case${i}, name${i}`).join("\n");
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
  jmp dword CODE32:flat
  .bits 32
flat:
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x1f000
  mov dword [0x6f00], 0
  mov edi, 0x8000
  mov ecx, 0x4000 / 4
  xor eax, eax
  rep stosd
  mov dword [0x8000], 0x9007
  mov dword [0x8800], 0x9007
  mov dword [0x8ff8], 0x9007
  mov dword [0x9000], 0xa007
  mov dword [0xa000], 0xb007
  mov edi, 0xb000
  mov eax, 7
.fill:
  mov [edi], eax
  add eax, 0x1000
  add edi, 8
  cmp edi, 0xc000
  jb .fill
  mov eax, 0x620
  mov cr4, eax
  mov eax, 0x8000
  mov cr3, eax
  mov ecx, 0xc0000080
  mov eax, 0x900
  xor edx, edx
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp dword CODE0:next
  .bits 64
next:
  ; Every case begins with fresh tables and registers.
  mov esp, 0x1f000
  cld
  mov eax, 0x620
  mov cr4, rax
  mov qword [0x9000], 0xa007
  mov qword [0xa000], 0xb007
  mov qword [0x8008], 0
  xor eax, eax
  mov edi, 0x9008
  mov ecx, 0x1ff
  rep stosq
  mov edi, 0xa008
  mov ecx, 0x1ff
  rep stosq
  mov edi, 0xb000
  mov eax, 7
.fill:
  mov [rdi], rax
  add rax, 0x1000
  add edi, 8
  cmp edi, 0xc000
  jb .fill
  mov eax, 0x8000
  mov cr3, rax
  mov eax, 0x80000011
  mov cr0, rax
  xor eax, eax
  mov cr2, rax
  mov cr8, rax
  mov dr7, rax
  mov eax, 0xffff0ff0
  mov dr6, rax
  mov esi, gdt
  mov edi, 0x1000
  mov ecx, 0x200 / 8
  rep movsq
  mov esi, ldt
  mov edi, 0x1800
  mov ecx, 2
  rep movsq
  lgdt [gdtr]
  lidt [idtr]
  mov edi, 0x3000
  mov ecx, 0x100 / 8
  xor eax, eax
  rep stosq
  mov dword [0x3004], 0x1f000
  mov dword [0x300c], 0x1e000
  mov dword [0x3024], 0x1c008
  mov dword [0x302c], 0
  mov dword [0x3030], 0x80000000
  mov dword [0x3066], 0x68
  mov edi, 0x3068
  mov ecx, 0x20 / 4
  mov eax, -1
  rep stosd
  call make_idt
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  xor eax, eax
  mov fs, ax
  mov gs, ax
  lldt ax
  mov ax, TASK
  ltr ax
  xor eax, eax
  xor edx, edx
  mov esi, registers
.msr:
  mov ecx, [rsi]
  test ecx, ecx
  jz .done
  wrmsr
  add esi, 4
  jmp .msr
.done:
  mov ecx, 0xc0000080
  mov eax, 0x900
  wrmsr
  mov eax, [0x6f00]
  cmp eax, ${shown.length}
  jae done
  mov ecx, eax
  inc dword [0x6f00]
  mov esi, [table + rcx * 8 + 4]
.print: lodsb
  test al, al
  jz .named
  out 0xe9, al
  jmp .print
.named:
  mov al, ':'
  out 0xe9, al
  mov edi, [table + rcx * 8]
  push qword 2
  popfq
  push rdi
  mov eax, 0
  mov ebx, 0
  mov ecx, 0
  mov edx, 0
  mov esi, 0
  mov edi, 0
  mov ebp, 0
  mov r8d, 0
  mov r9d, 0
  mov r11d, 0
  ret
done:
  mov al, 10
  out 0xe9, al
  mov al, 0
  mov dx, 0xf4
  out dx, al
  hlt

; Every page is a supervisor's, but the one at 0x40000.
supervise:
  mov edi, 0xb000
.page:
  and qword [rdi], -5
  add edi, 8
  cmp edi, 0xc000
  jb .page
  or qword [0xb200], 4
  mov rax, cr3
  mov cr3, rax
  ret

make_idt:
  mov edi, 0x2000
  xor ecx, ecx
.gate:
  mov eax, [stub_table + rcx * 4]
  mov [rdi], ax
  mov word [rdi + 2], CODE0
  mov word [rdi + 4], 0x8e00
  shr eax, 16
  mov [rdi + 6], ax
  mov qword [rdi + 8], 0
  add edi, 16
  inc ecx
  cmp ecx, ${VECTORS}
  jb .gate
  mov word [0x2000 + 3 * 16 + 4], 0xee00
  mov word [0x2000 + 0x30 * 16 + 4], 0xef00
  mov word [0x2000 + 0x60 * 16 + 4], 0xef00
  ; 0x32: IST1; 0x33 absent; 0x34 data; 0x35 a task gate; 0x36 code of level 3, 0x37 of level 1; 0x38 32-bit code; 0x39 L and D
  mov word [0x2000 + 0x32 * 16 + 4], 0xee01
  mov byte [0x2000 + 0x33 * 16 + 5], 0x0e
  mov word [0x2000 + 0x34 * 16 + 2], DATA0
  mov byte [0x2000 + 0x35 * 16 + 5], 0x85
  mov word [0x2000 + 0x36 * 16 + 2], CODE3
  mov word [0x2000 + 0x37 * 16], gate_target & 0xffff
  mov word [0x2000 + 0x37 * 16 + 2], CODE1
  mov word [0x2000 + 0x37 * 16 + 4], 0xee00
  mov word [0x2000 + 0x37 * 16 + 6], gate_target >> 16
  mov word [0x2000 + 0x38 * 16 + 2], CODE32
  mov word [0x2000 + 0x39 * 16 + 2], BADCODE
  ; 0x3a a 16-bit gate; 0x3b an offset that is not canonical; 0x3c IST2, whose pointer is not; 0x3d conforming; 0x3e null; 0x45 empty
  mov byte [0x2000 + 0x3a * 16 + 5], 0x86
  mov dword [0x2000 + 0x3b * 16 + 8], 0x80000000
  mov word [0x2000 + 0x3c * 16 + 4], 0xee02
  mov word [0x2000 + 0x3d * 16 + 2], CONFORM
  mov word [0x2000 + 0x3d * 16 + 4], 0xee00
  mov word [0x2000 + 0x3d * 16], gate_target & 0xffff
  mov word [0x2000 + 0x3d * 16 + 6], gate_target >> 16
  mov word [0x2000 + 0x3e * 16 + 2], 0
  mov qword [0x2000 + 0x45 * 16], 0
  ret

; What the handler found: vector, code, frame, registers.
common:
  cld
  push rax
  push rcx
  push rdx
  push rbx
  push rbp
  push rsi
  push rdi
  push r8
  push r9
  push r11
  mov ebp, esp
  mov eax, ss
  mov esp, 0x1a000
  push rax
  mov eax, ds
  push rax
  mov eax, es
  push rax
  mov eax, fs
  push rax
  mov eax, gs
  push rax
  mov ecx, 7
  lea esi, [rbp + 80]
  call words
  lea rax, [rbp + 80]
  call hex
  call bar
  mov ecx, 10
.registers:
  mov rax, [rbp + rcx * 8 - 8]
  call hex
  loop .registers
  call bar
  mov ecx, 5
.segments:
  mov rax, [rsp + rcx * 8 - 8]
  call hex
  loop .segments
  call bar
  mov ecx, 0xc0000100
.bases:
  rdmsr
  shl rdx, 32
  or rax, rdx
  call hex
  inc ecx
  cmp ecx, 0xc0000103
  jb .bases
  call bar
  mov rax, cr2
  call hex
  mov rax, dr6
  call hex
  mov rax, cr0
  call hex
  mov rax, cr8
  call hex
  mov ecx, 0xc0000080
  rdmsr
  call hex
  str eax
  call hex
  sldt eax
  call hex
  mov al, 10
  out 0xe9, al
  jmp next

words:
  lodsq
  call hex
  loop words
  ret

bar:
  mov al, '|'
  out 0xe9, al
  ret

${hex(true)}

${stubs(true)}

${cases}
  .bits 64
  align 8
first_gdtr: dw 0x1ff
  dd gdt
gdtr: dw 0x1ff
  dq 0x1000
idtr: dw ${VECTORS * 16 - 1}
  dq 0x2000
  align 8
gdt: dq 0
  dq 0x00af9a000000ffff, 0x00cf92000000ffff
  dq 0x00affa000000ffff, 0x00cff2000000ffff
  dq 0x00008900300000ff, 0
  dq 0x000082001800000f, 0
  dq 0x00cf9a000000ffff, 0x00cffa000000ffff
  dq 0x00009a010000ffff
  dq 0x00af9e000000ffff
  dq 0x00ef9a000000ffff
  dq 0x00af1a000000ffff
  dq 0x00cf98000000ffff
  dq 0x00cf12000000ffff
  dq 0x00cf90000000ffff
  dq 0x12cff2345678ffff
  ${gate("CODE0", "0xec00", "gate_target")}
  ${gate("CODE0", "0x8c00", "gate_target")}
  ${gate("CODE32", "0xec00", "gate_target")}
  ${gate("CODE0", "0xec00", "gate_target", "0", "0x100")}
  ${gate("CODE0", "0xe400", "gate_target")}
  ${gate("CODE0", "0x6c00", "gate_target")}
  dq 0x00afba000000ffff, 0x00cfb2000000ffff
  ${gate("CODE1", "0xec00", "gate_target")}
  dw 0, TASK, 0xe500, 0
  dd 0, 0
  dq 0x00008100300000ff, 0
  dq 0x00008900300000ff, 0x100 << 32
  dq 0x00008900300000ff, 0x80000000
  ${gate("CODE0", "0xec00", "gate_target", "0x80000000")}
  dq 0x000092000000ffff
  times 512 - ($ - gdt) db 0
ldt: dq 0, 0x00cf92000000ffff
  align 4
registers: dd 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0x174, 0x175, 0x176, 0
gate_target:
  int 0x30
syscall_entry:
  pushfq
  pop rax
  mov ebx, ss
  mov rdx, rsp
  int 0x30
stub_table: dd ${Array.from({ length: VECTORS }, (_, i) => `stub${i}`).join(", ")}
table: ${table}
${names}
`;
}

/** The ROM: 64 KiB, to stand at F0000h and below 4 GiB; it begins with a far jump at its reset vector. */
export function longRom(skipped: ReadonlySet<string> = new Set()): Uint8Array {
  return romImage(longRomSource(skipped));
}
