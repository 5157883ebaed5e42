/**
 * Input: the keyboard behind the 8042 (IRQ1, scan code set 1) and the receiver of COM1 (IRQ4) fill one ring, from which lines are read
 * and edited. The serial receiver is left alone while the ring is full, so that nothing piped into a machine is lost.
 */

/** Characters of scan codes 0 to 57, without and with shift; 0 where a key makes none. */
const PLAIN = "\0\0" + "1234567890-=\b\t" + "qwertyuiop[]\n\0" + "asdfghjkl;'`" + "\0\\" + "zxcvbnm,./" + "\0*\0 ";
const SHIFTED = "\0\0" + "!@#$%^&*()_+\b\t" + "QWERTYUIOP{}\n\0" + "ASDFGHJKL:\"~" + "\0|" + "ZXCVBNM<>?" + "\0*\0 ";
const codes = (text: string): string => Array.from(text, (character) => character.charCodeAt(0)).join(", ");

/** Keyboard and serial receiver, the ring, and the line editor. */
export const consoleInput = `
I8042_DATA equ 0x60
I8042_STATUS equ 0x64
I8042_OUTPUT_FULL equ 1 << 0
I8042_INPUT_FULL equ 1 << 1
I8042_WRITE_CONFIGURATION equ 0x60
I8042_CONFIGURATION equ 0x65            ; IRQ1 on, mouse off, translation to set 1
KEY_RELEASED equ 0x80
LEFT_SHIFT equ 42
RIGHT_SHIFT equ 54
LAST_KEY equ ${PLAIN.length - 1}

plain_keys db ${codes(PLAIN)}
shifted_keys db ${codes(SHIFTED)}

start_keyboard:
    push ecx
    mov ecx, 16                         ; what was typed before we could listen
.drain:
    in al, I8042_STATUS
    test al, I8042_OUTPUT_FULL
    jz .empty
    in al, I8042_DATA
    loop .drain
.empty:
    call .ready
    mov al, I8042_WRITE_CONFIGURATION
    out I8042_STATUS, al
    call .ready
    mov al, I8042_CONFIGURATION
    out I8042_DATA, al
    pop ecx
    ret
.ready:
    mov ecx, PATIENCE
.busy:
    in al, I8042_STATUS
    test al, I8042_INPUT_FULL
    loopnz .busy
    ret

irq_keyboard:
    pushad
    in al, I8042_DATA
    movzx eax, al
    mov edx, eax
    and edx, ~KEY_RELEASED & 0xff
    cmp edx, LEFT_SHIFT
    je .shift
    cmp edx, RIGHT_SHIFT
    je .shift
    cmp eax, LAST_KEY
    ja .end
    mov esi, plain_keys
    cmp byte [shift], 0
    je .look
    mov esi, shifted_keys
.look:
    mov al, [esi + eax]
    test al, al
    jz .end
    call ring_put
    jmp .end
.shift:
    test al, KEY_RELEASED
    setz byte [shift]
.end:
    mov al, PIC_EOI
    out PIC1, al
    popad
    iretd

irq_serial:
    pushad
.next:
    call ring_full
    je .full
    mov dx, COM1 + UART_LSR
    in al, dx
    test al, LSR_DR
    jz .end
    mov dx, COM1
    in al, dx
    call ring_put
    jmp .next
.full:
    mov dx, COM1 + UART_IER
    mov al, 0
    out dx, al
.end:
    mov al, PIC_EOI
    out PIC1, al
    popad
    iretd

; ZF is set when the ring has no room. Changes EAX.
ring_full:
    mov al, [ring_head]
    inc al
    cmp al, [ring_tail]
    ret

; Puts AL into the ring, or drops it when there is no room. Changes EAX, ECX.
ring_put:
    movzx ecx, byte [ring_head]
    mov [ring + ecx], al
    call ring_full
    je .full
    inc byte [ring_head]
.full:
    ret

; Waits for a character, asleep; gives it in AL.
read_key:
    push edx
.look:
    cli
    movzx edx, byte [ring_tail]
    cmp dl, [ring_head]
    jne .take
    sti                                 ; takes effect after the HLT has begun: no interrupt can slip between them
    hlt
    jmp .look
.take:
    mov al, [ring + edx]
    inc byte [ring_tail]
    push eax
    mov dx, COM1 + UART_IER
    mov al, 1
    out dx, al
    pop eax
    sti
    pop edx
    ret

; Reads a line into the buffer and ends it with 0. Backspace and DEL take back a character, Ctrl-U and Ctrl-C all of them.
LINE_SIZE equ 128
BACKSPACE equ 8
CTRL_C equ 3
CTRL_U equ 0x15
DEL equ 0x7f
read_line:
    pushad
    mov edi, line
.next:
    mov dl, [last_key]
    call read_key
    mov [last_key], al
    cmp al, 13
    je .end
    cmp al, 10
    je .line_feed
    cmp al, BACKSPACE
    je .rub
    cmp al, DEL
    je .rub
    cmp al, CTRL_U
    je .rub_all
    cmp al, CTRL_C
    je .rub_all
    cmp al, ' '
    jb .next
    cmp edi, line + LINE_SIZE - 1
    jae .next
    stosb
    call put
    jmp .next
.line_feed:
    cmp dl, 13                          ; the second half of CR LF
    je .next
.end:
    mov byte [edi], 0
    mov al, 10
    call put
    popad
    ret
.rub:
    call .rub_one
    jmp .next
.rub_all:
    cmp edi, line
    je .next
    call .rub_one
    jmp .rub_all
.rub_one:
    cmp edi, line
    je .none
    dec edi
    say BACKSPACE, " ", BACKSPACE
.none:
    ret
`;
