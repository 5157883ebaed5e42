/** A conversation with a guest over a serial line: wait for a text, type an answer. */
import { DoppelError } from "@doppel/persist";
import type { SerialLine } from "./any-vm.ts";

/** The guest did not say what was waited for. */
export class ConsoleError extends DoppelError {}

/** How much of what the guest said is kept. */
const KEPT = 1 << 20;

/** What a guest said on a serial line, and a way to answer. */
export class Console {
  /** Everything that the guest has said, the last mebibyte of it. */
  text = "";
  private seen = 0;
  private readonly port: SerialLine;
  private readonly decoder = new TextDecoder();
  private readonly waiting = new Set<() => void>();

  constructor(port: SerialLine) {
    this.port = port;
    port.onOutput((bytes) => {
      this.text += this.decoder.decode(bytes, { stream: true });
      const surplus = this.text.length - KEPT;
      if (surplus > 0) {
        this.text = this.text.slice(surplus);
        this.seen = Math.max(0, this.seen - surplus);
      }
      for (const look of [...this.waiting]) look();
    });
  }

  /** Types text, as it is: end a line with "\n". */
  type(text: string): void {
    this.port.write(text);
  }

  /**
   * Waits until the guest says a text, or something that matches, after what the last wait found. Resolves with everything
   * from there up to the end of it.
   * @param milliseconds of the host's time to wait at most
   * @throws {ConsoleError} `CONSOLE_TIMEOUT` when the time is up
   */
  waitFor(what: string | RegExp, milliseconds = 60_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const rest = this.text.slice(this.seen);
        const found = typeof what === "string" ? rest.indexOf(what) : rest.search(what);
        if (found < 0) return;
        const length = typeof what === "string" ? what.length : what.exec(rest)![0].length;
        this.waiting.delete(look);
        clearTimeout(timer);
        this.seen += found + length;
        resolve(rest.slice(0, found + length));
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        reject(new ConsoleError("CONSOLE_TIMEOUT", `the guest did not say ${String(what)} within ${milliseconds} ms; its last words: ${JSON.stringify(this.text.slice(-200))}`));
      }, milliseconds);
      this.waiting.add(look);
      look();
    });
  }
}
