/**
 * The memory that every fuzzed program finds: descriptor tables, tasks, page tables, fault handlers and stacks (SDM volume 3,
 * chapters 3 to 8). A handler skips the instruction that faulted, by a table of what follows it, or restarts it (#NM).
 *
 *   0x0000 IVT   0x1000 GDT  0x1800 LDT  0x2000 IDT  0x3000 TSS  0x4000 TSS of double faults  0x5000 16-bit TSS
 *   0x8000 page directory or PDPT  0x9000 page table  0xa000 PAE directory  0xb000 PAE table  0x10f00 the program
 *   0x14000 to 0x1d000 data  0x1e000, 0x2e000 stacks of level 0 and 3  0x2c000 stack of the TSS  0x30000 handlers  0x31000 NEXT
 */
import { assembleProgram } from "@doppel/x86";
import type { Random } from "../host-vectors-random.ts";

export const RAM = 0x40000;
export const GDT = 0x1000;
export const GDT_LIMIT = 0x1ff;
export const LDT = 0x1800;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const TSS_LIMIT = 0xfff;
export const DIRECTORY = 0x8000;
const TABLE = 0x9000;
const PAE_DIRECTORY = 0xa000;
const PAE_TABLE = 0xb000;
/** The program lies in two pages. */
export const CODE = 0x10f00;
export const CODE_BYTES = 0x800;
export const DATA = 0x14000;
export const STACK0 = 0x1ef00;
export const STACK3 = 0x2ef00;
export const HANDLERS = 0x30000;
const NEXT = 0x31000;

/** Selectors of the GDT. */
export const CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TSS1 = 0x28, TSS2 = 0x30, TSS3 = 0x38, TABLE_SELECTOR = 0x40;
export const CODE16_0 = 0x48, DATA16_0 = 0x50, CODE16_3 = 0x5b, DATA16_3 = 0x63, SMALL0 = 0x68, SMALL3 = 0x73, DOWN0 = 0x78, DOWN3 = 0x83;
export const DOWN16 = 0x88, CONFORMING = 0x90, EXECUTE_ONLY = 0x98, READ_ONLY = 0xa0, ABSENT = 0xa8, GATE32 = 0xb3, GATE16 = 0xbb;
export const TASK_GATE = 0xc3, STACK16_3 = 0xcb, STACK16_0 = 0xd0, ODD_CODE3 = 0xdb, ODD_CODE0 = 0xe0, HANDLER_CODE = 0xe8, LDT_DATA = 0x0f;

/** [selector, base, limit as the descriptor has it, access byte, flags]. Flags: 8 G, 4 D/B. */
const SEGMENTS: readonly (readonly [number, number, number, number, number])[] = [
  [CODE0, 0, 0xfffff, 0x9a, 0xc], [DATA0, 0, 0xfffff, 0x92, 0xc], [CODE3, 0, 0xfffff, 0xfa, 0xc], [DATA3, 0, 0xfffff, 0xf2, 0xc],
  [TSS1, TSS, TSS_LIMIT, 0x8b, 0], [TSS2, 0x4000, 0x67, 0x89, 0], [TSS3, 0x5000, 0x2b, 0x81, 0], [TABLE_SELECTOR, LDT, 0xff, 0x82, 0],
  [CODE16_0, 0x10000, 0xffff, 0x9a, 0], [DATA16_0, DATA, 0xffff, 0x92, 0], [CODE16_3, 0x10000, 0xffff, 0xfa, 0], [DATA16_3, DATA, 0xffff, 0xf2, 0],
  [SMALL0, DATA + 3, 0xffd, 0x92, 4], [SMALL3, DATA + 3, 0xffd, 0xf2, 4], [DOWN0, 0x10000, 0x4fff, 0x96, 4], [DOWN3, 0x10000, 0x4fff, 0xf6, 4],
  [DOWN16, 0x10000, 0x4fff, 0x96, 0], [CONFORMING, 0, 0xfffff, 0x9e, 0xc], [EXECUTE_ONLY, 0, 0xfffff, 0x98, 0xc], [READ_ONLY, 0, 0xfffff, 0xf0, 0xc],
  [ABSENT, 0, 0xfffff, 0x72, 0xc], [STACK16_3, 0x20000, 0xffff, 0xf2, 0], [STACK16_0, 0x10000, 0xffff, 0x92, 0],
  [HANDLER_CODE, HANDLERS, 0xfff, 0x9a, 4], [ODD_CODE3, 0xff03, 0x2fff, 0xfa, 4], [ODD_CODE0, 0xff03, 0x2fff, 0x9a, 4],
];

