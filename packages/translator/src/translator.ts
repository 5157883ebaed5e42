/**
 * Finds hot code and has it compiled: an interpreter says now and then where it is; from there the next jump leads to a place where a region
 * may begin, and a place that came up often enough gets one. Compiling is synchronous, in batches (engine.md: one module for many
 * functions); V8 makes quick code first and good code in the background.
 */
import { type Cpu, instantiate, type Interpreter, layout, MODE_CODE32, MODE_FLAT, MODE_LONG, type RegionCompiler, shapeOf } from "@doppel/cpu";
import { TLB_EXEC_TAG, TLB_READ_TAG } from "@doppel/mmu";
import { decode, Instruction, OK } from "@doppel/x86";
import { meaningOf } from "./effects.ts";
import { flagHelpers } from "./kept-flags.ts";
import { exportName, regionModule } from "./region-code.ts";
import { type CodeSource, formRegion, type Region } from "./region.ts";
import type { Tally } from "./region-target.ts";

const PAGE_SIZE = 4096;
const RSP = 4;
/** Samples that lead to a place before it gets a region. */
const THRESHOLD = 20;
/** Regions of a module at most, and samples that a first one waits for others. */
const BATCH = 6;
const PATIENCE = 64;
/** Instructions in all regions at most: some 10 MiB of machine code for each 100,000. Beyond, the modules go that were used longest ago. */
const MOST_TRANSLATED = 300_000;
/** Samples and places that are remembered. */
const MOST_ENTRIES = 20_000;
/** Instructions that are looked at for the next jump. */
const LOOK_AHEAD = 48;

/** What a translator is made of. */
export interface TranslatorOptions {
  readonly engine: Interpreter;
  readonly memory: WebAssembly.Memory;
  /** Samples before a place gets a region; 0 compiles every block as soon as it is decoded, for tests. */
  readonly threshold?: number;
  /** Instructions of a region at most; 400 when absent. */
  readonly longest?: number;
  /** Instructions in all regions at most; 300,000 when absent. */
  readonly capacity?: number;
  /** Has regions count what happens in them, for statistics. */
  readonly tally?: Tally;
  /** Whether regions go on to each other by tail calls, which the host must have; true when absent. Without, each returns to the dispatch function. */
  readonly tailCalls?: boolean;
}

/** Counters, for statistics. */
export interface TranslatorCounters {
  regions: number;
  modules: number;
  instructions: number;
  dropped: number;
}

/** Regions that were compiled together: their code is freed together, too. */
interface Compiled {
  /** Instructions of each region that is still there, by its key. */
  readonly regions: Map<number, number>;
  /** When something last led to one of them, in compilations. */
  used: number;
}

/** A place that is to get a region, and how it is mapped. */
interface Place {
  readonly key: number;
  readonly host: number;
  readonly linear: number;
  readonly view: number;
  readonly long: boolean;
}

/** The region compiler of one interpreter. */
export class Translator implements RegionCompiler {
  readonly counters: TranslatorCounters = { regions: 0, modules: 0, instructions: 0, dropped: 0 };
  private readonly engine: Interpreter;
  private readonly cpu: Cpu;
  private readonly memory: WebAssembly.Memory;
  private readonly threshold: number;
  private readonly tally: Tally | undefined;
  private readonly tailCalls: boolean;
  private readonly helpers: ReturnType<typeof flagHelpers>;
  private readonly heat = new Map<number, number>();
  private readonly installed = new Map<number, Compiled>();
  private readonly capacity: number;
  private readonly longest: number | undefined;
  /** Instructions in all regions. */
  private translated = 0;
  private readonly pending: Place[] = [];
  private waited = 0;
  /** How far the next entry is from a host address, where that follows from the code there; NaN for nothing. Code that has changed since only costs a region that nobody enters. */
  private readonly ahead = new Map<number, number>();
  private readonly bytes: Uint8Array;
  private readonly words: DataView;
  private readonly instruction = new Instruction();

  constructor(options: TranslatorOptions) {
    this.engine = options.engine;
    this.cpu = options.engine.cpu;
    this.memory = options.memory;
    this.bytes = new Uint8Array(options.memory.buffer);
    this.words = new DataView(options.memory.buffer);
    this.threshold = options.threshold ?? THRESHOLD;
    this.capacity = options.capacity ?? MOST_TRANSLATED;
    this.longest = options.longest;
    this.tally = options.tally;
    this.tailCalls = options.tailCalls ?? true;
    this.helpers = flagHelpers(options.memory);
    this.engine.regions = this;
    this.engine.code.isBarrier = (instruction, long, flat) => (flat || long) && meaningOf(shapeOf(instruction, long, true)) === undefined;
    this.engine.code.onRegionDropped = (key, handler) => this.dropped(key, handler);
    if (this.threshold === 0) this.engine.code.onBlock = (key, host, linear) => this.atOnce(key, host, linear);
  }

