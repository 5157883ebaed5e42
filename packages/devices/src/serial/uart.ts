/**
 * A 16550A UART (National Semiconductor PC16550D data sheet). Transmission takes no time: a byte written leaves at once, and the
 * transmitter is empty again. Reception is as slow as the guest reads: `input` takes what fits into the FIFO.
 *
 *   0 RBR/THR (DLL)  1 IER (DLM)  2 IIR/FCR  3 LCR  4 MCR  5 LSR  6 MSR  7 SCR
 */

import { Alarm } from "@doppel/clock";
import type { Clock } from "@doppel/clock";
import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, InterruptLine } from "../bus/bus-device.ts";

const IER_ERBFI = 0x01;
const IER_ETBEI = 0x02;
const IER_ELSI = 0x04;
const IER_EDSSI = 0x08;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THR_EMPTY = 0x02;
const IIR_RECEIVED_DATA = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_CHARACTER_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_RESET_RECEIVER = 0x02;
const FCR_RESET_TRANSMITTER = 0x04;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
const FIFO_SIZE = 16;

const LCR_DLAB = 0x80;
const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const LSR_DR = 0x01;
const LSR_OE = 0x02;
const LSR_BI = 0x10;
const LSR_ERRORS = 0x1e;
const LSR_THRE = 0x20;
const LSR_TEMT = 0x40;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;

/** Base clock of the divisor: 1.8432 MHz by sixteen. */
const BAUD_BASE = 115_200;

/** What stands at the other end of the line. */
export interface SerialBackend {
  /** Takes a byte that the guest sent. */
  output(byte: number): void;
  /** Told when the receiver has room again after `Uart.input` took less than it was given. */
  ready?(): void;
}

/** Registers. `delta` are the low bits of MSR, `lines` its high ones; `rbr` is the last character read; `thrEmpty` and `timedOut` are latched interrupt causes. */
export type UartState = {
  ier: number; fcr: number; lcr: number; mcr: number; lsr: number; scr: number; divisor: number; lines: number; delta: number;
  rbr: number; fifo: number[]; thrEmpty: boolean; timedOut: boolean; refused: boolean; timeoutAt: number;
};

const FRESH: UartState = {
  ier: 0, fcr: 0, lcr: 0, mcr: 0, lsr: LSR_THRE | LSR_TEMT, scr: 0, divisor: 12, lines: MSR_CTS | MSR_DSR | MSR_DCD, delta: 0,
  rbr: 0, fifo: [], thrEmpty: false, timedOut: false, refused: false, timeoutAt: Infinity,
};

/** One serial port. The far end is always there: CTS, DSR and DCD are on unless `setModemLines` says otherwise. */
export class Uart implements BusDevice, Persist<UartState> {
  readonly #irq: InterruptLine;
  readonly #backend: SerialBackend;
  readonly #clock: Clock;
  readonly #timeout: Alarm;
  #state: UartState = copy(FRESH);

