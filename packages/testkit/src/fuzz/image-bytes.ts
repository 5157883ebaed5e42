/** Memory that an image is written into: descriptors and gates, and what every fuzzed program finds whatever its mode. */
import type { Random } from "../host-vectors-random.ts";
import { HANDLER_BYTES } from "./fault-handlers.ts";
import {
  CODE, CODE_BYTES, DATA, DATA_END, HANDLERS, LDT_DATA, LDT, GDT, NEXT, NEXT_ENTRIES, ODD_CODE0, ODD_CODE3, RAM, type SegmentLine, STACK0, STACK3, TABLE,
  TABLES_END, TSS, TSS_STACK,
} from "./image-layout.ts";

const TWO_32 = 0x1_0000_0000;
/** The page that the program ends in. */
const CODE_END = (CODE + CODE_BYTES) >> 12;
/** The page of the stacks that faults are handled on. */
const HANDLER_STACK = (TSS_STACK >> 12) - 1;

/** How a program's paging is set up. */
export type Paging = "none" | "two-level" | "PSE" | "PAE" | "4-level";

/** What an image depends on besides chance. */
export interface ImageSetup {
  /** Layout of the tables at `DIRECTORY`. */
  readonly paging: Paging;
  /** Whether some pages may not be executed. */
  readonly noExecute: boolean;
  /** Whether nearly all pages are the supervisor's, so that SMEP and SMAP leave something to do at level 0. */
  readonly guarded: boolean;
  /** Offset of the program in its code segment. */
  readonly codeOffset: number;
  /** Whether every page is there, at its place, and the program's to write. */
  readonly plain?: boolean;
}

/** Whether a page is the supervisor's: tables, handlers and the stacks that handlers use. */
const isInner = (page: number): boolean => page < TABLES_END >> 12 || page >= HANDLERS >> 12 || page === HANDLER_STACK;

/** 256 KiB of RAM. */
export class ImageBytes {
  readonly bytes = new Uint8Array(RAM);
  protected readonly view = new DataView(this.bytes.buffer);
  protected readonly setup: ImageSetup;

  /** Writes what is the same in every mode; the segments' descriptors among it. */
  constructor(random: Random, setup: ImageSetup, segments: readonly SegmentLine[]) {
    this.setup = setup;
    this.bytes.set(HANDLER_BYTES, HANDLERS);
    for (const [selector, base, limit, access, flags] of segments) this.descriptor(GDT + (selector & 0xfff8), base, limit, access, flags);
    // In some programs code ends amid an instruction.
    for (const [selector, access] of [[ODD_CODE0, 0x9a], [ODD_CODE3, 0xfa]] as const) {
      if (random.oneIn(3)) this.descriptor(GDT + (selector & 0xfff8), 0xff03, (setup.codeOffset & 0xffff) + random.below(CODE_BYTES), access, 4);
    }
    this.descriptor(LDT + (LDT_DATA & 0xfff8), DATA, 0xfff, 0xf2, 4);
  }

  protected word(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  /** Writes a signed number as eight bytes. */
  protected quad(at: number, value: number): void {
    this.word(at, value);
    this.word(at + 4, Math.floor(value / TWO_32));
  }

  protected descriptor(at: number, base: number, limit: number, access: number, flags: number): void {
    this.word(at, (limit & 0xffff) | (base << 16));
    this.word(at + 4, ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000));
  }

  protected gate(at: number, selector: number, offset: number, access: number, parameters: number): void {
    this.word(at, (offset & 0xffff) | (selector << 16));
    this.word(at + 4, (offset & 0xffff0000) | (access << 8) | parameters);
  }

  /** I/O bitmap, and below it the redirection map of VME; a bit set keeps what it stands for from the program. */
  protected permissions(random: Random): void {
    this.word(TSS + 0x64, 0x88 << 16);
    for (let at = 0x68; at < 0xfff; at += 4) this.word(TSS + at, random.oneIn(3) ? random.next() : at < 0x88 ? 0 : random.next() & random.next());
  }

  /** Rights of a page: tables, handlers and the stacks that handlers use are the supervisor's, some data pages are odd. */
  private page(random: Random, page: number): { frame: number; rights: number } {
    const data = page >= DATA >> 12 && page < DATA_END >> 12;
    if (this.setup.plain === true) return { frame: page, rights: isInner(page) ? 3 : 7 };
    if (data && random.oneIn(6)) return { frame: random.pick([page, DATA >> 12, CODE >> 12, TABLE >> 12, page + 0x40000]), rights: random.below(8) };
    if (page === CODE_END && random.oneIn(12)) return { frame: random.pick([page, DATA >> 12]), rights: random.below(8) };
    return { frame: page, rights: isInner(page) || (this.setup.guarded && !(data && random.oneIn(4))) ? 3 : 7 };
  }

  /** Writes the entries of a table for all of RAM, four or eight bytes each. */
  protected pages(random: Random, table: number, entry: 4 | 8): void {
    for (let page = 0; page < RAM >> 12; page++) {
      const { frame, rights } = this.page(random, page);
      this.word(table + entry * page, (frame << 12) | rights | (random.oneIn(8) ? 0x100 : 0));
      const plain = page >= DATA >> 12 && page < HANDLERS >> 12 && page !== HANDLER_STACK;
      const never = plain ? random.oneIn(3) : page === CODE_END && this.setup.plain !== true && random.oneIn(12);
      if (entry === 8 && this.setup.noExecute && never) this.word(table + 8 * page + 4, 0x80000000);
    }
  }

  /** Fills stacks with what returns and pops might want, `size` bytes each, and data with a little of everything. */
  protected stacks(random: Random, size: 4 | 8, selectors: readonly number[]): void {
    for (const top of [STACK0, STACK3]) {
      for (let at = top - 0x100; at < top + 0x100; at += size) {
        const value = random.pick([this.setup.codeOffset + random.below(CODE_BYTES), random.pick(selectors), 0x202, 0x3202, DATA + random.below(0x1000)]);
        if (size === 8) this.quad(at, value);
        else this.word(at, value);
      }
    }
    for (let at = DATA; at < DATA_END; at += 4) this.word(at, random.oneIn(4) ? random.next() : random.oneIn(8) ? random.pick(selectors) : 0);
  }

  /** Puts the program in, and what follows each of its instructions into NEXT. */
  program(code: Uint8Array, starts: readonly number[]): void {
    const { codeOffset, paging } = this.setup;
    this.bytes.set(code, CODE);
    for (const [n, start] of starts.entries()) {
      const next = starts[n + 1] ?? starts[0]!;
      const entry = (codeOffset + start) & (NEXT_ENTRIES - 1);
      if (paging === "4-level") this.quad(NEXT + 8 * entry, codeOffset + next);
      else this.word(NEXT + 4 * entry, codeOffset + next);
    }
  }
}
