/**
 * One PC: memory, CPU and chipset on one clock, started by a boot protocol or a BIOS, run until the guest or the host ends it,
 * saved and restored as a whole.
 *
 *   arena:  [hot state][TLB][jump cache][records][machine frames: RAM, shadow RAM, ROM]
 */
import { Clock, CountTime, HostTime } from "@doppel/clock";
import { type Bus, CPU_MODELS, type Cpu, type Interpreter, type Multiprocessor } from "@doppel/cpu";
import { PcChipset, type SerialBackend } from "@doppel/devices";
import { acpiFwCfgFiles, type EntryState, type LinuxEntry, installTables, layoutMemory, loadLinux, loadMultiboot } from "@doppel/firmware";
import { Arena, Frames, PAGE_SIZE } from "@doppel/memory";
import { CPUID_1_EDX_SSE } from "@doppel/x86";
import { enterState } from "./entry.ts";
import { MachineError } from "./errors.ts";
import { GuestBus } from "./guest-bus.ts";
import { HostPace } from "./host-pace.ts";
import { Explainer, type ModuleCompiler, RegionCounts, type RegionSummary, type TranslationUnit, Translator, type TranslatorCounters } from "@doppel/translator";
import { hostFeatures, type WasmFeatures } from "@doppel/wasm";
import { CPU_NAMES, type CpuName, DEFAULT_CPU, PLAIN_CPU } from "./cpu-name.ts";
import { DEFAULT_ENGINE, type EngineName } from "./engine-name.ts";
import { hashMachine, restoreMachine, saveMachine } from "./machine-state.ts";
import { framesFor, mapSize, PcMemory } from "./pc-memory.ts";
import { joinChipset, makeProcessors, regionsSize, reserveRegions } from "./processors.ts";
import { type Hooks, Observers } from "./observers.ts";
import { RunLoop } from "./run-loop.ts";

/** Why a run ended. */
export type Stop =
  | { readonly kind: "power-off" }
  | { readonly kind: "debug-exit"; readonly value: number }
  | { readonly kind: "reset" }
  | { readonly kind: "triple-fault" }
  | { readonly kind: "stopped" }
  | { readonly kind: "breakpoint" }
  | { readonly kind: "host-fault"; readonly error: Error };

/** What is booted: nothing (only a BIOS image, or a restored state), a Linux kernel, or a multiboot kernel. */
export interface BootSource {
  readonly kernel?: { readonly kernel: Uint8Array; readonly initrd?: Uint8Array; readonly append?: string; readonly entry?: LinuxEntry };
  readonly multiboot?: { readonly image: Uint8Array; readonly modules?: readonly { data: Uint8Array; args: string }[]; readonly append?: string };
  readonly bios?: Uint8Array;
  /** The display's option ROM, which a BIOS finds through fw_cfg (`vgaroms/`); without one its texts go to the debug port only. */
  readonly vgaBios?: Uint8Array;
}


/** What a machine is made of. */
export interface MachineOptions extends BootSource {
  /** Bytes of RAM. */
  readonly memory: number;
  /** Time is the instruction count: two runs with the same input are the same to the last bit. */
  readonly deterministic?: boolean;
  /** Number of vCPUs, 1 to 8; 1 when absent. */
  readonly cpus?: number;
  /** The processor model; {@link DEFAULT_CPU} when absent. */
  readonly cpu?: CpuName;
  /** How instructions are executed; {@link DEFAULT_ENGINE} when absent. What a guest sees is the same, to the last bit in deterministic time. */
  readonly engine?: EngineName;
  /** Executions of a block of code before it is translated: 0 translates every block as soon as it is decoded. For tests; the translator's own number when absent. */
  readonly hotThreshold?: number;
  /** Compiles hot code beside the machine's thread, which does it by itself when absent. */
  readonly compiler?: ModuleCompiler | undefined;
  /** The translator's fragments count what happens in them from the beginning, as after `countCode(true)`. */
  readonly explain?: boolean;
  /** What of the host's WebAssembly may be used; what it has, when absent. */
  readonly features?: Partial<WasmFeatures>;
  /** Back ends of COM1 to COM4. */
  readonly serial?: readonly (SerialBackend | undefined)[];
  /** The `isa-debug-exit` port. */
  readonly debugExit?: boolean;
  /** End with "reset" or "triple-fault" instead of starting anew. */
  readonly noReboot?: boolean;
  /** Bytes written to the debug ports E9h and 402h. */
  readonly debugOutput?: (byte: number) => void;
  /** Seconds since 1970 when the machine starts; the host's clock when absent, and a fixed date in deterministic mode. */
  readonly wallClock?: number;
}

