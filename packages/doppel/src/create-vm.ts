/**
 * The API that most people import: a machine from options, its serial lines, its end as a promise. Everything is
 * asynchronous, so that a machine in a worker can be used alike.
 */
import { disassemble } from "@doppel/x86";
import { GdbStub } from "@doppel/debug";
import { embeddedGuest } from "@doppel/guests";
import type { TextScreen } from "@doppel/devices";
import type { ModuleCompiler, TranslationUnit } from "@doppel/translator";
import {
  type BootSource, type CpuName, DEFAULT_CPU, DEFAULT_ENGINE, type EngineName, type Hooks, type Hotspots, PLAIN_CPU, type Stats, type Stop, savedOptions, VirtualMachine,
} from "@doppel/vmm";
import { hostFeatures, type WasmFeatures } from "@doppel/wasm";
import type { AnyVm, DebuggerSession } from "./any-vm.ts";
import { Console } from "./console.ts";
import { OptionError } from "./option-error.ts";
import { SerialPort } from "./serial-port.ts";

/** What to build and what to boot on it. */
export interface VmOptions extends BootSource {
  /** RAM in bytes; 256 MiB when absent. */
  readonly memory?: number;
  /** Number of vCPUs, 1 to 8; they take turns on one thread. 1 when absent. */
  readonly cpus?: number;
  /** A kernel of our own that needs no file. */
  readonly guest?: "embedded";
  /** How instructions are executed; {@link DEFAULT_ENGINE} when absent. */
  readonly engine?: EngineName;
  /** Executions of a block of code before it is translated: 0 translates every block as soon as it is decoded. For tests; the translator's own number when absent. */
  readonly hotThreshold?: number;
  /** Compiles hot code beside this thread, which does it by itself when absent: `compilerThread()` of `doppel/node`. A machine in a worker has no use for it. */
  readonly compiler?: ModuleCompiler | undefined;
  /** The translator's fragments count from the beginning what happens in them, as after {@link AnyVm.countCode}; they are slower and larger for it. */
  readonly explain?: boolean;
  /** What watches the machine from the beginning; for one in a worker, only URLs of modules. */
  readonly plugins?: readonly (Plugin | PluginModule)[];
  /** The processor model; {@link DEFAULT_CPU}, which runs 32- and 64-bit systems, when absent. */
  readonly cpu?: CpuName;
  /** Time is the instruction count: two runs are identical to the last bit. */
  readonly deterministic?: boolean;
  /** A machine saved by `save`; goes on where that one stopped, and decides memory, processors, determinism, and what a reset boots. */
  readonly restore?: Uint8Array;
  /** The `isa-debug-exit` port F4h. */
  readonly debugExit?: boolean;
  /** A reset or triple fault ends the run instead of starting the machine anew. */
  readonly noReboot?: boolean;
  /** What of the host's WebAssembly may be used; what it has, when absent. Without SIMD the processor is a {@link PLAIN_CPU} unless `cpu` says otherwise. */
  readonly features?: Partial<WasmFeatures>;
}

/**
 * Something that watches a machine from its first instruction on, or adds to it: a value, so that anybody can publish one.
 * @example
 * const portLog: Plugin = { name: "port-log", attach: (vm) => vm.observe({ io: ({ address }) => console.log(address) }) };
 * const vm = await createVm({ guest: "embedded", plugins: [portLog] });
 */
export interface Plugin {
  /** For messages. */
  readonly name: string;
  /** Called when the machine is made. What it returns is disposed of with the machine. */
  attach(vm: Vm): Disposable;
}

/**
 * A plugin by the absolute URL of a module whose default export it is, so that it is loaded where the machine runs: values cannot go into a worker.
 * @example
 * const vm = await createVm({ guest: "embedded", plugins: [new URL("./port-log.js", import.meta.url).href] });
 */
export type PluginModule = string;

const MIB = 1 << 20;
const DEFAULT_MEMORY = 256 * MIB;
const SMALLEST = 2 * MIB;
const LARGEST = 3584 * MIB;
const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;
/** Names that people use for keys, and the W3C names behind them. */
const KEY_NAMES: Record<string, string> = {
  ctrl: "ControlLeft", alt: "AltLeft", shift: "ShiftLeft", meta: "MetaLeft", delete: "Delete", del: "Delete", enter: "Enter", ret: "Enter",
  esc: "Escape", tab: "Tab", spc: "Space", space: "Space", backspace: "Backspace", up: "ArrowUp", down: "ArrowDown", left: "ArrowLeft",
  right: "ArrowRight", home: "Home", end: "End", pgup: "PageUp", pgdn: "PageDown", insert: "Insert", minus: "Minus", dot: "Period",
  comma: "Comma", slash: "Slash", semicolon: "Semicolon", equal: "Equal",
};

