/**
 * Tier 0: the interpreter. It owns the run loop around the generated dispatch functions: between
 * visits of the generated code it delivers faults and interrupts, decodes blocks, and keeps the interrupt shadow.
 */
import type { Arena, Frames } from "@doppel/memory";
import { TLB_EXEC_TAG } from "@doppel/mmu";
import { EFLAGS_IF, EFLAGS_RF, VECTOR_DB } from "@doppel/x86";
import { bulkMovs, bulkStos } from "./bulk.ts";
import { CodeCache, FETCH_FAULTED } from "./code-cache.ts";
import type { Span } from "./frame-code.ts";
import { ACTIVE, HALTED, SHADOW_NONE, SHADOW_STI, SHUTDOWN } from "./activity.ts";
import { type Cpu } from "./cpu.ts";
import { CONTROL_FROM, EXIT_BUDGET, EXIT_FAULT } from "./dispatch.ts";
import { JUMP_CACHE_SIZE, JumpCache, LONG_ENTRY } from "./jump-cache.ts";
import type { Engine, Exit, InterruptSource } from "./engine.ts";
import { BLOCK_ENDS, type Helpers } from "./handler.ts";
import { Handlers } from "./handlers.ts";
import { MODE_LONG, MODE_SINGLE, MODE_STEP } from "./mode.ts";
import { quickHelpers } from "./quick-helpers.ts";
import {
  ATTENTION, BLOCK_ENDED, BUDGET, BUDGET_KEPT, CS, JUMP_CACHE, MODE, RESUME, RESUME_FLAG_AT, RESUME_FLAG_NOT, RESUME_FLAG_SHOWN, SAMPLE_BEYOND, SEGMENT, SEGMENT_STRIDE, STATE, STATUS_FAULT, STATUS_OK, STI_AT,
} from "./state-layout.ts";
import { applyBreakpoints } from "./system/debug-registers.ts";
import type { HostWatchpoint } from "./system/host-watchpoints.ts";
import { requireSupervisor } from "./system/control-registers.ts";
import { SystemHelpers } from "./system/system-helpers.ts";

/** Bytes of linear memory for records. */
const RECORDS_SIZE = 48 * 1024 * 1024;
const LONGEST_VISIT = 0x7fff_fffe;
/** Faults and interrupts in a row, none of which reaches an instruction that retires, before `run` gives its caller a turn: some 20 ms. */
const FRUITLESS_FAULTS = 10_000;
/** What a visit of generated code ended with. */
const RETIRED = 0;
const FAULTED = 1;
const STOPPED = 2;
const TRIPLE_FAULTED = 3;
/** Interpreted instructions between two looks at what runs, while a translator wants to know; a prime, or it might run in step with what it looks at. */
const SAMPLE = 16_381;
/** No linear address. */
const NOWHERE = NaN;

/** What an interpreter is made of. */
export interface InterpreterOptions {
  readonly cpu: Cpu;
  readonly frames: Frames;
  /** Bytes for decoded records, to be reserved in the arena; 48 MiB when absent. */
  readonly recordsSize?: number;
  /** A region already reserved, instead: for the jump cache and the records. */
  readonly region?: { readonly base: number; readonly size: number };
  readonly interrupts?: InterruptSource;
  /** Run fused pairs from the first instruction on, rather than when they are found to be faster: for tests. */
  readonly pairsAtOnce?: boolean;
  /** Functions that generated code calls beyond the processor's own, by name. */
  readonly helpers?: Record<string, (...args: number[]) => number>;
}

/** Counters of a run, for statistics. */
export interface InterpreterCounters {
  /** Faults and exceptions delivered, by vector. */
  readonly exceptions: Float64Array;
  /** External interrupts delivered, by vector. */
  readonly interrupts: Float64Array;
  /** Visits of generated code. */
  visits: number;
  /** Look-ups that the jump cache did not know. */
  lookups: number;
}

