/**
 * The 8042 keyboard controller of a PS/2 (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"):
 * one output buffer shared by keyboard, mouse and the controller's own answers, with IRQ1 and IRQ12 while it is full.
 *
 *   60h data    64h status (read), command (write)
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, InterruptLine } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";
import { Keyboard } from "./keyboard.ts";
import type { KeyboardState } from "./keyboard.ts";
import { Mouse } from "./mouse.ts";
import type { MouseState } from "./mouse.ts";
import { translate } from "./scan-codes.ts";

const STATUS_OBF = 0x01;
const STATUS_SYS = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX_OBF = 0x20;

const CTR_KBD_INT = 0x01;
const CTR_AUX_INT = 0x02;
const CTR_SYS = 0x04;
const CTR_KBD_OFF = 0x10;
const CTR_AUX_OFF = 0x20;
const CTR_TRANSLATE = 0x40;

const OUTPUT_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KBD_IRQ = 0x10;
const OUTPUT_AUX_IRQ = 0x20;
/** Output port bits that are not driven, the lines to the keyboard among them, read one. */
const OUTPUT_ONES = 0xcc;

/** What the controller's output port reaches outside it. */
export interface I8042Outputs {
  /** The A20 gate, which port 92h drives too. */
  a20: { get(): boolean; set(open: boolean): void };
  /** Pulls the CPU's reset. */
  reset(): void;
  /** The keyboard's LEDs changed, see `LED`. */
  leds?(leds: number): void;
}

/**
 * `answers` are the controller's own bytes, each with bit 8 set when it shows as the mouse's; `full` says that `data` waits in the
 * output buffer; `command` is the command whose data byte is awaited, or 0; `released` that translation saw F0h.
 */
export type I8042State = {
  ctr: number; ram: Uint8Array; data: number; full: boolean; fromAux: boolean; answers: number[]; command: number; wasCommand: boolean;
  released: boolean; keyboard: KeyboardState; mouse: MouseState;
};

/** Keyboard controller, with the keyboard and the mouse plugged in. */
export class I8042 implements BusDevice, Persist<I8042State> {
  /** The keyboard at the first port. */
  readonly keyboard: Keyboard;
  /** The mouse at the second port. */
  readonly mouse: Mouse;
  readonly #keyboardIrq: InterruptLine;
  readonly #mouseIrq: InterruptLine;
  readonly #outputs: I8042Outputs;
  #ctr = 0;
  #ram: Uint8Array = new Uint8Array(32);
  #data = 0;
  #full = false;
  #fromAux = false;
  #answers: number[] = [];
  #command = 0;
  #wasCommand = false;
  #released = false;

