/**
 * The handlers of decoded instructions by their numbers: arms of the generated dispatch functions first, then entries of a table, which has
 * handlers that are functions of their own, made when they are first asked for, and regions.
 */
import type { Shape } from "@doppel/semantics";
import { FORMS, Instruction } from "@doppel/x86";
import type { HandlerTable } from "./code-cache.ts";
import { compiledDispatch, type HotShape } from "./dispatch.ts";
import { type Dispatch, DispatchTiers } from "./dispatch-tiers.ts";
import { type Helpers, instantiate, isDefined, outlineKey, outlineModule, shapeKey, shapeKeyOf, shapeOf, type Watching } from "./handler.ts";
import { frequentShapes, hotShapes } from "./hot-shapes.ts";
import { stocked } from "./stock.ts";

const TABLE_STEP = 1024;
const RECENT = 4096;

/** What handlers are made of. */
export interface HandlersOptions {
  readonly memory: WebAssembly.Memory;
  /** What generated code calls by name. */
  readonly helpers: Helpers;
  /** Run fused pairs from the first instruction on, rather than when they are found to be faster. */
  readonly pairsAtOnce: boolean;
  /** Whether a translator takes hot code away. */
  readonly hasRegions: () => boolean;
}

/** The handlers of one interpreter. */
export class Handlers implements HandlerTable {
  /** Functions by handler numbers less `firstOutlined`, for regions that go on to each other. */
  readonly table = new WebAssembly.Table({ element: "anyfunc", initial: TABLE_STEP });
  private readonly memory: WebAssembly.Memory;
  private readonly helpers: Helpers;
  private readonly pairsAtOnce: boolean;
  private readonly hasRegions: () => boolean;
  /** The handlers in stock by their keys, of 16- and 32-bit code and of 64-bit code. */
  private readonly inStock: (WebAssembly.Exports | undefined)[] = [];
  private outlined = 0;
  private readonly outline = new Map<number, number>();
  /** Numbers of handlers of their own by the keys of shapes, which differ in less than such handlers do. */
  private readonly general = new Map<number, number>();
  /** Of the shapes that were asked for last: a key, plus one, and its number. Most instructions are of few shapes. */
  private readonly recent = new Int32Array(2 * RECENT);
  private readonly freeSlots: number[] = [];
  /** Of 16- and 32-bit code, and of 64-bit code. */
  private readonly lists: (HotHandlers | undefined)[] = [];
  private dispatchers: Record<Watching, { short?: Pick<DispatchTiers, "run">; long?: Pick<DispatchTiers, "run"> }> = { nothing: {}, accesses: {}, blocks: {} };
  private watched: Watching = "nothing";

  constructor({ memory, helpers, pairsAtOnce, hasRegions }: HandlersOptions) {
    this.memory = memory;
    this.helpers = helpers;
    this.pairsAtOnce = pairsAtOnce;
    this.hasRegions = hasRegions;
  }

  /** What code is generated for. */
  get watching(): Watching {
    return this.watched;
  }

  set watching(watching: Watching) {
    this.watched = watching;
    this.forgetNumbers();
  }

  /** Other handlers stand inside the dispatch functions from now on, beside a translator or without: what was numbered has been forgotten. */
  forget(): void {
    this.dispatchers = { nothing: {}, accesses: {}, blocks: {} };
    this.lists.length = 0;
    this.forgetNumbers();
  }

  private forgetNumbers(): void {
    this.general.clear();
    this.recent.fill(0);
  }

  /** Number of the handler for an instruction: an arm of the dispatch function, or a function made now. */
  handler(instruction: Instruction, long: boolean, flat: boolean): number {
    const defined = isDefined(instruction.form) ? instruction : undefinedInstruction(instruction);
    const key = shapeKeyOf(defined, long, flat || long);
    const { recent } = this;
    const at = 2 * (Math.imul(key, 0x9e3779b1) >>> 20);
    if (recent[at] === key + 1) return recent[at + 1]!;
    const number = this.inside(long).numbers.get(key) ?? this.general.get(key) ?? this.newHandler(key, shapeOf(defined, long, flat || long));
    recent[at] = key + 1;
    recent[at + 1] = number;
    return number;
  }

  private newHandler(key: number, shape: Shape): number {
    const number = this.firstOutlined(shape.long) + this.outlineOf({ ...shape, indexed: !shape.ripRelative });
    this.general.set(key, number);
    return number;
  }

  /** Place in the table of a handler of its own. */
  private outlineOf(general: Shape): number {
    const key = outlineKey(general, this.watched);
    let slot = this.outline.get(key);
    if (slot === undefined) {
      slot = this.newSlot();
      const handler = this.stockOf(general.long)[key] ?? instantiate(outlineModule(general, this.watched), this.memory, this.helpers).exports["handler"];
      this.table.set(slot, handler as () => void);
      this.outline.set(key, slot);
    }
    return slot;
  }

  private stockOf(long: boolean): WebAssembly.Exports {
    const at = long ? 1 : 0;
    const known = this.inStock[at];
    if (known !== undefined) return known;
    const module = stocked("handlers", long);
    return (this.inStock[at] = module === undefined ? {} : instantiate(module, this.memory, this.helpers).exports);
  }

  /** Number of the handler behind those that stand inside the dispatch function: table entries count from there. */
  firstOutlined(long: boolean): number {
    return this.inside(long).shapes.length + 1;
  }

