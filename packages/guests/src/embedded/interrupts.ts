/**
 * Interrupt lines and the tick: the 8259 pair at vectors 32 to 47 (8259A data sheet, "Initialization command words") and counter 0 of the
 * 8254 as a square wave of 100 Hz (8254 data sheet, "Mode 3").
 */

/** Interrupt controller, timer, and the handlers of the lines that nothing is attached to. */
export const interrupts = `
PIC1 equ 0x20
PIC2 equ 0xa0
PIC_EOI equ 0x20
PIT_COUNTER_0 equ 0x40
PIT_CONTROL equ 0x43
PIT_HZ equ 1193182
TICKS_PER_SECOND equ 100
PIT_DIVISOR equ (PIT_HZ + TICKS_PER_SECOND/2) / TICKS_PER_SECOND
IRQS_IN_USE equ 1 << 0 | 1 << 1 | 1 << 4     ; timer, keyboard, COM1

; ICW1 to ICW4 of both controllers, then the masks: port, value.
pic_setup:
    db PIC1, 0x11, PIC1+1, 32, PIC1+1, 1 << 2, PIC1+1, 1, PIC1+1, ~IRQS_IN_USE & 0xff
    db PIC2, 0x11, PIC2+1, 40, PIC2+1, 2, PIC2+1, 1, PIC2+1, 0xff
PIC_WRITES equ ($ - pic_setup) / 2

start_interrupts:
    pushad
    mov esi, pic_setup
    mov ecx, PIC_WRITES
    xor edx, edx
.write:
    lodsb
    mov dl, al
    lodsb
    out dx, al
    loop .write
    mov al, 0x36                        ; counter 0, low byte then high byte, mode 3
    out PIT_CONTROL, al
    mov al, PIT_DIVISOR & 0xff
    out PIT_COUNTER_0, al
    mov al, PIT_DIVISOR >> 8
    out PIT_COUNTER_0, al
    popad
    ret

irq_timer:
    inc dword [ticks]
irq_other:
    push eax
    mov al, PIC_EOI
    out PIC1, al
    pop eax
    iretd

irq_other_slave:
    push eax
    mov al, PIC_EOI
    out PIC2, al
    out PIC1, al
    pop eax
irq_spurious:                           ; IRQ7 without a request is not in service and wants no end
    iretd

; Sleeps until the tick counter has changed; gives its value in EAX.
wait_tick:
    push edx
    mov edx, [ticks]
.sleep:
    hlt
    mov eax, [ticks]
    cmp eax, edx
    je .sleep
    pop edx
    ret
`;