  constructor(keyboardIrq: InterruptLine, mouseIrq: InterruptLine, outputs: I8042Outputs) {
    this.#keyboardIrq = keyboardIrq;
    this.#mouseIrq = mouseIrq;
    this.#outputs = outputs;
    this.keyboard = new Keyboard(() => this.#fill(), (leds) => outputs.leds?.(leds));
    this.mouse = new Mouse(() => this.#fill());
    this.reset();
  }

  /** Claims ports 60h and 64h. */
  attach(ports: PortBus): void {
    ports.register(0x60, 1, this, "8042 data");
    const status: BusDevice = { read: () => this.#status(), write: (_offset, _size, value) => this.#writeCommand(value) };
    ports.register(0x64, 1, status, "8042 command");
  }

  /** Power-on state. */
  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.#ctr = CTR_KBD_INT | CTR_AUX_INT;
    this.#ram.fill(0);
    this.#data = 0;
    this.#full = false;
    this.#fromAux = false;
    this.#answers = [];
    this.#command = 0;
    this.#wasCommand = false;
    this.#released = false;
    this.#drive();
  }

  /** Port 60h: takes the byte in the output buffer, or gives the last one again. */
  read(_offset: number, _size: AccessSize): number {
    const data = this.#data;
    this.#full = false;
    this.#drive();
    this.#fill();
    return data;
  }

  /** Port 60h: data of a command, or a byte for the keyboard. */
  write(_offset: number, _size: AccessSize, value: number): void {
    const command = this.#command;
    this.#command = 0;
    this.#wasCommand = false;
    if (command >= 0x60 && command < 0x80) this.#writeRam(command & 0x1f, value);
    else if (command === 0xd1) this.#writeOutputPort(value);
    else if (command === 0xd2) this.#answers.push(value);
    else if (command === 0xd3) this.#answers.push(value | 0x100);
    else if (command === 0xd4) {
      this.#ctr &= ~CTR_AUX_OFF;
      this.mouse.receive(value);
    } else {
      // Sending to the keyboard clocks its line, which enables it again.
      this.#ctr &= ~CTR_KBD_OFF;
      this.keyboard.receive(value);
    }
    this.#fill();
  }

  save(): I8042State {
    return copy({
      ctr: this.#ctr, ram: this.#ram, data: this.#data, full: this.#full, fromAux: this.#fromAux, answers: this.#answers,
      command: this.#command, wasCommand: this.#wasCommand, released: this.#released,
      keyboard: this.keyboard.save(), mouse: this.mouse.save(),
    });
  }

  restore(state: I8042State): void {
    // The two devices know the shapes of their own states.
    const { keyboard, mouse, ...own } = state;
    const { keyboard: _keyboard, mouse: _mouse, ...shape } = { ...this.save(), answers: [] as number[] };
    const taken = conform(own, shape);
    this.keyboard.restore(keyboard);
    this.mouse.restore(mouse);
    this.#ctr = taken.ctr;
    this.#ram = taken.ram;
    this.#data = taken.data;
    this.#full = taken.full;
    this.#fromAux = taken.fromAux;
    this.#answers = taken.answers;
    this.#command = taken.command;
    this.#wasCommand = taken.wasCommand;
    this.#released = taken.released;
  }

  #status(): number {
    const full = this.#full ? STATUS_OBF | (this.#fromAux ? STATUS_AUX_OBF : 0) : 0;
    return full | ((this.#ctr & CTR_SYS) !== 0 ? STATUS_SYS : 0) | (this.#wasCommand ? STATUS_COMMAND : 0) | STATUS_UNLOCKED;
  }

  /** Loads the empty output buffer: the controller's own answers first, then keyboard, then mouse, each if its port is on. */
  #fill(): void {
    while (!this.#full) {
      const answer = this.#answers.shift();
      if (answer !== undefined) {
        this.#load(answer & 0xff, (answer & 0x100) !== 0);
        return;
      }
      const key = (this.#ctr & CTR_KBD_OFF) === 0 ? this.keyboard.take() : undefined;
      if (key !== undefined) {
        this.#loadKey(key);
        continue;
      }
      const movement = (this.#ctr & CTR_AUX_OFF) === 0 ? this.mouse.take() : undefined;
      if (movement !== undefined) this.#load(movement, true);
      return;
    }
  }

  #loadKey(byte: number): void {
    if ((this.#ctr & CTR_TRANSLATE) === 0) return this.#load(byte, false);
    if (byte === 0xf0) {
      this.#released = true;
      return;
    }
    this.#load(translate(byte) | (this.#released ? 0x80 : 0), false);
    this.#released = false;
  }

  #load(byte: number, fromAux: boolean): void {
    this.#data = byte;
    this.#full = true;
    this.#fromAux = fromAux;
    this.#drive();
  }

  #drive(): void {
    this.#keyboardIrq.set(this.#full && !this.#fromAux && (this.#ctr & CTR_KBD_INT) !== 0);
    this.#mouseIrq.set(this.#full && this.#fromAux && (this.#ctr & CTR_AUX_INT) !== 0);
  }

  #writeRam(index: number, value: number): void {
    if (index === 0) {
      this.#ctr = value;
      this.#drive();
    } else {
      this.#ram[index] = value;
    }
  }

  #outputPort(): number {
    const irqs = this.#full ? (this.#fromAux ? OUTPUT_AUX_IRQ : OUTPUT_KBD_IRQ) : 0;
    return OUTPUT_ONES | OUTPUT_RESET | (this.#outputs.a20.get() ? OUTPUT_A20 : 0) | irqs;
  }

  #writeOutputPort(value: number): void {
    this.#outputs.a20.set((value & OUTPUT_A20) !== 0);
    if ((value & OUTPUT_RESET) === 0) this.#outputs.reset();
  }

  #writeCommand(value: number): void {
    this.#wasCommand = true;
    this.#command = 0;
    if (value >= 0x20 && value < 0x40) {
      this.#answers.push(value === 0x20 ? this.#ctr : this.#ram[value & 0x1f]);
    } else if (value >= 0xf0) {
      // Pulses output port bits 3 to 0 that are clear in the command; bit 0 is reset.
      if ((value & OUTPUT_RESET) === 0) this.#outputs.reset();
    } else {
      switch (value) {
        case 0xa7: this.#ctr |= CTR_AUX_OFF; break;
        case 0xa8: this.#ctr &= ~CTR_AUX_OFF; break;
        case 0xa9: this.#answers.push(0x00); break;
        case 0xaa:
          this.#ctr |= CTR_SYS;
          this.#answers.push(0x55);
          break;
        case 0xab: this.#answers.push(0x00); break;
        case 0xad: this.#ctr |= CTR_KBD_OFF; break;
        case 0xae: this.#ctr &= ~CTR_KBD_OFF; break;
        case 0xc0: this.#answers.push(0x80); break;
        case 0xd0: this.#answers.push(this.#outputPort()); break;
        case 0xdd: this.#outputs.a20.set(false); break;
        case 0xdf: this.#outputs.a20.set(true); break;
        case 0xe0: this.#answers.push(0x00); break;
        default:
          if ((value >= 0x60 && value < 0x80) || (value >= 0xd1 && value <= 0xd4)) this.#command = value;
      }
    }
    // A guest that never reads cannot make the queue of answers grow without end.
    if (this.#answers.length > 16) this.#answers.length = 16;
    this.#fill();
  }
}
