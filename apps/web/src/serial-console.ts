/** A serial port on the page: its terminal, and a log of what the guest said there. */
import { type AnyVm, TerminalView } from "doppel/browser";

const MOST_LOG = 8 << 20;
const TAIL = 32 << 10;

/** The console on one port. */
export class SerialConsole implements Disposable {
  /** `COM1`. */
  readonly name: string;
  readonly host = document.createElement("div");
  terminal: TerminalView | undefined;
  private readonly line: AnyVm["serial"][number];
  private readonly said: Disposable;
  private readonly log: Uint8Array[] = [];
  private logged = 0;
  private earlier = "";
  private opening: Promise<void> | undefined;

  /** @param number from 1 @param spoke called when the guest says something for the first time */
  constructor(line: AnyVm["serial"][number], number: number, spoke: () => void) {
    this.name = `COM${number}`;
    this.host.className = "console";
    this.line = line;
    this.said = line.onOutput((bytes) => {
      if (this.logged === 0) spoke();
      this.log.push(bytes);
      this.logged += bytes.length;
      while (this.logged > MOST_LOG) this.logged -= this.log.shift()!.length;
    });
  }

  /** Makes the terminal, which shows what was said so far. @param earlier what it said before the machine was saved */
  open(earlier = ""): Promise<void> {
    return (this.opening ??= this.make(earlier));
  }

  private async make(earlier: string): Promise<void> {
    this.earlier = earlier;
    this.terminal = await TerminalView.create(this.host);
    // Before it is connected: what was said then may hold questions to the terminal, which were answered then.
    if (earlier !== "") await this.terminal.replay(earlier);
    for (const bytes of this.log) this.terminal.write(bytes);
    this.terminal.connect(this.line);
  }

  /** Whether the guest said anything. */
  get hasSpoken(): boolean {
    return this.logged > 0;
  }

  write(text: string): void {
    this.line.write(text);
  }

  /** Everything that the guest said, the last of it. */
  logBytes(): Blob {
    return new Blob(this.log as BlobPart[], { type: "text/plain" });
  }

  /** What a saved machine's console shows again: whole lines, from the end of the log. */
  async tail(): Promise<string> {
    const blob = this.logBytes();
    const text = this.earlier + (await blob.slice(Math.max(0, blob.size - TAIL)).text());
    return text.slice(-TAIL).replace(/^[^\n]*\n/, text.length > TAIL ? "" : "$&");
  }

  focus(): void {
    this.terminal?.fit();
    this.terminal?.terminal.focus();
  }

  [Symbol.dispose](): void {
    this.said[Symbol.dispose]();
    this.terminal?.[Symbol.dispose]();
  }
}
