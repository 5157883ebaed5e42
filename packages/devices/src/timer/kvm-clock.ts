/**
 * KVM's paravirtual clock (Linux documentation, "KVM-specific MSRs" and "KVM CPUID bits"): a guest names a place in its memory, and the
 * machine writes there how the time-stamp counter becomes nanoseconds since the machine was switched on, and when that was. Both count
 * the same clock here, so a page is right from its registration until the guest writes the counter.
 *
 *   per CPU, 32 bytes:  00 version  08 tsc_timestamp  10 system_time  18 tsc_to_system_mul  1c tsc_shift  1d flags
 *   wall clock, 12 bytes:  00 version  04 seconds  08 nanoseconds, of the moment when system_time was 0
 *
 * Times are (((counter - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32) + system_time. A version is odd while its page changes.
 */
import type { Clock } from "@doppel/clock";
import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { GuestMemory } from "../bus/bus-device.ts";

/** Bit 0 of MSR_KVM_SYSTEM_TIME_NEW: the place is used. */
const ENABLED = 1;
/** One count is one nanosecond: 2^31, shifted left by one. */
const MULTIPLIER = 0x8000_0000;
const SHIFT = 1;
/** Flag: readings of all CPUs are in order. */
const PVCLOCK_TSC_STABLE_BIT = 1;
const TWO_32 = 2 ** 32;

/** The registers as two halves each: the wall clock's, which all CPUs share, and each CPU's. */
export type KvmClockState = { wallLow: number; wallHigh: number; systemLow: number[]; systemHigh: number[] };

/** What the clock is given. */
export interface KvmClockOptions {
  readonly clock: Clock;
  readonly memory: GuestMemory;
  readonly cpus: number;
  /** What a CPU's time-stamp counter is ahead of the clock, in counts. */
  tscOffset(cpu: number): number;
  /** When the clock was at 0: seconds since 1970 and nanoseconds. */
  wallClock(): { readonly seconds: number; readonly nanoseconds: number };
}

/** The clock of all CPUs of a machine. */
export class KvmClock implements Persist<KvmClockState> {
  readonly #options: KvmClockOptions;
  #state: KvmClockState;

  constructor(options: KvmClockOptions) {
    this.#options = options;
    this.#state = fresh(options.cpus);
  }

  /** MSR_KVM_WALL_CLOCK_NEW: where the wall clock was last asked for. */
  get wallClock(): { low: number; high: number } {
    return { low: this.#state.wallLow, high: this.#state.wallHigh };
  }

  /** Writes the wall clock to the address, once. */
  setWallClock(low: number, high: number): void {
    Object.assign(this.#state, { wallLow: low >>> 0, wallHigh: high >>> 0 });
    const { seconds, nanoseconds } = this.#options.wallClock();
    const page = new DataView(new ArrayBuffer(12));
    page.setUint32(4, seconds, true);
    page.setUint32(8, nanoseconds, true);
    this.#publish((high >>> 0) * TWO_32 + (low >>> 0), page);
  }

  /** MSR_KVM_SYSTEM_TIME_NEW of a CPU. */
  systemTime(cpu: number): { low: number; high: number } {
    return { low: this.#state.systemLow[cpu]!, high: this.#state.systemHigh[cpu]! };
  }

  /** Takes the place of a CPU's page, and fills it when bit 0 is set. */
  setSystemTime(cpu: number, low: number, high: number): void {
    this.#state.systemLow[cpu] = low >>> 0;
    this.#state.systemHigh[cpu] = high >>> 0;
    this.#fill(cpu);
  }

  /** To be called when a guest has written a CPU's time-stamp counter: every page says whether all of them agree. */
  counterWritten(): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) this.#fill(cpu);
  }

  /** INIT and reset: the CPU's page is left alone from now on. */
  resetCpu(cpu: number): void {
    this.#state.systemLow[cpu] = this.#state.systemHigh[cpu] = 0;
  }

  reset(): void {
    this.#state = fresh(this.#options.cpus);
  }

  save(): KvmClockState {
    return copy(this.#state);
  }

  restore(state: KvmClockState): void {
    const { wallLow, wallHigh, systemLow, systemHigh } = conform(state, fresh(this.#options.cpus));
    const word = (value: number): number => value >>> 0;
    this.#state = { wallLow: word(wallLow), wallHigh: word(wallHigh), systemLow: systemLow.map(word), systemHigh: systemHigh.map(word) };
  }

  #fill(cpu: number): void {
    const { clock, cpus, tscOffset } = this.#options;
    const { low, high } = this.systemTime(cpu);
    if ((low & ENABLED) === 0) return;
    const now = Math.floor(clock.now());
    const offset = tscOffset(cpu);
    const page = new DataView(new ArrayBuffer(32));
    page.setBigUint64(8, BigInt.asUintN(64, BigInt(now + offset)), true);
    page.setBigUint64(16, BigInt(now), true);
    page.setUint32(24, MULTIPLIER, true);
    page.setInt8(28, SHIFT);
    page.setUint8(29, Array.from({ length: cpus }, (_, other) => tscOffset(other)).every((other) => other === offset) ? PVCLOCK_TSC_STABLE_BIT : 0);
    this.#publish(high * TWO_32 + ((low & ~ENABLED) >>> 0), page);
  }

  /** Writes a page behind a version that goes up by two: nobody reads between, but a reader must see that it changed. */
  #publish(physical: number, page: DataView): void {
    const before = new Uint8Array(4);
    this.#options.memory.readBytes(physical, before);
    page.setUint32(0, ((new DataView(before.buffer).getUint32(0, true) | 1) + 1) >>> 0, true);
    this.#options.memory.writeBytes(physical, new Uint8Array(page.buffer));
  }
}

const fresh = (cpus: number): KvmClockState => ({ wallLow: 0, wallHigh: 0, systemLow: new Array<number>(cpus).fill(0), systemHigh: new Array<number>(cpus).fill(0) });
