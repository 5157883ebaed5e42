/**
 * The jump cache: where decoded blocks are by linear address, as generated code looks it up.
 *
 *   32768 entries of 32 bytes, chosen by the linear address, and behind them the number that an entry must carry to mean anything, and one of changes of code
 *   +0  i64 linear address
 *   +8  i32 MODE            in 64-bit code with LONG_ENTRY changed
 *   +12 i32 code generation 0 where the entry is empty
 *   +16 i32 generation      of the mapping: GENERATION or GLOBAL_GENERATION
 *   +20 i32 record
 *   +24 i32 host address of the code, or 0 where a look at its page in the TLB does not say everything
 *
 * An address has two places. What is new takes the first, and what was there goes to its second. An entry whose mapping was flushed is good again when the TLB has the
 * page where it was, or gets it there. One whose record was dropped leads to an END record, which is as good as none.
 */
import { PAGE_SIZE } from "@doppel/memory";
import { TLB_EXEC_TAG, TLB_HOST, TLB_MASK, TLB_SHIFT } from "@doppel/mmu";
import { type FunctionBuilder, type Label, OP } from "@doppel/wasm";
import { CS, GENERATION, GLOBAL_GENERATION, JUMP_CACHE, MODE, SEGMENT, SEGMENT_STRIDE, SEG_BASE, STATE, TLB_VIEW } from "./state-layout.ts";

const ENTRIES = 32768;
const ENTRY_SHIFT = 5;
const E_MODE = 8;
const E_CODE = 12;
const E_GENERATION = 16;
/** Where an entry has its record. */
export const ENTRY_RECORD = 20;
const E_HOST = 24;
/** Where the present code generation stands. */
const CODE_GENERATION = ENTRIES << ENTRY_SHIFT;
/** A number that changes whenever decoded code is dropped. */
const CODE_CHANGES = CODE_GENERATION + 4;
/** Bytes of the cache. */
export const JUMP_CACHE_SIZE = CODE_GENERATION + 4096;
/** What the mode key of an entry is changed by when it is of 64-bit code. */
export const LONG_ENTRY = 1 << 30;
/** Chooses an address's other place: two that share one seldom share both. */
const SECOND = 0x9e3779b1 | 0;
const SECOND_SHIFT = 32 - Math.log2(ENTRIES);
/** Bits for pages of which there may be entries. */
const PAGES_NOTED = 1 << 16;

/** Number of a page's bit. */
const noted = (linear: number): number => (linear >>> 12) & (PAGES_NOTED - 1);

/** What an entry says. */
export interface JumpEntry {
  readonly linear: number;
  /** `MODE`, in 64-bit code with `LONG_ENTRY` changed. */
  readonly mode: number;
  readonly generation: number;
  readonly record: number;
  readonly host: number;
}

/** The cache as TypeScript sees it. */
export class JumpCache {
  /** Its address in linear memory. */
  readonly base: number;
  private readonly words: Int32Array;
  /** A bit for each page, by the low bits of its number: whether there may be an entry for code in it. */
  private readonly pages = new Uint8Array(PAGES_NOTED >> 3);

  /** @param words the linear memory  @param base where `JUMP_CACHE_SIZE` bytes of it are the cache's, at a multiple of 32 */
  constructor(words: Int32Array, base: number) {
    this.words = words;
    this.base = base;
    this.forgetCode();
  }

  /** Makes every entry stale: records are to be used anew, or blocks must not run on. */
  forgetCode(): void {
    const at = (this.base + CODE_GENERATION) >> 2;
    this.words[at] = (this.words[at]! + 1) | 0 || 1;
    this.pages.fill(0);
    this.codeChanged();
  }

  /** Whether any entry may depend on where the page of a linear address is. */
  mayHave(linear: number): boolean {
    const page = noted(linear);
    return ((this.pages[page >> 3]! >> (page & 7)) & 1) !== 0;
  }

  private note(page: number): void {
    this.pages[page >> 3]! |= 1 << (page & 7);
  }

