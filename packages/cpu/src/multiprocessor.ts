/**
 * Several vCPUs on one thread: they take turns, a quantum of instructions each, in a fixed order, so that a deterministic
 * machine stays one. The hot state stands at one place; a turn swaps the bytes of the vCPU that leaves for those of the one
 * that comes (engine.md, items 11 and 12). An instruction is never interrupted by another vCPU, so LOCK needs nothing.
 */
import type { Arena, Frame } from "@doppel/memory";
import { ACTIVE, HALTED, WAITING } from "./activity.ts";
import type { Cpu } from "./cpu.ts";
import type { Engine, Exit } from "./engine.ts";
import type { Interpreter } from "./interpreter.ts";
import { STATE, STATE_SIZE } from "./state-layout.ts";
import type { CpuImage } from "./system/save-image.ts";

/** Instructions of a turn: short enough that spinning for another vCPU costs little, long enough that a swap does. */
const QUANTUM = 20_000;

/** One vCPU and what executes it. */
export interface Processor {
  readonly cpu: Cpu;
  readonly engine: Interpreter;
}

/** All vCPUs; whose turn it is and how much of it is left are part of a deterministic machine's state. */
export type MultiprocessorState = {
  readonly turn: { readonly current: number; readonly left: number };
  readonly processors: readonly { readonly cpu: CpuImage; readonly retired: number; readonly nmiPending: boolean }[];
};

/** An engine that lets vCPUs take turns. */
export class Multiprocessor implements Engine {
  readonly processors: readonly Processor[];
  private readonly bytes: Uint8Array;
  private readonly images: Uint8Array[];
  private readonly selected: (index: number) => void;
  private turn = 0;
  private left = QUANTUM;
  private exitRequested = false;
  private yieldRequested = false;

  /**
   * Makes the processors in power-on state; the first is the boot processor, the others wait for start-up messages.
   * @param make makes processor n; its hot state is the one in memory while it runs
   * @param selected told whose accesses the devices see from now on
   */
  constructor(arena: Arena, count: number, make: (index: number) => Processor, selected: (index: number) => void) {
    this.bytes = arena.u8.subarray(STATE, STATE + STATE_SIZE);
    this.selected = selected;
    this.images = [];
    const processors: Processor[] = [];
    for (let n = 0; n < count; n++) {
      processors.push(make(n));
      if (n > 0) processors[n]!.cpu.activity = WAITING;
      this.images.push(this.bytes.slice());
    }
    this.processors = processors;
    this.bytes.set(this.images[0]!);
    this.alignTimeStamps();
    const revokeWrite = (frame: Frame): void => {
      for (const { cpu } of processors) cpu.mmu.tlb.revokeWrite(frame);
    };
    for (const { engine } of processors) engine.code.revokeWrite = revokeWrite;
  }

  /** Instructions retired by all vCPUs. */
  get retired(): number {
    let sum = 0;
    for (const { engine } of this.processors) sum += engine.retired;
    return sum;
  }

  /** The same, exact also while a helper or device runs. */
  get count(): number {
    let sum = 0;
    for (const { engine } of this.processors) sum += engine.count;
    return sum;
  }

  /** Index of the vCPU whose state is in memory. */
  get current(): number {
    return this.turn;
  }

  private load(index: number): void {
    if (index === this.turn) return;
    this.images[this.turn]!.set(this.bytes);
    this.bytes.set(this.images[index]!);
    this.turn = index;
    this.selected(index);
  }

  /** Calls `action` with the state of a vCPU in memory; also from devices, in the middle of another one's instruction. */
  with<T>(index: number, action: (processor: Processor) => T): T {
    const before = this.turn;
    this.load(index);
    const result = action(this.processors[index]!);
    this.load(before);
    return result;
  }

  requestExit(): void {
    this.exitRequested = true;
    this.processors[this.turn]!.engine.requestExit();
  }

  /** An interrupt is pending for a vCPU: if it is not the one that runs, that one ends its turn. */
  attend(index: number): void {
    if (index === this.turn) return this.processors[index]!.engine.attend();
    this.yieldRequested = true;
    this.processors[this.turn]!.engine.requestExit();
  }

