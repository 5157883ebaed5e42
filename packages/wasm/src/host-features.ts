/**
 * What a host's WebAssembly can do beyond the first version: asked by validating the smallest module that uses it. Safari has tail calls from version 18.2
 * on and SIMD from 16.4, Firefox from 121 and 89, Chrome from 112 and 91.
 */

/** Features that not every host has. */
export interface WasmFeatures {
  /** `return_call` and `return_call_indirect`. */
  readonly tailCalls: boolean;
  /** The 128-bit vectors of SIMD128. */
  readonly simd: boolean;
}

/** A module with one function () -> () of this code. */
function accepts(...code: number[]): boolean {
  const body = [0, ...code, 0x0b];
  return WebAssembly.validate(Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic and version
    1, 4, 1, 0x60, 0, 0, // a type
    3, 2, 1, 0, // a function of it
    10, body.length + 2, 1, body.length, ...body,
  ));
}

/**
 * What this host's WebAssembly has.
 * @example
 * const { tailCalls, simd } = hostFeatures();
 */
export function hostFeatures(): WasmFeatures {
  return {
    tailCalls: accepts(0x12, 0), // return_call 0
    simd: accepts(0x41, 0, 0xfd, 0x0f, 0x1a), // i32.const 0, i8x16.splat, drop
  };
}