  /** The kind of code that the processor runs, or undefined where there are no regions for it: 16-bit code, odd segments. */
  private kind(): { readonly long: boolean } | undefined {
    const { mode } = this.cpu.state;
    if (mode & MODE_LONG) return { long: true };
    return (mode & MODE_FLAT) !== 0 && (mode & MODE_CODE32) !== 0 ? { long: false } : undefined;
  }

  private get view(): number {
    const { state, mmu } = this.cpu;
    return mmu.viewOf(state.cpl === 3);
  }

  /** Where the TLB has a linear address that may be executed, or -1: a look must not fill it. */
  private hostOf(linear: number, view: number): number {
    return this.cpu.mmu.tlb.lookup(view, linear, TLB_EXEC_TAG);
  }

  /** Code around a place, as it is mapped now. */
  private source({ host, linear, view, long }: Place): CodeSource {
    const base = host - (host % PAGE_SIZE);
    const page = linear - (host - base);
    const { cpu, engine } = this;
    return {
      bytes: this.bytes, long, hasFeature: (name) => cpu.hasFeature(name),
      pageAt: (distance) => {
        if (distance === 0) return base;
        const found = this.hostOf(cpu.wrap(page + distance * PAGE_SIZE), view);
        return found < 0 ? undefined : found;
      },
      isKnown: (at) => this.threshold === 0 || engine.code.isKnown(at), isEntry: (at) => this.installed.has(engine.code.keyOf(at)),
    };
  }

  sample(host: number): void {
    const kind = this.kind();
    if (kind === undefined || !this.engine.code.takesRegions) return;
    const { long } = kind;
    const here = this.cpu.wrap(this.cpu.state.segmentBase(layout.CS) + this.cpu.state.rip);
    let distance = this.ahead.get(host);
    if (distance === undefined) {
      if (this.ahead.size >= MOST_ENTRIES) this.ahead.clear();
      const found = this.nextEntry(host, here, long);
      distance = found.distance;
      if (found.always) this.ahead.set(host, distance);
    }
    if (Number.isNaN(distance) || !this.warm(this.cpu.wrap(here + distance), long)) {
      // What comes next is compiled, and this is not: it may begin where its block does, behind a call say.
      const start = this.engine.code.blockAround(host);
      if (start >= 0) this.warm(here - (host - start), long);
    }
    if (this.pending.length > 0 && ++this.waited >= PATIENCE) this.compile();
  }

  /** False when there is a region already, or no code at hand. */
  private warm(linear: number, long: boolean): boolean {
    const { view } = this;
    const host = this.hostOf(linear, view);
    if (host < 0) return false;
    const key = this.engine.code.keyOf(host);
    const known = this.installed.get(key);
    if (known !== undefined) {
      known.used = this.counters.modules;
      return false;
    }
    if (this.heat.size >= MOST_ENTRIES) this.heat.clear();
    const heat = (this.heat.get(key) ?? 0) + 1;
    this.heat.set(key, heat);
    if (heat !== this.threshold) return true;
    this.pending.push({ key, host, linear, view, long });
    if (this.pending.length >= BATCH) this.compile();
    return true;
  }

  /**
   * Follows the code to the next jump: where a backward one leads, a call, or a return, whose address is looked for on the stack. `always` is
   * false where it may lead elsewhere the next time.
   */
  private nextEntry(host: number, here: number, long: boolean): { readonly distance: number; readonly always: boolean } {
    const end = host - (host % PAGE_SIZE) + PAGE_SIZE;
    const { instruction } = this;
    const nothing = { distance: NaN, always: true };
    /** What the instructions so far add to the stack pointer; NaN when that is not plain. */
    let stack = 0;
    const word = long ? 8 : 4;
    for (let at = host, n = 0; n < LOOK_AHEAD; n++) {
      if (decode(this.bytes, at, end, long ? 8 : 4, instruction) !== OK) return nothing;
      const { mnemonic, operands } = instruction.form;
      const next = at + instruction.length;
      const direct = operands.at(-1)?.kind === "J" && instruction.operandSize !== 2;
      const target = next + instruction.immediate;
      if (mnemonic === "RET") return { distance: this.returnAddress(stack, long) - here, always: false };
      if (mnemonic === "IRET" || mnemonic === "SYSRET" || mnemonic === "SYSCALL") return nothing;
      if (mnemonic === "JMP" || mnemonic === "CALL" || (mnemonic === "Jcc" && target <= at)) return direct ? { distance: target - host, always: true } : nothing;
      if (mnemonic === "PUSH") stack -= word;
      else if (mnemonic === "POP") stack += word;
      else if (mnemonic === "LEAVE") stack = NaN;
      else if ((mnemonic === "ADD" || mnemonic === "SUB") && !instruction.memory && instruction.rm === RSP && operands[1]!.kind === "I")
        stack += mnemonic === "ADD" ? instruction.immediate : -instruction.immediate;
      at = next;
    }
    return nothing;
  }