/** Counters of a machine, for people and for `--json`. */
export interface Stats {
  readonly instructions: number;
  /** Milliseconds that the run loop was active. */
  readonly milliseconds: number;
  /** Million instructions per second of activity. */
  readonly mips: number;
  readonly exits: { readonly portReads: number; readonly portWrites: number; readonly mmioReads: number; readonly mmioWrites: number; readonly lookups: number; readonly visits: number };
  /** Exceptions and interrupts delivered, by vector, where there were any. */
  readonly exceptions: Readonly<Record<string, number>>;
  readonly interrupts: Readonly<Record<string, number>>;
  readonly tlb: { readonly fills: number };
  readonly code: { readonly decoded: number; readonly invalidated: number };
  /** Regions that the translator made, instructions in them, regions dropped because their code was written, and modules compiled. */
  readonly translator: TranslatorCounters;
  /** Bytes of host memory: the arena's size, and the frames in use. */
  readonly memory: { readonly arena: number; readonly frames: number };
}

/** Where most instructions retired. */
export interface Hotspots {
  /** Instructions that the machine has retired since it counts what happens in regions; undefined while it does not. */
  readonly counted: number | undefined;
  /** The regions in use: those first in which most instructions retired, or, while nothing counts, those that ran last. */
  readonly regions: readonly RegionSummary[];
}

const SLACK = 2 << 20;
/** Bytes for the counters of each translator's regions: address space only, until they count. */
const COUNTS_SIZE = 4 << 20;
/** As many as there are observers of frames. */
const MOST_CPUS = 8;
/** 2023-06-10, the day Debian 12 was released: where deterministic time begins. */
const FIXED_EPOCH = 1_686_355_200;
const FOUR_GIB = 0x1_0000_0000;

/** A PC. */
export class VirtualMachine {
  /** All vCPUs, which take turns. */
  readonly processors: Multiprocessor;
  /** The boot processor. */
  readonly cpu: Cpu;
  /** What executes the boot processor's instructions. */
  readonly engine: Interpreter;
  private readonly translators: readonly Translator[];
  /** Of each translator. */
  private readonly counts: readonly RegionCounts[];
  /** Instructions retired when the counts began. */
  private countedFrom: number | undefined;
  readonly chipset: PcChipset;
  readonly clock: Clock;
  readonly memory: PcMemory;
  readonly options: MachineOptions;
  /** The machine frames that its memory is in. */
  readonly frames: Frames;
  private readonly bus: GuestBus;
  private readonly observers: Observers;
  private readonly loop: RunLoop;
  private readonly counted: CountTime | undefined;
  private readonly now: () => number;
  private stop: Stop | undefined;
  private resetPending = false;
  private active = 0;
  private activeSince: number | undefined;
  private running = false;

