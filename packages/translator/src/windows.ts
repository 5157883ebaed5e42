/**
 * Windows: accesses of a region that lie at known distances from each other, as the fields of a structure or of a frame on the stack do. The TLB is
 * looked at once for all of them, in front of the first, and each is one host instruction then. What is looked at there is only looked at: a
 * window whose bytes are not on one page that the TLB has leaves the region, and the interpreter makes the accesses.
 *
 * The distances come from the instructions' own meanings, so that PUSH, POP, CALL, RET, LEA and additions need no rules of their own. A window is open
 * in the blocks that its own dominates, as far as no way there calls a helper, which may change the TLB, or writes the registers.
 *
 * In a loop of one block that calls no helper a window, also one of a single access, keeps the page that it found in a slot in memory for the next
 * round: the TLB is looked at when it comes to another page, and when the loop begins. Nothing changes what the TLB has in between.
 */
import { displacementOf } from "@doppel/cpu";
import type { Place, Size, Statement, Value } from "@doppel/semantics";
import { type Instruction, PAGE_SIZE } from "@doppel/x86";
import { type Meaning, placeOffset, registerAt } from "./effects.ts";
import type { Region, RegionBlock } from "./region.ts";
import { ROOT, type Structure } from "./structure.ts";

/** General registers, which the numbers of vectors follow. */
const REGISTERS = 16;
const RSP = 4;
const RBP = 5;
/** Bytes from the first to the last access of a window at most: of those in one block, and with those in others, which control may not come to. */
const WIDEST = 1024;
const WIDEST_BEYOND = 128;
/** Slots of a region. */
export const SLOTS = 32;

/** How the address is made that a window lies at a distance from, in front of the instruction that it opens at. */
export type Origin =
  | { readonly kind: "registers"; readonly base: number; readonly index: number; readonly scale: number }
  /** A page of the region's code, from the first entry's. */
  | { readonly kind: "code"; readonly page: number }
  /** A linear address. */
  | { readonly kind: "constant"; readonly address: number };

/** Bytes that several accesses lie in. */
export interface Window {
  readonly origin: Origin;
  /** Number of the instruction in its block that it opens in front of. */
  readonly at: number;
  /** From the origin. */
  readonly low: number;
  readonly length: number;
  /** Some access writes. */
  readonly write: boolean;
  /** It has one access only: to miss it costs no more than to look that one up. */
  readonly isAlone: boolean;
  /** Number of the slot that keeps its page. */
  readonly slot: number | undefined;
}

/** Where an access lies in its window. */
export interface InWindow {
  readonly window: Window;
  readonly offset: number;
}

/** The windows that open in a block, and which accesses of which of its instructions lie in windows. */
export interface BlockWindows {
  readonly opens: readonly Window[];
  readonly accesses: ReadonlyMap<number, ReadonlyMap<Statement, InWindow>>;
}

/** Something unknown that several values lie at known distances from: what a register has, a page, or the sum of two registers. */
interface Known {
  readonly fixed?: Origin;
  readonly sum?: { readonly base: Distance | undefined; readonly index: Distance; readonly scale: number };
  /** No window may open for it in front of the first access, nor shall one in front of the others: what was missed there would be missed here. */
  isRefused?: boolean;
}

/** A value that lies at a distance from something, or a number where that is nothing. */
interface Distance {
  readonly from: Known | undefined;
  readonly bytes: number;
}

interface Access {
  readonly block: number;
  readonly instruction: number;
  readonly statement: Statement;
  readonly bytes: number;
  readonly size: Size;
}

/** A window that grows as accesses are found. */
interface Growing {
  readonly from: Known;
  readonly origin: Origin;
  /** Bytes from what it is `from` to the origin. */
  readonly shift: number;
  readonly block: number;
  readonly at: number;
  low: number;
  high: number;
  write: boolean;
  readonly accesses: Access[];
}

/** Windows that are open, the last one first. */
interface Open {
  readonly window: Growing;
  readonly before: Open | undefined;
}

interface State {
  /** Undefined where nothing has asked what a register has. */
  readonly registers: readonly (Distance | undefined)[];
  readonly open: Open | undefined;
}

/** Which windows a region may have. */
export interface WindowRule {
  /** Those whose address is made of the stack or frame pointer. */
  readonly frames: boolean;
  /** Places of instructions in front of which none opens. */
  readonly without: ReadonlySet<number>;
}

export const ALL_WINDOWS: WindowRule = { frames: true, without: new Set() };

