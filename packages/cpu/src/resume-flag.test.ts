/**
 * EFLAGS.RF behind a quick IRET: it is there for the next instruction and for whoever looks before that retires, without ending the visit. A machine that steps,
 * and so executes each IRET without the quick way, shows what must be seen.
 */
import { bareMachine, type BareMachine, enterFlatMode } from "@doppel/testkit";
import { EFLAGS_RF, assembleProgram } from "@doppel/x86";
import { expect, test } from "vitest";
import { CPU_MODELS } from "./index.ts";
import { descriptor, gate } from "./system/fixture.ts";

const [GDT, IDT, CODE, STACK] = [0x1000, 0x2000, 0x4000, 0x9000];

/** A kernel in flat memory whose IRET goes to `target` with RF; handlers keep what was pushed and go on behind the instruction. */
function machine(target: string, bits: 32 | 64, translate?: number): BareMachine {
  const made = bareMachine({ ram: 1 << 18, model: CPU_MODELS.max, ...(translate === undefined ? {} : { translate }) });
  const { cpu, physical } = made;
  enterFlatMode(cpu, bits);
  const [sp, iret, word] = bits === 32 ? ["esp", "iretd", "dword"] : ["rsp", "iretq", "qword"];
  const { bytes, labels } = assembleProgram(`
    mov ecx, 3
  again:
    mov ${bits === 32 ? "ebp" : "rbp"}, ${sp}
    ${bits === 64 ? "push 0x10\npush rbp" : ""}
    push 0x10202
    push 8
    push target
    ${iret}
  target:
    ${target}
  behind:
    inc edx
    dec ecx
    jnz again
    hlt
  skips:
    mov ${word} [${sp}], behind
  handler:
    pushf
    add eax, [${sp} + ${bits === 32 ? 12 : 24}]
    pop ${bits === 32 ? "ebx" : "rbx"}
    or eax, ebx
    ${iret}
  `, { origin: CODE, bits });
  physical.load(CODE, bytes);
  const put = (at: number, words: readonly number[]): void => words.forEach((word, n) => physical.write32(at + 4 * n, word >>> 0));
  put(GDT + 8, descriptor(0, 0xfffff, 0x9b, bits === 32 ? 12 : 10));
  put(GDT + 16, descriptor(0, 0xfffff, 0x93, 12));
  for (let vector = 0; vector < 0x30; vector++) put(IDT + (bits / 4) * vector, [...gate(8, labels.get(vector === 6 ? "skips" : "handler")!, 0x8e), ...(bits === 64 ? [0, 0] : [])]);
  Object.assign(cpu.gdtr, { base: GDT, limit: 0xff });
  Object.assign(cpu.idtr, { base: IDT, limit: 0xfff });
  cpu.state.setSelector(1, 8);
  cpu.state.setSelector(2, 0x10);
  cpu.state.setGpr32(4, STACK);
  cpu.state.rip = CODE;
  return made;
}

const TARGETS = ["nop", "int 0x20", "nop\nint 0x20", "int3", "ud2", "pushf\npop @di", "push 0x202\npopf", "mov esi, [0x5000]", "mov esi, [0x5000]\nint 0x21", "sti\nint 0x22", "cli", "cli\nsti\nnop", "cli\nsti\nint 0x22", "cli\npush 0x202\npopf", "jmp behind\nint 0x23"];

test.each([32, 64] as const)("in %i-bit code, whatever the next instruction is and wherever a run ends", (bits) => {
  let seen = 0;
  for (const source of TARGETS) {
    const target = source.replace("@", bits === 32 ? "e" : "r");
    for (const translate of [undefined, 0]) {
      for (let count = 8; count < 25; count++) {
        const [whole, stepped] = [machine(target, bits, translate), machine(target, bits)];
        whole.engine.run(count);
        for (let n = 0; n < 3 * count && stepped.engine.retired < whole.engine.retired; n++) stepped.engine.step();
        expect(whole.cpu.save(), `${target}, ${count} instructions`).toEqual(stepped.cpu.save());
        if ((whole.cpu.state.eflags & EFLAGS_RF) !== 0) seen++;
      }
    }
  }
  expect(seen).toBeGreaterThan(10);
});

test("an observer sees it", () => {
  const { cpu, engine } = machine("nop", 32);
  const flags: boolean[] = [];
  engine.observe({ block: () => flags.push((cpu.state.eflags & EFLAGS_RF) !== 0) });
  engine.run(12);
  expect(flags).toContain(true);
});
