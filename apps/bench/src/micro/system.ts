/**
 * Kernels of what an operating system asks of a machine: system calls, address spaces, demand paging, ports and interrupts. The count
 * is in ECX.
 */
import { fastCalls } from "./fast-calls.ts";

/** `int80`, `sysenter` or `syscall`, `switch`, `fault`, `port`, `interrupt`. */
export const system = (bits: 32 | 64): string => `
; Ring 3 calls ring 0 through a gate; IRET goes back.
kernel_int80:
    mov ebp, ecx
    call begin
    mov eax, .user
    call run_user
    mov eax, ebx
    ret
.user:
    xor ebx, ebx
.round:
    mov eax, ebp
    int SYSTEM_CALL
    lea ebx, [@bx + @bx*2]
    add ebx, eax
    dec ebp
    jnz .round
    int LEAVE_USER
system_call:
    inc dword [served]
    xor eax, [served]
    iret@
${fastCalls(bits)}

; Two address spaces in turn, with other frames behind the same four pages, which each adds to.
SHARED_PAGES equ 4
kernel_switch:
    push @cx
    mov edi, window_table
    mov eax, WINDOW_FRAMES | RIGHTS
    call .map
    mov edi, other_window_table
    mov eax, OTHER_FRAMES | RIGHTS
    call .map
    mov eax, top
    mov cr3, @ax
    call .clear
    mov eax, other_top
    mov cr3, @ax
    call .clear
    pop @cx
    call begin
    xor eax, eax
    mov esi, top
    mov edi, other_top
.round:
    mov cr3, @si
    call .add
    mov cr3, @di
    call .add
    dec ecx
    jnz .round
    mov cr3, @si
    ret
.add:
${[0, 1, 2, 3].map((page) => `    add [WINDOW + ${page} * PAGE_SIZE], ecx\n    add eax, [WINDOW + ${page} * PAGE_SIZE]`).join("\n")}
    rol eax, 3
    ret
.map:
    mov edx, PAGE_SIZE
    mov ecx, SHARED_PAGES
.entry:
    mov [@di], eax
    add eax, edx
    add edi, WIDTH
    dec ecx
    jnz .entry
    ret
.clear:
    xor eax, eax
${[0, 1, 2, 3].map((page) => `    mov [WINDOW + ${page} * PAGE_SIZE], eax`).join("\n")}
    ret

; Demand paging: a store to each page of the window faults, and the handler maps a frame; then all of them are unmapped, one by one.
kernel_fault:
    mov ebp, ecx
    mov dword [served], 0
    call .unmap
    xor eax, eax
    mov edi, WINDOW
    mov ecx, WINDOW_PAGES * PAGE_SIZE / 4
    rep stosd
    call .unmap
    call begin
    xor eax, eax
.round:
    xor esi, esi
.page:
    add [@si + WINDOW], ebp
    add eax, [@si + WINDOW]
    add esi, PAGE_SIZE
    cmp esi, WINDOW_PAGES * PAGE_SIZE
    jb .page
    rol eax, 3
    call .unmap
    dec ebp
    jnz .round
    xor eax, [served]
    ret
.unmap:
    xor edx, edx
    mov esi, WINDOW
    mov edi, window_table
.entry:
    mov [@di], edx
    invlpg [@si]
    add esi, PAGE_SIZE
    add edi, WIDTH
    cmp edi, window_table + WINDOW_PAGES * WIDTH
    jb .entry
    ret

page_fault:
    push @ax
    push @dx
    mov @ax, cr2
    sub eax, WINDOW
    cmp eax, WINDOW_PAGES * PAGE_SIZE
    jae .unasked
    lea edx, [@ax + WINDOW_FRAMES]
    and edx, ~(PAGE_SIZE - 1)
    or edx, RIGHTS
    shr eax, PAGE_SHIFT
    mov [window_table + @ax*@width], edx
    inc dword [served]
    pop @dx
    pop @ax
    add @sp, WIDTH                       ; the error code
    iret@
.unasked:
    mov eax, 14
    jmp exception

; The mask of the interrupt controller, written and read back; interrupts are off.
kernel_port:
    call begin
    xor ebx, ebx
    xor eax, eax
.round:
    mov al, cl
    out PIC1 + 1, al
    in al, PIC1 + 1
    lea ebx, [@bx + @bx*2]
    add ebx, eax
    dec ecx
    jnz .round
    mov eax, ebx
    ret

; The transmitter of COM1 is empty, so that allowing its interrupt requests it at once; the handler asks for the cause and ends it.
kernel_interrupt:
    call begin
    mov ebp, ecx
.empty:
    mov edx, COM1 + UART_LSR
    in al, dx
    test al, LSR_THRE
    jz .empty
    mov edx, COM1 + UART_IER
    mov al, 0
    out dx, al
    sti                                 ; what the receiver may have requested is not counted
    nop
    nop
    mov dword [served], 0
    xor ebx, ebx                        ; the causes
    xor ecx, ecx
.round:
    mov edx, COM1 + UART_IER
    mov al, 0
    out dx, al
    mov al, IER_THRE
    out dx, al
.wait:
    cmp [served], ecx
    je .wait
    inc ecx
    cmp ecx, ebp
    jb .round
    cli
    mov eax, [served]
    lea eax, [@ax + @bx*2]
    ret
irq_serial:
    push @ax
    push @dx
    mov edx, COM1 + UART_IIR
    in al, dx
    and eax, 0x0f
    add ebx, eax
    inc dword [served]
    mov al, PIC_EOI
    out PIC1, al
    pop @dx
    pop @ax
    iret@
`;
