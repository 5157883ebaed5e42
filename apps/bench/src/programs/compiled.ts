/**
 * Programs of the kind that compilers make of business code: small functions with frames, structures, strings, tables. They do what the loops of
 * Dhrystone (R. Weicker, 1984) and of CoreMark (EEMBC) are made of, and are neither: their figures compare machines, not compilers.
 */

/** Records are copied, strings compared, arrays indexed, and functions called, with a switch through a table. */
export const DHRYSTONE_LIKE = `
main:
    mov dword [left], ROUNDS
    xor ebx, ebx
.round:
    mov esi, first_string
    mov edi, buffer
    call copy_string
    mov esi, buffer
    mov edi, second_string
    call compare_strings
    add ebx, eax
    mov eax, [left]
    and eax, 3
    mov ecx, 7
    call add_numbers
    mov [number], eax
    mov ecx, [left]
    and ecx, 31
    call fill_arrays
    mov esi, record
    mov edi, other_record
    call copy_record
    mov ecx, [left]
    and ecx, 3
    call choose
    add ebx, eax
    rol ebx, 3
    mov eax, [number]
    imul eax, eax, 5
    xor edx, edx
    mov ecx, 7
    div ecx
    sub ebx, edx
    dec dword [left]
    jnz .round
    lea eax, [@bx + 0]
    add eax, [array + 40]
    add eax, [other_record + 12]
    ret

copy_string:
    push @bp
    mov @bp, @sp
.byte:
    mov al, [@si]
    mov [@di], al
    inc @si
    inc @di
    test al, al
    jnz .byte
    mov @sp, @bp
    pop @bp
    ret

; EAX = -1, 0 or 1.
compare_strings:
    push @bp
    mov @bp, @sp
.byte:
    movzx eax, byte [@si]
    movzx ecx, byte [@di]
    cmp eax, ecx
    jne .differ
    inc @si
    inc @di
    test eax, eax
    jnz .byte
    xor eax, eax
    leave
    ret
.differ:
    sbb eax, eax
    or eax, 1
    leave
    ret

add_numbers:
    push @bp
    mov @bp, @sp
    sub @sp, 16
    mov [@bp - 4], eax
    mov [@bp - 8], ecx
    mov eax, [@bp - 4]
    add eax, 2
    add eax, [@bp - 8]
    leave
    ret

fill_arrays:
    push @bx
    lea ebx, [@cx + 5]
    mov [array + @bx*4], eax
    mov edx, [array + @bx*4]
    mov [array + @bx*4 + 4], edx
    mov [array + @bx*4 + 120], ebx
    mov edi, ebx
    imul edi, edi, 80
    mov edx, 2
.row:
    mov [table + @di], ebx
    add edi, 4
    dec edx
    jnz .row
    inc dword [table + @di - 8]
    pop @bx
    ret

copy_record:
    push @bx
    mov ebx, 12
    inc dword [@si + 12]
.field:
    mov eax, [@si]
    mov [@di], eax
    add @si, 4
    add @di, 4
    dec ebx
    jnz .field
    pop @bx
    ret

choose:
    jmp @word [.cases + @cx*@width]
.one:
    mov eax, 1
    cmp dword [number], 10
    jle .done
    inc eax
    ret
.two:
    mov eax, [number]
    neg eax
    ret
.three:
    mov eax, [record + 8]
    shr eax, 1
.done:
    ret
.four:
    movzx eax, byte [buffer + 3]
    ret
    align 8, 0
.cases:
    dword@ .one, .two, .three, .four

first_string: db "DHRYSTONE PROGRAM, 1'ST STRING", 0
second_string: db "DHRYSTONE PROGRAM, 2'ND STRING", 0
    data@
record: dd 1, 2, 40, 0, 5, 6, 7, 8, 9, 10, 11, 12
`;

