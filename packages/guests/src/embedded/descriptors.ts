/**
 * Our own descriptor tables and what stands behind the exception gates (SDM volume 3, "Protected-Mode Memory Management" and "Interrupt
 * and Exception Handling"). An exception is reported on the console and ends the command that made it.
 */
import { VECTOR_NAMES, VECTORS_WITH_ERROR_CODE } from "@doppel/x86";

const EXCEPTIONS = Array.from({ length: 32 }, (_, vector) => vector);
const hasCode = (vector: number): boolean => ((VECTORS_WITH_ERROR_CODE >>> vector) & 1) !== 0;

// Each stub leaves vector and error code on the stack, zero where the CPU pushes none, so that one handler serves all.
const stubs = EXCEPTIONS.map((vector) => `
exception_${vector}:
    ${hasCode(vector) ? "" : "push 0"}
    push ${vector}
    jmp exception`).join("");

/** Descriptor tables, exception handlers. */
export const descriptors = `
CODE equ 0x08
DATA equ 0x10
FLAT equ 0xffff | (0xf << 48) | (DESCRIPTOR_P | DESCRIPTOR_S | DESCRIPTOR_DB | DESCRIPTOR_G) << 32

align 8
gdt:
    dq 0
    dq FLAT | (DESCRIPTOR_CODE | DESCRIPTOR_READABLE) << 32
    dq FLAT | DESCRIPTOR_WRITABLE << 32
gdt_register:
    dw gdt_register - gdt - 1
    dd gdt
idt_register:
    dw 48 * 8 - 1
    dd idt

; Vectors 0 to 31 are exceptions, 32 to 47 the lines of the two 8259s. Loads every segment register; changes ECX, EDX, ESI, EDI.
load_descriptors:
    lgdt [gdt_register]
    jmp CODE:.reload
.reload:
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov esi, handlers
    mov edi, idt
    mov ecx, 48
.gate:
    lodsd
    mov edx, eax
    and eax, 0xffff
    or eax, CODE << 16
    stosd
    mov eax, edx
    and eax, 0xffff0000
    or eax, DESCRIPTOR_P | TYPE_INTERRUPT_GATE32 << DESCRIPTOR_TYPE_SHIFT
    stosd
    loop .gate
    lidt [idt_register]
    ret

handlers:
    dd ${EXCEPTIONS.map((vector) => `exception_${vector}`).join(", ")}
    dd irq_timer, irq_keyboard, irq_other, irq_other, irq_serial, irq_other, irq_other, irq_spurious
    times 8 dd irq_other_slave
${stubs}

; On the stack: vector, error code, EIP, CS, EFLAGS. Does not return to where it came from.
exception:
    cld
    call fresh_line
    say "exception "
    mov eax, [esp]
    call put_decimal
    mov ebx, [esp]
    mov al, ' '
    call put
    mov esi, [exception_names + ebx*4]
    call print
    say " at EIP "
    mov eax, [esp+8]
    call put_hex
    say ", code "
    mov eax, [esp+4]
    call put_hex
    cmp ebx, ${VECTOR_NAMES.indexOf("#PF")}
    jne .end
    say ", address "
    mov eax, cr2
    call put_hex
.end:
    mov al, 10
    call put
    jmp prompt

exception_names:
    dd ${EXCEPTIONS.map((vector) => `exception_name_${vector}`).join(", ")}
${EXCEPTIONS.map((vector) => `exception_name_${vector} db "${VECTOR_NAMES[vector] ?? "reserved"}", 0`).join("\n")}
`;
