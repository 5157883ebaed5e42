/** The cases of the long-mode ROM, grouped by what they try. Each begins in 64-bit mode at level 0, and ends with a fault or at its end. */
import type { SystemCase } from "./rom-parts.ts";

/** Switches to level 3, in 64-bit mode; the code after it runs there. */
const user = (flags = 2): string => `
  push qword DATA3
  push qword 0x2f000
  push qword ${flags}
  push qword CODE3
  push qword $ + 7
  iretq`;

/** Switches to level 3 in compatibility mode. */
const compatible = (flags = 2): string => `
  push qword DATA3
  push qword 0x2f000
  push qword ${flags}
  push qword CODE32USER
  push qword $ + 7
  iretq
  .bits 32`;

/** Switches to level 0 in compatibility mode. */
const compatible0 = `
  push qword CODE32
  push qword $ + 7
  retfq
  .bits 32`;

const msr = (register: string, low: string, high = "0"): string => `mov ecx, ${register}\n mov eax, ${low}\n mov edx, ${high}\n wrmsr\n`;
const readMsr = (register: string): string => `mov ecx, ${register}\n rdmsr\n`;
const cr4 = (bits: string): string => `mov rax, cr4\n or rax, ${bits}\n mov cr4, rax\n`;
const far = (selector: string, low: string, high = "0"): string =>
  `mov dword [0x7000], ${low}\n mov dword [0x7004], ${high}\n mov word [0x7008], ${selector}\n`;
/** Where a page of the test stands: entry of the page table for 0x40000. */
const page = (low: string, high = "0"): string => `mov dword [0xb200], ${low}\n mov dword [0xb204], ${high}\n invlpg [0x40000]\n`;
/** #SS and #GP with an interrupt stack, for cases that have no stack. */
const stackless = "mov byte [0x2000 + 8 * 16 + 4], 1\n mov byte [0x2000 + 14 * 16 + 4], 1\n mov byte [0x2000 + 12 * 16 + 4], 1\n mov byte [0x2000 + 13 * 16 + 4], 1\n";
const FAR_AWAY = "0x800000000000";

/** SDM volume 3, 6.15: exceptions, and opcodes that 64-bit mode does not have. */
const EXCEPTIONS: readonly SystemCase[] = [
  { name: "DIV by zero", code: "xor ecx, ecx\n div rcx" },
  { name: "INT3", code: "int3" },
  { name: "UD2", code: "ud2" },
  { name: "INT 0x30", code: "int 0x30" },
  { name: "stack pointer that is not aligned", code: "sub rsp, 3\n int 0x30" },
  ...Object.entries({
    "PUSH ES": 0x06, "POP ES": 0x07, "PUSH CS": 0x0e, "PUSH SS": 0x16, "PUSH DS": 0x1e, "DAA": 0x27, "DAS": 0x2f, "AAA": 0x37, "AAS": 0x3f, "PUSHA": 0x60,
    "POPA": 0x61, "BOUND": 0x62, "group 82": 0x82, "CALL ptr": 0x9a, "INTO": 0xce, "AAM": 0xd4, "AAD": 0xd5, "SALC": 0xd6, "JMP ptr": 0xea,
  }).map(([name, byte]) => ({ name: `undefined: ${name}`, code: `db ${byte}, 0, 0, 0, 0, 0, 0` })),
];

/** SDM volume 1, 3.3.7.1. */
const CANONICAL: readonly SystemCase[] = [
  { name: "canonical: the last byte of the lower half", code: `mov rax, ${FAR_AWAY}\n mov bl, [rax - 1]` },
  { name: "canonical: read", code: `mov rax, ${FAR_AWAY}\n mov rbx, [rax]` },
  { name: "canonical: read across the end", code: `mov rax, ${FAR_AWAY}\n mov rbx, [rax - 4]` },
  { name: "canonical: write", code: "mov rax, 0x7fffffffffffffff\n mov [rax], rbx" },
  { name: "canonical: below the upper half", code: "mov rax, 0xffff7fffffffffff\n mov bl, [rax]" },
  { name: "canonical: the upper half", code: "mov rax, 0xffff800000007000\n mov qword [rax], 0x1234\n mov rbx, [0x7000]" },
  { name: "canonical: from the top to the bottom", code: "mov rax, -4\n mov rbx, [rax]" },
  { name: "canonical: through RBP", code: `mov rbp, ${FAR_AWAY}\n mov rbx, [rbp]` },
  { name: "canonical: through RSP", code: `${stackless}mov rsp, ${FAR_AWAY}\n mov rbx, [rsp + 8]` },
  { name: "canonical: through FS", code: `mov rbp, ${FAR_AWAY}\n mov rbx, [fs:rbp]` },
  { name: "canonical: PUSH", code: `${stackless}mov rsp, 0x800000000008\n push rax\n push rax` },
  { name: "canonical: POP", code: `${stackless}mov rsp, ${FAR_AWAY}\n pop rax` },
  { name: "canonical: CALL with a stack that is not", code: `${stackless}mov rsp, 0xffff700000000000\n call $ + 5` },
  { name: "canonical: RET with a stack that is not", code: `${stackless}mov rsp, ${FAR_AWAY}\n ret` },
  { name: "canonical: PUSH from memory that is not", code: `mov rax, ${FAR_AWAY}\n push qword [rax]` },
  { name: "canonical: PUSH from memory beside a stack that is not", code: `${stackless}mov rax, ${FAR_AWAY}\n lea rsp, [rax + 8]\n push qword [rax]` },
  { name: "canonical: CALL through memory beside a stack that is not", code: `${stackless}mov rax, ${FAR_AWAY}\n lea rsp, [rax + 16]\n call [rax]` },
  { name: "canonical: MOVSB", code: `mov rsi, ${FAR_AWAY}\n mov edi, 0x7000\n movsb` },
  { name: "canonical: JMP", code: `mov rax, ${FAR_AWAY}\n jmp rax` },
  { name: "canonical: CALL", code: `mov rax, ${FAR_AWAY}\n call rax` },
  { name: "canonical: RET", code: `mov rax, ${FAR_AWAY}\n push rax\n ret` },
  { name: "canonical: SS of a stack that is not, at delivery", code: `${stackless}mov rsp, 0x800000000100\n int 0x30` },
  { name: "canonical: a user stack that is not, at delivery", code: `${user()}\n mov rsp, 0xdeadbeefdeadbeef\n int 0x30` },
];

