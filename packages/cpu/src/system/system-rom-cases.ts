/** The cases of the system ROM, grouped by what they try. Each begins at level 0 in flat 32-bit segments, and ends with a fault or at its end. */
import type { SystemCase } from "./rom-parts.ts";

/** Switches to level 3; the code after it runs there. */
const user = (flags = 2): string => `
  push dword DATA3
  push dword 0x2f000
  push dword ${flags}
  push dword CODE3
  push dword $ + 6
  iretd
  push dword DATA3
  pop ds`;

/** Turns paging on with the identity mapping of the first 4 MiB, one page of it changed. */
const paged = (page: number, entry: string): string => `
  call make_tables
  mov dword [0x9000 + ${page} * 4], ${entry}
  mov eax, 0x8000
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax`;

/** The cases, grouped by what they try. */
export const SYSTEM_CASES: readonly SystemCase[] = [
  { name: "DIV by zero", code: "xor ecx, ecx\n div ecx" },
  { name: "INT3", code: "int3" },
  { name: "INTO", code: "mov al, 0x7f\n add al, 1\n into" },
  { name: "BOUND", code: "mov eax, 9\n mov dword [0x7000], 1\n mov dword [0x7004], 5\n bound eax, [0x7000]" },
  { name: "UD2", code: "ud2" },
  { name: "INT 0x30", code: "int 0x30" },
  { name: "INT past the table", code: "int 0x90" },
  { name: "INT to an empty gate", code: "int 0x45" },
  // Segment registers.
  { name: "MOV DS: past the table", code: "mov ax, 0x400\n mov ds, ax" },
  { name: "MOV DS: in the LDT that is not there", code: "mov ax, 0x0c\n mov ds, ax" },
  { name: "MOV DS: execute-only code", code: "mov ax, EXECONLY\n mov ds, ax" },
  { name: "MOV DS: absent", code: "mov ax, ABSENT\n mov ds, ax" },
  { name: "MOV DS: a TSS", code: "mov ax, TASK2\n mov ds, ax" },
  { name: "MOV DS: null", code: "xor eax, eax\n mov ds, ax" },
  { name: "MOV FS: conforming code", code: "mov ax, CONFORM\n mov fs, ax" },
  { name: "MOV SS: null", code: "xor eax, eax\n mov ss, ax" },
  { name: "MOV SS: level 3", code: "mov ax, DATA3\n mov ss, ax" },
  { name: "MOV SS: read-only", code: "mov ax, READONLY\n mov ss, ax" },
  { name: "MOV SS: absent", code: "mov ax, ABSENT\n mov ss, ax" },
  { name: "MOV SS: code", code: "mov ax, CODE0\n mov ss, ax" },
  { name: "POP DS at level 3: level 0 data", code: `${user()}\n push dword DATA0\n pop ds` },
  { name: "LES: absent", code: "mov dword [0x7000], 1\n mov word [0x7004], ABSENT\n les eax, [0x7000]" },
  { name: "LDT: a segment in it", code: "mov ax, TABLE\n lldt ax\n mov ax, 0x0c\n mov fs, ax\n mov eax, [fs:0]" },
  { name: "LLDT: not an LDT", code: "mov ax, TASK2\n lldt ax" },
  { name: "LTR: busy", code: "mov ax, TASK1\n ltr ax" },
  { name: "LTR: not a TSS", code: "mov ax, CODE0\n ltr ax" },
  { name: "LTR: null", code: "xor eax, eax\n ltr ax" },
  // Asking about descriptors.
  ...["CODE0", "DATA3", "TASK1", "GATE32", "TASKGATE", "ABSENT", "CONFORM", "EXECONLY", "0x400", "0", "TABLE"].flatMap((selector) => [
    { name: `LAR, LSL, VERR, VERW ${selector}`, code: question(selector) },
    { name: `LAR, LSL, VERR, VERW ${selector} at level 3`, code: `${user()}\n${question(selector)}` },
  ]),
  { name: "ARPL", code: "mov ax, 0x10\n mov bx, 3\n arpl ax, bx\n pushfd\n pop ecx\n and ecx, 0x40" },
  // Far transfers.
  { name: "JMP: null", code: "jmp dword 0:0" },
  { name: "JMP: data", code: "jmp dword DATA0:0" },
  { name: "JMP: level 3 code", code: "jmp dword CODE3:0" },
  { name: "JMP: absent code", code: "jmp dword ABSENTCODE:0" },
  { name: "JMP: past the limit", code: "jmp dword CODE16:0x20000" },
  { name: "JMP: past the table", code: "jmp dword 0x408:0" },
  { name: "JMP: conforming", code: "jmp dword CONFORM:.t\n .t:" },
  { name: "JMP at level 3: level 0 code", code: `${user()}\n jmp dword CODE0:0` },
  { name: "JMP at level 3: conforming", code: `${user()}\n jmp dword CONFORM:.t\n .t:` },
  { name: "JMP at level 3: gate to level 0", code: `${user()}\n jmp dword GATE32:0` },
  { name: "JMP: gate at the same level", code: "jmp dword GATE0:0" },
  { name: "CALL: gate at the same level", code: "call dword GATE0:0" },
  { name: "CALL at level 3: gate with parameters", code: `${user()}\n push dword 0x11111111\n push dword 0x22222222\n call dword GATE32:0` },
  { name: "CALL at level 3: 16-bit gate", code: `${user()}\n push dword 0x11112222\n call dword GATE16:0` },
  { name: "CALL at level 3: gate of level 0", code: `${user()}\n call dword GATE0:0` },
  { name: "CALL at level 3: absent gate", code: `${user()}\n call dword ABSENTGATE:0` },
  { name: "CALL at level 3: new SS null", code: `mov dword [0x3010], 0\n${user()}\n call dword GATE1:0` },
  { name: "CALL at level 3: new SS of level 3", code: `mov dword [0x3010], DATA3\n${user()}\n call dword GATE1:0` },
  { name: "CALL at level 3: new SS absent", code: `mov dword [0x3010], ABSENT + 1\n${user()}\n call dword GATE1:0` },
  { name: "CALL at level 3: new SS past the table", code: `mov dword [0x3010], 0x500\n${user()}\n call dword GATE1:0` },
  { name: "RETF to level 3", code: "push dword DATA3\n push dword 0x2f000\n push dword CODE3\n push dword .t\n retf\n .t:" },
  { name: "RETF n to level 3", code: "push dword DATA3\n push dword 0x2f000\n push dword 0x99\n push dword 0x98\n push dword CODE3\n push dword .t\n retf 8\n .t:" },
  { name: "RETF to level 3, SS of level 0", code: "push dword DATA0\n push dword 0x2f000\n push dword CODE3\n push dword 0\n retf" },
  { name: "RETF to level 3, SS null", code: "push dword 0\n push dword 0x2f000\n push dword CODE3\n push dword 0\n retf" },
  { name: "RETF to level 1", code: "push dword DATA1 + 1\n push dword 0x2f000\n push dword CODE1 + 1\n push dword .t\n retf\n .t:" },
  { name: "RETF inwards", code: `${user()}\n push dword CODE0\n push dword 0\n retf` },
  { name: "RETF: data", code: "push dword DATA0\n push dword 0\n retf" },
  { name: "RETF: absent", code: "push dword ABSENTCODE\n push dword 0\n retf" },
  { name: "IRET: null", code: "push dword 2\n push dword 0\n push dword 0\n iretd" },
  { name: "IRET to level 3, SS absent", code: "push dword ABSENT + 3\n push dword 0x2f000\n push dword 2\n push dword CODE3\n push dword 0\n iretd" },
  { name: "IRET at level 3 keeps IF and IOPL", code: `${user()}\n push dword 0x3202\n push dword CODE3\n push dword .t\n iretd\n .t: pushfd\n pop eax` },
  { name: "IRET loads RF, NT, AC, ID", code: "push dword 0x254046\n push dword CODE0\n push dword .t\n iretd\n .t: pushfd\n pop eax\n push dword 2\n popfd" },
  { name: "IRET 16-bit", code: "push word 0x46\n push word CODE16\n push word 0x9000\n mov word [0x19000], 0x30cd\n iret" },
  { name: "INT at level 3", code: `${user()}\n int 0x30` },
  { name: "INT at level 3: gate of level 0", code: `${user()}\n int 0x31` },
  { name: "INT3 at level 3", code: `${user()}\n int3` },
  { name: "CALL at level 3: gate to level 1", code: `${user()}\n call dword GATE1:0` },
  { name: "INT at level 3: new SS null", code: `mov dword [0x3010], 0\n${user()}\n int 0x37` },
  { name: "INT at level 3: new SS of level 3", code: `mov dword [0x3010], DATA3\n${user()}\n int 0x37` },
  { name: "INT at level 3: TSS too short", code: `mov word [0x1000 + TASK1], 0x10\n and byte [0x1000 + TASK1 + 5], 0xfd\n mov ax, TASK1\n ltr ax\n${user()}\n int 0x37` },
  { name: "INT to a 16-bit gate", code: "int 0x32" },
  { name: "INT to an absent gate", code: "int 0x33" },
  { name: "INT to a data segment", code: "int 0x34" },
  { name: "INT to a task gate", code: "int 0x35" },
  { name: "INT to code of level 3", code: "int 0x36" },
  { name: "#GP while delivering #NP", code: "mov dword [0x2000 + 11 * 8 + 4], 0\n mov ax, ABSENT\n mov ds, ax" },
  { name: "#GP while delivering #UD", code: "mov dword [0x2000 + 6 * 8 + 4], 0\n ud2" },
  // Privileged instructions.
  ...["hlt", "cli", "sti", "mov eax, cr0", "mov dr0, eax", "lgdt [0x7000]", "lidt [0x7000]", "lldt ax", "ltr ax", "invlpg [0]", "wbinvd", "clts", "lmsw ax", "in al, 0x80", "out 0x80, al", "rdmsr", "wrmsr"].map(
    (code) => ({ name: `${code} at level 3`, code: `mov ecx, 0x174\n${user()}\n mov ecx, 0x174\n${code}` }),
  ),
  { name: "IN at level 3: allowed by the bitmap", code: `mov byte [0x3068 + 16], 0xfe\n${user()}\n in al, 0x80\n xor eax, eax` },
  { name: "IN at level 3: the second byte is not allowed", code: `mov byte [0x3068 + 16], 0xfe\n${user()}\n in ax, 0x80` },
  { name: "PUSHF, POPF at level 3", code: `${user()}\n push dword 0x3ed7\n popfd\n pushfd\n pop eax` },
  { name: "PUSHF, POPF at level 3 with IOPL 3", code: `${user(0x3002)}\n push dword 0x1ed7\n popfd\n pushfd\n pop eax\n cli` },
  { name: "SGDT, SIDT, SLDT, STR, SMSW", code: "sgdt [0x7000]\n sidt [0x7008]\n mov eax, [0x7000]\n mov ebx, [0x7004]\n mov ecx, [0x7008]\n sldt edx\n str esi\n smsw edi" },
  // Limits and types of data segments.
  { name: "limit: past the last byte", code: "mov ax, SMALL\n mov es, ax\n mov eax, [es:0xffc]\n mov eax, [es:0xffd]" },
  { name: "limit: a write past it", code: "mov ax, SMALL\n mov es, ax\n mov byte [es:0xfff], 1\n mov [es:0x1000], al" },
  { name: "limit: expand-down", code: "mov ax, DOWN\n mov es, ax\n mov eax, [es:0x1000]\n mov al, [es:0xfff]" },
  { name: "limit: a string instruction", code: "mov ax, SMALL\n mov es, ax\n mov edi, 0xff8\n mov ecx, 4\n rep stosd" },
  { name: "type: a write to read-only data", code: "mov ax, READONLY\n mov es, ax\n mov eax, [es:0x7000]\n mov [es:0x7000], eax" },
  { name: "type: a read of execute-only code", code: "jmp dword EXECONLY:.t\n .t: mov eax, [cs:0x7000]" },
  { name: "null: a read", code: "xor eax, eax\n mov es, ax\n mov eax, [es:0x7000]" },
  { name: "null: LEA does not read", code: "xor eax, eax\n mov ds, ax\n lea eax, [0x7000]" },
  { name: "near JMP past the limit of CS", code: "mov dword [0x19000], 0x9000ebea\n mov word [0x19000], 0xe966\n mov dword [0x19002], 0x20000\n jmp dword CODE16:0x9000" },
  { name: "alignment check at level 3", code: `mov eax, cr0\n or eax, 0x40000\n mov cr0, eax\n${user(0x40002)}\n mov eax, [0x7004]\n mov ax, [0x7001]` },
  { name: "alignment check: not at level 0", code: "mov eax, cr0\n or eax, 0x40000\n mov cr0, eax\n push dword 0x40002\n popfd\n mov eax, [0x7001]" },
  // Tasks.
  { name: "JMP to a TSS", code: "mov eax, 0xaaaa\n jmp dword TASK2:0" },
  { name: "CALL to a TSS", code: "mov eax, 0xaaaa\n call dword TASK2:0" },
  { name: "CALL through a task gate, and back", code: "mov dword [0x4020], .t\n mov ebx, 0xbbbb\n call dword TASKGATE:0\n mov ecx, [0x4020]\n mov edx, [0x3038]\n int 0x30\n .t: iretd" },
  { name: "JMP to a 16-bit TSS", code: "mov eax, 0xaaaabbbb\n jmp dword TASK3:0" },
  { name: "CALL to a 16-bit TSS, and back", code: "mov dword [0x1a000], 0xcf\n mov word [0x500e], 0xa000\n mov eax, 0xaaaabbbb\n call dword TASK3:0\n mov ecx, [0x5000]\n mov edx, [0x500e]" },
  { name: "JMP to a busy TSS", code: "jmp dword TASK1:0" },
  { name: "JMP to a TSS at level 3", code: `${user()}\n jmp dword TASK2:0` },
  { name: "JMP to a TSS that is too short", code: "mov word [0x1000 + TASK2], 0x66\n jmp dword TASK2:0" },
  { name: "JMP to an absent TSS", code: "and byte [0x1000 + TASK2 + 5], 0x7f\n jmp dword TASK2:0" },
  { name: "task: DS absent", code: "mov word [0x4054], ABSENT\n jmp dword TASK2:0" },
  { name: "task: ES past the table", code: "mov word [0x4048], 0x400\n jmp dword TASK2:0" },
  { name: "task: T bit", code: "mov byte [0x4064], 1\n jmp dword TASK2:0" },
  { name: "task at level 3", code: "mov dword [0x4004], 0x1f000\n mov dword [0x4008], DATA0\n mov dword [0x4024], 2\n mov word [0x404c], CODE3\n mov word [0x4050], DATA3\n mov dword [0x4038], 0x2f000\n mov word [0x4048], DATA3\n mov word [0x4054], DATA3\n mov word [0x4058], DATA3\n mov word [0x405c], DATA3\n jmp dword TASK2:0" },
  { name: "IRET with NT: the link is not a busy TSS", code: "mov word [0x3000], TASK2\n push dword 0x4002\n popfd\n iretd" },
  // Paging.
  { name: "page: not present, read", code: `${paged(0x40, "0")}\n mov eax, [0x40123]` },
  { name: "page: not present, write", code: `${paged(0x40, "0")}\n mov [0x40123], eax` },
  { name: "page: crossing into one that is not present", code: `${paged(0x41, "0")}\n mov dword [0x40ffe], 0x12345678` },
  { name: "page: level 3 reads a supervisor page", code: `${paged(0x40, "0x40003")}\n${user()}\n mov eax, [0x40000]` },
  { name: "page: level 3 writes a read-only page", code: `${paged(0x40, "0x40005")}\n${user()}\n mov [0x40000], eax` },
  { name: "page: level 0 writes a read-only page", code: `${paged(0x40, "0x40005")}\n mov [0x40000], eax\n mov ebx, [0x9100]` },
  { name: "page: level 0 writes a read-only page with WP", code: `${paged(0x40, "0x40005")}\n mov eax, cr0\n or eax, 0x10000\n mov cr0, eax\n mov [0x40000], eax` },
  { name: "page: accessed and dirty", code: `${paged(0x40, "0x40007")}\n mov eax, [0x40000]\n mov ebx, [0x9100]\n mov [0x40000], eax\n mov ecx, [0x9100]\n mov edx, [0x8000]` },
  { name: "page: fetch from one that is not present", code: `${paged(0x40, "0")}\n mov eax, 0x40000\n jmp eax` },
  { name: "page: stack of level 1 not present", code: `${paged(0x1d, "0")}\n${user()}\n int 0x37` },
  { name: "page: PSE", code: "mov eax, cr4\n or eax, 0x10\n mov cr4, eax\n mov dword [0x8000], 0x83\n mov eax, 0x8000\n mov cr3, eax\n mov eax, cr0\n or eax, 0x80000000\n mov cr0, eax\n mov [0x40000], eax\n mov ebx, [0x8000]" },
  { name: "page: INVLPG", code: `${paged(0x40, "0x41007")}\n mov dword [0x41000], 0x4141\n mov dword [0x42000], 0x4242\n mov eax, [0x40000]\n mov dword [0x9100], 0x42007\n invlpg [0x40000]\n mov ebx, [0x40000]` },
  { name: "page: PAE with NX", code: "mov dword [0x8000], 0x9001\n mov dword [0x8004], 0\n mov dword [0x9000], 0xe3\n mov dword [0x9004], 0\n mov dword [0x9008], 0x2000e3\n mov dword [0x900c], 0x80000000\n mov ecx, 0xc0000080\n mov eax, 0x800\n xor edx, edx\n wrmsr\n mov eax, cr4\n or eax, 0x20\n mov cr4, eax\n mov eax, 0x8000\n mov cr3, eax\n mov eax, cr0\n or eax, 0x80000000\n mov cr0, eax\n mov eax, 0x200000\n jmp eax" },
  // Debug.
  { name: "single step", code: "push dword 0x102\n popfd\n nop\n nop" },
  { name: "single step over MOV SS", code: "mov eax, ss\n push dword 0x102\n popfd\n mov ss, ax\n nop\n nop" },
  { name: "instruction breakpoint", code: "mov eax, .t\n mov dr0, eax\n mov eax, 0x402\n mov dr7, eax\n nop\n .t: nop" },
  { name: "write breakpoint", code: "mov eax, 0x7000\n mov dr1, eax\n mov eax, 0xd00408\n mov dr7, eax\n mov [0x7002], al\n nop" },
  { name: "general detect", code: "mov eax, 0x2400\n mov dr7, eax\n mov eax, dr0" },
  // Fast calls.
  { name: "SYSENTER without a code segment", code: `${fast("0")}\n${user()}\n sysenter` },
  { name: "SYSENTER", code: `${fast("CODE0")}\n${user(0x202)}\n sysenter` },
  { name: "SYSEXIT", code: `${fast("CODE0")}\n mov ecx, 0x2f000\n mov edx, .out\n sysexit\n .out: mov eax, ss` },
  { name: "SYSEXIT at level 3", code: `${fast("CODE0")}\n${user()}\n sysexit` },
  // Real mode, and the way there and back.
  { name: "real: INT and IRET", code: real("mov word [0x84], .h - BASE\n mov word [0x86], 0x1000\n stc\n int 0x21\n jmp .d\n .h: mov bp, sp\n mov ax, [bp]\n mov cx, [bp + 2]\n mov dx, [bp + 4]\n pushf\n pop si\n iret\n .d: mov di, sp") },
  { name: "real: DIV by zero", code: real("mov word [0], .h - BASE\n mov word [2], 0x1000\n xor cx, cx\n div cx\n .h: mov bp, sp\n mov bx, [bp]\n sub bx, .h - BASE\n mov dx, sp") },
  { name: "real: UD2", code: real("mov word [0x18], .h - BASE\n mov word [0x1a], 0x1000\n ud2\n .h: mov bp, sp\n mov bx, [bp]\n sub bx, .h - BASE\n mov dx, sp") },
  { name: "real: LLDT is undefined", code: real("mov word [0x18], .h - BASE\n mov word [0x1a], 0x1000\n lldt ax\n .h: mov dx, sp") },
  { name: "real: PUSHFD, POPFD, IRETD", code: real("push dword 0x257ed7\n popfd\n pushfd\n pop eax\n push dword 0x40003002\n push dword 0x1000\n push dword .t - BASE\n iretd\n .t: pushfd\n pop ebx\n push word 2\n popf\n mov dx, sp") },
  { name: "real: far CALL and RETF n", code: real("push word 0x77\n push word 0x88\n call 0x1000:.f - BASE\n mov si, sp\n jmp .d\n .f: mov bp, sp\n mov ax, [bp]\n sub ax, .f - BASE\n mov bx, [bp + 2]\n mov cx, [bp + 4]\n retf 2\n .d:") },
  { name: "real: unreal mode", code: real("mov ebx, 0x30000\n mov dword [ebx], 0x13572468\n mov ax, 0x3000\n mov es, ax\n mov ecx, [es:0]") },
  { name: "real: SMSW, SGDT, MOV CR0", code: real("smsw ax\n sgdt [0x7000]\n mov ebx, [0x7002]\n mov ecx, cr0") },
  // Virtual-8086 mode: the program stands at 2000:0000.
  ...([
    ["INT 0x30", "cd 30", 3], ["INT 0x30 with IOPL 0", "cd 30", 0], ["INT3 with IOPL 0", "cc", 0], ["CLI with IOPL 0", "fa", 0],
    ["PUSHF with IOPL 0", "9c", 0], ["HLT", "f4", 3], ["IN", "e4 80", 3], ["UD2", "0f 0b", 3], ["MOV EAX, CR0", "0f 20 c0", 3],
    ["LLDT", "0f 00 d0", 3], ["segment load", "b8 34 12 8e d8 8e c0 cd 30", 3], ["far jump", "ea 00 01 00 20", 3], ["stack", "68 34 12 9c 58 5b cd 30", 3],
    ["32-bit IRET with IOPL 0", "66 cf", 0],
  ] as const).map(([name, bytes, iopl]) => ({ name: `v86: ${name}`, code: virtual(bytes, iopl) })),
];

