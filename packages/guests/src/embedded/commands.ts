/**
 * The monitor: a table of commands, from which also `help` and the list that the package exports are made, and the reading of lines.
 */

/** A command of the monitor. */
export interface GuestCommand {
  /** What is typed, and so the first word of the line. */
  readonly name: string;
  /** Its arguments; those in brackets may be left out. Numbers are decimal, or hexadecimal after `0x`. */
  readonly args: string;
  /** One line on what it does. */
  readonly says: string;
}

/** All commands, in the order in which `help` lists them; the code of each is at the label `command_NAME`. */
export const commandList: readonly GuestCommand[] = [
  { name: "help", args: "", says: "list the commands" },
  { name: "mem", args: "", says: "memory map of the loader" },
  { name: "cpu", args: "", says: "processor, features, TSC rate" },
  { name: "ticks", args: "", says: "timer ticks since boot" },
  { name: "uptime", args: "", says: "seconds since boot" },
  { name: "time", args: "", says: "date and time of the clock" },
  { name: "peek", args: "ADDR [COUNT]", says: "show doublewords of memory" },
  { name: "poke", args: "ADDR VALUE", says: "store a doubleword" },
  { name: "in", args: "PORT [SIZE]", says: "read a port, 1, 2 or 4 bytes wide" },
  { name: "out", args: "PORT VALUE [SIZE]", says: "write a port" },
  { name: "sum", args: "N", says: "1 + 2 + ... + N" },
  { name: "primes", args: "N", says: "count the primes up to N" },
  { name: "fault", args: "de|ud|gp|pf|triple", says: "make an exception" },
  { name: "echo", args: "TEXT", says: "print the text" },
  { name: "clear", args: "", says: "clear the screen" },
  { name: "reboot", args: "", says: "reset the machine" },
  { name: "halt", args: "", says: "stop with interrupts off" },
  { name: "poweroff", args: "", says: "switch the machine off" },
  { name: "exit", args: "N", says: "write N to the debug exit port" },
];

const WIDTH = 27;
const usage = ({ name, args }: GuestCommand): string => (args === "" ? name : `${name} ${args}`);

/** The monitor's table, its parser, and the commands that need no more. */
export const commands = `
command_table:
${commandList.map(({ name }) => `    dd name_${name}, command_${name}, usage_${name}`).join("\n")}
    dd 0
${commandList.map((command) => `name_${command.name} db "${command.name}", 0\nusage_${command.name} db "${usage(command)}", 0`).join("\n")}
help_text:
${commandList.map((command) => `    db "  ${usage(command).padEnd(WIDTH)}${command.says}", 10`).join("\n")}
    db 0

; Obeys the line in the buffer: the command gets the rest of it in ESI and sets CF when it cannot use it. Changes all registers.
obey:
    mov esi, line
    call skip_blanks
    cmp byte [esi], 0
    je .end
    mov ebx, command_table
.candidate:
    mov edi, [ebx]
    test edi, edi
    jz .unknown
    mov edx, esi
.compare:
    mov al, [edi]
    test al, al
    jz .whole
    cmp al, [edx]
    jne .other
    inc edi
    inc edx
    jmp .compare
.whole:
    cmp byte [edx], ' '
    jbe .found
.other:
    add ebx, 12
    jmp .candidate
.found:
    mov esi, edx
    call skip_blanks
    push ebx
    call dword [ebx + 4]
    pop ebx
    jnc .end
    say "usage: "
    mov esi, [ebx + 8]
    call print
    mov al, 10
    jmp put
.unknown:
    say "there is no such command; help lists them", 10
.end:
    ret

; Moves ESI to the next character that is no blank.
skip_blanks:
    cmp byte [esi], ' '
    jne .end
    inc esi
    jmp skip_blanks
.end:
    ret

; Reads a number at ESI into EAX and moves ESI behind it and the blanks that follow. CF is set when there is none, or it has more than
; 32 bits.
parse_number:
    push ebx
    push ecx
    push edx
    push edi
    xor eax, eax
    mov edi, 10
    cmp word [esi], "0x"
    jne .first
    mov edi, 16
    add esi, 2
.first:
    call .digit
    jc .end
.next:
    mul edi
    jc .end
    add eax, ebx
    jc .end
    call .digit
    jnc .next
    cmp ebx, ' '                        ; a digit of no kind: the number must end here
    ja .bad
    call skip_blanks
    clc
    jmp .end
.bad:
    stc
.end:
    pop edi
    pop edx
    pop ecx
    pop ebx
    ret
; The value of the digit at ESI in EBX, and ESI moved on; or CF, and the character in EBX.
.digit:
    movzx ebx, byte [esi]
    mov ecx, ebx
    sub ecx, '0'
    cmp ecx, 10
    jb .is_digit
    mov ecx, ebx
    or ecx, 0x20
    sub ecx, 'a'
    cmp ecx, 6
    jae .no_digit
    add ecx, 10
.is_digit:
    cmp ecx, edi
    jae .no_digit
    mov ebx, ecx
    inc esi
    clc
    ret
.no_digit:
    stc
    ret

command_help:
    mov esi, help_text
    call print
    clc
    ret

command_echo:
    call print
    mov al, 10
    call put
    clc
    ret

; The terminal at the serial line clears its screen when it is told so (ECMA-48, ED and CUP).
command_clear:
    mov esi, .sequence
.next:
    lodsb
    test al, al
    jz .screen
    call put_serial
    jmp .next
.screen:
    call clear_screen
    clc
    ret
.sequence db 27, "[2J", 27, "[H", 0
`;
