/**
 * `doppel run`: makes the machine, connects it to the outside, runs it, and takes everything down again in whatever way the run
 * ends. The exit status is the function's value.
 */
import type { CreateVm, SerialPort, Stop, Vm } from "./machine.ts";
import type { RunOptions } from "./run-options.ts";
import type { Streams } from "./streams.ts";
import { HostError, writeOutput } from "doppel/node";
import { readSource } from "./boot-source.ts";
import { Console } from "./console.ts";
import { EXIT_OK, EXIT_SIGINT, EXIT_SIGPIPE, EXIT_SIGTERM, EXIT_TIMEOUT, exitStatus } from "./exit-status.ts";
import { LoopDelayMonitor } from "./loop-delay.ts";
import { progressLine } from "./progress.ts";
import { connectSerial, recordOutput } from "./serial-targets.ts";
import { jsonStatistics, textStatistics } from "./statistics.ts";
import { listen } from "./tcp-port.ts";
import type { OutputTarget } from "./values.ts";

/** Signals, injected: the tests send none to their own process. */
export interface Signals {
  on(name: "SIGINT" | "SIGTERM" | "SIGUSR1", listener: () => void): Disposable;
}

/** Everything `run` touches outside the machine. */
export interface Host { streams: Streams; signals: Signals; createVm: CreateVm }

/**
 * Runs a machine to its end.
 * @throws {HostError} or a subclass of `DoppelError` before the guest starts, when something that the user named cannot be used.
 */
export async function run(options: RunOptions, host: Host): Promise<number> {
  const { streams } = host;
  const machine = await readSource(options, progressLine(streams));
  const vm = await host.createVm(machine);
  using stack = new DisposableStack();
  const start = performance.now();
  let requested = EXIT_OK;
  let stopRequested: () => void = () => {};
  const stopped = new Promise<Stop>((resolve) => (stopRequested = () => resolve({ kind: "stopped" })));
  const stop = (status: number): void => {
    requested = status;
    stopRequested();
    vm.stop();
  };

  stack.use(host.signals.on("SIGINT", () => stop(EXIT_SIGINT)));
  stack.use(host.signals.on("SIGTERM", () => stop(EXIT_SIGTERM)));
  stack.use(streams.onClosed(() => stop(EXIT_SIGPIPE)));
  const save = async (path = options.save): Promise<string> => {
    if (path === undefined) return "Name a file: save FILE, or start with --save FILE.\n";
    try {
      const bytes = await vm.save();
      await writeOutput(path, "saved state", bytes);
      return `saved ${bytes.length} bytes to ${path}\n`;
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\n`;
    }
  };
  stack.use(host.signals.on("SIGUSR1", () => void save().then((text) => streams.err(text))));

  stack.use(await connectSerial(vm, options.serial, (text) => streams.err(text)));
  if (options.traceIo) stack.use(await traceIo(vm, options.traceIo, streams));
  const { debugcon } = options;
  if (debugcon && vm.debugOutput) {
    stack.use(sendOutput(vm.debugOutput, debugcon, "debug file", streams));
  }
  const port = options.serial.findIndex((target) => target.kind === "stdio");
  const uart = port < 0 ? undefined : vm.serial[port];
  if (uart) stack.use(uart.onOutput((bytes) => streams.out(bytes)));
  stack.use(new Console(vm, uart ? port : undefined, streams, { quit: () => stop(EXIT_OK), save }));
  if (options.timeout !== undefined) {
    const timer = setTimeout(() => stop(EXIT_TIMEOUT), options.timeout);
    stack.defer(() => clearTimeout(timer));
  }

  // A user who waits for gdb can still change his mind.
  const early = await Promise.race([listenForDebugger(vm, options, streams, stack), stopped]);
  const monitor = options.stats || options.json ? stack.use(new LoopDelayMonitor()) : undefined;
  const ended = early ?? (await vm.run());
  stack.dispose();
  const status = exitStatus(ended, requested);
  report(ended, requested, streams);
  const figures = { stop: ended, status, milliseconds: performance.now() - start, ...(monitor && { loopDelay: monitor.delay }) };
  // Standard output belongs to the guest while its serial port is there.
  const print = port < 0 ? (text: string): void => streams.out(text) : (text: string): void => streams.err(text);
  if (options.json) print(jsonStatistics(vm, figures));
  if (options.stats) streams.err(textStatistics(vm, figures));
  else if (options.deterministic && !options.json) streams.err(`state hash ${vm.stateHash()}\n`);
  return status;
}

/** Sends what an output says to a file or to standard error. */
function sendOutput(output: Pick<SerialPort, "onOutput">, target: OutputTarget, what: string, streams: Streams): Disposable {
  if (target.kind === "file") return recordOutput(output, target.path, what);
  const decoder = new TextDecoder();
  return output.onOutput((bytes) => streams.err(decoder.decode(bytes, { stream: true })));
}

/** Writes a line for each access of a device. */
async function traceIo(vm: Vm, target: OutputTarget, streams: Streams): Promise<Disposable> {
  const observe = vm.observe?.bind(vm);
  if (!observe) throw new HostError("HOST_BAD_VALUE", "This machine cannot be watched.");
  const { ioLine } = await import("doppel");
  const encoder = new TextEncoder();
  return sendOutput({ onOutput: (listener) => observe({ io: (event) => listener(encoder.encode(`${ioLine(event)}\n`)) }) }, target, "I/O trace", streams);
}

/** One sentence for an end that is not the guest's own wish. */
function report(stop: Stop, requested: number, streams: Streams): void {
  if (stop.kind === "triple-fault") streams.err("doppel: the guest's CPU shut down after a triple fault.\n");
  if (stop.kind === "reset") streams.err("doppel: the guest reset the machine.\n");
  if (stop.kind === "stopped" && requested === EXIT_TIMEOUT) streams.err("doppel: the time is up.\n");
  if (stop.kind === "host-fault") streams.err(`doppel: internal fault: ${stop.error.stack ?? stop.error.message}\n`);
}

/** Opens the gdb port, and with `--gdb-wait` waits for somebody to connect to it. */
async function listenForDebugger(vm: Vm, options: RunOptions, streams: Streams, stack: DisposableStack): Promise<undefined> {
  if (!options.gdb) return;
  const attach = vm.attachDebugger?.bind(vm);
  if (!attach) throw new HostError("HOST_BAD_VALUE", "This machine takes no debugger.");
  let session: ReturnType<typeof attach> | undefined;
  let first: () => void = () => {};
  const connected = new Promise<void>((resolve) => (first = resolve));
  const { address, wait } = options.gdb;
  const port = await listen(address, "gdb stub", {
    connected: () => {
      session = attach((bytes) => port.send(bytes));
      first();
    },
    received: (bytes) => session?.receive(bytes),
    closed: () => {
      session?.[Symbol.dispose]();
      session = undefined;
    },
  });
  if (stack.disposed) port[Symbol.dispose]();
  else stack.use(port);
  streams.err(`gdb: target remote ${address.host}:${port.port}${wait ? " (waiting for it)" : ""}\n`);
  if (wait) await connected;
}
