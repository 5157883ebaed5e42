/**
 * The configuration space of one PCI function (PCI Local Bus Specification 2.1, chapter 6) and its base address registers. A device
 * model knows its registers only; the function places them on the port or memory bus as the guest programs it.
 *
 *   00 vendor, device  04 command, status  08 revision, class  0e header type  10 BARs  2c subsystem  3c interrupt line, pin
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";
import type { MmioBus } from "../bus/mmio-bus.ts";
import type { PortBus } from "../bus/port-bus.ts";

const COMMAND = 0x04;
const STATUS = 0x06;
const BAR0 = 0x10;
const INTERRUPT_LINE = 0x3c;
const COMMAND_IO = 0x01;
const COMMAND_MEMORY = 0x02;

/** What a function says it is. Class code is 24 bits: base class, subclass, interface. */
export type PciIdentity = {
  readonly vendor: number; readonly device: number; readonly revision: number; readonly classCode: number;
  readonly headerType?: number; readonly subsystemVendor?: number; readonly subsystem?: number; readonly interruptPin?: number;
};

/** One base address register. The size is a power of two, at least 4 for ports and 16 for memory. */
export type PciBar = { readonly index: number; readonly kind: "io" | "memory"; readonly size: number; readonly device: BusDevice; readonly name: string };

/** The buses that BARs appear on. */
export type PciBuses = { readonly ports: PortBus; readonly memory: MmioBus };

/** The 256 bytes; where BARs stand follows from them. */
export type PciFunctionState = { bytes: Uint8Array };

/** Configuration space with per-bit rights. */
export class PciFunction implements Persist<PciFunctionState> {
  readonly #bytes = new Uint8Array(256);
  readonly #writable = new Uint8Array(256);
  readonly #clearable = new Uint8Array(256);
  readonly #fresh = new Uint8Array(256);
  readonly #bars: PciBar[] = [];
  readonly #mapped = new Map<PciBar, { base: number; claim: Disposable }>();
  #buses: PciBuses | undefined;
  #written: (offset: number, size: number) => void = () => {};

  constructor(identity: PciIdentity) {
    this.set16(0x00, identity.vendor);
    this.set16(0x02, identity.device);
    this.set8(0x08, identity.revision);
    this.set8(0x09, identity.classCode);
    this.set16(0x0a, identity.classCode >> 8);
    this.set8(0x0e, identity.headerType ?? 0);
    this.set16(0x2c, identity.subsystemVendor ?? 0x1af4);
    this.set16(0x2e, identity.subsystem ?? 0x1100);
    this.set8(0x3d, identity.interruptPin ?? 0);
    this.allow(COMMAND, 0x47, 0x05);
    this.#clearable[STATUS + 1] = 0xf9;
    this.allow(INTERRUPT_LINE, 0xff);
  }

  /** Sets a byte to its power-on value, whatever its rights. */
  set8(offset: number, value: number): void {
    this.#bytes[offset] = value;
    this.#fresh[offset] = value;
  }

  /** Sets two bytes to their power-on value. */
  set16(offset: number, value: number): void {
    this.set8(offset, value & 0xff);
    this.set8(offset + 1, (value >> 8) & 0xff);
  }

  /** Lets the guest write these bits of the bytes from `offset` on. */
  allow(offset: number, ...masks: number[]): void {
    masks.forEach((mask, i) => (this.#writable[offset + i] = mask));
  }

  /** Lets `listener` know of writes, after they have taken effect, and of resets and restores (offset 0, size 256). */
  onWrite(listener: (offset: number, size: number) => void): void {
    this.#written = listener;
  }

  /** Adds a base address register; before the function is put on a bus. */
  addBar(bar: PciBar): void {
    this.#bars.push(bar);
    const at = BAR0 + 4 * bar.index;
    const mask = -bar.size >>> 0;
    this.allow(at, mask & (bar.kind === "io" ? 0xfc : 0xf0), (mask >>> 8) & 0xff, (mask >>> 16) & 0xff, mask >>> 24);
    if (bar.kind === "io") this.set8(at, 1);
  }

  /** Puts the function on its buses. */
  connect(buses: PciBuses): void {
    this.#buses = buses;
    this.#map();
  }

  /** The byte at `offset`. */
  get8(offset: number): number {
    return this.#bytes[offset & 0xff];
  }

  /** The little-endian word at `offset`. */
  get16(offset: number): number {
    return this.get8(offset) | (this.get8(offset + 1) << 8);
  }

  /** A configuration read; it does not cross the end of a doubleword. */
  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.get8(offset + i) << (8 * i);
    return value >>> 0;
  }

  /** A configuration write. */
  write(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = (offset + i) & 0xff;
      const byte = (value >>> (8 * i)) & 0xff;
      const kept = this.#bytes[at] & ~this.#writable[at] & ~(byte & this.#clearable[at]);
      this.#bytes[at] = kept | (byte & this.#writable[at]);
    }
    this.#map();
    this.#written(offset, size);
  }

  /** RST#: everything as at power-on. */
  reset(): void {
    this.#bytes.set(this.#fresh);
    this.#map();
    this.#written(0, 256);
  }

  save(): PciFunctionState {
    return { bytes: this.#bytes.slice() };
  }

  restore(state: PciFunctionState): void {
    this.#bytes.set(conform(state, this.save()).bytes);
    this.#map();
    this.#written(0, 256);
  }

  /** Moves the registers to where the BARs say. A place that something else has already stays with it. */
  #map(): void {
    const buses = this.#buses;
    if (buses === undefined) return;
    const wanted = this.#bars.map((bar) => ({ bar, base: this.#barBase(bar) }));
    for (const { bar, base } of wanted) {
      const place = this.#mapped.get(bar);
      if (place === undefined || place.base === base) continue;
      place.claim[Symbol.dispose]();
      this.#mapped.delete(bar);
    }
    for (const { bar, base } of wanted) {
      if (base === 0 || this.#mapped.has(bar)) continue;
      const { kind, size, device, name } = bar;
      if (!(kind === "io" ? buses.ports : buses.memory).isFree(base, size)) continue;
      const claim = kind === "io" ? buses.ports.register(base, size, device, name, 4) : buses.memory.register(base, size, device, name);
      this.#mapped.set(bar, { base, claim });
    }
  }

  /** Where a BAR stands, or 0 when it is off or not programmed. */
  #barBase(bar: PciBar): number {
    const enable = bar.kind === "io" ? COMMAND_IO : COMMAND_MEMORY;
    if ((this.get8(COMMAND) & enable) === 0) return 0;
    const raw = this.read(BAR0 + 4 * bar.index, 4);
    return bar.kind === "io" ? (raw & 0xfffc) >>> 0 : (raw & 0xffff_fff0) >>> 0;
  }
}
