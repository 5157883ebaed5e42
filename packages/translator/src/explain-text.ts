/** Explanations as text for people, and the graph of chained fragments for `dot` (Graphviz). */
import type { ExplainedBlock, ExplainedInstruction, TranslationUnit, WayOut } from "./explain.ts";

/** Parts of an explanation. */
export const EXPLAIN_PARTS = ["asm", "ir", "wasm", "chain"] as const;
/** One of them. */
export type ExplainPart = (typeof EXPLAIN_PARTS)[number];

const COLUMN = 48;
const grouped = (count: number): string => count.toLocaleString("en-US");
const times = (count: number): string => (count === 1 ? "once" : `${grouped(count)} times`);

/**
 * One unit as lines.
 * @param parts what is shown of it
 * @param total instructions retired in all, where shares are to be shown
 */
export function unitText(unit: TranslationUnit, parts: ReadonlySet<ExplainPart>, total?: number): string {
  const count = unit.blocks.reduce((sum, { copies, instructions }) => sum + copies * instructions.filter(({ left }) => left === undefined).length, 0);
  const fragment = unit.state === "translated" ? "compiled" : unit.state === "interpreted" ? "not hot: this is the fragment that it would get" : "never executed: looked at as if it had been";
  const lines = [`translation unit ${unit.address}: ${unit.bits}-bit code, ${count} instructions in ${unit.blocks.length} blocks; ${fragment}`];
  if (unit.entered !== undefined && unit.retired !== undefined) {
    const share = total === undefined || total === 0 ? "" : ` (${((100 * unit.retired) / total).toFixed(1)}% of all)`;
    lines.push(`entered ${times(unit.entered)}; ${grouped(unit.retired)} instructions retired in it${share}`);
  }
  if (parts.has("asm") || parts.has("ir")) for (const block of unit.blocks) lines.push("", ...blockText(block, parts));
  if (parts.has("chain")) lines.push("", "ways out:", ...chainText(unit.waysOut));
  if (parts.has("wasm")) lines.push("", "compiled code fragment:", unit.wasm);
  return `${lines.join("\n")}\n`;
}

function blockText({ address, copies, executed, instructions, next }: ExplainedBlock, parts: ReadonlySet<ExplainPart>): string[] {
  const how = [...(executed === undefined ? [] : [`executed ${times(executed)}`]), ...(copies > 1 ? [`${copies} times in the fragment`] : [])];
  return [
    `block ${address}${how.length > 0 ? `, ${how.join(", ")}` : ""}`,
    ...instructions.flatMap((one) => [
      ...(parts.has("asm") ? [asmText(one)] : []),
      ...(parts.has("ir") ? one.ir.map((line) => `        ${line}`) : []),
    ]),
    ...(next.length > 0 ? [`  goes on to ${next.join(" or ")}`] : []),
  ];
}

function asmText({ address, text, sensitive, left, note }: ExplainedInstruction): string {
  const kind = sensitive ? "sensitive" : "innocuous";
  const how = note === undefined ? "" : `${left === undefined ? ";" : ","} ${note}`;
  return `  ${address}  ${text}`.padEnd(COLUMN) + `  ; ${kind}${how}`;
}

function chainText(ways: readonly WayOut[]): string[] {
  const width = Math.max(0, ...ways.map(({ count }) => grouped(count ?? 0).length));
  return ways.map(({ what, from, where, count }) => `  ${count === undefined ? "" : `${grouped(count).padStart(width)}  `}${what} at ${from}: ${where}`);
}

/**
 * The chain graph for `dot -Tsvg`: fragments as boxes, and an arrow for each way out that leads to one place; dashed where no fragment begins
 * there.
 */
export function chainDot(units: readonly TranslationUnit[]): string {
  const shown = new Set(units.map(({ address }) => address));
  const nodes = units.map(({ address, entered, retired }) => `  "${address}" [shape=box, label="${address}${entered === undefined ? "" : `\\nentered ${grouped(entered)}`}${retired === undefined ? "" : `\\nretired ${grouped(retired)}`}"];`);
  const edges = units.flatMap(({ address, waysOut }) => waysOut.flatMap(({ what, to, chained, count }) => {
    const label = count === undefined ? what : `${what} ${grouped(count)}`;
    if (to === undefined || count === 0 || what.startsWith("leave")) return [];
    return [`  "${address}" -> "${to}" [label="${label}"${chained === true || shown.has(to) ? "" : ", style=dashed"}];`];
  }));
  return `digraph chain {\n${[...nodes, ...edges].join("\n")}\n}\n`;
}
