/**
 * Forms regions (engine.md, item 4): from an entry, the instructions that direct jumps reach, also in other pages, and the functions that are
 * called on the way, as basic blocks. A called function gets blocks of its own at each call, so that its return leads back to one place;
 * what it returns to is compared with what stands on the stack. Indirect jumps leave the region; so does an instruction that only the
 * interpreter executes, and code that never ran.
 */
import { shapeOf } from "@doppel/cpu";
import type { Shape } from "@doppel/semantics";
import { decode, Instruction, OK } from "@doppel/x86";
import { type Meaning, meaningOf, type Registers, registersOf } from "./effects.ts";

/** Instructions of a region at most. More (engine.md: 500 to 2000) was no faster, and has the same code in more regions. */
const MOST_INSTRUCTIONS = 400;
/** Instructions of a called function at most, and how many calls stand in each other. */
const MOST_CALLED = 80;
const MOST_CALLS = 3;
/** Instructions after which a region goes on to another one rather than have the same code once more. */
const JOINS_AFTER = 48;
/** Bytes that a region reaches from its entry's page at most: places in it are numbers of 32 bits with a sign. */
const FARTHEST = 2 ** 30;
const PAGE_SIZE = 4096;

/** One instruction of a region. */
export interface RegionInstruction {
  readonly instruction: Instruction;
  readonly shape: Shape;
  readonly meaning: Meaning;
  readonly registers: Registers;
  /** From the beginning of the entry's page. */
  readonly at: number;
}

/** A way from one block to another. */
export interface Edge {
  /** Where it leads, from the beginning of the entry's page. */
  readonly at: number;
  /** The block there, or -1: the region is left. */
  readonly block: number;
  /** It leads to a page whose mapping nobody has looked at since the region was entered. */
  readonly foreign: boolean;
}

/** How a block ends. */
export type BlockEnd =
  /** With the jump that stands there, if one does. */
  | { readonly kind: "goto"; readonly to: Edge; readonly jump?: number }
  | { readonly kind: "branch"; readonly condition: number; readonly to: Edge; readonly otherwise: Edge; readonly jump: number }
  /** In front of an instruction that is not for regions. */
  | { readonly kind: "leave"; readonly at: number; readonly why: string }
  /** Its last instruction is a call of a function in the region. */
  | { readonly kind: "call"; readonly to: Edge }
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
}

/** Blocks by their numbers; the entry is the first. */
export interface Region {
  readonly entry: RegionBlock;
  readonly long: boolean;
  readonly blocks: ReadonlyMap<number, RegionBlock>;
  /** Where the pages are in linear memory, by their distance in pages from the entry's. */
  readonly pages: ReadonlyMap<number, number>;
}

/** What code is formed from. */
export interface CodeSource {
  readonly bytes: Uint8Array;
  readonly long: boolean;
  hasFeature(name: string): boolean;
  /** Where in `bytes` the page is that lies so many pages behind the entry's, when that is at hand. */
  pageAt(distance: number): number | undefined;
  /** Whether code at this place in `bytes` has been executed. */
  isKnown(host: number): boolean;
  /** Whether another region begins at this place in `bytes`. */
  isEntry(host: number): boolean;
}

interface Decoded extends RegionInstruction {
  readonly next: number;
  readonly flow: "on" | "jump" | "branch" | "call" | "return" | "gone";
  /** Of a direct jump or call. */
  readonly target: number;
}

/** A function that is called, at one call. */
interface Call {
  readonly caller: Call | undefined;
  readonly returnsTo: number;
  readonly target: number;
  readonly depth: number;
  /** Pages whose mapping is known wherever this function runs. */
  readonly pages: ReadonlySet<number>;
  readonly leaders: Set<number>;
  readonly code: Map<number, Decoded>;
  /** Calls of others that are part of the region, by the place behind the call. */
  readonly callees: Map<number, Call>;
  readonly numbers: Map<number, number>;
  returns: boolean;
}

const pageOf = (at: number): number => Math.floor(at / PAGE_SIZE);

function flowOf({ mnemonic }: Instruction["form"], direct: boolean): Decoded["flow"] {
  switch (mnemonic) {
    case "JMP": return direct ? "jump" : "gone";
    case "CALL": return direct ? "call" : "gone";
    case "Jcc": return direct ? "branch" : "on";
    case "RET": return "return";
    default: return "on";
  }
}

/** Decodes the code around an entry. */
class Decoder {
  readonly pages = new Map<number, number>();
  private readonly source: CodeSource;
  private readonly known = new Map<number, Decoded | undefined>();

