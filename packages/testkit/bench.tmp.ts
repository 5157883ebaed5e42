import { bareMachine } from "@doppel/testkit"; import { assemble } from "@doppel/x86";
const header = (body: string) => `
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
    mov edi, 0x100000
    mov ebp, 0x100000
    mov ebx, 5
    xor esi, esi
  top:
    ${body}
    jmp top
  sub: ret
`;
const rep = (s: string, n: number) => Array(n).fill(s).join("\n");
const tests: Record<string,string> = {
  "lea reg": rep("lea eax, [ebx+4]\nlea ecx, [eax+1]", 8), "mov reg": rep("mov eax, ebx\nmov ecx, edx", 8), "add reg": rep("add eax, ebx\nadd ecx, edx", 8), "inc": rep("inc eax\ndec ecx", 8), "load": rep("mov eax, [ebp+8]\nmov ecx, [edi+16]", 8), "load idx": rep("mov eax, [ebp+esi*4+8]\nmov ecx, [edi+esi+16]", 8), "store": rep("mov [ebp+8], eax\nmov [edi+16], ecx", 8), "rmw": rep("add [ebp+8], eax\nadd [edi+16], ecx", 8),
  "cmp jz nt": rep("cmp eax, 0x7fffffff\nje top", 8), "jmp": Array.from({length:16},(_, i)=>`jmp l${i}\nl${i}:`).join("\n"), "call ret": rep("call sub", 8), "push pop": rep("push eax\npop ecx", 8), "shl": rep("shl eax, 3\nshr ecx, 2", 8), "movzx": rep("movzx eax, bl\nmovzx ecx, byte [ebp+1]", 8), "imul": rep("imul eax, ebx", 16), "byte": rep("mov al, [ebp+3]\nadd al, 3", 8),
};
for (const [name, body] of Object.entries(tests)) {
  const m = bareMachine({ ram: 4 << 20 });
  m.physical.load(0x1000, assemble(header(body), { origin: 0x1000, bits: 16 }));
  const { cpu, engine } = m; cpu.state.setSegmentBase(1, 0); cpu.state.setSelector(1, 0); cpu.state.rip = 0x1000; cpu.updateMode();
  engine.run(60_000_000);
  let best = 1e9; for (let i=0;i<3;i++) { const t=performance.now(); engine.run(60_000_000); best=Math.min(best, performance.now()-t); }
  console.log(name.padEnd(12), (best/60).toFixed(2), "ns", (60e3/best).toFixed(0), "MIPS");
}