/** Selectors for programs in protected mode, some of them of no use. */
export const SELECTORS = [...SEGMENTS.map(([selector]) => selector), GATE32, GATE16, TASK_GATE, LDT_DATA, 0, 3, 0x1f8, 0x200];

const HANDLER_SOURCE = `
bits 32
skip_code:
  lea esp, [esp + 4]
skip:
  push eax
  mov eax, [esp + 4]
  and eax, 0xfff
  mov eax, [cs:eax * 4 + ${NEXT}]
  test eax, eax
  jz stop
  mov [esp + 4], eax
  pop eax
  iretd
restart:
  clts
  iretd
return32:
  iretd
return16:
  iretw
return_code:
  add esp, 4
  iretd
stop:
  hlt
  jmp stop
bits 16
real_skip:
  push bx
  push bp
  mov bp, sp
  mov bx, [bp + 4]
  and bx, 0xfff
  shl bx, 2
  mov bx, [cs:bx + ${NEXT - HANDLERS}]
  test bx, bx
  jz real_stop
  mov [bp + 4], bx
  pop bp
  pop bx
  iret
real_restart:
  clts
real_return:
  iret
real_stop:
  hlt
  jmp real_stop
`;
const handlers = assembleProgram(HANDLER_SOURCE, { origin: HANDLERS, bits: 32 });

function label(name: string): number {
  const at = handlers.labels.get(name);
  if (at === undefined) throw new Error(`the handlers have no label "${name}"`);
  return Number(at);
}

const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const FAULTS = new Set([0, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19]);

/** How a program's paging is set up. */
export type Paging = "none" | "two-level" | "PSE" | "PAE";

/** A fresh image: 256 KiB of RAM without a program. */
export class FuzzImage {
  readonly bytes = new Uint8Array(RAM);
  private readonly view = new DataView(this.bytes.buffer);

  /**
   * @param paging layout of the tables at `DIRECTORY`
   * @param noExecute whether some pages may not be executed
   * @param codeOffset offset of the program in its code segment
   */
  constructor(random: Random, paging: Paging, noExecute: boolean, codeOffset: number) {
    this.bytes.set(handlers.bytes, HANDLERS);
    for (const [selector, base, limit, access, flags] of SEGMENTS) this.descriptor(GDT + (selector & 0xfff8), base, limit, access, flags);
    // In some programs code ends amid an instruction.
    for (const [selector, access] of [[ODD_CODE0, 0x9a], [ODD_CODE3, 0xfa]] as const) {
      if (random.oneIn(3)) this.descriptor(GDT + (selector & 0xfff8), 0xff03, codeOffset + random.below(CODE_BYTES), access, 4);
    }
    this.descriptor(LDT + (LDT_DATA & 0xfff8), DATA, 0xfff, 0xf2, 4);
    this.gate(GDT + (GATE32 & 0xfff8), CODE0, codeOffset + random.below(CODE_BYTES), 0xec, random.below(4));
    this.gate(GDT + (GATE16 & 0xfff8), CODE16_0, 0xf00 + random.below(CODE_BYTES), 0xe4, random.below(4));
    this.gate(GDT + (TASK_GATE & 0xfff8), TSS2, 0, 0xe5, 0);
    this.interrupts(random);
    this.tasks(random, codeOffset);
    if (paging === "PAE") this.paeTables(random, noExecute);
    else if (paging !== "none") this.tables(random, paging === "PSE");
    this.stacks(random, codeOffset);
  }

  private word(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  private descriptor(at: number, base: number, limit: number, access: number, flags: number): void {
    this.word(at, (limit & 0xffff) | (base << 16));
    this.word(at + 4, ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000));
  }

  private gate(at: number, selector: number, offset: number, access: number, parameters: number): void {
    this.word(at, (offset & 0xffff) | (selector << 16));
    this.word(at + 4, (offset & 0xffff0000) | (access << 8) | parameters);
  }

  private interrupts(random: Random): void {
    for (let vector = 0; vector < 256; vector++) {
      const code = WITH_CODE.has(vector);
      const fault = FAULTS.has(vector);
      const handler = vector === 7 ? "restart" : fault ? (code ? "skip_code" : "skip") : code ? "return_code" : "return32";
      const trap = random.oneIn(2) ? 1 : 0;
      const level = vector >= 0x80 || (fault && random.oneIn(2)) ? 0x80 : 0xe0;
      if (vector === 8 || vector === 0x48) this.gate(IDT + 8 * vector, TSS2, 0, 0xe5, 0);
      else if (vector >= 0x40 && vector < 0x48) this.gate(IDT + 8 * vector, HANDLER_CODE, label("return16") - HANDLERS, 0xe6 | trap, 0);
      else if (vector < 0xc0) this.gate(IDT + 8 * vector, CODE0, label(handler), level | 0x0e | trap, 0);
      const real = vector === 7 ? "real_restart" : fault ? "real_skip" : "real_return";
      this.word(4 * vector, (label(real) - HANDLERS) | ((HANDLERS >> 4) << 16));
    }
  }

