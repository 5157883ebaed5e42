/**
 * The software TLB, in linear memory so that generated code reads it inline. One view per kind of access privilege; a view
 * has 16384 entries, chosen by bits 12-25 of the linear address: they reach 64 MiB, and a kernel's code, its modules and a program's
 * pages seldom share one. Reads, writes and execution have a table each, so that a page that is only read takes 16 bytes of the host's cache. Memory of
 * zeros holds nothing, so that what is never used costs nothing:
 *
 *   +0  i64 tag    +8 i32 host
 *
 * An exec tag is the linear address of the page, or of a page that belongs into another entry (never valid here); read and write tags are that address
 * negated. Their check is `off = address + tag; off <u 4097 - size`, and the bytes stand at `host + off`: a page crossing fails the same comparison. It adds
 * because V8 takes a load into a subtraction, and then leaves the load where it was as well.
 */

/** Entries of each table of a view. */
export const TLB_ENTRIES = 16384;
/** Bytes of an entry. */
const ENTRY_SIZE = 16;
/** Bits that a linear address is shifted right by; with {@link TLB_MASK}, that is where its entry is in each table. */
export const TLB_SHIFT = 12 - Math.log2(ENTRY_SIZE);
/** What is left then of a linear address. */
export const TLB_MASK = (TLB_ENTRIES - 1) * ENTRY_SIZE;
/** Bytes of a table. */
const TABLE_SIZE = TLB_ENTRIES * ENTRY_SIZE;
/** Where in a view the table is that says what may be read; those for writes and execution follow. */
export const TLB_READ_TAG = 0;
export const TLB_WRITE_TAG = TABLE_SIZE;
export const TLB_EXEC_TAG = 2 * TABLE_SIZE;
/** Where an entry has the address of its page, behind the tag. */
export const TLB_HOST = 8;
/** Bytes of a view. */
export const TLB_VIEW_SIZE = 3 * TABLE_SIZE;

/** Accesses with supervisor privilege. */
export const VIEW_SUPERVISOR = 0;
/** Accesses with user privilege. */
export const VIEW_USER = 1;
/** User accesses while alignment is checked: data tags are never valid, so every access takes the slow path. */
export const VIEW_CHECKED = 2;
/** Accesses with supervisor privilege while EFLAGS.AC lifts SMAP: user pages, too. */
export const VIEW_OPEN = 3;
/** No access: it never holds anything, for generated code that is to ask for every address. */
export const VIEW_NONE = 4;
/** Number of views. */
export const TLB_VIEWS = 5;

const SLOTS = TLB_VIEWS * TLB_ENTRIES;
const ENTRY_BITS = Math.log2(TLB_ENTRIES);
/*
 * Behind the views, what is known of their entries ("slots", numbered through all views), for TypeScript and for generated code that fills them:
 *
 *   TLB_SLOTS   32 bytes of each slot:
 *     +0  u32 host address of the page, also for tags that become valid later
 *     +4  u32 bits: SLOT_READ, SLOT_WRITE, SLOT_EXECUTE for its valid tags, SLOT_LOCAL and SLOT_SHARED for the lists that it stands in, SLOT_GLOBAL,
 *         and log2 of the page's size from SLOT_SIZE_SHIFT on
 *     +8  f64 physical page, plus one, where the translation permits writes and is dirty, or 0: holds also while the write tag is withheld
 *     +16 next and +20 previous slot of its chain, plus one, or 0; +24 frame + 1 of a slot in a chain, else 0
 *   TLB_CHAINS  the slots that point to frames, as chains by the lower bits of the frame: slot + 1, or 0 at their ends
 *   TLB_LOCAL, TLB_SHARED   lists of the slots with pages that a CR3 load forgets, and of those that survive it
 *   TLB_LARGE   a bit for each 4 MiB that pieces of large pages were entered for, by the lower bits of their number
 *   TLB_HEAD    counts, the pages entered last, and what a walk goes by; see the constants
 */
