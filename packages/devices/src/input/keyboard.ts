/**
 * A PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboard"): commands from the host side, scan codes of sets 1, 2
 * and 3 towards it. It neither debounces nor repeats: who presses the keys repeats them.
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import { scanCode } from "./scan-codes.ts";

const ACK = 0xfa;
const RESEND = 0xfe;
const BAT_PASSED = 0xaa;
/** Room for pasted text; the original had 16 bytes. Answers to commands have as much again. */
const QUEUE_LIMIT = 256;

/** LED bits of command EDh. */
export const LED = { SCROLL_LOCK: 1, NUM_LOCK: 2, CAPS_LOCK: 4 } as const;

/** `command` is the byte whose argument is awaited, or 0. */
export type KeyboardState = { queue: number[]; set: number; enabled: boolean; leds: number; command: number; last: number };

const FRESH: KeyboardState = { queue: [], set: 2, enabled: true, leds: 0, command: 0, last: 0 };

/** What hangs at one port of the 8042. */
export interface Ps2Device {
  /** Takes a byte from the controller. */
  receive(byte: number): void;
  /** The next byte for the controller, or undefined. */
  take(): number | undefined;
}

/** The keyboard. */
export class Keyboard implements Ps2Device, Persist<KeyboardState> {
  #state: KeyboardState = copy(FRESH);
  readonly #changed: () => void;
  readonly #ledsChanged: (leds: number) => void;

  /** @param changed told when bytes wait to be taken. @param ledsChanged told the LEDs, see `LED`. */
  constructor(changed: () => void, ledsChanged: (leds: number) => void = () => {}) {
    this.#changed = changed;
    this.#ledsChanged = ledsChanged;
  }

  /** Power-on, without the self-test's answer: the firmware that waits for it is past. */
  reset(): void {
    this.#state = copy(FRESH);
  }

  /** LEDs that are lit. */
  get leds(): number {
    return this.#state.leds;
  }

  /**
   * Presses or releases a key, named as in `KeyboardEvent.code`.
   *
   * @returns whether the code went out: false for a name that the keyboard has no key for, while scanning is disabled, and when the queue is full.
   */
  key(name: string, down: boolean): boolean {
    const state = this.#state;
    const code = scanCode(name, state.set as 1 | 2 | 3, down);
    if (code === undefined || !state.enabled || state.queue.length + code.length > QUEUE_LIMIT) return false;
    state.queue.push(...code);
    this.#changed();
    return true;
  }

  take(): number | undefined {
    const byte = this.#state.queue.shift();
    if (byte !== undefined) this.#state.last = byte;
    return byte;
  }

  receive(byte: number): void {
    const state = this.#state;
    const { command } = state;
    state.command = 0;
    // A command byte in place of an argument cancels the command that waited (its values are all below EDh).
    if (command !== 0 && byte < 0xed) this.#argument(command, byte);
    else this.#command(byte);
    this.#changed();
  }

  save(): KeyboardState {
    return copy(this.#state);
  }

  restore(state: KeyboardState): void {
    this.#state = conform(state, FRESH);
    if (this.#state.set !== 1 && this.#state.set !== 3) this.#state.set = 2;
  }

  /** Answers have room beyond that of scan codes, but not endless room: a guest may send commands and never read. */
  #answer(...bytes: number[]): void {
    if (this.#state.queue.length < 2 * QUEUE_LIMIT) this.#state.queue.push(...bytes);
  }

  #command(byte: number): void {
    const state = this.#state;
    switch (byte) {
      case 0xed: // LEDs
      case 0xf0: // scan code set
      case 0xf3: // typematic rate and delay
      case 0xfb: // key type typematic, make/break, make: each takes a key
      case 0xfc:
      case 0xfd:
        state.command = byte;
        return this.#answer(ACK);
      case 0xee: return this.#answer(0xee);
      case 0xf2: return this.#answer(ACK, 0xab, 0x83);
      case 0xf4:
        state.queue = [];
        state.enabled = true;
        return this.#answer(ACK);
      case 0xf5:
      case 0xf6:
        state.queue = [];
        state.enabled = byte === 0xf6;
        state.set = 2;
        return this.#answer(ACK);
      case 0xf7: // all keys typematic, make/break, make, or both
      case 0xf8:
      case 0xf9:
      case 0xfa:
        return this.#answer(ACK);
      case 0xfe: return this.#answer(state.last);
      case 0xff:
        this.#state = copy(FRESH);
        this.#ledsChanged(0);
        return this.#answer(ACK, BAT_PASSED);
      default: return this.#answer(RESEND);
    }
  }

  #argument(command: number, byte: number): void {
    const state = this.#state;
    if (command === 0xed) {
      state.leds = byte & 7;
      this.#ledsChanged(state.leds);
    } else if (command === 0xf0) {
      if (byte > 3) return this.#answer(RESEND);
      if (byte === 0) return this.#answer(ACK, state.set);
      state.set = byte;
    } else if (command >= 0xfb) {
      // Single key types: one key may follow another until a command comes.
      state.command = command;
    }
    this.#answer(ACK);
  }
}