/** Watches a processor. Every method is called with the state as it is then: registers, RIP and `count` are those in front of the instruction. */
export interface Observer {
  /** RIP stands at the first instruction of a basic block, which comes next: it was jumped to, or stands behind a jump that was not taken. */
  readonly block?: () => void;
  /** The instruction at RIP, or the delivery of an exception, is about to access data. */
  readonly access?: (linear: number, size: number, write: boolean) => void;
}

/** Compiles hot code for an interpreter; see `install`. */
export interface RegionCompiler {
  /** Told now and then where the interpreter stands, by a host address. */
  sample(host: number): void;
  /** Told that a region is gone: its code was written, or memory replaced. */
  dropped(id: number): void;
}

/** The engine that interprets decoded records. */
export class Interpreter implements Engine {
  readonly cpu: Cpu;
  readonly code: CodeCache;
  /** What records are executed by. */
  readonly handlers: Handlers;
  retired = 0;
  /** Set while an NMI waits to be delivered. */
  nmiPending = false;
  interrupts: InterruptSource | undefined;
  /** The watchpoint that ended the last run, if one did. */
  watchHit: HostWatchpoint | undefined;
  readonly counters: InterpreterCounters = { exceptions: new Float64Array(256), interrupts: new Float64Array(256), visits: 0, lookups: 0 };
  private readonly memory: WebAssembly.Memory;
  private readonly arena: Arena;
  private readonly words: Int32Array;
  private readonly jumps: JumpCache;
  /** What generated code calls by name. */
  readonly helpers: Helpers;
  private readonly unused = (): number => this.words[(STATE + BUDGET) >> 2]! + this.words[(STATE + BUDGET_KEPT) >> 2]!;
  private exitRequested = false;
  /** Faults and interrupts delivered since an instruction retired or `run` began. */
  private fruitless = 0;
  private shadowBudget = -1;
  /** What was left of the budget when the visit delivered a fault. */
  private faultedAt = -1;
  private inside = false;
  private slice = 0;
  /** Linear addresses at which the host wants to stop; the guest cannot see them. */
  private readonly stops = new Set<number>();
  /** Where the last run stopped at a breakpoint: the next one begins with the instruction there. */
  private stoppedAt = NOWHERE;
  private stepping = false;
  /** What `endVisit` took from the budget. */
  private forfeited = 0;
  /** `endVisit` was called. */
  private ending = false;
  private compiler: RegionCompiler | undefined;
  /** Interpreted instructions to the next one. */
  private toSample = SAMPLE;
  /** Who watches, and who wants to from the next instruction boundary on. */
  private observer: Observer | undefined;
  private wanted: Observer | undefined;

  constructor(options: InterpreterOptions) {
    const { cpu, frames } = options;
    this.cpu = cpu;
    this.interrupts = options.interrupts;
    const { arena } = frames;
    this.memory = arena.memory;
    this.arena = arena;
    this.words = arena.i32;
    const size = options.recordsSize ?? RECORDS_SIZE;
    const { base, size: whole } = options.region ?? { base: arena.reserve(JUMP_CACHE_SIZE + size), size: JUMP_CACHE_SIZE + size };
    this.jumps = new JumpCache(arena.i32, base);
    this.helpers = this.makeHelpers(options.helpers ?? {});
    this.handlers = new Handlers({ memory: this.memory, helpers: this.helpers, pairsAtOnce: options.pairsAtOnce ?? false, hasRegions: () => this.compiler !== undefined });
    this.code = new CodeCache(cpu, frames, this.handlers, base + JUMP_CACHE_SIZE, whole - JUMP_CACHE_SIZE);
    this.code.onDropped = () => this.jumps.codeChanged();
    this.code.onForgotten = () => this.jumps.forgetCode();
    this.code.onRegionDropped = ({ id, handler, long }) => {
      this.handlers.release(handler, long);
      this.compiler?.dropped(id);
    };
    const { tlb } = cpu.mmu;
    tlb.onFlush = (localOnly, linear) => {
      if (linear === undefined || this.jumps.mayHave(linear)) this.code.outdate(localOnly);
    };
    tlb.forgetLocal = this.helpers["forgetLocal"]!;
    tlb.forgetPage = this.helpers["forgetPage"]!;
    cpu.enterEvent = (vector, code, resume) => this.helpers["enterEvent"]!(vector, code, resume) === STATUS_OK;
    cpu.onActivity = () => this.endVisit();
    cpu.onWatch = (point) => {
      this.watchHit ??= point;
      this.endVisit();
    };
  }

