/** Kernels that stay in ring 0 and need no device: arithmetic, calls, writing code, and reaching far. The count is in ECX. */

/** `alu`, `calls`, `indirect`, `smc`, `stride`. */
export const computing = `
; A chain of dependent operations with carry, rotation and multiplication; everything stays in registers.
kernel_alu:
    call begin
    mov eax, 1
    xor ebx, ebx
    xor edx, edx
    xor esi, esi
.round:
    lea @ax, [@ax + @ax*4 + 1]
    rol @ax, 7
    xor @bx, @ax
    add @dx, @bx
    adc @si, 0
    imul @di, @ax, 0x1b873593
    sub @dx, @di
    shr @di, 3
    or @di, 1
    add @si, @di
    dec ecx
    jnz .round
    add eax, ebx
    add eax, edx
    add eax, esi
    ret

; Three calls a round, two deep.
kernel_calls:
    call begin
    xor eax, eax
.round:
    call .outer
    dec ecx
    jnz .round
    ret
.outer:
    call .inner
    add eax, ecx
    call .inner
    ret
.inner:
    lea eax, [@ax + @ax*2 + 1]
    ret

; One of eight functions a round, in a pseudo-random order.
kernel_indirect:
    call begin
    xor eax, eax
    mov edx, 0x2545f491                 ; Marsaglia's xorshift32
.round:
    mov ebx, edx
    shl ebx, 13
    xor edx, ebx
    mov ebx, edx
    shr ebx, 17
    xor edx, ebx
    mov ebx, edx
    shl ebx, 5
    xor edx, ebx
    mov ebx, edx
    and ebx, 7
    call @word [.functions + @bx*@width]
    dec ecx
    jnz .round
    ret
.functions:
    dword@ .f0, .f1, .f2, .f3, .f4, .f5, .f6, .f7
.f0:
    add eax, edx
    ret
.f1:
    xor eax, edx
    ret
.f2:
    sub eax, edx
    ret
.f3:
    rol eax, 5
    ret
.f4:
    lea eax, [@ax + @ax*4]
    ret
.f5:
    not eax
    ret
.f6:
    add eax, ecx
    ret
.f7:
    ror eax, 3
    ret

; Writes another immediate into a function, then calls it; the function has its page for itself, as a compiler in the guest would see to.
kernel_smc:
    mov byte [patched], 0xb8            ; mov eax, imm32
    mov byte [patched + 5], 0xc3        ; ret
    call begin
    xor ebx, ebx
.round:
    mov [patched + 1], ecx
    call patched
    lea ebx, [@bx + @bx*2]
    add ebx, eax
    dec ecx
    jnz .round
    mov eax, ebx
    ret

; Reads and writes a doubleword in a page 37 pages further on each time, 8192 pages in all, and in another line of the cache.
STRIDE equ 37 * PAGE_SIZE + 64
kernel_stride:
    push @cx
    mov edi, FIELD
    mov ecx, FIELD_PAGES * PAGE_SIZE / 4
    xor eax, eax
    rep stosd
    pop @cx
    call begin
    xor esi, esi
    xor eax, eax
.round:
    add eax, [@si + FIELD]
    add [@si + FIELD], ecx
    add esi, STRIDE
    and esi, FIELD_PAGES * PAGE_SIZE - 1
    dec ecx
    jnz .round
    ret
`;
