/**
 * The way in: a multiboot header (Multiboot Specification 0.6.96, section 3.1), page tables, and the mode in which the kernels run: 32-bit
 * paging (SDM volume 3, "32-bit Paging") or 64-bit mode with its four levels ("4-Level Paging"). The code of this part is 32-bit in both.
 *
 *   virtual                 physical
 *   0         - 0100_0000   the same             in large pages; the kernel stands at 1 MiB
 *   4000_0000 - 4010_0000   WINDOW               256 pages, mapped and unmapped while the kernels run; other frames in the second space
 *   6000_0000 - 6200_0000   0200_0000            8192 pages, more than any TLB holds
 */

/** Header, page tables and descriptor registers; `bits` is the mode that they lead to. */
export const start = (bits: 32 | 64): string => `
HEADER_MAGIC equ 0x1badb002
HEADER_FLAGS equ 1 << 16                ; load addresses are given
WIDTH equ ${bits / 8}                            ; bytes of a register, and of an entry of a page table
LARGE equ ${bits === 32 ? "4 << 20" : "2 << 20"}
RIGHTS equ PTE_P | PTE_RW | PTE_US
WINDOW equ 0x40000000
WINDOW_PAGES equ 256
WINDOW_FRAMES equ 0x1400000             ; of the first space
OTHER_FRAMES equ 0x1800000              ; of the second
FIELD equ 0x60000000
FIELD_PAGES equ 8192
FIELD_FRAMES equ 0x2000000

multiboot_header:
    dd HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)
    dd multiboot_header, load_address, image_end, bss_end, entry

entry:
    cli
    cld
    mov esp, stack_top
    mov edi, field_tables
    mov eax, FIELD_FRAMES | RIGHTS
    mov edx, PAGE_SIZE
    mov ecx, FIELD_PAGES
    call fill
${bits === 32 ? tables32 : tables64}
    lgdt [gdt_register]
    jmp CODE:main

; Writes ECX entries of a page table at EDI: EAX, and EDX more in each that follows. Tables are zeroed at first, upper halves included.
fill:
    mov [edi], eax
    add eax, edx
    add edi, WIDTH
    loop fill
    ret
`;

const tables32 = `
    mov edi, top
    mov eax, RIGHTS | PTE_PS
    mov edx, LARGE
    mov ecx, 0x1000000 / LARGE
    call fill
    mov edi, top + (FIELD >> 22) * WIDTH
    mov eax, field_tables + RIGHTS
    mov edx, PAGE_SIZE
    mov ecx, FIELD_PAGES / 1024
    call fill
    mov esi, top
    mov edi, other_top
    mov ecx, PAGE_SIZE / 4
    rep movsd
    mov dword [top + (WINDOW >> 22) * WIDTH], window_table + RIGHTS
    mov dword [other_top + (WINDOW >> 22) * WIDTH], other_window_table + RIGHTS
    mov eax, cr4
    or eax, CR4_PSE
    mov cr4, eax
    mov eax, top
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax`;

const tables64 = `
    mov edi, low_directory
    mov eax, RIGHTS | PTE_PS
    mov edx, LARGE
    mov ecx, 0x1000000 / LARGE
    call fill
    mov edi, directory + ((FIELD - WINDOW) >> 21) * WIDTH
    mov eax, field_tables + RIGHTS
    mov edx, PAGE_SIZE
    mov ecx, FIELD_PAGES / 512
    call fill
    mov esi, directory
    mov edi, other_directory
    mov ecx, PAGE_SIZE / 4
    rep movsd
    mov dword [directory], window_table + RIGHTS
    mov dword [other_directory], other_window_table + RIGHTS
    mov dword [pointers], low_directory + RIGHTS
    mov dword [pointers + WIDTH], directory + RIGHTS
    mov dword [other_pointers], low_directory + RIGHTS
    mov dword [other_pointers + WIDTH], other_directory + RIGHTS
    mov dword [top], pointers + RIGHTS
    mov dword [other_top], other_pointers + RIGHTS
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, top
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME | EFER_SCE
    wrmsr
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax`;
