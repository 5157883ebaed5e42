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
/** Bytes of linear memory that a {@link Tlb} needs. */
export const TLB_SIZE = TLB_VIEWS * TLB_VIEW_SIZE;

const SLOTS = TLB_VIEWS * TLB_ENTRIES;
const ENTRY_BITS = Math.log2(TLB_ENTRIES);
/** Words from a slot's entry for reads to the others. */
const WRITE_WORD = TLB_WRITE_TAG >> 2, EXECUTE_WORD = TLB_EXEC_TAG >> 2;
/** Which of a slot's tags are valid. */
const READ = 1, WRITE = 2, EXECUTE = 4;
const TWO_32 = 0x1_0000_0000;
const LARGE = 0x40_0000;
const EVERYWHERE = NaN;

/** Which list a slot stands in: pages that survive a CR3 load, and pages that do not. */
const LISTED_LOCAL = 1;
const LISTED_GLOBAL = 2;

/** The entries of one vCPU's TLB, with lists of the used ones, so that a flush costs what was filled and no more. */
export class Tlb {
  /** Address of view 0 in linear memory. */
  readonly base: number;
  /**
   * Called whenever translations become invalid: what was looked up through them must be looked up again. With `localOnly`,
   * those of global pages stay.
   */
  onFlush: (localOnly: boolean) => void = () => {};
  /** Fills since construction, for statistics. */
  fills = 0;
  /** Number of the page that the MMU entered last for each kind of access. A flush forgets it: a machine that is restored goes on as the one that was saved. */
  readonly last = [NaN, NaN, NaN];
  readonly #words: Int32Array;
  readonly #shift = new Uint8Array(SLOTS);
  readonly #global = new Uint8Array(SLOTS);
  readonly #listed = new Uint8Array(SLOTS);
  /** Bits `READ`, `WRITE` and `EXECUTE`. */
  readonly #valid = new Uint8Array(SLOTS);
  /** Linear-memory addresses of the pages, also for tags that become valid later. */
  readonly #host = new Uint32Array(SLOTS);
  /** Physical page, plus one, behind a slot whose translation permits writes and is dirty, or 0: holds also while the write tag is withheld. */
  readonly #storePage = new Float64Array(SLOTS);
  readonly #local = new Uint32Array(SLOTS);
  readonly #shared = new Uint32Array(SLOTS);
  /** The slots that point to a machine frame, as chains by frame: slot + 1, or 0 at their ends. */
  readonly #first: Int32Array;
  readonly #next = new Int32Array(SLOTS);
  readonly #previous = new Int32Array(SLOTS);
  /** Frame + 1 of a slot in a chain, else 0. */
  readonly #chained = new Int32Array(SLOTS);
  #localCount = 0;
  #sharedCount = 0;
  /** The 4 MiB of linear addresses that pieces of large pages were entered for, by number; `EVERYWHERE` when a page was larger. */
  readonly #large = new Set<number>();

  /** @param buffer the buffer of the linear memory  @param base byte address of {@link TLB_SIZE} bytes of zeros, 8-byte aligned */
  constructor(buffer: ArrayBufferLike, base: number) {
    this.base = base;
    this.#words = new Int32Array(buffer, base, TLB_SIZE >> 2);
    this.#first = new Int32Array(Math.ceil(buffer.byteLength / 4096));
    for (let slot = 0; slot < SLOTS; slot += TLB_ENTRIES) {
      // Zeros name page 0, which is no invalid tag of a table's first entry: all three are to be written.
      this.#valid[slot] = READ | WRITE | EXECUTE;
      this.#setValid(slot, 0, 0, 0);
    }
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
    return this.#storePage[slot] > 0 && this.#page(slot) === linear - (linear & 0xfff) ? this.#storePage[slot] - 1 : -1;
  }

  /** Makes the write tag of an entry valid again: nobody watches its frame any more. */
  grantWrite(view: number, linear: number): void {
    const slot = slotOf(view, linear);
    this.#setValid(slot, this.#valid[slot] | WRITE, linear & ~0xfff, Math.floor(linear / TWO_32));
  }