  /**
   * Makes the machine and loads what it boots.
   * @throws {FirmwareError} when kernel, initrd or BIOS cannot be used @throws {MemoryError} when the host has not enough memory
   */
  constructor(options: MachineOptions) {
    this.options = options;
    // A host may make the global's value anew each time that it is asked for.
    const clock = performance;
    this.now = () => clock.now();
    const layout = layoutMemory(options.memory);
    const cpus = options.cpus ?? 1;
    if (!Number.isInteger(cpus) || cpus < 1 || cpus > MOST_CPUS) {
      throw new MachineError("MACHINE_CPUS", `a machine has 1 to ${MOST_CPUS} CPUs, not ${cpus}`);
    }
    if (options.cpu !== undefined && CPU_MODELS[options.cpu] === undefined) {
      throw new MachineError("MACHINE_CPU", `there is no CPU model ${String(options.cpu)}; choose one of ${CPU_NAMES.join(", ")}`);
    }
    const features = { ...hostFeatures(), ...options.features };
    if (!features.simd && CPU_MODELS[options.cpu ?? DEFAULT_CPU].features.edx & CPUID_1_EDX_SSE) {
      throw new MachineError("MACHINE_SIMD", `this host's WebAssembly has no SIMD, which the SSE of a ${options.cpu ?? DEFAULT_CPU} processor needs; `
        + `choose the model ${PLAIN_CPU}, which runs 32-bit systems, or a newer browser`);
    }
    const biosSize = options.bios === undefined ? 0 : 2 * options.bios.length;
    const frameCount = framesFor(options.memory, biosSize);
    const translates = (options.engine ?? DEFAULT_ENGINE) === "auto";
    const arena = new Arena(frameCount * PAGE_SIZE + mapSize(options.memory) + regionsSize(cpus) + (translates ? cpus * COUNTS_SIZE : 0) + SLACK);
    const regions = reserveRegions(arena, cpus);
    this.counts = translates ? regions.map(() => new RegionCounts(arena.memory, arena.reserve(COUNTS_SIZE), COUNTS_SIZE)) : [];
    this.frames = new Frames(arena, frameCount);
    this.memory = new PcMemory(this.frames, options.memory);
    // Parts ask for the time while they are made: until then it is 0.
    const late: { bus?: Bus; time?: CountTime } = {};
    const counted = options.deterministic === true ? new CountTime(() => this.processors.count) : undefined;
    this.counted = counted;
    this.clock = new Clock(counted === undefined ? new HostTime(this.now) : { now: () => late.time?.now() ?? 0 });
    this.processors = makeProcessors(regions, {
      frames: this.frames, physical: this.memory.map, model: CPU_MODELS[options.cpu ?? DEFAULT_CPU], timestamp: () => this.clock.now(),
      ...(counted === undefined ? { entropy: () => crypto.getRandomValues(new Uint32Array(1))[0]! } : {}),
      bus: {
        readPort: (port, size) => late.bus!.readPort(port, size), writePort: (port, size, value) => late.bus!.writePort(port, size, value),
        readMmio: (at, size) => late.bus!.readMmio(at, size), writeMmio: (at, size, value) => late.bus!.writeMmio(at, size, value),
      },
      selected: (index) => this.chipset.selectCpu(index),
    });
    this.translators = translates ? this.processors.processors.map(({ engine }) => new Translator({
      engine, memory: arena.memory, tailCalls: features.tailCalls, compiler: options.compiler, ...(options.hotThreshold === undefined ? {} : { threshold: options.hotThreshold }),
    })) : [];
    if (options.explain === true) this.countCode(true);
    if (counted !== undefined) late.time = counted;
    ({ cpu: this.cpu, engine: this.engine } = this.processors.processors[0]!);
    this.chipset = new PcChipset({
      clock: this.clock, memory: this.memory.map, memorySize: { below4G: layout.lowEnd, above4G: layout.highEnd - FOUR_GIB }, cpus,
      wallClock: options.wallClock ?? (options.deterministic === true ? FIXED_EPOCH : Math.floor((performance.timeOrigin + performance.now()) / 1000)),
      tscOffset: (n) => this.processors.processors[n]!.cpu.msr.tscOffset, serial: options.serial ?? [], debugExit: options.debugExit ?? false,
      host: {
        reset: () => this.requestReset(),
        powerOff: () => this.end({ kind: "power-off" }),
        setA20: (open) => this.setA20(open),
        interrupt: (n) => this.processors.attend(n),
        cpuEvents: (n) => ({
          nmi: () => {
            this.processors.processors[n]!.engine.nmiPending = true;
            this.processors.attend(n);
          },
          init: () => {
            if (n === 0) return this.requestReset();
            this.processors.init(n);
            this.chipset.kvmClock.resetCpu(n);
          },
          sipi: (page) => this.processors.startUp(n, page),
          smi: () => {},
        }),
        debugExit: (value) => this.end({ kind: "debug-exit", value }),
        debugOutput: (byte) => options.debugOutput?.(byte),
        shadow: (ranges) => {
          this.memory.apply(ranges);
          for (const { cpu } of this.processors.processors) cpu.mmu.tlb.flush();
        },
      },
    });
    joinChipset(this.processors, this.chipset);
    this.bus = late.bus = new GuestBus(this.chipset, this.memory);
    this.observers = new Observers(this.processors, this.bus, (bus) => (late.bus = bus));
    this.loop = new RunLoop(this.processors, this.clock, this.counted, new HostPace(), this.now);
    if (options.bios !== undefined) {
      this.memory.addBios(options.bios);
      const files = acpiFwCfgFiles({ pciMemory: layout.lowEnd, cpus, serialPorts: 2 });
      if (options.vgaBios !== undefined) files["vgaroms/vgabios.bin"] = options.vgaBios;
      for (const [name, bytes] of Object.entries(files)) this.chipset.fwCfg.addFile(name, bytes);
    }
    this.boot();
  }

