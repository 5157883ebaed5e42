/**
 * Finds hot code and has it compiled: an interpreter counts how often it executes what, and says now and then where it is; a block that it
 * executed often enough gets a region. Regions are compiled in batches (engine.md: one module for many
 * functions), on another thread where the host has one to give; V8 makes quick code first and good code in the background.
 */
import { codeKey, type Cpu, type Helpers, hostOfKey, instantiate, type Interpreter, KeyMap, layout, MODE_CODE32, MODE_FLAT, MODE_LONG, modeOfKey, type RegionCompiler, shapeOf } from "@doppel/cpu";
import { TLB_EXEC_TAG } from "@doppel/mmu";
import { FORMS, PAGE_SIZE } from "@doppel/x86";
import { type Assumed, assumedBehind, type Assuming, Assumptions, Missed } from "./assumptions.ts";
import { meaningOf } from "./effects.ts";
import { exportName, type Order, regionModule } from "./region-code.ts";
import { type CodeSource, formRegion, MOST_INSTRUCTIONS, type Region } from "./region.ts";
import type { RegionCounts } from "./region-counts.ts";
import { INDIRECT_TARGET, regionHelpers, VIEW_MISSED } from "./region-helpers.ts";
import type { Tally } from "./region-frame.ts";
import { type CompileRequest, isUnchanged, type ModuleCompiler, requestOf } from "./region-message.ts";
import { codeOf, exitsOf, hostAt, placeOf } from "./region-places.ts";
import { UsualTargets } from "./usual-targets.ts";

/** Executions of a block before it gets a region. */
const THRESHOLD = 12_000;
/**
 * A block of so many bytes, which goes on behind conditional jumps, gets one sooner, after so many times fewer: straight code, as of digests, is
 * seldom compiled a second time with what is around it.
 */
const [LONG_BLOCK, SOONER] = [200, 4] as const;
/** Modules that another thread has to compile at most: more would only wait there, and be formed too early. */
const MOST_UNDER_WAY = 4;
/** Regions of a module at most, and samples that a first one waits for others. */
const BATCH = 6;
const PATIENCE = 32;
/** Instructions in all regions at most: some 10 MiB of machine code for each 100,000. Beyond, the modules go that were used longest ago. */
const MOST_TRANSLATED = 300_000;
/** Places that are remembered. */
const MOST_ENTRIES = 20_000;
/** Code that is executed so many times less often than a region's entry has no place in it. */
const COLD = 32;
/** What only the interpreter executes, and so many times less often than the beginning of a function, does not keep that function out of regions that call it. */
const RARE = 16;
/** Executions of a place in a region, since there is the region, before it becomes a further entry, in thresholds: the whole region is compiled again. */
const REBUILD_AFTER = 2;
/** How often a region is made anew because control comes to further places in it. */
const MOST_REBUILDS = 3;

