/**
 * The 64 Ki I/O ports (SDM volume 1, chapter "Input/Output"). An access that is wider than what stands at its port falls apart
 * into halves, low half first, as the bus controller of a PC does it; a port that nobody claims reads all ones.
 */

import { DoppelError } from "@doppel/persist";
import { allOnes } from "./bus-device.ts";
import type { AccessSize, BusDevice, BusRange } from "./bus-device.ts";

const PORTS = 0x10000;

type Slot = { readonly first: number; readonly size: number; readonly width: AccessSize; readonly device: BusDevice; readonly name: string };

/** Finds the device behind a port. */
export class PortBus {
  /** For each port the number of its slot plus one, or 0. */
  readonly #map = new Uint16Array(PORTS);
  readonly #slots: (Slot | undefined)[] = [];

  /**
   * Claims ports for a device.
   *
   * @param width widest access that the device takes in one piece; wider ones are split.
   * @returns what gives the ports back.
   * @throws DoppelError `BUS_RANGE` outside the 64 Ki ports, `BUS_OVERLAP` when a port is taken.
   */
  register(first: number, count: number, device: BusDevice, name: string, width: AccessSize = 1): Disposable {
    if (!(first >= 0 && count > 0 && first + count <= PORTS)) throw new DoppelError("BUS_RANGE", `${name} asks for ${count} ports at ${first}; there are ports 0 to 65535.`);
    for (let port = first; port < first + count; port++) {
      const taken = this.#slots[this.#map[port] - 1];
      if (taken !== undefined) throw new DoppelError("BUS_OVERLAP", `${name} asks for port 0x${port.toString(16)}, which ${taken.name} has.`);
    }
    let index = this.#slots.indexOf(undefined);
    if (index < 0) index = this.#slots.length;
    this.#slots[index] = { first, size: count, width, device, name };
    this.#map.fill(index + 1, first, first + count);
    let claimed = true;
    return {
      [Symbol.dispose]: () => {
        if (!claimed) return;
        claimed = false;
        this.#map.fill(0, first, first + count);
        this.#slots[index] = undefined;
      },
    };
  }

  /** Whether nobody claims any of these ports, and they exist. */
  isFree(first: number, count: number): boolean {
    return first >= 0 && first + count <= PORTS && this.#map.subarray(first, first + count).every((slot) => slot === 0);
  }

  /** What is claimed, in ascending order. */
  ranges(): BusRange[] {
    return this.#slots
      .filter((slot) => slot !== undefined)
      .map(({ first, size, name }) => ({ first, size, name }))
      .sort((a, b) => a.first - b.first);
  }

  /** IN: `size` bytes from `port`, unsigned. */
  read(port: number, size: AccessSize): number {
    port &= 0xffff;
    const slot = this.#slots[this.#map[port] - 1];
    if (slot !== undefined && size <= slot.width && port + size <= slot.first + slot.size) {
      return (slot.device.read(port - slot.first, size) & allOnes(size)) >>> 0;
    }
    if (size === 1) return 0xff;
    const half = size === 4 ? 2 : 1;
    const low = this.read(port, half);
    return (low | (this.read(port + half, half) << (8 * half))) >>> 0;
  }

  /** OUT: the low `size` bytes of `value` to `port`. */
  write(port: number, size: AccessSize, value: number): void {
    port &= 0xffff;
    value = (value & allOnes(size)) >>> 0;
    const slot = this.#slots[this.#map[port] - 1];
    if (slot !== undefined && size <= slot.width && port + size <= slot.first + slot.size) {
      slot.device.write(port - slot.first, size, value);
    } else if (size > 1) {
      const half = size === 4 ? 2 : 1;
      this.write(port, half, value);
      this.write(port + half, half, value >>> (8 * half));
    }
  }
}
