/**
 * One 8259A interrupt controller (Intel data sheet 231468): eight inputs, of which the unmasked one with the highest priority asks
 * the CPU, unless one of the same or a higher priority is in service. The edge/level choice is made per input by ELCR, as in the
 * PIIX, where ICW1.LTIM has no effect.
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";

const ICW1 = 0x10;
const ICW1_IC4 = 0x01;
const ICW1_SNGL = 0x02;
const ICW4_AEOI = 0x02;
const ICW4_SFNM = 0x10;
const OCW3 = 0x08;
const OCW3_P = 0x04;
const OCW3_RR = 0x02;
const OCW3_RIS = 0x01;
const OCW3_ESMM = 0x40;
const OCW3_SMM = 0x20;

/** Registers of one chip. `expect` is the number of the ICW that port 1 takes next, or 0; `lowest` the input of lowest priority. */
export type PicState = {
  irr: number; isr: number; imr: number; lines: number; elcr: number; base: number; lowest: number;
  expect: number; icw1: number; icw4: number; readIsr: boolean; poll: boolean; specialMask: boolean; rotateOnAeoi: boolean;
};

const FRESH: PicState = {
  irr: 0, isr: 0, imr: 0, lines: 0, elcr: 0, base: 0, lowest: 7,
  expect: 0, icw1: 0, icw4: 0, readIsr: false, poll: false, specialMask: false, rotateOnAeoi: false,
};

/** One chip, master or slave. Port offsets 0 and 1 are A0 = 0 and 1. */
export class Pic implements BusDevice, Persist<PicState> {
  #state: PicState = copy(FRESH);
  readonly #isMaster: boolean;
  readonly #changed: () => void;

  /** @param isMaster whether input 2 is the cascade. @param changed told after anything that may change the INT output. */
  constructor(isMaster: boolean, changed: () => void) {
    this.#isMaster = isMaster;
    this.#changed = changed;
  }

  /** The power-on state; input levels and ELCR are not the chip's and stay, respectively go to edge. */
  reset(): void {
    this.#state = { ...FRESH, lines: this.#state.lines };
    this.#changed();
  }

  /** Drives input 0 to 7. A rising edge latches a request that a falling edge does not take back; a level comes and goes. */
  setLine(input: number, level: boolean): void {
    const state = this.#state;
    const bit = 1 << input;
    if (level) {
      if ((state.elcr & bit) !== 0 || (state.lines & bit) === 0) state.irr |= bit;
      state.lines |= bit;
    } else {
      if ((state.elcr & bit) !== 0) state.irr &= ~bit;
      state.lines &= ~bit;
    }
    this.#changed();
  }

  /** The request of the cascade input follows the slave's INT and is never latched, so that none is lost between two EOIs. */
  setCascade(level: boolean): void {
    if (level) this.#state.irr |= 4;
    else this.#state.irr &= ~4;
  }

  /** Edge/level control: a set bit makes the input level-triggered. */
  get elcr(): number {
    return this.#state.elcr;
  }

  set elcr(value: number) {
    this.#state.elcr = value;
    this.#state.irr = (this.#state.irr & ~value) | (this.#state.lines & value);
    this.#changed();
  }

  /** The input that asks the CPU, or -1. */
  request(): number {
    const { irr, imr } = this.#state;
    if ((irr & ~imr) === 0) return -1;
    const { isr, specialMask, icw4 } = this.#state;
    const asking = this.#first(irr & ~imr);
    let serving = specialMask ? isr & ~imr : isr;
    // Special fully nested mode: the slave may interrupt itself, so its own service does not hold it back.
    if (this.#isMaster && (icw4 & ICW4_SFNM) !== 0) serving &= ~4;
    return asking < this.#first(serving) ? this.#inputAt(asking) : -1;
  }

  /** INTA: takes `input` into service and gives its vector. */
  accept(input: number): number {
    const state = this.#state;
    const bit = 1 << input;
    if ((state.elcr & bit) === 0) state.irr &= ~bit;
    if ((state.icw4 & ICW4_AEOI) === 0) state.isr |= bit;
    else if (state.rotateOnAeoi) state.lowest = input;
    this.#changed();
    return state.base + input;
  }

  /** The vector of input 7 without its service: what INTA gives when the request has gone. */
  spurious(): number {
    return this.#state.base + 7;
  }

  read(offset: number, _size: AccessSize): number {
    const state = this.#state;
    if (state.poll) {
      state.poll = false;
      const input = this.request();
      if (input < 0) return 0;
      this.accept(input);
      return 0x80 | input;
    }
    if (offset === 1) return state.imr;
    return state.readIsr ? state.isr : state.irr;
  }

  write(offset: number, _size: AccessSize, value: number): void {
    if (offset === 1) this.#writeData(value);
    else if ((value & ICW1) !== 0) this.#writeIcw1(value);
    else if ((value & OCW3) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value);
    this.#changed();
  }

  save(): PicState {
    return copy(this.#state);
  }

  restore(state: PicState): void {
    this.#state = conform(state, FRESH);
  }

  /** Place in the order of priority (0 is highest) of the first of these inputs, or 8. */
  #first(inputs: number): number {
    if (inputs === 0) return 8;
    const first = this.#inputAt(0);
    const inOrder = ((inputs >> first) | (inputs << (8 - first))) & 0xff;
    return 31 - Math.clz32(inOrder & -inOrder);
  }

  #inputAt(place: number): number {
    return (this.#state.lowest + 1 + place) & 7;
  }

  #writeIcw1(value: number): void {
    const { elcr, lines, base } = this.#state;
    // Edges seen before are forgotten (data sheet, "Initialization Command Words"); levels are still there.
    this.#state = { ...FRESH, elcr, lines, base, irr: lines & elcr, icw1: value, expect: 2 };
  }

  #writeData(value: number): void {
    const state = this.#state;
    if (state.expect === 0) {
      state.imr = value;
    } else if (state.expect === 2) {
      state.base = value & 0xf8;
      state.expect = (state.icw1 & ICW1_SNGL) === 0 ? 3 : this.#afterIcw3();
    } else if (state.expect === 3) {
      state.expect = this.#afterIcw3();
    } else {
      state.icw4 = value;
      state.expect = 0;
    }
  }

  #afterIcw3(): number {
    return (this.#state.icw1 & ICW1_IC4) !== 0 ? 4 : 0;
  }

  #writeOcw3(value: number): void {
    const state = this.#state;
    if ((value & OCW3_P) !== 0) state.poll = true;
    if ((value & OCW3_RR) !== 0) state.readIsr = (value & OCW3_RIS) !== 0;
    if ((value & OCW3_ESMM) !== 0) state.specialMask = (value & OCW3_SMM) !== 0;
  }

  /** Bits 7 to 5 are R, SL and EOI. */
  #writeOcw2(value: number): void {
    const state = this.#state;
    const level = value & 7;
    switch (value >> 5) {
      case 0: state.rotateOnAeoi = false; break;
      case 4: state.rotateOnAeoi = true; break;
      case 6: state.lowest = level; break;
      case 3: state.isr &= ~(1 << level); break;
      case 7:
        state.isr &= ~(1 << level);
        state.lowest = level;
        break;
      case 1:
      case 5: {
        const place = this.#first(state.specialMask ? state.isr & ~state.imr : state.isr);
        if (place === 8) break;
        const input = this.#inputAt(place);
        state.isr &= ~(1 << input);
        if (value >> 5 === 5) state.lowest = input;
        break;
      }
    }
  }
}
