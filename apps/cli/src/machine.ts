/**
 * The virtual machine as the command line sees it: what it needs of `createVm` and of the value that this gives. The tests put a
 * fake in its place.
 */
import type { Console, DebuggerSession, Hooks, Stop, TranslationUnit, VmOptions } from "doppel";

export type { DebuggerSession, Stop, VmOptions } from "doppel";

/** One UART of the machine. */
export interface SerialPort {
  onOutput(listener: (bytes: Uint8Array) => void): Disposable;
  write(data: Uint8Array | string): void;
}

/** A machine. What only the monitor and debuggers use may be missing. */
export interface Vm {
  run(): Promise<Stop>;
  stop(): void;
  pause(): Promise<void>;
  resume(): void;
  readonly serial: { readonly [index: number]: SerialPort };
  /** What the guest writes to the debug ports E9h and 402h. */
  readonly debugOutput?: Pick<SerialPort, "onOutput">;
  save(): Promise<Uint8Array>;
  stats(): object;
  screen(): string;
  stateHash(): string;
  registers(): object;
  /** The conversation on the first serial port. */
  readonly console?: Pick<Console, "type" | "waitFor">;
  /** What the translator makes of code. */
  explain?(what: { at: number } | { top: number }): TranslationUnit[];
  /** Lets hooks watch until the result is disposed of. */
  observe?(hooks: Hooks): Disposable;
  /** Lets the figures of `explain` count from now on. */
  clearCounts?(): void;
  /** Bytes at a linear address; undefined where nothing is mapped. */
  readMemory?(linear: number, length: number): Uint8Array | undefined;
  /** Executes instructions while paused. */
  step?(count: number): void;
  /** Lines that describe the TLB. */
  tlb?(): string[];
  /** Presses keys held together, such as `ctrl-alt-delete`; false when a name is unknown. */
  sendKey?(keys: string): boolean;
  attachDebugger?(send: (bytes: Uint8Array) => void): DebuggerSession;
}

/** Makes a machine. */
export type CreateVm = (options: VmOptions) => Promise<Vm>;

/** The machine of the `doppel` package, whose hot code another thread compiles; loaded late, so that help and completion stay quick. */
export const createVm: CreateVm = async (options) => {
  const compiler = options.engine === "interpreter" ? undefined : (await import("doppel/node")).compilerThread();
  return (await import("doppel")).createVm({ ...options, compiler });
};