function keyName(text: string): string {
  const lower = text.toLowerCase();
  if (/^[a-z]$/.test(lower)) return `Key${lower.toUpperCase()}`;
  if (/^[0-9]$/.test(lower)) return `Digit${lower}`;
  if (/^f[0-9]+$/.test(lower)) return lower.toUpperCase();
  return KEY_NAMES[lower] ?? text;
}

/** A running or paused machine. */
export class Vm implements AnyVm, Disposable {
  /** The machine underneath, for plugins, tools and tests. */
  readonly machine: VirtualMachine;
  /** COM1 to COM4. */
  readonly serial: readonly SerialPort[];
  /** What the guest writes to the debug ports E9h and 402h; nothing can be typed there. */
  readonly debugOutput: Pick<SerialPort, "onOutput" | "flush" | "output">;
  /** The conversation on COM1. */
  readonly console: Console;
  private paused: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  private stopped = false;
  private idle: (() => void)[] = [];
  private debugger: GdbStub | undefined;
  private readonly attached: Disposable[] = [];

  constructor(options: VmOptions, plugins: readonly Plugin[]) {
    const saved = options.restore === undefined ? undefined : savedOptions(options.restore);
    const memory = saved?.memory ?? options.memory ?? DEFAULT_MEMORY;
    if (!Number.isSafeInteger(memory) || memory < SMALLEST || memory > LARGEST || memory % 4096 !== 0) {
      throw new OptionError("OPTION_MEMORY", `memory of ${memory} bytes cannot be had; choose a multiple of 4 KiB from ${SMALLEST / MIB} to ${LARGEST / MIB} MiB`);
    }
    const sources = [options.kernel, options.multiboot, options.bios, options.guest, options.restore].filter((source) => source !== undefined);
    if (sources.length !== 1) {
      throw new OptionError("OPTION_BOOT", "name exactly one thing to boot: kernel, multiboot, bios, guest or restore");
    }
    this.serial = Array.from({ length: 4 }, () => new SerialPort(() => this.machine.wake()));
    this.console = new Console(this.serial[0]!);
    const { kernel, multiboot, bios, vgaBios } = saved ?? options;
    if (vgaBios !== undefined && bios === undefined) {
      throw new OptionError("OPTION_BOOT", "vgaBios goes with bios: only a BIOS runs the display's ROM");
    }
    this.debugOutput = new SerialPort(() => {});
    const features = { ...hostFeatures(), ...options.features };
    this.machine = new VirtualMachine({
      features, memory, cpu: saved?.cpu ?? options.cpu ?? (features.simd ? DEFAULT_CPU : PLAIN_CPU), cpus: saved?.cpus ?? options.cpus ?? 1, engine: options.engine ?? DEFAULT_ENGINE,
      explain: options.explain ?? false, compiler: options.compiler, ...(options.hotThreshold === undefined ? {} : { hotThreshold: options.hotThreshold }),
      serial: this.serial, deterministic: saved?.deterministic ?? options.deterministic ?? false,
      debugExit: saved?.debugExit ?? options.debugExit ?? false, noReboot: options.noReboot ?? false,
      ...(kernel === undefined ? {} : { kernel }), ...(bios === undefined ? {} : { bios }), ...(vgaBios === undefined ? {} : { vgaBios }),
      debugOutput: (byte) => this.debugOutput.output(byte),
      ...(options.guest === "embedded" ? { multiboot: { image: embeddedGuest().image } } : multiboot === undefined ? {} : { multiboot }),
    });
    for (const [n, port] of this.serial.entries()) port.uart = this.machine.chipset.serial[n];
    if (options.restore !== undefined) this.machine.restore(options.restore);
    for (const plugin of plugins) this.attach(plugin);
  }