  private setA20(open: boolean): void {
    for (const { cpu } of this.processors.processors) cpu.mmu.setA20(open);
  }

  /** Loads kernel and tables and puts the CPU where the boot protocol says; with a BIOS the CPU starts at the reset vector. */
  private boot(): void {
    const { kernel, multiboot, memory } = this.options;
    const write = (physical: number, bytes: Uint8Array): void => this.memory.map.load(physical, bytes);
    let entry: EntryState | undefined;
    if (kernel !== undefined || multiboot !== undefined) {
      this.chipset.presetAsFirmware();
      this.setA20(true);
      for (const { cpu } of this.processors.processors) cpu.msr.presetMemoryTypes();
      const { rsdp } = installTables({ memorySize: memory, cpus: this.processors.processors.length, write });
      if (kernel !== undefined) {
        entry = loadLinux({
          kernel: kernel.kernel, ...(kernel.initrd === undefined ? {} : { initrd: kernel.initrd }), commandLine: kernel.append ?? "",
          ...(kernel.entry === undefined ? {} : { entry: kernel.entry }), memorySize: memory, rsdp, write,
        });
      } else if (multiboot !== undefined) {
        entry = loadMultiboot({
          image: multiboot.image, modules: multiboot.modules ?? [], commandLine: multiboot.append ?? "", memorySize: memory, write,
        });
      }
    }
    if (entry?.mode === "long" && !this.cpu.hasFeature("LM")) {
      throw new MachineError("MACHINE_CPU", `a ${this.options.cpu ?? DEFAULT_CPU} processor has no 64-bit mode to enter the kernel in; choose another model`);
    }
    if (entry !== undefined) enterState(this.cpu, entry);
  }

  private end(stop: Stop): void {
    this.stop ??= stop;
    this.loop.end();
  }

  private requestReset(): void {
    if (this.options.noReboot === true) return this.end({ kind: "reset" });
    this.resetPending = true;
    this.loop.end();
  }

  /** Power-on state again, and the boot once more. */
  reset(): void {
    this.processors.reset();
    this.chipset.reset();
    this.boot();
  }

