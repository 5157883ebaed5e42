// Expectations: what QEMU 7.2 prints for `info registers`; SDM volume 1, appendix A, for undefined flags.
import { describe, expect, it } from "vitest";
import { differInPushedRf, isOwnResult, mnemonic, undefinedAfter } from "./differences.ts";
import { parseRegisters } from "./qemu.ts";

const PRINTED = `
CPU#0
EAX=00100000 EBX=00000001 ECX=00000002 EDX=00000003
ESI=00014370 EDI=00000000 EBP=00000000 ESP=0001ff80
EIP=00100000 EFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
CS =0010 00000000 ffffffff 00cf9b00 DPL=0 CS32 [-RA]
LDT=0000 00000000 00000000 00008200 DPL=0 LDT
TR =0020 00001000 00000067 00008900 DPL=0 TSS32-avl
GDT=     00013f20 00000027
IDT=     00000000 000003ff
CR0=00000011 CR2=00000000 CR3=00001000 CR4=00000000
EFER=0000000000000000
FCW=037f FSW=0000 [ST=0] FTW=80 MXCSR=00001f80
FPR0=8000000000000000 3fff FPR1=0000000000000000 0000
XMM00=0000000000000001 0000000000000002 XMM01=0000000000000000 0000000000000000
`;

describe("QEMU's registers", () => {
  it("are read with their hidden parts", () => {
    const image = parseRegisters(PRINTED);
    expect(image.values).toMatchObject({ EAX: 0x100000, ESP: 0x1ff80, EFL: 0x46, CPL: 0, CR0: 0x11, CR3: 0x1000, FTW: 0x80, MXCSR: 0x1f80 });
    expect(image.segments.CS).toEqual({ selector: 0x10, base: 0, limit: 0xffffffff, attributes: 0x00cf9b00 });
    expect(image.segments.TR).toEqual({ selector: 0x20, base: 0x1000, limit: 0x67, attributes: 0x8900 });
    expect([image.gdt, image.idt]).toEqual([{ base: 0x13f20, limit: 0x27 }, { base: 0, limit: 0x3ff }]);
    expect(image.st[0]).toEqual({ significand: 0x8000000000000000n, exponent: 0x3fff });
    expect(image.xmm[0]).toBe((1n << 64n) | 2n);
  });
});

describe("differences that are none", () => {
  it("are those of the machine's own results and undefined flags", () => {
    expect([isOwnResult("rdtsc"), isOwnResult("rep insd"), isOwnResult("in al, dx"), isOwnResult("inc eax")]).toEqual([true, true, true, false]);
    expect(mnemonic("lock xadd [ebx], eax")).toBe("xadd");
    expect(undefinedAfter("imul eax, ebx") & 0xffff).toBe(0xd4);
    expect(undefinedAfter("add eax, ebx") & 0xffff).toBe(0);
    expect([differInPushedRf(0x10202, 0x202), differInPushedRf(0x10200, 0x200), differInPushedRf(0x10206, 0x202)]).toEqual([true, false, false]);
  });
});