/** A list is searched and reversed, two matrices multiplied, numbers read by a state machine, and a checksum kept of all by CRC-16. */
export const COREMARK_LIKE = `
main:
    mov dword [left], ROUNDS
    mov @di, nodes
    xor ecx, ecx
.link:
    lea @ax, [@di + 16]
    mov [@di], @ax
    imul eax, ecx, 57
    and eax, 255
    mov [@di + 8], eax
    add @di, 16
    inc ecx
    cmp ecx, 64
    jb .link
    mov @word [@di - 16], 0
    mov @word [list], nodes
    xor ecx, ecx
.matrix:
    imul eax, ecx, 7
    and eax, 63
    mov [matrix_a + @cx*2], ax
    xor eax, 21
    mov [matrix_b + @cx*2], ax
    inc ecx
    cmp ecx, 144
    jb .matrix
    mov dword [sum], 0xffff
.round:
    mov eax, [left]
    and eax, 255
    call find
    call checksum
    call reverse
    call multiply
    call checksum
    call scan
    call checksum
    dec dword [left]
    jnz .round
    mov eax, [sum]
    ret

; EAX = place in the list of the first node with the value EAX, or its length.
find:
    mov @si, [list]
    xor ecx, ecx
.node:
    test @si, @si
    jz .end
    cmp [@si + 8], eax
    je .end
    inc ecx
    mov @si, [@si]
    jmp .node
.end:
    mov eax, ecx
    ret

reverse:
    mov @si, [list]
    xor edi, edi
.node:
    mov @dx, [@si]
    mov [@si], @di
    mov @di, @si
    mov @si, @dx
    test @si, @si
    jnz .node
    mov [list], @di
    ret

; 12 by 12 numbers of 16 bits; EAX = sum of the products' middle bits.
multiply:
    push @bp
    mov dword [total], 0
    xor esi, esi
.row:
    xor edi, edi
.column:
    xor ebp, ebp
    xor ecx, ecx
    lea @ax, [matrix_a + @si]
    lea @dx, [matrix_b + @di]
.product:
    movsx ebx, word [@ax]
    movsx edx, word [@dx]
    imul ebx, edx
    add ebp, ebx
    add @ax, 2
    inc ecx
    mov edx, ecx
    imul edx, edx, 24
    lea @dx, [matrix_b + @dx]
    add @dx, @di
    cmp ecx, 12
    jb .product
    sar ebp, 2
    and ebp, 0xfff
    add [total], ebp
    add edi, 2
    cmp edi, 24
    jb .column
    add esi, 24
    cmp esi, 288
    jb .row
    mov eax, [total]
    pop @bp
    ret

; Counts what the text holds: integers, numbers with a point, words that are neither. EAX = the three counts in one.
scan:
    mov esi, text
    xor eax, eax
.start:
    movzx ecx, byte [@si]
    inc @si
    test ecx, ecx
    jz .end
    cmp ecx, ','
    je .start
    sub ecx, '0'
    cmp ecx, 9
    ja .word
.integer:
    movzx ecx, byte [@si]
    inc @si
    cmp ecx, '.'
    je .point
    cmp ecx, ','
    je .is_integer
    sub ecx, '0'
    cmp ecx, 9
    jbe .integer
    jmp .word
.is_integer:
    inc eax
    jmp .start
.point:
    movzx ecx, byte [@si]
    inc @si
    cmp ecx, ','
    je .is_real
    sub ecx, '0'
    cmp ecx, 9
    jbe .point
.word:
    movzx ecx, byte [@si]
    inc @si
    cmp ecx, ','
    jne .word
    add eax, 0x10000
    jmp .start
.is_real:
    add eax, 0x100
    jmp .start
.end:
    ret

; CRC-16 (X.25, bit by bit) of EAX, into the sum.
checksum:
    mov ebx, [sum]
    mov ecx, 32
.bit:
    mov edx, eax
    xor edx, ebx
    shr ebx, 1
    test edx, 1
    jz .zero
    xor ebx, 0x8408
.zero:
    shr eax, 1
    dec ecx
    jnz .bit
    mov [sum], ebx
    ret

text: db "5012,1.25,-17,abc,874.9,0,T0.3e,99999,7.0.1,42,3.14159,x1y2,", 0
`;
