/**
 * Forms regions (engine.md, item 4): from an entry, the instructions that direct jumps reach, also in other pages, and the functions that are
 * called on the way, as basic blocks. A called function gets blocks of its own at each call, so that its return leads back to one place;
 * what it returns to is compared with what stands on the stack. Where control goes away and comes back (behind a call of a function that is
 * not part of it, and behind an instruction that only the interpreter executes) the region has a further entry, so that a function is one
 * region and not one for each of its calls. Indirect jumps leave the region; so does code that never ran.
 */
import { shapeOf } from "@doppel/cpu";
import type { Shape } from "@doppel/semantics";
import { decode, Instruction, OK } from "@doppel/x86";
import { type Meaning, meaningOf, type Registers, registersOf } from "./effects.ts";

/** Instructions of a region at most. More (engine.md: 500 to 2000) was no faster, and has the same code in more regions. */
const MOST_INSTRUCTIONS = 600;
/** Instructions of a called function at most, and how many calls stand in each other. */
const MOST_CALLED = 160;
const MOST_CALLS = 3;
/** Entries at most. */
const MOST_ENTRIES = 100;
/** Pages that a region lies in at most: sets of them are bits of a number. */
const MOST_PAGES = 30;
/** Instructions behind which control does not come back. */
const GOES = new Set(["IRET", "RETF", "JMPF", "SYSENTER", "SYSEXIT", "SYSRET", "RSM", "UD0", "UD1", "UD2"]);
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
  /** It is no part of a function that is called in the region. */
  readonly own: boolean;
}

/** Blocks by their numbers. */
export interface Region {
  /** Where it may be entered; the place that it was formed from comes first. */
  readonly entries: readonly RegionBlock[];
  readonly long: boolean;
  readonly blocks: ReadonlyMap<number, RegionBlock>;
  /** Where the pages are in linear memory, by their distance in pages from the first entry's. */
  readonly pages: ReadonlyMap<number, number>;
  /** Whether the mapping of a place's page is known to be what it was, wherever a block ends. */
  knowsPage(from: RegionBlock, at: number): boolean;
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
  /** Whether control comes back behind calls and behind instructions that are not for regions; nobody can tell of code that never ran. */
  readonly comesBack: boolean;
  /** Whether a function that has a region of its own begins at this place in `bytes`: what jumps there goes on to it. */
  isFunction(host: number): boolean;
}

interface Decoded extends RegionInstruction {
  readonly next: number;
  /** "away" comes back behind it, "gone" does not. */
  readonly flow: "on" | "jump" | "branch" | "call" | "return" | "away" | "gone";
  /** Of a direct jump or call. */
  readonly target: number;
}

/** A function that is called, at one call. */
interface Call {
  readonly caller: Call | undefined;
  readonly returnsTo: number;
  readonly target: number;
  readonly depth: number;
  readonly leaders: Set<number>;
  /** Where the region may be entered, of the outermost function. */
  readonly entries: Set<number>;
  readonly code: Map<number, Decoded>;
  /** Calls that were looked at. */
  readonly seen: Set<number>;
  /** Calls of others that are part of the region, by the place behind the call. */
  readonly callees: Map<number, Call>;
  readonly numbers: Map<number, number>;
  returns: boolean;
}

const pageOf = (at: number): number => Math.floor(at / PAGE_SIZE);

