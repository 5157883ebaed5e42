/** The report for people, and the chart: figures made up, so that one sees what becomes of them. */
import { describe, expect, test } from "vitest";
import { chart } from "./chart.ts";
import { markdown, type Report } from "./report.ts";
import { standings, summarise } from "./summary.ts";

/** Seconds of the boot and two pieces of work, by engine. */
function reportOf(seconds: Record<string, readonly number[]>): Report {
  const works = ["boot", "sort", "fork & exec"];
  const raw = Object.fromEntries(Object.entries(seconds).map(([engine, figures]) =>
    [engine, [{ samples: figures.map((figure, n) => ({ work: works[n]!, elapsed: figure * 1000, answer: "same" })), peakMemory: 300 * 2 ** 20 }]]));
  const lines = summarise(raw);
  return {
    date: "2026-01-01", command: "bench", guest: { name: "guest", versions: { linux: "6.1" }, memory: 256 },
    host: { processor: "a <fast> one", cores: 2, memory: "8 GiB", system: "linux" }, load: [0, 0], pinned: 1,
    engines: Object.fromEntries(Object.keys(seconds).map((name) => [name, `${name} 1.0`])), lines, standings: standings(raw, lines), failures: [], raw,
  };
}
const report = reportOf({ ours: [4, 1, 2], v86: [8, 4, 8], qemu: [4, 2, 2] });
const workloads = [{ name: "sort", says: "sort of lines", command: "", answer: / / }];

/** Elements in their order, when every one of them is closed where it must be. */
function elements(svg: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  for (const [tag, closing, name, , single] of svg.replaceAll(/<!\[CDATA\[.*?\]\]>/gs, "").matchAll(/<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    if (closing === "/") expect(open.pop(), tag).toBe(name);
    else {
      names.push(name!);
      if (single === "") open.push(name!);
    }
  }
  expect(open).toEqual([]);
  return names;
}

describe("Markdown", () => {
  const text = markdown(report, workloads, "report.svg");

  test("has medians, the ratio of the first machine over the last, and their mean", () => {
    expect(text).toContain("| sort of lines | 1.00 (1.00-1.00) | 4.00 (4.00-4.00) | 2.00 (2.00-2.00) | 0.50 | - |");
    // The root of 0.5 * 1.
    expect(text).toContain("| geometric mean without the boot |  |  |  | 0.71 | - |");
  });

  test("has every machine's mean against every other, and its memory", () => {
    expect(text).toContain("| v86 | 300 | 4.00 | - | 2.83 |");
    expect(text).toContain("| qemu | 300 | 1.41 | 0.35 | - |");
  });

  test("says where a machine failed, and has no figure from there on", () => {
    const failed = markdown({ ...reportOf({ ours: [4, 1, 2], v86: [8], qemu: [4, 2, 2] }), failures: ["v86 failed at sort: it said nothing."] }, workloads);
    expect(failed).toContain("\n- v86 failed at sort: it said nothing.\n");
    expect(failed).toContain("| sort of lines | 1.00 (1.00-1.00) | - | 2.00 (2.00-2.00) | 0.50 | - |");
    expect(failed).toContain("| v86 | 300 | - | - |");
  });

  test("shows the chart if there is one", () => {
    expect(text).toContain("](report.svg)");
    expect(markdown(report, workloads)).not.toContain("](");
  });
});

describe("the chart", () => {
  const svg = chart(report)!;
  const bars = (text: string): string[] => text.match(/<path [^>]*ecmeta_ssr_type="chart"/g) ?? [];

  test("is well-formed, with what is not markup escaped", () => {
    expect(elements(svg)[0]).toBe("svg");
    expect(svg.replaceAll(/<!\[CDATA\[.*?\]\]>|<\/?[a-z][^<>]*>/gs, "")).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#)/);
    expect(svg).toContain("a &lt;fast&gt; one");
  });

  test("has a bar for each machine but the reference, for each piece of work and the boot", () => {
    expect(bars(svg).length).toBe(6);
    for (const word of ["boot", "sort", "fork &amp; exec", "ours", "v86", "Speed relative to qemu", "v86: v86 1.0"]) expect(svg).toContain(`>${word}</text>`);
  });

  test("says how many times as fast, and leaves out what took no time or was not done", () => {
    for (const factor of ["2", "1/2", "1/4"]) expect(svg).toContain(`>${factor}</text>`);
    expect(bars(chart(reportOf({ ours: [4, 0, 2], qemu: [4, 2, 2] }))!).length).toBe(2);
    expect(bars(chart(reportOf({ ours: [4, 1], qemu: [4, 2, 2] }))!).length).toBe(2);
  });

  test("has the reader's colours", () => {
    expect(svg).toContain("prefers-color-scheme:dark");
    expect(svg).not.toMatch(/<text(?![^>]*fill="currentColor")/);
  });

  test("is not drawn of one machine", () => expect(chart(reportOf({ ours: [4, 1, 2] }))).toBeUndefined());
});
