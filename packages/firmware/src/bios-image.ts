/**
 * A flat BIOS image: its end stands at 4 GiB, where the reset vector FFFF_FFF0 reads it, and its last 128 KiB (or all of it,
 * if it is smaller) appear once more below 1 MiB, as on every PC since the 80386.
 */
import { FirmwareError, formatSize } from "./errors.ts";

/** A read-only piece of the physical address space. */
export interface RomRegion { base: number; bytes: Uint8Array }

/** The largest image: what chipsets decode below 4 GiB without reaching the APICs. */
const LARGEST = 16 << 20;
const FOUR_GIB = 0x1_0000_0000;
const LEGACY = 128 << 10;

/**
 * Where the bytes of a BIOS image appear.
 * @throws {FirmwareError} `FIRMWARE_BAD_SIZE` unless the image is a multiple of 64 KiB and at most 16 MiB.
 */
export function mapBios(image: Uint8Array): { high: RomRegion; legacy: RomRegion } {
  if (image.length === 0 || image.length % 0x10000 !== 0 || image.length > LARGEST)
    throw new FirmwareError("FIRMWARE_BAD_SIZE", `A BIOS image is a multiple of 64 KiB and at most 16 MiB, not ${formatSize(image.length)}; check the file.`);
  const legacy = image.subarray(Math.max(0, image.length - LEGACY));
  return {
    high: { base: FOUR_GIB - image.length, bytes: image },
    legacy: { base: 0x100000 - legacy.length, bytes: legacy },
  };
}
