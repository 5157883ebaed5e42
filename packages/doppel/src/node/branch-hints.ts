/**
 * Branch hints (`metadata.code.branch_hint`) tell V8 which ways through generated code are rare, so that calls there cost the others no
 * registers. V8 heeds them by itself from 13.7 on; that of Node 24 and before asks for a flag, which is the process's.
 */
import v8 from "node:v8";

/** V8's first version that needs no flag. */
const [MAJOR, MINOR] = [13, 7] as const;

/**
 * Has V8 heed branch hints, in all threads of the process. To be called before the first machine is made; what was compiled stays as it is.
 * Code in regions is 5 to 40% faster with it on Node 24.
 * @example
 * ```ts
 * heedBranchHints();
 * ```
 */
export function heedBranchHints(): void {
  const [major, minor] = process.versions.v8.split(".").map(Number);
  if (major! < MAJOR || (major === MAJOR && minor! < MINOR)) v8.setFlagsFromString("--experimental-wasm-branch-hinting");
}