  /** Decoded code was dropped. */
  codeChanged(): void {
    this.words[(this.base + CODE_CHANGES) >> 2]! += 1;
  }

  /** Enters a block. What is in its first place moves to its own second one: what is new is hot, and most of what is there is not. */
  remember({ linear, mode, generation, record, host }: JumpEntry): void {
    const { words } = this;
    const low = linear | 0;
    const code = words[(this.base + CODE_GENERATION) >> 2]!;
    const at = this.first(low);
    const there = words[at]!;
    if (words[at + (E_CODE >> 2)] === code && (there !== low || words[at + (E_MODE >> 2)] !== mode) && this.first(there) === at) {
      const second = this.second(there);
      for (let n = 0; n < 1 << (ENTRY_SHIFT - 2); n++) words[second + n] = words[at + n]!;
    }
    words[at] = low;
    words[at + 1] = Math.floor(linear / 0x1_0000_0000);
    words[at + (E_MODE >> 2)] = mode;
    words[at + (E_CODE >> 2)] = code;
    words[at + (E_GENERATION >> 2)] = generation;
    words[at + (ENTRY_RECORD >> 2)] = record;
    words[at + (E_HOST >> 2)] = host;
    // An instruction may reach into the next page.
    this.note(noted(low));
    this.note(noted(low + PAGE_SIZE));
  }

  private first(low: number): number {
    return (this.base >> 2) + (((low ^ (low >>> 12)) & (ENTRIES - 1)) << (ENTRY_SHIFT - 2));
  }

  private second(low: number): number {
    return (this.base >> 2) + ((Math.imul(low, SECOND) >>> SECOND_SHIFT) << (ENTRY_SHIFT - 2));
  }
}

/** Pushes a number that changes whenever decoded code is dropped. */
export function pushCodeChanges(f: FunctionBuilder): void {
  f.i32(0).memory(OP.i32_load, STATE + JUMP_CACHE).memory(OP.i32_load, CODE_CHANGES);
}

/** How the TLB is filled with a page of code. */
export interface FillCode {
  /** Pushes whether an instruction may be fetched: where the budget is used up, to mark its page as accessed is the next run's. */
  mayFill(): void;
  /** Index of the helper `fillCode`. */
  readonly fillCode: number;
}

/** Writes the look-ups of one function. `linear` and `entry` are locals: the linear address, and the address of the entry. */
class LookUp {
  private readonly f: FunctionBuilder;
  private readonly long: boolean;
  private readonly linear: number;
  private readonly entry: number;

  constructor(f: FunctionBuilder, long: boolean, linear: number, entry: number) {
    this.f = f;
    this.long = long;
    this.linear = linear;
    this.entry = entry;
  }