  /**
   * @param irq driven without regard to OUT2, which gates it on ISA cards: guests written under emulators forget to set it, and none relies on its absence.
   * @param name unique in the machine, names the timer.
   */
  constructor(clock: Clock, irq: InterruptLine, backend: SerialBackend, name: string) {
    this.#clock = clock;
    this.#irq = irq;
    this.#backend = backend;
    this.#timeout = new Alarm(clock, `uart.${name}`, () => {
      this.#state.timedOut = this.#state.fifo.length > 0;
      this.#update();
    });
  }

  /** Master reset. */
  reset(): void {
    const { lines, refused } = this.#state;
    this.#state = { ...copy(FRESH), lines, refused };
    this.#timeout.clear();
    this.#irq.set(false);
    this.#offerRoom();
  }

  /** Gives bytes from the line to the receiver. @returns how many it took; the rest is to be offered again after `ready`. */
  input(bytes: Uint8Array): number {
    const state = this.#state;
    if ((state.mcr & MCR_LOOP) !== 0) {
      state.refused = true;
      return 0;
    }
    const taken = Math.min(bytes.length, this.#capacity() - state.fifo.length);
    for (let i = 0; i < taken; i++) state.fifo.push(bytes[i]);
    if (taken < bytes.length) state.refused = true;
    if (taken > 0) this.#received();
    return Math.max(0, taken);
  }

  /** A break on the line: a zero byte with BI. */
  sendBreak(): void {
    this.#receive(0);
    this.#state.lsr |= LSR_BI;
    this.#update();
  }

  /** Sets the lines that the far end drives; changes set the delta bits. */
  setModemLines(lines: { cts: boolean; dsr: boolean; ri: boolean; dcd: boolean }): void {
    const state = this.#state;
    const before = this.#modemLines();
    state.lines = (lines.cts ? MSR_CTS : 0) | (lines.dsr ? MSR_DSR : 0) | (lines.ri ? MSR_RI : 0) | (lines.dcd ? MSR_DCD : 0);
    this.#compare(before);
    this.#update();
  }

  read(offset: number, _size: AccessSize): number {
    const state = this.#state;
    const dlab = (state.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case 0: return dlab ? state.divisor & 0xff : this.#takeByte();
      case 1: return dlab ? state.divisor >> 8 : state.ier;
      case 2: {
        const cause = this.#cause();
        // Reading IIR clears the transmitter's cause when it is the one that is told.
        if (cause === IIR_THR_EMPTY) {
          state.thrEmpty = false;
          this.#update();
        }
        return cause | ((state.fcr & FCR_ENABLE) !== 0 ? IIR_FIFOS : 0);
      }
      case 3: return state.lcr;
      case 4: return state.mcr;
      case 5: {
        const lsr = this.#lsr();
        state.lsr &= ~LSR_ERRORS;
        this.#update();
        return lsr;
      }
      case 6: {
        const msr = this.#modemLines() | state.delta;
        state.delta = 0;
        this.#update();
        return msr;
      }
      default: return state.scr;
    }
  }

  write(offset: number, _size: AccessSize, value: number): void {
    const state = this.#state;
    const dlab = (state.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case 0:
        if (dlab) state.divisor = (state.divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case 1:
        if (dlab) {
          state.divisor = (state.divisor & 0xff) | (value << 8);
          break;
        }
        // Enabling the transmitter's interrupt while it is empty asks at once.
        if ((value & ~state.ier & IER_ETBEI) !== 0) state.thrEmpty = true;
        state.ier = value & 0x0f;
        break;
      case 2: this.#writeFcr(value); break;
      case 3: state.lcr = value; break;
      case 4: {
        const before = this.#modemLines();
        state.mcr = value & 0x1f;
        this.#compare(before);
        if ((value & MCR_LOOP) === 0) this.#offerRoom();
        break;
      }
      case 7: state.scr = value; break;
    }
    this.#update();
  }

  save(): UartState {
    return { ...copy(this.#state), timeoutAt: this.#timeout.deadline };
  }

  restore(state: UartState): void {
    this.#state = conform(state, FRESH);
    this.#timeout.set(this.#state.timeoutAt);
  }

  #capacity(): number {
    return (this.#state.fcr & FCR_ENABLE) !== 0 ? FIFO_SIZE : 1;
  }

  #trigger(): number {
    const { fcr } = this.#state;
    return (fcr & FCR_ENABLE) !== 0 ? TRIGGER_LEVELS[fcr >> 6] : 1;
  }

  #lsr(): number {
    return this.#state.lsr | (this.#state.fifo.length > 0 ? LSR_DR : 0);
  }

  /** The cause of the highest priority as IIR tells it (data sheet, table IV). */
  #cause(): number {
    const { ier, lsr, fifo, thrEmpty, timedOut, delta } = this.#state;
    if ((ier & IER_ELSI) !== 0 && (lsr & LSR_ERRORS) !== 0) return IIR_LINE_STATUS;
    if ((ier & IER_ERBFI) !== 0 && fifo.length >= this.#trigger()) return IIR_RECEIVED_DATA;
    if ((ier & IER_ERBFI) !== 0 && timedOut) return IIR_CHARACTER_TIMEOUT;
    if ((ier & IER_ETBEI) !== 0 && thrEmpty) return IIR_THR_EMPTY;
    if ((ier & IER_EDSSI) !== 0 && delta !== 0) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  #update(): void {
    this.#irq.set(this.#cause() !== IIR_NONE);
  }

  #transmit(byte: number): void {
    const state = this.#state;
    // A driver that waits for an edge must see the line fall between two bytes.
    state.thrEmpty = false;
    this.#update();
    if ((state.mcr & MCR_LOOP) !== 0) this.#receive(byte);
    else this.#backend.output(byte);
    state.thrEmpty = true;
  }

  #receive(byte: number): void {
    const state = this.#state;
    if (state.fifo.length < this.#capacity()) state.fifo.push(byte);
    else {
      state.lsr |= LSR_OE;
      // Without FIFO the new character overwrites the old one; with it the FIFO stays as it is.
      if (this.#capacity() === 1) state.fifo[0] = byte;
    }
    this.#received();
  }

  #received(): void {
    this.#state.timedOut = false;
    this.#watch();
    this.#update();
  }

  /** Four character times without traffic raise the timeout interrupt (data sheet, "FIFO interrupt mode operation"). */
  #watch(): void {
    const { fcr, fifo, divisor, lcr } = this.#state;
    if ((fcr & FCR_ENABLE) === 0 || fifo.length === 0) return this.#timeout.clear();
    const bits = 1 + 5 + (lcr & 3) + ((lcr & 8) !== 0 ? 1 : 0) + ((lcr & 4) !== 0 ? 2 : 1);
    this.#timeout.set(this.#clock.now() + (4 * bits * Math.max(1, divisor) * 1e9) / BAUD_BASE);
  }

  #takeByte(): number {
    const state = this.#state;
    // An empty receiver buffer holds the last character; an empty FIFO has nothing.
    const byte = state.fifo.shift() ?? ((state.fcr & FCR_ENABLE) !== 0 ? 0 : state.rbr);
    state.rbr = byte;
    state.timedOut = false;
    this.#watch();
    this.#update();
    this.#offerRoom();
    return byte;
  }

  #offerRoom(): void {
    if (!this.#state.refused) return;
    this.#state.refused = false;
    this.#backend.ready?.();
  }

  #writeFcr(value: number): void {
    const state = this.#state;
    const toggled = ((value ^ state.fcr) & FCR_ENABLE) !== 0;
    if ((value & FCR_RESET_RECEIVER) !== 0 || toggled) {
      state.fifo = [];
      state.timedOut = false;
      this.#timeout.clear();
    }
    // An emptied transmitter asks for more, as after its last byte.
    if ((value & FCR_RESET_TRANSMITTER) !== 0 || toggled) state.thrEmpty = true;
    state.fcr = (value & FCR_ENABLE) !== 0 ? value & 0xc9 : 0;
    this.#offerRoom();
  }

  /** CTS, DSR, RI and DCD; in loopback they are RTS, DTR, OUT1 and OUT2. */
  #modemLines(): number {
    const { mcr, lines } = this.#state;
    if ((mcr & MCR_LOOP) === 0) return lines;
    return (
      ((mcr & MCR_RTS) !== 0 ? MSR_CTS : 0) | ((mcr & MCR_DTR) !== 0 ? MSR_DSR : 0) |
      ((mcr & MCR_OUT1) !== 0 ? MSR_RI : 0) | ((mcr & MCR_OUT2) !== 0 ? MSR_DCD : 0)
    );
  }

  /** Delta bits: any change of CTS, DSR and DCD, but only the end of RI. */
  #compare(before: number): void {
    const now = this.#modemLines();
    this.#state.delta |= ((before ^ now) & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4;
    this.#state.delta |= (before & ~now & MSR_RI) >> 4;
  }
}
