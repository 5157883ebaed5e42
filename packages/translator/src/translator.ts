/**
 * Finds hot code and has it compiled: an interpreter says now and then where it is; from there the next jump leads to a place where a region
 * may begin, and a place that came up often enough gets one. Compiling is synchronous, in batches (engine.md: one module for many
 * functions); V8 makes quick code first and good code in the background.
 */
import { type Cpu, instantiate, type Interpreter, layout, MODE_CODE32, MODE_FLAT, MODE_LONG, type RegionCompiler } from "@doppel/cpu";
import { TLB_EXEC_TAG, TLB_READ_TAG } from "@doppel/mmu";
import { decode, Instruction, OK } from "@doppel/x86";
import { exportName, regionModule } from "./region-code.ts";
import { type CodePage, formRegion, type Region } from "./region.ts";

const PAGE_SIZE = 4096;
const RSP = 4;
/** Samples that lead to a place before it gets a region. */
const THRESHOLD = 2;
/** Regions of a module at most, and samples that a first one waits for others. */
const BATCH = 12;
const PATIENCE = 64;
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
}

/** Counters, for statistics. */
export interface TranslatorCounters {
  regions: number;
  modules: number;
  instructions: number;
  dropped: number;
}

interface Pending { readonly key: number; readonly host: number; readonly long: boolean }

/** The region compiler of one interpreter. */
export class Translator implements RegionCompiler {
  readonly counters: TranslatorCounters = { regions: 0, modules: 0, instructions: 0, dropped: 0 };
  private readonly engine: Interpreter;
  private readonly cpu: Cpu;
  private readonly memory: WebAssembly.Memory;
  private readonly threshold: number;
  private readonly heat = new Map<number, number>();
  private readonly installed = new Set<number>();
  private readonly pending: Pending[] = [];
  private waited = 0;
  /** What `nextEntry` found, by host address; NaN for nothing. Code that has changed since only costs a region that nobody enters. */
  private readonly entries = new Map<number, number>();
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly instruction = new Instruction();

  constructor(options: TranslatorOptions) {
    this.engine = options.engine;
    this.cpu = options.engine.cpu;
    this.memory = options.memory;
    this.bytes = new Uint8Array(options.memory.buffer);
    this.view = new DataView(options.memory.buffer);
    this.threshold = options.threshold ?? THRESHOLD;
    this.engine.regions = this;
    this.engine.code.onRegionDropped = (key, handler) => this.dropped(key, handler);
    if (this.threshold === 0) this.engine.code.onBlock = (key, host) => this.atOnce(key, host);
  }

  /** The kind of code that the processor runs, or undefined where there are no regions for it: 16-bit code, odd segments. */
  private kind(): { readonly long: boolean } | undefined {
    const { mode } = this.cpu.state;
    if (mode & MODE_LONG) return { long: true };
    return (mode & MODE_FLAT) !== 0 && (mode & MODE_CODE32) !== 0 ? { long: false } : undefined;
  }

  private page(host: number, long: boolean): CodePage {
    return { bytes: this.bytes, base: host - (host % PAGE_SIZE), long, hasFeature: (name) => this.cpu.hasFeature(name) };
  }

  sample(host: number): void {
    const kind = this.kind();
    if (kind === undefined || !this.engine.code.takesRegions) return;
    let place = this.entries.get(host);
    if (place === undefined) {
      if (this.entries.size >= MOST_ENTRIES) this.entries.clear();
      const found = this.nextEntry(host, kind.long);
      place = found?.host ?? NaN;
      if (found?.always !== false) this.entries.set(host, place);
    }
    if (!Number.isNaN(place)) this.warm(place, kind.long);
    if (this.pending.length > 0 && ++this.waited >= PATIENCE) this.compile();
  }

  private warm(host: number, long: boolean): void {
    const key = this.engine.code.keyOf(host);
    if (this.installed.has(key)) return;
    if (this.heat.size >= MOST_ENTRIES) this.heat.clear();
    const heat = (this.heat.get(key) ?? 0) + 1;
    this.heat.set(key, heat);
    if (heat !== this.threshold) return;
    this.pending.push({ key, host, long });
    if (this.pending.length >= BATCH) this.compile();
  }

