/**
 * The processor: what CPUID says of it (SDM volume 2, CPUID), and the rate of its time-stamp counter, measured against the timer tick.
 */
import * as x86 from "@doppel/x86";

/** A table of feature words: the bit masks of one CPUID register, each with a name, ended by a zero mask. */
function featureTable(label: string, prefix: string): string {
  const entries = Object.entries(x86).filter((entry): entry is [string, number] => entry[0].startsWith(prefix) && typeof entry[1] === "number");
  entries.sort(([, left], [, right]) => (left >>> 0) - (right >>> 0));
  const rows = entries.map(([name, bit]) => `    dd ${bit >>> 0}\n    db "${name.slice(prefix.length).toLowerCase()}", 0`);
  return `${label}:\n${rows.join("\n")}\n    dd 0\n`;
}

/** `cpu`, and the measurement at boot. */
export const processor = `
CPUID_BRAND equ 0x80000002
TICKS_MEASURED equ 2

; Also leaves CPUID.1:EDX behind for whoever asks for features.
command_cpu:
    xor eax, eax
    cpuid
    mov [text], ebx
    mov [text + 4], edx
    mov [text + 8], ecx
    mov byte [text + 12], 0
    mov esi, text
    call print
    mov eax, 1
    cpuid
    mov [cpu_features], edx
    push ecx
    push edx
    mov ebx, eax
    say " family "
    mov eax, ebx
    shr eax, 8
    and eax, 0xf
    call put_decimal
    say " model "
    mov eax, ebx                        ; family 6 and 15: the extended model stands above the model
    shr eax, 4
    and eax, 0xf
    mov ecx, ebx
    shr ecx, 12
    and ecx, 0xf0
    or eax, ecx
    call put_decimal
    say " stepping "
    mov eax, ebx
    and eax, 0xf
    call put_decimal
    call put_brand
    mov al, 10
    call put
    pop edx
    mov esi, features_edx
    call put_features
    pop edx
    mov esi, features_ecx
    call put_features
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb .end
    mov eax, 0x80000001
    cpuid
    mov esi, features_extended
    call put_features
.end:
    mov al, 10
    call put
    mov eax, [tsc_rate]
    test eax, eax
    jz put_no_rate
    jmp put_rate

; The names at ESI of the bits in EDX. Changes EBX, ESI.
put_features:
    lodsd
    test eax, eax
    jz .end
    test edx, eax
    jz .skip
    mov al, ' '
    call put
    call print
    jmp put_features
.skip:
    lodsb
    test al, al
    jnz .skip
    jmp put_features
.end:
    ret

; The brand string, where there is one. Changes all registers.
put_brand:
    mov eax, 0x80000000
    cpuid
    cmp eax, CPUID_BRAND + 2
    jb .none
    mov edi, text
    mov esi, CPUID_BRAND
.part:
    mov eax, esi
    cpuid
    stosd
    mov eax, ebx
    stosd
    mov eax, ecx
    stosd
    mov eax, edx
    stosd
    inc esi
    cmp esi, CPUID_BRAND + 2
    jbe .part
    mov byte [edi], 0
    say ", "
    mov esi, text
    call print
.none:
    ret

; Counts the time stamps of some ticks, beginning with a fresh one.
measure_tsc:
    test dword [cpu_features], CPUID_1_EDX_TSC
    jz put_no_rate
    call wait_tick
    mov ebx, eax
    rdtsc
    mov esi, eax
    mov edi, edx
.tick:
    call wait_tick
    mov ecx, eax
    sub ecx, ebx
    cmp ecx, TICKS_MEASURED
    jb .tick
    rdtsc
    sub eax, esi
    sbb edx, edi
    imul ecx, 1000 / TICKS_PER_SECOND   ; milliseconds, and so kilohertz
    cmp edx, ecx
    jae put_no_rate
    div ecx
    mov [tsc_rate], eax

; The rate in EAX.
put_rate:
    say "TSC "
    call put_decimal
    say " kHz", 10
put_no_rate:
    clc
    ret

${featureTable("features_edx", "CPUID_1_EDX_")}
${featureTable("features_ecx", "CPUID_1_ECX_")}
${featureTable("features_extended", "CPUID_80000001_EDX_")}
`;