  /** Runs until the guest or `requestStop` ends it. Never rejects: a fault of our own is a `Stop`. */
  async run(): Promise<Stop> {
    this.stop = undefined;
    this.running = true;
    try {
      for (;;) {
        this.activeSince = this.now();
        const exit = await this.loop.run();
        this.rest();
        if (this.stop !== undefined) return this.stop;
        if (exit.reason === "breakpoint") return { kind: "breakpoint" };
        if (exit.reason === "shutdown" && this.options.noReboot === true) return { kind: "triple-fault" };
        if (exit.reason === "shutdown" || this.resetPending) {
          this.resetPending = false;
          this.reset();
        }
      }
    } catch (error) {
      return { kind: "host-fault", error: error instanceof Error ? error : new Error(String(error)) };
    } finally {
      this.rest();
      this.running = false;
    }
  }

  /** Ends `run` at the next instruction boundary with "stopped". */
  requestStop(): void {
    this.end({ kind: "stopped" });
  }

  /** Whether `run` is active. */
  get isRunning(): boolean {
    return this.running;
  }

  /** Lets a sleeping run loop look for work: input has come. */
  wake(): void {
    this.loop.wake();
  }

  /**
   * Runs exactly `count` instructions; for deterministic machines, debuggers and tests.
   * @throws {MachineError} `MACHINE_NOT_DETERMINISTIC` in a machine whose time is the host's
   */
  runExactly(count: number): Stop {
    if (this.counted === undefined) throw new MachineError("MACHINE_NOT_DETERMINISTIC", "an exact run needs a machine made with `deterministic`");
    this.stop = undefined;
    const exit = this.loop.runCounted(this.counted, count);
    if (this.stop !== undefined) return this.stop;
    return exit.reason === "shutdown" ? { kind: "triple-fault" } : exit.reason === "breakpoint" ? { kind: "breakpoint" } : { kind: "stopped" };
  }

  /** Executes one instruction, whatever the machine's time; timers that are due fire first. */
  step(): void {
    this.clock.runDue();
    this.processors.step();
  }

  /** The whole machine as bytes. The machine goes on exactly as one restored from them would. */
  save(): Uint8Array {
    return saveMachine(this);
  }

  /**
   * Puts a saved state into this machine, which must have been made with the same options.
   * @throws {PersistError} when the bytes are damaged @throws {MachineError} `MACHINE_STATE` when they are of another kind of machine
   */
  restore(bytes: Uint8Array): void {
    restoreMachine(this, bytes);
    this.setA20(this.chipset.a20);
    this.chipset.selectCpu(this.processors.current);
  }

  /**
   * Lets hooks watch blocks, accesses of memory or accesses of devices, from the next instruction boundary on, until the result is disposed of. They
   * cost nothing where none is: code is made anew for them. While blocks or memory are watched, everything is interpreted.
   */
  observe(hooks: Hooks): Disposable {
    return this.observers.add(hooks);
  }

  /** Hash over architectural state, devices and RAM; no caches. Flushes the TLB, as a save does. */
  stateHash(): string {
    return hashMachine(this);
  }

  /**
   * What the translator makes of code: of a linear address, as the CPU sees it whose turn it is, or of the `top` units in which most
   * instructions retired, which needs a machine that counts.
   * @throws {MachineError} `MACHINE_EXPLAIN` in a machine without a translator, or without figures where they are asked for
   * @throws {ExplainError} where there is no code to explain at an address
   */
  explain(what: { readonly at: number } | { readonly top: number }): TranslationUnit[] {
    const explainers = this.explainers();
    if ("at" in what) return [(explainers.find((one) => one.isRegion(what.at)) ?? explainers[0]!).at(what.at)];
    if (this.countedFrom === undefined) throw new MachineError("MACHINE_EXPLAIN", "which code is hottest is known in a machine made with `explain: true`, or behind `countCode(true)`");
    return explainers.flatMap((one) => one.hottest(what.top)).sort((a, b) => b.retired! - a.retired!).slice(0, what.top);
  }

