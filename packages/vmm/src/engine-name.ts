/** How instructions are executed, by the names that users give. */

/** `interpreter` executes decoded records alone; `auto` has hot code translated to WebAssembly as well. */
export type EngineName = "interpreter" | "auto";
/** The engine of a machine that asks for none. */
export const DEFAULT_ENGINE: EngineName = "auto";