/** Finds the windows of a region, by the numbers of their blocks. */
export function windowsOf(region: Region, structure: Structure, rule: WindowRule = ALL_WINDOWS): Map<number, BlockWindows> {
  const out = new Map<number, { opens: Window[]; accesses: Map<number, Map<Statement, InWindow>> }>();
  const of = (block: number): { opens: Window[]; accesses: Map<number, Map<Statement, InWindow>> } => {
    let found = out.get(block);
    if (found === undefined) out.set(block, (found = { opens: [], accesses: new Map() }));
    return found;
  };
  const all = new Walk(region, structure, rule).windows;
  const slots = slotsOf(region, structure, all);
  for (const one of all) {
    const { origin, shift, block, at, low, high, write, accesses } = one;
    const slot = slots.get(one);
    // Without a slot, one access alone looks itself up.
    if (accesses.length === 1 && slot === undefined) continue;
    const window = { origin, at, low: low - shift, length: high - low, write, isAlone: accesses.length === 1, slot };
    of(block).opens.push(window);
    for (const access of accesses) {
      const there = of(access.block).accesses;
      let own = there.get(access.instruction);
      if (own === undefined) there.set(access.instruction, (own = new Map()));
      own.set(access.statement, { window, offset: access.bytes - low });
    }
  }
  return out;
}

/** Which windows keep their page: those of loops of one block, which mostly have many rounds. */
function slotsOf({ blocks }: Region, { loopAround }: Structure, windows: readonly Growing[]): Map<Growing, number> {
  const keeps = ({ block }: Growing): boolean => loopAround(block)?.body.size === 1 && blocks.get(block)!.instructions.every(({ meaning }) => !meaning.calls);
  return new Map(windows.filter(keeps).slice(0, SLOTS).map((window, slot) => [window, slot]));
}

const isFrame = (origin: Origin): boolean => origin.kind === "registers" && (origin.base === RSP || origin.base === RBP);

/** Operations whose results may lie at a distance from what a register has. */
const MOVES = new Set(["place", "effectiveAddress", "i32_add", "i64_add", "i32_sub", "i64_sub"]);

const interest = new WeakMap<Meaning, boolean>();

/** Whether instructions of a meaning access memory or move a register by a distance: nothing else is of interest here. */
function isOfInterest(meaning: Meaning): boolean {
  let known = interest.get(meaning);
  if (known === undefined) {
    const { statements } = meaning.statements;
    known = meaning.calls || statements.some((s) => s.kind === "load" || s.kind === "probe" || s.kind === "store" || (s.kind === "setPlace" && MOVES.has(s.value.op)));
    interest.set(meaning, known);
  }
  return known;
}

const NOTHING: State = { registers: Array.from({ length: REGISTERS }), open: undefined };

/** Goes through the blocks of a region, each behind the one that dominates it. */
class Walk {
  readonly windows: Growing[] = [];
  private readonly native: Size;
  private readonly region: Region;
  private readonly structure: Structure;
  private readonly rule: WindowRule;
  private readonly pages = new Map<string, Known>();
  private readonly refused: Known[] = [];
  /** Registers in front of the instruction in hand, and now, undefined where nothing has asked for one; those that it has written so far, as bits. */
  private before: (Distance | undefined)[] = [];
  private registers: (Distance | undefined)[] = [];
  private written = 0;
  private open: Open | undefined;
  private readonly values = new Map<Value, Distance | undefined>();
  private instruction!: Instruction;
  private block!: RegionBlock;
  private index = 0;

  constructor(region: Region, structure: Structure, rule: WindowRule) {
    this.region = region;
    this.structure = structure;
    this.rule = rule;
    this.native = region.long ? 8 : 4;
    const states = new Map<number, State>([[ROOT, NOTHING]]);
    for (const id of structure.order) {
      if (id === ROOT) continue;
      this.block = region.blocks.get(id)!;
      this.begin(this.enters(states.get(structure.dominator(id))!));
      for (const [index, { instruction, meaning, registers }] of this.block.instructions.entries()) {
        if (!isOfInterest(meaning)) {
          this.forget(registers.writes);
          continue;
        }
        this.instruction = instruction;
        this.index = index;
        this.before = this.registers.slice();
        this.written = 0;
        this.values.clear();
        for (const statement of meaning.statements.statements) this.statement(statement);
        // A helper may change what the TLB has, and registers.
        if (meaning.calls) this.begin(NOTHING);
      }
      states.set(id, { registers: this.registers, open: this.open });
    }
  }