  /** What stands on the stack, so many bytes above its pointer; NaN when that is not at hand. */
  private returnAddress(stack: number, long: boolean): number {
    const { state, mmu } = this.cpu;
    const linear = (long ? state.gprAddress(RSP) : state.gpr32(RSP) >>> 0) + stack;
    if (Number.isNaN(linear) || linear % PAGE_SIZE > PAGE_SIZE - 8) return NaN;
    const at = mmu.tlb.lookup(this.view, linear, TLB_READ_TAG);
    if (at < 0) return NaN;
    const low = this.words.getUint32(at, true);
    return long ? this.words.getInt32(at + 4, true) * 0x1_0000_0000 + low : low;
  }

  /** Compiles the block that was just decoded. */
  private atOnce(key: number, host: number, linear: number): void {
    const kind = this.kind();
    if (kind === undefined || this.installed.has(key) || !this.engine.code.takesRegions) return;
    this.pending.push({ key, host, linear, view: this.view, long: kind.long });
    this.compile();
  }

  private compile(): void {
    const batch: { place: Place; region: Region }[] = [];
    for (const place of this.pending.splice(0)) {
      // Formed now and not when it was queued: the page may have changed. Mapped otherwise, it may come up again.
      const mapped = this.hostOf(place.linear, place.view) === place.host;
      const region = mapped ? formRegion(this.source(place), place.host % PAGE_SIZE, this.longest) : undefined;
      if (region !== undefined) batch.push({ place, region });
      else if (!mapped) this.heat.delete(place.key);
    }
    this.waited = 0;
    if (batch.length === 0) return;
    const generated = regionModule(batch.map(({ region }) => region), {
      ...(this.tailCalls ? { first: (long) => this.engine.firstOutlined(long) } : {}), ...(this.tally === undefined ? {} : { tally: this.tally }),
    });
    const { exports } = instantiate(new WebAssembly.Module(generated.module.encode()), this.memory, this.helpers, { table: this.engine.handlers });
    const compiled: Compiled = { regions: new Map(), used: ++this.counters.modules };
    for (const [n, { place, region }] of batch.entries()) {
      const instructions = [...region.blocks.values()].reduce((total, { count }) => total + count, 0);
      this.installed.set(place.key, compiled);
      compiled.regions.set(place.key, instructions);
      this.engine.install(place.key, region.long, exports[exportName(n)] as CallableFunction, spansOf(region));
      this.counters.regions++;
      this.counters.instructions += instructions;
      this.translated += instructions;
    }
    if (this.translated > this.capacity) this.evict(compiled);
  }

  /** Drops what was used longest ago, until an eighth of the room is free; not what is new. */
  private evict(newest: Compiled): void {
    const byUse = [...new Set(this.installed.values())].sort((a, b) => a.used - b.used);
    for (const { regions } of byUse) {
      if (this.translated <= this.capacity * 0.875 || regions === newest.regions) break;
      this.engine.code.dropRegions([...regions.keys()]);
    }
  }

  private dropped(key: number, handler: number): void {
    const compiled = this.installed.get(key);
    this.translated -= compiled?.regions.get(key) ?? 0;
    compiled?.regions.delete(key);
    this.installed.delete(key);
    this.heat.delete(key);
    this.counters.dropped++;
    this.engine.release(handler, ((key % 1024) & MODE_LONG) !== 0);
  }
}

/** The bytes that a region was made from, by host address. */
function spansOf({ blocks, pages }: Region): { host: number; length: number }[] {
  return [...blocks.values()].map(({ start, length }) => {
    const distance = Math.floor(start / PAGE_SIZE);
    return { host: pages.get(distance)! + start - distance * PAGE_SIZE, length };
  });
}
