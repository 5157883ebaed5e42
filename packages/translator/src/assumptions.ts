/**
 * What regions assume, and how often it was not so: that the TLB view in use is the one that they were formed with, and that the bytes of a window
 * lie on one page. A region that misses it too often is made anew without.
 */
import type { Cpu } from "@doppel/cpu";
import type { Region } from "./region.ts";
import { hostAt } from "./region-places.ts";
import type { WindowRule } from "./windows.ts";

/** Times that another TLB view is in use before a region is made anew. */
const MOST_VIEWS = 64;
/** Times that windows are missed (a page ends in one, or may not be written), for each instruction of the region: what missing them and making it anew cost is alike then. */
const MOST_WINDOWS = 32;
/** Those windows go then that were missed so often; of those on the stack all, as where a page ends in its frames many are missed by and by. */
const OFTEN = 16;
/** What lies so many bytes from the stack pointer is on the stack. */
const NEAR_STACK = 16_384;
/** Places that are remembered. */
const MOST_PLACES = 20_000;
const RSP = 4;

/** What one region assumes. */
export interface Assumed {
  /** It accesses memory with the TLB view that it was formed with, as windows do; without, it has none. */
  readonly view: boolean;
  /** It has windows on the stack. */
  readonly frames: boolean;
}

/** How often what one region assumes was not so. */
export class Missed {
  views = 0;
  frames = 0;
  /** Other windows, by the host address of the instruction that they open in front of. */
  readonly windows = new Map<number, number>();
}

/** A region that assumes something. */
export interface Assuming {
  readonly pages: Region["pages"];
  readonly instructions: number;
  readonly assumes: Assumed;
  readonly missed: Missed;
}

/** What a region may assume that takes the place of others, or of none. */
export function assumedBehind(regions: readonly Assuming[]): Assumed {
  return {
    view: regions.every(({ assumes, missed }) => assumes.view && missed.views < MOST_VIEWS),
    frames: regions.every(({ assumes, missed, instructions }) => assumes.frames && missed.frames < instructions),
  };
}

/** Takes note of what regions of one processor miss. */
export class Assumptions {
  private readonly cpu: Cpu;
  /** Host addresses of instructions in front of which no window is to open any more. */
  private readonly windowless = new Set<number>();

  constructor(cpu: Cpu) {
    this.cpu = cpu;
  }

  /** Which windows a region may have. */
  windowRule(region: Region, { frames }: Assumed): WindowRule {
    const without = new Set<number>();
    if (this.windowless.size > 0) for (const { instructions } of region.blocks.values()) for (const { at } of instructions) if (this.windowless.has(hostAt(region, at))) without.add(at);
    return { frames, without };
  }

  /** Takes note of another TLB view than assumed; whether the region is to be made anew. */
  missedView({ missed }: Assuming): boolean {
    return ++missed.views >= MOST_VIEWS;
  }

  /**
   * Takes note of a window that was missed.
   * @param low and `high`, the halves of its linear address @param at the place that it opens in front of
   * @returns whether the region is to be made anew
   */
  missedWindow({ missed, instructions, pages }: Assuming, low: number, high: number, at: number): boolean {
    const { state, longMode } = this.cpu;
    const address = (upper: number, lower: number): number => (longMode ? upper * 2 ** 32 : 0) + (lower >>> 0);
    const linear = address(high, low);
    if (Math.abs(linear - address(state.gprHigh(RSP), state.gpr32(RSP))) < NEAR_STACK) missed.frames++;
    else {
      const place = hostAt({ pages }, at);
      missed.windows.set(place, (missed.windows.get(place) ?? 0) + 1);
    }
    let total = missed.frames;
    for (const times of missed.windows.values()) total += times;
    if (total < MOST_WINDOWS * instructions) return false;
    if (this.windowless.size >= MOST_PLACES) this.windowless.clear();
    for (const [place, times] of missed.windows) if (times >= OFTEN) this.windowless.add(place);
    return true;
  }
}
