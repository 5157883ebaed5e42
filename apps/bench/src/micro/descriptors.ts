/**
 * Segments, gates and the task state segment (SDM volume 3, "Protected-Mode Memory Management" and "Interrupt and Exception Handling"), and
 * the ways into ring 3 and back. An exception that no kernel makes on purpose is printed as its answer, so that it is seen and not waited for.
 */
import { VECTORS_WITH_ERROR_CODE } from "@doppel/x86";

const EXCEPTIONS = Array.from({ length: 32 }, (_, vector) => vector);
const hasCode = (vector: number): boolean => ((VECTORS_WITH_ERROR_CODE >>> vector) & 1) !== 0;
/** SYSEXIT and SYSRET find the user's segments by the order in which they stand, which is not the same for the two. */
const segments = {
  32: "dq 0, FLAT32 | KIND_CODE << 32, FLAT32 | KIND_DATA << 32, FLAT32 | (KIND_CODE | DESCRIPTOR_DPL) << 32, FLAT32 | (KIND_DATA | DESCRIPTOR_DPL) << 32",
  64: "dq 0, FLAT64 | KIND_CODE << 32, FLAT32 | KIND_DATA << 32, FLAT32 | (KIND_DATA | DESCRIPTOR_DPL) << 32, FLAT64 | (KIND_CODE | DESCRIPTOR_DPL) << 32",
};

/** Descriptor tables, exception handlers, `run_user`. */
export const descriptors = (bits: 32 | 64): string => `
CODE equ 0x08
DATA equ 0x10
USER_CODE equ ${bits === 32 ? "0x18" : "0x20"} | 3
USER_DATA equ ${bits === 32 ? "0x20" : "0x18"} | 3
TASK equ 0x28
FLAT32 equ 0xffff | (0xf << 48) | (DESCRIPTOR_P | DESCRIPTOR_S | DESCRIPTOR_DB | DESCRIPTOR_G) << 32
FLAT64 equ 0xffff | (0xf << 48) | (DESCRIPTOR_P | DESCRIPTOR_S | DESCRIPTOR_L | DESCRIPTOR_G) << 32
KIND_CODE equ DESCRIPTOR_CODE | DESCRIPTOR_READABLE
KIND_DATA equ DESCRIPTOR_WRITABLE
GATE_RIGHTS equ DESCRIPTOR_P | TYPE_INTERRUPT_GATE32 << DESCRIPTOR_TYPE_SHIFT
GATES equ 0x82
GATE_SIZE equ WIDTH * 2
SYSTEM_CALL equ 0x80
LEAVE_USER equ 0x81
TASK_LIMIT equ 103

align 8
gdt:
    ${segments[bits]}
    dq TASK_LIMIT | (task & 0xffffff) << 16 | (DESCRIPTOR_P | TYPE_TSS32_AVAILABLE << DESCRIPTOR_TYPE_SHIFT) << 32 | (task >> 24) << 56, 0
gdt_register:
    dw gdt_register - gdt - 1
    dd gdt, 0
idt_register:
    dw GATES * GATE_SIZE - 1
    dd idt, 0

; Loads data segments that ring 3 may use, too, the gates and the task register.
load_descriptors:
    mov eax, USER_DATA
    mov ds, eax
    mov es, eax
    mov eax, DATA
    mov ss, eax
    mov esi, handlers
    mov edi, idt
    mov ecx, GATES
.gate:
    mov eax, [@si]
    mov edx, eax
    and eax, 0xffff
    or eax, CODE << 16
    mov [@di], eax
    and edx, 0xffff0000
    or edx, GATE_RIGHTS
    mov [@di + 4], edx
    add esi, WIDTH
    add edi, GATE_SIZE
    dec ecx
    jnz .gate
    or dword [idt + SYSTEM_CALL * GATE_SIZE + 4], DESCRIPTOR_DPL
    or dword [idt + LEAVE_USER * GATE_SIZE + 4], DESCRIPTOR_DPL
    lidt [idt_register]
    mov dword [task + 4], trap_stack_top
    mov dword [task + 8], ${bits === 32 ? "DATA" : "0"}
    mov word [task + 102], TASK_LIMIT + 1   ; no map of ports
    mov eax, TASK
    ltr ax
    ret

handlers:
    dword@ ${EXCEPTIONS.map((vector) => (vector === 14 ? "page_fault" : `exception_${vector}`)).join(", ")}
    dword@ unexpected, unexpected, unexpected, unexpected, irq_serial, unexpected, unexpected, irq_spurious
    times SYSTEM_CALL - 40 dword@ unexpected
    dword@ system_call, leave_user
${EXCEPTIONS.map((vector) => `exception_${vector}:\n${hasCode(vector) ? "    add @sp, WIDTH\n" : ""}    mov eax, ${vector}\n    jmp exception`).join("\n")}
irq_spurious:                           ; a request that was gone again is not in service and wants no end
    iret@
unexpected:
    mov eax, 255

; The vector is in EAX. Whatever ran is given up.
exception:
    mov esp, stack_top
    mov ebx, eax
    mov esi, text_exception
    call print
    mov eax, ebx
    jmp give_answer
text_exception db "= exception ", 0

; Runs the code at EAX in ring 3 until it makes the call LEAVE_USER; only EAX, EBX and the stack pointer come back as they are expected.
run_user:
    mov [kernel_stack], @sp
    push USER_DATA
    push user_stack_top
    push EFLAGS_FIXED
    push USER_CODE
    push @ax
    iret@
leave_user:
    mov @sp, [kernel_stack]
    mov ecx, DATA
    mov ss, ecx
    ret
`;
