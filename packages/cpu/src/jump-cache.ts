/**
 * The jump cache: where decoded blocks are by linear address, as generated code looks it up.
 *
 *   16384 entries of 16 bytes, chosen by the linear address: { linear, MODE, GENERATION or GLOBAL_GENERATION, record },
 *   and behind them as many with the high halves of the addresses
 */
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { CS, GENERATION, GLOBAL_GENERATION, JUMP_CACHE, MODE, SEGMENT, SEGMENT_STRIDE, SEG_BASE, STATE } from "./state-layout.ts";

export const JUMP_CACHE_ENTRIES = 16384;
export const JUMP_CACHE_SIZE = JUMP_CACHE_ENTRIES * 16;
/** Where an entry has its record. */
export const ENTRY_RECORD = 12;

/** What the mode key of an entry is changed by when it is of 64-bit code. */
export const LONG_ENTRY = 1 << 30;

/**
 * Looks an instruction pointer up and opens an `if` for the case that it is known; the local `entry` has the address of the entry then. `linear`
 * is a local of the width of addresses, for the linear address.
 */
export function ifKnown(f: FunctionBuilder, long: boolean, ip: number, linear: number, entry: number): void {
  const load = (offset: number): FunctionBuilder => f.i32(0).memory(OP.i32_load, STATE + offset);
  f.get(ip).i32(0).memory(long ? OP.i64_load : OP.i32_load, STATE + SEGMENT + SEGMENT_STRIDE * CS + SEG_BASE);
  f.op(long ? OP.i64_add : OP.i32_add).tee(linear);
  if (long) f.op(OP.i32_wrap_i64);
  f.tee(entry).get(entry).i32(12).op(OP.i32_shr_u).op(OP.i32_xor).i32(JUMP_CACHE_ENTRIES - 1).op(OP.i32_and).i32(4).op(OP.i32_shl);
  load(JUMP_CACHE).op(OP.i32_add).set(entry);
  f.get(entry).memory(OP.i32_load).get(linear);
  if (long) f.op(OP.i32_wrap_i64);
  f.op(OP.i32_xor);
  f.get(entry).memory(OP.i32_load, 4);
  load(MODE);
  // An instruction may have changed from one kind of code to the other: what is known of that is not for this function.
  if (long) f.i32(LONG_ENTRY).op(OP.i32_xor);
  f.op(OP.i32_xor).op(OP.i32_or);
  f.get(entry).memory(OP.i32_load, 8);
  load(GENERATION).op(OP.i32_ne);
  f.get(entry).memory(OP.i32_load, 8);
  load(GLOBAL_GENERATION).op(OP.i32_ne).op(OP.i32_and).op(OP.i32_or);
  // Addresses that share their low half differ in the high one.
  if (long) f.get(linear).i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64).get(entry).memory(OP.i32_load, JUMP_CACHE_SIZE).op(OP.i32_xor).op(OP.i32_or);
  f.op(OP.i32_eqz).if(undefined, true);
}
