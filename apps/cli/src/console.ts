/**
 * The console of a run: the guest's serial port on standard input and output, and behind Ctrl-A the monitor. The monitor
 * prints to standard error, so that standard output carries the guest's bytes and nothing else.
 */
import type { Vm } from "./machine.ts";
import type { MonitorHost } from "./monitor.ts";
import type { Streams } from "./streams.ts";
import { ESCAPE_HELP, EscapeFilter } from "./escape-filter.ts";
import { LineEditor } from "./line-editor.ts";
import { PROMPT, monitorCommand } from "./monitor.ts";

/** What the console tells the run. */
export interface ConsoleEvents extends MonitorHost {
  quit(): void;
}

/** Reads standard input until it is disposed. */
export class Console implements Disposable {
  readonly #vm: Vm;
  readonly #port: number | undefined;
  readonly #streams: Streams;
  readonly #events: ConsoleEvents;
  readonly #filter = new EscapeFilter();
  readonly #editor: LineEditor;
  readonly #input: ReturnType<Streams["input"]>;
  #monitor = false;
  /** Commands run one after the other, since some take time. */
  #queue: Promise<void> = Promise.resolve();

  /** @param port the UART that standard input types into, if any. */
  constructor(vm: Vm, port: number | undefined, streams: Streams, events: ConsoleEvents) {
    this.#vm = vm;
    this.#port = port;
    this.#streams = streams;
    this.#events = events;
    this.#input = streams.input((bytes) => this.#receive(bytes));
    this.#editor = new LineEditor((text) => {
      if (this.#input.isTerminal) streams.err(text);
    });
  }

  [Symbol.dispose](): void {
    this.#input[Symbol.dispose]();
  }

  #print(text: string): void {
    this.#streams.err(text);
  }

  #receive(bytes: Uint8Array): void {
    for (const event of this.#filter.feed(bytes)) {
      // In the order typed, whatever a command before it waits for.
      this.#queue = this.#queue.then(async () => {
        if (event.kind === "data") return this.#data(event.bytes);
        if (event.command === "quit") this.#events.quit();
        if (event.command === "help") this.#print(`\n${ESCAPE_HELP}`);
        if (event.command === "monitor") await this.#toggle();
      }).catch((error: unknown) => this.#print(`${error instanceof Error ? error.message : String(error)}\n`));
    }
  }

  async #data(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at++) {
      if (!this.#monitor) {
        if (this.#port !== undefined) this.#vm.serial[this.#port]?.write(bytes.subarray(at));
        return;
      }
      // Byte by byte, because what follows `continue` is for the guest.
      for (const line of this.#editor.feed(bytes.subarray(at, at + 1))) {
        const result = await monitorCommand(this.#vm, this.#events, line);
        this.#print(result.text);
        if (result.then === "quit") return this.#events.quit();
        if (result.then === "continue") await this.#toggle();
        else this.#print(PROMPT);
      }
    }
  }

  async #toggle(): Promise<void> {
    this.#monitor = !this.#monitor;
    if (this.#monitor) {
      await this.#vm.pause();
      this.#print(`\n${PROMPT}`);
    } else {
      this.#print("\n");
      this.#vm.resume();
    }
  }
}
