/**
 * Plugins that watch: values for `createVm({ plugins: [...] })`. They need nothing of a machine but `observe`.
 */
import type { BlockEvent, Hooks, IoEvent, MemoryEvent } from "@doppel/vmm";

/** What these plugins ask of a machine. */
export interface Watched {
  observe(hooks: Hooks): Disposable;
}

/** A plugin of `createVm`, for any machine that can be watched. */
export interface WatchPlugin {
  readonly name: string;
  attach(vm: Watched): Disposable;
}

/** One line for an access of a device, such as `      1234 cpu 0 out 3f8 1 41`: instructions, CPU, what, address, bytes and value in hexadecimal. */
export function ioLine({ cpu, instructions, space, address, size, write, value }: IoEvent): string {
  const what = space === "port" ? (write ? "out" : "in") : write ? "store" : "load";
  return `${String(instructions).padStart(12)} cpu ${cpu} ${what} ${address.toString(16)} ${size} ${value.toString(16)}`;
}

/**
 * Prints every access of a device.
 * @example
 * const vm = await createVm({ guest: "embedded", plugins: [ioTrace(console.log)] });
 */
export function ioTrace(print: (line: string) => void): WatchPlugin {
  return { name: "io-trace", attach: (vm) => vm.observe({ io: (event) => print(ioLine(event)) }) };
}

/** How often each basic block was executed. */
export interface BlockCoverage extends WatchPlugin {
  /** Executions by the linear address of a block's first instruction. */
  readonly blocks: ReadonlyMap<number, number>;
}

/**
 * Counts basic blocks.
 * @param matters says which are counted; all when absent
 */
export function blockCoverage(matters: (event: BlockEvent) => boolean = () => true): BlockCoverage {
  const blocks = new Map<number, number>();
  return {
    name: "block-coverage", blocks,
    attach: (vm) => vm.observe({
      block: (event) => {
        if (matters(event)) blocks.set(event.address, (blocks.get(event.address) ?? 0) + 1);
      },
    }),
  };
}

/** Size and shape of a simulated cache. */
export interface CacheShape {
  readonly bytes: number;
  /** Bytes of a line. */
  readonly line: number;
  /** Lines that a set holds. */
  readonly ways: number;
}

/** A data cache that is not there: what it would hit and miss. */
export interface CacheSimulator extends WatchPlugin {
  readonly accesses: number;
  readonly misses: number;
}

/**
 * Simulates a data cache of one vCPU, by linear address, with the line that was used longest ago going first.
 * @param shape 32 KiB in lines of 64 bytes and 8 ways when absent
 * @example
 * const cache = cacheSimulator();
 * const vm = await createVm({ guest: "embedded", plugins: [cache] });
 * await vm.run();
 * console.log(cache.misses / cache.accesses);
 */
export function cacheSimulator({ bytes, line, ways }: CacheShape = { bytes: 32768, line: 64, ways: 8 }): CacheSimulator {
  const sets: number[][] = Array.from({ length: bytes / line / ways }, () => []);
  const seen = { accesses: 0, misses: 0 };
  const touch = (at: number): void => {
    const set = sets[((at % sets.length) + sets.length) % sets.length]!;
    const known = set.indexOf(at);
    if (known < 0) seen.misses++;
    else set.splice(known, 1);
    set.unshift(at);
    if (set.length > ways) set.pop();
  };
  return {
    name: "cache-simulator",
    get accesses() { return seen.accesses; },
    get misses() { return seen.misses; },
    attach: (vm) => vm.observe({
      memory: ({ address, size }: MemoryEvent) => {
        seen.accesses++;
        for (let at = Math.floor(address / line); at <= Math.floor((address + size - 1) / line); at++) touch(at);
      },
    }),
  };
}
