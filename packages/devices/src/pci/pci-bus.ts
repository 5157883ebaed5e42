/**
 * PCI bus 0 and configuration mechanism 1 (PCI Local Bus Specification 2.1, section 3.7.4.1), with the reset control register that
 * the PIIX3 keeps among its ports (82371SB data sheet, section 2.5.4.1).
 *
 *   CF8h configuration address (doublewords only)    CF9h reset control (bytes)    CFCh..CFFh configuration data
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import { allOnes } from "../bus/bus-device.ts";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";
import type { PciBuses, PciFunction } from "./pci-function.ts";

const CONFIG_ENABLE = 0x8000_0000;
const DATA = 4;
const RESET_CONTROL = 1;
const RCPU = 0x04;

/** The two registers; functions save themselves. */
export type PciBusState = { address: number; resetControl: number };

/** Functions of bus 0 by device and function number. */
export class PciBus implements BusDevice, Persist<PciBusState> {
  readonly #functions = new Map<number, PciFunction>();
  readonly #buses: PciBuses;
  readonly #reset: () => void;
  #address = 0;
  #resetControl = 0;

  /** @param reset called when the guest asks for a reset at CF9h. */
  constructor(buses: PciBuses, reset: () => void) {
    this.#buses = buses;
    this.#reset = reset;
  }

  /** Claims ports CF8h to CFFh. */
  attach(ports: PortBus): void {
    ports.register(0xcf8, 8, this, "PCI configuration", 4);
  }

  /** Puts a function into a slot (device 0 to 31, function 0 to 7). */
  add(device: number, number: number, pciFunction: PciFunction): void {
    this.#functions.set((device << 3) | number, pciFunction);
    pciFunction.connect(this.#buses);
  }

  /** The function in a slot, or undefined. */
  function(device: number, number: number): PciFunction | undefined {
    return this.#functions.get((device << 3) | number);
  }

  /** RST# to every function. */
  reset(): void {
    this.#address = 0;
    this.#resetControl = 0;
    for (const pciFunction of this.#functions.values()) pciFunction.reset();
  }

  read(offset: number, size: AccessSize): number {
    if (offset >= DATA) return this.#target()?.read(this.#register(offset), this.#fit(offset, size)) ?? allOnes(size);
    if (offset === 0 && size === 4) return this.#address;
    return offset === RESET_CONTROL && size === 1 ? this.#resetControl : allOnes(size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (offset >= DATA) {
      this.#target()?.write(this.#register(offset), this.#fit(offset, size), value);
    } else if (offset === 0 && size === 4) {
      this.#address = (value & 0x80ff_fffc) >>> 0;
    } else if (offset === RESET_CONTROL && size === 1) {
      this.#resetControl = value & 0x02;
      if ((value & RCPU) !== 0) this.#reset();
    }
  }

  save(): PciBusState {
    return { address: this.#address, resetControl: this.#resetControl };
  }

  restore(state: PciBusState): void {
    const { address, resetControl } = conform(state, this.save());
    this.#address = address;
    this.#resetControl = resetControl;
  }

  #target(): PciFunction | undefined {
    const address = this.#address;
    if ((address & CONFIG_ENABLE) === 0 || ((address >>> 16) & 0xff) !== 0) return undefined;
    return this.#functions.get((address >>> 8) & 0xff);
  }

  #register(offset: number): number {
    return (this.#address & 0xfc) | (offset & 3);
  }

  /** An access at an odd place ends with its doubleword. */
  #fit(offset: number, size: AccessSize): AccessSize {
    const room = 4 - (offset & 3);
    return size <= room ? size : room >= 2 ? 2 : 1;
  }
}
