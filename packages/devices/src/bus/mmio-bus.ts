/**
 * Physical addresses that are not memory. Addresses are numbers and may exceed 32 bits. Accesses are at most four bytes wide:
 * whoever has eight makes two of four, low half first, as the bus of a PC does.
 */

import { DoppelError } from "@doppel/persist";
import { allOnes } from "./bus-device.ts";
import type { AccessSize, BusDevice, BusRange } from "./bus-device.ts";

type Slot = { readonly first: number; readonly size: number; readonly end: number; readonly device: BusDevice; readonly name: string };

/** Finds the device behind a physical address. */
export class MmioBus {
  /** In ascending order, without overlap. */
  #slots: Slot[] = [];
  #recent: Slot | undefined;

  /**
   * Claims physical addresses for a device, which must take accesses of one, two and four bytes.
   *
   * @returns what gives the addresses back.
   * @throws DoppelError `BUS_RANGE` outside the 52-bit physical space, `BUS_OVERLAP` when an address is taken.
   */
  register(base: number, size: number, device: BusDevice, name: string): Disposable {
    const end = base + size;
    if (!(base >= 0 && size > 0 && end <= 2 ** 52)) throw new DoppelError("BUS_RANGE", `${name} asks for ${size} bytes at ${base}; physical addresses have 52 bits.`);
    const taken = this.#slots.find((slot) => slot.first < end && base < slot.end);
    if (taken !== undefined) throw new DoppelError("BUS_OVERLAP", `${name} asks for address 0x${base.toString(16)}, where ${taken.name} is.`);
    const slot: Slot = { first: base, size, end, device, name };
    this.#slots = [...this.#slots, slot].sort((a, b) => a.first - b.first);
    return {
      [Symbol.dispose]: () => {
        this.#slots = this.#slots.filter((other) => other !== slot);
        this.#recent = undefined;
      },
    };
  }

  /** What is claimed, in ascending order. */
  ranges(): BusRange[] {
    return this.#slots.map(({ first, size, name }) => ({ first, size, name }));
  }

  /** Whether nobody claims any of these addresses, and they exist. */
  isFree(base: number, size: number): boolean {
    return base >= 0 && base + size <= 2 ** 52 && !this.#slots.some((slot) => slot.first < base + size && base < slot.end);
  }

  /** Whether a device stands at this address. */
  covers(address: number): boolean {
    return this.#find(address) !== undefined;
  }

  /** `size` bytes at `address`, unsigned; all ones where nobody is. */
  read(address: number, size: AccessSize): number {
    const slot = this.#find(address);
    if (slot !== undefined && address + size <= slot.end) return (slot.device.read(address - slot.first, size) & allOnes(size)) >>> 0;
    if (size === 1) return 0xff;
    const half = size === 4 ? 2 : 1;
    const low = this.read(address, half);
    return (low | (this.read(address + half, half) << (8 * half))) >>> 0;
  }

  /** Stores the low `size` bytes of `value` at `address`; dropped where nobody is. */
  write(address: number, size: AccessSize, value: number): void {
    value = (value & allOnes(size)) >>> 0;
    const slot = this.#find(address);
    if (slot !== undefined && address + size <= slot.end) {
      slot.device.write(address - slot.first, size, value);
    } else if (size > 1) {
      const half = size === 4 ? 2 : 1;
      this.write(address, half, value);
      this.write(address + half, half, value >>> (8 * half));
    }
  }

  #find(address: number): Slot | undefined {
    const recent = this.#recent;
    if (recent !== undefined && address >= recent.first && address < recent.end) return recent;
    let low = 0;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#slots[middle].end <= address) low = middle + 1;
      else high = middle;
    }
    const slot = this.#slots[low] as Slot | undefined;
    if (slot === undefined || address < slot.first) return undefined;
    this.#recent = slot;
    return slot;
  }
}
