/**
 * Who watches a machine: basic blocks, accesses of data, accesses of devices. Hooks see precise state, that in front of the block or of the
 * instruction which accesses; they may look at everything and end the run, but change nothing. While nobody watches, no code is there for it.
 */
import { type Bus, layout, type Multiprocessor, type Observer } from "@doppel/cpu";

const { CS } = layout;

/** Where a processor stands. */
export interface Moment {
  /** Index of the vCPU. */
  readonly cpu: number;
  /** Instructions that the machine has retired before. */
  readonly instructions: number;
}

/** A basic block is about to begin. */
export interface BlockEvent extends Moment {
  /** Linear address of its first instruction. */
  readonly address: number;
}

/** The instruction at RIP is about to access data, or an exception or interrupt is that is being delivered there. Page walks and fetches are none of it. */
export interface MemoryEvent extends Moment {
  /** Linear address. */
  readonly address: number;
  /** Bytes, which may reach into the next page. */
  readonly size: number;
  readonly write: boolean;
}

/** The instruction at RIP accesses a device: it has been read, or is about to be written. */
export interface IoEvent extends Moment {
  readonly space: "port" | "memory";
  /** Port number, or physical address. */
  readonly address: number;
  /** 1, 2 or 4 bytes. */
  readonly size: number;
  readonly write: boolean;
  /** Unsigned. */
  readonly value: number;
}

/** What is watched: each hook that is there. */
export interface Hooks {
  block?(event: BlockEvent): void;
  memory?(event: MemoryEvent): void;
  io?(event: IoEvent): void;
}

/** The hooks of one machine. */
export class Observers {
  private readonly processors: Multiprocessor;
  private readonly bus: Bus;
  private readonly setBus: (bus: Bus) => void;
  private hooks: readonly Hooks[] = [];

  /** @param bus what is watched @param setBus puts one in its place */
  constructor(processors: Multiprocessor, bus: Bus, setBus: (bus: Bus) => void) {
    this.processors = processors;
    this.bus = bus;
    this.setBus = setBus;
  }

  /** Adds hooks, from the next instruction boundary on; they go when the result is disposed of. Those that came first are called first. */
  add(hooks: Hooks): Disposable {
    this.hooks = [...this.hooks, hooks];
    this.apply();
    return {
      [Symbol.dispose]: () => {
        if (!this.hooks.includes(hooks)) return;
        this.hooks = this.hooks.filter((one) => one !== hooks);
        this.apply();
      },
    };
  }

  private apply(): void {
    const { hooks, bus } = this;
    const watched = (what: keyof Hooks): boolean => hooks.some((one) => one[what] !== undefined);
    this.setBus(watched("io") ? this.watchedBus(bus) : bus);
    for (const [cpu, { engine }] of this.processors.processors.entries()) {
      const linearIp = (): number => {
        const { state } = engine.cpu;
        return engine.cpu.wrap(state.segmentBase(CS) + state.rip);
      };
      const observer: Observer = {
        ...(watched("block") ? { block: () => this.tell("block", { cpu, instructions: this.processors.count, address: linearIp() }) } : {}),
        ...(watched("memory") ? { access: (address, size, write) => this.tell("memory", { cpu, instructions: this.processors.count, address, size, write }) } : {}),
      };
      engine.observe(hooks.length === 0 ? undefined : observer);
    }
  }

  /** Calls the hooks that are there now: one that is disposed of by another is not called any more. */
  private tell<K extends keyof Hooks>(what: K, event: Parameters<NonNullable<Hooks[K]>>[0]): void {
    for (const hooks of this.hooks) (hooks[what] as ((event: unknown) => void) | undefined)?.(event);
  }

  private watchedBus(bus: Bus): Bus {
    const tell = (space: IoEvent["space"], address: number, size: number, write: boolean, value: number): void =>
      this.tell("io", { cpu: this.processors.current, instructions: this.processors.count, space, address, size, write, value });
    const read = (space: IoEvent["space"], access: (address: number, size: number) => number) => (address: number, size: number): number => {
      const value = access(address, size);
      tell(space, address, size, false, value);
      return value;
    };
    const write = (space: IoEvent["space"], access: (address: number, size: number, value: number) => void) => (address: number, size: number, value: number): void => {
      tell(space, address, size, true, value);
      access(address, size, value);
    };
    return {
      readPort: read("port", (address, size) => bus.readPort(address, size)), writePort: write("port", (address, size, value) => bus.writePort(address, size, value)),
      readMmio: read("memory", (address, size) => bus.readMmio(address, size)), writeMmio: write("memory", (address, size, value) => bus.writeMmio(address, size, value)),
    };
  }
}
