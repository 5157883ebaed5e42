/** A serial line as a terminal (xterm.js), which is loaded when the first one is shown. */
import type { ITheme, Terminal } from "@xterm/xterm";
import style from "@xterm/xterm/css/xterm.css?inline";
import type { SerialLine } from "../any-vm.ts";

/** Colours of the terminal: a calm dark screen, whatever the page around it. */
const THEME: ITheme = {
  background: "#10151c", foreground: "#d5dce6", cursor: "#7fb4ff", cursorAccent: "#10151c", selectionBackground: "#35506f",
  black: "#1d2530", red: "#f0786f", green: "#7fc98b", yellow: "#e3c078", blue: "#7fb4ff", magenta: "#c99bee", cyan: "#6fcbd0", white: "#d5dce6",
  brightBlack: "#66758a", brightRed: "#ff988f", brightGreen: "#9be3a6", brightYellow: "#f5d896", brightBlue: "#a3caff", brightMagenta: "#deb8fb",
  brightCyan: "#93e2e6", brightWhite: "#ffffff",
};
const FONT = 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace';
const SCROLLBACK = 10_000;
/** Bytes on their way to the screen, beyond which a burst is shown with a gap: a terminal that lags by minutes is of no use. */
const MOST_PENDING = 4 << 20;

/** Marks the style sheet in a document or shadow root. */
const STYLE_MARK = "data-doppel-terminal";

function addStyle(element: HTMLElement): void {
  const root = element.getRootNode();
  const parent = root instanceof ShadowRoot ? root : document.head;
  if (parent.querySelector(`[${STYLE_MARK}]`) !== null) return;
  const sheet = document.createElement("style");
  sheet.setAttribute(STYLE_MARK, "");
  sheet.textContent = style;
  parent.append(sheet);
}

/** A terminal in an element of the page. */
export class TerminalView implements Disposable {
  readonly terminal: Terminal;
  private readonly fitNow: () => void;
  private readonly observer: ResizeObserver;
  private pending = 0;
  private gap = false;

  private constructor(terminal: Terminal, fit: () => void, container: HTMLElement) {
    this.terminal = terminal;
    this.fitNow = fit;
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(container);
    terminal.attachCustomKeyEventHandler((event) => this.key(event));
  }

  /**
   * Puts a terminal into an element, as large as that is.
   * @example
   * const view = await TerminalView.create(document.querySelector("#console"));
   * view.connect(vm.serial[0]);
   */
  static async create(container: HTMLElement): Promise<TerminalView> {
    const [{ Terminal }, { FitAddon }] = await Promise.all([import("@xterm/xterm"), import("@xterm/addon-fit")]);
    addStyle(container);
    const terminal = new Terminal({ theme: THEME, fontFamily: FONT, fontSize: 14, lineHeight: 1.15, scrollback: SCROLLBACK, cursorBlink: true, screenReaderMode: false });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(container);
    const view = new TerminalView(terminal, () => fit.fit(), container);
    view.fit();
    return view;
  }

  /** Shows what the line says and sends it what is typed, until the result is disposed of. */
  connect(line: SerialLine): Disposable {
    const output = line.onOutput((bytes) => this.write(bytes));
    const typed = this.terminal.onData((text) => line.write(text));
    const binary = this.terminal.onBinary((text) => line.write(Uint8Array.from(text, (character) => character.charCodeAt(0))));
    return {
      [Symbol.dispose]: () => {
        output[Symbol.dispose]();
        typed.dispose();
        binary.dispose();
      },
    };
  }

  /** Shows text or bytes. */
  write(data: Uint8Array | string): void {
    if (this.pending > MOST_PENDING) {
      this.gap = true;
      return;
    }
    if (this.gap) this.terminal.write("\r\n\x1b[33m[some output was not shown]\x1b[0m\r\n");
    this.gap = false;
    this.pending += data.length;
    this.terminal.write(data, () => (this.pending -= data.length));
  }

  /** Shows what was said earlier, to a terminal that is not connected yet: what it answers goes nowhere. Resolves when it has answered. */
  replay(text: string): Promise<void> {
    return new Promise((resolve) => this.terminal.write(text, resolve));
  }

  /** Fits the terminal to its element, if that is shown. */
  fit(): void {
    if (this.terminal.element?.offsetParent) this.fitNow();
  }

  /** Ctrl+Shift+C and V copy and paste, as in other terminals; Ctrl+Alt+G gives the keyboard back to the page, as in QEMU. */
  private key(event: KeyboardEvent): boolean {
    if (event.ctrlKey && event.altKey && event.code === "KeyG") {
      if (event.type === "keydown") this.release();
      return false;
    }
    if (!event.ctrlKey || !event.shiftKey) return true;
    if (event.code === "KeyC") {
      event.preventDefault();
      if (event.type === "keydown") void this.copy();
      return false;
    }
    // The browser's own paste event follows.
    return event.code !== "KeyV";
  }

  private release(): void {
    this.terminal.blur();
    this.terminal.element?.dispatchEvent(new CustomEvent("doppel-release", { bubbles: true, composed: true }));
  }

  /** Copies the selection, or everything when nothing is selected; gives the text. */
  async copy(): Promise<string> {
    const { terminal } = this;
    const text = terminal.hasSelection() ? terminal.getSelection() : this.text();
    await navigator.clipboard?.writeText(text);
    return text;
  }

  /** Types a text as if it were pasted. */
  paste(text: string): void {
    this.terminal.paste(text);
    this.terminal.focus();
  }

  /** Everything on the terminal, the part that has scrolled away included. */
  text(): string {
    const { active } = this.terminal.buffer;
    const lines: string[] = [];
    for (let n = 0; n < active.length; n++) {
      const line = active.getLine(n);
      if (line === undefined) continue;
      if (line.isWrapped) lines.push((lines.pop() ?? "") + line.translateToString(true));
      else lines.push(line.translateToString(true));
    }
    return lines.join("\n").trimEnd();
  }

  [Symbol.dispose](): void {
    this.observer.disconnect();
    this.terminal.dispose();
  }
}