  private makeHelpers(extra: Helpers): Helpers {
    const { cpu } = this;
    const system = new SystemHelpers(cpu) as unknown as Helpers;
    // No helper has more arguments; a list of them would be made anew each time.
    type Helper = (a: number, b: number, c: number, d: number, e: number, f: number) => number;
    const attentive = (name: string): Helper => {
      const helper = system[name]!;
      return (a, b, c, d, e, f) => {
        const status = helper(a, b, c, d, e, f);
        if (cpu.shadow !== SHADOW_NONE) this.shadowBudget = this.unused() + this.forfeited;
        if (this.wantsAttention()) this.endVisit();
        return status;
      };
    };
    /** What pushes or keeps EFLAGS finds RF there, if an IRET has loaded it for this instruction. */
    const resuming = (helper: Helper): Helper => (a, b, c, d, e, f) => {
      if (this.words[(STATE + RESUME_FLAG_AT) >> 2] !== this.unused() + 1) return helper(a, b, c, d, e, f);
      cpu.state.systemFlags |= EFLAGS_RF;
      cpu.debug.resumeLoaded = false;
      const status = helper(a, b, c, d, e, f);
      if (status === STATUS_OK && !cpu.debug.resumeLoaded) cpu.state.systemFlags &= ~EFLAGS_RF;
      cpu.updateMode();
      return status;
    };
    const wrapped: Helpers = {};
    // Behind these, IF may be set, the mode may ask for single steps, or an interrupt may have become deliverable.
    for (const name of ["sti", "popFlags", "iret", "farReturn", "farCall", "farJump", "softInterrupt", "loadSegment", "writeControl", "writeDebug", "wrmsr", "sysexit", "sysenter", "syscall", "sysret"]) {
      wrapped[name] = attentive(name);
    }
    for (const name of ["iret", "farCall", "farJump", "softInterrupt", "syscall"]) wrapped[name] = resuming(wrapped[name]!);
    // A quick return may have set IF, and has done no more of what a return does.
    const returned = (isIret: boolean): void => {
      cpu.shadow = SHADOW_NONE;
      if (isIret) cpu.nmiBlocked = false;
      if (this.wantsAttention()) this.endVisit();
    };
    return {
      ...system,
      ...wrapped,
      ...quickHelpers({ memory: this.memory, tlb: cpu.mmu.tlb, image: cpu.physical.image }, { ...system, ...wrapped }, returned),
      segmentCheck: (place, low, high, bytes, write) => system["segmentCheck"]!((place! - SEGMENT) / SEGMENT_STRIDE, low!, high!, bytes!, write!),
      checkPrivileged: () => (requireSupervisor(cpu) ? 0 : STATUS_FAULT),
      bulkMovs: (elementSize, addressSize, segment) => cpu.onAccess !== undefined ? STATUS_OK : bulkMovs(cpu, this.arena, elementSize!, addressSize!, segment!),
      bulkStos: (elementSize, addressSize) => cpu.onAccess !== undefined ? STATUS_OK : bulkStos(cpu, this.arena, elementSize!, addressSize!),
      ...extra,
    };
  }

