/**
 * The memory that a fuzzed program finds outside IA-32e mode: descriptor tables, tasks, page tables, fault handlers and stacks (SDM
 * volume 3, chapters 3 to 8).
 */
import type { Random } from "../host-vectors-random.ts";
import { handlerAddress, isFault, remedyOf } from "./fault-handlers.ts";
import { ImageBytes, type ImageSetup } from "./image-bytes.ts";
import {
  ABSENT, CODE0, CODE16_0, CODE_BYTES, DATA0, DATA16_0, DIRECTORY, GATE16, GATE32, GDT, HANDLER_CODE, HANDLERS, IDT, LEGACY_SEGMENTS, PAE_DIRECTORY,
  PAE_TABLE, SEGMENTS, SELECTORS, STACK16_0, TABLE, TASK_GATE, TSS, TSS2, TSS_STACK,
} from "./image-layout.ts";

/** A fresh image without a program. */
export class FuzzImage extends ImageBytes {
  constructor(random: Random, setup: ImageSetup) {
    super(random, setup, [...SEGMENTS, ...LEGACY_SEGMENTS]);
    const { paging, codeOffset } = setup;
    this.gate(GDT + (GATE32 & 0xfff8), CODE0, codeOffset + random.below(CODE_BYTES), 0xec, random.below(4));
    this.gate(GDT + (GATE16 & 0xfff8), CODE16_0, 0xf00 + random.below(CODE_BYTES), 0xe4, random.below(4));
    this.gate(GDT + (TASK_GATE & 0xfff8), TSS2, 0, 0xe5, 0);
    this.interrupts(random);
    this.tasks(random);
    if (paging === "PAE") this.paeTables(random);
    else if (paging !== "none") this.tables(random, paging === "PSE");
    this.stacks(random, 4, SELECTORS);
  }

  private interrupts(random: Random): void {
    for (let vector = 0; vector < 256; vector++) {
      const fault = isFault(vector);
      const trap = random.oneIn(2) ? 1 : 0;
      const level = vector >= 0x80 || (fault && random.oneIn(2)) ? 0x80 : 0xe0;
      if (vector === 8 || vector === 0x48) this.gate(IDT + 8 * vector, TSS2, 0, 0xe5, 0);
      else if (vector >= 0x40 && vector < 0x48) this.gate(IDT + 8 * vector, HANDLER_CODE, handlerAddress("return16") - HANDLERS, 0xe6 | trap, 0);
      else if (vector < 0xc0) this.gate(IDT + 8 * vector, CODE0, handlerAddress(remedyOf(vector)), level | 0x0e | trap, 0);
      const real = vector === 7 ? "real_restart" : fault ? "real_skip" : "real_return";
      this.word(4 * vector, (handlerAddress(real) - HANDLERS) | ((HANDLERS >> 4) << 16));
    }
  }

  private tasks(random: Random): void {
    for (const level of [0, 1, 2]) {
      this.word(TSS + 4 + 8 * level, TSS_STACK - 0x200 * level);
      this.word(TSS + 8 + 8 * level, level === 0 ? DATA0 : ABSENT);
    }
    this.permissions(random);
    const task = [0, 0, 0, 0, 0, 0, 0, DIRECTORY, handlerAddress("stop"), 2, 1, 2, 3, 4, 0x2a000, 6, 7, 8, DATA0, CODE0, DATA0, DATA0, 0, 0, 0, 0x68 << 16];
    for (const [n, value] of task.entries()) this.word(0x4000 + 4 * n, value);
    const task16 = [0, 0, 0, 0, 0, 0, 0, this.setup.codeOffset & 0xffff, 2, 1, 2, 3, 4, 0xe000, 6, 7, 8, DATA16_0, CODE16_0, STACK16_0, DATA16_0, 0];
    for (const [n, value] of task16.entries()) this.view.setUint16(0x5000 + 2 * n, value, true);
  }

  private tables(random: Random, large: boolean): void {
    this.word(DIRECTORY, TABLE | 7);
    if (large) this.word(DIRECTORY + 4, 0x87);
    else this.word(DIRECTORY + 4, TABLE | random.below(8));
    this.pages(random, TABLE, 4);
  }

  private paeTables(random: Random): void {
    for (let n = 0; n < 4; n++) this.word(DIRECTORY + 8 * n, n === 3 && random.oneIn(2) ? 0 : PAE_DIRECTORY | 1);
    this.word(PAE_DIRECTORY, PAE_TABLE | 7);
    this.word(PAE_DIRECTORY + 8, 0x87);
    this.pages(random, PAE_TABLE, 8);
  }
}
