/**
 * The physical memory of a PC: RAM on both sides of the PCI hole, the BIOS image at the top of 4 GiB and again below 1 MiB, and
 * the shadow RAM behind it (82441FX, PAM). Each page of C0000h to FFFFFh has a RAM frame and, where an image stands, a ROM
 * frame; the bridge's registers decide which of them the processor reads and writes.
 */
import { type Frame, type Frames, PAGE_SIZE, PhysicalMap } from "@doppel/memory";
import type { ShadowRange } from "@doppel/devices";
import { layoutMemory, mapBios, type RomRegion } from "@doppel/firmware";

const SHADOW_START = 0xc0000;
const SHADOW_END = 0x100000;
const LOW_RAM_END = 0xa0000;
const FOUR_GIB = 0x1_0000_0000;

/** Frames that the machine needs beyond its RAM: ROM frames for a BIOS image of the largest size. */
export function framesFor(memory: number, bios: number): number {
  return memory / PAGE_SIZE + Math.ceil(bios / PAGE_SIZE) + (SHADOW_END - SHADOW_START) / PAGE_SIZE;
}

/** Pages up to the end of RAM. */
function pagesOf(memory: number): number {
  const { lowEnd, highEnd } = layoutMemory(memory);
  return Math.max(lowEnd, highEnd) / PAGE_SIZE;
}

/** Bytes of the arena that say where the machine's pages are. */
export function mapSize(memory: number): number {
  return PhysicalMap.sizeFor(pagesOf(memory));
}

/** RAM and ROM of one machine. */
export class PcMemory {
  readonly map: PhysicalMap;
  /** Bytes of RAM. */
  readonly size: number;
  private readonly frames: Frames;
  /** RAM frame and ROM frame (0: none) of each page of the shadowed area. */
  private readonly shadow: { readonly ram: Frame; rom: Frame }[] = [];
  /** Pages that read ROM and write RAM: accesses come to `readSplit` and `writeSplit`. */
  private readonly split = new Set<number>();

  /** @param size bytes of RAM @throws {FirmwareError} when no PC has that much */
  constructor(frames: Frames, size: number) {
    this.frames = frames;
    this.size = size;
    this.map = new PhysicalMap(frames, pagesOf(size));
    const { lowEnd, highEnd } = layoutMemory(size);
    this.map.addRam(0, LOW_RAM_END);
    for (let at = SHADOW_START; at < SHADOW_END; at += PAGE_SIZE) this.shadow.push({ ram: frames.allocate(), rom: 0 });
    this.map.addRam(SHADOW_END, lowEnd - SHADOW_END);
    if (highEnd > FOUR_GIB) this.map.addRam(FOUR_GIB, highEnd - FOUR_GIB);
    this.apply([{ start: SHADOW_START, size: SHADOW_END - SHADOW_START, readRam: true, writeRam: true }]);
  }

  /** Puts a BIOS image where the reset vector finds it; the shadowed area reads it until the bridge says otherwise. */
  addBios(image: Uint8Array): void {
    const { high, legacy } = mapBios(image);
    this.addRom(high, (page, frame) => this.map.map(page, frame, "rom"));
    this.addRom(legacy, (page, frame) => {
      this.shadow[page - SHADOW_START / PAGE_SIZE]!.rom = frame;
    });
    this.apply([{ start: SHADOW_START, size: SHADOW_END - SHADOW_START, readRam: false, writeRam: false }]);
  }

  private addRom(region: RomRegion, put: (page: number, frame: Frame) => void): void {
    for (let at = 0; at < region.bytes.length; at += PAGE_SIZE) {
      const frame = this.frames.allocate();
      this.frames.arena.u8.set(region.bytes.subarray(at, at + PAGE_SIZE), this.frames.address(frame));
      put((region.base + at) / PAGE_SIZE, frame);
    }
  }

  /** Maps the shadowed area as the bridge says. The TLBs must be flushed afterwards. */
  apply(ranges: readonly ShadowRange[]): void {
    for (const { start, size, readRam, writeRam } of ranges) {
      for (let page = start / PAGE_SIZE; page < (start + size) / PAGE_SIZE; page++) {
        const { ram, rom } = this.shadow[page - SHADOW_START / PAGE_SIZE]!;
        this.split.delete(page);
        if (readRam) this.map.map(page, ram, writeRam ? "ram" : "rom");
        else if (writeRam) {
          this.split.add(page);
          this.map.unmap(page);
        } else if (rom !== 0) this.map.map(page, rom, "rom");
        else this.map.unmap(page);
      }
    }
  }

  /** Whether an address lies in a page that reads ROM and writes RAM. */
  isSplit(physical: number): boolean {
    return this.split.has(Math.floor(physical / PAGE_SIZE));
  }

  /** Reads a split page: its ROM, or all ones. */
  readSplit(physical: number, size: number): number {
    const { rom } = this.shadow[Math.floor(physical / PAGE_SIZE) - SHADOW_START / PAGE_SIZE]!;
    let value = 0;
    for (let n = size - 1; n >= 0; n--) value = value * 256 + (rom === 0 ? 0xff : this.frames.arena.u8[this.frames.address(rom) + (physical % PAGE_SIZE) + n]!);
    return value;
  }

  /** Writes a split page: the RAM behind it. */
  writeSplit(physical: number, size: number, value: number): void {
    const { ram } = this.shadow[Math.floor(physical / PAGE_SIZE) - SHADOW_START / PAGE_SIZE]!;
    for (let n = 0; n < size; n++) this.frames.arena.u8[this.frames.address(ram) + (physical % PAGE_SIZE) + n] = value >>> (8 * n);
  }

  /** Every RAM frame in a fixed order: what a saved machine holds. */
  *ramFrames(): Generator<Frame> {
    for (const { ram } of this.shadow) yield ram;
    for (const { page, frame, kind } of this.map.pages()) {
      if (kind === "ram" && (page < SHADOW_START / PAGE_SIZE || page >= SHADOW_END / PAGE_SIZE)) yield frame;
    }
  }
}