  /** An INIT message: the vCPU waits for its start-up. */
  init(index: number): void {
    this.with(index, ({ cpu, engine }) => {
      cpu.init();
      engine.nmiPending = false;
      cpu.activity = WAITING;
    });
    if (index === this.turn) this.attend((index + 1) % this.processors.length);
  }

  /** A start-up message: a vCPU that waits for one begins at `page` * 4096; others ignore it. */
  startUp(index: number, page: number): void {
    this.with(index, ({ cpu }) => {
      if (cpu.activity === WAITING) cpu.startUp(page);
    });
  }

  /** Power-on state of all: the boot processor starts, the others wait. */
  reset(): void {
    for (let n = this.processors.length - 1; n >= 0; n--) {
      this.load(n);
      const { cpu, engine } = this.processors[n]!;
      cpu.reset();
      engine.reset();
      if (n > 0) cpu.activity = WAITING;
    }
    this.left = QUANTUM;
    this.alignTimeStamps();
  }

  /** All time-stamp counters began at the same moment. */
  private alignTimeStamps(): void {
    for (const { cpu } of this.processors) cpu.msr.tscOffset = this.processors[0]!.cpu.msr.tscOffset;
  }

  run(budget: number): Exit {
    let left = budget;
    this.exitRequested = false;
    let asleep = 0;
    for (;;) {
      if (this.exitRequested) return { reason: "requested" };
      if (left <= 0) return { reason: "budget" };
      const { engine, cpu } = this.processors[this.turn]!;
      const before = engine.retired;
      this.yieldRequested = false;
      const exit = cpu.activity === WAITING ? ({ reason: "halted" } as const) : engine.run(this.hasTurns ? Math.min(left, this.left) : left);
      left -= engine.retired - before;
      this.spend(engine.retired - before);
      if (exit.reason === "shutdown" || exit.reason === "breakpoint") return exit;
      asleep = exit.reason === "halted" ? asleep + 1 : 0;
      if (asleep > this.processors.length) return { reason: "halted" };
      if (exit.reason === "halted" || this.left <= 0 || (this.yieldRequested && !this.exitRequested)) this.next();
    }
  }

  /** Executes one instruction of the vCPU whose turn it is, also where a breakpoint stands. */
  step(): Exit {
    const { engine } = this.processors[this.turn]!;
    const before = engine.retired;
    const exit = engine.step();
    this.spend(engine.retired - before);
    if (exit.reason === "halted" || this.left <= 0) this.next();
    return exit;
  }

  /** One vCPU alone has no turns. */
  private get hasTurns(): boolean {
    return this.processors.length > 1;
  }

  /** Takes retired instructions from the turn. */
  private spend(instructions: number): void {
    if (this.hasTurns) this.left -= instructions;
  }

  private next(): void {
    this.left = QUANTUM;
    this.load((this.turn + 1) % this.processors.length);
  }

  /** Whether any vCPU executes instructions. */
  get isActive(): boolean {
    return this.processors.some(({ cpu }) => cpu.activity === ACTIVE);
  }

  /** Whether every vCPU waits for an interrupt or a start-up message. */
  get isHalted(): boolean {
    return this.processors.every(({ cpu }) => cpu.activity === HALTED || cpu.activity === WAITING);
  }

  /** Every vCPU, and whose turn it is. TLBs are flushed, also in the machine that goes on. */
  save(): MultiprocessorState {
    return {
      turn: { current: this.turn, left: this.left },
      processors: this.processors.map(({ engine }, n) => ({
        cpu: this.with(n, ({ cpu }) => cpu.save()), retired: engine.retired, nmiPending: engine.nmiPending,
      })),
    };
  }

  /** Takes the instruction counts alone: time may hang on them, and the processors' time stamps on time. */
  restoreCounts(state: MultiprocessorState): void {
    for (const [n, { retired }] of state.processors.entries()) this.processors[n]!.engine.retired = retired;
  }

  /** Goes on from a save of as many vCPUs. Memory, instruction counts and the clock are to be restored before. */
  restore(state: MultiprocessorState): void {
    for (const [n, saved] of state.processors.entries()) {
      this.with(n, ({ cpu, engine }) => {
        engine.reset();
        cpu.restore(saved.cpu);
        engine.nmiPending = saved.nmiPending;
      });
    }
    this.load(state.turn.current);
    this.left = state.turn.left;
  }
}
