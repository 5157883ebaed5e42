/**
 * The assembler. Encodings are those of the instruction pages of SDM volume 2, checked with iced-x86; shortest-form and relaxation rules
 * follow NASM's manual (sections 2.1.22, 3.3, 3.7).
 */
import { createRequire } from "node:module";
import type * as Iced from "iced-x86";
import { describe, expect, test } from "vitest";
import { assemble, assembleProgram, AssemblyError, type CodeSize, decode, disassemble, FORMS, Instruction, OK } from "./index.ts";

const iced = createRequire(import.meta.url)("iced-x86") as typeof Iced;

function bytesOf(source: string, bits: 16 | 32 | 64 = 32, origin = 0): string {
  return Array.from(assemble(source, { bits, origin }), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

describe("encodings", () => {
  test.each([
    ["add eax, 5", 32, "83 c0 05"],
    ["add eax, 0x12345678", 32, "05 78 56 34 12"],
    ["add eax, 0xffffffff", 32, "83 c0 ff"],
    ["add byte [ebx], 5", 32, "80 03 05"],
    ["mov eax, [ebp]", 32, "8b 45 00"],
    ["mov eax, [esp]", 32, "8b 04 24"],
    ["mov eax, [esp+eax]", 32, "8b 04 04"],
    ["mov eax, [0x1234]", 32, "a1 34 12 00 00"],
    ["mov ecx, [0x1234]", 32, "8b 0d 34 12 00 00"],
    ["mov ecx, [ecx*4+0x10]", 32, "8b 0c 8d 10 00 00 00"],
    ["mov eax, [fs:ebx-4]", 32, "64 8b 43 fc"],
    ["mov ax, [bx+si+3]", 16, "8b 40 03"],
    ["mov ax, [bp]", 16, "8b 46 00"],
    ["push 5", 32, "6a 05"],
    ["push word 5", 32, "66 6a 05"],
    ["push dword 0x1000", 16, "66 68 00 10 00 00"],
    ["rep movsd", 32, "f3 a5"],
    ["repne scasb", 32, "f2 ae"],
    ["fs lodsb", 32, "64 ac"],
    ["lock cmpxchg8b [esi]", 32, "f0 0f c7 0e"],
    ["jmp 8:0x1000", 32, "ea 00 10 00 00 08 00"],
    ["jmp dword 8:0x1000", 16, "66 ea 00 10 00 00 08 00"],
    ["jmp far [eax]", 32, "ff 28"],
    ["retf 4", 32, "ca 04 00"],
    ["mov ds, eax", 32, "8e d8"],
    ["mov ax, ds", 32, "66 8c d8"],
    ["mov cr0, eax", 16, "0f 22 c0"],
    ["fadd st3, st0", 32, "dc c3"],
    ["faddp", 32, "de c1"],
    ["fld tword [eax]", 32, "db 28"],
    ["fstsw ax", 32, "9b df e0"],
    ["movd xmm1, eax", 32, "66 0f 6e c8"],
    ["movq mm0, [eax]", 32, "0f 6f 00"],
    ["movsd xmm0, [eax]", 32, "f2 0f 10 00"],
    ["cmpltps xmm1, xmm2", 32, "0f c2 ca 01"],
    ["imul eax, 5", 32, "6b c0 05"],
    ["xchg ecx, eax", 32, "91"],
    ["enter 8, 1", 32, "c8 08 00 01"],
    ["iretd", 16, "66 cf"],
    ["jecxz $", 16, "67 e3 fd"],
    ["mov rax, [rbx+r12*8+5]", 64, "4a 8b 44 e3 05"],
    ["mov rax, -1", 64, "48 c7 c0 ff ff ff ff"],
    ["mov rax, 0x123456789abc", 64, "48 b8 bc 9a 78 56 34 12 00 00"],
    ["mov sil, 1", 64, "40 b6 01"],
    ["push r12", 64, "41 54"],
    ["xchg eax, eax", 64, "87 c0"],
    ["xchg r8, rax", 64, "49 90"],
    ["movq xmm0, rax", 64, "66 48 0f 6e c0"],
    ["cmpxchg16b [rdi]", 64, "48 0f c7 0f"],
    ["mov rax, cr8", 64, "44 0f 20 c0"],
    ["lea rax, [rel 0]", 64, "48 8d 05 f9 ff ff ff"],
    ["iretq", 64, "48 cf"],
    ["movsxd rax, ecx", 64, "48 63 c1"],
  ] as const)("%s (%i bits)", (source, bits, expected) => {
    expect(bytesOf(source, bits)).toBe(expected);
    const code = assemble(source, { bits });
    const witness = new iced.Decoder(bits, code, iced.DecoderOptions.None);
    while (witness.canDecode) expect(witness.decode().isInvalid).toBe(false);
  });
});

describe("the language", () => {
  test("jumps are short where they reach and long where they do not", () => {
    expect(bytesOf("a: jmp a")).toBe("eb fe");
    expect(assemble("jz b\ntimes 127 nop\nb:").length).toBe(2 + 127);
    expect(assemble("jz b\ntimes 128 nop\nb:").length).toBe(6 + 128);
    expect(bytesOf("jmp near b\nb:")).toBe("e9 00 00 00 00");
    // each of the two jumps is short only while the other one is
    expect(assemble("x: jmp y\ntimes 124 nop\njmp x\ny:").length).toBe(2 + 124 + 2);
    expect(assemble("x: jmp y\ntimes 126 nop\njmp x\ny:").length).toBe(5 + 126 + 5);
  });

  test("labels, local labels, constants and data", () => {
    const { bytes, labels } = assembleProgram(`
      bits 16
      org 0x7c00
      size = end - start
      start: mov cx, size
      .again: loop .again
      other:
      .again: jmp .again
      msg db "hi", 13, 10, 0
      align 4, 0
      table: dd start, table+4, 1.5
      end:
      times 32-($-$$) db 0xff
      dw 0xaa55
    `);
    expect(bytes.length).toBe(34);
    expect(labels.get("start.again")).toBe(0x7c03);
    expect(labels.get("other.again")).toBe(0x7c05);
    expect(labels.get("size")).toBe(labels.get("end")! - 0x7c00);
    const view = new DataView(bytes.buffer);
    const table = labels.get("table")! - 0x7c00;
    expect(table % 4).toBe(0);
    expect(view.getUint32(table, true)).toBe(0x7c00);
    expect(view.getUint32(table + 4, true)).toBe(labels.get("table")! + 4);
    expect(view.getFloat32(table + 8, true)).toBe(1.5);
    expect(view.getUint16(32, true)).toBe(0xaa55);
  });

  test("names from outside", () => {
    expect(assemble("mov eax, PORT + 1", { symbols: { PORT: 0x3f8 } })).toEqual(Uint8Array.of(0xb8, 0xf9, 3, 0, 0));
  });

  test.each([
    ["mov [eax], 5", "size of the memory operand"],
    ["nop\nfrobnicate eax", "line 2: there is no instruction"],
    ["mov al, 300", "out of reach or range"],
    ["mov eax, [eax+ebx+ecx]", "at most two registers"],
    ["jmp nowhere", "\"nowhere\" is not defined"],
    ["x: nop\nx: nop", "defined twice"],
    ["lock mov [eax], eax", "LOCK"],
    ["times -1 nop", "would be -1"],
    ["db 256", "does not fit 1 byte"],
    ["mov eax, [esp*2]", "stack pointer"],
    [".bogus 5", "no directive"],
    ["a: loop a+300", "out of reach"],
    ["mov eax, (5", "expected \")\""],
    ["dd 5/0", "division by zero"],
  ])("says what is wrong with %j", (source, message) => {
    expect(() => assemble(source)).toThrow(AssemblyError);
    expect(() => assemble(source)).toThrow(message);
  });
});

test("every form survives disassembly, assembly and disassembly", () => {
  const first = new Instruction();
  const seen = new Set<number>();
  for (const codeSize of [2, 4, 8] as CodeSize[]) {
    for (const head of codeSize === 8 ? [[], [0x66], [0xf3], [0xf2], [0x48], [0x66, 0x4c], [0xf3, 0x48]] : [[], [0x66], [0xf3], [0xf2], [0x67]]) {
      // The last ones are VEX prefixes: both maps, W = 0 and 1, some vvvv, pp by the head.
      const pp = head[0] === 0x66 ? 1 : head[0] === 0xf3 ? 2 : head[0] === 0xf2 ? 3 : 0;
      const vvvv = (codeSize === 8 ? 0x48 : 0x78) | pp;
      for (let map = 0; map < (head.length < 2 ? 9 : 4); map++) {
        const lead = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a], [0xc4, 0xe2, vvvv], [0xc4, 0xe2, vvvv | 0x80], [0xc4, 0xe3, 0x78 | pp], [0xc4, 0xe3, 0xf8 | pp], [0xc4, 0xe2, vvvv ^ 0x30]][map]!;
        for (let opcode = 0; opcode < 256; opcode++) {
          for (let modrm = 0; modrm < 256; modrm += modrm < 0xc0 ? 8 : 1) {
            const bytes = Uint8Array.of(...(map > 3 ? [] : head), ...lead, opcode, modrm ^ (opcode & 7 && modrm < 0xc0 ? opcode & 7 : 0), 0x4b, 0x12, 0xe2, 0x33, 0x04, 5, 6, 7, 8);
            if (modrm >= 0xc0 && modrm % 5 !== opcode % 5 && (opcode & 0xf8) !== 0xd8 && opcode !== 1 && opcode !== 0x1e) continue;
            if (decode(bytes, 0, bytes.length, codeSize, first) !== OK || map === 0 && (opcode === 0x0f || head.length > 0 && opcode === 0x66)) continue;
            seen.add(first.form.id);
            const { form, length } = first;
            const { text } = disassemble(bytes, 0, codeSize, 0x1000);
            const again = assemble(text, { bits: (codeSize * 8) as 16 | 32 | 64, origin: 0x1000 });
            const back = disassemble(again, 0, codeSize, 0x1000).text;
            // XCHG of a register with itself, or with the accumulator, has a shorter spelling; 16-bit SBB and XOR of AX a form as short
            if (back !== text && form.mnemonic !== "XCHG" && !/^(?:sbb|xor|add|or|adc|and|sub|cmp) ax, -/.test(text)) expect(`${form.opcode}: ${back}`).toBe(`${form.opcode}: ${text}`);
            if (again.length > length && !form.operands.some((o) => o.kind === "J")) expect(`${text}: ${again.length}`).toBe(`${text}: ${length}`);
          }
        }
      }
    }
  }
  expect(FORMS.filter((form) => !seen.has(form.id)).map((form) => `${form.opcode} ${form.mnemonic}`)).toEqual([]);
}, 120_000);
