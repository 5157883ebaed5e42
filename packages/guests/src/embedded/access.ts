/**
 * The commands that look at memory and I/O ports and change them, with the widths that a bus has.
 */

/** `peek`, `poke`, `in`, `out`. */
export const access = `
; peek ADDR [COUNT]: doublewords, four on a line.
command_peek:
    call parse_number
    jc .usage
    mov edi, eax
    mov ecx, 1
    call parse_number
    jc .count
    mov ecx, eax
.count:
    jecxz .end
    xor ebx, ebx
.next:
    test ebx, 3
    jnz .value
    lea eax, [edi + ebx*4]
    call put_hex
    mov al, ':'
    call put
.value:
    mov al, ' '
    call put
    mov eax, [edi + ebx*4]
    call put_hex
    inc ebx
    cmp ebx, ecx
    je .last
    test ebx, 3
    jnz .next
    mov al, 10
    call put
    jmp .next
.last:
    mov al, 10
    call put
.end:
    clc
.usage:
    ret

command_poke:
    call parse_number
    jc .usage
    mov edi, eax
    call parse_number
    jc .usage
    mov [edi], eax
    clc
.usage:
    ret

; Gives the port in EDX and leaves CF set when there is none.
parse_port:
    call parse_number
    jc .end
    mov edx, eax
    cmp edx, 0x10000
    cmc
.end:
    ret

; Gives the width of an access in EAX: 1 unless the line says 2 or 4.
parse_width:
    call parse_number
    jnc .end
    mov eax, 1
.end:
    ret

; in PORT [SIZE]
command_in:
    call parse_port
    jc .usage
    call parse_width
    mov ecx, eax
    xor eax, eax
    cmp ecx, 2
    je .word
    ja .dword
    in al, dx
    jmp .show
.word:
    in ax, dx
    jmp .show
.dword:
    in eax, dx
.show:
    call put_hex
    mov al, 10
    call put
    clc
.usage:
    ret

; out PORT VALUE [SIZE]
command_out:
    call parse_port
    jc .usage
    call parse_number
    jc .usage
    mov ebx, eax
    call parse_width
    xchg eax, ebx
    cmp ebx, 2
    je .word
    ja .dword
    out dx, al
    jmp .end
.word:
    out dx, ax
    jmp .end
.dword:
    out dx, eax
.end:
    clc
.usage:
    ret
`;
