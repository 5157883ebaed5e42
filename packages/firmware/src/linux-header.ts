/**
 * The setup header of a Linux bzImage: Linux documentation, "The Linux/x86 Boot Protocol", section "The Real-Mode Kernel Header".
 *
 *   000  boot sector            1f1  setup_sects     200  jump over the header
 *   202  "HdrS"                 206  version         211  loadflags        214  code32_start
 *   218  ramdisk_image, size    228  cmd_line_ptr    22c  initrd_addr_max  230  kernel_alignment
 *   234  relocatable_kernel     236  xloadflags      238  cmdline_size     258  pref_address    260  init_size
 */
import { FirmwareError, formatSize } from "./errors.ts";

/** Protected-mode code is loaded at 1 MiB rather than at 64 KiB. */
export const LOADED_HIGH = 1 << 0;
/** The loader set `heap_end_ptr`. */
export const CAN_USE_HEAP = 1 << 7;
/** Of `xloadflags`: there is a 64-bit entry 200h behind the start of the protected-mode kernel (protocol 2.12). */
export const XLF_KERNEL_64 = 1 << 0;

/** What a loader needs of the header. Sizes and offsets are bytes. */
export interface LinuxHeader {
  /** Protocol version, 0x020f for 2.15. */
  version: number;
  loadflags: number;
  /** Size of the real-mode part: boot sector and setup. */
  setupSize: number;
  /** Offset in the file after the last byte of the header, which is also its end in `boot_params`. */
  headerEnd: number;
  code32Start: number;
  initrdAddressMax: number;
  kernelAlignment: number;
  relocatable: boolean;
  xloadflags: number;
  /** Longest command line without its terminating zero. */
  commandLineSize: number;
  preferredAddress: number;
  /** Memory the kernel needs from its run-time start address on, before it can look at the memory map. */
  initSize: number;
  /** The version string inside the image, or an empty string. */
  kernelVersion: string;
}

/**
 * Reads and checks the header of a bzImage.
 * @throws {FirmwareError} `FIRMWARE_TRUNCATED`, `FIRMWARE_BAD_MAGIC` (no boot signature, or no "HdrS"), `FIRMWARE_PROTOCOL_TOO_OLD` (before 2.02).
 */
export function parseLinuxHeader(kernel: Uint8Array): LinuxHeader {
  if (kernel.length < 0x400)
    throw new FirmwareError("FIRMWARE_TRUNCATED", `The kernel is ${formatSize(kernel.length)} long, which is too short for a bzImage; check the file.`);
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  if (view.getUint16(0x1fe, true) !== 0xaa55 || view.getUint32(0x202, true) !== 0x53726448)
    throw new FirmwareError("FIRMWARE_BAD_MAGIC", "The kernel has no Linux setup header (\"HdrS\"); give a bzImage, such as Debian's vmlinuz.");
  const version = view.getUint16(0x206, true);
  if (version < 0x202)
    throw new FirmwareError(
      "FIRMWARE_PROTOCOL_TOO_OLD",
      `The kernel speaks boot protocol ${version >> 8}.${String(version & 0xff).padStart(2, "0")}; 2.02 (Linux 2.4) or later is needed.`,
    );
  const setupSize = ((view.getUint8(0x1f1) || 4) + 1) * 512;
  const paragraphs = view.getUint32(0x1f4, true);
  // The size is rounded up to paragraphs, and before 2.04 only its low half was defined.
  const codeSize = (version >= 0x204 ? paragraphs : paragraphs & 0xffff) * 16 - 15;
  if (kernel.length <= setupSize || kernel.length < setupSize + codeSize)
    throw new FirmwareError(
      "FIRMWARE_TRUNCATED",
      `The kernel file ends after ${formatSize(kernel.length)}, but its header promises ${formatSize(setupSize + codeSize)}; fetch it again.`,
    );
  const since = (protocol: number, read: () => number, before: number): number => (version >= protocol ? read() : before);
  return {
    version,
    loadflags: view.getUint8(0x211),
    setupSize,
    headerEnd: 0x202 + view.getUint8(0x201),
    code32Start: view.getUint32(0x214, true),
    initrdAddressMax: since(0x203, () => view.getUint32(0x22c, true), 0x37ff_ffff),
    kernelAlignment: since(0x205, () => view.getUint32(0x230, true), 0),
    relocatable: since(0x205, () => view.getUint8(0x234), 0) !== 0,
    xloadflags: since(0x20c, () => view.getUint16(0x236, true), 0),
    commandLineSize: since(0x206, () => view.getUint32(0x238, true), 255),
    preferredAddress: since(0x20a, () => view.getUint32(0x258, true) + view.getUint32(0x25c, true) * 2 ** 32, 0),
    initSize: since(0x20a, () => view.getUint32(0x260, true), 0),
    kernelVersion: versionString(kernel, view.getUint16(0x20e, true)),
  };
}

function versionString(kernel: Uint8Array, pointer: number): string {
  if (pointer === 0) return "";
  let text = "";
  for (let i = pointer + 0x200; i < kernel.length && kernel[i] !== 0 && text.length < 128; i++) text += String.fromCharCode(kernel[i]!);
  return text;
}
