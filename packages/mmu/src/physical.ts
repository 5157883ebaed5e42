/**
 * What the MMU needs from physical memory. The map from physical pages to machine frames belongs to `@doppel/memory`;
 * this is the consumer's side of it, so that page walks and TLB fills can be tested on a plain array.
 */

/** Where linear memory says what stands behind physical pages, for generated code. */
export interface PageImage {
  /** Of each page a dword: its machine frame, with {@link romBit} where it is ROM, or 0 where it is no memory. */
  readonly entries: number;
  /** Pages that have one. */
  readonly pages: number;
  readonly romBit: number;
  /** Of each machine frame a byte that is not 0 while stores to it are to be told of. */
  readonly observed: number;
}

/**
 * Physical memory as a page walk and a TLB fill see it. A physical page is a page number (address / 4096);
 * a physical address is an unsigned number below 2^52.
 *
 * No method throws: a read of nothing gives all ones, and a write to nothing or to ROM is dropped.
 */
export interface PhysicalMap {
  /** The map as generated code sees it; absent, it asks. */
  readonly image?: PageImage | undefined;
  /** Linear-memory byte address of the machine frame behind a page (it may exceed 2^31), or -1 when the page is not memory. */
  hostAddress(physicalPage: number): number;
  /** True when a store may go straight to the frame: not ROM, and no observer (code, dirty log) wants to hear of it. */
  writable(physicalPage: number): boolean;
  /** Machine frame number behind a page that is memory. */
  frameOf(physicalPage: number): number;
  read8(physical: number): number;
  read16(physical: number): number;
  read32(physical: number): number;
  write8(physical: number, value: number): void;
  write16(physical: number, value: number): void;
  write32(physical: number, value: number): void;
  /** Tells observers that bytes of one page are about to be written, by whoever asks. Linear-memory address of the first, or -1 where stores change nothing. */
  aboutToWrite(physical: number, length: number): number;
}

/** The part of {@link PhysicalMap} that a page walk uses. */
export type TableMemory = Pick<PhysicalMap, "read32" | "write32">;
