/**
 * The three kinds of address of the virtualization literature, as branded numbers, so that one cannot be passed for another.
 * Virtual: what a process in the guest uses (after segmentation: linear). Physical: what the guest kernel believes.
 * Machine: a byte address in the host's `WebAssembly.Memory`.
 */

declare const space: unique symbol;

/** A linear (virtual) address after the canonical check: unsigned for 32-bit guests, sign-extended for 64-bit ones. */
export type LinearAddress = number & { readonly [space]?: "linear" };
/** A guest-physical address. */
export type PhysicalAddress = number & { readonly [space]?: "physical" };
/** A byte address in the arena. */
export type MachineAddress = number & { readonly [space]?: "machine" };
/** Number of a machine frame: machine address / 4096. */
export type Frame = number & { readonly [space]?: "frame" };

/** log2 of the page size. */
export const PAGE_SHIFT = 12;
/** Bytes in a page and in a frame. */
export const PAGE_SIZE = 4096;
