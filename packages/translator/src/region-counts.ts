/**
 * How often what happens in which region, for `explain`: counters of 64 bits in linear memory, which regions that were made with them add to.
 * Without them no region has code for it. A region that is dropped gives its counters back.
 */
import type { Region } from "./region.ts";

const COUNTER = 8;

/** One thing that happens in a region. */
export interface RegionCounter {
  /** As the region's code calls it: "entered", "retired", "block", "edge", "jump RET"... */
  readonly what: string;
  /** Where in the region, from the beginning of the entry's page; undefined for the region as a whole. */
  readonly at: number | undefined;
  readonly count: number;
}

/** A region that is there, with what is known of it. */
export interface CountedRegion {
  readonly region: Region;
  /** Linear address of its entry when it was made. */
  readonly linear: number;
  readonly counters: readonly RegionCounter[];
}

interface Slot {
  readonly what: string;
  readonly at: number | undefined;
  readonly address: number;
}

/** The counters of one translator. */
export class RegionCounts {
  private readonly view: DataView;
  private next: number;
  private readonly end: number;
  private readonly free: number[] = [];
  private readonly slots = new Map<Region, Map<string, Slot>>();
  private readonly made = new Map<number, { region: Region; linear: number }>();
  /** What finds no room is counted together, here, and shown nowhere. */
  private readonly spare: number;

  /** @param memory that regions run in @param base where `size` bytes of it are for counters */
  constructor(memory: WebAssembly.Memory, base: number, size: number) {
    this.view = new DataView(memory.buffer);
    this.spare = base;
    this.next = base + COUNTER;
    this.end = base + size;
  }

  /** Address of the counter of something that happens in a region. */
  readonly tally = (what: string, region: Region, at?: number): number => {
    let slots = this.slots.get(region);
    if (slots === undefined) this.slots.set(region, (slots = new Map()));
    const key = `${what} ${at}`;
    let slot = slots.get(key);
    if (slot === undefined) {
      const address = this.free.pop() ?? this.next;
      if (address + COUNTER > this.end) return this.spare;
      if (address === this.next) this.next += COUNTER;
      this.view.setBigInt64(address, 0n, true);
      slots.set(key, (slot = { what, at, address }));
    }
    return slot.address;
  };

  /** A region is in use from now on, under this number. */
  install(id: number, region: Region, linear: number): void {
    this.made.set(id, { region, linear });
  }

  /** The region with this number is gone. */
  drop(id: number): void {
    const one = this.made.get(id);
    if (one === undefined) return;
    this.made.delete(id);
    for (const { address } of this.slots.get(one.region)?.values() ?? []) this.free.push(address);
    this.slots.delete(one.region);
  }

  /** Begins to count anew. */
  clear(): void {
    for (const slots of this.slots.values()) for (const { address } of slots.values()) this.view.setBigInt64(address, 0n, true);
  }

  /** The regions that are there, those first in which most instructions retired. */
  all(): CountedRegion[] {
    const retired = ({ counters }: CountedRegion): number => counters.find(({ what }) => what === "retired")?.count ?? 0;
    return [...this.made.values()].map(({ region, linear }) => ({ region, linear, counters: this.of(region) })).sort((a, b) => retired(b) - retired(a));
  }

  private of(region: Region): RegionCounter[] {
    return [...(this.slots.get(region)?.values() ?? [])].map(({ what, at, address }) => ({ what, at, count: Number(this.view.getBigInt64(address, true)) }));
  }
}