  /**
   * The regions in use, at most `top` of them, without their code; of those that begin at the same address, in several address spaces or on several CPUs, the first.
   * @throws {MachineError} `MACHINE_EXPLAIN` in a machine without a translator
   */
  hotspots(top: number): Hotspots {
    const all = this.explainers().flatMap((one) => one.regions());
    if (this.countedFrom !== undefined) all.sort((a, b) => b.retired! - a.retired!);
    const seen = new Set<string>();
    const regions = all.filter(({ address }) => !seen.has(address) && seen.add(address)).slice(0, top);
    return { counted: this.countedFrom === undefined ? undefined : this.processors.retired - this.countedFrom, regions };
  }

  /** Of all translators, that of the CPU whose turn it is first. */
  private explainers(): Explainer[] {
    const current = this.translators[this.processors.current];
    if (current === undefined) throw new MachineError("MACHINE_EXPLAIN", "only a machine with a translator can explain code; make it with `engine: \"auto\"`");
    return [current, ...this.translators.filter((one) => one !== current)].map((one) => new Explainer(one));
  }

  /**
   * Has the translator's fragments count what happens in them, so that `explain` and `hotspots` have figures, or no longer. The fragments that are there go, and are made anew
   * when their code is met: larger and slower ones, while they count. A machine that never counted has no code for it.
   */
  countCode(on: boolean): void {
    if (on === (this.countedFrom !== undefined)) return;
    for (const [n, translator] of this.translators.entries()) translator.setCounts(on ? this.counts[n] : undefined);
    this.countedFrom = on ? this.processors.retired : undefined;
  }

  /** Lets the figures of `explain` count from now on. */
  clearCounts(): void {
    for (const counts of this.counts) counts.clear();
    if (this.countedFrom !== undefined) this.countedFrom = this.processors.retired;
  }

  private rest(): void {
    this.active = this.activity();
    this.activeSince = undefined;
  }

  /** Milliseconds that the run loop was active, up to now. */
  private activity(): number {
    return this.active + (this.activeSince === undefined ? 0 : this.now() - this.activeSince);
  }

  /** Counters since the machine was made. */
  stats(): Stats {
    const engines = this.processors.processors.map(({ engine }) => engine);
    const sum = (of: (engine: Interpreter) => number): number => engines.reduce((total, engine) => total + of(engine), 0);
    const translated = (name: keyof TranslatorCounters): number => this.translators.reduce((total, { counters }) => total + counters[name], 0);
    const byVector = (of: (engine: Interpreter) => Float64Array): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 256 }, (_, vector) => [vector.toString(), sum((engine) => of(engine)[vector]!)] as const).filter(([, count]) => count > 0));
    const instructions = this.processors.retired;
    const milliseconds = this.activity();
    return {
      instructions, milliseconds, mips: milliseconds > 0 ? instructions / milliseconds / 1000 : 0,
      exits: { ...this.bus.counts, lookups: sum(({ counters }) => counters.lookups), visits: sum(({ counters }) => counters.visits) },
      exceptions: byVector(({ counters }) => counters.exceptions), interrupts: byVector(({ counters }) => counters.interrupts),
      tlb: { fills: sum(({ cpu }) => cpu.mmu.tlb.fills) },
      translator: {
        regions: translated("regions"), instructions: translated("instructions"), dropped: translated("dropped"), modules: translated("modules"),
      },
      code: { decoded: sum(({ code }) => code.decoded), invalidated: sum(({ code }) => code.invalidated) },
      memory: { arena: this.frames.arena.size, frames: this.frames.inUse * PAGE_SIZE },
    };
  }

  /** Whether every CPU waits for an interrupt. */
  get isHalted(): boolean {
    return this.processors.isHalted;
  }

  /** Whether a CPU executes instructions. */
  get isActive(): boolean {
    return this.processors.isActive;
  }
}
