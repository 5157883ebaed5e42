/**
 * A VGA adapter as text needs it (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"): all register files, the memory
 * with its planes, and the text screen read from them. After power-on it stands in mode 3, 80x25 text, as its BIOS leaves it.
 *
 *   3C0/1 attribute  3C2 miscellaneous, status 0  3C4/5 sequencer  3C6..9 DAC  3CA/3CC reads  3CE/F graphics  3B4/5 or 3D4/5 CRTC
 *   3BA or 3DA status 1    memory A0000h..BFFFFh
 */

import type { Clock } from "@doppel/clock";
import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice } from "../bus/bus-device.ts";
import type { MmioBus } from "../bus/mmio-bus.ts";
import type { PortBus } from "../bus/port-bus.ts";
import { characterOf } from "./code-page-437.ts";
import { PLANE_SIZE, VgaMemory } from "./vga-memory.ts";

/** Register files of mode 3 in the order of their indexes. */
const MODE_3 = {
  miscellaneous: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff],
  attribute: [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00],
} as const;

/** Bits of the sequencer and graphics registers that exist; the others read zero. */
const SEQUENCER_BITS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0x00] as const;
const GRAPHICS_BITS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00] as const;

const COLOR_IO = 0x01;
const CRTC_PROTECT = 0x80;
const CRTC = { MAX_SCAN_LINE: 0x09, CURSOR_START: 0x0a, START_HIGH: 0x0c, CURSOR_HIGH: 0x0e, PROTECT: 0x11, DISPLAY_END: 0x12, OFFSET: 0x13 } as const;
const ATTRIBUTE = { MODE: 0x10, COLOUR_SELECT: 0x14 } as const;
const BLINK = 0x08;
/** Bits 5 and 4 of the palette come from the colour select register. */
const PALETTE_54 = 0x80;
const PALETTE_ON = 0x20;
const GRAPHICS_MODE = 0x01;

/** Mode 3 draws 449 lines at 31.469 kHz, 400 of them visible; the vertical sync pulse is lines 412 and 413. */
const LINE_NS = 31_778;
const LINES = 449;
const VISIBLE_LINES = 400;
const RETRACE_LINE = 412;
const LINE_BLANK_NS = 25_422;
const DISPLAY_OFF = 0x01;
const VERTICAL_RETRACE = 0x08;

/** The text screen: `cells` are the character codes and attributes in pairs, row after row. */
export type TextScreen = {
  readonly columns: number; readonly rows: string[]; readonly cells: Uint8Array;
  readonly cursor: { readonly row: number; readonly column: number; readonly visible: boolean };
  /** Red, green and blue of the sixteen colours, as the palette and the DAC have them, eight bits a part. */
  readonly colours: Uint8Array;
  /** Bit 7 of an attribute makes the character blink; else it makes the background bright. */
  readonly blink: boolean;
  /** False while a graphics mode is on; the rows are empty then. */
  readonly isText: boolean;
};

/** Register files, indexes, the DAC's access state and the memory. */
export type VgaState = {
  miscellaneous: number; feature: number; sequencer: Uint8Array; crtc: Uint8Array; graphics: Uint8Array; attribute: Uint8Array; dac: Uint8Array;
  sequencerIndex: number; crtcIndex: number; graphicsIndex: number; attributeIndex: number; attributeData: boolean;
  dacIndex: number; dacPart: number; dacReading: boolean; dacMask: number; enabled: number; latches: number; memory: Uint8Array;
};

/** `values` filled up to `length` registers. */
function registerFile(values: readonly number[], length: number): Uint8Array {
  const file = new Uint8Array(length);
  file.set(values);
  return file;
}

/** The sixteen colours of mode 3 at the DAC entries that the palette uses, six bits a part. */
function textColours(): Uint8Array {
  const dac = new Uint8Array(768);
  for (let i = 0; i < 64; i++) {
    // Bits 2 1 0 are the strong red, green and blue, bits 5 4 3 the weak ones.
    for (let part = 0; part < 3; part++) dac[3 * i + part] = ((i >> (2 - part)) & 1) * 42 + ((i >> (5 - part)) & 1) * 21;
  }
  return dac;
}

