/** System calls by the instructions that were made for them (SDM volume 3, "Performing Fast Calls to System Procedures" and "Fast System Calls in 64-Bit Mode"). */

const fastCall32 = `
; SYSENTER and SYSEXIT: the user leaves its return address in EDX and its stack pointer in ECX.
kernel_sysenter:
    mov ebp, ecx
    xor edx, edx
    mov ecx, IA32_SYSENTER_CS
    mov eax, CODE
    wrmsr
    mov ecx, IA32_SYSENTER_ESP
    mov eax, trap_stack_top
    wrmsr
    mov ecx, IA32_SYSENTER_EIP
    mov eax, .enter
    wrmsr
    call begin
    mov eax, .user
    call run_user
    mov eax, ebx
    ret
.user:
    xor ebx, ebx
    mov ecx, esp
    mov edx, .back
.round:
    mov eax, ebp
    sysenter
.back:
    lea ebx, [ebx + ebx*2]
    add ebx, eax
    dec ebp
    jnz .round
    int LEAVE_USER
.enter:
    inc dword [served]
    xor eax, [served]
    sysexit
`;

const fastCall64 = `
; SYSCALL and SYSRET: RCX and R11 are the return address and the flags.
kernel_syscall:
    mov ebp, ecx
    mov ecx, IA32_STAR
    xor eax, eax
    mov edx, (DATA | 3) << 16 | CODE
    wrmsr
    mov ecx, IA32_LSTAR
    mov eax, .enter
    xor edx, edx
    wrmsr
    mov ecx, IA32_FMASK
    xor eax, eax
    wrmsr
    call begin
    mov eax, .user
    call run_user
    mov eax, ebx
    ret
.user:
    xor ebx, ebx
.round:
    mov eax, ebp
    syscall
    lea ebx, [rbx + rbx*2]
    add ebx, eax
    dec ebp
    jnz .round
    int LEAVE_USER
.enter:
    inc dword [served]
    xor eax, [served]
    sysretq
`;

/** `sysenter` in 32 bits, `syscall` in 64: Intel and AMD agree on either only there. */
export const fastCalls = (bits: 32 | 64): string => (bits === 32 ? fastCall32 : fastCall64);