  /** Registers have something else now. */
  private forget(writes: number): void {
    for (let left = writes & (2 ** REGISTERS - 1); left !== 0; left &= left - 1) this.registers[31 - Math.clz32(left & -left)] = undefined;
  }

  /** What a register has. */
  private register(n: number): Distance {
    const known = this.registers[n];
    if (known !== undefined) return known;
    const fresh: Distance = { from: {}, bytes: 0 };
    this.registers[n] = fresh;
    if (((this.written >>> n) & 1) === 0) this.before[n] = fresh;
    return fresh;
  }

  private begin({ registers, open }: State): void {
    this.registers = registers.slice();
    this.open = open;
  }

  /** What holds where the block begins of what holds at the end of the one that dominates it. */
  private enters(state: State): State {
    const { structure, block: { id } } = this;
    const over = structure.dominator(id);
    if (over === ROOT || structure.isSentTo(id)) return NOTHING;
    if (!structure.mergeNodes.has(id) && !structure.loopHeaders.has(id)) return state;
    // What it sends on has not passed its instructions.
    if (structure.onwards(over).length > 0) return NOTHING;
    let writes = 0;
    const between = new Set<number>();
    const ways = [...structure.before(id)];
    for (let one = ways.pop(); one !== undefined; one = ways.pop()) {
      if (one === over || between.has(one)) continue;
      between.add(one);
      for (const { meaning, registers } of this.region.blocks.get(one)!.instructions) {
        if (meaning.calls) return NOTHING;
        writes |= registers.writes;
      }
      ways.push(...structure.before(one));
    }
    return { registers: state.registers.map((distance, n) => ((writes >>> n) & 1 ? undefined : distance)), open: state.open };
  }

  private statement(s: Statement): void {
    switch (s.kind) {
      case "let":
        this.distance(s.value);
        return;
      case "load":
        return this.access(s, s.size, s.update);
      case "probe":
        return this.access(s, s.size, true);
      case "store":
        // Behind a probe the place is known.
        return s.address.probed?.address === s.address ? undefined : this.access(s, s.size, true);
      case "setPlace":
        return this.wrote(s.place, s.size, this.distance(s.value));
      case "if":
        for (const one of [...s.then.statements, ...(s.otherwise?.statements ?? [])]) this.perhaps(one);
        return;
      case "loop":
        for (const one of s.body.statements) this.perhaps(one);
    }
  }

  /** What stands on some ways only moves a register to an unknown place. */
  private perhaps(s: Statement): void {
    if (s.kind === "setPlace") this.wrote(s.place, s.size, undefined);
    else if (s.kind === "if" || s.kind === "loop") this.statement(s);
  }

  private wrote(place: Place, size: Size, distance: Distance | undefined): void {
    const register = registerAt(placeOffset(place, this.instruction));
    if (register < 0 || register >= REGISTERS) return;
    this.registers[register] = size === this.native && distance?.from !== undefined ? distance : undefined;
    this.written |= 1 << register;
  }

  private access(statement: Statement & { address: { offset: Value; checked: boolean } }, size: Size, write: boolean): void {
    const distance = this.distance(statement.address.offset);
    if (distance?.from === undefined || statement.address.checked) return;
    const { from, bytes } = distance;
    if (from.isRefused || (from.fixed !== undefined && bytes + size > PAGE_SIZE)) return;
    const access = { block: this.block.id, instruction: this.index, statement, bytes, size };
    for (let one = this.open; one !== undefined; one = one.before) if (one.window.from === from && this.joins(one.window, access, write)) return;
    const { at } = this.block.instructions[this.index]!;
    const place = this.originOf(from);
    if (place === undefined) return;
    if (this.rule.without.has(at) || (!this.rule.frames && isFrame(place.origin))) {
      from.isRefused = true;
      this.refused.push(from);
      return;
    }
    const window: Growing = { from, ...place, block: this.block.id, at: this.index, low: bytes, high: bytes + size, write, accesses: [access] };
    this.windows.push(window);
    this.open = { window, before: this.open };
  }

  private joins(window: Growing, access: Access, write: boolean): boolean {
    const isWithin = window.block === access.block;
    // Where control may not come to, nothing may be asked for that is not needed: the page may be one to read only.
    if (write && !window.write && !isWithin) return false;
    const low = Math.min(window.low, access.bytes);
    const high = Math.max(window.high, access.bytes + access.size);
    const isOld = low === window.low && high === window.high;
    if (!isOld && window.from.fixed === undefined && high - low > (isWithin ? WIDEST : WIDEST_BEYOND)) return false;
    window.low = low;
    window.high = high;
    window.write ||= write;
    window.accesses.push(access);
    return true;
  }