  private attach(plugin: Plugin): void {
    try {
      this.attached.push(plugin.attach(this));
    } catch (error) {
      this[Symbol.dispose]();
      throw new OptionError("OPTION_PLUGIN", `the plugin ${plugin.name} could not be attached: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Ends the run and detaches all plugins, the last one first. */
  [Symbol.dispose](): void {
    this.stop();
    for (const one of this.attached.splice(0).reverse()) one[Symbol.dispose]();
  }

  /**
   * Lets hooks watch basic blocks, accesses of memory, or accesses of devices, until the result is disposed of. A hook sees the state precisely as it is
   * in front of the block or instruction (`registers()`, `readMemory()`), may end the run (`stop`, `pause`), and must change nothing.
   * Hooks that are not there cost nothing; with hooks for blocks or memory, everything is interpreted, and slower.
   * @example
   * const blocks = new Set<number>();
   * using watching = vm.observe({ block: ({ address }) => blocks.add(address) });
   */
  observe(hooks: Hooks): Disposable {
    return this.machine.observe(hooks);
  }

  /** Runs until the guest or the host ends it. Never rejects. */
  async run(): Promise<Stop> {
    this.stopped = false;
    const stop = await this.runToEnd();
    for (const tell of this.idle.splice(0)) tell();
    this.debugger?.exited(stop);
    return stop;
  }

  private async runToEnd(): Promise<Stop> {
    for (;;) {
      if (this.paused !== undefined) {
        for (const tell of this.idle.splice(0)) tell();
        await this.paused.promise;
      }
      if (this.stopped) return { kind: "stopped" };
      const stop = await this.machine.run();
      for (const port of [...this.serial, this.debugOutput]) port.flush();
      if (stop.kind === "breakpoint" && this.debugger !== undefined && !this.stopped) {
        this.hold();
        this.debugger.stopped();
      } else if (stop.kind !== "stopped" || this.paused === undefined || this.stopped) return stop;
    }
  }

  /** Ends `run` with "stopped". */
  stop(): void {
    this.stopped = true;
    this.machine.requestStop();
    this.resume();
  }

  /** Ends the machine for good. */
  close(): void {
    this.stop();
  }

  /** Stops the guest's time; resolves when it stands still. */
  async pause(): Promise<void> {
    this.hold();
    if (this.machine.isRunning) {
      const still = new Promise<void>((done) => this.idle.push(done));
      this.machine.requestStop();
      await still;
    }
  }

  /** Stops time; `run` waits from its next turn on. */
  private hold(): void {
    if (this.paused !== undefined) return;
    let resolve: () => void = () => {};
    const promise = new Promise<void>((done) => (resolve = done));
    this.paused = { promise, resolve };
    this.machine.clock.pause();
  }

  /** Lets the guest go on. */
  resume(): void {
    const paused = this.paused;
    if (paused === undefined) return;
    this.paused = undefined;
    this.machine.clock.resume();
    paused.resolve();
  }

  /** Power-on state again, and what was booted once more, in a restored machine as well; a run goes on there. */
  reset(): Promise<void> {
    return this.still(() => this.machine.reset());
  }

  /** Calls `action` while the guest stands still. */
  private async still<T>(action: () => T): Promise<T> {
    const mine = this.paused === undefined;
    if (mine) await this.pause();
    try {
      return action();
    } finally {
      if (mine) this.resume();
    }
  }

  /** The whole machine as bytes, for `createVm({ restore })`. */
  save(): Promise<Uint8Array> {
    return this.still(() => this.machine.save());
  }

  /** Counters since the machine was made. */
  stats(): Stats {
    return this.machine.stats();
  }

  /** Has the translator count what happens in its fragments, or no longer; see {@link AnyVm.countCode}. */
  countCode(on: boolean): Promise<void> {
    return this.still(() => this.machine.countCode(on));
  }

  /** Lets the figures of {@link explain} and {@link hotspots} count from now on. */
  clearCounts(): void {
    this.machine.clearCounts();
  }

  /** The translated regions in use, the hottest first; see {@link AnyVm.hotspots}. */
  hotspots(top: number): Hotspots {
    return this.machine.hotspots(top);
  }

  /** What the translator makes of code; see {@link AnyVm.explain}. */
  explain(what: { readonly at: number } | { readonly top: number }): TranslationUnit[] {
    return this.machine.explain(what);
  }

  /** The text screen, a line per row, without the blanks at the ends. */
  screen(): string {
    return this.machine.chipset.screen().rows.map((row) => row.trimEnd()).join("\n");
  }

  /** What the display shows: characters, colours and the cursor. */
  display(): TextScreen {
    return this.machine.chipset.screen();
  }

  /** Hash over architectural state, devices and RAM. */
  stateHash(): string {
    return this.machine.stateHash();
  }

  /** The CPU's registers by name. */
  registers(): Record<string, number> {
    const { cpu } = this.machine;
    const { state } = cpu;
    return {
      ...Object.fromEntries(REGISTERS.map((name, n) => [name, state.gpr32(n) >>> 0])),
      eip: state.rip, eflags: state.eflags,
      ...Object.fromEntries(SEGMENTS.map((name, n) => [name, state.selector(n)])),
      cr0: cpu.cr0 >>> 0, cr2: cpu.cr2 >>> 0, cr3: cpu.cr3 >>> 0, cr4: cpu.cr4 >>> 0,
    };
  }

  /** Bytes at a linear address; undefined where nothing is mapped. */
  readMemory(linear: number, length: number): Uint8Array | undefined {
    const { cpu, memory } = this.machine;
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = cpu.wrap(linear + done);
      const physical = cpu.mmu.peek(at);
      if (physical < 0) return undefined;
      const run = Math.min(length - done, 4096 - (at & 0xfff));
      memory.map.readBytes(physical, out.subarray(done, done + run));
      done += run;
    }
    return out;
  }

  /** The instruction at a linear address as text. */
  disassemble(linear: number): string {
    const bytes = this.readMemory(linear, 15);
    return bytes === undefined ? "(not mapped)" : disassemble(bytes, 0, this.machine.cpu.state.mode & 1 ? 4 : 2, linear).text;
  }

  /** Executes instructions while paused. */
  step(count = 1): void {
    for (let n = 0; n < count; n++) this.machine.step();
    for (const port of this.serial) port.flush();
  }

  /**
   * Lets a debugger speak gdb's remote serial protocol to this machine, which stops for it at once and goes on when the session is
   * disposed of. Who carries the bytes is the caller's business.
   *
   * @param send takes bytes for the debugger
   * @throws {OptionError} `OPTION_DEBUGGER` while another session lasts
   * @example
   * const session = vm.attachDebugger((bytes) => socket.write(bytes));
   * socket.on("data", (bytes) => session.receive(bytes));
   */
  attachDebugger(send: (bytes: Uint8Array) => void): DebuggerSession {
    if (this.debugger !== undefined) throw new OptionError("OPTION_DEBUGGER", "a debugger is attached already; let it detach first");
    const stub = (this.debugger = new GdbStub(this, send));
    return {
      receive: (bytes) => stub.receive(bytes),
      [Symbol.dispose]: () => {
        stub[Symbol.dispose]();
        if (this.debugger === stub) this.debugger = undefined;
      },
    };
  }

  /** A line for each page in the TLB. */
  tlb(): string[] {
    const lines: string[] = [];
    this.machine.cpu.mmu.tlb.forEach(({ view, linear, host, write, execute, global, pageShift }) => {
      const flags = `${view === 0 ? "s" : "u"}${write ? "w" : "-"}${execute ? "x" : "-"}${global ? "g" : "-"}`;
      lines.push(`${(linear >>> 0).toString(16).padStart(8, "0")} -> machine ${host.toString(16).padStart(8, "0")} ${flags} ${2 ** (pageShift - 10)}K`);
    });
    return lines;
  }

  /** Presses or releases a key, named as in `KeyboardEvent.code`; false when the keyboard has no such key, or no room. */
  key(code: string, down: boolean): boolean {
    const known = this.machine.chipset.keyboard.key(code, down);
    this.machine.wake();
    return known;
  }

  /** Presses keys held together, such as `ctrl-alt-delete`; false when a name is unknown. */
  sendKey(keys: string): boolean {
    const names = keys.split("-").map(keyName);
    const { keyboard } = this.machine.chipset;
    const known = names.every((name) => keyboard.key(name, true));
    for (const name of names.reverse()) keyboard.key(name, false);
    this.machine.wake();
    return known;
  }
}

/**
 * Makes a machine. It does not run before `run` is called.
 *
 * @throws {OptionError} when the options do not fit together, {@link FirmwareError} when what is to boot cannot be used,
 * {@link MemoryError} when the host has not enough memory, {@link PersistError} or {@link MachineError} for a saved machine that is damaged.
 * @example
 * const vm = await createVm({ guest: "embedded", memory: 16 << 20 });
 * const end = vm.run();
 * await vm.console.waitFor("doppel> ");
 * vm.console.type("poweroff\n");
 * (await end).kind; // "power-off"
 */
export async function createVm(options: VmOptions): Promise<Vm> {
  return new Vm(options, await Promise.all((options.plugins ?? []).map(loadPlugin)));
}

async function loadPlugin(plugin: Plugin | PluginModule): Promise<Plugin> {
  if (typeof plugin !== "string") return plugin;
  const refuse = (why: string): OptionError => new OptionError("OPTION_PLUGIN", `the plugin ${plugin} could not be loaded: ${why}`);
  const module = await import(/* @vite-ignore */ /* webpackIgnore: true */ plugin).catch((error: Error) => {
    throw refuse(error.message);
  }) as { default?: Partial<Plugin> };
  if (typeof module.default?.attach !== "function") throw refuse("its default export has no method attach");
  return module.default as Plugin;
}
