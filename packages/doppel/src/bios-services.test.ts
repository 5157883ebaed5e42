// The BIOS services that a machine without a BIOS has, called in real mode. Expectations: IBM PC/AT Technical Reference, "BIOS Interface";
// ACPI 6.4, section 15.1 "INT 15H, E820H" and the older calls E801h and 88h as Ralf Brown's list has them.
import { expect, test } from "vitest";
import { e820Map, layoutMemory } from "@doppel/firmware";
import { assemble } from "@doppel/x86";
import { createVm } from "./index.ts";

const MEMORY = 64 << 20;
const CODE = 0x7000;
const DATA = 0x6000;
const REGISTERS = ["eax", "ecx", "edx", "ebx"] as const;

/** Runs code in real mode until it halts, and gives the registers, the carry and the zero flag. */
async function run(source: string): Promise<Record<(typeof REGISTERS)[number], number> & { carry: boolean; zero: boolean; data: DataView }> {
  const vm = await createVm({ guest: "embedded", memory: MEMORY, deterministic: true });
  const { cpu, memory } = vm.machine;
  memory.map.load(CODE, assemble(`${source}\n hlt`, { bits: 16, origin: CODE }));
  cpu.cr0 = 0x10;
  for (let n = 0; n < 6; n++) {
    cpu.state.setSelector(n, 0);
    cpu.state.setSegmentBase(n, 0);
    cpu.state.setSegmentLimit(n, 0xffff);
    cpu.state.setSegmentAttributes(n, 0x9300);
  }
  Object.assign(cpu.idtr, { base: 0, limit: 0x3ff });
  cpu.state.setGpr32(4, 0x5000);
  cpu.state.rip = CODE;
  cpu.state.eflags = 2;
  cpu.applyPaging();
  cpu.deriveSegments();
  for (let n = 0; n < 1000 && !vm.machine.isHalted; n++) vm.machine.step();
  expect(vm.machine.isHalted).toBe(true);
  const data = new Uint8Array(4096);
  memory.map.readBytes(DATA, data);
  const values = Object.fromEntries(REGISTERS.map((name, n) => [name, cpu.state.gpr32(n) >>> 0])) as Record<(typeof REGISTERS)[number], number>;
  return { ...values, carry: (cpu.state.eflags & 1) !== 0, zero: (cpu.state.eflags & 0x40) !== 0, data: new DataView(data.buffer) };
}

test("15.1: E820h gives the whole map, entry by entry, and ends with EBX 0", async () => {
  const map = e820Map(layoutMemory(MEMORY));
  const { eax, ebx, ecx, data } = await run(`
    mov di, ${DATA}
    xor ebx, ebx
    xor ebp, ebp
  again:
    mov eax, 0xe820
    mov edx, 0x534d4150
    mov ecx, 20
    stc
    int 0x15
    jc done
    inc bp
    add di, 20
    cmp ebx, 0
    jne again
  done:
    mov ax, bp`);
  expect([eax & 0xffff, ebx, ecx]).toEqual([map.length, 0, 20]);
  const entries = map.map((_, n) => ({ base: Number(data.getBigUint64(n * 20, true)), length: Number(data.getBigUint64(n * 20 + 8, true)), type: data.getUint32(n * 20 + 16, true) }));
  expect(entries).toEqual(map);
});

test("memory sizes, and what there is not", async () => {
  const extended = (MEMORY - 0x20000) / 1024 - 1024;
  expect(await run("mov ah, 0x88\n stc\n int 0x15\n movzx eax, ax")).toMatchObject({ eax: extended, carry: false });
  expect(await run("mov ax, 0xe801\n int 0x15\n movzx eax, ax\n movzx ebx, bx")).toMatchObject({ eax: 15 * 1024, ebx: Math.floor((extended - 15 * 1024) / 64), carry: false });
  expect(await run("int 0x12\n movzx eax, ax")).toMatchObject({ eax: 639 });
  for (const call of ["mov ax, 0xe820\n xor edx, edx\n int 0x15", "mov ah, 0xc0\n int 0x15", "mov ax, 0x0800\n mov dl, 0x80\n int 0x13", "mov ax, 0xb101\n int 0x1a"])
    expect(await run(`clc\n ${call}\n mov al, 0\n movzx eax, ax`)).toMatchObject({ eax: 0x8600, carry: true });
});

test("screen, keyboard and equipment", async () => {
  expect(await run("mov ah, 0x0f\n int 0x10\n movzx eax, ax")).toMatchObject({ eax: 0x5003 });
  expect(await run("mov ah, 1\n int 0x16\n movzx eax, ax")).toMatchObject({ eax: 0, zero: true });
  expect((await run("int 0x11")).eax & 0xffff).toBe(0x0026 | (2 << 9));
});

test("the timer's interrupt is taken in real mode, counted and ended", async () => {
  const { eax, ecx, edx } = await run(`
    mov dword [0x46c], 0x1ffff
    int 8
    int 8
    mov ah, 0
    int 0x1a
    movzx eax, ax
    movzx ecx, cx
    movzx edx, dx`);
  expect([eax, ecx, edx]).toEqual([0, 2, 1]);
});
