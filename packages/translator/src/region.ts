/**
 * Forms regions (engine.md, item 4): from an entry, the instructions that direct jumps reach, also in other pages, and the functions that are
 * called on the way, as basic blocks. A called function gets blocks of its own at each call, so that its return leads back to one place;
 * what it returns to is compared with what stands on the stack. Where control goes away and comes back (behind a call of a function that is
 * not part of it, behind an instruction that only the interpreter executes, and where loops begin) the region has a further entry, so that a
 * function is one region and not one for each of its calls. Indirect calls and jumps go on to what they usually
 * lead to, once that is known (`usual-targets.ts`), or leave the region; code that never ran is left, too.
 */
import { type CodeSource, Decoder, pageOf, type RegionInstruction } from "./region-decoder.ts";
import { type Call, Explorer } from "./region-explorer.ts";

export type { CodeSource, RegionInstruction } from "./region-decoder.ts";

/** Instructions of a region at most: the main loop of the kernel's LZMA decoder is one then (engine.md: 500 to 2000). */
export const MOST_INSTRUCTIONS = 1200;

/** A way from one block to another. */
export interface Edge {
  /** Where it leads, from the beginning of the entry's page. */
  readonly at: number;
  /** The block there, or -1: the region is left. */
  readonly block: number;
}

/** How a block ends. */
export type BlockEnd =
  /** With the jump that stands there, if one does. */
  | { readonly kind: "goto"; readonly to: Edge; readonly jump?: number }
  | { readonly kind: "branch"; readonly condition: number; readonly to: Edge; readonly otherwise: Edge; readonly jump: number }
  /** Its last instruction jumps or not: LOOP, JCXZ. */
  | { readonly kind: "loop"; readonly to: Edge; readonly otherwise: Edge }
  /** In front of an instruction that is not for regions. */
  | { readonly kind: "leave"; readonly at: number; readonly why: string }
  /** Its last instruction is a call of a function in the region. */
  | { readonly kind: "call"; readonly to: Edge }
  /** Its last instruction is an indirect call or jump, to one of these places in the region or elsewhere; `asks` where that is to be told. */
  | { readonly kind: "indirect"; readonly ways: readonly Edge[]; readonly asks: boolean }
  /** Its last instruction is a return, to here if the stack says so. */
  | { readonly kind: "return"; readonly to: Edge }
  /** Its last instruction leads elsewhere. */
  | { readonly kind: "gone" };

/** A basic block. */
export interface RegionBlock {
  readonly id: number;
  readonly start: number;
  readonly instructions: readonly RegionInstruction[];
  /** Instructions that retire when it runs to its end: those above, and a jump that became its end. */
  readonly count: number;
  /** Bytes of all of them. */
  readonly length: number;
  readonly end: BlockEnd;
  /** Numbers of the blocks that follow it. */
  readonly successors: readonly number[];
  /** It is no part of a function that is called in the region. */
  readonly own: boolean;
}

/** Blocks by their numbers. */
export interface Region {
  /** Where it may be entered; the place that it was formed from comes first. */
  readonly entries: readonly RegionBlock[];
  readonly long: boolean;
  /** Address of the TLB view with which it is executed. */
  readonly view: number;
  readonly blocks: ReadonlyMap<number, RegionBlock>;
  /** Where the pages are in linear memory, by their distance in pages from the first entry's. */
  readonly pages: ReadonlyMap<number, number>;
  /** Whether the mapping of a place's page is known to be what it was, wherever a block ends. */
  knowsPage(from: RegionBlock, at: number): boolean;
}

/**
 * The region that begins at an offset of a page, or undefined where the first instruction is not for it.
 * @param others further places to enter it at, as far as they are part of it
 * @param most instructions of it
 */
export function formRegion(source: CodeSource, entry: number, others: readonly number[] = [], most = MOST_INSTRUCTIONS): Region | undefined {
  const decoder = new Decoder(source);
  if (decoder.at(entry) === undefined) return undefined;
  const calls = new Explorer(decoder, most).explore(entry, others);
  const blocks = new Map<number, RegionBlock>();
  for (const call of calls) for (const [start, id] of call.numbers) blocks.set(id, blockAt(decoder, call, start, id));
  const [own] = calls;
  const entries = [...own!.entries].map((at) => blocks.get(own!.numbers.get(at)!)!);
  const reached = ordered(entries, blocks);
  const pages = new Map([...decoder.pages].filter(([distance]) => [...reached.values()].some(({ start }) => pageOf(start) === distance)));
  return withPages({ entries, long: source.long, view: source.view, blocks: reached, pages });
}