/** What a translator is made of. */
export interface TranslatorOptions {
  readonly engine: Interpreter;
  readonly memory: WebAssembly.Memory;
  /** Executions of a block before it gets a region, of a long one a quarter of that; 0 compiles every block as soon as it is decoded, for tests. */
  readonly threshold?: number;
  /** Has a block in a region become a further entry of it as soon as it is decoded, for tests with a threshold of 0. */
  readonly growsAtOnce?: boolean;
  /** Instructions of a region at most; 1,200 when absent. */
  readonly longest?: number;
  /** Instructions in all regions at most; 300,000 when absent. */
  readonly capacity?: number;
  /** Has regions count what happens in them, for statistics. */
  readonly tally?: Tally;
  /** The same, with each region's counters for itself: for `Explainer`. */
  readonly counts?: RegionCounts | undefined;
  /** Whether regions go on to each other by tail calls, which the host must have; true when absent. Without, each returns to the dispatch function. */
  readonly tailCalls?: boolean;
  /** Compiles regions beside this thread; they come into use when the host next has a turn. Not used while regions count. */
  readonly compiler?: ModuleCompiler | undefined;
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
  readonly regions: Set<Installed>;
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

/** A region in use. */
interface Installed extends Assuming {
  readonly id: number;
  /** Where it was formed from. */
  readonly place: Place;
  /** Keys of its entries. */
  readonly keys: readonly number[];
  /** Places of the entries that were asked for, from the beginning of the first entry's page. */
  readonly others: readonly number[];
  /** Host addresses of all its instructions, of those that are no called function's, and of the places at which direct jumps leave it. */
  readonly code: Uint32Array;
  readonly body: Uint32Array;
  /** How often what begins in the body was interpreted before there was this region, by its host address: arrivals are counted from there. */
  readonly before: ReadonlyMap<number, number>;
  readonly exits: Uint32Array;
  readonly rebuilt: number;
  readonly module: Compiled;
}

/** A region that is about to be compiled. */
interface Draft {
  readonly id: number;
  readonly place: Place;
  readonly region: Region;
  readonly instructions: number;
  /** Host addresses of the instructions that are its own: not of functions that it calls. */
  readonly body: Uint32Array;
  readonly others: readonly number[];
  readonly rebuilt: number;
  readonly assumes: Assumed;
  /** Regions whose place it takes. */
  readonly replaces: readonly Installed[];
}

/** The region compiler of one interpreter. */
export class Translator implements RegionCompiler {
  /** Where regions count; see {@link setCounts}. */
  counts: RegionCounts | undefined;
  readonly counters: TranslatorCounters = { regions: 0, modules: 0, instructions: 0, dropped: 0 };
  readonly engine: Interpreter;
  private readonly cpu: Cpu;
  readonly memory: WebAssembly.Memory;
  private readonly threshold: number;
  private readonly tally: Tally | undefined;
  private readonly helpers: Helpers;
  /** How often a block must have been executed before a next look, by key; where there is nothing, the threshold or its part for long blocks. */
  private readonly next = new KeyMap<number>();
  /** Regions by their ids, by the keys of their entries, and by the frames that they have code in. */
  private readonly installed = new Map<number, Installed>();
  private readonly byKey = new KeyMap<Installed>();
  private readonly byFrame = new Map<number, Set<Installed>>();
  private readonly tailCalls: boolean;
  private readonly capacity: number;
  private readonly longest: number;
  private readonly growsAtOnce: boolean;
  /** Compiles elsewhere, until it fails. */
  private elsewhere: ModuleCompiler | undefined;
  /** What is being compiled there. */
  private readonly underWay = new Set<readonly Draft[]>();
  /** Instructions in all regions. */
  private translated = 0;
  private readonly pending: Place[] = [];
  private readonly assumptions: Assumptions;
  private readonly targets: UsualTargets;
  /** Regions that are to be made anew without what they missed. */
  private readonly strained = new Set<number>();
  /** While regions are formed, how often the instructions of pages were interpreted: counts stand still then. */
  private readonly executions = new Map<number, Uint32Array>();
  private waited = 0;
  private ids = 0;
  private readonly bytes: Uint8Array;

  constructor(options: TranslatorOptions) {
    this.engine = options.engine;
    this.cpu = options.engine.cpu;
    this.assumptions = new Assumptions(this.cpu);
    this.memory = options.memory;
    this.bytes = new Uint8Array(options.memory.buffer);
    this.elsewhere = options.threshold === 0 ? undefined : options.compiler;
    this.threshold = options.threshold ?? THRESHOLD;
    this.targets = new UsualTargets(this.threshold === 0 ? 4 : undefined);
    this.capacity = options.capacity ?? MOST_TRANSLATED;
    this.longest = options.longest ?? MOST_INSTRUCTIONS;
    this.growsAtOnce = options.growsAtOnce ?? false;
    this.counts = options.counts;
    this.tally = options.tally;
    this.helpers = {
      ...this.engine.helpers, ...regionHelpers(options.memory, this.engine.helpers["fillCode"]!, (id, low, high, _length, at) => this.missed(id, (region) => this.assumptions.missedWindow(region, low, high, at))),
      [VIEW_MISSED]: (id) => this.missed(id!, (region) => this.assumptions.missedView(region)),
      [INDIRECT_TARGET]: (id, at, low, high) => this.missed(id!, (region) => this.targets.note(hostAt(region, at!), high! * 2 ** 32 + (low! >>> 0) - at!)),
    };
    this.tailCalls = options.tailCalls ?? true;
    this.engine.regions = this;
    // By forms: 0 where it is not known, 1 where not, 2 where it is one. All shapes of a form have a meaning, or none has.
    const known = new Uint8Array(FORMS.length);
    this.engine.code.isBarrier = (instruction, long, flat) =>
      (flat || long) && (known[instruction.form.id] ||= meaningOf(shapeOf(instruction, long, true)) === undefined ? 2 : 1) === 2;
    if (this.threshold === 0) this.engine.code.onBlock = (key, host, linear) => this.atOnce(key, host, linear);
  }