  private tasks(random: Random, codeOffset: number): void {
    for (const level of [0, 1, 2]) {
      this.word(TSS + 4 + 8 * level, 0x2c000 - 0x200 * level);
      this.word(TSS + 8 + 8 * level, level === 0 ? DATA0 : ABSENT);
    }
    this.word(TSS + 0x64, 0x88 << 16);
    // Redirection map of VME below the I/O bitmap; a bit set keeps what it stands for from the program.
    for (let at = 0x68; at < 0xfff; at += 4) this.word(TSS + at, random.oneIn(3) ? random.next() : at < 0x88 ? 0 : random.next() & random.next());
    const task = [0, 0, 0, 0, 0, 0, 0, DIRECTORY, label("stop"), 2, 1, 2, 3, 4, 0x2a000, 6, 7, 8, DATA0, CODE0, DATA0, DATA0, 0, 0, 0, 0x68 << 16];
    for (const [n, value] of task.entries()) this.word(0x4000 + 4 * n, value);
    const task16 = [0, 0, 0, 0, 0, 0, 0, codeOffset & 0xffff, 2, 1, 2, 3, 4, 0xe000, 6, 7, 8, DATA16_0, CODE16_0, STACK16_0, DATA16_0, 0];
    for (const [n, value] of task16.entries()) this.view.setUint16(0x5000 + 2 * n, value, true);
  }

  /** Rights of a page: tables and handlers are the supervisor's, some data pages are odd. */
  private page(random: Random, page: number): { frame: number; rights: number } {
    const data = page >= DATA >> 12 && page < 0x1d;
    if (data && random.oneIn(6)) return { frame: random.pick([page, DATA >> 12, CODE >> 12, TABLE >> 12, page + 0x40000]), rights: random.below(8) };
    if (page === 0x11 && random.oneIn(12)) return { frame: random.pick([0x11, 0x14]), rights: random.below(8) };
    return { frame: page, rights: page < 0xc || page >= 0x30 ? 3 : 7 };
  }

  private tables(random: Random, large: boolean): void {
    this.word(DIRECTORY, TABLE | 7);
    if (large) this.word(DIRECTORY + 4, 0x87);
    else this.word(DIRECTORY + 4, TABLE | random.below(8));
    for (let page = 0; page < 64; page++) {
      const { frame, rights } = this.page(random, page);
      this.word(TABLE + 4 * page, (frame << 12) | rights | (random.oneIn(8) ? 0x100 : 0));
    }
  }

  private paeTables(random: Random, noExecute: boolean): void {
    for (let n = 0; n < 4; n++) this.word(DIRECTORY + 8 * n, n === 3 && random.oneIn(2) ? 0 : PAE_DIRECTORY | 1);
    this.word(PAE_DIRECTORY, PAE_TABLE | 7);
    this.word(PAE_DIRECTORY + 8, 0x87);
    for (let page = 0; page < 64; page++) {
      const { frame, rights } = this.page(random, page);
      this.word(PAE_TABLE + 8 * page, (frame << 12) | rights | (random.oneIn(8) ? 0x100 : 0));
      if (noExecute && (page >= DATA >> 12) && page < 0x30 && random.oneIn(3)) this.word(PAE_TABLE + 8 * page + 4, 0x80000000);
    }
  }

  /** Stacks full of what returns and pops might want. */
  private stacks(random: Random, codeOffset: number): void {
    for (const top of [STACK0, STACK3]) {
      for (let at = top - 0x100; at < top + 0x100; at += 4) {
        const value = random.pick([codeOffset + random.below(CODE_BYTES), random.pick(SELECTORS), 0x202, 0x3202, DATA + random.below(0x1000)]);
        this.word(at, value);
      }
    }
    for (let at = DATA; at < 0x1d000; at += 4) this.word(at, random.oneIn(4) ? random.next() : random.oneIn(8) ? random.pick(SELECTORS) : 0);
  }

  /** Puts the program in, and what follows each of its instructions into NEXT. */
  program(code: Uint8Array, starts: readonly number[], codeOffset: number): void {
    this.bytes.set(code, CODE);
    for (const [n, start] of starts.entries()) {
      const next = starts[n + 1] ?? starts[0]!;
      this.word(NEXT + 4 * ((codeOffset + start) & 0xfff), codeOffset + next);
    }
  }
}
