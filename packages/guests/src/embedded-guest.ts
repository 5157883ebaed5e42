/**
 * The guest that needs no file and no network: a small kernel of our own, assembled on first use. Tests, examples, the demonstration on
 * a machine without apt, and the web page boot it.
 */
import { commandList, type GuestCommand } from "./embedded/commands.ts";
import { assembleKernel } from "./embedded/image.ts";

/** The kernel and what one must know to talk with it. */
export interface EmbeddedGuest {
  /** A multiboot kernel of some kilobytes; give it to a loader as it is, and do not change it. */
  readonly image: Uint8Array;
  /** What it prints on COM1 and on the screen when it waits for a line. */
  readonly prompt: string;
  /** What may be typed there. */
  readonly commands: readonly GuestCommand[];
  /** Addresses of the kernel's labels, for debuggers and tests. */
  readonly labels: ReadonlyMap<string, number>;
}

let guest: EmbeddedGuest | undefined;

/**
 * Gives the embedded guest; assembles it in the first call.
 *
 * @example
 * ```ts
 * const { image, prompt } = embeddedGuest();
 * new DataView(image.buffer).getUint32(0, true); // 0x1badb002, the magic number of multiboot
 * prompt; // "doppel> "
 * ```
 */
export function embeddedGuest(): EmbeddedGuest {
  if (guest === undefined) {
    const { bytes, labels } = assembleKernel();
    guest = { image: bytes, prompt: "doppel> ", commands: commandList, labels };
  }
  return guest;
}
