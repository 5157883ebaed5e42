/** The text screen on a canvas, and its keyboard: keys of the page become keys of the guest's PS/2 keyboard. */
import type { TextScreen } from "@doppel/devices";
import type { AnyVm } from "../any-vm.ts";
import { drawLines } from "./box-drawing.ts";
import { strokesOf } from "./keys.ts";

/** Pixels of a character on the original, nine by sixteen. */
const CELL_WIDTH = 9;
const CELL_HEIGHT = 16;
const FONT = '"DejaVu Sans Mono", "Cascadia Mono", "SF Mono", Menlo, Consolas, monospace';
/** Milliseconds between two looks at the screen. */
const PERIOD_MS = 50;
const BLINK_MS = 267;
const BLINKING = 0x80;
/** Milliseconds between two strokes that are typed for a text: a guest's driver takes a key at a time. */
const STROKE_MS = 12;

/** The screen of a machine in an element of the page. */
export class ScreenView implements Disposable {
  /** The picture. */
  readonly canvas: HTMLCanvasElement;
  /** Lies over the picture and takes the keyboard: a field for text is what makes a phone show its own. */
  private readonly field: HTMLTextAreaElement;
  private readonly context: CanvasRenderingContext2D;
  /** The same as text, for screen readers. */
  private readonly mirror: HTMLPreElement;
  private readonly vm: AnyVm;
  private readonly down = new Set<string>();
  private readonly observer: ResizeObserver;
  private shown: TextScreen | undefined;
  private phase = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ended = false;
  private typing = Promise.resolve();

  /**
   * Puts the screen into an element, as wide as that is.
   * @example
   * const screen = new ScreenView(document.querySelector("#screen"), vm);
   */
  constructor(container: HTMLElement, vm: AnyVm) {
    this.vm = vm;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.style.cssText = "display:block;width:100%;height:auto;max-height:100%;object-fit:contain;margin:auto;touch-action:manipulation";
    this.context = this.canvas.getContext("2d", { alpha: false })!;
    this.mirror = document.createElement("pre");
    this.mirror.style.cssText = "position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%);white-space:pre";
    this.field = document.createElement("textarea");
    for (const [name, value] of Object.entries({ autocapitalize: "off", autocomplete: "off", autocorrect: "off", spellcheck: "false" })) this.field.setAttribute(name, value);
    this.field.setAttribute("aria-label", "The guest's keyboard. Ctrl+Alt+G gives the keyboard back to the page.");
    this.field.style.cssText = "position:absolute;inset:0;width:100%;height:100%;margin:0;padding:0;border:0;resize:none;background:transparent;color:transparent;"
      + "caret-color:transparent;cursor:default;font-size:16px;overflow:hidden";
    if (getComputedStyle(container).position === "static") container.style.position = "relative";
    container.append(this.canvas, this.mirror, this.field);
    this.field.addEventListener("keydown", (event) => this.key(event, true));
    this.field.addEventListener("keyup", (event) => this.key(event, false));
    this.field.addEventListener("blur", () => this.releaseAll());
    this.field.addEventListener("paste", (event) => this.paste(event));
    this.field.addEventListener("input", (event) => this.input(event as InputEvent));
    this.observer = new ResizeObserver(() => this.draw(true));
    this.observer.observe(container);
    void this.look();
  }

  /** Looks at the machine's screen again and again, while the picture can be seen. */
  private async look(): Promise<void> {
    if (this.ended) return;
    if (this.canvas.offsetParent !== null) {
      try {
        this.show(await this.vm.display());
      } catch {
        // The machine is gone; its last picture stays.
        return;
      }
    }
    if (!this.ended) this.timer = setTimeout(() => void this.look(), PERIOD_MS);
  }

  private show(screen: TextScreen): void {
    const before = this.shown;
    this.shown = screen;
    const phase = Math.floor(performance.now() / BLINK_MS) % 2 === 1;
    const blinked = phase !== this.phase;
    this.phase = phase;
    const changed = before === undefined || before.columns !== screen.columns || before.isText !== screen.isText || !same(before.cells, screen.cells)
      || !same(before.colours, screen.colours);
    if (changed) this.mirror.textContent = screen.isText ? screen.rows.map((row) => row.trimEnd()).join("\n") : "(a graphics mode is on)";
    const moved = before !== undefined && (before.cursor.row !== screen.cursor.row || before.cursor.column !== screen.cursor.column);
    if (changed || moved || blinked) this.draw(false);
  }