  private wantsAttention(): boolean {
    const { cpu } = this;
    if ((this.words[(STATE + MODE) >> 2]! & MODE_STEP) !== 0) return true;
    // The shadow of an earlier MOV SS may stand until the visit ends: only the run loop can tell.
    const isPending = this.interrupts !== undefined && this.interrupts.pending();
    if (!isPending && !this.nmiPending && !cpu.nmiBlocked) this.words[(STATE + ATTENTION) >> 2] = 0;
    return (this.nmiPending && !cpu.nmiBlocked) || (isPending && (cpu.state.systemFlags & EFLAGS_IF) !== 0);
  }

  /**
   * Puts a compiled region in the place of the blocks that begin at its entries, in the order of their numbers. The region is a function of
   * the record and of RIP minus the offset in the page; it takes what it executes from BUDGET and BUDGET_KEPT, sets RIP and returns `JUMP`,
   * or `ALONE` where the first instruction is to be executed without it, or `FAULT_HERE`.
   */
  install(id: number, keys: readonly number[], long: boolean, region: CallableFunction, spans: readonly Span[]): void {
    this.code.install({ id, keys, handler: this.handlers.add(region, long), long, spans });
  }

  /** Instructions retired, exact also while a helper or device runs: the running instruction is not among them. */
  get count(): number {
    return this.inside ? this.retired + this.slice - this.unused() - this.forfeited - 1 : this.retired;
  }

  /** Takes samples of what is interpreted. Where it comes to code that is decoded already, that is decoded anew: other handlers execute it. */
  get regions(): RegionCompiler | undefined {
    return this.compiler;
  }

  set regions(compiler: RegionCompiler | undefined) {
    this.code.clear();
    this.compiler = compiler;
    this.handlers.forget();
  }

  /** Forgets all decoded code: memory or state was replaced under it. */
  reset(): void {
    this.code.clear();
    this.nmiPending = false;
    this.blockEnds();
  }

  requestExit(): void {
    this.exitRequested = true;
    this.endVisit();
  }

  /** Asks for a look at interrupts at the next instruction boundary. To be called when one becomes pending, or an NMI: only those that are known are looked for behind STI, POPF and IRET. */
  attend(): void {
    this.words[(STATE + ATTENTION) >> 2] = 1;
    if (this.wantsAttention()) this.endVisit();
  }

  /** Ends the visit of generated code at the next instruction boundary. */
  private endVisit(): void {
    if (!this.inside) return;
    const { words } = this;
    this.ending = true;
    this.forfeited += this.unused();
    words[(STATE + SAMPLE_BEYOND) >> 2]! += words[(STATE + BUDGET) >> 2]!;
    words[(STATE + BUDGET) >> 2] = words[(STATE + BUDGET_KEPT) >> 2] = 0;
  }

  /** Lets runs end with "breakpoint" before the instruction at a linear address. The rest of the code runs as fast as ever. */
  addBreakpoint(linear: number): void {
    this.stops.add(linear);
    this.splitCode();
  }

  /** Takes a breakpoint away; one that is not there is let be. */
  removeBreakpoint(linear: number): void {
    if (this.stops.delete(linear)) this.splitCode();
  }

  private splitCode(): void {
    this.code.stopAt(new Set([...this.stops].map((linear) => linear & 0xfff)));
  }

  /** Watches data: a run ends with "breakpoint" behind the instruction that accessed it, and `watchHit` says what it met. */
  watch(points: readonly HostWatchpoint[]): void {
    this.cpu.watchpoints = points;
    applyBreakpoints(this.cpu);
  }

  /**
   * Lets somebody watch from the next instruction boundary on, in the place of who did before; or nobody. What executes then is other code:
   * while blocks are watched, each is a visit of its own, and while accesses are, none is inline. Without an observer nothing is slower.
   * An observer with no method is one who looks at the processor while devices are accessed: RIP is right there.
   */
  observe(observer: Observer | undefined): void {
    this.wanted = observer;
    this.endVisit();
  }

