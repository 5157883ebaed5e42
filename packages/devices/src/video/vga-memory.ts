/**
 * The 256 KiB of a VGA and the path between them and the CPU (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"): four
 * planes of 64 KiB, of which text keeps characters in plane 0, attributes in plane 1 and fonts in plane 2. The sequencer says which
 * planes an address reaches, the graphics controller what happens to the data on the way.
 */

/** Registers of the sequencer and the graphics controller that govern CPU accesses. */
export type VgaDataPath = { readonly sequencer: Uint8Array; readonly graphics: Uint8Array };

/** Size of one plane. */
export const PLANE_SIZE = 0x10000;

const MAP_MASK = 2;
const MEMORY_MODE = 4;
const CHAIN_4 = 0x08;
const ODD_EVEN_OFF = 0x04;

const SET_RESET = 0;
const ENABLE_SET_RESET = 1;
const COLOR_COMPARE = 2;
const DATA_ROTATE = 3;
const READ_MAP = 4;
const MODE = 5;
const MISCELLANEOUS = 6;
const COLOR_DONT_CARE = 7;
const BIT_MASK = 8;

/** Start and length in the window A0000h to BFFFFh, by bits 3:2 of the miscellaneous register. */
const WINDOWS = [[0, 0x20000], [0, 0x10000], [0x10000, 0x8000], [0x18000, 0x8000]] as const;

/** One bit per plane to eight bits per plane, in the four bytes of a word. */
const SPREAD = Uint32Array.from({ length: 16 }, (_, planes) => [0, 1, 2, 3].reduce((word, i) => word + ((planes >> i) & 1) * 0xff * 2 ** (8 * i), 0));

/** Memory and latches. A word of `memory` holds the four planes' bytes of one address, plane 0 lowest. */
export class VgaMemory {
  /** 64 Ki addresses of four planes. */
  readonly memory = new Uint32Array(PLANE_SIZE);
  /** The four bytes that the last read loaded. */
  latches = 0;

  /** A CPU read at an offset into A0000h to BFFFFh. */
  read(path: VgaDataPath, offset: number): number {
    const { graphics, sequencer } = path;
    const address = this.#windowAddress(graphics, offset);
    if (address < 0) return 0xff;
    const mode = sequencer[MEMORY_MODE];
    if ((mode & CHAIN_4) !== 0) {
      this.latches = this.memory[address >> 2];
      return (this.latches >>> (8 * (address & 3))) & 0xff;
    }
    let plane = graphics[READ_MAP] & 3;
    let at = address;
    if ((mode & ODD_EVEN_OFF) === 0) {
      plane = (plane & 2) | (address & 1);
      at = address & ~1;
    }
    this.latches = this.memory[at & (PLANE_SIZE - 1)];
    if ((graphics[MODE] & 0x08) === 0) return (this.latches >>> (8 * plane)) & 0xff;
    // Read mode 1: a bit is set where the planes that are cared for match the colour.
    const difference = (this.latches ^ SPREAD[graphics[COLOR_COMPARE] & 15]) & SPREAD[graphics[COLOR_DONT_CARE] & 15];
    return ~(difference | (difference >>> 8) | (difference >>> 16) | (difference >>> 24)) & 0xff;
  }

  /** A CPU write at an offset into A0000h to BFFFFh. */
  write(path: VgaDataPath, offset: number, value: number): void {
    const { graphics, sequencer } = path;
    const address = this.#windowAddress(graphics, offset);
    if (address < 0) return;
    const mode = sequencer[MEMORY_MODE];
    const mapMask = sequencer[MAP_MASK] & 15;
    if ((mode & CHAIN_4) !== 0) {
      const plane = address & 3;
      if ((mapMask & (1 << plane)) !== 0) this.#store(address >> 2, (value << (8 * plane)) >>> 0, SPREAD[1 << plane]);
      return;
    }
    let at = address & (PLANE_SIZE - 1);
    let planes = mapMask;
    if ((mode & ODD_EVEN_OFF) === 0) {
      planes &= (address & 1) !== 0 ? 0b1010 : 0b0101;
      at &= ~1;
    }
    this.#store(at, this.#combine(graphics, value), SPREAD[planes]);
  }

  /** The bytes of one plane from an address on. */
  plane(plane: number, address: number): number {
    return (this.memory[address & (PLANE_SIZE - 1)] >>> (8 * plane)) & 0xff;
  }

  #store(address: number, word: number, mask: number): void {
    this.memory[address] = (this.memory[address] & ~mask) | (word & mask);
  }

  /** Offset into the plane's or chain's address space, or -1 outside the window that is in use. */
  #windowAddress(graphics: Uint8Array, offset: number): number {
    const [start, length] = WINDOWS[(graphics[MISCELLANEOUS] >> 2) & 3];
    const address = offset - start;
    return address >= 0 && address < length ? address : -1;
  }

  /** The graphics controller's write modes 0 to 3. */
  #combine(graphics: Uint8Array, value: number): number {
    const writeMode = graphics[MODE] & 3;
    if (writeMode === 1) return this.latches;
    const count = graphics[DATA_ROTATE] & 7;
    const rotated = ((value >> count) | (value << (8 - count))) & 0xff;
    const bitMask = writeMode === 3 ? graphics[BIT_MASK] & rotated : graphics[BIT_MASK];
    const mask = Math.imul(bitMask, 0x01010101);
    let word: number;
    if (writeMode === 0) {
      const enabled = SPREAD[graphics[ENABLE_SET_RESET] & 15];
      word = (Math.imul(rotated, 0x01010101) & ~enabled) | (SPREAD[graphics[SET_RESET] & 15] & enabled);
    } else {
      word = SPREAD[(writeMode === 2 ? value : graphics[SET_RESET]) & 15];
    }
    switch ((graphics[DATA_ROTATE] >> 3) & 3) {
      case 1: word &= this.latches; break;
      case 2: word |= this.latches; break;
      case 3: word ^= this.latches; break;
    }
    return (word & mask) | (this.latches & ~mask);
  }
}