  constructor(source: CodeSource) {
    this.source = source;
  }

  at(at: number): Decoded | undefined {
    if (!this.known.has(at)) this.known.set(at, this.decode(at));
    return this.known.get(at);
  }

  /** Whether another region begins at a place of a page that is at hand. */
  isEntry(at: number): boolean {
    const page = this.page(pageOf(at));
    return page !== undefined && this.source.isEntry(page + at - pageOf(at) * PAGE_SIZE);
  }

  /** Why there is nothing at a place, for statistics: the instruction there, or that it was not looked for. */
  why(at: number): string {
    const { bytes, long } = this.source;
    const page = this.pages.get(pageOf(at));
    if (page === undefined) return "page";
    const instruction = new Instruction();
    const host = page + at - pageOf(at) * PAGE_SIZE;
    if (!this.source.isKnown(host)) return "never ran";
    return decode(bytes, host, page + PAGE_SIZE, long ? 8 : 4, instruction) === OK ? instruction.form.mnemonic : "no instruction";
  }

  private page(distance: number): number | undefined {
    let host = this.pages.get(distance);
    if (host === undefined) {
      host = this.source.pageAt(distance);
      if (host !== undefined) this.pages.set(distance, host);
    }
    return host;
  }

  private decode(at: number): Decoded | undefined {
    const { bytes, long } = this.source;
    const page = this.page(pageOf(at));
    if (page === undefined) return undefined;
    const host = page + at - pageOf(at) * PAGE_SIZE;
    const instruction = new Instruction();
    if (!this.source.isKnown(host) || decode(bytes, host, page + PAGE_SIZE, long ? 8 : 4, instruction) !== OK) return undefined;
    let form: Instruction["form"] | undefined = instruction.form;
    while (form !== undefined && !this.source.hasFeature(form.feature)) form = form.fallback;
    if (form === undefined) return undefined;
    instruction.form = form;
    const shape = shapeOf(instruction, long, true);
    const meaning = meaningOf(shape);
    if (meaning === undefined) return undefined;
    const next = at + instruction.length;
    const target = next + instruction.immediate;
    const direct = form.operands.at(-1)?.kind === "J" && instruction.operandSize !== 2 && Math.abs(target) < FARTHEST;
    return { instruction, shape, meaning, registers: registersOf(meaning, instruction), at, next, flow: flowOf(form, direct), target: direct ? target : NaN };
  }
}

/**
 * The region that begins at an offset of a page, or undefined where the first instruction is not for it.
 * @param most instructions of it
 */
export function formRegion(source: CodeSource, entry: number, most = MOST_INSTRUCTIONS): Region | undefined {
  const decoder = new Decoder(source);
  if (decoder.at(entry) === undefined) return undefined;
  const calls = new Explorer(decoder, most).explore(entry);
  const blocks = new Map<number, RegionBlock>();
  for (const call of calls) for (const [start, id] of call.numbers) blocks.set(id, blockAt(decoder, call, start, id));
  const first = blocks.get(calls[0]!.numbers.get(entry)!)!;
  const reached = ordered(first, blocks);
  const pages = new Set([...reached.values()].map(({ start }) => pageOf(start)));
  return { entry: first, long: source.long, blocks: reached, pages: new Map([...decoder.pages].filter(([distance]) => pages.has(distance))) };
}

/** Finds what belongs to a region. */
class Explorer {
  private readonly decoder: Decoder;
  private readonly most: number;
  private readonly calls: Call[] = [];
  private total = 0;
  private blocks = 0;

  constructor(decoder: Decoder, most: number) {
    this.decoder = decoder;
    this.most = most;
  }

  explore(entry: number): readonly Call[] {
    const top = this.call(undefined, NaN, entry);
    this.walk(top, entry, this.most);
    this.calls.push(top);
    // Calls of one depth come before those that stand in them: `calls` grows while it is gone through.
    for (const call of this.calls) this.follow(call);
    for (const call of this.calls) for (const leader of call.leaders) if (call.code.has(leader)) call.numbers.set(leader, this.blocks++);
    return this.calls;
  }

  private call(caller: Call | undefined, returnsTo: number, target: number): Call {
    const pages = new Set(caller === undefined ? [pageOf(target)] : [...caller.pages, pageOf(returnsTo - 1)]);
    return { caller, returnsTo, target, depth: caller === undefined ? 0 : caller.depth + 1, pages, leaders: new Set(), code: new Map(), callees: new Map(), numbers: new Map(), returns: false };
  }

