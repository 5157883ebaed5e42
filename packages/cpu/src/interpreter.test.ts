import { expect, test } from "vitest";
import { bareMachine, enterFlatMode } from "@doppel/testkit";
import { assemble } from "@doppel/x86";

function run16(source: string, instructions = 1000): ReturnType<typeof bareMachine> {
  const machine = bareMachine();
  machine.physical.load(0x1000, assemble(source, { origin: 0x1000, bits: 16 }));
  const { cpu, engine } = machine;
  cpu.state.setSegmentBase(1, 0);
  cpu.state.setSelector(1, 0);
  cpu.state.rip = 0x1000;
  cpu.updateMode();
  engine.run(instructions);
  return machine;
}

test("a loop in real mode: arithmetic, flags, branches and HLT", () => {
  const { cpu, engine } = run16("mov cx, 10\nmov ax, 0\n.again: add ax, cx\nloop .again\nhlt");
  expect(cpu.state.gpr32(0)).toBe(55);
  expect(engine.retired).toBe(2 + 20 + 1);
});

test("push, pop, call and ret", () => {
  const { cpu } = run16("mov sp, 0x8000\nmov bx, 0x1234\npush bx\ncall sub\npop dx\nhlt\nsub: mov ax, sp\nret");
  expect(cpu.state.gpr32(0) & 0xffff).toBe(0x7ffc);
  expect(cpu.state.gpr32(2) & 0xffff).toBe(0x1234);
});

test("code that overwrites the instruction behind it runs the new one", () => {
  const { cpu } = run16("mov byte [target + 1], 7\ntarget: mov al, 1\nhlt");
  expect(cpu.state.gpr32(0) & 0xff).toBe(7);
});

test("the budget is exact", () => {
  const { cpu, engine } = run16("again: inc ax\njmp again", 11);
  expect(engine.retired).toBe(11);
  expect(cpu.state.gpr32(0) & 0xffff).toBe(6);
  engine.run(4);
  expect(engine.retired).toBe(15);
});

test("REP counts one per iteration and stops midway at the budget", () => {
  const { cpu, engine } = run16("mov cx, 100\nmov di, 0x2000\nmov al, 0x55\nrep stosb\nhlt", 3 + 40);
  expect(cpu.state.gpr32(1) & 0xffff).toBe(60);
  engine.run(60);
  expect(cpu.state.gpr32(1) & 0xffff).toBe(0);
  expect(engine.run(5).reason).toBe("halted");
});

test("a divide error goes through the interrupt vector table", () => {
  const machine = run16("mov word [0], handler\nmov word [2], 0\nmov sp, 0x8000\nmov ax, 5\nmov bl, 0\nfaulting: div bl\nhlt\nhandler: pop cx\nhlt");
  expect(machine.cpu.state.gpr32(1) & 0xffff).toBeGreaterThan(0x1000);
  expect(machine.engine.counters.exceptions[0]).toBe(1);
});

test("SDM volume 3, 9.9.1: switching to protected mode and back to a flat segment", () => {
  const machine = run16(`
    cli
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 8:flat
    align 8
  gdt: dq 0
    dq 0x00cf9a000000ffff
    dq 0x00cf92000000ffff
  gdtr: dw 23
    dd gdt
    .bits 32
  flat: mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x9000
    mov ecx, 1000
    xor eax, eax
  again: add eax, ecx
    dec ecx
    jnz again
    push eax
    mov ebx, [esp]
    hlt`, 100000);
  expect(machine.cpu.state.gpr32(3)).toBe(500500);
  expect(machine.cpu.protectedMode).toBe(true);
});

test("what is written leaves what is known of other code: only the jumps that led there are looked up anew", () => {
  const { cpu, engine, physical } = bareMachine();
  enterFlatMode(cpu, 32);
  // Each calls the next one, in another page; the last one returns to the first.
  for (const [at, source] of [[0x1000, "l: call 0x2000\njmp l"], [0x2000, "call 0x3000\nret"], [0x3000, "add eax, 1\nret"]] as const) physical.load(at, assemble(source, { bits: 32, origin: at }));
  cpu.state.rip = 0x1000;
  cpu.state.setGpr64(4, 0x8000, 0);
  engine.run(600);
  expect(cpu.state.gpr32(0)).toBe(100);
  const { lookups } = engine.counters;
  const { decoded } = engine.code;
  for (let n = 1; n <= 10; n++) {
    physical.writeBytes(0x3000, assemble(`add eax, ${n}`, { bits: 32 }));
    engine.run(600);
  }
  expect(cpu.state.gpr32(0)).toBe(100 + 5500);
  // Of each write: one way back here, and two instructions.
  expect([engine.counters.lookups - lookups, engine.code.decoded - decoded]).toEqual([10, 20]);
});
