/**
 * A PS/2 mouse with three buttons and, after the knock 200, 100, 80, a wheel (IBM PS/2 Hardware Interface Technical Reference, "Mouse";
 * Microsoft IntelliMouse extension; 200, 200, 80 makes it the five-button Explorer).
 */

import { conform, copy } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { Ps2Device } from "./keyboard.ts";

const ACK = 0xfa;
const RESEND = 0xfe;
const ID_STANDARD = 0;
const ID_WHEEL = 3;
const ID_EXPLORER = 4;
/** Movement adds up while this many bytes wait. */
const QUEUE_LIMIT = 32;

/** Button bits, as in a packet's first byte and, above, as the Explorer's fourth. */
export const BUTTON = { LEFT: 1, RIGHT: 2, MIDDLE: 4, BACK: 8, FORWARD: 16 } as const;

/** `dx`, `dy`, `dz` are movements not yet told; `command` the byte whose argument is awaited; `knock` the last three rates. */
export type MouseState = {
  queue: number[]; id: number; rate: number; resolution: number; scaling2: boolean; enabled: boolean; remote: boolean; wrap: boolean;
  buttons: number; told: number; dx: number; dy: number; dz: number; command: number; last: number; knock: number[];
};

const FRESH: MouseState = {
  queue: [], id: ID_STANDARD, rate: 100, resolution: 2, scaling2: false, enabled: false, remote: false, wrap: false,
  buttons: 0, told: 0, dx: 0, dy: 0, dz: 0, command: 0, last: 0, knock: [0, 0, 0],
};

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** The mouse. */
export class Mouse implements Ps2Device, Persist<MouseState> {
  #state: MouseState = copy(FRESH);
  readonly #changed: () => void;

  /** @param changed told when bytes wait to be taken. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Power-on. */
  reset(): void {
    this.#state = copy(FRESH);
  }

  /** Moves by `dx` to the right, `dy` down, `dz` wheel clicks towards the user, with `buttons` (see `BUTTON`) held. */
  move(dx: number, dy: number, dz: number, buttons: number): void {
    const state = this.#state;
    state.dx += Math.trunc(dx);
    state.dy -= Math.trunc(dy);
    state.dz += Math.trunc(dz);
    state.buttons = buttons & 0x1f;
    this.#stream();
  }

  take(): number | undefined {
    const byte = this.#state.queue.shift();
    if (byte !== undefined) this.#state.last = byte;
    if (this.#state.queue.length === 0) this.#stream();
    return byte;
  }

  receive(byte: number): void {
    const state = this.#state;
    const { command } = state;
    state.command = 0;
    if (state.wrap && byte !== 0xec && byte !== 0xff) this.#answer(byte);
    else if (command !== 0) this.#argument(command, byte);
    else this.#command(byte);
    this.#changed();
  }

  save(): MouseState {
    return copy(this.#state);
  }

  restore(state: MouseState): void {
    this.#state = conform(state, FRESH);
  }

  /** Answers may exceed the limit of movements, but not without end: a guest may send commands and never read. */
  #answer(...bytes: number[]): void {
    if (this.#state.queue.length < 4 * QUEUE_LIMIT) this.#state.queue.push(...bytes);
  }

  #command(byte: number): void {
    const state = this.#state;
    switch (byte) {
      case 0xe6:
      case 0xe7:
        state.scaling2 = byte === 0xe7;
        return this.#answer(ACK);
      case 0xe8: // resolution
      case 0xf3: // sample rate
        state.command = byte;
        return this.#answer(ACK);
      case 0xe9: {
        const held = state.buttons & 7;
        // Status shows the buttons as left, middle, right from bit 2 down.
        const buttons = ((held & BUTTON.LEFT) << 2) | ((held & BUTTON.MIDDLE) >> 1) | ((held & BUTTON.RIGHT) >> 1);
        const flags = (state.remote ? 0x40 : 0) | (state.enabled ? 0x20 : 0) | (state.scaling2 ? 0x10 : 0);
        return this.#answer(ACK, flags | buttons, state.resolution, state.rate);
      }
      case 0xea:
        state.remote = false;
        return this.#answer(ACK);
      case 0xeb:
        this.#answer(ACK);
        return this.#packet();
      case 0xec:
        state.wrap = false;
        return this.#answer(ACK);
      case 0xee:
        state.wrap = true;
        return this.#answer(ACK);
      case 0xf0:
        state.remote = true;
        return this.#answer(ACK);
      case 0xf2: return this.#answer(ACK, state.id);
      case 0xf4:
      case 0xf5:
        state.enabled = byte === 0xf4;
        return this.#answer(ACK);
      case 0xf6:
        this.#defaults();
        return this.#answer(ACK);
      case 0xfe: return this.#answer(state.last);
      case 0xff:
        this.#state = copy(FRESH);
        return this.#answer(ACK, 0xaa, ID_STANDARD);
      default: return this.#answer(RESEND);
    }
  }

  #argument(command: number, byte: number): void {
    const state = this.#state;
    if (command === 0xe8) {
      state.resolution = byte & 3;
    } else {
      state.rate = byte;
      state.knock = [state.knock[1], state.knock[2], byte];
      const knock = state.knock.join();
      if (knock === "200,100,80") state.id = ID_WHEEL;
      else if (knock === "200,200,80" && state.id === ID_WHEEL) state.id = ID_EXPLORER;
    }
    this.#answer(ACK);
  }

  #defaults(): void {
    const { queue, id, buttons, last } = this.#state;
    this.#state = { ...copy(FRESH), queue, id, buttons, last };
  }

  #stream(): void {
    const state = this.#state;
    if (!state.enabled || state.remote) return;
    let sent = false;
    while (state.queue.length < QUEUE_LIMIT && this.#hasNews()) {
      this.#packet();
      sent = true;
    }
    if (sent) this.#changed();
  }

  #hasNews(): boolean {
    const { buttons, told, dx, dy, dz, id } = this.#state;
    return buttons !== told || dx !== 0 || dy !== 0 || (dz !== 0 && id !== ID_STANDARD);
  }

  /** One packet of what has moved; a movement beyond nine bits is spread over several. */
  #packet(): void {
    const state = this.#state;
    const dx = clamp(state.dx, -255, 255);
    const dy = clamp(state.dy, -255, 255);
    const dz = clamp(state.dz, -8, 7);
    state.dx -= dx;
    state.dy -= dy;
    state.dz = state.id === ID_STANDARD ? 0 : state.dz - dz;
    state.told = state.buttons;
    this.#answer(0x08 | (state.buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0), dx & 0xff, dy & 0xff);
    if (state.id === ID_WHEEL) this.#answer(dz & 0xff);
    else if (state.id === ID_EXPLORER) this.#answer((dz & 0x0f) | ((state.buttons & 0x18) << 1));
  }
}
