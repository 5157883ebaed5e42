/**
 * The way in: the header by which a multiboot loader finds and places the kernel (Multiboot Specification 0.6.96, section 3.1; the address
 * fields, so that the image needs no ELF around it), and the order in which things come up.
 *
 *   10_0000  header, code, tables, strings      the image
 *   bss      page tables, demo page, variables  zeroed by the loader
 *            stack, growing down
 */

/** First part of the kernel's source; it stands at the load address. */
export const start = `
HEADER_MAGIC equ 0x1badb002
LOADER_MAGIC equ 0x2badb002
HEADER_FLAGS equ 1 << 16 | 1 << 1      ; load addresses are given; memory information is wanted

multiboot_header:
    dd HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)
    dd multiboot_header, load_address, image_end, bss_end, entry

; EAX and EBX are the loader's; flat segments, interrupts off. Every routine below keeps all registers but EAX unless its first
; line says otherwise; those of the commands keep none.
entry:
    cli
    cld
    mov esp, stack_top
    mov ebp, eax
    call load_descriptors
    call start_console
    say "Doppel embedded guest", 10
    cmp ebp, LOADER_MAGIC
    je .loaded
    say "started by no multiboot loader: nothing is known about memory", 10
    xor ebx, ebx
.loaded:
    call copy_memory_map
    call find_script
    call start_interrupts
    call start_keyboard
    sti
    call command_mem
    call command_cpu
    call measure_tsc
    call enable_paging
    say "help lists the commands.", 10

; Reads and obeys lines for ever. Exceptions come back to here, too, with a fresh stack.
prompt:
    mov esp, stack_top
    sti
    say "doppel> "
    call next_of_script
    jnc .obey
    call read_line
.obey:
    call obey
    jmp prompt
`;