  private applyObserver(): void {
    const { cpu, code } = this;
    const before = this.handlers.watching;
    this.observer = this.wanted;
    this.handlers.watching = this.observer === undefined ? "nothing" : this.observer.block === undefined ? "accesses" : "blocks";
    cpu.onAccess = this.observer?.access;
    code.splitsAt = this.handlers.watching === "blocks" ? BLOCK_ENDS : undefined;
    code.regionsAllowed = this.observer?.block === undefined && this.observer?.access === undefined;
    code.clear();
    applyBreakpoints(cpu);
    // The first block that is watched begins here; one that is watched on has been told of.
    if (this.handlers.watching !== "blocks") this.words[(STATE + BLOCK_ENDED) >> 2] = 0;
    else if (before !== "blocks") this.blockEnds();
  }

  /** What comes next begins a block. */
  private blockEnds(): void {
    if (this.handlers.watching === "blocks") this.words[(STATE + BLOCK_ENDED) >> 2] = 1;
  }

  /** Executes one instruction, also where a breakpoint stands; to deliver its fault, or an interrupt, counts as one. */
  step(): Exit {
    this.stepping = true;
    this.stoppedAt = this.linearIp();
    const exit = this.run(1);
    this.stepping = false;
    return exit;
  }

  private linearIp(): number {
    const { cpu } = this;
    return cpu.wrap(cpu.state.segmentBase(CS) + cpu.state.rip);
  }

  run(budget: number): Exit {
    const { cpu } = this;
    let left = budget;
    this.exitRequested = false;
    this.fruitless = 0;
    this.watchHit = undefined;
    let pass = this.stoppedAt;
    this.stoppedAt = NOWHERE;
    for (;;) {
      if (this.watchHit !== undefined) return { reason: "breakpoint" };
      if (this.wanted !== this.observer) this.applyObserver();
      if (cpu.activity !== ACTIVE) {
        if (cpu.activity === SHUTDOWN) return { reason: "shutdown" };
        if (!this.canWake()) return { reason: "halted" };
        cpu.activity = ACTIVE;
      }
      if (this.nmiPending && cpu.nmiDeliverable) {
        this.nmiPending = false;
        this.blockEnds();
        if (cpu.nmi() === "triple-fault") return { reason: "shutdown" };
        if (this.stepping) left = 0;
        // Behind a trap gate IF is still set: what else is pending comes before the handler's first instruction.
        if (++this.fruitless < FRUITLESS_FAULTS) continue;
      } else if (this.interrupts !== undefined && cpu.interruptible && this.interrupts.pending()) {
        const vector = this.interrupts.acknowledge();
        this.counters.interrupts[vector]!++;
        this.blockEnds();
        if (cpu.interrupt(vector) === "triple-fault") return { reason: "shutdown" };
        if (this.stepping) left = 0;
        if (++this.fruitless < FRUITLESS_FAULTS) continue;
      }
      if (this.exitRequested) return { reason: "requested" };
      if (left <= 0) return { reason: "budget" };
      let passing = false;
      if (this.stops.size > 0) {
        const linear = this.linearIp();
        passing = this.stops.has(linear);
        if (passing && linear !== pass) return this.stopHere(linear);
      }
      pass = NOWHERE;
      const step = (cpu.state.mode & MODE_STEP) !== 0;
      if (step && !cpu.beforeInstruction()) {
        if (!this.deliverFault()) return { reason: "shutdown" };
        if (this.stepping) left = 0;
        continue;
      }
      const slice = step || passing || cpu.shadow !== SHADOW_NONE ? 1 : Math.min(left, LONGEST_VISIT);
      this.shadowBudget = -1;
      const end = this.visit(slice);
      const rest = this.unused() + this.forfeited;
      const done = slice - rest;
      left -= done;
      this.retired += done;
      if (done > 0) this.fruitless = 0;
      if (end === TRIPLE_FAULTED) return { reason: "shutdown" };
      // To deliver a fault other than #DB sets RF in what is pushed, anyway.
      if (this.words[(STATE + RESUME_FLAG_AT) >> 2] === rest && (end !== FAULTED || cpu.state.faultVector === VECTOR_DB)) {
        cpu.state.systemFlags |= EFLAGS_RF;
        cpu.updateMode();
      }
      if (end === FAULTED) {
        if (!this.deliverFault()) return { reason: "shutdown" };
        if (this.stepping) left = 0;
      } else if (step) {
        if (!cpu.afterInstruction() && !this.deliverFault()) return { reason: "shutdown" };
      } else if (this.words[(STATE + STI_AT) >> 2] === rest) cpu.shadow = SHADOW_STI;
      else if (cpu.shadow !== SHADOW_NONE && this.shadowBudget !== rest) cpu.shadow = SHADOW_NONE;
    }
  }