  /** Has regions count here from now on, or nowhere. Those that are there go; they are made anew when a sample meets their code. */
  setCounts(counts: RegionCounts | undefined): void {
    if (counts === this.counts) return;
    this.engine.code.dropRegions(() => true);
    this.counts = counts;
  }

  /** The places of regions in use, those first that a sample met last. */
  inUse(): { readonly linear: number; readonly host: number; readonly long: boolean; readonly pages: Region["pages"]; readonly instructions: number }[] {
    const all = [...this.installed.values()].sort((a, b) => b.module.used - a.module.used);
    return all.map(({ place: { linear, host, long }, pages, instructions }) => ({ linear, host, long, pages, instructions }));
  }

  /** Whether a region begins at a host address, in code of the kind that the processor runs. */
  isEntry(host: number): boolean {
    return this.byKey.has(this.engine.code.keyOf(host));
  }

  /** Whether a region was formed from there: what jumps to it from elsewhere goes on to it. */
  isFunction(host: number): boolean {
    return this.byKey.get(this.engine.code.keyOf(host))?.place.host === host;
  }

  /** Whether a region has as many instructions as it may have: what comes to its code is not added to it, and goes on to it. */
  private isFull({ instructions }: Installed | Draft): boolean {
    return instructions >= this.longest;
  }

  /** Whether a full region has an entry at a host address, and stays. */
  private isElsewhere(host: number, replaces: readonly Installed[]): boolean {
    const there = this.byKey.get(this.engine.code.keyOf(host));
    return there !== undefined && this.isFull(there) && !replaces.includes(there);
  }

