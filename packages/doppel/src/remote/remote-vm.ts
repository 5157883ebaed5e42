/** A machine at the other end of a line, with the methods of one that is here. */
import type { TextScreen } from "@doppel/devices";
import { DoppelError } from "@doppel/persist";
import type { TranslationUnit } from "@doppel/translator";
import type { Hotspots, Stats, Stop } from "@doppel/vmm";
import type { AnyVm, DebuggerSession, OutputListener, SerialLine } from "../any-vm.ts";
import { Console } from "../console.ts";
import type { VmOptions } from "../create-vm.ts";
import { OptionError } from "../option-error.ts";
import { unpackError } from "./error-message.ts";
import { type Answer, type Endpoint, type ErrorMessage, listen, type Method, type Request } from "./protocol.ts";

export type { Endpoint } from "./protocol.ts";

/** The worker of a machine is gone. */
export class RemoteError extends DoppelError {}

/** A serial line of the other end. */
class RemoteLine implements SerialLine {
  private readonly listeners = new Set<OutputListener>();
  private readonly send: (data: Uint8Array | string) => void;

  constructor(send: (data: Uint8Array | string) => void) {
    this.send = send;
  }

  onOutput(listener: OutputListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  write(data: Uint8Array | string): void {
    this.send(data);
  }

  hear(bytes: Uint8Array): void {
    for (const listener of this.listeners) listener(bytes);
  }
}

/** What is known of the other end beside its messages. */
export interface RemoteOptions {
  /** Rejects when the other end is gone: every call that waits rejects with it. */
  readonly lost?: Promise<never>;
  /** Takes the other end down. */
  readonly end?: () => void;
}

interface Waiting { resolve(value: never): void; reject(error: Error): void }

/** A machine in a worker. */
export class RemoteVm implements AnyVm {
  readonly serial: readonly SerialLine[];
  readonly debugOutput: Pick<SerialLine, "onOutput">;
  readonly console: Console;
  private readonly endpoint: Endpoint;
  private readonly end: () => void;
  private readonly lines: readonly RemoteLine[];
  private readonly debugLine = new RemoteLine(() => {});
  private readonly waiting = new Map<number, Waiting>();
  private failure: Error | undefined;
  private closed = false;
  private calls = 0;
  private toDebugger: ((bytes: Uint8Array) => void) | undefined;

  private constructor(endpoint: Endpoint, end: () => void = () => {}) {
    this.endpoint = endpoint;
    this.end = end;
    this.serial = this.lines = Array.from({ length: 4 }, (_, serial) => new RemoteLine((data) => this.post({ serial, data })));
    this.debugOutput = this.debugLine;
    this.console = new Console(this.serial[0]!);
    listen<Answer>(endpoint, (answer) => this.hear(answer));
  }

  /**
   * Makes a machine at the other end, where `serveVm` listens.
   * @throws what `createVm` throws there, and {@link OptionError} `OPTION_PLUGIN` for a plugin that is a value
   */
  static async create(endpoint: Endpoint, options: VmOptions, { lost, end }: RemoteOptions = {}): Promise<RemoteVm> {
    const value = options.plugins?.find((plugin) => typeof plugin !== "string");
    if (value !== undefined) throw new OptionError("OPTION_PLUGIN", `the plugin ${value.name} is a value, which cannot go to the machine's thread; give the URL of a module whose default export it is`);
    const vm = new RemoteVm(endpoint, end);
    lost?.catch((error: Error) => vm.fail(error));
    // Where the machine is, it compiles by itself.
    await vm.call("create", { ...options, compiler: undefined });
    return vm;
  }

  private post(request: Request): void {
    this.endpoint.postMessage(request);
  }

  private call<T>(method: Method, ...args: readonly unknown[]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      const id = this.calls++;
      this.waiting.set(id, { resolve, reject });
      this.post({ id, method, args });
    });
  }

  private hear(answer: Answer): void {
    if ("serial" in answer) return (answer.serial === "debug" ? this.debugLine : this.lines[answer.serial]!).hear(answer.bytes);
    if ("debugger" in answer) return this.toDebugger?.(answer.debugger);
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if ("error" in answer) waiting?.reject(unpackError(answer.error));
    else waiting?.resolve(answer.value as never);
  }

  private fail(error: Error): void {
    this.failure = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  /** Ends the run and the other end; calls that wait are rejected. */
  async close(): Promise<void> {
    if (this.failure !== undefined) return;
    this.closed = true;
    this.fail(new RemoteError("REMOTE_CLOSED", "this machine was closed"));
    this.end();
  }

  async run(): Promise<Stop> {
    const stop = await this.call<Stop>("run").catch((error: Error): Stop => (this.closed ? { kind: "stopped" } : { kind: "host-fault", error }));
    return stop.kind === "host-fault" && !(stop.error instanceof Error) ? { kind: stop.kind, error: unpackError(stop.error as ErrorMessage) } : stop;
  }

  stop(): Promise<void> {
    return this.call("stop");
  }

  pause(): Promise<void> {
    return this.call("pause");
  }

  resume(): Promise<void> {
    return this.call("resume");
  }

  reset(): Promise<void> {
    return this.call("reset");
  }

  save(): Promise<Uint8Array> {
    return this.call("save");
  }

  stats(): Promise<Stats> {
    return this.call("stats");
  }

  countCode(on: boolean): Promise<void> {
    return this.call("countCode", on);
  }

  clearCounts(): Promise<void> {
    return this.call("clearCounts");
  }

  hotspots(top: number): Promise<Hotspots> {
    return this.call("hotspots", top);
  }

  explain(what: { readonly at: number } | { readonly top: number }): Promise<TranslationUnit[]> {
    return this.call("explain", what);
  }

  screen(): Promise<string> {
    return this.call("screen");
  }

  display(): Promise<TextScreen> {
    return this.call("display");
  }

  stateHash(): Promise<string> {
    return this.call("stateHash");
  }

  registers(): Promise<Record<string, number>> {
    return this.call("registers");
  }

  readMemory(linear: number, length: number): Promise<Uint8Array | undefined> {
    return this.call("readMemory", linear, length);
  }

  disassemble(linear: number): Promise<string> {
    return this.call("disassemble", linear);
  }

  step(count = 1): Promise<void> {
    return this.call("step", count);
  }

  tlb(): Promise<string[]> {
    return this.call("tlb");
  }

  sendKey(keys: string): Promise<boolean> {
    return this.call("sendKey", keys);
  }

  key(code: string, down: boolean): Promise<boolean> {
    return this.call("key", code, down);
  }

  async attachDebugger(send: (bytes: Uint8Array) => void): Promise<DebuggerSession> {
    // The stub's first words may come before the answer.
    const before = this.toDebugger;
    this.toDebugger ??= send;
    try {
      await this.call("attach");
    } catch (error) {
      this.toDebugger = before;
      throw error;
    }
    return {
      receive: (bytes) => this.post({ debugger: bytes }),
      [Symbol.dispose]: () => {
        this.toDebugger = undefined;
        void this.call("detach").catch(() => {});
      },
    };
  }
}
