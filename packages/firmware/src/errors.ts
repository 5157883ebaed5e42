/**
 * What can be wrong with an image that the host program asks to boot. These are mistakes of the host's user, found before the
 * guest runs its first instruction; nothing a guest does raises one.
 */
import { DoppelError } from "@doppel/persist";

/** Stable codes of {@link FirmwareError}. */
export type FirmwareErrorCode =
  | "FIRMWARE_TRUNCATED"
  | "FIRMWARE_BAD_MAGIC"
  | "FIRMWARE_PROTOCOL_TOO_OLD"
  | "FIRMWARE_UNSUPPORTED"
  | "FIRMWARE_COMMAND_LINE_TOO_LONG"
  | "FIRMWARE_MEMORY_TOO_SMALL"
  | "FIRMWARE_INITRD_TOO_LARGE"
  | "FIRMWARE_BAD_SIZE";

/** A kernel, module, initial RAM disk or BIOS image that cannot be loaded; the message says what to do. */
export class FirmwareError extends DoppelError {
  /** @param code one of the closed list. @param message one sentence for people. */
  constructor(code: FirmwareErrorCode, message: string) {
    super(code, message);
  }
}

/** Bytes as people say them: `formatSize(3 << 20)` is `"3 MiB"`. */
export function formatSize(bytes: number): string {
  if (bytes >= 1 << 20) return `${Math.ceil(bytes / (1 << 20))} MiB`;
  return bytes >= 1 << 10 ? `${Math.ceil(bytes / (1 << 10))} KiB` : `${bytes} bytes`;
}
