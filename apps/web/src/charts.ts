/** Small charts of the last minute (uPlot), in the page's own colours. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { short } from "./format.ts";
import type { Sample } from "./history.ts";
import { nextTask } from "./next-task.ts";

/** A line of a chart. */
interface Line { readonly label: string; readonly of: (sample: Sample) => number }

/** A chart. */
interface ChartDefinition { readonly title: string; readonly unit: string; readonly lines: readonly Line[] }

/** What the panel draws. */
export const CHARTS: readonly ChartDefinition[] = [
  { title: "Speed", unit: "instructions/s", lines: [{ label: "Speed", of: ({ speed }) => speed }] },
  {
    title: "Exits by cause", unit: "per second",
    lines: [
      { label: "Ports", of: ({ ports }) => ports }, { label: "MMIO", of: ({ mmio }) => mmio }, { label: "Interrupts", of: ({ interrupts }) => interrupts },
      { label: "Faults", of: ({ exceptions }) => exceptions }, { label: "Look-ups", of: ({ lookups }) => lookups },
    ],
  },
  {
    title: "Code by tier", unit: "instructions",
    lines: [{ label: "Decoded", of: ({ decoded }) => decoded }, { label: "Translated", of: ({ translated }) => translated }],
  },
  { title: "TLB fills", unit: "per second", lines: [{ label: "Fills", of: ({ tlbFills }) => tlbFills }] },
];

const HEIGHT = 92;

/** The charts in an element. */
export class Charts implements Disposable {
  private readonly element: HTMLElement;
  private plots: uPlot[] = [];
  /** How often they were made: who finds another number was overtaken. */
  private turn = 0;
  private readonly observer: ResizeObserver;
  private readonly scheme = matchMedia("(prefers-color-scheme: dark)");
  private readonly restyle = (): void => void this.build();

  constructor(element: HTMLElement) {
    this.element = element;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    this.scheme.addEventListener("change", this.restyle);
    void this.build();
  }

  /** Makes them anew, in the colours of now, one after the other. */
  async build(): Promise<void> {
    const turn = ++this.turn;
    for (const plot of this.plots.splice(0)) plot.destroy();
    this.element.replaceChildren();
    for (const definition of CHARTS) {
      await nextTask();
      if (turn !== this.turn) return;
      this.plots.push(this.plot(definition));
    }
  }

  private plot({ title, unit, lines }: ChartDefinition): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--text-faint"), grid: { stroke: colour("--line-faint"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.innerHTML = `<b>${title}</b> <span>${unit}</span>`;
    const legend = document.createElement("p");
    legend.className = "legend";
    if (lines.length > 1) legend.innerHTML = lines.map(({ label }, n) => `<span><i style="background:${colour(`--series-${n + 1}`)}"></i>${label}</span>`).join("");
    const place = document.createElement("div");
    figure.append(caption, place, ...(lines.length > 1 ? [legend] : []));
    this.element.append(figure);
    return new uPlot({
      width: Math.max(100, this.element.clientWidth), height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [8, 4, 8, 0],
      scales: { x: { time: false, range: (_plot, _low, high) => [high - 60, high] }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.15 : 1] } },
      axes: [{ ...axis, show: false }, { ...axis, size: 44, space: 24, values: (_plot, values) => values.map(short) }],
      series: [{}, ...lines.map(({ label }, n) => ({
        label, stroke: colour(`--series-${n + 1}`), width: 1.5, points: { show: false }, ...(lines.length === 1 ? { fill: colour("--series-fill") } : {}),
      }))],
    }, [[], ...lines.map(() => [])], place);
  }

  /** Draws these. */
  show(samples: readonly Sample[]): void {
    const times = samples.map(({ time }) => time);
    for (const [n, plot] of this.plots.entries()) plot.setData([times, ...CHARTS[n]!.lines.map(({ of }) => samples.map(of))]);
  }

  private resize(): void {
    const width = this.element.clientWidth;
    if (width > 0) for (const plot of this.plots) if (plot.width !== width) plot.setSize({ width, height: HEIGHT });
  }

  [Symbol.dispose](): void {
    this.turn++;
    this.observer.disconnect();
    this.scheme.removeEventListener("change", this.restyle);
    for (const plot of this.plots) plot.destroy();
  }
}
