/**
 * Regions as numbers, so that another thread can write and compile them: what takes most of the time that a region costs is off the machine's thread then.
 * Instructions are sent as places in pages that are sent along, and decoded again.
 */
import { shapeOf } from "@doppel/cpu";
import { decode, FORMS, Instruction, PAGE_SIZE } from "@doppel/x86";
import { meaningOf, registersOf } from "./effects.ts";
import { type Order, regionModule } from "./region-code.ts";
import { type BlockEnd, type Region, type RegionBlock, successors, withPages } from "./region.ts";
import { hostAt } from "./region-places.ts";
import { ALL_WINDOWS } from "./windows.ts";

/** In place of a jump's place, where there is none: no region reaches so far. */
const NONE = 0x7fff_ffff;
const ENDS = ["goto", "branch", "loop", "leave", "call", "indirect", "return", "gone"] as const;

/** Regions that are to be one module: plain data. */
export interface CompileRequest {
  readonly words: Int32Array;
  /** The pages that the regions' code lies in, one behind the other. */
  readonly code: Uint8Array;
  /** For code of 32 and of 64 bits, the handler number of the table's first entry; undefined where regions do not go on to each other by tail calls. */
  readonly first: readonly [number, number] | undefined;
}

/** Compiles modules of regions elsewhere, as on another thread: `compilerThread` of `doppel/node` makes one. */
export interface ModuleCompiler {
  /** Whether it takes requests: until then, and after a failure, machines compile by themselves. */
  readonly isReady: boolean;
  /** @returns rejects when it cannot be done there */
  compile(request: CompileRequest): Promise<WebAssembly.Module>;
}

/** Makes a request. @param bytes the linear memory, that the regions' pages are in */
export function requestOf(bytes: Uint8Array, orders: readonly Order[], first: CompileRequest["first"]): CompileRequest {
  const words: number[] = [];
  const pages: number[] = [];
  for (const { region, name, windows = ALL_WINDOWS } of orders) {
    words.push(Number(region.long), region.view, name ?? -1, Number(windows.frames), windows.without.size, ...windows.without, region.pages.size);
    for (const [distance, host] of region.pages) {
      words.push(distance, host);
      pages.push(host);
    }
    words.push(region.blocks.size);
    for (const block of region.blocks.values()) pushBlock(words, block);
    words.push(region.entries.length, ...region.entries.map(({ id }) => id));
  }
  const code = new Uint8Array(pages.length * PAGE_SIZE);
  for (const [n, host] of pages.entries()) code.set(bytes.subarray(host, host + PAGE_SIZE), n * PAGE_SIZE);
  return { words: Int32Array.from(words), code, first };
}

/** Whether the code of a region's blocks is in memory what it was when a request was made. @param page number of its first page in the request */
export function isUnchanged(bytes: Uint8Array, region: Region, { code }: CompileRequest, page: number): boolean {
  const places = new Map([...region.pages.keys()].map((distance, n) => [distance, (page + n) * PAGE_SIZE]));
  for (const { start, length } of region.blocks.values()) {
    const distance = Math.floor(start / PAGE_SIZE);
    const now = hostAt(region, start);
    const then = places.get(distance)! + start - distance * PAGE_SIZE;
    for (let n = 0; n < length; n++) if (bytes[now + n] !== code[then + n]) return false;
  }
  return true;
}

/** Writes and compiles what is asked for. */
export function compileRequest(request: CompileRequest): WebAssembly.Module {
  return new WebAssembly.Module(regionModule(ordersOf(request), { first: request.first }).module.encode());
}

function pushBlock(words: number[], { id, start, count, length, own, end, instructions }: RegionBlock): void {
  words.push(id, start, count, length, Number(own), ENDS.indexOf(end.kind));
  if (end.kind === "leave") words.push(end.at);
  if ("to" in end) words.push(end.to.at, end.to.block);
  if (end.kind === "indirect") words.push(Number(end.asks), end.ways.length, ...end.ways.flatMap(({ at, block }) => [at, block]));
  if (end.kind === "goto") words.push(end.jump ?? NONE);
  if ("otherwise" in end) words.push(end.otherwise.at, end.otherwise.block);
  if (end.kind === "branch") words.push(end.jump, end.condition);
  words.push(instructions.length);
  for (const { at, instruction } of instructions) words.push(at, instruction.form.id);
}

/** Reads a request. */
export function ordersOf({ words, code }: CompileRequest): Order[] {
  const orders: Order[] = [];
  let at = 0;
  let page = 0;
  const next = (): number => words[at++]!;
  const edge = (): { at: number; block: number } => ({ at: next(), block: next() });
  const endOf = (): BlockEnd => {
    const kind = ENDS[next()]!;
    switch (kind) {
      case "leave": return { kind, at: next(), why: "" };
      case "gone": return { kind };
      case "indirect": return { kind, asks: next() === 1, ways: Array.from({ length: next() }, edge) };
      case "call": case "return": return { kind, to: edge() };
      case "loop": return { kind, to: edge(), otherwise: edge() };
      case "goto": {
        const [to, jump] = [edge(), next()];
        return jump === NONE ? { kind, to } : { kind, to, jump };
      }
      case "branch": return { kind, to: edge(), otherwise: edge(), jump: next(), condition: next() };
    }
  };
  while (at < words.length) {
    const long = next() === 1;
    const view = next() >>> 0;
    const name = next();
    const frames = next() === 1;
    const without = new Set(Array.from({ length: next() }, next));
    const pages = new Map<number, number>();
    const sent = new Map<number, number>();
    for (let left = next(); left > 0; left--) {
      const distance = next();
      pages.set(distance, next() >>> 0);
      sent.set(distance, page++ * PAGE_SIZE);
    }
    const blocks = new Map<number, RegionBlock>();
    for (let left = next(); left > 0; left--) {
      const [id, start, count, length, own] = [next(), next(), next(), next(), next() === 1];
      const end = endOf();
      const instructions = Array.from({ length: next() }, () => {
        const place = next();
        const form = FORMS[next()]!;
        const distance = Math.floor(place / PAGE_SIZE);
        const base = sent.get(distance)!;
        const instruction = new Instruction();
        decode(code, base + place - distance * PAGE_SIZE, base + PAGE_SIZE, long ? 8 : 4, instruction);
        instruction.form = form;
        const meaning = meaningOf(shapeOf(instruction, long, true))!;
        return { instruction, meaning, registers: registersOf(meaning, instruction), at: place };
      });
      blocks.set(id, { id, start, count, length, own, end, instructions, successors: successors(end) });
    }
    const entries = Array.from({ length: next() }, () => blocks.get(next())!);
    orders.push({ region: withPages({ entries, long, view, blocks, pages }), name: name < 0 ? undefined : name, windows: { frames, without } });
  }
  return orders;
}
