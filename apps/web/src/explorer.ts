/**
 * The translation explorer of one machine: asks it which regions are hot and what the chosen one is made of, once a second while it is to be seen. The machine counts
 * only meanwhile, unless the visitor has it go on: what is not looked at costs nothing.
 */
import { type AnyVm, type Hotspots, linearAddress, type TranslationUnit } from "doppel/browser";
import { render } from "lit-html";
import type { State } from "./session.ts";
import "./explorer.css";
import { explorerView } from "./views/explorer.ts";

/** Regions in the list. */
const MOST = 40;
const REFRESH_MS = 1000;
/** The machine's thread does other work for so many times as long as it answers. */
const REST = 10;

/** A machine, and what it does. */
export interface Explored { readonly vm: AnyVm; readonly state: State }

/** The explorer of one machine. */
export class Explorer implements Disposable {
  readonly element = document.createElement("div");
  hotspots: Hotspots | undefined;
  unit: TranslationUnit | undefined;
  /** Address that the visitor chose; the hottest region when undefined. */
  chosen: string | undefined;
  /** Address of the instruction whose meaning is pointed out. */
  instruction: string | undefined;
  /** Why there is nothing to see. */
  error: string | undefined;
  /** Whether it looks again by itself, and whether the machine counts while it is hidden. */
  follows = true;
  countsHidden = false;
  private readonly machine: Explored;
  private visible = false;
  private busy = false;
  private again = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly pageShown = (): void => this.schedule(0);

  constructor(machine: Explored) {
    this.machine = machine;
    this.element.className = "explorer";
    document.addEventListener("visibilitychange", this.pageShown);
    this.draw();
  }

  get state(): State {
    return this.machine.state;
  }

  /** Begins or ends to look. */
  setVisible(visible: boolean): void {
    if (visible === this.visible) return;
    this.visible = visible;
    if (visible) void this.refresh();
    else {
      clearTimeout(this.timer);
      if (!this.countsHidden) void this.count(false);
    }
  }

  /** Looks anew. */
  async refresh(): Promise<void> {
    if (this.busy) return void (this.again = true);
    this.busy = true;
    const { vm } = this.machine;
    const start = performance.now();
    try {
      // A machine that stands still has nothing to count, and would lose the regions that it has.
      if (this.visible && this.state === "running" && this.hotspots?.counted === undefined) await vm.countCode(true);
      this.hotspots = await vm.hotspots(MOST);
      this.error = undefined;
      const at = this.chosen === undefined ? this.hotspots.regions[0]?.address : this.chosen;
      // Without a region, what the processor is about to execute.
      [this.unit] = await vm.explain({ at: at === undefined ? (await vm.registers())["eip"]! : linearAddress(at) });
    } catch (error) {
      this.unit = undefined;
      this.error = error instanceof Error ? error.message : String(error);
    }
    this.busy = false;
    this.draw();
    if (this.again) {
      this.again = false;
      if (this.visible) return this.refresh();
    }
    this.schedule(Math.max(REFRESH_MS, REST * (performance.now() - start)));
  }

  private schedule(milliseconds: number): void {
    clearTimeout(this.timer);
    if (this.visible && this.follows && !document.hidden) this.timer = setTimeout(() => void this.refresh(), milliseconds);
  }

  /** Shows what is at an address. @throws {OptionError} for a text that is none */
  choose(address: string): Promise<void> {
    linearAddress(address);
    this.chosen = address;
    this.instruction = undefined;
    return this.refresh();
  }

  /** Shows the hottest region again, whichever it is. */
  chooseHottest(): Promise<void> {
    this.chosen = this.instruction = undefined;
    return this.refresh();
  }

  point(instruction: string): void {
    this.instruction = instruction;
    this.draw();
    // Its listing alone moves, not the page.
    const meaning = this.element.querySelector('.ir [data-pointed="true"]');
    const listing = meaning?.closest(".scroll");
    if (!meaning || !listing) return;
    const [inner, outer] = [meaning.getBoundingClientRect(), listing.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) listing.scrollTop += inner.top - outer.top - 24;
  }

  setFollows(follows: boolean): void {
    this.follows = follows;
    this.schedule(0);
    this.draw();
  }

  setCountsHidden(on: boolean): void {
    this.countsHidden = on;
    this.draw();
  }

  async clearCounts(): Promise<void> {
    await this.machine.vm.clearCounts();
    await this.refresh();
  }

  private async count(on: boolean): Promise<void> {
    this.hotspots = undefined;
    try {
      await this.machine.vm.countCode(on);
    } catch {
      // The machine is gone, or has no translator.
    }
  }

  private draw(): void {
    render(explorerView(this), this.element);
  }

  [Symbol.dispose](): void {
    this.visible = false;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.pageShown);
  }
}
