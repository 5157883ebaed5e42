/** Forgetting pages in WebAssembly: what `Tlb.forgetLocal` and `Tlb.forgetPage` do, as an operating system asks for at each switch of address spaces. */
import { PAGE_SIZE } from "@doppel/memory";
import {
  CHAINS_MASK, SLOT_BITS, SLOT_CHAINED, SLOT_EXECUTE, SLOT_GLOBAL, SLOT_LOCAL, SLOT_NEXT, SLOT_PREVIOUS, SLOT_READ, SLOT_SHIFT, SLOT_STORE_PAGE, SLOT_WRITE, TLB_CHAINS, TLB_ENTRIES,
  TLB_EXEC_TAG, TLB_LOCAL, TLB_LOCAL_COUNT, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_SLOTS, TLB_VIEWS, TLB_VIEW_SIZE, TLB_WRITE_TAG,
} from "@doppel/mmu";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import type { GeneratedModule } from "./handler.ts";

const VALID = SLOT_READ | SLOT_WRITE | SLOT_EXECUTE;
/** Tags, and the sign with which they name a page. */
const TAGS = [[SLOT_READ, TLB_READ_TAG, -1], [SLOT_WRITE, TLB_WRITE_TAG, -1], [SLOT_EXECUTE, TLB_EXEC_TAG, 1]] as const;

/** Pushes where what is known of a slot is, of which a local has the number plus one. */
export function slotBehind(f: FunctionBuilder, base: number, local: number): FunctionBuilder {
  return f.get(local).i32(1).op(OP.i32_sub).i32(SLOT_SHIFT).op(OP.i32_shl).i32(base + TLB_SLOTS).op(OP.i32_add);
}

/** Pushes where a frame's chain begins. */
export function chainOf(f: FunctionBuilder, base: number, pushFrame: () => void): FunctionBuilder {
  pushFrame();
  return f.i32(CHAINS_MASK).op(OP.i32_and).i32(2).op(OP.i32_shl).i32(base + TLB_CHAINS).op(OP.i32_add);
}

/** Takes a slot, whose address a local has, out of its chain, if it is in one. */
export function writeUnchain(f: FunctionBuilder, base: number, slot: number): void {
  const neighbour = f.local("i32");
  const field = (offset: number): FunctionBuilder => f.get(slot).memory(OP.i32_load, offset);
  field(SLOT_CHAINED).if();
  field(SLOT_PREVIOUS).tee(neighbour).if("i32");
  slotBehind(f, base, neighbour).i32(SLOT_NEXT).op(OP.i32_add);
  f.else();
  chainOf(f, base, () => field(SLOT_CHAINED).i32(1).op(OP.i32_sub)).end();
  field(SLOT_NEXT).memory(OP.i32_store);
  field(SLOT_NEXT).tee(neighbour).if();
  slotBehind(f, base, neighbour);
  field(SLOT_PREVIOUS).memory(OP.i32_store, SLOT_PREVIOUS).end();
  f.get(slot).i32(0).memory(OP.i32_store, SLOT_CHAINED);
  f.end();
  f.release(neighbour);
}

/** Pushes the address of the TLB's entry of a slot's number. */
function entryOf(f: FunctionBuilder, base: number, number: number): FunctionBuilder {
  f.get(number).i32(Math.log2(TLB_ENTRIES)).op(OP.i32_shr_u).i32(TLB_VIEW_SIZE).op(OP.i32_mul);
  return f.get(number).i32(12 - TLB_SHIFT).op(OP.i32_shl).i32(TLB_MASK).op(OP.i32_and).op(OP.i32_add).i32(base).op(OP.i32_add);
}

/** Writes the two, exported by their names, for the TLB at an address. */
export function writeForget({ module }: GeneratedModule, base: number): void {
  const clear = writeClear(module, base);
  writeForgetLocal(module, base, clear);
  writeForgetPage(module, base, clear);
}

