/** Regions over several pages: what they were made from may be mapped elsewhere, twice, across a page's end, or written by a device. */
import { SystemHelpers } from "@doppel/cpu";
import { assemble } from "@doppel/x86";
import { expect, test } from "vitest";
import { machine, outcome } from "./machine.fixture.ts";

const DIRECTORY = 0x20000;
const TABLE = 0x21000;
const FRAMES = [0x50000, 0x51000] as const;
/** Where the program calls functions. */
const WINDOW = 0x40000;
const PTE = TABLE + (WINDOW >> 12) * 4;
const PRESENT = 7;

/** A machine with paging: what is below 1 MiB stands where it is, and `window` says which frames the pages from WINDOW on are. */
function paged(source: string, translate: boolean, window: readonly number[], frames: readonly string[]) {
  const made = machine(source, 32, translate);
  const { cpu, physical } = made;
  physical.write32(DIRECTORY, TABLE | PRESENT);
  for (let page = 0; page < 256; page++) physical.write32(TABLE + 4 * page, (page << 12) | PRESENT);
  for (const [n, frame] of window.entries()) physical.write32(PTE + 4 * n, frame | PRESENT);
  for (const [n, code] of frames.entries()) physical.load(FRAMES[n]!, assemble(code, { bits: 32, origin: WINDOW }));
  const helpers = new SystemHelpers(cpu);
  helpers.writeControl(3, DIRECTORY, 0);
  helpers.writeControl(0, 0x8000_0011, 0);
  return made;
}

/** Runs with and without the translator, in slices, and expects the same all along. */
function agree(source: string, window: readonly number[], frames: readonly string[]): ReturnType<typeof paged> {
  const [plain, translated] = [paged(source, false, window, frames), paged(source, true, window, frames)];
  for (let n = 0; n < 200 && plain.cpu.activity === 0; n++) {
    plain.engine.run(1009);
    translated.engine.run(1009);
    expect(outcome(translated)).toEqual(outcome(plain));
  }
  expect([plain.cpu.activity, translated.translator!.counters.regions > 0]).toEqual([1, true]);
  return translated;
}

const caller = (remap: string): string =>
  `mov ecx, 2000\nl: call ${WINDOW}\nadd eax, ebx\nrol eax, 1\ntest ecx, 15\njnz s\n${remap}\ns: dec ecx\njnz l\nhlt`;
const exchange = `mov edx, [${PTE}]\nxor edx, 0x1000\nmov [${PTE}], edx\ninvlpg [${WINDOW}]`;

test("a function whose page is mapped to another frame", () => {
  agree(caller(exchange), [FRAMES[0]], ["mov ebx, 1\nret", "mov ebx, 100\nret"]);
});

test("one frame at two addresses", () => {
  agree(`mov ecx, 2000\nl: call ${WINDOW}\nadd eax, ebx\ncall ${WINDOW + 0x1000}\nxor eax, ebx\ndec ecx\njnz l\nhlt`, [FRAMES[0], FRAMES[0]], ["call n\nn: pop ebx\nret"]);
});

test("code across a page's end, whose second half is mapped elsewhere", () => {
  const nops = "nop\n".repeat(4094);
  const source = caller(`mov edx, [${PTE + 4}]\nxor edx, 0x1000\nmov [${PTE + 4}], edx\ninvlpg [${WINDOW + 0x1000}]`).replace(`call ${WINDOW}`, `call ${WINDOW + 4093}`);
  const made = [false, true].map((translate) => {
    const one = paged(source, translate, [0x52000, FRAMES[0]], []);
    // MOV EBX, imm32 begins three bytes before the end.
    one.physical.load(0x52000, assemble(`${nops}nop`, { bits: 32 }));
    one.physical.load(0x52000 + 4093, Uint8Array.of(0xbb, 0x11, 0x22));
    one.physical.load(FRAMES[0], Uint8Array.of(0x33, 0x44, 0xc3));
    one.physical.load(FRAMES[1], Uint8Array.of(0x55, 0x66, 0xc3));
    return one;
  }) as [ReturnType<typeof paged>, ReturnType<typeof paged>];
  for (let n = 0; n < 40; n++) {
    for (const one of made) one.engine.run(1009);
    expect(outcome(made[1])).toEqual(outcome(made[0]));
  }
  expect(made[1].cpu.activity).toBe(1);
});

test("a device writes the function that a region took from another page", () => {
  const made = [false, true].map((translate) => paged(`l: call ${WINDOW}\nadd eax, ebx\njmp l`, translate, [FRAMES[0]], ["mov ebx, 1\nret"])) as [
    ReturnType<typeof paged>, ReturnType<typeof paged>,
  ];
  for (const value of [1, 2, 3, 4]) {
    for (const one of made) {
      one.physical.writeBytes(FRAMES[0], assemble(`mov ebx, ${value}\nret`, { bits: 32 }));
      one.engine.run(5000);
    }
    expect(outcome(made[1])).toEqual(outcome(made[0]));
  }
  expect([made[0].cpu.state.gpr32(0), made[1].translator!.counters.dropped > 0]).toEqual([10_000, true]);
});

test("a page that goes away: the fault is the interpreter's", () => {
  const gone = `and dword [${PTE}], 0xfffffffe\ninvlpg [${WINDOW}]`;
  const made = [false, true].map((translate) => paged(caller(gone), translate, [FRAMES[0]], ["mov ebx, 1\nret"])) as [ReturnType<typeof paged>, ReturnType<typeof paged>];
  for (const { engine } of made) engine.run(5000);
  expect(made.map(({ engine }) => engine.counters.exceptions[14])).toEqual([1, 1]);
  expect(outcome(made[1])).toEqual(outcome(made[0]));
});