  /** Finds the first place of what `ip` pushes. */
  choose(ip: () => void): void {
    const { f, long, linear, entry } = this;
    ip();
    f.i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + SEGMENT + SEGMENT_STRIDE * CS + SEG_BASE);
    f.op(long ? OP.i64_add : OP.i32_add).set(linear);
    this.linear32();
    this.linear32();
    f.i32(12).op(OP.i32_shr_u).op(OP.i32_xor).i32(ENTRIES - 1).op(OP.i32_and).i32(ENTRY_SHIFT).op(OP.i32_shl);
    this.state(JUMP_CACHE).op(OP.i32_add).set(entry);
  }

  /** Pushes whether the entry is another one's. */
  isOther(): void {
    const { f, long } = this;
    f.get(this.entry).memory(long ? OP.i64_load : OP.i32_load).get(this.linear).op(long ? OP.i64_ne : OP.i32_ne);
    this.field(E_MODE);
    this.state(MODE);
    // An instruction may have changed from one kind of code to the other: what is known of that is not for this function.
    if (long) f.i32(LONG_ENTRY).op(OP.i32_xor);
    f.op(OP.i32_ne).op(OP.i32_or);
    this.field(E_CODE);
    this.state(JUMP_CACHE).memory(OP.i32_load, CODE_GENERATION).op(OP.i32_ne).op(OP.i32_or);
  }

  /** Pushes whether its mapping was flushed. */
  isFlushed(): void {
    this.field(E_GENERATION);
    this.state(GENERATION).op(OP.i32_ne);
    this.field(E_GENERATION);
    this.state(GLOBAL_GENERATION).op(OP.i32_ne).op(OP.i32_and);
  }

  /** Makes the entry good where the TLB has its page where it was, or is filled so; else leaves to `unknown`. */
  renew(unknown: Label, { mayFill, fillCode }: FillCode): void {
    const { f, long, linear, entry } = this;
    const slot = f.local("i32");
    this.linear32();
    f.i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and);
    this.state(TLB_VIEW).op(OP.i32_add).set(slot);
    f.get(slot).memory(long ? OP.i64_load : OP.i32_load, TLB_EXEC_TAG).get(linear);
    if (long) f.i64(-PAGE_SIZE).op(OP.i64_and).op(OP.i64_ne);
    else f.i32(-PAGE_SIZE).op(OP.i32_and).op(OP.i32_ne);
    f.if(undefined, false);
    mayFill();
    f.op(OP.i32_eqz).brIf(unknown, false);
    this.linear32();
    if (long) f.get(linear).i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
    else f.i32(0);
    f.call(fillCode).op(OP.i32_eqz).brIf(unknown, false).end();
    f.get(slot).memory(OP.i32_load, TLB_EXEC_TAG + TLB_HOST);
    this.linear32();
    f.i32(PAGE_SIZE - 1).op(OP.i32_and).op(OP.i32_add);
    this.field(E_HOST).op(OP.i32_ne).brIf(unknown, false);
    f.get(entry);
    this.state(GENERATION).memory(OP.i32_store, E_GENERATION);
    f.release(slot);
  }

  /** Goes to the second place. */
  chooseSecond(): void {
    this.linear32();
    this.f.i32(SECOND).op(OP.i32_mul).i32(SECOND_SHIFT).op(OP.i32_shr_u).i32(ENTRY_SHIFT).op(OP.i32_shl);
    this.state(JUMP_CACHE).op(OP.i32_add).set(this.entry);
  }

  private state(offset: number): FunctionBuilder {
    return this.f.i32(0).memory(OP.i32_load, STATE + offset);
  }

  private field(offset: number): FunctionBuilder {
    return this.f.get(this.entry).memory(OP.i32_load, offset);
  }

  private linear32(): void {
    this.f.get(this.linear);
    if (this.long) this.f.op(OP.i32_wrap_i64);
  }
}

/**
 * Looks an instruction pointer up and opens a block that is left where it is not known; the local `entry` has the address of the entry in it.
 * `linear` is a local of the width of addresses, for the linear address. Returns the block: whoever executes the record leaves it where that is an END record.
 */
export function ifKnown(f: FunctionBuilder, long: boolean, ip: () => void, linear: number, entry: number, fill: FillCode): Label {
  const look = new LookUp(f, long, linear, entry);
  look.choose(ip);
  const unknown = f.block();
  const known = f.block();
  look.isOther();
  f.if(undefined, false);
  look.chooseSecond();
  look.isOther();
  f.brIf(unknown, false).end();
  look.isFlushed();
  f.op(OP.i32_eqz).brIf(known, true);
  look.renew(unknown, fill);
  f.end();
  return unknown;
}

/**
 * The same for code that is to be short: what is not found at the first look, `find` is called for, with the instruction pointer on the stack;
 * it leaves the entry's address or 0.
 */
export function ifFound(f: FunctionBuilder, long: boolean, ip: () => void, linear: number, entry: number, find: () => void): void {
  const look = new LookUp(f, long, linear, entry);
  look.choose(ip);
  look.isOther();
  look.isFlushed();
  f.op(OP.i32_or).if(undefined, false);
  ip();
  find();
  f.set(entry).end();
  f.get(entry).if(undefined, true);
}