const SLOT_SIZE = 32;
export const SLOT_SHIFT = Math.log2(SLOT_SIZE);
export const SLOT_HOST = 0;
export const SLOT_BITS = 4;
export const SLOT_STORE_PAGE = 8;
export const SLOT_NEXT = 16;
export const SLOT_PREVIOUS = 20;
export const SLOT_CHAINED = 24;
export const SLOT_READ = 1, SLOT_WRITE = 2, SLOT_EXECUTE = 4, SLOT_LOCAL = 8, SLOT_SHARED = 16, SLOT_GLOBAL = 32;
export const SLOT_SIZE_SHIFT = 8;
const CHAINS = 1 << 16;
export const CHAINS_MASK = CHAINS - 1;
export const LARGE_SHIFT = 22;
export const LARGE_MASK = (1 << 14) - 1;
export const TLB_SLOTS = TLB_VIEWS * TLB_VIEW_SIZE;
export const TLB_CHAINS = TLB_SLOTS + SLOTS * SLOT_SIZE;
export const TLB_LOCAL = TLB_CHAINS + 4 * CHAINS;
export const TLB_SHARED = TLB_LOCAL + 4 * SLOTS;
export const TLB_LARGE = TLB_SHARED + 4 * SLOTS;
const TLB_HEAD = TLB_LARGE + (LARGE_MASK + 1) / 8;
/** Lengths of the two lists, i32. */
export const TLB_LOCAL_COUNT = TLB_HEAD;
export const TLB_SHARED_COUNT = TLB_HEAD + 4;
/** Whether a page of more than 4 MiB was entered, i32. */
export const TLB_EVERYWHERE = TLB_HEAD + 8;
/** Fills and walks since construction, f64. */
export const TLB_FILLS = TLB_HEAD + 16;
export const TLB_WALKS = TLB_HEAD + 24;
/** Number of the page that was entered last from a large page for each kind of access, or NaN, f64. */
export const TLB_LAST = TLB_HEAD + 32;
/** What generated code may walk by: see `WalkImage`. */
export const TLB_WALK = TLB_HEAD + 64;
/** Bytes of linear memory that a {@link Tlb} needs. */
export const TLB_SIZE = Math.ceil((TLB_WALK + 64) / 4096) * 4096;

/** Words from a slot's entry for reads to the others. */
const WRITE_WORD = TLB_WRITE_TAG >> 2, EXECUTE_WORD = TLB_EXEC_TAG >> 2;
const VALID = SLOT_READ | SLOT_WRITE | SLOT_EXECUTE;
const SLOT_WORDS = SLOT_SIZE >> 2;
const TWO_32 = 0x1_0000_0000;
const LARGE = 2 ** LARGE_SHIFT;

/** The entries of one vCPU's TLB, with lists of the used ones, so that a flush costs what was filled and no more. */
export class Tlb {
  /** Address of view 0 in linear memory. */
  readonly base: number;
  /**
   * Called whenever translations become invalid: what was looked up through them must be looked up again. With `localOnly`,
   * those of global pages stay; with `linear`, all but those of the page that has this address.
   */
  onFlush: (localOnly: boolean, linear?: number) => void = () => {};
  /** Number of the page that the MMU entered last for each kind of access. A flush forgets it: a machine that is restored goes on as the one that was saved. */
  readonly last: Float64Array;
  readonly #words: Int32Array;
  /** The same memory in words of 8 bytes. */
  readonly #wide: Float64Array;

