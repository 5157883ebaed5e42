/**
 * Ways to end: soft off through the power management of the PIIX4 (82371AB data sheet, "PMBA" and "PMCNTRL"), reset through port CF9h,
 * the debug exit port of emulators, and a halt with interrupts off.
 */

/** `poweroff`, `reboot`, `exit`, `halt`. */
export const power = `
PCI_CONFIG_ADDRESS equ 0xcf8
PCI_CONFIG_DATA equ 0xcfc
PIIX4_PM equ 1 << 31 | 1 << 11 | 3 << 8  ; bus 0, device 1, function 3
PMBA equ 0x40
PM1_CONTROL equ 4
SLP_EN equ 1 << 13                       ; with sleep type 0, which is soft off on this chip
RESET_CONTROL equ 0xcf9
DEBUG_EXIT equ 0xf4

; Asks the chip where its registers are, because firmware may place them anywhere. The machine may need a moment to go off.
command_poweroff:
    mov edx, PCI_CONFIG_ADDRESS
    mov eax, PIIX4_PM | PMBA
    out dx, eax
    mov edx, PCI_CONFIG_DATA
    in eax, dx
    cmp eax, 0xffffffff
    je .absent
    and eax, 0xffc0
    jz .absent
    lea edx, [eax + PM1_CONTROL]
    mov eax, SLP_EN
    out dx, ax
    call wait_tick
    call wait_tick
.absent:
    say "power cannot be switched off here", 10
    clc
    ret

; A hard reset; where nobody hears it, a triple fault does the same.
command_reboot:
    mov edx, RESET_CONTROL
    mov al, 0x02
    out dx, al
    mov al, 0x06
    out dx, al
    jmp fault_triple

command_exit:
    call parse_number
    jc .usage
    out DEBUG_EXIT, eax
    call wait_tick
    call wait_tick
    say "there is no debug exit port here", 10
    clc
.usage:
    ret

command_halt:
    say "halted", 10
    cli
.forever:
    hlt
    jmp .forever
`;
