/**
 * The terminal that `doppel` was started from. In raw mode every key goes to the guest; whatever way the process ends,
 * the terminal gets back the mode it had.
 */

/** A terminal in raw mode, or a pipe that is read as it is. */
export interface RawInput {
  /** Whether standard input is a terminal. */
  readonly isTerminal: boolean;
  /** Gives the terminal back and stops reading. */
  [Symbol.dispose](): void;
}

/**
 * Reads standard input byte by byte: raw when it is a terminal (Ctrl-C arrives as a byte), plain otherwise. The end of input
 * is no event, since it does not end the guest.
 */
export function readRaw(onInput: (bytes: Uint8Array) => void): RawInput {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  const restore = (): void => {
    if (isTerminal) stdin.setRawMode(false);
  };
  const input = (bytes: Buffer): void => onInput(bytes);
  if (isTerminal) stdin.setRawMode(true);
  // The exit event also follows process.exit() and an uncaught exception.
  process.on("exit", restore);
  stdin.on("data", input);
  stdin.on("error", () => {});
  stdin.resume();
  return {
    isTerminal,
    [Symbol.dispose](): void {
      stdin.off("data", input);
      stdin.pause();
      // A pipe that is still open would keep the process alive.
      stdin.unref?.();
      restore();
      process.off("exit", restore);
    },
  };
}
