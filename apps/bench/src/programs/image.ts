/**
 * Programs for the Debian guests, as a compiler would leave them, made by our assembler: static ELF files of one segment (System V ABI, chapter 4),
 * for i386 and for amd64 from one source. The source has words that the assembler has not:
 *
 *   `@ax`            EAX or RAX, and so for each register
 *   `@1` ... `@6`    the registers of a system call's arguments, all as wide as an address; `@1d` is the lower half of the first
 *   `syscall@ NAME`  the system call, whose result is in EAX; arguments, ECX and R11 may be lost
 *   `@word` `dword@` an operand, and data, as wide as an address; `@width` is their bytes
 *
 * What a program writes to stands behind `data@`, in pages of its own, as a linker would put it: stores beside code are another matter, which
 * `SELF_MODIFYING` measures. A program begins at `main`, which leaves a checksum in EAX; it is printed as eight hexadecimal digits. `ROUNDS` says how much is to be done.
 */
import { assembleProgram } from "@doppel/x86";

const LOAD_ADDRESS = 0x8048000;
const ARGUMENTS = { 32: ["ebx", "ecx", "edx", "esi", "edi", "ebp"], 64: ["rdi", "rsi", "rdx", "r10", "r8", "r9"] } as const;
const FIRST_HALF = { 32: "ebx", 64: "edi" } as const;
/** Numbers of the system calls on i386 and amd64. */
const CALLS: Readonly<Record<string, readonly [i386: number, amd64: number]>> = {
  exit: [1, 60], fork: [2, 57], read: [3, 0], write: [4, 1], pipe: [42, 22], getppid: [64, 110], munmap: [91, 11], wait4: [114, 61], mmap: [192, 9],
};

const HEADER = { 32: { bytes: 52, program: 32, machine: 3, class: 1 }, 64: { bytes: 64, program: 56, machine: 62, class: 2 } } as const;

/** The ELF header and the one program header: everything is readable, writable and executable. */
function header(bits: 32 | 64): string {
  const { bytes, program, machine, class: size } = HEADER[bits];
  return `
load_address equ ${LOAD_ADDRESS}
    db 0x7f, "ELF", ${size}, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    dw 2, ${machine}
    dd 1
    dword@ entry, ${bytes}, 0
    dd 0
    dw ${bytes}, ${program}, 1, 0, 0, 0
${bits === 32 ? "    dd 1, 0, load_address, load_address, file_end - load_address, memory_end - load_address, 7, 0x1000"
    : "    dd 1, 7\n    dq 0, load_address, load_address, file_end - load_address, memory_end - load_address, 0x1000"}
`;
}

const RUNTIME = `
entry:
    call main
    mov ecx, 8
    mov esi, answer
.digit:
    rol eax, 4
    mov edx, eax
    and edx, 15
    mov dl, [digits + @dx]
    mov [@si], dl
    inc @si
    dec ecx
    jnz .digit
    mov @1, 1
    mov @2, answer
    mov @3, 9
    syscall@ write
    mov @1, 0
    syscall@ exit
digits: db "0123456789abcdef"
`;

const DATA = `
    align 4096, 0
answer: db "00000000", 10
    align 16, 0
`;

/** Replaces the words that stand for one thing on i386 and another on amd64. */
function translated(source: string, bits: 32 | 64): string {
  const wide = bits === 64;
  return source
    .replaceAll(/syscall@ (\w+)/g, (_, name: string) => `mov eax, ${CALLS[name]![wide ? 1 : 0]}\n    ${wide ? "syscall" : "int 0x80"}`)
    .replaceAll("@1d", FIRST_HALF[bits]).replaceAll(/@([1-6])/g, (_, n: string) => ARGUMENTS[bits][Number(n) - 1]!)
    .replaceAll("dword@", wide ? "dq" : "dd").replaceAll("@word", wide ? "qword" : "dword").replaceAll("@width", `${bits / 8}`)
    .replaceAll(/@(?=[abcd]x|[sd]i|[sb]p)/g, wide ? "r" : "e");
}

/** The file of a program. `memory` lists zeroed memory: names and bytes, each a multiple of 16. */
export function assembleElf(bits: 32 | 64, source: string, memory: Readonly<Record<string, number>>, rounds: number): Uint8Array {
  let offset = 0;
  const variables = Object.entries(memory).map(([name, size]) => {
    const line = `${name} equ zeroed + ${offset}`;
    offset += size;
    return line;
  });
  const [code, data = ""] = source.split("data@");
  const text = [header(bits), RUNTIME, code, DATA, data, "align 16, 0", "file_end:", "zeroed equ file_end", ...variables, `memory_end equ zeroed + ${offset}`].join("\n");
  return assembleProgram(translated(text, bits), { bits, origin: LOAD_ADDRESS, symbols: { ROUNDS: rounds } }).bytes;
}
