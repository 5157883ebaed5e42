/**
 * One PC: memory, CPU and chipset on one clock, started by a boot protocol or a BIOS, run until the guest or the host ends it,
 * saved and restored as a whole.
 *
 *   arena:  [hot state][TLB][jump cache][records][machine frames: RAM, shadow RAM, ROM]
 */
import { Clock, CountTime, HostTime } from "@doppel/clock";
import { ACTIVE, Cpu, HALTED, Interpreter, MODEL_I686 } from "@doppel/cpu";
import { PcChipset, type PcChipsetState, type SerialBackend } from "@doppel/devices";
import { acpiFwCfgFiles, type EntryState, installTables, layoutMemory, loadLinux, loadMultiboot } from "@doppel/firmware";
import { Arena, Frames, PAGE_SIZE } from "@doppel/memory";
import { TLB_SIZE } from "@doppel/mmu";
import { decode, encode, type PersistValue } from "@doppel/persist";
import { enterState } from "./entry.ts";
import { MachineError } from "./errors.ts";
import { GuestBus } from "./guest-bus.ts";
import { HostPace } from "./host-pace.ts";
import { framesFor, PcMemory } from "./pc-memory.ts";
import { RunLoop } from "./run-loop.ts";
import { StateHash } from "./state-hash.ts";

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
  readonly kernel?: { readonly kernel: Uint8Array; readonly initrd?: Uint8Array; readonly append?: string };
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
  /** Bytes of host memory: the arena's size, and the frames in use. */
  readonly memory: { readonly arena: number; readonly frames: number };
}

const RECORDS_SIZE = 48 << 20;
const SLACK = 1 << 20;
/** 2023-06-10, the day Debian 12 was released: where deterministic time begins. */
const FIXED_EPOCH = 1_686_355_200;
const FOUR_GIB = 0x1_0000_0000;
const FORMAT = "doppel-machine";
const VERSION = 1;

/** A PC with one CPU. */
export class VirtualMachine {
  readonly cpu: Cpu;
  readonly engine: Interpreter;
  readonly chipset: PcChipset;
  readonly clock: Clock;
  readonly memory: PcMemory;
  readonly options: MachineOptions;
  private readonly frames: Frames;
  private readonly bus: GuestBus;
  private readonly loop: RunLoop;
  private readonly counted: CountTime | undefined;
  private readonly now: () => number;
  private stop: Stop | undefined;
  private resetPending = false;
  private active = 0;
  private running = false;

  /**
   * Makes the machine and loads what it boots.
   * @throws {FirmwareError} when kernel, initrd or BIOS cannot be used @throws {MemoryError} when the host has not enough memory
   */
  constructor(options: MachineOptions) {
    this.options = options;
    this.now = () => performance.now();
    const layout = layoutMemory(options.memory);
    const biosSize = options.bios === undefined ? 0 : 2 * options.bios.length;
    const frameCount = framesFor(options.memory, biosSize);
    const arena = new Arena(frameCount * PAGE_SIZE + RECORDS_SIZE + TLB_SIZE + SLACK);
    arena.reserve(PAGE_SIZE);
    const tlbBase = arena.reserve(TLB_SIZE);
    const bus: { current: GuestBus | undefined } = { current: undefined };
    // Frames come last in the arena, so the engine's regions are reserved before them.
    const records = arena.reserve(RECORDS_SIZE + SLACK / 2);
    this.frames = new Frames(arena, frameCount);
    this.memory = new PcMemory(this.frames, options.memory);
    this.counted = options.deterministic === true ? new CountTime(() => this.engine.count) : undefined;
    let early = true;
    this.clock = new Clock(this.counted === undefined ? new HostTime(this.now) : { now: () => (early ? 0 : this.counted!.now()) });
    this.cpu = new Cpu({
      buffer: arena.buffer, tlbBase, physical: this.memory.map, model: MODEL_I686, timestamp: () => this.clock.now(),
      bus: {
        readPort: (port, size) => bus.current!.readPort(port, size), writePort: (port, size, value) => bus.current!.writePort(port, size, value),
        readMmio: (at, size) => bus.current!.readMmio(at, size), writeMmio: (at, size, value) => bus.current!.writeMmio(at, size, value),
      },
    });
    this.engine = new Interpreter({
      cpu: this.cpu, frames: this.frames, region: { base: records, size: RECORDS_SIZE + SLACK / 2 },
    });
    early = false;
    this.chipset = new PcChipset({
      clock: this.clock, memory: this.memory.map, memorySize: { below4G: layout.lowEnd, above4G: layout.highEnd - FOUR_GIB },
      wallClock: options.wallClock ?? (options.deterministic === true ? FIXED_EPOCH : Math.floor((performance.timeOrigin + performance.now()) / 1000)),
      serial: options.serial ?? [], debugExit: options.debugExit ?? false,
      host: {
        reset: () => this.requestReset(),
        powerOff: () => this.end({ kind: "power-off" }),
        setA20: (open) => this.cpu.mmu.setA20(open),
        interrupt: () => this.engine.attend(),
        cpuEvents: () => ({
          nmi: () => { this.engine.nmiPending = true; this.engine.attend(); },
          init: () => this.requestReset(),
          sipi: () => {},
          smi: () => {},
        }),
        debugExit: (value) => this.end({ kind: "debug-exit", value }),
        debugOutput: (byte) => options.debugOutput?.(byte),
        shadow: (ranges) => {
          this.memory.apply(ranges);
          this.cpu.mmu.tlb.flush();
        },
      },
    });
    this.cpu.onFpuError = () => this.chipset.raiseNumericError();
    this.engine.interrupts = this.chipset.interrupts(0);
    this.joinApic();
    this.bus = bus.current = new GuestBus(this.chipset, this.memory, () => this.loop.timersChanged());
    this.loop = new RunLoop(this.engine, this.clock, this.counted, new HostPace(), this.now);
    if (options.bios !== undefined) {
      this.memory.addBios(options.bios);
      const files = acpiFwCfgFiles({ pciMemory: layout.lowEnd, cpus: 1, serialPorts: 2 });
      if (options.vgaBios !== undefined) files["vgaroms/vgabios.bin"] = options.vgaBios;
      for (const [name, bytes] of Object.entries(files)) this.chipset.fwCfg.addFile(name, bytes);
    }
    this.boot();
  }

