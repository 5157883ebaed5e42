/**
 * The interrupt services that a BIOS leaves behind, as far as a boot loader's client calls them: IBM PC/AT Technical Reference, "BIOS
 * Interface", and ACPI 6.4, section 15.1 "INT 15H, E820H". Xen looks at screen, disks and memory from real mode although a loader told
 * it all; the hardware interrupts that are on by then want an end of interrupt. There are no disks, and no key was pressed.
 */
import { MADE } from "./bios-code.made.ts";
import { HANDLERS, make, SERVICES } from "./bios-code.maker.ts";
import type { E820Entry } from "./memory-map.ts";
import { ByteWriter } from "./byte-writer.ts";
import { BIOS_SEGMENT, HIGH_MEMORY } from "./memory-map.ts";

const VECTORS = 256;
const MIB = 1 << 20;
/** `jmp near` has three bytes. */
const JUMP = 3;

/** Interrupt vectors to be written at 0, and the code to be written at `base`. */
export function biosServices(map: readonly E820Entry[]): { vectors: Uint8Array; base: number; code: Uint8Array } {
  const targets = new Map(HANDLERS.flatMap(([, ...vectors], n) => vectors.map((vector) => [vector, n] as const)));
  const vectors = new ByteWriter();
  for (let n = 0; n < VECTORS; n++) vectors.u16(SERVICES + JUMP * (targets.get(n) ?? 0)).u16(BIOS_SEGMENT >> 4);
  const extended = map.find((entry) => entry.base === HIGH_MEMORY)?.length ?? 0;
  const kilobytes = Math.floor(extended / 1024);
  const code = new ByteWriter().bytes(MADE ?? make());
  code.u16(Math.min(kilobytes, 0xffff)).u16(Math.min(kilobytes, 15 * 1024)).u16(Math.max(0, Math.floor((extended - 15 * MIB) / 65536))).u32(map.length);
  for (const entry of map) code.u64(entry.base).u64(entry.length).u32(entry.type);
  return { vectors: vectors.finish(), base: BIOS_SEGMENT + SERVICES, code: code.finish() };
}
