import { expect, test } from "vitest";
import { assemble } from "@doppel/x86";
import { bareMachine } from "@doppel/testkit";
import { compileRegion } from "./region-target.fixture.ts";
import { GPR, RIP, STATE } from "./state-layout.ts";
import { SystemHelpers } from "./system/system-helpers.ts";

const START = 0x1000;
const FLAT_CODE = 0x00cf9b00;
const FLAT_DATA = 0x00cf9300;

/** A machine in flat protected mode, or in 64-bit mode, with the code at START and pseudo-random registers. */
function machine(code: Uint8Array, long: boolean, seed: number): ReturnType<typeof bareMachine> {
  const made = bareMachine();
  const { cpu, physical } = made;
  cpu.hasFeature = () => true;
  physical.load(START, code);
  for (let segment = 0; segment < 6; segment++) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffff_ffff);
    cpu.state.setSegmentAttributes(segment, segment === 1 ? (long ? 0x00af9b00 : FLAT_CODE) : FLAT_DATA);
  }
  cpu.cr0 |= 1;
  if (long) cpu.efer = 0x500;
  cpu.deriveSegments();
  cpu.state.rip = START;
  let x = seed;
  for (let n = 0; n < (long ? 16 : 8); n++) {
    x = Math.imul(x, 1664525) + 1013904223;
    cpu.state.setGpr32(n, x);
  }
  cpu.state.setGpr32(5, 0x4000);
  cpu.state.setGpr32(4, 0x8000);
  return made;
}

function snapshot({ cpu, physical }: ReturnType<typeof bareMachine>, long: boolean): unknown {
  const view = physical.frames.arena.view;
  const registers = Array.from({ length: long ? 16 : 8 }, (_, n) => (long ? view.getBigUint64(STATE + GPR + 8 * n, true) : view.getUint32(STATE + GPR + 8 * n, true)));
  const memory = new Uint8Array(0x6000);
  physical.readBytes(0x3000, memory);
  return { registers, rip: view.getBigUint64(STATE + RIP, true), flags: cpu.state.eflags, memory, vector: cpu.state.faultVector, code: cpu.state.faultCode };
}

const CASES: Record<string, { bits: 32 | 64; source: string; faults?: boolean }> = {
  "arithmetic and flags": { bits: 32, source: "add eax, ebx\nadc ecx, edx\nsbb esi, edi\nsub al, bh\nxor ah, cl\nand edx, 0x7f\nor edi, eax\ncmp ecx, esi\nsetl bl\nneg edx\nnot esi\ninc edi\ndec ecx" },
  "narrow and high registers": { bits: 32, source: "mov ah, al\nmov bl, ch\nadd cx, dx\nmovzx edi, bh\nmovsx esi, cl\nxchg al, dh\nsub bx, 0x1234\nmov dh, 9" },
  "shifts and rotates": { bits: 32, source: "shl eax, 3\nshr ebx, cl\nsar edx, 31\nrol esi, 7\nror edi, cl\nrcl ax, 1\nrcr bl, 5\nshld eax, ebx, 9\nshrd edx, esi, cl" },
  "multiply and divide": { bits: 32, source: "imul eax, ebx, 77\nmul ecx\nmov ecx, 1000003\nxor edx, edx\ndiv ecx\nimul esi, edi\ncdq\nidiv ecx\ncwde" },
  "memory, stack and address forms": { bits: 32, source: "mov [ebp+4], eax\nadd [ebp+4], ebx\nmov cl, [ebp+5]\npush esi\npush 12\npop eax\nlea edx, [ebp+eax*4+8]\nmov [edx], edi\ncmpxchg [edx], ebx\nxadd [edx], ecx\nbts dword [ebp], 5\nmovsx eax, word [edx]" },
  "conditions": { bits: 32, source: "cmp eax, ebx\ncmovg ecx, edx\nsetbe al\ntest esi, edi\ncmovs ebx, [ebp]\nsetp ah\nbsf eax, ecx\nbswap edx\nstc\nadc eax, 0\ncmc\nsbb ebx, 0" },
  "a taken branch": { bits: 32, source: "mov eax, 5\ncmp eax, 5\nje $+20\nmov ebx, 1" },
  "a fault between two changes of registers": { bits: 32, source: "mov eax, 7\nadd ebx, 3\nxor ecx, ecx\ndiv ecx\nmov edx, 9", faults: true },
  "64-bit operands and REX registers": { bits: 64, source: "mov rax, 0x123456789abcdef0\nadd r8, rax\nsub r9d, r10d\nimul rbx, rax\nxor r11b, sil\nmov [rbp], r8\nadd qword [rbp], 5\nmovsxd rcx, r9d\nshl rax, 13\nrol r12, 40\nmov eax, eax\nbswap r8\nsar rbx, 63\nadc r14, r15\nlea rdx, [rbp+r13*2+8]" },
  "three operands, and an address of 64 bits": { bits: 64, source: "andn rax, r9, rbx\nmulx r10, r11, [rbp]\npdep ecx, r8d, edx\nrorx r12, r13, 17\nbextr rdx, rsi, rdi\nmov eax, [qword 0x4008]\nmov [qword 0x4010], al\nadcx rbx, r8\nadox r9, r14\ncrc32 r15, rbx\npopcnt rsi, rbx" },
  "a 64-bit fault": { bits: 64, source: "mov r8, 5\nxor ecx, ecx\nmov eax, 1\ncdq\ndiv ecx\nmov r8, 6", faults: true },
};

for (const [name, { bits, source, faults }] of Object.entries(CASES)) {
  test(`interpreter handler and translator-style block agree: ${name}`, () => {
    const long = bits === 64;
    const code = assemble(source, { origin: START, bits });
    for (let seed = 1; seed <= 20; seed++) {
      const a = machine(code, long, seed);
      const b = machine(code, long, seed);
      const helpers = new SystemHelpers(a.cpu) as unknown as Record<string, (...args: number[]) => number>;
      const instance = compileRegion(code, START, long).instantiate(a.physical.frames.arena.memory, helpers);
      const result = (instance.exports["region"] as () => number)();
      expect(result >> 8).toBe(faults ? 1 : 0);
      const retired = result & 0xff;
      if (faults) {
        // The interpreter would go on and deliver the fault: compare before that, then see that it is the same one.
        b.engine.run(retired);
        b.cpu.state.setFault(a.cpu.state.faultVector, a.cpu.state.faultCode);
        expect(snapshot(a, long)).toEqual(snapshot(b, long));
        b.engine.run(1);
        expect(b.engine.counters.exceptions[a.cpu.state.faultVector]).toBeGreaterThan(0);
      } else {
        b.engine.run(retired);
        expect(snapshot(a, long)).toEqual(snapshot(b, long));
      }
    }
  });
}