  /** @param buffer the buffer of the linear memory  @param base byte address of {@link TLB_SIZE} bytes of zeros, 8-byte aligned */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.base = base;
    this.#words = new Int32Array(buffer, base, TLB_SIZE >> 2);
    this.#wide = new Float64Array(buffer, base, TLB_SIZE >> 3);
    this.last = new Float64Array(buffer, base + TLB_LAST, 3).fill(NaN);
    for (let slot = 0; slot < SLOTS; slot += TLB_ENTRIES) {
      // Zeros name page 0, which is no invalid tag of a table's first entry: all three are to be written.
      this.#words[recordOf(slot) + (SLOT_BITS >> 2)] = VALID;
      this.#setValid(slot, 0, 0, 0);
    }
  }

  /** Fills since construction, for statistics. */
  get fills(): number {
    return this.#wide[TLB_FILLS >> 3]!;
  }

  /** Page walks since construction. */
  get walks(): number {
    return this.#wide[TLB_WALKS >> 3]!;
  }

  /** Counts a page walk. */
  countWalk(): void {
    this.#wide[TLB_WALKS >> 3]! += 1;
  }

  /** Linear-memory address of a view. */
  viewAddress(view: number): number {
    return this.base + view * TLB_VIEW_SIZE;
  }

  /** Linear-memory address of the byte behind a linear address when the tag at `tagOffset` is valid for it, else -1. */
  lookup(view: number, linear: number, tagOffset: number): number {
    const slot = slotOf(view, linear);
    if (this.#named(slot, tagOffset) !== linear - (linear & 0xfff)) return -1;
    return (this.#words[wordOf(slot) + ((tagOffset + TLB_HOST) >> 2)] >>> 0) + (linear & 0xfff);
  }

  /**
   * Physical page of a linear address that the entry permits to be written, or -1. A watched frame has no write tag, but its
   * entry still is the translation: whether somebody watches must not decide whether the tables are walked again.
   */
  storePage(view: number, linear: number): number {
    const slot = slotOf(view, linear);
    const page = this.#wide[(recordOf(slot) + (SLOT_STORE_PAGE >> 2)) >> 1]!;
    return page > 0 && this.#page(slot) === linear - (linear & 0xfff) ? page - 1 : -1;
  }

  /** Makes the write tag of an entry valid again: nobody watches its frame any more. */
  grantWrite(view: number, linear: number): void {
    const slot = slotOf(view, linear);
    this.#setValid(slot, this.#valid(slot) | SLOT_WRITE, linear & ~0xfff, Math.floor(linear / TWO_32));
  }

  /**
   * Enters a page. Tags not asked for become invalid.
   * @param storePage the physical page when the translation permits writes and is dirty, else -1
   */
  fill(
    view: number, linear: number, read: boolean, write: boolean, execute: boolean,
    host: number, frame: number, global: boolean, pageShift: number, storePage = -1,
  ): void {
    const words = this.#words;
    const slot = slotOf(view, linear);
    const record = recordOf(slot);
    this.#unchain(record);
    words[record + (SLOT_HOST >> 2)] = host;
    this.#setValid(slot, (read ? SLOT_READ : 0) | (write ? SLOT_WRITE : 0) | (execute ? SLOT_EXECUTE : 0), linear & ~0xfff, Math.floor(linear / TWO_32));
    this.#chain(slot, record, frame);
    const listed = words[record + (SLOT_BITS >> 2)]! & (VALID | SLOT_LOCAL | SLOT_SHARED);
    words[record + (SLOT_BITS >> 2)] = listed | (global ? SLOT_GLOBAL : 0) | (pageShift << SLOT_SIZE_SHIFT);
    this.#wide[(record + (SLOT_STORE_PAGE >> 2)) >> 1] = storePage + 1;
    if (pageShift > 22) words[TLB_EVERYWHERE >> 2] = 1;
    else if (pageShift > 12) {
      const large = largeOf(linear);
      words[(TLB_LARGE >> 2) + (large >> 5)]! |= 1 << (large & 31);
    }
    this.#list(slot, record, global);
    this.#wide[TLB_FILLS >> 3]! += 1;
  }

  /** Forgets everything. */
  flush(): void {
    this.last.fill(NaN);
    this.flushLocal();
    this.onFlush(false);
    const words = this.#words;
    const count = words[TLB_SHARED_COUNT >> 2]!;
    for (let i = 0; i < count; i += 1) {
      const slot = words[(TLB_SHARED >> 2) + i]!;
      this.#clear(slot);
      words[recordOf(slot) + (SLOT_BITS >> 2)] = 0;
    }
    words[TLB_SHARED_COUNT >> 2] = words[TLB_EVERYWHERE >> 2] = 0;
    words.fill(0, TLB_LARGE >> 2, (TLB_LARGE >> 2) + ((LARGE_MASK + 1) >> 5));
  }

  /** Forgets every page that is not global (a CR3 load). */
  flushLocal(): void {
    this.onFlush(true);
    this.forgetLocal();
  }

  /** What {@link flushLocal} does to the entries. An engine may put something quicker here. */
  forgetLocal = (): void => {
    const words = this.#words;
    const count = words[TLB_LOCAL_COUNT >> 2]!;
    for (let i = 0; i < count; i += 1) {
      const slot = words[(TLB_LOCAL >> 2) + i]!;
      const bits = recordOf(slot) + (SLOT_BITS >> 2);
      if ((words[bits]! & SLOT_GLOBAL) === 0) this.#clear(slot);
      words[bits]! &= ~SLOT_LOCAL;
    }
    words[TLB_LOCAL_COUNT >> 2] = 0;
  };

  /** Forgets the page of a linear address in every view, global or not, with every piece of a large page. */
  flushPage(linear: number): void {
    this.forgetPage(linear | 0, Math.floor(linear / TWO_32));
    const large = largeOf(linear);
    const words = this.#words;
    const mayBeLarge = words[TLB_EVERYWHERE >> 2] !== 0 || ((words[(TLB_LARGE >> 2) + (large >> 5)]! >>> (large & 31)) & 1) !== 0;
    this.onFlush(false, mayBeLarge ? undefined : linear);
    if (mayBeLarge) {
      this.#eachUsed((slot) => {
        const size = 2 ** this.#sizeShift(slot);
        if (size > 4096 && Math.floor(this.#page(slot) / size) === Math.floor(linear / size)) this.#clear(slot);
      });
    }
  }

  /** What {@link flushPage} does to the entries of a page that is no piece of a large one. An engine may put something quicker here. */
  forgetPage = (low: number, high: number): void => {
    const page = high * TWO_32 + ((low & ~0xfff) >>> 0);
    for (let slot = slotOf(0, low); slot < SLOTS; slot += TLB_ENTRIES) if (this.#valid(slot) !== 0 && this.#page(slot) === page) this.#clear(slot);
  };

  /** Makes direct writes to a machine frame impossible until the next fill: an observer wants to see them. */
  revokeWrite(frame: number): void {
    for (let at = this.#firstOf(frame); at !== 0; at = this.#nextOf(at)) {
      const slot = at - 1;
      if (!this.#isOf(slot, frame) || (this.#valid(slot) & SLOT_WRITE) === 0) continue;
      this.#setTag(wordOf(slot) + WRITE_WORD, -invalidOf(slot));
      this.#words[recordOf(slot) + (SLOT_BITS >> 2)]! &= ~SLOT_WRITE;
    }
  }

  /** Forgets every entry that points to a machine frame (the frame is given to another page). */
  evictFrame(frame: number): void {
    this.onFlush(false);
    for (let at = this.#firstOf(frame); at !== 0; ) {
      const slot = at - 1;
      at = this.#nextOf(at);
      if (this.#isOf(slot, frame)) this.#clear(slot);
    }
  }

  /** Whether the entry of a linear address, which must be valid, is of a global page. */
  isGlobal(view: number, linear: number): boolean {
    return (this.#words[recordOf(slotOf(view, linear)) + (SLOT_BITS >> 2)]! & SLOT_GLOBAL) !== 0;
  }

  /** Calls `visit` for each valid entry, in order of slot: the monitor's `info tlb`. */
  forEach(visit: (entry: { view: number; linear: number; host: number; write: boolean; execute: boolean; global: boolean; pageShift: number }) => void): void {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const bits = this.#words[recordOf(slot) + (SLOT_BITS >> 2)]!;
      if ((bits & VALID) === 0) continue;
      visit({
        view: Math.floor(slot / TLB_ENTRIES), linear: this.#page(slot), host: this.#words[recordOf(slot) + (SLOT_HOST >> 2)]! >>> 0,
        write: (bits & SLOT_WRITE) !== 0, execute: (bits & SLOT_EXECUTE) !== 0, global: (bits & SLOT_GLOBAL) !== 0, pageShift: this.#sizeShift(slot),
      });
    }
  }

  #eachUsed(visit: (slot: number) => void): void {
    const words = this.#words;
    for (const [list, count] of [[TLB_LOCAL, TLB_LOCAL_COUNT], [TLB_SHARED, TLB_SHARED_COUNT]] as const) {
      for (let i = 0; i < words[count >> 2]!; i += 1) visit(words[(list >> 2) + i]!);
    }
  }

  /** Bits of a slot's valid tags. */
  #valid(slot: number): number {
    return this.#words[recordOf(slot) + (SLOT_BITS >> 2)]! & VALID;
  }

  #sizeShift(slot: number): number {
    return this.#words[recordOf(slot) + (SLOT_BITS >> 2)]! >>> SLOT_SIZE_SHIFT;
  }

  #list(slot: number, record: number, global: boolean): void {
    const words = this.#words;
    const bit = global ? SLOT_SHARED : SLOT_LOCAL;
    if (words[record + (SLOT_BITS >> 2)]! & bit) return;
    words[record + (SLOT_BITS >> 2)]! |= bit;
    const [list, count] = global ? [TLB_SHARED >> 2, TLB_SHARED_COUNT >> 2] : [TLB_LOCAL >> 2, TLB_LOCAL_COUNT >> 2];
    words[list + words[count]!] = slot;
    words[count]! += 1;
  }

  /** The first slot, plus one, of a frame's chain, in which others may be. */
  #firstOf(frame: number): number {
    return this.#words[chainOf(frame)]!;
  }

  #nextOf(at: number): number {
    return this.#words[recordOf(at - 1) + (SLOT_NEXT >> 2)]!;
  }

  #isOf(slot: number, frame: number): boolean {
    return this.#words[recordOf(slot) + (SLOT_CHAINED >> 2)] === frame + 1;
  }

  #chain(slot: number, record: number, frame: number): void {
    const words = this.#words;
    const next = this.#firstOf(frame);
    words[record + (SLOT_NEXT >> 2)] = next;
    words[record + (SLOT_PREVIOUS >> 2)] = 0;
    if (next !== 0) words[recordOf(next - 1) + (SLOT_PREVIOUS >> 2)] = slot + 1;
    words[chainOf(frame)] = slot + 1;
    words[record + (SLOT_CHAINED >> 2)] = frame + 1;
  }

  /** Takes a slot out of its chain, if it is in one. */
  #unchain(record: number): void {
    const words = this.#words;
    const chained = words[record + (SLOT_CHAINED >> 2)]!;
    if (chained === 0) return;
    const next = words[record + (SLOT_NEXT >> 2)]!;
    const previous = words[record + (SLOT_PREVIOUS >> 2)]!;
    if (previous !== 0) words[recordOf(previous - 1) + (SLOT_NEXT >> 2)] = next;
    else words[chainOf(chained - 1)] = next;
    if (next !== 0) words[recordOf(next - 1) + (SLOT_PREVIOUS >> 2)] = previous;
    words[record + (SLOT_CHAINED >> 2)] = 0;
  }

  /** Makes tags of a slot valid for a page, and all others invalid; those that are so and stay it are not looked at. */
  #setValid(slot: number, valid: number, low: number, high: number): void {
    const word = wordOf(slot);
    const bits = recordOf(slot) + (SLOT_BITS >> 2);
    const gone = this.#words[bits]! & ~valid;
    if ((valid & SLOT_READ) !== 0) this.#enter(slot, word, -low, low === 0 ? -high : ~high);
    else if ((gone & SLOT_READ) !== 0) this.#setTag(word, -invalidOf(slot));
    if ((valid & SLOT_WRITE) !== 0) this.#enter(slot, word + WRITE_WORD, -low, low === 0 ? -high : ~high);
    else if ((gone & SLOT_WRITE) !== 0) this.#setTag(word + WRITE_WORD, -invalidOf(slot));
    if ((valid & SLOT_EXECUTE) !== 0) this.#enter(slot, word + EXECUTE_WORD, low, high);
    else if ((gone & SLOT_EXECUTE) !== 0) this.#setTag(word + EXECUTE_WORD, invalidOf(slot));
    this.#words[bits] = (this.#words[bits]! & ~VALID) | valid;
  }

  #enter(slot: number, word: number, low: number, high: number): void {
    const words = this.#words;
    words[word] = low;
    words[word + 1] = high;
    words[word + (TLB_HOST >> 2)] = words[recordOf(slot) + (SLOT_HOST >> 2)]!;
  }

  /** A tag of an address of 31 bits, or that negated. */
  #setTag(word: number, value: number): void {
    this.#words[word] = value;
    this.#words[word + 1] = value >> 31;
  }

  /** The page that a tag names. */
  #named(slot: number, tag: number): number {
    const word = wordOf(slot) + (tag >> 2);
    const low = this.#words[word];
    const high = this.#words[word + 1];
    if (tag === TLB_EXEC_TAG) return high * TWO_32 + (low >>> 0);
    return (low === 0 ? -high : ~high) * TWO_32 + (-low >>> 0);
  }

  #clear(slot: number): void {
    const record = recordOf(slot);
    this.#setValid(slot, 0, 0, 0);
    this.#unchain(record);
    this.#words[record + (SLOT_BITS >> 2)]! &= ~SLOT_GLOBAL;
    this.#wide[(record + (SLOT_STORE_PAGE >> 2)) >> 1] = 0;
  }

  /** The page of a slot: that of whichever tag is valid, or the invalid tag's. */
  #page(slot: number): number {
    const valid = this.#valid(slot);
    if (valid === 0) return invalidOf(slot);
    return this.#named(slot, (valid & SLOT_READ) !== 0 ? TLB_READ_TAG : (valid & SLOT_WRITE) !== 0 ? TLB_WRITE_TAG : TLB_EXEC_TAG);
  }
}

/** Where what is known of an address is among all views' slots. */
function slotOf(view: number, linear: number): number {
  return view * TLB_ENTRIES + ((linear >>> 12) & (TLB_ENTRIES - 1));
}

/** Number of the first word of a slot's entry for reads. */
function wordOf(slot: number): number {
  return (slot >>> ENTRY_BITS) * (TLB_VIEW_SIZE >> 2) + (slot & (TLB_ENTRIES - 1)) * (ENTRY_SIZE >> 2);
}

/** Number of the first word of what is known of a slot. */
function recordOf(slot: number): number {
  return (TLB_SLOTS >> 2) + slot * SLOT_WORDS;
}

/** Number of the word that a frame's chain begins in. */
function chainOf(frame: number): number {
  return (TLB_CHAINS >> 2) + (frame & CHAINS_MASK);
}

/** Number of the bit of a linear address among those of large pages. */
function largeOf(linear: number): number {
  return Math.floor(linear / LARGE) & LARGE_MASK;
}

/** A page whose index differs from the slot's: page 0, or 1 where that belongs. */
function invalidOf(slot: number): number {
  return (slot & (TLB_ENTRIES - 1)) === 0 ? 4096 : 0;
}