/** A region, with what its ways say of pages. */
export function withPages(region: Omit<Region, "knowsPage">): Region {
  const known = knownPages(region.entries, region.blocks, [...region.pages.keys()]);
  return { ...region, knowsPage: (from, at) => pageOf(at) === pageOf(from.start) || known(from.id, pageOf(at)) };
}

function edge(to: Call, at: number): Edge {
  return { at, block: to.numbers.get(at) ?? -1 };
}

function blockAt(decoder: Decoder, call: Call, start: number, id: number): RegionBlock {
  const instructions: RegionInstruction[] = [];
  const block = (end: BlockEnd, length: number, jump = 0): RegionBlock => ({ id, start, instructions, count: instructions.length + jump, length, end, successors: successors(end), own: call.depth === 0 });
  let at = start;
  for (;;) {
    const one = call.code.get(at);
    if (one === undefined) return block({ kind: "leave", at, why: decoder.why(at) }, at - start);
    const length = one.next - start;
    if (one.flow === "jump") return block({ kind: "goto", to: edge(call, one.target), jump: at }, length, 1);
    if (one.flow === "branch") {
      const [to, otherwise] = [edge(call, one.target), edge(call, one.next)];
      return block(one.target === one.next ? { kind: "goto", to, jump: at } : { kind: "branch", condition: one.instruction.condition, to, otherwise, jump: at }, length, 1);
    }
    instructions.push(one);
    if (one.flow === "loop") return block({ kind: "loop", to: edge(call, one.target), otherwise: edge(call, one.next) }, length);
    if (one.flow === "call") {
      const [callee] = call.callees.get(one.next) ?? [];
      return block(callee === undefined ? { kind: "gone" } : { kind: "call", to: edge(callee, one.target) }, length);
    }
    if (one.flow === "return") return block(call.caller === undefined ? { kind: "gone" } : { kind: "return", to: edge(call.caller, call.returnsTo) }, length);
    if (one.asks || one.targets.length > 0) {
      const ways = one.flow === "away" ? (call.callees.get(one.next) ?? []).map((callee) => edge(callee, callee.target)) : one.targets.map((target) => edge(call, target));
      return block({ kind: "indirect", ways: ways.filter(({ block: to }) => to >= 0), asks: one.asks }, length);
    }
    if (one.flow === "gone" || one.flow === "away") return block({ kind: "gone" }, length);
    at = one.next;
    if (call.leaders.has(at)) return block({ kind: "goto", to: edge(call, at) }, length);
  }
}

/** The blocks that can be reached. */
function ordered(entries: readonly RegionBlock[], blocks: ReadonlyMap<number, RegionBlock>): Map<number, RegionBlock> {
  const out = new Map<number, RegionBlock>();
  const open = [...entries];
  while (open.length > 0) {
    const block = open.pop()!;
    if (out.has(block.id)) continue;
    out.set(block.id, block);
    for (const id of block.successors) open.push(blocks.get(id)!);
  }
  return out;
}

/** Finds of which pages the mapping has been looked at on every way to a block; a way into a page looks at it. */
function knownPages(entries: readonly RegionBlock[], blocks: ReadonlyMap<number, RegionBlock>, pages: readonly number[]): (block: number, page: number) => boolean {
  const bit = (page: number): number => 1 << pages.indexOf(page);
  const known = new Map([...blocks.keys()].map((id) => [id, -1]));
  for (const entry of entries) known.set(entry.id, bit(pageOf(entry.start)));
  // What is taken out of the set may come into it again, and is gone through again then.
  const open = new Set(blocks.values());
  for (const block of open) {
    open.delete(block);
    for (const id of block.successors) {
      const next = blocks.get(id)!;
      const before = known.get(id)!;
      const after = before & (known.get(block.id)! | bit(pageOf(next.start)));
      if (after === before) continue;
      known.set(id, after);
      open.add(next);
    }
  }
  return (block, page) => (known.get(block)! & bit(page)) !== 0;
}

/** The ways on from a block by its end, out of the region as well. */
export function edgesOf(end: BlockEnd): readonly Edge[] {
  if (end.kind === "indirect") return end.ways;
  return "otherwise" in end ? [end.to, end.otherwise] : "to" in end ? [end.to] : [];
}

/** Numbers of the blocks that follow a block by its end. */
export function successors(end: BlockEnd): number[] {
  return edgesOf(end).map(({ block }) => block).filter((id) => id >= 0);
}
