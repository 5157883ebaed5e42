/** Each kind of instruction in a region, over many register contents: what the interpreter makes of them, faults included. */
import { assemble, CR4_PAE } from "@doppel/x86";
import { expect, test } from "vitest";
import { type Bits, CODE, DATA, machine, outcome, STACK } from "./machine.fixture.ts";

const CASES: Record<string, { bits: Bits; source: string; faults?: boolean }> = {
  "arithmetic and flags": { bits: 32, source: "add eax, ebx\nadc ecx, edx\nsbb esi, edi\nsub al, bh\nxor ah, cl\nand edx, 0x7f\nor edi, eax\ncmp ecx, esi\nsetl bl\nneg edx\nnot esi\ninc edi\ndec ecx" },
  "narrow and high registers": { bits: 32, source: "mov ah, al\nmov bl, ch\nadd cx, dx\nmovzx edi, bh\nmovsx esi, cl\nxchg al, dh\nsub bx, 0x1234\nmov dh, 9" },
  "shifts and rotates": { bits: 32, source: "shl eax, 3\nshr ebx, cl\nsar edx, 31\nrol esi, 7\nror edi, cl\nrcl ax, 1\nrcr bl, 5\nshld eax, ebx, 9\nshrd edx, esi, cl" },
  "multiply and divide": { bits: 32, source: "imul eax, ebx, 77\nmul ecx\nmov ecx, 1000003\nxor edx, edx\ndiv ecx\nimul esi, edi\ncdq\nidiv ecx\ncwde" },
  "memory, stack and address forms": { bits: 32, source: "mov [ebp+4], eax\nadd [ebp+4], ebx\nmov cl, [ebp+5]\npush esi\npush 12\npop eax\nlea edx, [ebp+eax*4+8]\nmov [edx], edi\ncmpxchg [edx], ebx\nxadd [edx], ecx\nbts dword [ebp], 5\nmovsx eax, word [edx]" },
  "conditions": { bits: 32, source: "cmp eax, ebx\ncmovg ecx, edx\nsetbe al\ntest esi, edi\ncmovs ebx, [ebp]\nsetp ah\nbsf eax, ecx\nbswap edx\nstc\nadc eax, 0\ncmc\nsbb ebx, 0" },
  "a carry that INC and DEC keep": { bits: 32, source: "add eax, ebx\ninc ecx\nadc edx, 0\ncmp esi, edi\ndec ebx\nsetc al\ninc esi\nmov [ebp], esi\nshl edi, 3\ninc edi\nrcr edx, 1\nand ecx, edi\ndec ecx\nadc ebx, 7\nsub edx, ecx\ninc eax\npushfd\nror ecx, 5\ndec edi\ncmova ebx, esi\ndec ebp" },
  "a carry through a loop": { bits: 32, source: "add eax, ebx\nmov ecx, 7\nmov edx, [ebp]\nadc edx, ebx\nmov [ebp], edx\ninc esi\ndec ecx\njnz $-10\nadc edi, 0\nmov ecx, 9\ninc edi\nmov al, [ebp+ecx]\ninc ebx\ndec ecx\njnz $-7\nsetc dl" },
  "a taken branch": { bits: 32, source: "mov eax, 5\ncmp eax, 5\nje $+20\nmov ebx, 1" },
  "a fault between two changes of registers": { bits: 32, source: "mov eax, 7\nadd ebx, 3\nxor ecx, ecx\ndiv ecx\nmov edx, 9", faults: true },
  "64-bit operands and REX registers": { bits: 64, source: "mov rax, 0x123456789abcdef0\nadd r8, rax\nsub r9d, r10d\nimul rbx, rax\nxor r11b, sil\nmov [rbp], r8\nadd qword [rbp], 5\nmovsxd rcx, r9d\nshl rax, 13\nrol r12, 40\nmov eax, eax\nbswap r8\nsar rbx, 63\nadc r14, r15\nlea rdx, [rbp+r13*2+8]" },
  "three operands, and an address of 64 bits": { bits: 64, source: "andn rax, r9, rbx\nmulx r10, r11, [rbp]\npdep ecx, r8d, edx\nrorx r12, r13, 17\nbextr rdx, rsi, rdi\nmov eax, [qword 0x4008]\nmov [qword 0x4010], al\nadcx rbx, r8\nadox r9, r14\ncrc32 r15, rbx\npopcnt rsi, rbx" },
  "x87 operands in memory, whose last opcode is noted": { bits: 64, source: "fld1\nfild dword [rbp]\nfisubr dword [rbp+4]\nfstp st1\nfnstenv [rbp+16]\nmov eax, [rbp+34]" },
  "a 64-bit fault": { bits: 64, source: "mov r8, 5\nxor ecx, ecx\nmov eax, 1\ncdq\ndiv ecx\nmov r8, 6", faults: true },
};

