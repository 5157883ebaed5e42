/**
 * What can go wrong on the host's side: files, packages, listeners. The message is one sentence that a person can act on.
 */
import { DoppelError } from "@doppel/persist";

/** Stable codes of {@link HostError}. */
export type HostErrorCode =
  | "HOST_FILE"
  | "HOST_NO_APT"
  | "HOST_PACKAGE_NOT_FOUND"
  | "HOST_DOWNLOAD"
  | "HOST_BAD_PACKAGE"
  | "HOST_HASH_MISMATCH"
  | "HOST_UNKNOWN_GUEST"
  | "HOST_BAD_VALUE"
  | "HOST_PORT";

/** A file, package, guest or listener that cannot be used. */
export class HostError extends DoppelError {
  /** @param code one of the closed list. @param message one sentence. @param options the usual `cause`. */
  constructor(code: HostErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