function question(selector: string): string {
  return `
  mov eax, 0x55555555
  mov ebx, eax
  xor ecx, ecx
  mov edx, ${selector}
  lar eax, dx
  setz cl
  lsl ebx, dx
  setz ch
  verr dx
  setz dl
  verw dx
  setz dh`;
}

/** Writes the three MSRs of SYSENTER. */
function fast(selector: string): string {
  return [[0x174, selector], [0x175, "0x1ef00"], [0x176, "fast_entry"]].map(([register, value]) => `mov ecx, ${register}\n mov eax, ${value}\n xor edx, edx\n wrmsr`).join("\n");
}

/** Goes to real mode with DS and SS 0, SP 7F00h and IDTR 0, runs the code there, and comes back with its registers. */
function real(code: string): string {
  return `
  jmp dword CODE16:.r - BASE
  .bits 16
.r: mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0x1000:.s - BASE
.s: xor ax, ax
  mov ds, ax
  mov ss, ax
  mov esp, 0x7f00
  lidt [cs:real_idtr - BASE]
  ${code}
  push eax
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword CODE0:.back
  .bits 32
.back:
  pop eax
  push ax
  mov ax, DATA0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x7efe
  pop ax
  mov esp, 0x1f000
  lidt [idtr]`;
}

function virtual(bytes: string, iopl: number): string {
  const program = bytes.split(" ").map((byte, i) => `mov byte [0x20000 + ${i}], 0x${byte}`).join("\n");
  return `
  ${program}
  mov dword [0x20100], 0x30cd
  push dword 0x44
  push dword 0x33
  push dword 0x22
  push dword 0x11
  push dword 0x2800
  push dword 0xfffe
  push dword ${0x20002 | (iopl << 12)}
  push dword 0x2000
  push dword 0
  iretd`;
}