function flowOf({ mnemonic }: Instruction["form"], direct: boolean): Decoded["flow"] {
  switch (mnemonic) {
    case "JMP": return direct ? "jump" : "gone";
    case "CALL": return direct ? "call" : "away";
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

  get comesBack(): boolean {
    return this.source.comesBack;
  }

  /** Whether a function with a region of its own begins at a place. */
  isFunction(at: number): boolean {
    const page = this.page(pageOf(at));
    return page !== undefined && this.source.isFunction(page + at - pageOf(at) * PAGE_SIZE);
  }

  /** Whether code at a place has been executed. */
  isKnown(at: number): boolean {
    const page = this.page(pageOf(at));
    return page !== undefined && this.source.isKnown(page + at - pageOf(at) * PAGE_SIZE);
  }

  /** Where an instruction ends that is not for regions, if control comes back there. */
  behind(at: number): number | undefined {
    const page = this.page(pageOf(at));
    const instruction = new Instruction();
    if (page === undefined || decode(this.source.bytes, page + at - pageOf(at) * PAGE_SIZE, page + PAGE_SIZE, this.source.long ? 8 : 4, instruction) !== OK) return undefined;
    return GOES.has(instruction.form.mnemonic) ? undefined : at + instruction.length;
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
      host = this.pages.size < MOST_PAGES ? this.source.pageAt(distance) : undefined;
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
  const known = knownPages(entries, reached, [...pages.keys()]);
  return { entries, long: source.long, blocks: reached, pages, knowsPage: (from, at) => pageOf(at) === pageOf(from.start) || known(from.id, pageOf(at)) };
}

/** Finds what belongs to a region. */
class Explorer {
  private readonly decoder: Decoder;
  private readonly most: number;
  private readonly calls: Call[] = [];
  /** Places behind indirect calls and behind instructions that are not for regions. */
  private readonly resumed: number[] = [];
  private total = 0;
  private blocks = 0;

  constructor(decoder: Decoder, most: number) {
    this.decoder = decoder;
    this.most = most;
  }

  explore(entry: number, others: readonly number[]): readonly Call[] {
    const own = this.call(undefined, NaN, entry);
    this.calls.push(own);
    own.entries.add(entry);
    this.walk(own, entry, this.most);
    for (;;) {
      this.follow(own);
      const at = this.resumed.pop();
      if (at === undefined) break;
      this.comeBack(own, at);
    }
    for (const other of others) this.comeBack(own, other);
    for (const call of this.calls) for (const leader of call.leaders) if (call.code.has(leader)) call.numbers.set(leader, this.blocks++);
    return this.calls;
  }

  private call(caller: Call | undefined, returnsTo: number, target: number): Call {
    return { caller, returnsTo, target, depth: caller === undefined ? 0 : caller.depth + 1, entries: new Set(), leaders: new Set(), code: new Map(), seen: new Set(), callees: new Map(), numbers: new Map(), returns: false };
  }

  private enterAt(own: Call, at: number): void {
    if (own.entries.size >= MOST_ENTRIES) return;
    own.leaders.add(at);
    own.entries.add(at);
  }

  /** Takes functions in that are called, or lets control come back from them, and adds what stands behind the calls. */
  private follow(own: Call): void {
    for (let one = nextCall(own); one !== undefined; one = nextCall(own)) {
      const taken = this.takeIn(own, one, Math.min(this.total + MOST_CALLED, this.most));
      this.calls.push(...(taken ?? []));
      if (taken === undefined) this.comeBack(own, one.next);
      else this.walk(own, one.next, this.most);
    }
  }

  /**
   * Makes a function part of the region, with all that it calls: one that control leaves in the middle is better a region of its own, as
   * control comes back there. Returns the function and those that it calls, or undefined where there would be more than `limit` instructions.
   */
  private takeIn(caller: Call, { next, target }: Decoded, limit: number): Call[] | undefined {
    const callee = this.call(caller, next, target);
    const taken = [callee];
    const before = this.total;
    let fits = callee.depth <= MOST_CALLS && !isOpen(caller, target) && this.walk(callee, target, limit);
    for (let one = nextCall(callee); fits && one !== undefined; one = nextCall(callee)) {
      const inner = this.takeIn(callee, one, limit);
      taken.push(...(inner ?? []));
      fits = inner !== undefined && this.walk(callee, one.next, limit);
    }
    if (fits && callee.returns) {
      caller.callees.set(next, callee);
      return taken;
    }
    this.total = before;
    return undefined;
  }

  /** Control comes back here from elsewhere, if it has done so before. */
  private comeBack(own: Call, at: number): void {
    if (!this.decoder.comesBack || this.decoder.at(at) === undefined) return;
    if (!own.code.has(at)) this.walk(own, at, this.most);
    if (own.code.has(at)) this.enterAt(own, at);
  }

  /** Adds what jumps reach; false when the region would have more than `limit` instructions, and for a called function when control leaves it otherwise. */
  private walk(call: Call, entry: number, limit: number): boolean {
    const open = [entry];
    call.leaders.add(entry);
    while (open.length > 0) {
      let at = open.pop()!;
      for (;;) {
        if (call.code.has(at)) break;
        if (this.total >= limit) return false;
        const one = this.decoder.at(at);
        if (one === undefined) {
          if (!this.decoder.isKnown(at)) break;
          if (call.depth > 0) return false;
          const next = this.decoder.behind(at);
          if (next !== undefined) this.resumed.push(next);
          break;
        }
        call.code.set(at, one);
        this.total++;
        if (one.flow === "return") call.returns = true;
        if (call.depth > 0 && (one.flow === "away" || one.flow === "gone")) return false;
        if (one.flow === "away") this.resumed.push(one.next);
        if (one.flow === "jump" || one.flow === "branch") {
          call.leaders.add(one.target);
          // Another function begins there: it is not this one's business.
          if (one.flow === "branch" || !this.decoder.isFunction(one.target)) open.push(one.target);
          else if (call.depth > 0) return false;
        }
        if (one.flow === "branch" || pageOf(one.next) !== pageOf(at)) call.leaders.add(one.next);
        if (one.flow !== "on" && one.flow !== "branch") break;
        at = one.next;
      }
    }
    return call.code.has(entry);
  }
}

/** A call that was not looked at. */
function nextCall(call: Call): Decoded | undefined {
  for (const one of call.code.values()) {
    if (one.flow !== "call" || call.seen.has(one.at)) continue;
    call.seen.add(one.at);
    return one;
  }
  return undefined;
}

/** Whether a function is being called already: it calls itself. */
function isOpen(call: Call, target: number): boolean {
  for (let one: Call | undefined = call; one !== undefined; one = one.caller) if (one.target === target) return true;
  return false;
}

function edge(to: Call, at: number): Edge {
  return { at, block: to.numbers.get(at) ?? -1 };
}

function blockAt(decoder: Decoder, call: Call, start: number, id: number): RegionBlock {
  const instructions: RegionInstruction[] = [];
  const block = (end: BlockEnd, length: number, jump = 0): RegionBlock => ({ id, start, instructions, count: instructions.length + jump, length, end, own: call.depth === 0 });
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
    if (one.flow === "call") {
      const callee = call.callees.get(one.next);
      return block(callee === undefined ? { kind: "gone" } : { kind: "call", to: edge(callee, one.target) }, length);
    }
    if (one.flow === "return") return block(call.caller === undefined ? { kind: "gone" } : { kind: "return", to: edge(call.caller, call.returnsTo) }, length);
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
    for (const id of successors(block)) open.push(blocks.get(id)!);
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
    for (const id of successors(block)) {
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

/** The ways on from a block, out of the region as well. */
export function edgesOf({ end }: RegionBlock): readonly Edge[] {
  return end.kind === "branch" ? [end.to, end.otherwise] : "to" in end ? [end.to] : [];
}

/** Numbers of the blocks at which a block may go on. */
export function successors(block: RegionBlock): number[] {
  return edgesOf(block).map(({ block: id }) => id).filter((id) => id >= 0);
}
