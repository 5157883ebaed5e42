/** Flags that registers tell of: where ways meet, and the region is left before all flags are set anew, they are those that the interpreter has. */
import { expect, test } from "vitest";
import { type Bits, CODE, DATA, machine, outcome, STACK } from "./machine.fixture.ts";

/** Ways meet at `l` behind each of these; what comes there sets all flags, but not at once. */
const WAYS: Record<string, readonly [bits: Bits, way: string]> = {
  "a comparison of registers": [32, "cmp ecx, ebx"],
  "a comparison with a number": [32, "cmp ecx, 3"],
  "of a low byte and a high one": [32, "cmp cl, ch"],
  "of words": [32, "cmp cx, -2"],
  "a test of one register": [32, "test ecx, ecx"],
  "a test of two": [32, "test ecx, ebx"],
  "an addition": [32, "add ebx, ecx"],
  "an addition to a byte": [32, "add bh, 0x7e"],
  "an addition of a part of itself": [32, "add bl, bh"],
  "a subtraction": [32, "sub ebx, 0x1234"],
  "a subtraction from itself": [32, "sub ebx, ebx"],
  "an AND": [32, "and ebx, 0x7f"],
  "an OR of words": [32, "or bx, cx"],
  "a carry that went in": [32, "stc\nadc ebx, ecx"],
  "a negation": [32, "neg ebx"],
  "an increment behind a comparison": [32, "cmp ecx, 2\ninc ebx"],
  "a shift": [32, "shl ebx, 3"],
  "a rotate behind an addition": [32, "add ebx, ecx\nrol edi, 1"],
  "an operand that changes behind it": [32, "cmp ecx, ebx\nmov ebx, esi"],
  "a result that changes behind it": [32, "add ebx, ecx\nmov ebx, 9"],
  "an operand that changes where ways meet": [32, "cmp eax, ecx"],
  "a stack pointer behind which a function returns": [32, "call f"],
  "64 bits": [64, "cmp rcx, rbx"],
  "64 bits and a number": [64, "add r9, -77"],
  "64 bits and a long way": [64, "mov r10, 0x123456789abc\nsub r10, r9"],
  "a test of 64 bits": [64, "test r9, r9"],
  "32 of 64 bits": [64, "sub r9d, ecx"],
};

/** A fault behind the place where ways meet shows the flags that came there; what changes behind it, nobody asks for them. */
const source = (way: string, bits: Bits): string => `
  mov esi, ${DATA}
  test edi, edi
  jnz other
  ${way.replaceAll("\n", "\n  ")}
  jmp l
other:
  cmp eax, ecx
l:
  mov eax, [${bits === 64 ? "rsi" : "esi"}]
  div ebp
  ${bits === 64 ? "lea r9, [rbx + rcx]\n  lea rcx, [rbx + r9 * 2]" : "lea ebx, [ecx + esi]"}
  xor eax, ecx
  hlt
f:
  push ${bits === 64 ? "rdi" : "edi"}
  add ${bits === 64 ? "rsp, 8" : "esp, 4"}
  ret`;

test.each(Object.entries(WAYS))("%s", (_name, [bits, way]) => {
  const made = [machine(source(way, bits), bits, false), machine(source(way, bits), bits, true, true, false)];
  for (const [round, values] of [[3, 0x1357], [0xff80, 0x1284], [-1, 1], [5, 5], [0x8000_0000, 1], [0x7f, 0x7f01]].entries()) {
    for (const isOther of [0, 1]) {
      const [plain, translated] = made.map((one) => {
        for (const [register, value] of [[0, 77], [1, values[0]!], [3, values[1]!], [5, 0], [7, isOther], [9, values[0]! ^ values[1]!]] as const) one.cpu.state.setGpr64(register, value, value >> 31);
        one.cpu.state.setGpr64(4, STACK, 0);
        one.cpu.state.rip = CODE;
        one.cpu.activity = 0;
        one.engine.run(100);
        return outcome(one);
      });
      expect(translated, `round ${round}`).toEqual(plain);
    }
  }
  expect(made[0]!.engine.counters.exceptions[0]).toBe(12);
  expect(made[1]!.translator!.counters.regions).toBeGreaterThan(0);
});