  /**
   * Enters a page. Tags not asked for become invalid.
   * @param storePage the physical page when the translation permits writes and is dirty, else -1
   */
  fill(
    view: number, linear: number, read: boolean, write: boolean, execute: boolean,
    host: number, frame: number, global: boolean, pageShift: number, storePage = -1,
  ): void {
    const slot = slotOf(view, linear);
    if (this.#chained[slot] !== 0) this.#unchain(slot);
    this.#host[slot] = host;
    this.#setValid(slot, (read ? READ : 0) | (write ? WRITE : 0) | (execute ? EXECUTE : 0), linear & ~0xfff, Math.floor(linear / TWO_32));
    this.#chain(slot, frame);
    this.#shift[slot] = pageShift;
    this.#global[slot] = global ? 1 : 0;
    this.#storePage[slot] = storePage + 1;
    if (pageShift > 12) this.#large.add(pageShift > 22 ? EVERYWHERE : Math.floor(linear / LARGE));
    this.#list(slot, global);
    this.fills += 1;
  }

  /** Forgets everything. */
  flush(): void {
    this.last.fill(NaN);
    this.flushLocal();
    this.onFlush(false);
    for (let i = 0; i < this.#sharedCount; i += 1) {
      const slot = this.#shared[i];
      this.#clear(slot);
      this.#listed[slot] = 0;
    }
    this.#sharedCount = 0;
    this.#large.clear();
  }

  /** Forgets every page that is not global (a CR3 load). */
  flushLocal(): void {
    this.onFlush(true);
    for (let i = 0; i < this.#localCount; i += 1) {
      const slot = this.#local[i];
      if (!this.#global[slot]) this.#clear(slot);
      this.#listed[slot] &= ~LISTED_LOCAL;
    }
    this.#localCount = 0;
  }

  /** Forgets the page of a linear address in every view, global or not, with every piece of a large page. */
  flushPage(linear: number): void {
    this.onFlush(false);
    for (let view = 0; view < TLB_VIEWS; view += 1) {
      const slot = slotOf(view, linear);
      if (this.#page(slot) === linear - (linear & 0xfff)) this.#clear(slot);
    }
    if (this.#large.size > 0 && (this.#large.has(Math.floor(linear / LARGE)) || this.#large.has(EVERYWHERE))) {
      this.#eachUsed((slot) => {
        const size = 2 ** this.#shift[slot];
        if (size > 4096 && Math.floor(this.#page(slot) / size) === Math.floor(linear / size)) this.#clear(slot);
      });
    }
  }

  /** Makes direct writes to a machine frame impossible until the next fill: an observer wants to see them. */
  revokeWrite(frame: number): void {
    for (let at = this.#first[frame]; at !== 0; at = this.#next[at - 1]) {
      const slot = at - 1;
      if ((this.#valid[slot] & WRITE) === 0) continue;
      this.#setTag(wordOf(slot) + WRITE_WORD, -this.#invalid(slot));
      this.#valid[slot] &= ~WRITE;
    }
  }

  /** Forgets every entry that points to a machine frame (the frame is given to another page). */
  evictFrame(frame: number): void {
    this.onFlush(false);
    for (let at = this.#first[frame]; at !== 0; at = this.#first[frame]) this.#clear(at - 1);
  }

  /** Whether the entry of a linear address, which must be valid, is of a global page. */
  isGlobal(view: number, linear: number): boolean {
    return this.#global[slotOf(view, linear)] === 1;
  }

  /** Calls `visit` for each valid entry, in order of slot: the monitor's `info tlb`. */
  forEach(visit: (entry: { view: number; linear: number; host: number; write: boolean; execute: boolean; global: boolean; pageShift: number }) => void): void {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const valid = this.#valid[slot];
      if (valid === 0) continue;
      visit({
        view: Math.floor(slot / TLB_ENTRIES), linear: this.#page(slot), host: this.#host[slot],
        write: (valid & WRITE) !== 0, execute: (valid & EXECUTE) !== 0, global: this.#global[slot] === 1, pageShift: this.#shift[slot],
      });
    }
  }

  #eachUsed(visit: (slot: number) => void): void {
    for (let i = 0; i < this.#localCount; i += 1) visit(this.#local[i]);
    for (let i = 0; i < this.#sharedCount; i += 1) visit(this.#shared[i]);
  }

  #list(slot: number, global: boolean): void {
    const bit = global ? LISTED_GLOBAL : LISTED_LOCAL;
    if (this.#listed[slot] & bit) return;
    this.#listed[slot] |= bit;
    if (global) {
      this.#shared[this.#sharedCount] = slot;
      this.#sharedCount += 1;
    } else {
      this.#local[this.#localCount] = slot;
      this.#localCount += 1;
    }
  }

  #chain(slot: number, frame: number): void {
    const next = this.#first[frame];
    this.#next[slot] = next;
    this.#previous[slot] = 0;
    if (next !== 0) this.#previous[next - 1] = slot + 1;
    this.#first[frame] = slot + 1;
    this.#chained[slot] = frame + 1;
  }

  #unchain(slot: number): void {
    const next = this.#next[slot];
    const previous = this.#previous[slot];
    if (previous !== 0) this.#next[previous - 1] = next;
    else this.#first[this.#chained[slot] - 1] = next;
    if (next !== 0) this.#previous[next - 1] = previous;
    this.#chained[slot] = 0;
  }

  /** A page whose index differs from the slot's: page 0, or 1 where that belongs. */
  #invalid(slot: number): number {
    return (slot & (TLB_ENTRIES - 1)) === 0 ? 4096 : 0;
  }

  /** Makes tags of a slot valid for a page, and all others invalid; those that are so and stay it are not looked at. */
  #setValid(slot: number, valid: number, low: number, high: number): void {
    const word = wordOf(slot);
    const gone = this.#valid[slot] & ~valid;
    if ((valid & READ) !== 0) this.#enter(slot, word, -low, low === 0 ? -high : ~high);
    else if ((gone & READ) !== 0) this.#setTag(word, -this.#invalid(slot));
    if ((valid & WRITE) !== 0) this.#enter(slot, word + WRITE_WORD, -low, low === 0 ? -high : ~high);
    else if ((gone & WRITE) !== 0) this.#setTag(word + WRITE_WORD, -this.#invalid(slot));
    if ((valid & EXECUTE) !== 0) this.#enter(slot, word + EXECUTE_WORD, low, high);
    else if ((gone & EXECUTE) !== 0) this.#setTag(word + EXECUTE_WORD, this.#invalid(slot));
    this.#valid[slot] = valid;
  }

  #enter(slot: number, word: number, low: number, high: number): void {
    const words = this.#words;
    words[word] = low;
    words[word + 1] = high;
    words[word + (TLB_HOST >> 2)] = this.#host[slot];
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
    this.#setValid(slot, 0, 0, 0);
    if (this.#chained[slot] !== 0) this.#unchain(slot);
    this.#global[slot] = 0;
    this.#storePage[slot] = 0;
  }

  /** The page of a slot: that of whichever tag is valid, or the invalid tag's. */
  #page(slot: number): number {
    const valid = this.#valid[slot];
    if (valid === 0) return this.#invalid(slot);
    return this.#named(slot, (valid & READ) !== 0 ? TLB_READ_TAG : (valid & WRITE) !== 0 ? TLB_WRITE_TAG : TLB_EXEC_TAG);
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
