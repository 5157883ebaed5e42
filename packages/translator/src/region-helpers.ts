/** Functions that all regions share: they are made once, and the modules of regions import them. */
import { GeneratedModule, type Helpers, ifKnown, layout } from "@doppel/cpu";
import { TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_WRITE_TAG } from "@doppel/mmu";
import { type FunctionBuilder, OP, type Signature } from "@doppel/wasm";
import { PAGE_SIZE } from "@doppel/x86";
import { writeFlagHelpers } from "./kept-flags.ts";

/** Name of the function that looks up where a region goes on, in code of 32 or of 64 bits. */
export const findName = (long: boolean): string => (long ? "find64" : "find32");
/** It takes an instruction pointer and gives the address of the jump cache's entry, or 0; `BUDGET` is to be what is left. */
export const findSignature = (long: boolean): Signature => ({ parameters: [long ? "i64" : "i32"], results: ["i32"] });

/** Name of the function that does iterations of REP MOVS or REP STOS, in code of 32 or of 64 bits. */
export const bulkName = (operation: "movs" | "stos", long: boolean): string => `${operation}${long ? 64 : 32}`;
/**
 * It takes the linear address of the destination, that of the source or the value, the most iterations (1 to 2^31 - 1) and the bytes from one to the next,
 * below zero where they go downwards, and gives how many it did: 0 where a page is not in the TLB or ends here, or what is read was written just before.
 */
export const bulkSignature = (long: boolean): Signature => ({ parameters: [long ? "i64" : "i32", long ? "i64" : "i32", "i32", "i32"], results: ["i32"] });

/** Name of the function that is told of a window that the TLB does not have: a region's number, both halves of the linear address, bytes, and in front of which place. */
export const WINDOW_MISSED = "windowMissed";
export const WINDOW_MISSED_SIGNATURE: Signature = { parameters: ["i32", "i32", "i32", "i32", "i32"], results: [] };

/** Name of the function that is told when a region, by its number, was entered with another TLB view than it assumes. */
export const VIEW_MISSED = "viewMissed";
export const VIEW_MISSED_SIGNATURE: Signature = { parameters: ["i32"], results: [] };

/** Name of the function that is told where an indirect call or jump leads: a region's number, the place of it, and both halves of where that is. */
export const INDIRECT_TARGET = "indirectTarget";
export const INDIRECT_TARGET_SIGNATURE: Signature = { parameters: ["i32", "i32", "i32", "i32"], results: [] };

/** The functions by the names under which modules import them. @param fillCode the engine's helper @param windowMissed is told of missed windows, unless the page is only not in the TLB yet: that passes */
export function regionHelpers(memory: WebAssembly.Memory, fillCode: Helpers[string], windowMissed: (id: number, low: number, high: number, length: number, at: number) => void): Helpers {
  const generated = new GeneratedModule();
  writeFlagHelpers(generated);
  writeWindowMissed(generated);
  for (const long of [false, true]) {
    const { builder: f } = generated.module.function(findSignature(long), findName(long));
    const linear = f.local(long ? "i64" : "i32");
    const entry = f.local("i32");
    const mayFill = (): void => void f.i32(0).memory(OP.i32_load, layout.STATE + layout.BUDGET).i32(0).op(OP.i32_gt_s);
    ifKnown(f, long, () => f.get(0), linear, entry, { mayFill, fillCode: generated.helper("fillCode", 2) });
    f.get(entry).op(OP.return).end();
    f.i32(0);
  }
  for (const long of [false, true]) for (const operation of ["movs", "stos"] as const) writeBulk(generated, operation, long);
  return generated.instantiate(memory, { fillCode, [WINDOW_MISSED]: windowMissed as Helpers[string] }).exports as Helpers;
}

function writeWindowMissed({ module }: GeneratedModule): void {
  const tell = module.importFunction("helpers", WINDOW_MISSED, WINDOW_MISSED_SIGNATURE);
  const { builder: f } = module.function(WINDOW_MISSED_SIGNATURE, WINDOW_MISSED);
  const [low, high, length] = [1, 2, 3];
  f.get(low).op(OP.i64_extend_i32_u).get(high).op(OP.i64_extend_i32_u).i64(32).op(OP.i64_shl).op(OP.i64_or);
  f.get(low).i32(TLB_SHIFT).op(OP.i32_shr_u).i32(TLB_MASK).op(OP.i32_and).i32(0).memory(OP.i32_load, layout.STATE + layout.TLB_VIEW).op(OP.i32_add);
  f.memory(OP.i64_load, TLB_READ_TAG).op(OP.i64_add).i64(PAGE_SIZE).op(OP.i64_lt_u);
  f.get(low).i32(PAGE_SIZE - 1).op(OP.i32_and).get(length).op(OP.i32_add).i32(PAGE_SIZE).op(OP.i32_gt_u).op(OP.i32_or).if();
  for (let n = 0; n < WINDOW_MISSED_SIGNATURE.parameters.length; n++) f.get(n);
  f.call(tell).end();
}

