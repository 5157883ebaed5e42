/**
 * The serial line (PC16550D data sheet), and what is typed there: a kernel's name and a count. A kernel is called with the count in
 * ECX, calls `begin` when its data stands ready, which waits for another line, and gives its checksum in EAX.
 */

/** `main`, and the table of kernels by the names. */
export const monitor = (names: readonly string[]): string => `
COM1 equ 0x3f8
UART_IER equ 1
UART_IIR equ 2
UART_LCR equ 3
UART_MCR equ 4
UART_LSR equ 5
IER_RDA equ 1 << 0
IER_THRE equ 1 << 1
LSR_DR equ 1 << 0
LSR_THRE equ 1 << 5
PIC1 equ 0x20
PIC2 equ 0xa0
PIC_EOI equ 0x20
SERIAL_ONLY equ ~(1 << 4) & 0xff        ; IRQ4

; ICW1 to ICW4 of both controllers, and every line masked; then 115200 bauds, 8 bits, no parity, no interrupt, OUT2: port, value.
setup:
    dw PIC1, 0x11, PIC1+1, 32, PIC1+1, 1 << 2, PIC1+1, 1, PIC1+1, 0xff, PIC2, 0x11, PIC2+1, 40, PIC2+1, 2, PIC2+1, 1, PIC2+1, 0xff
    dw COM1+UART_LCR, 0x83, COM1, 1, COM1+UART_IER, 0, COM1+UART_LCR, 0x03, COM1+UART_MCR, 0x0b, COM1+UART_IER, 0
SETUP_WRITES equ ($ - setup) / 4

main:
    call load_descriptors
    mov esi, setup
    mov ecx, SETUP_WRITES
.write:
    mov dx, [@si]
    mov al, [@si + 2]
    out dx, al
    add esi, 4
    dec ecx
    jnz .write

prompt:
    mov esp, stack_top
    mov esi, text_prompt
    call print
    mov edi, line
.read:
    call get
    cmp al, 10
    je .whole
    mov [@di], al
    inc edi
    cmp edi, line_end - 1
    jb .read
.whole:
    mov byte [@di], 0
    mov ebp, kernels
.candidate:
    mov edi, [@bp]
    test edi, edi
    jz .unknown
    mov esi, line
.compare:
    mov al, [@di]
    test al, al
    jz .end_of_name
    cmp al, [@si]
    jne .other
    inc esi
    inc edi
    jmp .compare
.end_of_name:
    cmp byte [@si], ' '
    je .found
.other:
    add ebp, 2 * WIDTH
    jmp .candidate
.found:
    xor ecx, ecx
.digit:
    inc esi
    movzx eax, byte [@si]
    sub eax, '0'
    jb .call
    imul ecx, ecx, 10
    add ecx, eax
    jmp .digit
.call:
    call @word [@bp + WIDTH]
    mov ebx, eax
    mov esi, text_answer
    call print
    mov eax, ebx
    jmp give_answer
.unknown:
    mov esi, text_unknown
    call print
    jmp prompt

; Prints EAX as an answer and starts over.
give_answer:
    call put_hex
    mov al, 10
    call put
    jmp prompt

; Says that all is ready, and waits until the watch is started. Keeps all registers.
begin:
    push @ax
    push @bx
    push @dx
    push @si
    mov esi, text_ready
    call print
    call get
    mov dword [served], 0
    pop @si
    pop @dx
    pop @bx
    pop @ax
    ret

; The string at ESI, which ends with 0. Changes EAX, EDX, ESI.
print:
    mov al, [@si]
    test al, al
    jz .end
    call put
    inc esi
    jmp print
.end:
    ret

; EAX in eight digits. Changes EAX, ECX, EDX.
put_hex:
    mov ecx, 8
.digit:
    rol eax, 4
    push @ax
    and eax, 15
    mov al, [digits + @ax]
    call put
    pop @ax
    dec ecx
    jnz .digit
    ret
digits db "0123456789abcdef"

; The character in AL. Changes EAX, EDX.
put:
    push @ax
    mov edx, COM1 + UART_LSR
.wait:
    in al, dx
    test al, LSR_THRE
    jz .wait
    pop @ax
    mov edx, COM1
    out dx, al
    ret

; Waits for a character, and gives it in AL. It sleeps meanwhile, because an idle machine has passed on all that was printed, and hears what is
; typed at once: a busy one does both when it comes to it. Changes EBX, EDX.
get:
    mov al, SERIAL_ONLY
    out PIC1 + 1, al
    mov edx, COM1 + UART_IER
    mov al, IER_RDA
    out dx, al
    jmp .look
.sleep:
    sti
    hlt
    cli
.look:
    mov edx, COM1 + UART_LSR
    in al, dx
    test al, LSR_DR
    jz .sleep
    mov edx, COM1
    in al, dx
    ret

text_prompt db "micro> ", 0
text_ready db "ready", 10, 0
text_answer db "= ", 0
text_unknown db "= there is no such kernel", 10, 0
kernels:
    dword@ ${names.map((name) => `name_${name}, kernel_${name}`).join(", ")}, 0
${names.map((name) => `name_${name} db "${name}", 0`).join("\n")}
`;
