/**
 * The handlers of decoded instructions by their numbers: arms of the generated dispatch functions first, then entries of a table, which has
 * handlers that are functions of their own, made when they are first asked for, and regions.
 */
import type { Shape } from "@doppel/semantics";
import { FORMS, Instruction } from "@doppel/x86";
import type { HandlerTable } from "./code-cache.ts";
import { compiledDispatch, type HotShape } from "./dispatch.ts";
import { type Dispatch, DispatchTiers } from "./dispatch-tiers.ts";
import { type Helpers, instantiate, isDefined, outlineKey, outlineModule, shapeKey, shapeOf, type Watching } from "./handler.ts";
import { frequentShapes, hotShapes } from "./hot-shapes.ts";

const TABLE_STEP = 1024;

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
  private outlined = 0;
  private readonly outline = new Map<number, number>();
  /** Numbers of handlers of their own by the keys of shapes, which differ in less than such handlers do. */
  private readonly general = new Map<number, number>();
  private readonly freeSlots: number[] = [];
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
    this.general.clear();
  }

  /** Other handlers stand inside the dispatch functions from now on, beside a translator or without: what was numbered has been forgotten. */
  forget(): void {
    this.dispatchers = { nothing: {}, accesses: {}, blocks: {} };
    this.general.clear();
  }

  /** Number of the handler for an instruction: an arm of the dispatch function, or a function made now. */
  handler(instruction: Instruction, long: boolean, flat: boolean): number {
    const shape = shapeOf(isDefined(instruction.form) ? instruction : undefinedInstruction(instruction), long, flat || long);
    const key = shapeKey(shape);
    const { shapes, numbers } = hotHandlers(long, this.hasPairs);
    const found = numbers.get(key) ?? this.general.get(key);
    if (found !== undefined) return found;
    const number = shapes.length + 1 + this.outlineOf({ ...shape, indexed: !shape.ripRelative });
    this.general.set(key, number);
    return number;
  }

  /** Place in the table of a handler of its own. */
  private outlineOf(general: Shape): number {
    const key = outlineKey(general, this.watched);
    let slot = this.outline.get(key);
    if (slot === undefined) {
      slot = this.newSlot();
      const instance = instantiate(outlineModule(general, this.watched), this.memory, this.helpers);
      this.table.set(slot, instance.exports["handler"] as () => void);
      this.outline.set(key, slot);
    }
    return slot;
  }

  /** Number of the handler behind those that stand inside the dispatch function: table entries count from there. */
  firstOutlined(long: boolean): number {
    return hotHandlers(long, this.hasPairs).shapes.length + 1;
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

  /** Whether pairs are executed by handlers of their own: not by the small dispatch function, beside regions. */
  get hasPairs(): boolean {
    return !this.hasRegions() || this.pairsAtOnce;
  }

  /** Number of the handler for an instruction and the one behind it together, or 0 when there is none. */
  fusedHandler(first: Instruction, second: Instruction, long: boolean, flat: boolean): number {
    return hotHandlers(long, this.hasPairs).fused.get(pairKey(shapeOf(first, long, flat || long), shapeOf(second, long, flat || long))) ?? 0;
  }

  /** Whether a handler is a pair's. */
  isPair(handler: number, long: boolean): boolean {
    return hotHandlers(long, this.hasPairs).shapes[handler - 1]?.second !== undefined;
  }

  /** What executes records of code of 64 bits, or of others. */
  dispatcher(long: boolean): Pick<DispatchTiers, "run"> {
    const dispatchers = this.dispatchers[this.watched];
    let dispatcher = long ? dispatchers.long : dispatchers.short;
    if (dispatcher === undefined) {
      // What is hot enough for pairs to matter, a translator takes away: the big function would only be compiled.
      const small = this.watched !== "nothing" || !this.hasPairs;
      dispatcher = small ? { run: this.dispatch(long, false) } : this.pairsAtOnce ? { run: this.dispatch(long, true) }
        : new DispatchTiers(this.dispatch(long, false), this.dispatch(long, true), () => performance.now());
      dispatchers[long ? "long" : "short"] = dispatcher;
    }
    return dispatcher;
  }

  private dispatch(long: boolean, pairs: boolean): Dispatch {
    const module = compiledDispatch(hotHandlers(long, this.hasPairs).shapes, long, pairs, this.watched, this.hasRegions());
    return instantiate(module, this.memory, this.helpers, { table: this.table }).exports["run"] as Dispatch;
  }
}

interface HotHandlers {
  readonly shapes: readonly HotShape[];
  /** Handler numbers by shape, and of pairs by both shapes. */
  readonly numbers: Map<number, number>;
  readonly fused: Map<number, number>;
}

const CONDITIONAL_JUMP = FORMS.find((form) => form.mnemonic === "Jcc")!;

/** A number for two shapes, one behind the other: shape keys stay below 2^26. Short and near jumps are alike here. */
function pairKey(first: Shape, second: Shape): number {
  const form = second.form.mnemonic === "Jcc" ? CONDITIONAL_JUMP : second.form;
  return shapeKey(first) * 2 ** 26 + shapeKey(form === second.form ? second : { ...second, form });
}

const hotSets: (HotHandlers | undefined)[] = [];

function hotHandlers(long: boolean, pairs: boolean): HotHandlers {
  const set = (long ? 1 : 0) + (pairs ? 2 : 0);
  let made = hotSets[set];
  if (made === undefined) {
    made = { shapes: pairs ? hotShapes(long) : frequentShapes(long), numbers: new Map(), fused: new Map() };
    for (const [n, { shape, second }] of made.shapes.entries()) {
      if (second === undefined) made.numbers.set(shapeKey(shape), n + 1);
      else made.fused.set(pairKey(shape, second), n + 1);
    }
    hotSets[set] = made;
  }
  return made;
}

const UNDEFINED_FORM = FORMS.find((form) => form.mnemonic === "UD2")!;

function undefinedInstruction(instruction: Instruction): Instruction {
  return Object.assign(new Instruction(), instruction, { form: UNDEFINED_FORM, memory: false });
}
