/**
 * The result as a picture: a bar for each engine and piece of work, by how many times it is as fast as the engine that all are compared with. The
 * axis is logarithmic, so that twice and half as fast are equally far from 1. ECharts draws it without a browser.
 */
import { BarChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { Report } from "./report.ts";

use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const WIDTH = 900;
const BAR = 15;
const HEAD = 80;
const AXIS = 60;
const CAPTION_LINE = 15;
/** Told apart by people who do not see red and green, on light ground and on dark. */
const COLORS = ["#3b82c4", "#e69f00", "#009e73", "#cc79a7", "#d55e00"];
/** An image in a page has no text colour to inherit: it takes that of the reader's scheme, and everything that is no bar is drawn in it. */
const STYLE = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>";
const ink = { color: "currentColor" };
const faint = { color: "currentColor", opacity: 0.2 };

const times = (factor: number): string => (factor < 1 ? `1/${Number((1 / factor).toPrecision(2))}` : `${Number(factor.toPrecision(2))}`);

/** The chart as SVG, or undefined where there is nothing to compare with. */
export function chart({ engines, guest, host, date, lines }: Report): string | undefined {
  const names = Object.keys(engines);
  const reference = names.at(-1);
  if (reference === undefined || names.length < 2) return undefined;
  /** How many times as fast as the reference, where both did the work and took time for it. */
  const factor = ({ series }: Report["lines"][number], engine: string): number | undefined => {
    const [one, other] = [engine, reference].map((name) => series.find((candidate) => candidate.engine === name)?.elapsed.median);
    return one === undefined || other === undefined || one === 0 || other === 0 ? undefined : other / one;
  };
  const series = names.slice(0, -1).map((name) => ({
    type: "bar" as const, name, silent: true, barGap: "0%", barCategoryGap: "20%",
    data: lines.map((line) => {
      const value = factor(line, name);
      return value === undefined ? "-" : { value, label: { position: value < 1 ? "left" as const : "right" as const } };
    }),
    label: { show: true, fontSize: 10, ...ink, formatter: ({ value }: { value: unknown }) => times(Number(value)) },
  }));
  const caption = [
    `${host.processor}, ${host.cores} cores, ${host.memory}, ${host.system}; guest ${guest.name}, ${guest.memory} MiB; ${date}`,
    ...Object.entries(engines).map(([name, version]) => `${name}: ${version}`),
  ];
  const foot = AXIS + caption.length * CAPTION_LINE;
  const height = HEAD + lines.length * (series.length + 1) * BAR + foot;
  const drawing = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  try {
    drawing.setOption({
      animation: false, color: COLORS,
      title: [
        { text: `Speed relative to ${reference}`, left: "center", top: 10, textStyle: { fontSize: 16, ...ink } },
        { text: caption.join("\n"), left: 20, bottom: 5, textStyle: { fontSize: 11, lineHeight: CAPTION_LINE, fontWeight: "normal", ...ink } },
      ],
      legend: { top: 38, itemGap: 40, selectedMode: false, textStyle: ink, data: names.slice(0, -1) },
      grid: { top: HEAD, bottom: foot, left: 120, right: 40 },
      xAxis: {
        type: "log", logBase: 2, name: `times as fast as ${reference} (logarithmic)`, nameLocation: "middle", nameGap: 30, nameTextStyle: ink,
        axisLabel: { ...ink, formatter: times }, splitLine: { lineStyle: faint },
      },
      yAxis: {
        type: "category", inverse: true, name: "work", nameLocation: "start", nameTextStyle: ink, data: lines.map(({ work }) => work),
        axisLabel: { ...ink, interval: 0 }, axisLine: { lineStyle: ink }, axisTick: { show: false },
      },
      series,
    });
    return drawing.renderToSVGString({ useViewBox: true }).replace(/^<svg[^>]*>/, (root) => `${root}\n${STYLE}`);
  } finally {
    // Else its timer keeps the process alive.
    drawing.dispose();
  }
}
