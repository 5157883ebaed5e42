/** Functions that all regions share: they are made once, and the modules of regions import them. */
import { type Cpu, GeneratedModule, ifKnown } from "@doppel/cpu";
import type { Access } from "@doppel/mmu";
import { OP, type Signature } from "@doppel/wasm";
import { writeFlagHelpers } from "./kept-flags.ts";

/** Name of the function that looks up where a region goes on, in code of 32 or of 64 bits. */
export const findName = (long: boolean): string => (long ? "find64" : "find32");
/** It takes an instruction pointer and gives the address of the jump cache's entry, or 0. */
export const findSignature = (long: boolean): Signature => ({ parameters: [long ? "i64" : "i32"], results: ["i32"] });

/** Name of the function that translates an address as an access of a kind would. */
export const TRANSLATE = "translate";
/** It takes both halves of a linear address, bytes and a kind of access, and gives the host address, or 0; see `LinearMemory.translate`. */
export const TRANSLATE_SIGNATURE: Signature = { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] };

/** Name of the function that is told of a window that the TLB does not have: a region's number, both halves of the linear address, and bytes. */
export const MISSED = "windowMissed";
export const MISSED_SIGNATURE: Signature = { parameters: ["i32", "i32", "i32", "i32"], results: [] };

/** The functions by the names under which modules import them. */
export function regionHelpers(memory: WebAssembly.Memory, { linear: linearMemory }: Cpu): Record<string, (...args: number[]) => number> {
  const generated = new GeneratedModule();
  writeFlagHelpers(generated);
  for (const long of [false, true]) {
    const { builder: f } = generated.module.function(findSignature(long), findName(long));
    const linear = f.local(long ? "i64" : "i32");
    const entry = f.local("i32");
    ifKnown(f, long, () => f.get(0), linear, entry);
    f.get(entry).op(OP.return).end();
    f.i32(0);
  }
  const shared = generated.instantiate(memory, {}).exports as Record<string, (...args: number[]) => number>;
  return { ...shared, [TRANSLATE]: (low, high, size, kind) => linearMemory.translate(low!, high!, size!, kind as Access) };
}
