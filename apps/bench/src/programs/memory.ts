/** Programs that are slow, or fast, by what they do to memory. */

/** Follows pointers through 32 MiB, each in a line of its own, in an order that visits all (a linear congruence of full period). */
export const CHASE = `
main:
    mov @1, 0
    mov @2, 0x2000000
    mov @3, 3
    mov @4, 0x22
    mov @5, -1
    mov @6, 0
    syscall@ mmap
    mov @si, @ax
    xor ecx, ecx
.fill:
    imul eax, ecx, 0x2545f5
    add eax, 12345
    and eax, 0x7ffff
    shl eax, 6
    add @ax, @si
    mov edx, ecx
    shl edx, 6
    mov [@si + @dx], @ax
    inc ecx
    cmp ecx, 0x80000
    jb .fill
    mov ecx, ROUNDS
    mov @ax, @si
.next:
    mov @ax, [@ax]
    dec ecx
    jnz .next
    sub @ax, @si
    shr eax, 6
    ret
`;

/** Writes a constant into a function in another page, and calls it. */
export const SELF_MODIFYING = `
main:
    mov ecx, ROUNDS
    xor esi, esi
.round:
    mov [patched + 1], ecx
    call patched
    add esi, eax
    rol esi, 1
    dec ecx
    jnz .round
    mov eax, esi
    ret
    align 4096, 0
patched:
    mov eax, 0x11111111
    ret
`;
