/**
 * The zero page, `struct boot_params`, which a Linux kernel finds at ESI in its 32-bit entry: Linux documentation, "Zero Page".
 *
 *   000  screen_info    070  acpi_rsdp_addr    1e0  alt_mem_k    1e8  e820_entries
 *   1f1  setup header, copied from the image   2d0  e820_table, 20 bytes an entry
 */
import type { E820Entry } from "./memory-map.ts";
import type { LinuxHeader } from "./linux-header.ts";
import { HIGH_MEMORY } from "./memory-map.ts";
import { CAN_USE_HEAP } from "./linux-header.ts";

/** What a loader fills in. Addresses are physical. */
export interface BootParameters {
  e820: readonly E820Entry[];
  commandLine: number;
  initrd: { base: number; length: number };
  /** Where the ACPI root pointer stands, 0 to let the kernel look for it. */
  rsdp: number;
}

/** A loader with no registered number. */
const UNDEFINED_LOADER = 0xff;
/** "vga=normal". */
const NORMAL_VIDEO_MODE = 0xffff;

/** Fills the fields of the setup header that belong to the loader, in a copy of the image's first part. */
export function fillHeader(view: DataView, header: LinuxHeader, parameters: BootParameters): void {
  view.setUint16(0x1fa, NORMAL_VIDEO_MODE, true);
  view.setUint8(0x210, UNDEFINED_LOADER);
  view.setUint8(0x211, header.loadflags | CAN_USE_HEAP);
  view.setUint32(0x218, parameters.initrd.base, true);
  view.setUint32(0x21c, parameters.initrd.length, true);
  view.setUint32(0x228, parameters.commandLine, true);
}

/** Makes the 4 KiB page. */
export function bootParams(kernel: Uint8Array, header: LinuxHeader, parameters: BootParameters): Uint8Array {
  const page = new Uint8Array(4096);
  const view = new DataView(page.buffer);
  page.set(kernel.subarray(0x1f1, header.headerEnd), 0x1f1);
  fillHeader(view, header, parameters);

  // The screen as a BIOS leaves it: VGA text mode 3, 80x25, 16 lines a character.
  view.setUint8(0x06, 3);
  view.setUint8(0x07, 80);
  view.setUint16(0x0a, 3, true);
  view.setUint8(0x0e, 25);
  view.setUint8(0x0f, 1);
  view.setUint16(0x10, 16, true);

  const high = parameters.e820.find((entry) => entry.base === HIGH_MEMORY);
  const extended = high ? high.length >>> 10 : 0;
  view.setUint16(0x02, Math.min(extended, 0xffff), true);
  view.setUint32(0x1e0, extended, true);
  if (header.version >= 0x20e) view.setUint32(0x70, parameters.rsdp, true);

  view.setUint8(0x1e8, parameters.e820.length);
  parameters.e820.forEach((entry, index) => {
    const at = 0x2d0 + index * 20;
    setUint64(view, at, entry.base);
    setUint64(view, at + 8, entry.length);
    view.setUint32(at + 16, entry.type, true);
  });
  return page;
}

function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 2 ** 32, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}