/** (number of a slot) */
function writeClear(module: GeneratedModule["module"], base: number): number {
  const { builder: f, index } = module.function({ parameters: ["i32"], results: [] });
  const number = 0;
  const [slot, entry, bits] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.get(number).i32(SLOT_SHIFT).op(OP.i32_shl).i32(base + TLB_SLOTS).op(OP.i32_add).tee(slot).memory(OP.i32_load, SLOT_BITS).set(bits);
  entryOf(f, base, number).set(entry);
  for (const [bit, tag, sign] of TAGS) {
    f.get(bits).i32(bit).op(OP.i32_and).if();
    f.get(entry).i64(0).i64(sign * PAGE_SIZE).get(number).i32(TLB_ENTRIES - 1).op(OP.i32_and).op(OP.select).memory(OP.i64_store, tag).end();
  }
  f.get(slot).get(bits).i32(~(VALID | SLOT_GLOBAL)).op(OP.i32_and).memory(OP.i32_store, SLOT_BITS);
  f.get(slot).f64(0).memory(OP.f64_store, SLOT_STORE_PAGE);
  writeUnchain(f, base, slot);
  return index;
}

/** () */
function writeForgetLocal(module: GeneratedModule["module"], base: number, clear: number): void {
  const { builder: f } = module.function({ parameters: [], results: [] }, "forgetLocal");
  const [at, end, number, slot] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  f.i32(base + TLB_LOCAL).tee(at).i32(base).memory(OP.i32_load, TLB_LOCAL_COUNT).i32(2).op(OP.i32_shl).op(OP.i32_add).set(end);
  const done = f.block();
  const next = f.loop();
  f.get(at).get(end).op(OP.i32_eq).brIf(done);
  f.get(at).memory(OP.i32_load).tee(number).i32(SLOT_SHIFT).op(OP.i32_shl).i32(base + TLB_SLOTS).op(OP.i32_add).set(slot);
  const bits = (): FunctionBuilder => f.get(slot).memory(OP.i32_load, SLOT_BITS);
  bits().i32(SLOT_GLOBAL).op(OP.i32_and).op(OP.i32_eqz).if();
  f.get(number).call(clear).end();
  f.get(slot);
  bits().i32(~SLOT_LOCAL).op(OP.i32_and).memory(OP.i32_store, SLOT_BITS);
  f.get(at).i32(4).op(OP.i32_add).set(at).br(next).end();
  f.end();
  f.i32(base).i32(0).memory(OP.i32_store, TLB_LOCAL_COUNT);
}

/** (both halves of a linear address) */
function writeForgetPage(module: GeneratedModule["module"], base: number, clear: number): void {
  const { builder: f } = module.function({ parameters: ["i32", "i32"], results: [] }, "forgetPage");
  const [low, high] = [0, 1];
  const page = f.local("i64");
  const [number, entry, bits] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.get(low).i32(-PAGE_SIZE).op(OP.i32_and).op(OP.i64_extend_i32_u).get(high).op(OP.i64_extend_i32_u).i64(32).op(OP.i64_shl).op(OP.i64_or).set(page);
  f.get(low).i32(12).op(OP.i32_shr_u).i32(TLB_ENTRIES - 1).op(OP.i32_and).set(number);
  const next = f.loop();
  f.get(number).i32(SLOT_SHIFT).op(OP.i32_shl).memory(OP.i32_load, base + TLB_SLOTS + SLOT_BITS).tee(bits).i32(VALID).op(OP.i32_and).if();
  entryOf(f, base, number).set(entry);
  f.get(bits).i32(SLOT_READ).op(OP.i32_and).if("i64");
  f.i64(0).get(entry).memory(OP.i64_load, TLB_READ_TAG).op(OP.i64_sub).else();
  f.get(bits).i32(SLOT_WRITE).op(OP.i32_and).if("i64");
  f.i64(0).get(entry).memory(OP.i64_load, TLB_WRITE_TAG).op(OP.i64_sub).else().get(entry).memory(OP.i64_load, TLB_EXEC_TAG).end();
  f.end();
  f.get(page).op(OP.i64_eq).if();
  f.get(number).call(clear).end();
  f.end();
  f.get(number).i32(TLB_ENTRIES).op(OP.i32_add).tee(number).i32(TLB_VIEWS * TLB_ENTRIES).op(OP.i32_lt_u).brIf(next).end();
}
