/**
 * Commands on the kernel's command line (Multiboot Specification 0.6.96, section 3.3), behind "--" and with ";" between them: they come
 * before what is typed, so that a run needs no terminal.
 */

/** Finding the script at boot, and taking the next command from it. */
export const script = `
INFO_COMMAND_LINE equ 1 << 2
INFO_CMDLINE equ 16
SCRIPT_SIZE equ 1024

; Copies the script out of the loader's information at EBX (0: there is none).
find_script:
    pushad
    test ebx, ebx
    jz .end
    test dword [ebx], INFO_COMMAND_LINE
    jz .end
    mov esi, [ebx + INFO_CMDLINE]
.look:
    cmp byte [esi], 0
    je .end
    cmp word [esi], "--"
    lea esi, [esi + 1]
    jne .look
    inc esi
    mov edi, script
    mov ecx, SCRIPT_SIZE - 1            ; the rest of the buffer is zero
.copy:
    lodsb
    stosb
    test al, al
    loopnz .copy
    mov dword [script_rest], script
.end:
    popad
    ret

; Moves the next command of the script into the line and shows it; sets CF when there is none.
next_of_script:
    pushad
    mov esi, [script_rest]
    test esi, esi
    jz .none
    call skip_blanks
    cmp byte [esi], 0
    je .none
    mov edi, line
.copy:
    lodsb
    cmp al, ';'
    je .whole
    cmp al, 0
    je .last
    cmp edi, line + LINE_SIZE - 1
    jae .copy
    stosb
    call put
    jmp .copy
.last:
    dec esi
.whole:
    mov byte [edi], 0
    mov [script_rest], esi
    mov al, 10
    call put
    clc
    popad
    ret
.none:
    stc
    popad
    ret
`;