  /** How to make what a window is from in front of the instruction in hand, and how far the origin is from it. */
  private originOf(from: Known): { origin: Origin; shift: number } | undefined {
    if (from.fixed !== undefined) return { origin: from.fixed, shift: 0 };
    const { before } = this;
    const { sum } = from;
    if (sum === undefined) {
      const base = before.findIndex((distance) => distance?.from === from);
      return base < 0 ? undefined : { origin: { kind: "registers", base, index: -1, scale: 0 }, shift: before[base]!.bytes };
    }
    const { base, index } = this.instruction;
    const [b, i] = [before[base], before[index]];
    if (b?.from !== sum.base?.from || i?.from !== sum.index.from) return undefined;
    return { origin: { kind: "registers", base, index, scale: sum.scale }, shift: (b?.bytes ?? 0) - (sum.base?.bytes ?? 0) + (i!.bytes - sum.index.bytes) * 2 ** sum.scale };
  }

  private wideImmediate(): Distance | undefined {
    const { immediate, immediateHigh } = this.instruction;
    return immediateHigh === immediate >> 31 ? { from: undefined, bytes: immediate } : undefined;
  }

  private distance(value: Value): Distance | undefined {
    let distance = this.values.get(value);
    if (distance === undefined && !this.values.has(value)) this.values.set(value, (distance = this.find(value)));
    return distance;
  }

  private find({ op, args, data }: Value): Distance | undefined {
    switch (op) {
      case "const": return { from: undefined, bytes: Number(data) };
      case "field": return data === "immediate" ? { from: undefined, bytes: this.instruction.immediate } : data === "immediate64" ? this.wideImmediate() : undefined;
      case "i64_extend_i32_s": {
        const number = this.distance(args[0]!);
        return number?.from === undefined ? number : undefined;
      }
      case "place": {
        const { place, size } = data as { place: Place; size: Size };
        const register = registerAt(placeOffset(place, this.instruction));
        return size === this.native && register >= 0 && register < REGISTERS ? this.register(register) : undefined;
      }
      case "effectiveAddress": return this.effectiveAddress();
      case "i32_add": case "i64_add": case "i32_sub": case "i64_sub": {
        const [a, b] = [this.distance(args[0]!), this.distance(args[1]!)];
        if (a === undefined || b === undefined || b.from !== undefined) return undefined;
        return { from: a.from, bytes: op.endsWith("add") ? a.bytes + b.bytes : a.bytes - b.bytes };
      }
      default: return undefined;
    }
  }

  private effectiveAddress(): Distance | undefined {
    const { base, index, scale, ripRelative, addressSize, length } = this.instruction;
    if (addressSize !== this.native) return undefined;
    const displacement = displacementOf(this.instruction);
    if (ripRelative) {
      const place = this.block.instructions[this.index]!.at + length + displacement;
      const page = Math.floor(place / PAGE_SIZE);
      return { from: this.page({ kind: "code", page }), bytes: place - page * PAGE_SIZE };
    }
    const b = base < 0 ? undefined : this.register(base);
    if (index < 0) {
      if (b !== undefined) return { from: b.from, bytes: b.bytes + displacement };
      const bytes = displacement & (PAGE_SIZE - 1);
      return { from: this.page({ kind: "constant", address: displacement - bytes }), bytes };
    }
    const i = this.register(index);
    const isSame = ({ sum }: Known): boolean => sum !== undefined && sum.scale === scale && sum.base?.from === b?.from && sum.index.from === i.from;
    let from = this.refused.find(isSame);
    for (let one = this.open; one !== undefined && from === undefined; one = one.before) if (isSame(one.window.from)) from = one.window.from;
    if (from === undefined) return { from: { sum: { base: b, index: i, scale } }, bytes: displacement };
    const { base: first, index: second } = from.sum!;
    return { from, bytes: displacement + (b?.bytes ?? 0) - (first?.bytes ?? 0) + (i.bytes - second.bytes) * 2 ** scale };
  }

  private page(fixed: Exclude<Origin, { kind: "registers" }>): Known {
    const key = fixed.kind === "constant" ? `at ${fixed.address}` : `page ${fixed.page}`;
    let known = this.pages.get(key);
    if (known === undefined) this.pages.set(key, (known = { fixed }));
    return known;
  }
}