/** Runs the program from its beginning, with registers that follow from the seed. */
function start({ cpu, engine }: ReturnType<typeof machine>, bits: Bits, seed: number): void {
  let x = seed;
  for (let n = 0; n < (bits === 64 ? 16 : 8); n++) {
    x = Math.imul(x, 1664525) + 1013904223;
    cpu.state.setGpr64(n, x, bits === 64 ? x >> 7 : 0);
  }
  cpu.state.setGpr64(4, STACK, 0);
  cpu.state.setGpr64(5, DATA, 0);
  cpu.state.rip = CODE;
  cpu.activity = 0;
  engine.run(100);
}

test.each(Object.entries(CASES))("%s", (_name, { bits, source, faults }) => {
  for (let seed = 1; seed <= 20; seed++) {
    const [plain, translated] = [machine(`${source}\nhlt`, bits, false), machine(`${source}\nhlt`, bits, true)];
    for (const made of [plain, translated]) {
      // A first run fills the TLB, so that the second one finds its pages; a program that faults has but one.
      for (let round = 0; round < (faults === true ? 1 : 2); round++) start(made, bits, seed);
    }
    expect(outcome(translated)).toEqual(outcome(plain));
    expect(translated.engine.counters.exceptions).toEqual(plain.engine.counters.exceptions);
    if (faults === true) expect(plain.engine.counters.exceptions[0]).toBeGreaterThan(0);
    expect(translated.translator!.counters.regions).toBeGreaterThan(0);
  }
});

test("a jump to where no address is canonical: the fault is the interpreter's, and the region that begins with it is left", () => {
  const made = [false, true].map((translate) => {
    const one = machine("nop\nhlt", 64, translate);
    // Of an address that is canonical by one page, as high as it gets: the jump leads beyond.
    const page = 0x7fff_ffff_f000;
    one.physical.load(0x10000, assemble("jmp $+0x2000", { bits: 64 }));
    for (const [at, entry] of [[0x20000 + 8 * 255, 0x21007], [0x21000 + 8 * 511, 0x22007], [0x22000 + 8 * 511, 0x23007], [0x23000 + 8 * 511, 0x10007]] as const) one.physical.write32(at, entry);
    one.cpu.cr4 |= CR4_PAE;
    one.cpu.cr3 = 0x20000;
    one.cpu.cr0 = 0x8000_0011 | 0;
    one.cpu.applyPaging();
    one.cpu.mmu.setRoot(0x20000);
    one.cpu.state.rip = page;
    one.engine.run(2);
    return one;
  });
  expect(made.map(({ engine }) => [...engine.counters.exceptions].flatMap((count, vector) => (count > 0 ? [vector] : [])))).toEqual([[13], [13]]);
});

test.each([0x7fff_fff0, -0x7fff_fff0])("a jump of %i bytes: farther than places in a region are counted", (distance) => {
  const made = [false, true].map((translate) => {
    const one = machine("hlt", 64, translate);
    const code = new DataView(new ArrayBuffer(5));
    code.setUint8(0, 0xe9);
    code.setInt32(1, distance, true);
    one.physical.load(0x1ff0, new Uint8Array(code.buffer));
    one.cpu.state.rip = 0x1ff0;
    // No memory is there: what is fetched is undefined, and raises its fault at that address.
    one.engine.run(3);
    return one;
  });
  expect(made.map(({ cpu }) => cpu.state.rip)).toEqual([0x1ff5 + distance, 0x1ff5 + distance]);
});
