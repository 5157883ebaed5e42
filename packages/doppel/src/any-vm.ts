/**
 * A machine as its user sees it, wherever it runs: in the same thread, or in a worker behind messages. Code that awaits every
 * result works with both.
 */
import type { TextScreen } from "@doppel/devices";
import type { TranslationUnit } from "@doppel/translator";
import type { Hotspots, Stats, Stop } from "@doppel/vmm";
import type { Console } from "./console.ts";

/** A value, or the promise of one: `await` takes both. */
export type Awaitable<T> = T | Promise<T>;

/** Hears what the guest sends. */
export type OutputListener = (bytes: Uint8Array) => void;

/** A serial line from the host's side. */
export interface SerialLine {
  /** Calls `listener` with what the guest sends from now on, until the result is disposed of. */
  onOutput(listener: OutputListener): Disposable;
  /** Sends text or bytes to the guest. */
  write(data: Uint8Array | string): void;
}

/** One end of a conversation with a debugger. */
export interface DebuggerSession extends Disposable {
  /** Takes bytes from the debugger. */
  receive(bytes: Uint8Array): void;
}

/**
 * A machine in this thread (`Vm`) or in another one (`RemoteVm`).
 * @example
 * const { mips } = await vm.stats();
 */
export interface AnyVm {
  /** COM1 to COM4. */
  readonly serial: readonly SerialLine[];
  /** What the guest writes to the debug ports E9h and 402h. */
  readonly debugOutput: Pick<SerialLine, "onOutput">;
  /** The conversation on COM1. */
  readonly console: Console;
  /** Runs until the guest or the host ends it. */
  run(): Promise<Stop>;
  /** Ends `run` with "stopped". */
  stop(): Awaitable<void>;
  /** Stops the guest's time; resolves when it stands still. */
  pause(): Promise<void>;
  /** Lets the guest go on. */
  resume(): Awaitable<void>;
  /** Power-on state again, and what was booted once more, in a restored machine as well. */
  reset(): Promise<void>;
  /** The whole machine as bytes, for `createVm({ restore })`: its state, its memory, and what it was booted from. */
  save(): Promise<Uint8Array>;
  /** Counters since the machine was made. */
  stats(): Awaitable<Stats>;
  /**
   * Has the translator (`engine: "auto"`) count what happens in its fragments, so that `explain` and `hotspots` have figures, or no longer. The fragments that are there
   * go, and are made anew when their code is met: larger and slower ones, while they count. `createVm({ explain: true })` counts from the beginning.
   */
  countCode(on: boolean): Awaitable<void>;
  /** Lets the figures of `explain` and `hotspots` count from now on. */
  clearCounts(): Awaitable<void>;
  /**
   * The translated regions in use, at most `top` of them: those first in which most instructions retired, or, in a machine that does not count, those that ran last.
   * @throws {MachineError} `MACHINE_EXPLAIN` in a machine without a translator
   * @example
   * await vm.countCode(true);
   * const { counted, regions } = await vm.hotspots(10);
   */
  hotspots(top: number): Awaitable<Hotspots>;
  /**
   * What the translator makes of code: of a linear address (`linearAddress` reads one), or of the units in which most instructions retired.
   * @throws {MachineError} `MACHINE_EXPLAIN` without a translator, or where figures are asked for and nothing was counted
   * @throws {ExplainError} where there is no code at the address
   * @example
   * const [hottest] = await vm.explain({ top: 1 });
   * console.log(unitText(hottest, new Set(["asm", "chain"])));
   */
  explain(what: { readonly at: number } | { readonly top: number }): Awaitable<TranslationUnit[]>;
  /** The text screen, a line per row, without the blanks at the ends. */
  screen(): Awaitable<string>;
  /** What the display shows: characters, colours and the cursor. */
  display(): Awaitable<TextScreen>;
  /** Hash over architectural state, devices and RAM. */
  stateHash(): Awaitable<string>;
  /** The CPU's registers by name. */
  registers(): Awaitable<Record<string, number>>;
  /** Bytes at a linear address; undefined where nothing is mapped. */
  readMemory(linear: number, length: number): Awaitable<Uint8Array | undefined>;
  /** The instruction at a linear address as text. */
  disassemble(linear: number): Awaitable<string>;
  /** Executes instructions while paused. */
  step(count?: number): Awaitable<void>;
  /** A line for each page in the TLB. */
  tlb(): Awaitable<string[]>;
  /** Presses keys held together, such as `ctrl-alt-delete`; false when a name is unknown. */
  sendKey(keys: string): Awaitable<boolean>;
  /** Presses or releases a key, named as in `KeyboardEvent.code`; false when the keyboard has no such key, or no room. */
  key(code: string, down: boolean): Awaitable<boolean>;
  /** Lets a debugger speak gdb's remote serial protocol to this machine; `send` takes bytes for the debugger. */
  attachDebugger(send: (bytes: Uint8Array) => void): Awaitable<DebuggerSession>;
  /** Ends the machine for good; a worker goes with it. */
  close(): Awaitable<void>;
}
