/** The options of `doppel explain` after parsing. */
import type { ExplainPart } from "doppel";
import { HostError, linearAddress } from "doppel/node";
import { parseDuration } from "./values.ts";

/** Parts of an explanation; the library that has them is loaded later, so that `--help` is quick. */
const PARTS: readonly ExplainPart[] = ["asm", "ir", "wasm", "chain"];
/** What an explanation is printed as. */
export const EXPLAIN_FORMATS = ["text", "json", "dot"] as const;
/** One of them. */
export type ExplainFormat = (typeof EXPLAIN_FORMATS)[number];

/** The options as the parser collects them. */
export interface RawExplainOptions {
  at?: string[]; top?: string; show?: string; format: ExplainFormat;
  run?: string; until?: string; after?: string; memory?: string; timeout?: string;
}

/** A checked set of options. */
export interface ExplainOptions {
  guest: string;
  /** Linear addresses; with none, the hottest units are explained. */
  at: number[];
  top: number;
  show: ReadonlySet<ExplainPart>;
  format: ExplainFormat;
  /** Typed at the guest's prompt; the figures are of what it does. */
  run?: string;
  /** What the guest says when it is time; its prompt when absent. */
  until?: string;
  /** Milliseconds until it is time, whatever the guest says. */
  after?: number;
  memory?: string;
  /** Milliseconds to wait for a text at most. */
  timeout: number;
}

const TOP = 3;
const MOST = 1000;
const TIMEOUT = "120s";
const bad = (message: string): HostError => new HostError("HOST_BAD_VALUE", message);

/**
 * Checks the options.
 * @throws {HostError} `HOST_BAD_VALUE`, with a sentence, for the first thing that is wrong.
 */
export function checkExplainOptions(guest: string, raw: RawExplainOptions): ExplainOptions {
  if (raw.until !== undefined && raw.after !== undefined) throw bad("Give only one of --until and --after.");
  if (raw.at !== undefined && raw.top !== undefined) throw bad("Give only one of --at and --top.");
  const top = Number(raw.top ?? TOP);
  if (!Number.isInteger(top) || top < 1 || top > MOST) throw bad(`--top ${raw.top} is no number of units; give 1 to ${MOST}.`);
  return {
    guest, at: (raw.at ?? []).map(parseLinear), top, show: parseParts(raw.show ?? "asm,chain"), format: raw.format,
    ...(raw.run === undefined ? {} : { run: raw.run }), ...(raw.until === undefined ? {} : { until: raw.until }),
    ...(raw.after === undefined ? {} : { after: parseDuration(raw.after, "--after") }), ...(raw.memory === undefined ? {} : { memory: raw.memory }),
    timeout: parseDuration(raw.timeout ?? TIMEOUT),
  };
}

function parseLinear(text: string): number {
  try {
    return linearAddress(text);
  } catch (error) {
    throw bad(`--at ${(error as Error).message}.`);
  }
}

function parseParts(text: string): ReadonlySet<ExplainPart> {
  const parts = text.split(",").map((part) => part.trim());
  const unknown = parts.find((part) => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw bad(`--show has no ${unknown || "empty part"}; choose from ${PARTS.join(", ")}, with commas between them.`);
  return new Set(parts as ExplainPart[]);
}
