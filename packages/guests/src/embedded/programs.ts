/**
 * Work whose result can be checked, and faults made on purpose.
 */

/** `sum`, `primes`, `fault`. */
export const programs = `
; sum N: 1 + 2 + ... + N, by adding.
command_sum:
    call parse_number
    jc .usage
    mov ecx, eax
    xor eax, eax
    xor edx, edx
    jecxz .end
.add:
    add eax, ecx
    adc edx, 0
    dec ecx
    jnz .add
.end:
    call put_decimal64
    mov al, 10
    call put
    clc
.usage:
    ret

; primes N: how many primes there are up to N, by the sieve of Eratosthenes in the memory behind the kernel, a byte for each number.
command_primes:
    call parse_number
    jc .usage
    mov ebp, eax
    mov edx, [memory_top]
    sub edx, bss_end
    jbe .too_many
    cmp ebp, edx
    jae .too_many
    mov edi, bss_end
    lea ecx, [ebp + 1]
    mov al, 1
    rep stosb
    xor ebx, ebx                        ; primes found
    mov esi, 2
.number:
    cmp esi, ebp
    ja .end
    cmp byte [bss_end + esi], 0
    je .next
    inc ebx
    mov eax, esi
    mul esi
    jo .next
.strike:
    cmp eax, ebp
    ja .next
    mov byte [bss_end + eax], 0
    add eax, esi
    jnc .strike
.next:
    inc esi
    jmp .number
.end:
    mov eax, ebx
    call put_decimal
    mov al, 10
    call put
    clc
    ret
.too_many:
    say "there is no memory for so many numbers", 10
    clc
.usage:
    ret

fault_kinds dd "de", fault_de, "ud", fault_ud, "gp", fault_gp, "pf", fault_pf, 0
NO_SEGMENT equ 0x1230
NO_PAGE equ DEMO_ADDRESS + 0x1000

; fault KIND: the handler of the exception goes back to the prompt. "triple" ends the machine.
command_fault:
    mov eax, [esi]
    cmp eax, "trip"
    je fault_triple
    movzx eax, ax
    mov ebx, fault_kinds
.look:
    cmp dword [ebx], 0
    je .usage
    cmp eax, [ebx]
    je .found
    add ebx, 8
    jmp .look
.found:
    jmp dword [ebx + 4]
.usage:
    stc
    ret

fault_de:
    xor ecx, ecx
    div ecx
fault_ud:
    ud2
fault_gp:
    mov eax, NO_SEGMENT
    mov fs, eax
fault_pf:
    mov eax, [NO_PAGE]
    clc                                 ; reached only where paging is off
    ret

; No gate is within an empty table, not even that of the double fault.
fault_triple:
    lidt [empty_idt]
    ud2
empty_idt:
    dw 0
    dd 0
`;