  /**
   * Follows the code to the next jump: where a backward one leads, a call, or a return, whose address is looked for on the stack. `always` is
   * false where it may lead elsewhere the next time.
   */
  private nextEntry(host: number, long: boolean): { readonly host: number; readonly always: boolean } | undefined {
    const base = host - (host % PAGE_SIZE);
    const { instruction } = this;
    /** What the instructions so far add to the stack pointer; NaN when that is not plain. */
    let stack = 0;
    const word = long ? 8 : 4;
    for (let at = host, n = 0; n < LOOK_AHEAD; n++) {
      if (decode(this.bytes, at, base + PAGE_SIZE, long ? 8 : 4, instruction) !== OK) return undefined;
      const { mnemonic, operands } = instruction.form;
      const next = at + instruction.length;
      const direct = operands.at(-1)?.kind === "J" && instruction.operandSize !== 2;
      const target = next + instruction.immediate;
      const inside = direct && target >= base && target < base + PAGE_SIZE;
      if (mnemonic === "RET") return this.returnAddress(stack, long);
      if (mnemonic === "IRET" || mnemonic === "SYSRET" || mnemonic === "SYSCALL") return undefined;
      if (mnemonic === "JMP" || mnemonic === "CALL" || (mnemonic === "Jcc" && target <= at)) {
        if (inside) return { host: target, always: true };
        if (mnemonic !== "Jcc") return direct ? this.hostOf(this.linearIp() + target - host) : undefined;
      }
      if (mnemonic === "PUSH") stack -= word;
      else if (mnemonic === "POP") stack += word;
      else if (mnemonic === "LEAVE") stack = NaN;
      else if ((mnemonic === "ADD" || mnemonic === "SUB") && !instruction.memory && instruction.rm === RSP && operands[1]!.kind === "I")
        stack += mnemonic === "ADD" ? instruction.immediate : -instruction.immediate;
      at = next;
    }
    return undefined;
  }

  private returnAddress(stack: number, long: boolean): { readonly host: number; readonly always: boolean } | undefined {
    const { state, mmu } = this.cpu;
    const linear = (long ? state.gprAddress(RSP) : state.gpr32(RSP) >>> 0) + stack;
    if (Number.isNaN(linear) || linear % PAGE_SIZE > PAGE_SIZE - 8) return undefined;
    const at = mmu.tlb.lookup(mmu.viewOf(state.cpl === 3), linear, TLB_READ_TAG);
    if (at < 0) return undefined;
    const low = this.view.getUint32(at, true);
    return this.hostOf(long ? this.view.getInt32(at + 4, true) * 0x1_0000_0000 + low : low);
  }

  private linearIp(): number {
    return this.cpu.wrap(this.cpu.state.segmentBase(layout.CS) + this.cpu.state.rip);
  }

  /** Where the TLB has a linear address that may be executed. */
  private hostOf(linear: number): { readonly host: number; readonly always: boolean } | undefined {
    const { state, mmu } = this.cpu;
    const host = mmu.tlb.lookup(mmu.viewOf(state.cpl === 3), linear, TLB_EXEC_TAG);
    return host < 0 ? undefined : { host, always: false };
  }

  /** Compiles the block that was just decoded. */
  private atOnce(key: number, host: number): void {
    const kind = this.kind();
    if (kind === undefined || this.installed.has(key) || !this.engine.code.takesRegions) return;
    this.pending.push({ key, host, long: kind.long });
    this.compile();
  }

  private compile(): void {
    const batch: { key: number; host: number; region: Region }[] = [];
    for (const { key, host, long } of this.pending.splice(0)) {
      // Formed now and not when it was queued: the page may have changed.
      const region = formRegion(this.page(host, long), host % PAGE_SIZE);
      if (region !== undefined) batch.push({ key, host, region });
    }
    this.waited = 0;
    if (batch.length === 0) return;
    const module = new WebAssembly.Module(regionModule(batch.map(({ region }) => region), (long) => this.engine.firstOutlined(long)).module.encode());
    const { exports } = instantiate(module, this.memory, {}, { table: this.engine.handlers });
    this.counters.modules++;
    for (const [n, { key, host, region }] of batch.entries()) {
      const base = host - (host % PAGE_SIZE);
      const spans = [...region.blocks.values()].map(({ start, length }) => ({ host: base + start, length }));
      this.installed.add(key);
      this.engine.install(key, region.long, exports[exportName(n)] as CallableFunction, spans);
      this.counters.regions++;
      for (const { count } of region.blocks.values()) this.counters.instructions += count;
    }
  }

  private dropped(key: number, handler: number): void {
    this.installed.delete(key);
    this.heat.delete(key);
    this.counters.dropped++;
    this.engine.release(handler, ((key % 1024) & MODE_LONG) !== 0);
  }
}