  /** Adds the functions that one calls, and what stands behind those calls. */
  private follow(call: Call): void {
    const seen = new Set<number>();
    for (let more = true; more;) {
      more = false;
      for (const one of [...call.code.values()]) {
        if (one.flow !== "call" || seen.has(one.at)) continue;
        seen.add(one.at);
        more = true;
        if (call.depth >= MOST_CALLS || isOpen(call, one.target)) continue;
        const callee = this.call(call, one.next, one.target);
        const before = this.total;
        if (!this.walk(callee, one.target, Math.min(MOST_CALLED, this.most - this.total))) {
          this.total = before;
          continue;
        }
        call.callees.set(one.next, callee);
        this.calls.push(callee);
        if (callee.returns) this.walk(call, one.next, this.most);
      }
    }
  }

  /** Adds what jumps reach; false when there is more of it than `most`, or nothing. */
  private walk(call: Call, entry: number, most: number): boolean {
    const open = [entry];
    call.leaders.add(entry);
    const end = this.total + most;
    while (open.length > 0) {
      let at = open.pop()!;
      for (;;) {
        if (call.code.has(at) || (this.total >= JOINS_AFTER && this.decoder.isEntry(at))) break;
        if (this.total >= Math.min(end, this.most)) return false;
        const one = this.decoder.at(at);
        if (one === undefined) break;
        call.code.set(at, one);
        this.total++;
        if (one.flow === "return") call.returns = true;
        if (one.flow === "jump" || one.flow === "branch") {
          call.leaders.add(one.target);
          open.push(one.target);
        }
        if (one.flow === "branch" || pageOf(one.next) !== pageOf(at)) call.leaders.add(one.next);
        if (one.flow !== "on" && one.flow !== "branch") break;
        at = one.next;
      }
    }
    return call.code.has(entry);
  }
}

/** Whether a function is being called already: it calls itself. */
function isOpen(call: Call, target: number): boolean {
  for (let one: Call | undefined = call; one !== undefined; one = one.caller) if (one.target === target) return true;
  return false;
}

function edge(from: number, to: Call, at: number, known: ReadonlySet<number> = to.pages): Edge {
  return { at, block: to.numbers.get(at) ?? -1, foreign: pageOf(at) !== pageOf(from) && !known.has(pageOf(at)) };
}

function blockAt(decoder: Decoder, call: Call, start: number, id: number): RegionBlock {
  const instructions: RegionInstruction[] = [];
  const block = (end: BlockEnd, length: number, jump = 0): RegionBlock => ({ id, start, instructions, count: instructions.length + jump, length, end });
  let at = start;
  for (;;) {
    const one = call.code.get(at);
    if (one === undefined) return block({ kind: "leave", at, why: decoder.why(at) }, at - start);
    const length = one.next - start;
    if (one.flow === "jump") return block({ kind: "goto", to: edge(at, call, one.target), jump: at }, length, 1);
    if (one.flow === "branch") {
      const [to, otherwise] = [edge(at, call, one.target), edge(at, call, one.next)];
      return block(one.target === one.next ? { kind: "goto", to, jump: at } : { kind: "branch", condition: one.instruction.condition, to, otherwise, jump: at }, length, 1);
    }
    instructions.push(one);
    if (one.flow === "call") {
      const callee = call.callees.get(one.next);
      return block(callee === undefined ? { kind: "gone" } : { kind: "call", to: edge(at, callee, one.target) }, length);
    }
    if (one.flow === "return") return block(call.caller === undefined ? { kind: "gone" } : { kind: "return", to: edge(at, call.caller, call.returnsTo, call.pages) }, length);
    if (one.flow === "gone") return block({ kind: "gone" }, length);
    at = one.next;
    if (call.leaders.has(at)) return block({ kind: "goto", to: edge(one.at, call, at) }, length);
  }
}

/** The blocks that can be reached, the entry first. */
function ordered(entry: RegionBlock, blocks: ReadonlyMap<number, RegionBlock>): Map<number, RegionBlock> {
  const out = new Map<number, RegionBlock>();
  const open = [entry];
  while (open.length > 0) {
    const block = open.pop()!;
    if (out.has(block.id)) continue;
    out.set(block.id, block);
    for (const id of successors(block)) open.push(blocks.get(id)!);
  }
  return out;
}

/** Numbers of the blocks at which a block may go on. */
export function successors({ end }: RegionBlock): number[] {
  const edges = end.kind === "branch" ? [end.to, end.otherwise] : "to" in end ? [end.to] : [];
  return edges.map(({ block }) => block).filter((block) => block >= 0);
}
