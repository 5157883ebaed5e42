/** A machine that does what a test tells it, in the place of a real one. */
import type { Host } from "./run.ts";
import type { Stop, Vm, VmOptions } from "./machine.ts";

/** A host whose streams are strings, with the machine that it made. */
export interface FakeHost extends Host {
  stdout: string;
  stderr: string;
  /** Types on standard input. */
  type(text: string): void;
  signal(name: string): void;
  closeStdout(): void;
  options: VmOptions | undefined;
  vm: FakeVm;
}

/** A machine whose serial ports echo, and that runs until it is told to stop. */
export class FakeVm implements Vm {
  readonly calls: string[] = [];
  readonly typed = ["", "", "", ""];
  readonly listeners: ((bytes: Uint8Array) => void)[][] = [[], [], [], []];
  readonly serial = this.listeners.map((listeners, index) => ({
    onOutput: (listener: (bytes: Uint8Array) => void): Disposable => {
      listeners.push(listener);
      return { [Symbol.dispose]: () => void listeners.splice(listeners.indexOf(listener), 1) };
    },
    write: (data: Uint8Array | string): void => {
      this.typed[index] += typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    },
  }));
  #end: (stop: Stop) => void = () => {};
  readonly ended = new Promise<Stop>((resolve) => (this.#end = resolve));
  running: () => void = () => {};

  async run(): Promise<Stop> {
    this.running();
    return this.ended;
  }
  print(port: number, text: string): void {
    for (const listener of this.listeners[port]!) listener(Buffer.from(text, "latin1"));
  }
  end(stop: Stop): void {
    this.#end(stop);
  }
  stop(): void {
    this.#end({ kind: "stopped" });
  }
  async pause(): Promise<void> {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  async save(): Promise<Uint8Array> {
    return Uint8Array.of(1, 2, 3);
  }
  stats(): object {
    return { instructions: 1000, exits: { halt: 2 } };
  }
  screen(): string {
    return "the screen";
  }
  stateHash(): string {
    return "c0ffee";
  }
  registers(): object {
    return { eax: 0x1234, eip: 0x100000 };
  }
  readMemory(linear: number, length: number): Uint8Array | undefined {
    return linear < 0x1000 ? Uint8Array.from({ length }, (_, i) => (linear + i) & 0xff) : undefined;
  }
  step(count: number): void {
    this.calls.push(`step ${count}`);
  }
  attachDebugger(send: (bytes: Uint8Array) => void): { receive(bytes: Uint8Array): void } & Disposable {
    this.calls.push("gdb attached");
    return {
      receive: (bytes) => send(Buffer.from(`+${Buffer.from(bytes).toString("latin1")}`, "latin1")),
      [Symbol.dispose]: () => void this.calls.push("gdb detached"),
    };
  }
  sendKey(keys: string): boolean {
    this.calls.push(`key ${keys}`);
    return keys !== "nokey";
  }
}

/** Makes a host; `play` is called with the machine when it starts to run. */
export function fakeHost(play: (vm: FakeVm, host: FakeHost) => void = (vm) => vm.end({ kind: "power-off" })): FakeHost {
  const signals = new Map<string, () => void>();
  let input: (bytes: Uint8Array) => void = () => {};
  let closed: () => void = () => {};
  const vm = new FakeVm();
  const host: FakeHost = {
    stdout: "", stderr: "", options: undefined, vm,
    type: (text) => input(Buffer.from(text, "latin1")),
    signal: (name) => signals.get(name)?.(),
    closeStdout: () => closed(),
    streams: {
      out: (bytes) => void (host.stdout += typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1")),
      err: (text) => void (host.stderr += text),
      input: (listener) => {
        input = listener;
        return { isTerminal: false, [Symbol.dispose]: () => void (input = () => {}) };
      },
      onClosed: (listener) => {
        closed = listener;
        return { [Symbol.dispose]: () => {} };
      },
    },
    signals: {
      on: (name, listener) => {
        signals.set(name, listener);
        return { [Symbol.dispose]: () => void signals.delete(name) };
      },
    },
    createVm: async (options) => {
      host.options = options;
      return vm;
    },
  };
  vm.running = () => play(vm, host);
  return host;
}
