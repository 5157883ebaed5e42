/**
 * Time: ticks of the timer since boot, and the calendar of the MC146818 real-time clock (data sheet, "Time, calendar and alarm
 * locations"), in binary or BCD, with 12 or 24 hours, as it stands.
 */

/** `ticks`, `uptime`, `time`. */
export const time = `
CMOS_INDEX equ 0x70
CMOS_DATA equ 0x71
RTC_SECONDS equ 0
RTC_MINUTES equ 2
RTC_HOURS equ 4
RTC_DAY equ 7
RTC_MONTH equ 8
RTC_YEAR equ 9
RTC_A equ 10
RTC_B equ 11
RTC_CENTURY equ 0x32
RTC_UIP equ 1 << 7
RTC_BINARY equ 1 << 2
RTC_24_HOURS equ 1 << 1
RTC_PM equ 1 << 7

command_ticks:
    mov eax, [ticks]
    call put_decimal
    mov al, 10
    call put
    clc
    ret

command_uptime:
    mov eax, [ticks]
    xor edx, edx
    mov ecx, TICKS_PER_SECOND
    div ecx
    call put_decimal
    mov al, '.'
    call put
    mov eax, edx
    call put_two
    say " s", 10
    clc
    ret

; The CMOS byte at AL, in AL.
read_cmos:
    out CMOS_INDEX, al
    in al, CMOS_DATA
    ret

; A field of the calendar as a number, in EAX. ECX must hold register B.
read_field:
    call read_cmos
    movzx eax, al
    test cl, RTC_BINARY
    jnz .end
    push ecx
    mov ecx, eax
    shr ecx, 4
    and eax, 0xf
    imul ecx, 10
    add eax, ecx
    pop ecx
.end:
    ret

; Hours from 0 to 23, in EAX: PM is bit 7 of the raw byte, and 12 comes before 1.
read_hours:
    test cl, RTC_24_HOURS
    mov eax, RTC_HOURS
    jnz read_field
    call read_cmos
    push eax
    mov eax, RTC_HOURS
    call read_field
    pop edx
    test dl, RTC_PM
    jz .morning
    test cl, RTC_BINARY
    jz .bcd
    sub eax, RTC_PM
    jmp .afternoon
.bcd:
    sub eax, 80
.afternoon:
    add eax, 12
.morning:
    cmp eax, 24                         ; 12 PM is noon, 12 AM midnight
    je .twelve
    cmp eax, 12
    jne .end
    test dl, RTC_PM
    jnz .end
.twelve:
    sub eax, 12
.end:
    ret

command_time:
    mov ecx, PATIENCE
.updating:
    mov al, RTC_A
    call read_cmos
    test al, RTC_UIP
    loopnz .updating
    mov al, RTC_B
    call read_cmos
    mov ecx, eax
    mov al, RTC_CENTURY
    call read_field
    call put_two
    mov al, RTC_YEAR
    mov ebx, '-'
    call .field
    mov al, RTC_MONTH
    call .field
    mov al, RTC_DAY
    mov ebx, ' '
    call .field
    call read_hours
    mov ebx, ':'
    call .show
    mov al, RTC_MINUTES
    call .field
    mov al, RTC_SECONDS
    mov ebx, 10
    call .field
    clc
    ret
.field:
    call read_field
.show:
    call put_two
    mov eax, ebx
    jmp put
`;