/** SDM volume 3, 3.4.4 and 5.2 to 5.7. */
const SEGMENTS: readonly SystemCase[] = [
  { name: "segment: DS, ES, FS, GS null", code: "xor eax, eax\n mov ds, ax\n mov es, ax\n mov fs, ax\n mov gs, ax\n mov rbx, [0x7000]" },
  { name: "segment: SS null at level 0", code: "xor eax, eax\n mov ss, ax\n push rax" },
  { name: "segment: SS null with another RPL", code: "mov eax, 3\n mov ss, ax" },
  { name: "segment: SS null at level 3", code: `${user()}\n xor eax, eax\n mov ss, ax` },
  { name: "segment: SS null at level 3, RPL 3", code: `${user()}\n mov eax, 3\n mov ss, ax` },
  { name: "segment: SS of level 3", code: "mov eax, DATA3\n mov ss, ax" },
  { name: "segment: SS read-only", code: "mov eax, READONLY\n mov ss, ax" },
  { name: "segment: SS absent", code: "mov eax, ABSENT\n mov ss, ax" },
  { name: "segment: DS past the table", code: "mov eax, 0x200\n mov ds, ax" },
  { name: "segment: DS absent", code: "mov eax, ABSENT\n mov ds, ax" },
  { name: "segment: DS execute-only code", code: "mov eax, EXECONLY\n mov ds, ax" },
  { name: "segment: DS a TSS", code: "mov eax, TASK\n mov ds, ax" },
  { name: "segment: DS of level 0 at level 3", code: `${user()}\n mov eax, DATA0\n mov ds, ax` },
  { name: "segment: a read through execute-only code", code: "mov rax, [cs:0x7000]" },
  { name: "segment: a write to read-only data", code: "mov eax, READONLY\n mov ds, ax\n mov [0x7000], rax" },
  { name: "segment: base of DS does not count", code: "mov dword [0x7000], 0x77\n mov eax, BASED\n mov ds, ax\n mov ebx, [ds:0x7000]" },
  { name: "segment: base of FS comes with its descriptor", code: "mov eax, BASED\n mov fs, ax" },
  { name: "segment: base of FS after a null selector", code: `${msr("0xc0000100", "0x7000", "0x1234")}\n xor eax, eax\n mov fs, ax` },
  { name: "segment: bases from the MSRs", code: `mov qword [0x7010], 0x55\n ${msr("0xc0000101", "0x7000", "0xffff8000")}\n mov rbx, [gs:0x10]\n mov rcx, [fs:0x7010]` },
  { name: "segment: an FS base that is not canonical", code: msr("0xc0000100", "0", "0x8000") },
  { name: "segment: a GS base that is not canonical", code: msr("0xc0000101", "0", "0xffff7fff") },
  { name: "segment: SWAPGS", code: `${msr("0xc0000101", "0x1111", "0x22")}${msr("0xc0000102", "0x3333", "0xffffffff")}\n swapgs` },
  { name: "segment: SWAPGS at level 3", code: `${user()}\n swapgs` },
  { name: "segment: FSGSBASE without CR4", code: "rdfsbase rax" },
  { name: "segment: FSGSBASE", code: `${cr4("0x10000")}${user()}\n mov rax, 0xffff800000007000\n wrfsbase rax\n wrgsbase eax\n rdfsbase rbx\n rdgsbase rdx\n rdfsbase ecx` },
  { name: "segment: WRFSBASE that is not canonical", code: `${cr4("0x10000")}\n mov rax, ${FAR_AWAY}\n wrfsbase rax` },
  { name: "segment: LDT", code: "mov eax, TABLE\n lldt ax\n mov eax, 0x0c\n mov fs, ax" },
  { name: "segment: bases come back in compatibility mode", code: `mov dword [0x1000 + (BASED & -8)], 0x7000ffff\n mov dword [0x1000 + (BASED & -8) + 4], 0xcff200\n mov dword [0x7010], 0x99\n mov eax, BASED\n mov ds, ax\n mov ebx, [0x10]\n ${compatible()}\n mov ecx, [0x10]` },
  { name: "LTR: busy", code: "mov eax, TASK\n ltr ax" },
  { name: "LTR: a 16-bit TSS", code: "mov eax, TASK16\n ltr ax" },
  { name: "LTR: upper type", code: "mov eax, TASKUPPER\n ltr ax" },
  { name: "LTR: a base that is not canonical", code: "mov eax, TASKFAR\n ltr ax" },
  { name: "LTR: null", code: "xor eax, eax\n ltr ax" },
  { name: "LTR: half of it past the table", code: "mov word [0x1000 + 0x1f8], 0xff\n mov dword [0x1000 + 0x1fc], 0x8900\n mov eax, 0x1f8\n ltr ax" },
  { name: "LLDT: not an LDT", code: "mov eax, TASK\n lldt ax" },
  { name: "LLDT: null", code: "xor eax, eax\n lldt ax\n mov eax, 0x0c\n mov fs, ax" },
  ...["CODE0", "DATA3", "TASK", "TABLE", "GATE", "GATE16", "TASKGATE", "TASK16", "CODE32", "BADCODE", "0"].map((selector) => ({
    name: `LAR, LSL, VERR, VERW ${selector}`,
    code: `mov rax, -1\n mov rbx, -1\n xor ecx, ecx\n mov edx, ${selector}\n lar rax, dx\n setz cl\n lsl ebx, dx\n setz ch\n verr dx\n setz dl\n verw dx\n setz dh`,
  })),
];