  /** Numbers of the handlers that stand first in the table, of 32-bit and of 64-bit code. */
  get firstOutlined(): readonly [number, number] {
    const { handlers } = this.engine;
    return [handlers.firstOutlined(false), handlers.firstOutlined(true)];
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

  /** How often what stands at a host address was interpreted. */
  private times(host: number): number {
    const offset = host & (PAGE_SIZE - 1);
    let page = this.executions.get(host - offset);
    if (page === undefined) this.executions.set(host - offset, (page = this.engine.code.executions(host - offset)));
    return page[offset]!;
  }

  /** Code around a place, as it is mapped now. */
  private source({ host, linear, view, long }: Place, replaces: readonly Installed[] = []): CodeSource {
    const least = Math.max(1, this.times(host) / COLD);
    const base = host - (host % PAGE_SIZE);
    const page = linear - (host - base);
    const { cpu } = this;
    return {
      bytes: this.bytes, long, view: cpu.mmu.tlb.viewAddress(view), comesBack: true, hasFeature: (name) => cpu.hasFeature(name),
      pageAt: (distance) => {
        if (distance === 0) return base;
        const found = this.hostOf(cpu.wrap(page + distance * PAGE_SIZE), view);
        return found < 0 ? undefined : found;
      },
      isKnown: (at) => this.threshold === 0 || this.times(at) >= least || this.isCompiled(at), isFunction: (at) => this.isFunction(at), isElsewhere: (at) => this.isElsewhere(at, replaces), usualTargets: (at) => this.targets.usual(at), isRare: (at, beside) => this.threshold === 0 || this.times(at) * RARE < this.times(beside),
    };
  }

  /** Whether an instruction is part of a region: it is hot, and not counted any more. */
  private isCompiled(host: number): boolean {
    for (const { code } of this.byFrame.get(Math.floor(host / PAGE_SIZE)) ?? []) if (code.includes(host)) return true;
    return false;
  }

  sample(host: number): void {
    const kind = this.kind();
    if (kind === undefined || !this.engine.code.takesRegions) return;
    const start = this.engine.code.hottestAround(host);
    if (start < 0) return;
    const linear = this.cpu.wrap(this.cpu.state.segmentBase(layout.CS) + this.cpu.state.rip - (host - start));
    this.warm(start, linear, kind.long);
    if (this.strained.size > 0 || (this.pending.length > 0 && ++this.waited >= PATIENCE)) this.compile();
  }

  /** Has a region made anew where what it assumes is not so too often. */
  private missed(id: number, isTooOften: (region: Installed) => boolean): number {
    const installed = this.installed.get(id);
    if (installed !== undefined && isTooOften(installed)) this.strained.add(id);
    return 0;
  }

  /** Looks how often a block was executed. */
  private warm(host: number, linear: number, long: boolean): void {
    const { code } = this.engine;
    const key = code.keyOf(host);
    const known = this.byKey.get(key);
    if (known !== undefined) {
      known.module.used = this.counters.modules;
      return;
    }
    const executed = code.executed(key);
    if (executed < (this.next.get(key) ?? (code.lengthOf(key) >= LONG_BLOCK ? this.threshold / SOONER : this.threshold))) return;
    if (this.next.size >= MOST_ENTRIES) this.next.clear();
    // If nothing comes of it, there is no hurry to try again.
    this.next.set(key, 4 * executed);
    this.pending.push({ key, host, linear, view: this.view, long });
    if (this.pending.length >= BATCH) this.compile();
  }

  /** Compiles the block that was just decoded. */
  private atOnce(key: number, host: number, linear: number): void {
    const kind = this.kind();
    if (kind === undefined || this.byKey.has(key) || !this.engine.code.takesRegions) return;
    this.pending.push({ key, host, linear, view: this.view, long: kind.long });
    this.compile();
  }

  private compile(): void {
    const tally = this.tally ?? this.counts?.tally;
    const elsewhere = tally === undefined && this.elsewhere?.isReady === true ? this.elsewhere : undefined;
    if (elsewhere !== undefined && this.underWay.size >= MOST_UNDER_WAY) return;
    const drafts = this.relieved();
    for (const place of this.pending.splice(0)) {
      // Formed now and not when it was queued: the page may have changed. Mapped otherwise, it may come up again.
      const isThere = this.hostOf(place.linear, place.view) === place.host || this.cpu.mmu.peekHost(place.linear) === place.host;
      // What is part of another draft may become an entry of that region later.
      if (isThere && ![drafts, ...this.underWay].some((batch) => batch.some(({ body }) => body.includes(place.host)))) this.add(drafts, place);
    }
    this.executions.clear();
    this.waited = 0;
    if (drafts.length === 0) return;
    const orders = drafts.map(({ id, region, assumes }): Order => ({ region, name: assumes.view ? id : undefined, windows: this.assumptions.windowRule(region, assumes) }));
    const first = this.tailCalls ? this.firstOutlined : undefined;
    if (elsewhere !== undefined) this.send(elsewhere, drafts, requestOf(this.bytes, orders, first));
    else this.use(drafts, new WebAssembly.Module(regionModule(orders, { first, tally }).module.encode()), () => true);
  }

  /** Adds the draft for a place; drafts that begin in its middle become part of it. */
  private add(drafts: Draft[], place: Place): void {
    const draft = this.draft(place);
    if (draft === undefined) return;
    const within = drafts.filter((one) => one.place.view === place.view && one.place.long === place.long && draft.body.includes(one.place.host));
    if (within.some((one) => this.isFull(one))) {
      // Once that one is there, this one ends where it begins.
      this.next.delete(place.key);
      return;
    }
    for (const one of within) drafts.splice(drafts.indexOf(one), 1);
    drafts.push(within.length === 0 ? draft : this.joined(draft, within));
  }

  /** A draft with others that begin in its middle. */
  private joined(draft: Draft, within: readonly Draft[]): Draft {
    const { place, region: { pages } } = draft;
    const rebuilt = Math.max(...[draft, ...within].map((one) => one.rebuilt));
    const hosts = within.flatMap((one) => [one.place.host, ...one.others.map((at) => hostAt(one.region, at))]);
    const others = [...draft.others, ...hosts.map((host) => placeOf(pages, host)).filter((at) => !Number.isNaN(at))];
    const replaces = [...new Set([draft, ...within].flatMap((one) => one.replaces))];
    const region = formRegion(this.source(place, replaces), place.host % PAGE_SIZE, others, this.longest)!;
    return this.drafted({ place, region, body: codeOf(region, true), others, rebuilt, assumes: assumedBehind(replaces), replaces });
  }

  /** Has drafts compiled elsewhere. */
  private send(elsewhere: ModuleCompiler, drafts: readonly Draft[], request: CompileRequest): void {
    this.underWay.add(drafts);
    const { counts } = this;
    const arrive = (module: WebAssembly.Module | undefined): void => {
      this.underWay.delete(drafts);
      const isWanted = module !== undefined && counts === this.counts && this.engine.code.takesRegions;
      let page = 0;
      const fits = drafts.map(({ region }) => {
        const firstPage = page;
        page += region.pages.size;
        return isWanted && isUnchanged(this.bytes, region, request, firstPage);
      });
      // The others may come up again.
      for (const [n, { place }] of drafts.entries()) if (!fits[n]) this.next.delete(place.key);
      if (fits.includes(true)) this.use(drafts, module!, (n) => fits[n]!);
    };
    void elsewhere.compile(request).then(arrive, () => {
      this.elsewhere = undefined;
      arrive(undefined);
    });
  }

  /** Puts what was compiled into use. */
  private use(drafts: readonly Draft[], module: WebAssembly.Module, isWanted: (n: number) => boolean): void {
    const { exports } = instantiate(module, this.memory, this.helpers, { table: this.engine.handlers.table });
    const compiled: Compiled = { regions: new Set(), used: ++this.counters.modules };
    const replaced = new Set<number>();
    for (const [n, draft] of drafts.entries()) {
      if (!isWanted(n)) continue;
      this.install(draft, compiled, exports[exportName(n)] as CallableFunction);
      for (const { id } of draft.replaces) replaced.add(id);
    }
    if (replaced.size > 0) this.engine.code.dropRegions((id) => replaced.has(id));
    if (this.translated > this.capacity) this.evict(compiled);
  }

  /** Whether what takes a region's place is being compiled. */
  private isReplaced(region: Installed): boolean {
    for (const drafts of this.underWay) for (const { replaces } of drafts) if (replaces.includes(region)) return true;
    return false;
  }

  /** Regions that are to be made anew without what they missed, as far as their pages are at hand. */
  private relieved(): Draft[] {
    const drafts: Draft[] = [];
    for (const id of this.strained) {
      const installed = this.installed.get(id);
      const { place, others, rebuilt } = installed ?? {};
      if (installed !== undefined && this.isReplaced(installed)) {
        this.strained.delete(id);
        continue;
      }
      if (place !== undefined && (this.kind()?.long !== place.long || this.hostOf(place.linear, place.view) !== place.host)) continue;
      this.strained.delete(id);
      const region = place && formRegion(this.source(place, [installed!]), place.host % PAGE_SIZE, others, this.longest);
      if (region !== undefined) drafts.push(this.drafted({ place: place!, region, body: codeOf(region, true), others: others!, rebuilt: rebuilt!, assumes: assumedBehind([installed!]), replaces: [installed!] }));
    }
    return drafts;
  }

  /** What is to be compiled so that there is a region at a place: one that is there already, with a further entry, or a new one. */
  private draft(place: Place): Draft | undefined {
    for (const installed of this.byFrame.get(Math.floor(place.host / PAGE_SIZE)) ?? []) {
      const isExit = installed.exits.includes(place.host);
      if (installed.place.long !== place.long || (!isExit && !installed.body.includes(place.host))) continue;
      if (this.isReplaced(installed)) {
        this.next.delete(place.key);
        return undefined;
      }
      if (installed.rebuilt >= MOST_REBUILDS || (isExit && this.isFull(installed))) return this.fresh(place, false);
      const enough = (installed.before.get(place.host) ?? 0) + this.threshold * REBUILD_AFTER;
      if (!this.growsAtOnce && this.engine.code.executed(place.key) < enough) {
        this.next.set(place.key, enough);
        return undefined;
      }
      const grown = this.isFull(installed) ? undefined : this.grown(installed, place, isExit);
      if (grown !== undefined) return grown;
    }
    return this.fresh(place, true);
  }

  /** A region with a further place; undefined where that is not possible. */
  private grown(installed: Installed, place: Place, isExit: boolean): Draft | undefined {
    const { pages, place: first, others } = installed;
    if (!this.growsAtOnce && this.threshold === 0) return undefined;
    const at = placeOf(pages, place.host);
    const linear = this.cpu.wrap(place.linear - at + (first.host % PAGE_SIZE));
    if (this.hostOf(linear, place.view) !== first.host) return undefined;
    const all = isExit ? others : [...others, at];
    const region = formRegion(this.source({ ...first, linear, view: place.view }, [installed]), first.host % PAGE_SIZE, all, this.longest);
    const body = region && codeOf(region, true);
    if (body?.includes(place.host) !== true) return undefined;
    return this.drafted({ place: { ...first, linear, view: place.view }, region: region!, body, others: all, rebuilt: installed.rebuilt + 1, assumes: assumedBehind([installed]), replaces: [installed] });
  }

  /** A new region. What began in the middle of the same function becomes part of it. */
  private fresh(place: Place, absorbs: boolean): Draft | undefined {
    const source = this.source(place);
    const region = formRegion(source, place.host % PAGE_SIZE, [], this.longest);
    if (region === undefined) return undefined;
    const body = codeOf(region, true);
    const found = new Set<Installed>();
    if (absorbs) {
      for (const frame of new Set([...region.pages.values()].map((host) => Math.floor(host / PAGE_SIZE)))) {
        for (const one of this.byFrame.get(frame) ?? []) if (one.place.long === place.long && one.rebuilt < MOST_REBUILDS && body.includes(one.place.host) && !this.isReplaced(one)) found.add(one);
      }
    }
    if (found.size === 0) return this.drafted({ place, region, body, others: [], rebuilt: 0, assumes: assumedBehind([]), replaces: [] });
    const replaces = [...found];
    const others = replaces.flatMap(({ keys }) => keys.map((key) => placeOf(region.pages, hostOfKey(key)))).filter((at) => !Number.isNaN(at));
    const whole = formRegion(source, place.host % PAGE_SIZE, others, this.longest)!;
    return this.drafted({ place, region: whole, body: codeOf(whole, true), others, rebuilt: Math.max(...replaces.map(({ rebuilt }) => rebuilt)) + 1, assumes: assumedBehind(replaces), replaces });
  }

  private drafted(draft: Omit<Draft, "id" | "instructions">): Draft {
    return { ...draft, id: this.ids++, instructions: [...draft.region.blocks.values()].reduce((total, { count }) => total + count, 0) };
  }

  private install({ id, place, region, instructions, body, others, rebuilt, assumes }: Draft, module: Compiled, code: CallableFunction): void {
    const mode = modeOfKey(place.key);
    const keys = region.entries.map(({ start }) => codeKey(hostAt(region, start), mode));
    const before = new Map<number, number>();
    for (const host of body) {
      const executed = this.engine.code.executed(codeKey(host, mode));
      if (executed > 0) before.set(host, executed);
    }
    const installed: Installed = { id, place, keys, others, pages: region.pages, code: codeOf(region, false), body, before, exits: exitsOf(region), instructions, rebuilt, assumes, missed: new Missed(), module };
    this.installed.set(installed.id, installed);
    this.counts?.install(installed.id, region, place.linear);
    for (const key of keys) this.byKey.set(key, installed);
    for (const host of region.pages.values()) {
      const frame = Math.floor(host / PAGE_SIZE);
      const there = this.byFrame.get(frame);
      if (there === undefined) this.byFrame.set(frame, new Set([installed]));
      else there.add(installed);
    }
    module.regions.add(installed);
    this.counters.regions++;
    this.counters.instructions += instructions;
    this.translated += instructions;
    this.engine.install(installed.id, keys, region.long, code, [...region.blocks.values()].map(({ start, length }) => ({ host: hostAt(region, start), length })));
  }

  /** Drops what was used longest ago, until an eighth of the room is free; not what is new. */
  private evict(newest: Compiled): void {
    const byUse = [...new Set([...this.installed.values()].map(({ module }) => module))].sort((a, b) => a.used - b.used);
    for (const module of byUse) {
      if (this.translated <= this.capacity * 0.875 || module === newest) break;
      const ids = new Set([...module.regions].map(({ id }) => id));
      this.engine.code.dropRegions((id) => ids.has(id));
    }
  }

  dropped(id: number): void {
    const installed = this.installed.get(id)!;
    this.installed.delete(id);
    for (const key of installed.keys) {
      if (this.byKey.get(key) === installed) this.byKey.delete(key);
      this.next.delete(key);
    }
    for (const host of installed.pages.values()) {
      const frame = Math.floor(host / PAGE_SIZE);
      const there = this.byFrame.get(frame);
      there?.delete(installed);
      if (there?.size === 0) this.byFrame.delete(frame);
    }
    installed.module.regions.delete(installed);
    this.counts?.drop(id);
    this.translated -= installed.instructions;
    this.counters.dropped++;
  }
}