  /** IA32_APIC_BASE and IA32_TSC_DEADLINE are registers of the local APIC. */
  private joinApic(): void {
    const apic = this.chipset.apics[0];
    if (apic === undefined) return;
    const { msr } = this.cpu;
    msr.foreign.set(0x6e0, {
      read: () => apic.tscDeadline,
      write: (low, high) => (apic.setTscDeadline(high >>> 0, low >>> 0), true),
    });
    msr.onApicBase = (low, high) => apic.setBase(high, low);
  }

  /** Loads kernel and tables and puts the CPU where the boot protocol says; with a BIOS the CPU starts at the reset vector. */
  private boot(): void {
    const { kernel, multiboot, memory } = this.options;
    const write = (physical: number, bytes: Uint8Array): void => this.memory.map.load(physical, bytes);
    let entry: EntryState | undefined;
    if (kernel !== undefined || multiboot !== undefined) {
      this.chipset.presetAsFirmware();
      this.cpu.mmu.setA20(true);
      this.cpu.msr.presetMemoryTypes();
      const { rsdp } = installTables({ memorySize: memory, write });
      if (kernel !== undefined) {
        entry = loadLinux({
          kernel: kernel.kernel, ...(kernel.initrd === undefined ? {} : { initrd: kernel.initrd }), commandLine: kernel.append ?? "",
          memorySize: memory, rsdp, write,
        });
      } else if (multiboot !== undefined) {
        entry = loadMultiboot({
          image: multiboot.image, modules: multiboot.modules ?? [], commandLine: multiboot.append ?? "", memorySize: memory, write,
        });
      }
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
    this.cpu.reset();
    this.engine.reset();
    this.chipset.reset();
    this.boot();
  }

  /** Runs until the guest or `requestStop` ends it. Never rejects: a fault of our own is a `Stop`. */
  async run(): Promise<Stop> {
    this.stop = undefined;
    this.running = true;
    try {
      for (;;) {
        const start = this.now();
        const exit = await this.loop.run();
        this.active += this.now() - start;
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
    this.engine.run(1);
  }

  /** The whole machine as bytes. The machine goes on exactly as one restored from them would. */
  save(): Uint8Array {
    const ram: Uint8Array[] = [];
    // Frames of one run of addresses are saved as one array, which the codec stores without its zeros.
    let from = -1;
    let last = -1;
    const flush = (): void => {
      if (from >= 0) ram.push(this.frames.arena.u8.subarray(from * PAGE_SIZE, (last + 1) * PAGE_SIZE));
    };
    for (const frame of this.memory.ramFrames()) {
      if (frame !== last + 1) {
        flush();
        from = frame;
      }
      last = frame;
    }
    flush();
    return encode({ ...this.architecture(), ram });
  }

  /** Everything but RAM. */
  private architecture(): Record<string, PersistValue> {
    const { memory, deterministic, debugExit } = this.options;
    // Caches are forgotten on this side too, so that both machines fill them alike.
    this.cpu.mmu.tlb.flush();
    return {
      format: FORMAT, version: VERSION, memory, deterministic: deterministic === true, debugExit: debugExit === true,
      serial: (this.options.serial ?? []).map((backend) => backend !== undefined),
      retired: this.engine.retired, nmiPending: this.engine.nmiPending,
      clock: { now: this.clock.now(), paused: false }, cpu: this.cpu.save() as unknown as PersistValue, chipset: this.chipset.save() as unknown as PersistValue,
    };
  }

  /**
   * Puts a saved state into this machine, which must have been made with the same options.
   * @throws {PersistError} when the bytes are damaged @throws {MachineError} `MACHINE_STATE` when they are of another kind of machine
   */
  restore(bytes: Uint8Array): void {
    const state = decode(bytes) as Record<string, PersistValue>;
    if (typeof state !== "object" || state === null || state["format"] !== FORMAT || state["version"] !== VERSION) {
      throw new MachineError("MACHINE_STATE", "these bytes are no saved machine of this version; save it again with this version of Doppel");
    }
    for (const key of ["memory", "deterministic", "debugExit"] as const) {
      const own = key === "memory" ? this.options.memory : this.options[key] === true;
      if (state[key] !== own) throw new MachineError("MACHINE_STATE", `the saved machine has ${key} ${String(state[key])}, this one ${String(own)}; make it with the same options`);
    }
    const frames = [...this.memory.ramFrames()];
    const ram = state["ram"] as readonly Uint8Array[];
    if (!Array.isArray(ram) || ram.reduce((sum: number, piece: Uint8Array) => sum + (piece?.length ?? NaN), 0) !== frames.length * PAGE_SIZE) {
      throw new MachineError("MACHINE_STATE", "the saved machine's memory is incomplete; the file is damaged");
    }
    this.engine.reset();
    let n = 0;
    for (const piece of ram) {
      for (let at = 0; at < piece.length; at += PAGE_SIZE) {
        this.frames.arena.u8.set(piece.subarray(at, at + PAGE_SIZE), this.frames.address(frames[n++]!));
      }
    }
    this.engine.retired = state["retired"] as number;
    this.clock.restore(state["clock"] as unknown as ReturnType<Clock["save"]>);
    this.cpu.restore(state["cpu"] as unknown as ReturnType<Cpu["save"]>);
    this.chipset.restore(state["chipset"] as unknown as PcChipsetState);
    this.engine.nmiPending = state["nmiPending"] === true;
    this.cpu.mmu.setA20(this.chipset.a20);
  }

  /** What a deterministic save file says about a machine: needed to make one that it fits. */
  static optionsOf(bytes: Uint8Array): { memory: number; deterministic: boolean; debugExit: boolean; serial: boolean[] } {
    const state = decode(bytes) as Record<string, PersistValue>;
    if (typeof state !== "object" || state === null || state["format"] !== FORMAT) {
      throw new MachineError("MACHINE_STATE", "these bytes are no saved machine");
    }
    return {
      memory: Number(state["memory"]), deterministic: state["deterministic"] === true, debugExit: state["debugExit"] === true,
      serial: Array.isArray(state["serial"]) ? state["serial"].map((one) => one === true) : [],
    };
  }

  /** Hash over architectural state, devices and RAM; no caches. Flushes the TLB, as a save does. */
  stateHash(): string {
    const hash = new StateHash();
    hash.add(encode(this.architecture()));
    for (const frame of this.memory.ramFrames()) hash.add(this.frames.arena.u8.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE));
    return hash.digest();
  }

  /** Counters since the machine was made. */
  stats(): Stats {
    const named = (counts: Float64Array): Record<string, number> =>
      Object.fromEntries([...counts].map((count, vector) => [vector.toString(), count] as const).filter(([, count]) => count > 0));
    const { counters, code } = this.engine;
    return {
      instructions: this.engine.retired, milliseconds: this.active, mips: this.active > 0 ? this.engine.retired / this.active / 1000 : 0,
      exits: { ...this.bus.counts, lookups: counters.lookups, visits: counters.visits },
      exceptions: named(counters.exceptions), interrupts: named(counters.interrupts),
      tlb: { fills: this.cpu.mmu.tlb.fills }, code: { decoded: code.decoded, invalidated: code.invalidated },
      memory: { arena: this.frames.arena.size, frames: this.frames.inUse * PAGE_SIZE },
    };
  }

  /** Whether the CPU waits for an interrupt. */
  get isHalted(): boolean {
    return this.cpu.activity === HALTED;
  }

  /** Whether the CPU executes instructions. */
  get isActive(): boolean {
    return this.cpu.activity === ACTIVE;
  }
}