/** SDM volume 2, JMP, CALL, RET; volume 3, 5.8.3.1 and 5.8.5.1. */
const TRANSFERS: readonly SystemCase[] = [
  { name: "far: JMP to compatibility mode and back", code: `${far("CODE32", ".c")}\n jmp far dword [0x7000]\n .bits 32\n .c: inc ebx\n dec ecx\n jmp dword CODE0:.d\n .bits 64\n .d: mov r9, 0x123456789` },
  { name: "far: two kinds of code a hundred times", code: "mov esi, 100\n .l: push qword CODE32\n push qword .c\n retfq\n .bits 32\n .c: inc ebx\n inc ecx\n dec eax\n jmp dword CODE0:.d\n .bits 64\n .d: inc rdx\n dec esi\n jnz .l" },
  { name: "far: JMP m16:64", code: `${far("CODE0", ".c + 0", "0xffff8000")}\n jmp far qword [0x7000]\n ud2\n .c: lea rbx, [rel .c]` },
  { name: "far: JMP m16:64 that is not canonical", code: `${far("CODE0", "0", "0x8000")}\n jmp far qword [0x7000]` },
  { name: "far: JMP past the limit of 32-bit code", code: `${far("CODE32", "0", "1")}\n jmp far qword [0x7000]` },
  { name: "far: JMP null", code: `${far("0", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP data", code: `${far("DATA0", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP L and D", code: `${far("BADCODE", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP absent", code: `${far("ABSENTCODE", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP level 3", code: `${far("CODE3", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP a TSS", code: `${far("TASK", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP a task gate", code: `${far("TASKGATE", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP conforming at level 3", code: `${far("CONFORM", ".c")}${user()}\n jmp far dword [0x7000]\n .c: int 0x30` },
  { name: "far: JMP a gate", code: `${far("GATE0", "0")}\n jmp far dword [0x7000]` },
  { name: "far: JMP a gate to level 0, at level 3", code: `${far("GATE", "0")}${user()}\n jmp far dword [0x7000]` },
  { name: "far: CALL, 32-bit operands", code: `${far("CODE0", ".c")}\n call far dword [0x7000]\n .c: mov rbx, [rsp]\n mov rdx, rsp` },
  { name: "far: CALL, 64-bit operands", code: `${far("CODE0", ".c")}\n call far qword [0x7000]\n .c: mov rbx, [rsp]\n mov rcx, [rsp + 8]\n mov rdx, rsp` },
  { name: "far: CALL a gate", code: `${far("GATE0", "0")}\n call far dword [0x7000]` },
  { name: "far: CALL a gate from level 3", code: `${far("GATE", "0")}${user()}\n call far dword [0x7000]` },
  { name: "far: CALL a gate to level 1", code: `${far("GATE1", "0")}${user()}\n call far dword [0x7000]` },
  { name: "far: CALL a gate from compatibility mode", code: `${compatible()}\n call dword GATE:0` },
  { name: "far: CALL a gate of level 0 from level 3", code: `${far("GATE0", "0")}${user()}\n call far dword [0x7000]` },
  { name: "far: CALL a gate to 32-bit code", code: `${far("GATE32", "0")}\n call far dword [0x7000]` },
  { name: "far: CALL a gate with an upper type", code: `${far("GATEUPPER", "0")}\n call far dword [0x7000]` },
  { name: "far: CALL a 16-bit gate", code: `${far("GATE16", "0")}\n call far dword [0x7000]` },
  { name: "far: CALL an absent gate", code: `${far("ABSENTGATE", "0")}\n call far dword [0x7000]` },
  { name: "far: CALL a gate to an offset that is not canonical", code: `${far("GATEFAR", "0")}\n call far dword [0x7000]` },
  { name: "far: CALL from level 3, the inner stack not canonical", code: `${stackless}mov dword [0x3008], 0x80000000\n${far("GATE", "0")}${user()}\n call far dword [0x7000]` },
  { name: "RETF to level 3", code: "push qword DATA3\n push qword 0x2f000\n push qword CODE3\n push qword .t\n retfq\n .t: int 0x30" },
  { name: "RETF n to level 3", code: "push qword DATA3\n push qword 0x2f000\n push qword 5\n push qword CODE3\n push qword .t\n retfq 8\n .t: int 0x30" },
  { name: "RETF, 32-bit operands", code: "sub rsp, 8\n mov dword [rsp], .t\n mov dword [rsp + 4], CODE0\n retf\n .t: mov rbx, rsp" },
  { name: "RETF to level 3, SS null", code: "push qword 0\n push qword 0x2f000\n push qword CODE3\n push qword .t\n retfq\n .t: int 0x30" },
  { name: "RETF to level 1, SS null", code: "push qword 1\n push qword 0x2f000\n push qword CODE1 + 1\n push qword .t\n retfq\n .t: int 0x30" },
  { name: "RETF to level 1, SS null with another RPL", code: "push qword 0\n push qword 0x2f000\n push qword CODE1 + 1\n push qword .t\n retfq\n .t: int 0x30" },
  { name: "RETF to compatibility mode, SS null", code: "push qword 3\n push qword 0x2f000\n push qword CODE32USER\n push qword .t\n retfq\n .t: int 0x30" },
  { name: "RETF to an address that is not canonical", code: `push qword CODE0\n mov rax, ${FAR_AWAY}\n push rax\n retfq` },
  { name: "RETF: L and D", code: "push qword BADCODE\n push qword 0\n retfq" },
];

/** SDM volume 3, 6.14; volume 2, IRET. */
const INTERRUPTS: readonly SystemCase[] = [
  { name: "INT past the table", code: "int 0x90" },
  { name: "INT to an empty gate", code: "int 0x45" },
  { name: "INT at level 3", code: `${user()}\n int 0x30` },
  { name: "INT at level 3: gate of level 0", code: `${user()}\n int 0x31` },
  { name: "INT in compatibility mode", code: `${compatible()}\n int 0x30` },
  { name: "INT in compatibility mode at level 0", code: `${compatible0}\n int 0x30` },
  { name: "INT with an interrupt stack", code: "int 0x32" },
  { name: "INT with an interrupt stack at level 3", code: `${user()}\n int 0x32` },
  { name: "INT to an absent gate", code: "int 0x33" },
  { name: "INT to a data segment", code: "int 0x34" },
  { name: "INT to a task gate", code: "int 0x35" },
  { name: "INT to code of level 3", code: "int 0x36" },
  { name: "INT at level 3 to level 1", code: `${user()}\n int 0x37` },
  { name: "INT to 32-bit code", code: "int 0x38" },
  { name: "INT to code with L and D", code: "int 0x39" },
  { name: "INT to a 16-bit gate", code: "int 0x3a" },
  { name: "INT to an offset that is not canonical", code: "int 0x3b" },
  { name: "INT with an interrupt stack that is not canonical", code: "int 0x3c" },
  { name: "INT to conforming code at level 3", code: `${user()}\n int 0x3d` },
  { name: "INT to a null selector", code: "int 0x3e" },
  { name: "INT at level 3: TSS too short", code: `mov word [0x1000 + TASK], 0x12\n and byte [0x1000 + TASK + 5], 0xfd\n mov eax, TASK\n ltr ax\n ${user()}\n int 0x37` },
  { name: "#GP while delivering #NP", code: "mov dword [0x2000 + 11 * 16 + 4], 0\n mov eax, ABSENT\n mov ds, ax" },
  { name: "#GP while delivering #UD", code: "mov dword [0x2000 + 6 * 16 + 4], 0\n ud2" },
  { name: "#PF while delivering #PF", code: `mov qword [0x3024], 0x41000\n mov qword [0xb208], 0\n invlpg [0x41000]\n mov byte [0x2000 + 14 * 16 + 4], 1\n ${page("0")}\n mov rax, [0x40000]` },
  { name: "#PF error code is eight bytes wide", code: `${page("0")}\n mov [0x40008], rax` },
  { name: "IRETQ to the same level loads SS and RSP", code: "push qword 0\n push qword 0x2f005\n push qword 0x202\n push qword CODE0\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to the same level, SS of level 3", code: "push qword DATA3\n push qword 0x2f000\n push qword 2\n push qword CODE0\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to level 3, SS null", code: "push qword 3\n push qword 0x2f000\n push qword 2\n push qword CODE3\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to level 3, SS absent", code: "push qword ABSENT + 3\n push qword 0x2f000\n push qword 2\n push qword CODE3\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to level 1, SS null", code: "push qword 1\n push qword 0x2f000\n push qword 2\n push qword CODE1 + 1\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to compatibility mode, SS null", code: "push qword 0\n push qword 0x2f000\n push qword 2\n push qword CODE32\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to compatibility mode at level 0", code: "push qword DATA0\n push qword 0x2f000\n push qword 2\n push qword CODE32\n push qword .t\n iretq\n .bits 32\n .t: inc eax\n int 0x30" },
  { name: "IRETQ to level 3 with a stack that is not canonical", code: "mov rax, 0x123456789abcdef0\n push qword DATA3\n push rax\n push qword 2\n push qword CODE3\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ to an address that is not canonical", code: `mov rax, ${FAR_AWAY}\n push qword DATA3\n push qword 0x2f000\n push qword 2\n push qword CODE3\n push rax\n iretq` },
  { name: "IRETQ: L and D", code: "push qword DATA0\n push qword 0x2f000\n push qword 2\n push qword BADCODE\n push qword 0\n iretq" },
  { name: "IRETQ with NT", code: "push qword 0x4002\n popfq\n push qword DATA0\n push qword 0x2f000\n push qword 2\n push qword CODE0\n push qword .t\n iretq\n .t: int 0x30" },
  { name: "IRETQ with VM in the image", code: "push qword DATA0\n push qword 0x1f000\n push qword 0x20202\n push qword CODE0\n push qword .t\n iretq\n .t: pushfq\n pop rax" },
  { name: "IRETD in 64-bit mode", code: "sub rsp, 20\n mov dword [rsp], .t\n mov dword [rsp + 4], CODE3\n mov dword [rsp + 8], 2\n mov dword [rsp + 12], 0x2f000\n mov dword [rsp + 16], DATA3\n iretd\n .t: int 0x30" },
  { name: "IRETD in compatibility mode, the same level", code: `${compatible0}\n push dword 0x202\n push dword CODE32\n push dword .t\n iretd\n .t: mov ebx, esp` },
  { name: "IRETD in compatibility mode, VM in the image", code: `${compatible0}\n push dword 0x20002\n push dword CODE32\n push dword .t\n iretd\n .t: pushfd\n pop eax` },
  { name: "IRETD in compatibility mode to level 3", code: `${compatible0}\n push dword DATA3\n push dword 0x2f000\n push dword 2\n push dword CODE3\n push dword .t\n iretd\n .bits 64\n .t: mov rbx, 0x123456789\n int 0x30` },
  { name: "IRETQ at level 3 keeps IF and IOPL", code: `${user()}\n push qword DATA3\n push qword 0x2f000\n push qword 0x3202\n push qword CODE3\n push qword .t\n iretq\n .t: pushfq\n pop rax` },
  { name: "PUSHFQ, POPFQ", code: "push qword 0x244ed7\n popfq\n pushfq\n pop rax\n push qword 2\n popfq" },
  { name: "PUSHFQ, POPFQ at level 3", code: `${user()}\n push qword 0x3ed7\n popfq\n pushfq\n pop rax` },
  { name: "single step", code: "push qword 0x102\n popfq\n nop\n nop" },
  { name: "write breakpoint", code: "mov rax, 0xffff800000007000\n mov dr1, rax\n mov eax, 0xd00408\n mov dr7, rax\n mov byte [0x7002], 1\n mov [rax + 2], al\n nop" },
  { name: "instruction breakpoint", code: "mov eax, .t\n mov dr0, rax\n mov eax, 0x402\n mov dr7, rax\n nop\n .t: nop" },
  { name: "task switch by IRET in compatibility mode", code: `${compatible0}\n push dword 0x4002\n popfd\n iretd` },
];

const star = msr("0xc0000081", "0x11223344", "0x0b0008");
const calls = `${star}${msr("0xc0000082", "syscall_entry")}${msr("0xc0000084", "0x47700")}${msr("0xc0000080", "0x901")}`;
const sysenter = (selector: string): string => `${msr("0x174", selector)}${msr("0x175", "0x1ef00", "0xffff8000")}${msr("0x176", "syscall_entry", "0xffff8000")}`;

/** SDM volume 2, SYSCALL, SYSRET, SYSENTER, SYSEXIT; volume 3, 5.8.7 and 5.8.8. */
const FAST: readonly SystemCase[] = [
  { name: "SYSCALL without EFER.SCE", code: `${star}${msr("0xc0000082", "syscall_entry")}\n syscall` },
  { name: "SYSCALL", code: `${calls}${user(0x40ad7)}\n syscall\n nop` },
  { name: "SYSCALL in compatibility mode", code: `${calls}${msr("0xc0000083", "syscall_entry")}${compatible()}\n db 0x0f, 5` },
  { name: "SYSCALL with TF that FMASK clears", code: `${calls}${user(0x102)}\n syscall\n nop` },
  { name: "SYSRET without EFER.SCE", code: "db 0x48, 0x0f, 7" },
  { name: "SYSRET at level 3", code: `${calls}${user()}\n sysretq` },
  { name: "SYSRET to 64-bit mode", code: `${calls}\n mov ecx, .t\n mov r11d, 0x274ed7\n sysretq\n .t: pushfq\n pop rax\n mov edx, ss` },
  { name: "SYSRET to compatibility mode", code: `${calls}\n mov rcx, .t + 0x1234500000000\n mov r11d, 0x246\n sysret\n .bits 32\n .t: inc eax\n mov edx, ss` },
  { name: "SYSRET to an address that is not canonical", code: `${calls}\n mov rcx, ${FAR_AWAY}\n mov r11d, 2\n sysretq` },
  { name: "SYSRET sets TF", code: `${calls}\n mov ecx, .t\n mov r11d, 0x102\n sysretq\n .t: nop` },
  { name: "SYSENTER", code: `${sysenter("CODE0")}${user(0x202)}\n sysenter` },
  { name: "SYSENTER in compatibility mode", code: `${sysenter("CODE0")}${compatible(0x202)}\n sysenter` },
  { name: "SYSENTER without a code segment", code: `${sysenter("0")}${user()}\n sysenter` },
  { name: "SYSEXIT to 64-bit mode", code: `${sysenter("CODE0")}\n mov rcx, 0xffff80000002f000\n mov rdx, .t\n sysexitq\n .t: mov eax, ss\n mov rbx, rsp` },
  { name: "SYSEXIT to compatibility mode", code: `${sysenter("CODE0")}\n mov rcx, 0x10002f000\n mov rdx, .t\n sysexit\n .bits 32\n .t: mov eax, ss\n inc ebx` },
  { name: "SYSEXIT to an address that is not canonical", code: `${sysenter("CODE0")}\n mov ecx, 0x2f000\n mov rdx, ${FAR_AWAY}\n sysexitq` },
  { name: "SYSEXIT to a stack that is not canonical", code: `${sysenter("CODE0")}\n mov rcx, ${FAR_AWAY}\n mov edx, 0x2f000\n sysexitq` },
  { name: "SYSEXIT at level 3", code: `${sysenter("CODE0")}${user()}\n sysexitq` },
  ...["0xc0000082", "0xc0000083", "0xc0000102", "0x175", "0x176"].map((register) => ({ name: `WRMSR ${register} that is not canonical`, code: msr(register, "0", "0x8000") })),
  { name: "WRMSR and RDMSR of STAR", code: `${msr("0xc0000081", "0x12345678", "0x9abcdef0")}${readMsr("0xc0000081")}` },
];

/** SDM volume 3, 2.5 and 9.8.5. */
const CONTROL: readonly SystemCase[] = [
  { name: "CR0: paging cannot end in 64-bit mode", code: "mov rax, cr0\n btr rax, 31\n mov cr0, rax" },
  { name: "CR0: upper half", code: "mov rax, cr0\n bts rax, 32\n mov cr0, rax" },
  { name: "CR0: NW without CD", code: "mov rax, cr0\n bts rax, 29\n mov cr0, rax" },
  { name: "CR4: PAE cannot end", code: "mov rax, cr4\n btr rax, 5\n mov cr4, rax" },
  { name: "CR4: reserved", code: "mov rax, cr4\n bts rax, 15\n mov cr4, rax" },
  { name: "CR4: upper half", code: "mov rax, cr4\n bts rax, 40\n mov cr4, rax" },
  { name: "CR1", code: "db 0x0f, 0x20, 0xc8" },
  { name: "CR8", code: "mov eax, 9\n mov cr8, rax\n mov rbx, cr8" },
  { name: "CR8: reserved", code: "mov eax, 16\n mov cr8, rax" },
  { name: "CR8 at level 3", code: `${user()}\n mov rax, cr8` },
  { name: "CR3: reserved", code: "mov rax, 0x8000000008000\n mov cr3, rax" },
  { name: "CR2 has 64 bits", code: "mov rax, 0xffff812345678000\n mov cr2, rax\n mov rbx, cr2" },
  { name: "DR7: upper half", code: "mov rax, 0x100000400\n mov dr7, rax" },
  { name: "EFER: LME cannot change while paging", code: msr("0xc0000080", "0x800") },
  { name: "EFER: reserved", code: msr("0xc0000080", "0x902") },
  { name: "EFER: LMA is not written", code: `${msr("0xc0000080", "0xd00")}${readMsr("0xc0000080")}` },
  { name: "SMSW, SGDT, SIDT, SLDT, STR", code: "smsw rax\n sgdt [0x7000]\n sidt [0x7010]\n mov rbx, [0x7002]\n mov rcx, [0x7012]\n movzx edx, word [0x7000]\n sldt rsi\n str rdi" },
  { name: "LGDT: a base that is not canonical", code: `mov rax, ${FAR_AWAY}\n mov [0x7002], rax\n lgdt [0x7000]` },
  { name: "LIDT in the upper half", code: "mov rax, 0xffff800000002000\n mov word [0x7000], 0x60f\n mov [0x7002], rax\n lidt [0x7000]\n int 0x30" },
  ...["sgdt [0x7000]", "sidt [0x7000]", "sldt eax", "str eax", "smsw eax"].map((code) => ({ name: `UMIP: ${code} at level 3`, code: `${cr4("0x800")}${user()}\n ${code}` })),
  { name: "UMIP: at level 0", code: `${cr4("0x800")}\n smsw eax\n str ebx` },
  { name: "leaving long mode, and entering it", code: `${compatible0}
  mov eax, cr0
  btr eax, 31
  mov cr0, eax
  mov ecx, 0xc0000080
  rdmsr
  mov esi, eax
  mov eax, 0x900
  wrmsr
  mov eax, cr0
  bts eax, 31
  mov cr0, eax
  rdmsr
  mov edi, eax` },
  { name: "SYSCALL is announced in 64-bit mode", code: "mov eax, 0x80000001\n cpuid\n and edx, 0x20100800\n xor ecx, ecx\n xor eax, eax\n xor ebx, ebx" },
];

/** SDM volume 3, 4.5 to 4.7 and 4.10. */
const PAGING: readonly SystemCase[] = [
  { name: "page: not present in the upper half", code: "mov rax, 0xffffffff80000000\n mov rbx, [rax]" },
  { name: "page: not present, write", code: `${page("0")}\n mov [0x40123], eax` },
  { name: "page: level 3 reads a supervisor page", code: `${page("0x40003")}${user()}\n mov eax, [0x40000]` },
  { name: "page: level 3 writes a read-only page", code: `${page("0x40005")}${user()}\n mov [0x40000], eax` },
  { name: "page: reserved address bit", code: `${page("0x40007", "0x80000")}\n mov eax, [0x40000]` },
  { name: "page: ignored bits", code: `${page("0x40e07", "0x7ff00000")}\n mov eax, [0x40000]` },
  { name: "page: fetch with XD", code: `${page("0x40007", "0x80000000")}\n mov eax, 0x40000\n jmp rax` },
  { name: "page: fetch with XD at level 3", code: `${page("0x40007", "0x80000000")}${user()}\n mov eax, 0x40000\n jmp rax` },
  { name: "page: XD without EFER.NXE", code: `${msr("0xc0000080", "0x100")}${page("0x40007", "0x80000000")}\n mov eax, [0x40000]` },
  { name: "page: accessed and dirty", code: `${page("0x40007")}\n mov eax, [0x40000]\n mov rbx, [0xb200]\n mov [0x40000], eax\n mov rcx, [0xb200]\n mov rdx, [0xa000]\n mov rsi, [0x9000]\n mov rdi, [0x8000]\n and edi, 0xf9f` },
  { name: "page: 2 MiB", code: "mov qword [0xa008], 0x87\n mov dword [0x7000], 0x4321\n mov ebx, [0x207000]\n mov [0x207008], ebx\n mov rcx, [0xa008]" },
  { name: "page: 2 MiB with a reserved bit", code: "mov qword [0xa008], 0x2087\n mov ebx, [0x207000]" },
  { name: "page: 1 GiB", code: "mov qword [0x9008], 0x87\n mov dword [0x7000], 0x4321\n mov ebx, [0x40007000]\n mov rcx, [0x9008]" },
  { name: "page: 1 GiB with a reserved bit", code: "mov qword [0x9008], 0x2087\n mov ebx, [0x40007000]" },
  { name: "page: PS in the PML4", code: "mov qword [0x8008], 0x9087\n mov rax, 0x8000000000\n mov ebx, [rax]\n" },
  { name: "page: a crossing in the upper half", code: `${page("0")}\n mov rax, 0xffffff800003fffc\n mov rbx, [rax]` },
  { name: "page: INVLPG of an address that is not canonical", code: `mov rax, ${FAR_AWAY}\n invlpg [rax]` },
  { name: "SMEP: fetch", code: `call supervise\n${cr4("0x100000")}\n mov eax, 0x40000\n jmp rax` },
  { name: "SMEP: read", code: `call supervise\n${cr4("0x100000")}\n mov eax, [0x40000]` },
  { name: "SMEP: level 3 fetches its page", code: `call supervise\n mov word [0x40000], 0x30cd\n ${cr4("0x100000")}\n push qword DATA3\n push qword 0x2f000\n push qword 2\n push qword CODE3\n push qword 0x40000\n iretq` },
  { name: "SMAP: read", code: `call supervise\n${cr4("0x200000")}\n mov eax, [0x40000]` },
  { name: "SMAP: write", code: `call supervise\n${cr4("0x200000")}\n mov [0x40000], eax` },
  { name: "SMAP: STAC", code: `call supervise\n${cr4("0x200000")}\n stac\n mov [0x40000], eax\n mov ebx, 1\n clac\n mov eax, [0x40000]` },
  { name: "SMAP: AC by POPFQ", code: `call supervise\n${cr4("0x200000")}\n push qword 0x40002\n popfq\n mov ecx, [0x40000]\n mov ebx, 1\n push qword 2\n popfq\n mov ecx, [0x40000]` },
  { name: "SMAP: REP MOVSB from a user page", code: `call supervise\n${cr4("0x200000")}\n mov esi, 0x40000\n mov edi, 0x7000\n mov ecx, 64\n stac\n rep movsb\n clac\n mov ecx, 64\n mov esi, 0x40000\n rep movsb` },
  { name: "SMAP: stack in a user page", code: `${stackless}call supervise\n${cr4("0x200000")}\n mov esp, 0x40800\n stac\n push rax\n clac\n mov edi, 0x1f000\n mov esp, edi\n mov eax, 0x40800\n xchg rsp, rax\n pop rax` },
  { name: "STAC at level 3", code: `${user()}\n stac` },
  { name: "PCIDE: CR3 has a context", code: `mov eax, 0x8001\n mov cr3, rax\n${cr4("0x20000")}` },
  { name: "PCIDE: paging cannot end", code: `${cr4("0x20000")}${compatible0}\n mov eax, cr0\n btr eax, 31\n mov cr0, eax` },
  { name: "PCIDE: contexts", code: `${cr4("0x20000")}\n mov eax, 0x8fff\n mov cr3, rax\n mov rbx, cr3\n bts rax, 63\n mov cr3, rax\n mov rcx, cr3\n mov eax, 0x8000\n mov cr3, rax` },
  { name: "CR3: bit 63 without PCIDE", code: "mov rax, cr3\n bts rax, 63\n mov cr3, rax" },
  ...[0, 1, 2, 3].map((type) => ({
    name: `INVPCID ${type}`,
    code: `mov qword [0x7000], 0\n mov qword [0x7008], 0x40000\n mov dword [0x40000], 0x11\n mov dword [0x41000], 0x22\n mov eax, [0x40000]\n ${"mov dword [0xb200], 0x41007"}\n mov eax, ${type}\n invpcid rax, [0x7000]\n mov ebx, [0x40000]`,
  })),
  { name: "INVPCID of an unknown type", code: "mov eax, 4\n invpcid rax, [0x7000]" },
  { name: "INVPCID with reserved bits", code: "mov qword [0x7000], 0x1000\n xor eax, eax\n invpcid rax, [0x7000]" },
  { name: "INVPCID of an address that is not canonical", code: `mov rax, ${FAR_AWAY}\n mov qword [0x7000], 0\n mov [0x7008], rax\n xor eax, eax\n invpcid rax, [0x7000]` },
  { name: "INVPCID at level 3", code: `${user()}\n invpcid rax, [0x7000]` },
];

const xsaved = `mov eax, 3\n xor edx, edx\n`;
/** SDM volume 1, chapter 13, and other instructions of `max`. */
const STATES: readonly SystemCase[] = [
  { name: "XGETBV without CR4.OSXSAVE", code: "xor ecx, ecx\n xgetbv" },
  { name: "XSETBV, XGETBV", code: `${cr4("0x40000")}\n xor ecx, ecx\n ${xsaved} xsetbv\n xor eax, eax\n xgetbv` },
  { name: "XSETBV without x87", code: `${cr4("0x40000")}\n xor ecx, ecx\n mov eax, 2\n xor edx, edx\n xsetbv` },
  { name: "XSETBV of an unknown register", code: `${cr4("0x40000")}\n mov ecx, 7\n ${xsaved} xsetbv` },
  { name: "XSETBV at level 3", code: `${cr4("0x40000")}${user()}\n xor ecx, ecx\n ${xsaved} xsetbv` },
  { name: "XSAVE, not aligned", code: `${cr4("0x40000")}\n xsave [0x7020]` },
  { name: "XSAVE without CR4.OSXSAVE", code: "xsave [0x7000]" },
  { name: "XSAVE with CR0.TS", code: `${cr4("0x40000")}\n mov rax, cr0\n or eax, 8\n mov cr0, rax\n xsave [0x7000]` },
  { name: "XSAVE, XRSTOR", code: `${cr4("0x40000")}\n xor ecx, ecx\n ${xsaved} xsetbv\n mov edi, 0x7000\n mov ecx, 0x240 / 8\n xor eax, eax\n rep stosq\n fninit\n fld1\n mov eax, 0x77\n movd xmm9, eax\n ${xsaved} xsave64 [0x7000]\n mov rbx, [0x7200]\n and ebx, 3\n pxor xmm9, xmm9\n fninit\n xrstor64 [0x7000]\n movd esi, xmm9\n fnstsw ax\n movzx edi, ax\n mov rcx, [0x7130]` },
  { name: "XRSTOR with an unknown state", code: `${cr4("0x40000")}\n mov edi, 0x7000\n mov ecx, 0x240 / 8\n xor eax, eax\n rep stosq\n mov dword [0x7018], 0x1f80\n mov byte [0x7201], 1\n ${xsaved} xrstor [0x7000]` },
  { name: "XRSTOR of a compacted image", code: `${cr4("0x40000")}\n mov edi, 0x7000\n mov ecx, 0x240 / 8\n xor eax, eax\n rep stosq\n mov byte [0x7208], 1\n ${xsaved} xrstor [0x7000]` },
  { name: "FXSAVE64", code: "mov edi, 0x7000\n mov ecx, 0x40\n xor eax, eax\n rep stosq\n mov eax, 0x66\n movd xmm15, eax\n fxsave64 [0x7000]\n mov ebx, [0x7000 + 160 + 15 * 16]" },
  { name: "RDTSCP, RDPID", code: `${msr("0xc0000103", "0x1234")}\n rdtscp\n rdpid rbx\n xor eax, eax\n xor edx, edx` },
  { name: "TSC_AUX: upper half", code: msr("0xc0000103", "0", "1") },
  { name: "RDRAND, RDSEED", code: "rdrand rax\n setc bl\n rdseed ecx\n setc bh\n xor eax, eax\n xor ecx, ecx" },
  { name: "CMPXCHG16B, not aligned", code: "cmpxchg16b [0x7008]" },
];

/** All cases. */
export const LONG_CASES: readonly SystemCase[] = [
  ...EXCEPTIONS, ...CANONICAL, ...SEGMENTS, ...TRANSFERS, ...INTERRUPTS, ...FAST, ...CONTROL, ...PAGING, ...STATES,
];
