/**
 * The virtual machine as the command line sees it: what it needs of `createVm` and of the value that this gives. The tests put a
 * fake in its place.
 */
import { HostError } from "doppel/node";

/** Why a run ended. */
export type Stop =
  | { kind: "power-off" }
  | { kind: "debug-exit"; value: number }
  | { kind: "reset" }
  | { kind: "triple-fault" }
  | { kind: "stopped" }
  | { kind: "host-fault"; error: Error };

/** What to build and what to boot on it. */
export interface VmOptions {
  /** RAM in bytes. */
  memory: number;
  kernel?: { kernel: Uint8Array; initrd?: Uint8Array; append?: string };
  multiboot?: { image: Uint8Array; modules?: { data: Uint8Array; args: string }[]; append?: string };
  bios?: Uint8Array;
  guest?: "embedded";
  engine?: "interpreter";
  cpu?: "i686";
  deterministic?: boolean;
  restore?: Uint8Array;
  debugExit?: boolean;
  noReboot?: boolean;
}

/** One UART of the machine. */
export interface SerialPort {
  onOutput(listener: (bytes: Uint8Array) => void): Disposable;
  write(data: Uint8Array | string): void;
}

/** A remote debugger's end of the machine: the gdb protocol, byte by byte. */
export interface DebuggerSession extends Disposable {
  receive(bytes: Uint8Array): void;
}

/** A machine. What only the monitor and debuggers use may be missing. */
export interface Vm {
  run(): Promise<Stop>;
  stop(): void;
  pause(): Promise<void>;
  resume(): void;
  readonly serial: { readonly [index: number]: SerialPort };
  save(): Promise<Uint8Array>;
  stats(): object;
  screen(): string;
  stateHash(): string;
  registers(): object;
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

/** The machine of the `doppel` package; loaded late, so that help and completion stay quick. */
export const createVm: CreateVm = async (options) => {
  const library = (await import("doppel")) as unknown as { createVm?: CreateVm };
  if (!library.createVm) throw new HostError("HOST_BAD_VALUE", "This checkout of doppel has no createVm yet.");
  return library.createVm(options);
};
