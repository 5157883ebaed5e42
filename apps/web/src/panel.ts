/** The live panel: what the machine does, in figures and charts. */
import { html, nothing, render, type TemplateResult } from "lit-html";
import { mebibytes, short } from "./format.ts";
import type { History } from "./history.ts";
import type { Charts } from "./charts.ts";

/** @param fraction 0 to 1, where a bar is drawn */
function fact(name: string, value: string, hint: string, fraction?: number): TemplateResult {
  const bar = fraction === undefined ? nothing : html`<div class="bar" aria-hidden="true"><i style=${`width:${(100 * fraction).toFixed(1)}%`}></i></div>`;
  return html`<div title=${hint}><dt>${name}</dt><dd>${value}${bar}</dd></div>`;
}

/** The panel of one machine. */
export class Panel implements Disposable {
  readonly element = document.createElement("div");
  private readonly facts = document.createElement("div");
  private readonly drawings = document.createElement("div");
  private charts: Charts | undefined;
  private disposed = false;

  constructor() {
    this.element.className = "panel-content";
    this.drawings.className = "charts";
    this.element.append(this.facts, this.drawings);
    // Charts come with the first machine, not with the page.
    void import("./charts.ts").then(({ Charts }) => {
      if (!this.disposed) this.charts = new Charts(this.drawings);
    });
  }

  /** Shows the figures of now. */
  show({ stats, samples }: History): void {
    if (stats === undefined) return;
    const last = samples.at(-1);
    const { translator, code, memory } = stats;
    render(html`
      <p class="speed"><b>${last === undefined ? "0" : short(last.speed)}</b> instructions/s</p>
      <dl class="facts">
        ${fact("Executed", short(stats.instructions), "Instructions since the machine was made")}
        ${fact("Regions", `${short(translator.regions - translator.dropped)} of ${short(translator.regions)}`, "Translated regions that are in use, of those that were made")}
        ${fact("Modules", short(translator.modules), "WebAssembly modules that were compiled")}
        ${fact("Decoded", short(code.decoded), "Instructions that were decoded for the interpreter")}
        ${fact("Rewritten", short(code.invalidated), "Times that the guest wrote to code that had been decoded")}
        ${fact("TLB fills", short(stats.tlb.fills), "Page walks whose result the TLB took")}
        ${fact("Memory", `${mebibytes(memory.frames)} of ${mebibytes(memory.arena)}`, "The guest's pages, of all that the machine has reserved", memory.frames / memory.arena)}
      </dl>`, this.facts);
    this.charts?.show(samples);
  }

  /** The page's colours have changed. */
  restyle(): void {
    void this.charts?.build();
  }

  [Symbol.dispose](): void {
    this.disposed = true;
    this.charts?.[Symbol.dispose]();
  }
}
