/**
 * The host bridge of an 82441FX (Intel 290549): identification, and the PAM registers that decide for each piece of the addresses
 * C0000h to FFFFFh whether reads and writes go to RAM or to the ROM behind PCI.
 *
 *   59h bits 5:4 F0000h, 64 KiB    5Ah..5Fh two pieces of 16 KiB each, from C0000h on (bit 0 read, bit 1 write)
 */

import { PciFunction } from "./pci-function.ts";

const PAM0 = 0x59;
const PAM_LAST = 0x5f;
const SMRAM = 0x72;
const READ_ENABLE = 1;
const WRITE_ENABLE = 2;

/** Where the accesses to one piece of the low ROM area go: to RAM, or else to ROM (reads) or nowhere (writes). */
export type ShadowRange = { readonly start: number; readonly size: number; readonly readRam: boolean; readonly writeRam: boolean };

function shadowRange(start: number, size: number, bits: number): ShadowRange {
  return { start, size, readRam: (bits & READ_ENABLE) !== 0, writeRam: (bits & WRITE_ENABLE) !== 0 };
}

/** The thirteen pieces as the PAM registers of this function say. */
export function shadowRanges(bridge: PciFunction): ShadowRange[] {
  const ranges: ShadowRange[] = [];
  for (let i = 0; i < 12; i++) {
    ranges.push(shadowRange(0xc0000 + i * 0x4000, 0x4000, bridge.get8(PAM0 + 1 + (i >> 1)) >> (4 * (i & 1))));
  }
  ranges.push(shadowRange(0xf0000, 0x10000, bridge.get8(PAM0) >> 4));
  return ranges;
}

/** The bridge at device 0. @param shadowChanged told all thirteen pieces after a PAM register was written, reset or restored. */
export function createI440fx(shadowChanged: (ranges: ShadowRange[]) => void): PciFunction {
  const bridge = new PciFunction({ vendor: 0x8086, device: 0x1237, revision: 0x02, classCode: 0x060000 });
  for (let offset = PAM0; offset <= PAM_LAST; offset++) bridge.allow(offset, offset === PAM0 ? 0x30 : 0x33);
  bridge.set8(SMRAM, 0x02);
  bridge.allow(SMRAM, 0x78);
  bridge.onWrite((offset, size) => {
    if (offset <= PAM_LAST && offset + size > PAM0) shadowChanged(shadowRanges(bridge));
  });
  return bridge;
}
