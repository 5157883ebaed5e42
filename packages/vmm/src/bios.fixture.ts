import { assemble } from "@doppel/x86";

/** A BIOS that wakes the other processors (SDM volume 3, 9.4.4.1), lets each count itself and spin a little, and exits with their number. */
export function countingBios(others: number): Uint8Array {
  const image = new Uint8Array(0x10000);
  const code = assemble(`
    .bits 16
  start: cli
    lgdt [cs:gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 8:0xf0000 + flat
    align 8
  gdt: dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
  gdtr: dw 23
    dd 0xf0000 + gdt
    .bits 32
  flat: mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esi, 0xf0000 + ap
    mov edi, 0x8000
    mov ecx, apEnd - ap
    rep movsb
    mov dword [0xfee000f0], 0x1ff
    mov dword [0xfee00300], 0x000c4500
    mov dword [0xfee00300], 0x000c4608
  wait: pause
    cmp dword [0x7000], ${others}
    jne wait
    mov eax, [0x7004]
    mov dx, 0xf4
    out dx, eax
    hlt
    .bits 16
  ap: cli
    xor ax, ax
    mov ds, ax
    mov cx, 5000
  add: lock inc dword [0x7004]
    loop add
    lock inc dword [0x7000]
    hlt
  apEnd:
  `, { bits: 16 });
  image.set(code, 0);
  image.set(assemble("jmp 0xf000:0", { bits: 16 }), 0xfff0);
  return image;
}
