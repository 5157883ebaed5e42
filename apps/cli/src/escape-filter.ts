/**
 * Takes the escape sequences of the serial console out of the bytes that a user types: Ctrl-A and then X, C or H. Everything
 * else goes on to the guest, Ctrl-A itself when it is typed twice.
 */

/** What a stretch of input means. */
export type ConsoleEvent =
  | { kind: "data"; bytes: Uint8Array }
  | { kind: "command"; command: "quit" | "monitor" | "help" };

const CTRL_A = 0x01;
const commands = new Map<number, "quit" | "monitor" | "help">(
  [["x", "quit"], ["c", "monitor"], ["h", "help"], ["?", "help"]].map(([key, command]) => [key!.charCodeAt(0), command as "quit"]),
);

/** Help for the sequences, one a line. */
export const ESCAPE_HELP = "Ctrl-A X  quit\nCtrl-A C  monitor\nCtrl-A H  this help\nCtrl-A Ctrl-A  send Ctrl-A\n";

/** Remembers a Ctrl-A between two pieces of input. */
export class EscapeFilter {
  #escaped = false;

  /**
   * Splits input into data and commands, in order.
   * @example
   * ```ts
   * new EscapeFilter().feed(Buffer.from("ls\x01x")); // data "ls", then the command "quit"
   * ```
   */
  feed(input: Uint8Array): ConsoleEvent[] {
    const events: ConsoleEvent[] = [];
    let data: number[] = [];
    const flush = (): void => {
      if (data.length > 0) events.push({ kind: "data", bytes: Uint8Array.from(data) });
      data = [];
    };
    for (const byte of input) {
      if (!this.#escaped) {
        if (byte === CTRL_A) this.#escaped = true;
        else data.push(byte);
        continue;
      }
      this.#escaped = false;
      // Upper and lower case mean the same.
      const command = commands.get(byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);
      if (byte === CTRL_A) data.push(byte);
      else if (command) {
        flush();
        events.push({ kind: "command", command });
      }
    }
    flush();
    return events;
  }
}
