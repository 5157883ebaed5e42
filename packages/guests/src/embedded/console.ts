/**
 * Output: every character goes to the serial line (COM1, PC16550D data sheet) and to the VGA text screen, with scrolling and the
 * hardware cursor (CRTC registers 0Eh and 0Fh).
 */

/** The screen, the transmitter, and printing of strings and numbers. */
export const consoleOutput = `
SCREEN equ 0xb8000
COLUMNS equ 80
ROWS equ 25
BLANKS equ 0x07200720                   ; two spaces, light grey on black
ATTRIBUTE equ 0x07
CRTC equ 0x3d4
COM1 equ 0x3f8
UART_IER equ 1
UART_LCR equ 3
UART_MCR equ 4
UART_LSR equ 5
LSR_DR equ 1 << 0
LSR_THRE equ 1 << 5
PATIENCE equ 0x10000                    ; polls of a status bit that may never come

; 115200 bauds, 8 bits, no parity. The FIFOs stay as they are: to switch them would drop what already waits in the receiver.
start_console:
    pushad
    mov dx, COM1 + UART_LCR
    mov al, 0x83
    out dx, al
    mov dx, COM1
    mov al, 1
    out dx, al
    mov dx, COM1 + UART_IER
    mov al, 0
    out dx, al
    mov dx, COM1 + UART_LCR
    mov al, 0x03
    out dx, al
    mov dx, COM1 + UART_MCR
    mov al, 0x0b                        ; DTR, RTS, and OUT2, which lets interrupts through
    out dx, al
    mov dx, COM1 + UART_IER
    mov al, 1
    out dx, al
    call clear_screen
    popad
    ret

clear_screen:
    pushad
    mov edi, SCREEN
    mov eax, BLANKS
    mov ecx, COLUMNS * ROWS / 2
    rep stosd
    mov dword [cursor], 0
    call show_cursor
    popad
    ret

; The character in AL; 10 starts a new line, 8 goes back by one.
put:
    call emit
    jmp show_cursor

; Starts a new line unless one has just been started.
fresh_line:
    pushad
    mov eax, [cursor]
    xor edx, edx
    mov ecx, COLUMNS
    div ecx
    test edx, edx
    jz .end
    mov al, 10
    call put
.end:
    popad
    ret

; The string at ESI, which ends with 0. Changes ESI.
print:
    push eax
.next:
    lodsb
    test al, al
    jz .end
    call emit
    jmp .next
.end:
    call show_cursor
    pop eax
    ret

; The character in AL, without moving the hardware cursor.
emit:
    pushad
    cmp al, 10
    jne .line
    mov al, 13
    call put_serial
    mov al, 10
.line:
    call put_serial
    mov edi, [cursor]
    cmp al, 8
    je .back
    cmp al, 10
    je .new_line
    mov ah, ATTRIBUTE
    mov [SCREEN + edi*2], ax
    inc edi
    jmp .placed
.back:
    sub edi, 1
    adc edi, 0
    jmp .placed
.new_line:
    mov eax, edi
    xor edx, edx
    mov ecx, COLUMNS
    div ecx
    sub edi, edx
    add edi, COLUMNS
.placed:
    cmp edi, COLUMNS * ROWS
    jb .fits
    mov esi, SCREEN + 2 * COLUMNS
    mov edi, SCREEN
    mov ecx, COLUMNS * (ROWS - 1) / 2
    rep movsd
    mov eax, BLANKS
    mov ecx, COLUMNS / 2
    rep stosd
    mov edi, COLUMNS * (ROWS - 1)
.fits:
    mov [cursor], edi
    popad
    ret

; The character in AL. Changes ECX, EDX.
put_serial:
    push eax
    mov dx, COM1 + UART_LSR
    mov ecx, PATIENCE
.busy:
    in al, dx
    test al, LSR_THRE
    loopz .busy
    pop eax
    mov dx, COM1
    out dx, al
    ret

show_cursor:
    pushad
    mov ebx, [cursor]
    mov edx, CRTC
    mov al, 0x0e
    mov ah, bh
    out dx, ax
    mov al, 0x0f
    mov ah, bl
    out dx, ax
    popad
    ret

; EAX as eight hexadecimal digits.
put_hex:
    pushad
    mov ecx, 8
    mov edx, eax
.digit:
    rol edx, 4
    mov eax, edx
    and eax, 0xf
    mov al, [hex_digits + eax]
    call emit
    loop .digit
    call show_cursor
    popad
    ret
hex_digits db "0123456789ABCDEF"

; EAX as an unsigned decimal number.
put_decimal:
    push edx
    xor edx, edx
    call put_decimal64
    pop edx
    ret

; EDX:EAX as an unsigned decimal number: each round divides by ten, the upper half first.
put_decimal64:
    pushad
    mov ebx, 10
    xor ecx, ecx
.digit:
    mov edi, eax
    mov eax, edx
    xor edx, edx
    div ebx
    xchg eax, edi
    div ebx
    add edx, '0'
    push edx
    inc ecx
    mov edx, edi
    mov esi, eax
    or esi, edx
    jnz .digit
.write:
    pop eax
    call emit
    loop .write
    call show_cursor
    popad
    ret

; AL as two decimal digits.
put_two:
    push eax
    aam
    add eax, '00'
    xchg al, ah
    call put
    mov al, ah
    call put
    pop eax
    ret
`;
