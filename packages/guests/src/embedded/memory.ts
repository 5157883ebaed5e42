/**
 * Memory: the loader's map (Multiboot Specification 0.6.96, section 3.3), paging with 4 MiB pages (SDM volume 3, "32-bit paging").
 */

/** Memory map, paging, `mem`. */
export const memory = `
INFO_MEMORY_MAP equ 1 << 6
INFO_MMAP_LENGTH equ 44
MAP_ENTRIES equ 32
MAP_ENTRY equ 20                        ; base, length, type
USABLE equ 1
DEMO_ADDRESS equ 0xf0000000             ; a page of RAM shows here once more
HIGHEST_TOP equ DEMO_ADDRESS
DEMO_VALUE equ 0x600dcafe

; Copies the map out of the loader's information at EBX (0: there is none), and finds the end of RAM below DEMO_ADDRESS.
copy_memory_map:
    pushad
    test ebx, ebx
    jz .end
    test dword [ebx], INFO_MEMORY_MAP
    jz .end
    mov ecx, [ebx + INFO_MMAP_LENGTH]
    mov ebx, [ebx + INFO_MMAP_LENGTH + 4]
    add ecx, ebx
    mov edi, map
.entry:
    cmp ebx, ecx
    jae .end
    cmp dword [map_count], MAP_ENTRIES
    jae .end
    push ecx
    lea esi, [ebx + 4]
    mov ecx, MAP_ENTRY / 4
    rep movsd
    pop ecx
    inc dword [map_count]
    call .note_top
    add ebx, [ebx]                      ; an entry's size does not count itself
    add ebx, 4
    jmp .entry
.end:
    popad
    ret
.note_top:
    cmp dword [edi - MAP_ENTRY + 16], USABLE
    jne .noted
    cmp dword [edi - MAP_ENTRY + 4], 0
    jne .noted
    mov eax, [edi - MAP_ENTRY]
    add eax, [edi - MAP_ENTRY + 8]
    jc .beyond
    cmp dword [edi - MAP_ENTRY + 12], 0
    jne .beyond
    cmp eax, HIGHEST_TOP
    jbe .within
.beyond:
    mov eax, HIGHEST_TOP
.within:
    cmp eax, [memory_top]
    jbe .noted
    mov [memory_top], eax
.noted:
    ret

map_types dd map_other, map_usable, map_reserved, map_acpi, map_nvs
map_other db "unknown", 0
map_usable db "usable", 0
map_reserved db "reserved", 0
map_acpi db "ACPI tables", 0
map_nvs db "ACPI NVS", 0

command_mem:
    mov esi, map
    mov ecx, [map_count]
    xor ebp, ebp                        ; usable bytes in EDI:EBP
    xor edi, edi
    jecxz .sum
.entry:
    mov edx, [esi + 4]
    mov eax, [esi]
    call .put_address
    say " - "
    mov eax, [esi]
    mov edx, [esi + 4]
    add eax, [esi + 8]
    adc edx, [esi + 12]
    sub eax, 1
    sbb edx, 0
    call .put_address
    say "  "
    mov eax, [esi + 16]
    cmp eax, USABLE
    jne .name
    add ebp, [esi + 8]
    adc edi, [esi + 12]
.name:
    cmp eax, 4
    jbe .known
    xor eax, eax
.known:
    push esi
    mov esi, [map_types + eax*4]
    call print
    pop esi
    mov al, 10
    call put
    add esi, MAP_ENTRY
    loop .entry
.sum:
    mov eax, ebp
    mov edx, edi
    shrd eax, edx, 10
    shr edx, 10
    call put_decimal64
    say " KiB usable", 10
    clc
    ret
.put_address:
    xchg eax, edx
    call put_hex
    mov eax, edx
    jmp put_hex

; Maps RAM onto itself in pages of 4 MiB, and one page of the kernel a second time through a page table.
enable_paging:
    test dword [cpu_features], CPUID_1_EDX_PSE
    jnz .can
    say "no 4 MiB pages: paging stays off", 10
    ret
.can:
    mov edi, page_directory
    mov eax, PTE_P | PTE_RW | PTE_PS
.large:
    stosd
    add eax, 1 << 22
    cmp eax, [memory_top]
    jb .large
    mov dword [page_directory + (DEMO_ADDRESS >> 22) * 4], page_table + PTE_P + PTE_RW
    mov dword [page_table], demo_page + PTE_P + PTE_RW
    mov eax, cr4
    or eax, CR4_PSE
    mov cr4, eax
    mov eax, page_directory
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    mov dword [DEMO_ADDRESS], DEMO_VALUE
    say "paging is on: "
    mov eax, DEMO_ADDRESS
    call put_hex
    cmp dword [demo_page], DEMO_VALUE
    je .shown
    say " does not show "
    jmp .page
.shown:
    say " shows "
.page:
    mov eax, demo_page
    call put_hex
    mov al, 10
    jmp put
`;
