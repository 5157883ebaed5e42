/** Programs that ask the kernel for something again and again. */

/** A system call that does next to nothing. */
export const GETPPID = `
main:
    syscall@ getppid
    mov [first], eax
    mov dword [left], ROUNDS
.round:
    syscall@ getppid
    cmp eax, [first]
    jne .other
    inc dword [sum]
.other:
    dec dword [left]
    jnz .round
    mov eax, [sum]
    ret
`;

/** A byte goes to another process and comes back: two switches a round. */
export const PIPE = `
main:
    mov @1, there
    syscall@ pipe
    mov @1, back
    syscall@ pipe
    mov dword [left], ROUNDS
    syscall@ fork
    test eax, eax
    jz .child
.round:
    mov eax, [left]
    mov [cell], al
    mov @1d, [there + 4]
    call .send
    mov @1d, [back]
    call .receive
    movzx eax, byte [cell]
    add [sum], eax
    dec dword [left]
    jnz .round
    mov @1, -1
    mov @2, 0
    mov @3, 0
    mov @4, 0
    syscall@ wait4
    mov eax, [sum]
    ret
.child:
    mov @1d, [there]
    call .receive
    xor byte [cell], 0x55
    mov @1d, [back + 4]
    call .send
    dec dword [left]
    jnz .child
    mov @1, 0
    syscall@ exit
.send:
    mov @2, cell
    mov @3, 1
    syscall@ write
    ret
.receive:
    mov @2, cell
    mov @3, 1
    syscall@ read
    ret
`;

/** 4 MiB are mapped, written to once in each page, and unmapped: 1024 page faults a round. */
export const FAULTS = `
main:
    mov dword [left], ROUNDS
.round:
    mov @1, 0
    mov @2, 0x400000
    mov @3, 3
    mov @4, 0x22
    mov @5, -1
    mov @6, 0
    syscall@ mmap
    mov @bx, @ax
    mov ecx, 1024
    mov edx, [sum]
.page:
    add byte [@bx], cl
    movzx eax, byte [@bx]
    lea edx, [@dx + @dx*2]
    add edx, eax
    add @bx, 4096
    dec ecx
    jnz .page
    mov [sum], edx
    sub @bx, 0x400000
    mov @1, @bx
    mov @2, 0x400000
    syscall@ munmap
    dec dword [left]
    jnz .round
    mov eax, [sum]
    ret
`;
