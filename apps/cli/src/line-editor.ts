/** A line of input in a raw terminal, where nothing echoes or erases by itself: just enough of an editor for a prompt. */

const BACKSPACE = 0x08;
const DELETE = 0x7f;
const CTRL_C = 0x03;
const CTRL_U = 0x15;
const ESCAPE = 0x1b;

/** Collects bytes to lines. */
export class LineEditor {
  #line = "";
  #sequence = false;
  readonly #echo: (text: string) => void;

  /** @param echo what shows the user's typing; does nothing where input is no terminal. */
  constructor(echo: (text: string) => void) {
    this.#echo = echo;
  }

  /** Takes bytes, and gives the lines that they completed. */
  feed(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    for (const byte of bytes) {
      if (this.#sequence) {
        // Cursor keys send ESC [ and parameters up to a letter; the prompt has no use for them.
        this.#sequence = byte === 0x5b || (byte >= 0x30 && byte < 0x40);
      } else if (byte === 0x0d || byte === 0x0a) {
        // Raw mode as Node sets it still returns the carriage at a newline.
        this.#echo("\n");
        lines.push(this.#line);
        this.#line = "";
      } else if (byte === BACKSPACE || byte === DELETE) {
        if (this.#line !== "") this.#echo("\b \b");
        this.#line = this.#line.slice(0, -1);
      } else if (byte === CTRL_U || byte === CTRL_C) {
        this.#echo("\b \b".repeat(this.#line.length));
        this.#line = "";
      } else if (byte === ESCAPE) {
        this.#sequence = true;
      } else if (byte >= 0x20 && byte < 0x7f) {
        this.#line += String.fromCharCode(byte);
        this.#echo(String.fromCharCode(byte));
      }
    }
    return lines;
  }
}