function writeBulk(generated: GeneratedModule, operation: "movs" | "stos", long: boolean): void {
  const { builder: f } = generated.module.function(bulkSignature(long), bulkName(operation, long));
  const [to, from, most, step] = [0, 1, 2, 3] as const;
  const off = f.local(long ? "i64" : "i32");
  const [target, source, bytes, at, size] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const isDown = (): FunctionBuilder => f.get(step).i32(0).op(OP.i32_lt_s);
  f.get(step).i32(0).get(step).op(OP.i32_sub);
  isDown().op(OP.i32_eqz).op(OP.select).set(size);
  const narrow = (local: number): FunctionBuilder => {
    f.get(local);
    return long ? f.op(OP.i32_wrap_i64) : f;
  };
  /** Leaves an operand's host address in a local, or gives up; `most` becomes what lies in its page. */
  const operand = (linear: number, tag: number, host: number): void => {
    f.get(linear);
    if (long) f.i64(TLB_SHIFT).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
    else f.i32(TLB_SHIFT).op(OP.i32_shr_u);
    f.i32(TLB_MASK).op(OP.i32_and).i32(0).memory(OP.i32_load, layout.STATE + layout.TLB_VIEW).op(OP.i32_add).set(host);
    f.get(linear).get(host).memory(long ? OP.i64_load : OP.i32_load, tag).op(long ? OP.i64_add : OP.i32_add).tee(off);
    if (long) f.i64(PAGE_SIZE).op(OP.i64_ge_u);
    else f.i32(PAGE_SIZE).op(OP.i32_ge_u);
    f.if(undefined, false);
    f.i32(0).op(OP.return).end();
    isDown().if("i32");
    {
      // The first element ends highest.
      narrow(off).i32(PAGE_SIZE).get(size).op(OP.i32_sub).op(OP.i32_gt_u).if(undefined, false);
      f.i32(0).op(OP.return).end();
      narrow(off).get(size).op(OP.i32_div_u).i32(1).op(OP.i32_add);
    }
    f.else().i32(PAGE_SIZE);
    narrow(off).op(OP.i32_sub).get(size).op(OP.i32_div_u).end();
    f.tee(at).get(most).get(at).get(most).op(OP.i32_lt_u).op(OP.select).set(most);
    narrow(off).get(host).memory(OP.i32_load, tag + TLB_HOST).op(OP.i32_add).set(host);
  };
  operand(to, TLB_WRITE_TAG, target);
  if (operation === "movs") operand(from, TLB_READ_TAG, source);
  f.get(most).get(size).op(OP.i32_mul).set(bytes);
  isDown().if();
  for (const host of operation === "movs" ? [target, source] : [target]) f.get(host).get(bytes).op(OP.i32_sub).get(size).op(OP.i32_add).set(host);
  f.end();
  if (operation === "movs") {
    // Up, it must not be behind the source by less; down, the source behind it.
    f.get(target).get(source).op(OP.i32_sub).get(source).get(target).op(OP.i32_sub);
    isDown().op(OP.i32_eqz).op(OP.select).i32(1).op(OP.i32_sub).get(bytes).i32(1).op(OP.i32_sub).op(OP.i32_lt_u).if(undefined, false);
    f.i32(0).op(OP.return).end();
    f.get(target).get(source).get(bytes).memoryCopy();
  } else {
    // An element that goes beyond its page is none of these.
    f.get(most).op(OP.i32_eqz).if(undefined, false);
    f.i32(0).op(OP.return).end();
    // Zeros, mostly.
    narrow(from).i32(0xff).op(OP.i32_and).set(source);
    f.get(size).i32(1).op(OP.i32_eq);
    if (long) f.get(from).op(OP.i64_eqz);
    else f.get(from).op(OP.i32_eqz);
    f.op(OP.i32_or).if();
    f.get(target).get(source).get(bytes).memoryFill();
    f.else().i32(0).set(at);
    const next = f.loop();
    const width = (n: number, store: () => void): void => {
      f.get(size).i32(n).op(OP.i32_eq).if();
      f.get(target).get(at).op(OP.i32_add);
      store();
      f.end();
    };
    width(2, () => narrow(from).memory(OP.i32_store16));
    width(4, () => narrow(from).memory(OP.i32_store));
    if (long) width(8, () => f.get(from).memory(OP.i64_store));
    f.get(at).get(size).op(OP.i32_add).tee(at).get(bytes).op(OP.i32_lt_u).brIf(next).end().end();
  }
  f.get(most);
}