  private stopHere(linear: number): Exit {
    this.stoppedAt = linear;
    return { reason: "breakpoint" };
  }

  private canWake(): boolean {
    const { cpu } = this;
    if (cpu.activity !== HALTED) return false;
    if (this.nmiPending && cpu.nmiDeliverable) return true;
    return this.interrupts !== undefined && this.interrupts.pending() && (cpu.state.systemFlags & 0x200) !== 0;
  }

  private deliverFault(): boolean {
    const { cpu } = this;
    this.counters.exceptions[cpu.state.faultVector]!++;
    this.blockEnds();
    // A handler whose first instruction faults may go on so for ever: nothing retires, so no budget ends it.
    if (++this.fruitless >= FRUITLESS_FAULTS) this.exitRequested = true;
    return cpu.deliverFault() === "ok";
  }

  /** Executes up to `slice` instructions; BUDGET and BUDGET_KEPT say what is left. Ends early with a recorded fault, or before a breakpoint. */
  private visit(slice: number): number {
    const { cpu, words } = this;
    this.forfeited = 0;
    this.ending = false;
    this.faultedAt = -1;
    const mode = (STATE + MODE) >> 2;
    // Fused pairs retire two at once: a visit of one instruction uses blocks without them.
    if (slice === 1) words[mode]! |= MODE_SINGLE;
    words[(STATE + CONTROL_FROM) >> 2] = 0;
    this.code.publish();
    this.code.active = true;
    words[(STATE + JUMP_CACHE) >> 2] = this.jumps.base;
    this.inside = true;
    this.slice = slice;
    words[(STATE + BUDGET) >> 2] = slice - 1;
    words[(STATE + BUDGET_KEPT) >> 2] = 0;
    words[(STATE + RESUME) >> 2] = 0;
    words[(STATE + STI_AT) >> 2] = -1;
    words[(STATE + ATTENTION) >> 2] = 1;
    words[(STATE + RESUME_FLAG_AT) >> 2] = this.observer === undefined ? RESUME_FLAG_NOT : RESUME_FLAG_SHOWN;
    let rest = slice;
    const { observer } = this;
    try {
      for (;;) {
        if (observer?.block !== undefined && words[(STATE + BLOCK_ENDED) >> 2] !== 0) {
          words[(STATE + BUDGET) >> 2] = rest;
          const linear = this.linearIp();
          // The fault of a fetch comes before the block.
          if (this.code.find(linear) === FETCH_FAULTED) return FAULTED;
          this.remember(linear);
          if (!this.tellBlock(observer.block, rest)) return RETIRED;
        }
        this.counters.visits++;
        // What is kept back is the region's, too: only the interpreter leaves for a sample.
        const samples = this.compiler !== undefined && (words[mode]! & MODE_SINGLE) === 0;
        const next = samples ? Math.min(rest, this.toSample) : rest;
        words[(STATE + BUDGET_KEPT) >> 2] = rest - next;
        words[(STATE + SAMPLE_BEYOND) >> 2] = this.toSample - next;
        const exit = this.handlers.dispatcher((cpu.state.mode & MODE_LONG) !== 0).run(next, this.unused);
        const left = words[(STATE + BUDGET) >> 2]!;
        if (samples) this.toSample = left + words[(STATE + SAMPLE_BEYOND) >> 2]!;
        if (exit === EXIT_FAULT) {
          const isUsual = slice > 1 && observer === undefined && !this.ending && this.stops.size === 0 && cpu.shadow === SHADOW_NONE && words[(STATE + RESUME_FLAG_AT) >> 2] !== this.unused();
          if (!isUsual) return FAULTED;
          if (!this.deliverInside()) return TRIPLE_FAULTED;
          if (this.ending || this.exitRequested) return RETIRED;
          rest = this.unused();
          continue;
        }
        rest = this.unused();
        if (exit === EXIT_BUDGET) {
          // A pair does not begin on the last instruction of a budget: the run loop executes that alone.
          if (rest <= left) return RETIRED;
          words[(STATE + CONTROL_FROM) >> 2] = 0;
          this.toSample = SAMPLE;
          this.sample();
          continue;
        }
        // An instruction whose budget is used up must not fetch: its page fault belongs to the next run.
        if (rest <= 0) return RETIRED;
        this.counters.lookups++;
        const linear = this.linearIp();
        // The address of a breakpoint never enters the jump cache of a long visit, so it is met here each time.
        if (slice > 1 && this.stops.size > 0 && this.stops.has(linear)) return STOPPED;
        if (this.code.find(linear) === FETCH_FAULTED) return FAULTED;
        this.remember(linear);
      }
    } finally {
      this.inside = this.code.active = false;
      words[mode]! &= ~MODE_SINGLE;
    }
  }

