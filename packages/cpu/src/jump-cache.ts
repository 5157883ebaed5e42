/**
 * The jump cache: where decoded blocks are by linear address, as generated code looks it up.
 *
 *   32768 entries of 32 bytes, chosen by the linear address, and behind them the number that code must carry to be still there
 *   +0  i64 linear address
 *   +8  i32 MODE            in 64-bit code with LONG_ENTRY changed
 *   +12 i32 code generation 0 where the entry is empty
 *   +16 i32 generation      of the mapping: GENERATION or GLOBAL_GENERATION
 *   +20 i32 record
 *   +24 i32 host address of the code, or 0 where a look at its page in the TLB does not say everything
 *
 * Where two addresses choose one entry, the other stands beside it. An entry whose mapping was flushed is good again when the TLB has the
 * page where it was.
 */
import { TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_EXEC_TAG, TLB_HOST } from "@doppel/mmu";
import { type FunctionBuilder, OP } from "@doppel/wasm";
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
/** Bytes of the cache. */
export const JUMP_CACHE_SIZE = CODE_GENERATION + 4096;
/** What the mode key of an entry is changed by when it is of 64-bit code. */
export const LONG_ENTRY = 1 << 30;
/** Distance in bytes, by exclusive or, of the entry beside one. */
const BESIDE = 1 << ENTRY_SHIFT;
const PAGE_SIZE = 4096;

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
  private turn = 0;

  /** @param words the linear memory  @param base where `JUMP_CACHE_SIZE` bytes of it are the cache's, at a multiple of 64 */
  constructor(words: Int32Array, base: number) {
    this.words = words;
    this.base = base;
    this.forgetCode();
  }

  /** Makes every entry stale: decoded code was dropped. */
  forgetCode(): void {
    const at = (this.base + CODE_GENERATION) >> 2;
    this.words[at] = (this.words[at]! + 1) | 0 || 1;
  }

  /** Enters a block, beside an entry that is in use; when both are, in turns. */
  remember({ linear, mode, generation, record, host }: JumpEntry): void {
    const { words } = this;
    const low = linear | 0;
    const code = words[(this.base + CODE_GENERATION) >> 2]!;
    const first = (this.base >> 2) + (((low ^ (low >>> 12)) & (ENTRIES - 1)) << (ENTRY_SHIFT - 2));
    const second = first ^ (BESIDE >> 2);
    const fits = (at: number): boolean => words[at + (E_CODE >> 2)] !== code || (words[at] === low && words[at + (E_MODE >> 2)] === mode);
    const at = fits(first) ? first : fits(second) ? second : (this.turn ^= 1) === 0 ? first : second;
    words[at] = low;
    words[at + 1] = Math.floor(linear / 0x1_0000_0000);
    words[at + (E_MODE >> 2)] = mode;
    words[at + (E_CODE >> 2)] = code;
    words[at + (E_GENERATION >> 2)] = generation;
    words[at + (ENTRY_RECORD >> 2)] = record;
    words[at + (E_HOST >> 2)] = host;
  }
}

/**
 * Looks an instruction pointer up and opens an `if` for the case that it is known; the local `entry` has the address of the entry then. `linear`
 * is a local of the width of addresses, for the linear address.
 * @param briefly look at the first entry only, and not in the TLB
 */
export function ifKnown(f: FunctionBuilder, long: boolean, ip: number, linear: number, entry: number, briefly: boolean): void {
  const state = (offset: number): FunctionBuilder => f.i32(0).memory(OP.i32_load, STATE + offset);
  const field = (offset: number): FunctionBuilder => f.get(entry).memory(OP.i32_load, offset);
  const linear32 = (): void => void (long ? f.get(linear).op(OP.i32_wrap_i64) : f.get(linear));
  const isOther = (): void => {
    f.get(entry).memory(long ? OP.i64_load : OP.i32_load).get(linear).op(long ? OP.i64_ne : OP.i32_ne);
    field(E_MODE);
    state(MODE);
    // An instruction may have changed from one kind of code to the other: what is known of that is not for this function.
    if (long) f.i32(LONG_ENTRY).op(OP.i32_xor);
    f.op(OP.i32_ne).op(OP.i32_or);
    field(E_CODE);
    state(JUMP_CACHE).memory(OP.i32_load, CODE_GENERATION).op(OP.i32_ne).op(OP.i32_or);
  };
  const isFlushed = (): void => {
    field(E_GENERATION);
    state(GENERATION).op(OP.i32_ne);
    field(E_GENERATION);
    state(GLOBAL_GENERATION).op(OP.i32_ne).op(OP.i32_and);
  };
  f.get(ip).i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + SEGMENT + SEGMENT_STRIDE * CS + SEG_BASE);
  f.op(long ? OP.i64_add : OP.i32_add).set(linear);
  linear32();
  linear32();
  f.i32(12).op(OP.i32_shr_u).op(OP.i32_xor).i32(ENTRIES - 1).op(OP.i32_and).i32(ENTRY_SHIFT).op(OP.i32_shl);
  state(JUMP_CACHE).op(OP.i32_add).set(entry);
  if (briefly) {
    isOther();
    isFlushed();
    f.op(OP.i32_or).op(OP.i32_eqz).if(undefined, true);
    return;
  }
  const slot = f.local("i32");
  const unknown = f.block();
  const known = f.block();
  isOther();
  f.if(undefined, false);
  f.get(entry).i32(BESIDE).op(OP.i32_xor).set(entry);
  isOther();
  f.brIf(unknown, false).end();
  isFlushed();
  f.op(OP.i32_eqz).brIf(known, true);
  linear32();
  f.i32(Math.log2(PAGE_SIZE / TLB_ENTRY_SIZE)).op(OP.i32_shr_u).i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).op(OP.i32_and);
  state(TLB_VIEW).op(OP.i32_add).set(slot);
  f.get(slot).memory(long ? OP.i64_load : OP.i32_load, TLB_EXEC_TAG).get(linear);
  if (long) f.i64(-PAGE_SIZE).op(OP.i64_and).op(OP.i64_ne);
  else f.i32(-PAGE_SIZE).op(OP.i32_and).op(OP.i32_ne);
  f.get(slot).memory(OP.i32_load, TLB_HOST);
  linear32();
  f.i32(PAGE_SIZE - 1).op(OP.i32_and).op(OP.i32_add);
  field(E_HOST).op(OP.i32_ne).op(OP.i32_or).brIf(unknown, false);
  f.get(entry);
  state(GENERATION).memory(OP.i32_store, E_GENERATION);
  f.end();
  f.release(slot);
}