  /** Puts a region into the table; its handler's number. */
  add(region: CallableFunction, long: boolean): number {
    const slot = this.freeSlots.pop() ?? this.newSlot();
    this.table.set(slot, region as () => void);
    return this.firstOutlined(long) + slot;
  }

  /** Puts the place of a region that was dropped to use again. The records that led to it lead nowhere now. */
  release(handler: number, long: boolean): void {
    const slot = handler - this.firstOutlined(long);
    // What stands in the table is kept in memory.
    this.table.set(slot, null);
    this.freeSlots.push(slot);
  }

  private newSlot(): number {
    const slot = this.outlined++;
    if (slot >= this.table.length) this.table.grow(TABLE_STEP);
    return slot;
  }

  /** The handlers inside the dispatch functions: beside regions those that are left to interpret most. */
  private inside(long: boolean): HotHandlers {
    return (this.lists[long ? 1 : 0] ??= hotHandlers(long, this.hasRegions() && !this.pairsAtOnce));
  }

  /** Number of the handler for two instructions together, by those of each alone, or 0 when there is none. */
  fused(first: number, second: number, long: boolean): number {
    const { alone, fused } = this.inside(long);
    return first <= alone && second <= alone ? fused[first * (alone + 1) + second]! : 0;
  }

  /** Number of the handler for the first instruction alone, of a pair's; other numbers stand for themselves. */
  alone(handler: number, long: boolean): number {
    const { alone, shapes, firsts } = this.inside(long);
    return handler <= alone || handler > shapes.length ? handler : firsts[handler - alone - 1]!;
  }

  /** Whether a handler of one instruction is a conditional jump's. */
  isConditionalJump(handler: number, long: boolean): boolean {
    // V8 finds elements slowly where it has once been asked for a negative one.
    return handler > 0 && this.inside(long).shapes[handler - 1]?.shape.form.mnemonic === "Jcc";
  }

  /** What executes records of code of 64 bits, or of others. */
  dispatcher(long: boolean): Pick<DispatchTiers, "run"> {
    const dispatchers = this.dispatchers[this.watched];
    let dispatcher = long ? dispatchers.long : dispatchers.short;
    if (dispatcher === undefined) {
      const at = (pairs: boolean): Dispatch => this.dispatch(long, pairs);
      dispatcher = this.watched !== "nothing" ? { run: at(false) } : this.pairsAtOnce || this.hasRegions() ? { run: at(true) }
        : new DispatchTiers(at(false), at(true), () => performance.now());
      dispatchers[long ? "long" : "short"] = dispatcher;
    }
    return dispatcher;
  }

  private dispatch(long: boolean, pairs: boolean): Dispatch {
    const usual = this.watched === "nothing" && this.hasRegions() && !this.pairsAtOnce;
    const module = (usual ? stocked("dispatch", long) : undefined) ?? compiledDispatch(this.inside(long).shapes, long, pairs, this.watched, this.hasRegions());
    return instantiate(module, this.memory, this.helpers, { table: this.table }).exports["run"] as Dispatch;
  }
}

interface HotHandlers {
  /** Handler n + 1 is that of the nth shape: first come those of one instruction, `alone` of them. */
  readonly shapes: readonly HotShape[];
  readonly alone: number;
  /** Numbers of handlers of one instruction by the keys of shapes. */
  readonly numbers: Map<number, number>;
  /** Numbers of pairs' handlers by those of both instructions alone, or 0, and of their first instructions alone. */
  readonly fused: Uint16Array;
  readonly firsts: Uint16Array;
}

/** The forms of conditional jumps: those behind a pair's first instruction are alike. */
const CONDITIONAL_JUMPS = FORMS.filter((form) => form.mnemonic === "Jcc");

const hotSets: (HotHandlers | undefined)[] = [];

function hotHandlers(long: boolean, frequent: boolean): HotHandlers {
  return (hotSets[(long ? 1 : 0) + (frequent ? 2 : 0)] ??= makeHotHandlers(frequent ? frequentShapes(long) : hotShapes(long)));
}

function makeHotHandlers(shapes: readonly HotShape[]): HotHandlers {
  const numbers = new Map<number, number>();
  const pairs = shapes.filter(({ second }) => second !== undefined);
  const alone = shapes.length - pairs.length;
  for (let n = 0; n < alone; n++) numbers.set(shapeKey(shapes[n]!.shape), n + 1);
  const fused = new Uint16Array((alone + 1) * (alone + 1));
  const firsts = new Uint16Array(pairs.length);
  for (const [n, { shape, second }] of pairs.entries()) {
    const first = numbers.get(shapeKey(shape))!;
    firsts[n] = first;
    const forms = second!.form.mnemonic === "Jcc" ? CONDITIONAL_JUMPS : [second!.form];
    for (const form of forms) {
      const behind = numbers.get(shapeKey({ ...second!, form }));
      if (behind !== undefined) fused[first * (alone + 1) + behind] = alone + 1 + n;
    }
  }
  return { shapes, alone, numbers, fused, firsts };
}

const UNDEFINED_FORM = FORMS.find((form) => form.mnemonic === "UD2")!;

function undefinedInstruction(instruction: Instruction): Instruction {
  return Object.assign(new Instruction(), instruction, { form: UNDEFINED_FORM, memory: false });
}
