/**
 * The two 8237A DMA controllers of a PC and their page registers (Intel data sheet 231466; PIIX3 data sheet, "DMA registers"). No
 * device of this machine transfers through them yet; guests initialize and probe them.
 *
 *   00h..0Fh channels 0-3   C0h..DFh channels 4-7, every second port   80h..8Fh page registers
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";

type Controller = {
  baseAddress: number[]; baseCount: number[]; address: number[]; count: number[]; mode: number[];
  mask: number; request: number; status: number; command: number; temporary: number; flipFlop: boolean;
};

/** Both controllers and the page registers. */
export type DmaState = { controllers: Controller[]; pages: Uint8Array };

const FRESH: Controller = {
  baseAddress: [0, 0, 0, 0], baseCount: [0, 0, 0, 0], address: [0, 0, 0, 0], count: [0, 0, 0, 0], mode: [0, 0, 0, 0],
  mask: 0x0f, request: 0, status: 0, command: 0, temporary: 0, flipFlop: false,
};

/** Replaces the low or the high byte. */
function merge(word: number, byte: number, high: boolean): number {
  return high ? (word & 0x00ff) | (byte << 8) : (word & 0xff00) | byte;
}

/** Registers of seven channels. */
export class Dma implements Persist<DmaState> {
  #state: DmaState = { controllers: [copy(FRESH), copy(FRESH)], pages: new Uint8Array(16) };
  readonly #post: (code: number) => void;

  /** @param post told what is written to port 80h, where firmware and kernels show their progress. */
  constructor(post: (code: number) => void = () => {}) {
    this.#post = post;
  }

  /** Claims the ports of both controllers and the page registers. */
  attach(ports: PortBus): void {
    const controller = (index: number, shift: number): BusDevice => ({
      read: (offset: number, _size: AccessSize) => this.#read(this.#state.controllers[index], offset >> shift),
      write: (offset, _size, value) => this.#write(this.#state.controllers[index], offset >> shift, value),
    });
    ports.register(0x00, 16, controller(0, 0), "8237 channels 0-3");
    ports.register(0xc0, 32, controller(1, 1), "8237 channels 4-7");
    const pages: BusDevice = {
      read: (offset) => this.#state.pages[offset],
      write: (offset, _size, value) => {
        this.#state.pages[offset] = value;
        if (offset === 0) this.#post(value);
      },
    };
    // Page registers stand at 80h to 91h but for 84h-86h and 92h, which is not theirs.
    ports.register(0x80, 16, pages, "DMA pages");
  }

  /** Master clear of both controllers. */
  reset(): void {
    this.#state = { controllers: [copy(FRESH), copy(FRESH)], pages: new Uint8Array(16) };
  }

  /** What was last written to port 80h. */
  get postCode(): number {
    return this.#state.pages[0];
  }

  save(): DmaState {
    return copy(this.#state);
  }

  restore(state: DmaState): void {
    this.#state = conform(state, this.#state);
  }

  #read(dma: Controller, register: number): number {
    if (register < 8) {
      const word = (register & 1) === 0 ? dma.address[register >> 1] : dma.count[register >> 1];
      dma.flipFlop = !dma.flipFlop;
      return dma.flipFlop ? word & 0xff : word >> 8;
    }
    if (register === 8) {
      const status = dma.status;
      dma.status &= 0xf0;
      return status;
    }
    if (register === 13) return dma.temporary;
    return register === 15 ? 0xf0 | dma.mask : 0xff;
  }

  #write(dma: Controller, register: number, value: number): void {
    if (register < 8) {
      const high = dma.flipFlop;
      dma.flipFlop = !high;
      const [base, current] = (register & 1) === 0 ? [dma.baseAddress, dma.address] : [dma.baseCount, dma.count];
      const channel = register >> 1;
      base[channel] = merge(base[channel], value, high);
      current[channel] = base[channel];
      return;
    }
    const bit = 1 << (value & 3);
    switch (register) {
      case 8: dma.command = value; break;
      case 9: dma.request = (value & 4) !== 0 ? dma.request | bit : dma.request & ~bit; break;
      case 10: dma.mask = (value & 4) !== 0 ? dma.mask | bit : dma.mask & ~bit; break;
      case 11: dma.mode[value & 3] = value; break;
      case 12: dma.flipFlop = false; break;
      case 13:
        Object.assign(dma, { mask: 0x0f, request: 0, status: 0, command: 0, temporary: 0, flipFlop: false });
        break;
      case 14: dma.mask = 0; break;
      case 15: dma.mask = value & 0x0f; break;
    }
  }
}