/** The adapter. */
export class Vga implements BusDevice, Persist<VgaState> {
  readonly #clock: Clock;
  readonly #memory = new VgaMemory();
  #state!: Omit<VgaState, "latches" | "memory">;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.reset();
  }

  /** Claims ports 3B0h to 3DFh and the memory window. */
  attach(ports: PortBus, memory: MmioBus): void {
    ports.register(0x3b0, 0x30, { read: (offset) => this.#readPort(0x3b0 + offset), write: (offset, _size, value) => this.#writePort(0x3b0 + offset, value) }, "VGA");
    memory.register(0xa0000, 0x20000, this, "VGA memory");
  }

  /** Mode 3 with an empty screen. */
  reset(): void {
    this.#state = {
      miscellaneous: MODE_3.miscellaneous, feature: 0, sequencer: registerFile(MODE_3.sequencer, 8), crtc: registerFile(MODE_3.crtc, 32),
      graphics: registerFile(MODE_3.graphics, 16), attribute: registerFile(MODE_3.attribute, 32), dac: textColours(),
      sequencerIndex: 0, crtcIndex: 0, graphicsIndex: 0, attributeIndex: PALETTE_ON, attributeData: false,
      dacIndex: 0, dacPart: 0, dacReading: false, dacMask: 0xff, enabled: 1,
    };
    this.#memory.latches = 0;
    this.#memory.memory.fill(0);
    // Blank cells, light grey on black.
    for (let at = 0; at < 2 * 80 * 25; at += 2) this.#memory.memory[at] = 0x0720;
  }

  /** Memory window: wider accesses are bytes one after the other, as on the adapter's bus. */
  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#memory.read(this.#state, offset + i) << (8 * i);
    return value >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.#memory.write(this.#state, offset + i, (value >>> (8 * i)) & 0xff);
  }

  /** What is on the screen now. */
  screen(): TextScreen {
    const { crtc, graphics } = this.#state;
    const isText = (graphics[6] & GRAPHICS_MODE) === 0;
    const columns = crtc[1] + 1;
    const overflow = crtc[7];
    const scanLines = (crtc[CRTC.DISPLAY_END] | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
    const rowCount = isText ? Math.floor(scanLines / ((crtc[CRTC.MAX_SCAN_LINE] & 0x1f) + 1)) : 0;
    const start = (crtc[CRTC.START_HIGH] << 8) | crtc[CRTC.START_HIGH + 1];
    const pitch = crtc[CRTC.OFFSET] * 2;
    const cells = new Uint8Array(2 * columns * rowCount);
    const rows: string[] = [];
    for (let row = 0; row < rowCount; row++) {
      let text = "";
      for (let column = 0; column < columns; column++) {
        // The CRTC counts words of character and attribute; odd/even addressing puts each at an even address.
        const address = 2 * (start + row * pitch + column);
        const code = this.#memory.plane(0, address);
        cells[2 * (row * columns + column)] = code;
        cells[2 * (row * columns + column) + 1] = this.#memory.plane(1, address);
        text += characterOf(code);
      }
      rows.push(text);
    }
    const cursor = ((crtc[CRTC.CURSOR_HIGH] << 8) | crtc[CRTC.CURSOR_HIGH + 1]) - start;
    const row = pitch > 0 ? Math.floor(cursor / pitch) : 0;
    const column = pitch > 0 ? cursor - row * pitch : 0;
    const visible = (crtc[CRTC.CURSOR_START] & 0x20) === 0 && row >= 0 && row < rowCount && column < columns;
    const blink = (this.#state.attribute[ATTRIBUTE.MODE] & BLINK) !== 0;
    return { columns, rows, cells, cursor: { row, column, visible }, colours: this.#colours(), blink, isText };
  }

  /** What the sixteen attributes look like: through the palette, and the DAC behind it. */
  #colours(): Uint8Array {
    const { attribute, dac, dacMask } = this.#state;
    const select = attribute[ATTRIBUTE.COLOUR_SELECT];
    const colours = new Uint8Array(48);
    for (let n = 0; n < 16; n++) {
      const low = (attribute[ATTRIBUTE.MODE] & PALETTE_54) !== 0 ? (attribute[n] & 0x0f) | ((select & 3) << 4) : attribute[n] & 0x3f;
      const at = 3 * ((low | ((select & 0x0c) << 4)) & dacMask);
      for (let part = 0; part < 3; part++) colours[3 * n + part] = Math.round(((dac[at + part] & 0x3f) * 255) / 63);
    }
    return colours;
  }

  save(): VgaState {
    const { sequencer, crtc, graphics, attribute, dac, ...rest } = this.#state;
    const words = this.#memory.memory;
    const memory = new Uint8Array(4 * PLANE_SIZE);
    // Plane after plane, so that saved bytes do not depend on the host's byte order and runs stay long.
    for (let at = 0; at < PLANE_SIZE; at++) for (let plane = 0; plane < 4; plane++) memory[plane * PLANE_SIZE + at] = words[at] >>> (8 * plane);
    return {
      ...rest, sequencer: sequencer.slice(), crtc: crtc.slice(), graphics: graphics.slice(), attribute: attribute.slice(), dac: dac.slice(),
      latches: this.#memory.latches >>> 0, memory,
    };
  }

  restore(state: VgaState): void {
    const { latches, memory, ...rest } = conform(state, this.save());
    this.#state = rest;
    this.#memory.latches = latches;
    for (let at = 0; at < PLANE_SIZE; at++) {
      this.#memory.memory[at] = memory[at] | (memory[PLANE_SIZE + at] << 8) | (memory[2 * PLANE_SIZE + at] << 16) | (memory[3 * PLANE_SIZE + at] << 24);
    }
  }

  /** The CRTC and status 1 answer at 3Dxh in colour, at 3Bxh in monochrome. */
  #crtcPort(port: number): number {
    const base = (this.#state.miscellaneous & COLOR_IO) !== 0 ? 0x3d0 : 0x3b0;
    return port >= base && port < base + 0x10 ? port - base : -1;
  }

  #readPort(port: number): number {
    const state = this.#state;
    switch (port) {
      case 0x3c0: return state.attributeIndex;
      case 0x3c1: return state.attribute[state.attributeIndex & 0x1f];
      case 0x3c2: return 0x10;
      case 0x3c3: return state.enabled;
      case 0x3c4: return state.sequencerIndex;
      case 0x3c5: return state.sequencer[state.sequencerIndex];
      case 0x3c6: return state.dacMask;
      case 0x3c7: return state.dacReading ? 3 : 0;
      case 0x3c8: return state.dacIndex;
      case 0x3c9: return this.#nextDac(-1);
      case 0x3ca: return state.feature;
      case 0x3cc: return state.miscellaneous;
      case 0x3ce: return state.graphicsIndex;
      case 0x3cf: return state.graphics[state.graphicsIndex];
    }
    switch (this.#crtcPort(port)) {
      case 0x4: return state.crtcIndex;
      case 0x5: return state.crtc[state.crtcIndex];
      case 0xa:
        state.attributeData = false;
        return this.#inputStatus();
      default: return 0xff;
    }
  }

  #writePort(port: number, value: number): void {
    const state = this.#state;
    switch (port) {
      case 0x3c0: return this.#writeAttribute(value);
      case 0x3c2: state.miscellaneous = value; return;
      case 0x3c3: state.enabled = value & 1; return;
      case 0x3c4: state.sequencerIndex = value & 7; return;
      case 0x3c5: state.sequencer[state.sequencerIndex] = value & SEQUENCER_BITS[state.sequencerIndex]; return;
      case 0x3c6: state.dacMask = value; return;
      case 0x3c7:
      case 0x3c8:
        state.dacIndex = value;
        state.dacPart = 0;
        state.dacReading = port === 0x3c7;
        return;
      case 0x3c9: this.#nextDac(value & 0x3f); return;
      case 0x3ce: state.graphicsIndex = value & 15; return;
      case 0x3cf: state.graphics[state.graphicsIndex] = value & GRAPHICS_BITS[state.graphicsIndex]; return;
    }
    switch (this.#crtcPort(port)) {
      case 0x4: state.crtcIndex = value & 0x1f; return;
      case 0x5: return this.#writeCrtc(value);
      case 0xa: state.feature = value; return;
    }
  }

  /** 3C0h takes index and data by turns; a read of status 1 makes the next one an index. */
  #writeAttribute(value: number): void {
    const state = this.#state;
    if (!state.attributeData) state.attributeIndex = value & 0x3f;
    else if ((state.attributeIndex & 0x1f) < 0x15) state.attribute[state.attributeIndex & 0x1f] = value;
    state.attributeData = !state.attributeData;
  }

  #writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this.#state;
    if (crtcIndex <= 7 && (crtc[CRTC.PROTECT] & CRTC_PROTECT) !== 0) {
      // Of the protected registers only the line-compare bit of the overflow register can be written.
      if (crtcIndex === 7) crtc[7] = (crtc[7] & ~0x10) | (value & 0x10);
      return;
    }
    crtc[crtcIndex] = value;
  }

  /** Red, green and blue by turns; then the index goes on. Reads with -1. */
  #nextDac(value: number): number {
    const state = this.#state;
    const at = 3 * state.dacIndex + state.dacPart;
    if (value >= 0) state.dac[at] = value;
    const read = state.dac[at];
    state.dacPart = (state.dacPart + 1) % 3;
    if (state.dacPart === 0) state.dacIndex = (state.dacIndex + 1) & 0xff;
    return read;
  }

  /** Status 1 from where the beam would be. */
  #inputStatus(): number {
    const now = this.#clock.now();
    const line = Math.floor(now / LINE_NS) % LINES;
    const blank = line >= VISIBLE_LINES || now % LINE_NS >= LINE_BLANK_NS;
    const retrace = line >= RETRACE_LINE && line < RETRACE_LINE + 2;
    return (blank ? DISPLAY_OFF : 0) | (retrace ? VERTICAL_RETRACE : 0);
  }
}
