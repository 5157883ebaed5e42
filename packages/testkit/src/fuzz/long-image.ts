/**
 * The memory that a fuzzed program finds in IA-32e mode (SDM volume 3, 4.5, 5.8.3.1, 6.14 and 7.7): sixteen-byte gates to 64-bit
 * handlers, some of them with stacks of their own, a 64-bit TSS, and four levels of tables that show all memory at three places.
 *
 *   PML4  0, 255, 256 and 511: PDPT              PDPT  0, 3, 510 and 511: directory, 1: a page of 1 GiB
 *   directory  0 and 511: table, 1: a page of 2 MiB    table  0 to 63: memory, 511: a page of data
 */
import type { Random } from "../host-vectors-random.ts";
import { handlerAddress, isFault, remedyOf } from "./fault-handlers.ts";
import { ImageBytes, type ImageSetup } from "./image-bytes.ts";
import {
  BASES, CODE, CODE_BYTES, CODE3, DATA, DIRECTORY, GATE_INNER, GATE_SAME, GDT, IDT, LONG_CODE0, LONG_CODE3, LONG_CONFORMING, LONG_LDT, LONG_SEGMENTS,
  LONG_SELECTORS, LONG_TSS, LOW, PAE_DIRECTORY, PAE_TABLE, SEGMENTS, TABLE, TSS, TSS_STACK,
} from "./image-layout.ts";

const TWO_32 = 0x1_0000_0000;
/** The last entry of a table. */
const LAST = 511;
/** The stack of double faults, which nothing else uses. */
const DOUBLE_FAULT_IST = 7;
const DISTANCE_OF_STACKS = 0x100;

/** A fresh image for IA-32e mode, without a program. */
export class LongImage extends ImageBytes {
  constructor(random: Random, setup: ImageSetup) {
    super(random, setup, [...SEGMENTS, ...LONG_SEGMENTS]);
    // Bases of system segments have 64 bits.
    for (const [selector, base, limit, access, flags] of LONG_SEGMENTS.filter(([at]) => at === LONG_TSS || at === LONG_LDT)) {
      const seen = random.pick(BASES) + base;
      this.descriptor(GDT + selector, seen, limit, access, flags);
      this.word(GDT + selector + 8, Math.floor(seen / TWO_32));
    }
    this.longGate(GDT + (GATE_INNER & 0xfff8), LONG_CODE0, random.pick(BASES) + CODE + random.below(CODE_BYTES), 0xec, 0);
    this.longGate(GDT + (GATE_SAME & 0xfff8), random.pick([LONG_CODE3, LONG_CONFORMING, CODE3]), random.pick(BASES) + CODE + random.below(CODE_BYTES), 0xec, 0);
    this.interrupts(random);
    this.task(random);
    this.tables(random);
    this.stacks(random, setup.codeOffset < 0 || random.oneIn(2) ? 8 : 4, LONG_SELECTORS);
  }

  private longGate(at: number, selector: number, offset: number, access: number, stack: number): void {
    this.gate(at, selector, offset, access, stack);
    this.word(at + 8, Math.floor(offset / TWO_32));
  }

  private interrupts(random: Random): void {
    const base = random.pick(BASES);
    for (let vector = 0; vector < 0xc0; vector++) {
      const level = vector >= 0x80 || (isFault(vector) && random.oneIn(2)) ? 0x80 : 0xe0;
      const stack = vector === 8 ? DOUBLE_FAULT_IST : random.oneIn(2) ? 0 : 1 + random.below(3);
      const handler = vector === 8 ? "long_stop" : `long_${remedyOf(vector)}`;
      this.longGate(IDT + 16 * vector, LONG_CODE0, base + handlerAddress(handler), level | 0x0e | random.below(2), stack);
    }
  }

  private task(random: Random): void {
    for (let level = 0; level < 3; level++) this.quad(TSS + 4 + 8 * level, random.pick(BASES) + TSS_STACK - DISTANCE_OF_STACKS * level);
    for (let stack = 1; stack < 8; stack++) this.quad(TSS + 0x24 + 8 * (stack - 1), random.pick(BASES) + TSS_STACK - DISTANCE_OF_STACKS * (stack + 2));
    this.permissions(random);
  }

  private tables(random: Random): void {
    for (const entry of [0, 255, 256, LAST]) this.quad(DIRECTORY + 8 * entry, TABLE | 7);
    const large = (at: number): void => {
      this.word(at, 0x80 | (this.setup.plain !== true && random.oneIn(3) ? random.below(8) : this.setup.guarded ? 3 : 7) | (random.oneIn(3) ? 0x100 : 0));
      if (this.setup.noExecute && random.oneIn(2)) this.word(at + 4, 0x80000000);
    };
    for (const entry of [0, 3, 510, LAST]) this.quad(TABLE + 8 * entry, PAE_DIRECTORY | 7);
    large(TABLE + 8);
    for (const entry of [0, LAST]) this.quad(PAE_DIRECTORY + 8 * entry, PAE_TABLE | 7);
    large(PAE_DIRECTORY + 8);
    this.pages(random, PAE_TABLE, 8);
    this.quad(PAE_TABLE + 8 * LAST, DATA | (this.setup.guarded ? 3 : 7));
    // In some programs level 3 sees memory at one place only.
    if (this.setup.plain !== true && this.setup.codeOffset >= LOW && random.oneIn(3)) for (const entry of [256, LAST]) this.word(DIRECTORY + 8 * entry, TABLE | 3);
  }
}