  /** Everything: 2,000 characters take about a millisecond. */
  private draw(resized: boolean): void {
    const screen = this.shown;
    if (screen === undefined) return;
    const rows = Math.max(1, screen.rows.length);
    const { canvas, context } = this;
    // Whole device pixels for a cell, so that characters stay sharp.
    const scale = Math.max(1, Math.ceil(((canvas.parentElement?.clientWidth ?? 720) * devicePixelRatio) / (screen.columns * CELL_WIDTH)));
    const [width, height] = [CELL_WIDTH * scale, CELL_HEIGHT * scale];
    if (resized || canvas.width !== screen.columns * width || canvas.height !== rows * height) {
      canvas.width = screen.columns * width;
      canvas.height = rows * height;
    }
    const colour = (n: number): string => `rgb(${screen.colours[3 * n]} ${screen.colours[3 * n + 1]} ${screen.colours[3 * n + 2]})`;
    context.fillStyle = colour(0);
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!screen.isText) return this.say("The guest has a graphics mode on, which this screen does not show.");
    context.font = `${Math.round(height * 0.82)}px ${FONT}`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (const [row, text] of screen.rows.entries()) {
      let column = 0;
      for (const character of text) {
        const attribute = screen.cells[2 * (row * screen.columns + column) + 1]!;
        const back = (attribute >> 4) & (screen.blink ? 7 : 15);
        const [x, y] = [column * width, row * height];
        if (back !== 0) {
          context.fillStyle = colour(back);
          context.fillRect(x, y, width, height);
        }
        const hidden = screen.blink && (attribute & BLINKING) !== 0 && this.phase;
        if (character !== " " && character !== "\0" && !hidden) {
          context.fillStyle = colour(attribute & 15);
          if (!drawLines(context, character, x, y, width, height)) context.fillText(character, x + width / 2, y + height * 0.54, width);
        }
        column++;
      }
    }
    const { cursor } = screen;
    if (!cursor.visible || this.phase) return;
    context.fillStyle = colour(screen.cells[2 * (cursor.row * screen.columns + cursor.column) + 1]! & 15);
    context.fillRect(cursor.column * width, (cursor.row + 1) * height - 3 * scale, width, 2 * scale);
  }

  private say(text: string): void {
    const { canvas, context } = this;
    context.fillStyle = "#d5dce6";
    context.font = `${Math.round(canvas.width / 45)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.fillText(text, canvas.width / 2, canvas.height / 2);
  }

  private key(event: KeyboardEvent, down: boolean): void {
    if (event.ctrlKey && event.altKey && event.code === "KeyG") {
      this.field.blur();
      this.field.dispatchEvent(new CustomEvent("doppel-release", { bubbles: true, composed: true }));
      return event.preventDefault();
    }
    // Paste is the page's: its event brings the text.
    if (event.ctrlKey && event.shiftKey && event.code === "KeyV") return;
    // Keyboards of phones name no keys; what they type comes as input.
    if (event.code === "" || event.isComposing) return;
    event.preventDefault();
    if (down) this.down.add(event.code);
    else this.down.delete(event.code);
    void this.press(event.code, down);
  }

  private input(event: InputEvent): void {
    if (event.isComposing) return;
    this.field.value = "";
    void this.type(event.inputType === "deleteContentBackward" ? "\b" : event.inputType === "insertLineBreak" ? "\n" : event.data ?? "");
  }

  private paste(event: ClipboardEvent): void {
    event.preventDefault();
    void this.type(event.clipboardData?.getData("text") ?? "");
  }

  /** Gives the keyboard to the guest. */
  focus(): void {
    this.field.focus({ preventScroll: true });
  }

  /** A machine that is gone takes no keys, which is no fault. */
  private async press(code: string, down: boolean): Promise<void> {
    try {
      await this.vm.key(code, down);
    } catch {
      this.down.clear();
    }
  }

  /** A key that is let go while the page has the keyboard would stay down for ever. */
  private releaseAll(): void {
    for (const code of this.down) void this.press(code, false);
    this.down.clear();
  }

  /** Types a text on the guest's keyboard, as on one of the US, behind what is being typed. */
  type(text: string): Promise<void> {
    return (this.typing = this.typing.then(() => this.strokes(text)));
  }

  private async strokes(text: string): Promise<void> {
    for (const { code, shift } of strokesOf(text)) {
      if (shift) await this.press("ShiftLeft", true);
      await this.press(code, true);
      await this.press(code, false);
      if (shift) await this.press("ShiftLeft", false);
      await new Promise((resolve) => setTimeout(resolve, STROKE_MS));
    }
  }

  [Symbol.dispose](): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.releaseAll();
    this.observer.disconnect();
    for (const element of [this.canvas, this.mirror, this.field]) element.remove();
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, n) => byte === b[n]);
}