  /** Delivers a fault in the middle of a visit; false after a triple fault. */
  private deliverInside(): boolean {
    const { words } = this;
    const rest = this.unused();
    if (rest !== this.faultedAt) this.fruitless = 0;
    this.faultedAt = rest;
    words[(STATE + STI_AT) >> 2] = -1;
    // As if the instruction were executing, so that `count` is right and a wish to end the visit is heard.
    words[(STATE + BUDGET) >> 2]! -= 1;
    const isAlive = this.deliverFault();
    words[(STATE + BUDGET) >> 2]! += 1;
    words[(STATE + CONTROL_FROM) >> 2] = 0;
    return isAlive;
  }

  /** Tells an observer of the block that begins here; false when the visit is to end in front of it. */
  private tellBlock(block: () => void, rest: number): boolean {
    const { words } = this;
    words[(STATE + BLOCK_ENDED) >> 2] = 0;
    // As if its first instruction were executing, so that `count` is right and a wish to end the visit is heard.
    words[(STATE + BUDGET) >> 2] = rest - 1;
    words[(STATE + BUDGET_KEPT) >> 2] = 0;
    block();
    if (this.ending) words[(STATE + BUDGET) >> 2]! += 1;
    return !this.ending;
  }

  /** Tells the compiler of regions what runs. A look must not fill the TLB, in which data may have taken the place of the code's page. */
  private sample(): void {
    const { mmu, state } = this.cpu;
    const linear = this.linearIp();
    const known = mmu.tlb.lookup(mmu.viewOf(state.cpl === 3), linear, TLB_EXEC_TAG);
    const host = known >= 0 ? known : mmu.peekHost(linear);
    if (host >= 0) this.compiler!.sample(host);
  }

  /** Enters the block just found into the jump cache. */
  private remember(linear: number): void {
    const { code } = this;
    const mode = this.words[(STATE + MODE) >> 2]!;
    this.jumps.remember({
      linear, mode: (mode & MODE_LONG) !== 0 ? mode ^ LONG_ENTRY : mode, generation: code.global ? code.globalGeneration : code.generation,
      record: code.record, host: code.host,
    });
  }
}
