/**
 * Machine frames: 4 KiB pieces of the arena with an owner, a reference count and write observers. A page of a guest is
 * content in a frame; which frame holds it is this allocator's business, never the guest's.
 *
 *   references[frame]  u16, 0 = free
 *   observed[frame]    u8 bit set, one bit per observer (decoded code, dirty log, ...)
 */
import { type Arena, MemoryError } from "./arena.ts";
import { PAGE_SHIFT, PAGE_SIZE, type Frame, type MachineAddress } from "./address.ts";

/** Hears of writes into frames that it watches, before the bytes change. */
export interface WriteObserver {
  /** Bytes `offset` to `offset + length` of `frame` are about to be written. */
  written(frame: Frame, offset: number, length: number): void;
}

/** Allocates the arena's frames and knows who watches them. */
export class Frames {
  readonly arena: Arena;
  /** Bit i set: observer i watches this frame. It stands in the arena, where generated code sees it. */
  readonly observed: Uint8Array;
  private readonly references: Uint16Array;
  private readonly observers: WriteObserver[] = [];
  private readonly first: Frame;
  private cursor: Frame;
  private freeList: Frame[] = [];
  private used = 0;

  /** Takes `count` frames of the arena, after everything reserved so far. */
  constructor(arena: Arena, count: number) {
    this.arena = arena;
    const all = arena.size / PAGE_SIZE;
    this.observed = arena.u8.subarray(arena.reserve(all)).subarray(0, all);
    this.first = arena.reserve(count * PAGE_SIZE) / PAGE_SIZE;
    this.cursor = this.first;
    this.references = new Uint16Array(this.first + count);
  }

  /** Frames in use. */
  get inUse(): number {
    return this.used;
  }

  /** A frame with one reference, its bytes zero. @throws {MemoryError} `MEMORY_FRAMES` when none is free. */
  allocate(): Frame {
    let frame = this.freeList.pop();
    if (frame === undefined) {
      if (this.cursor >= this.references.length) throw new MemoryError("MEMORY_FRAMES", "every machine frame is in use; give the host more memory");
      frame = this.cursor++;
    } else this.arena.u8.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
    this.references[frame] = 1;
    this.used++;
    return frame;
  }

  /** One more owner. */
  retain(frame: Frame): void {
    this.references[frame]!++;
  }

  /** One owner less; the last one frees the frame. */
  release(frame: Frame): void {
    if (--this.references[frame]! > 0) return;
    if (this.observed[frame] !== 0) this.notify(frame, 0, PAGE_SIZE);
    this.observed[frame] = 0;
    this.freeList.push(frame);
    this.used--;
  }

  /** Adds an observer and returns its bit. At most eight. */
  addObserver(observer: WriteObserver): number {
    if (this.observers.length === 8) throw new MemoryError("MEMORY_OBSERVERS", "a host has room for eight kinds of write observer");
    return 1 << (this.observers.push(observer) - 1);
  }

  /** Starts watching a frame. The caller takes the frame's write permission out of every TLB. */
  watch(frame: Frame, bit: number): void {
    this.observed[frame]! |= bit;
  }

  /** Stops watching a frame. */
  unwatch(frame: Frame, bit: number): void {
    this.observed[frame]! &= ~bit;
  }

  /** Tells the frame's observers of a write that is about to happen. */
  notify(frame: Frame, offset: number, length: number): void {
    const bits = this.observed[frame]!;
    for (let i = 0; bits >> i !== 0; i++) if ((bits >> i) & 1) this.observers[i]!.written(frame, offset, length);
  }

  /** Machine address of a frame. */
  address(frame: Frame): MachineAddress {
    return frame * 2 ** PAGE_SHIFT;
  }
}
