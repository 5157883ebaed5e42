/** The host's side of a session, injected so that tests run one without a terminal. */

/** Where bytes and messages go, and how typed bytes arrive. */
export interface Streams {
  /** Standard output. */
  out(bytes: Uint8Array | string): void;
  /** Standard error: messages, prompts, statistics. */
  err(text: string): void;
  /** Starts to read standard input raw; only one reader at a time. */
  input(listener: (bytes: Uint8Array) => void): { readonly isTerminal: boolean } & Disposable;
  /** Called when standard output can take no more, because its reader is gone. */
  onClosed(listener: () => void): Disposable;
}
