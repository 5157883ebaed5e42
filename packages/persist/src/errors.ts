/**
 * The root of every error that Doppel throws. A host program tells errors apart by `code`, which is stable across releases;
 * the message is for people and says what to do. What a guest does wrong is never an error: it is a value.
 */

/** Base class of every error that the host program can cause. `code` is stable, upper case, with underscores. */
export class DoppelError extends Error {
  /** Stable identification of the error, for example `PERSIST_TRUNCATED`. */
  readonly code: string;

  /** @param code stable identification. @param message one sentence for people. @param options the usual `cause`. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** What can be wrong with bytes given to `decode`, or with a value given to `encode`. */
export type PersistErrorCode =
  | "PERSIST_MAGIC"
  | "PERSIST_VERSION"
  | "PERSIST_TRUNCATED"
  | "PERSIST_TRAILING"
  | "PERSIST_MALFORMED"
  | "PERSIST_TOO_DEEP"
  | "PERSIST_UNSUPPORTED"
  | "PERSIST_SHAPE";

/** Saved bytes that cannot be read, a value that cannot be saved, or a state that does not fit the part it is given to. */
export class PersistError extends DoppelError {
  /** @param code one of the closed list. @param message one sentence that says what was met and where. */
  constructor(code: PersistErrorCode, message: string) {
    super(code, message);
  }
}
