/**
 * The firmware configuration device of QEMU's PC machines (specification "QEMU Firmware Configuration Device"): a list of items that the
 * host gives to firmware and kernels, read byte by byte or by DMA, with a directory of the named ones.
 *
 *   510h selector (16 bits)  511h data (8 bits)  514h DMA address, high half then low half, big-endian; the low half starts it
 */

import { DoppelError, conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import type { AccessSize, BusDevice, GuestMemory } from "../bus/bus-device.ts";
import type { PortBus } from "../bus/port-bus.ts";

/** Keys of items that have no name. */
export const FW_CFG = {
  SIGNATURE: 0x00, ID: 0x01, UUID: 0x02, RAM_SIZE: 0x03, NOGRAPHIC: 0x04, NB_CPUS: 0x05, MACHINE_ID: 0x06, KERNEL_ADDR: 0x07,
  KERNEL_SIZE: 0x08, KERNEL_CMDLINE: 0x09, INITRD_ADDR: 0x0a, INITRD_SIZE: 0x0b, BOOT_DEVICE: 0x0c, NUMA: 0x0d, BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f, KERNEL_ENTRY: 0x10, KERNEL_DATA: 0x11, INITRD_DATA: 0x12, CMDLINE_ADDR: 0x13, CMDLINE_SIZE: 0x14,
  CMDLINE_DATA: 0x15, SETUP_ADDR: 0x16, SETUP_SIZE: 0x17, SETUP_DATA: 0x18, FILE_DIR: 0x19,
} as const;

/** A selector without its write bit; bit 15 tells items of the architecture from those of all machines. */
const KEY_BITS = 0xbfff;
const FIRST_FILE = 0x20;
const NAME_SIZE = 56;
const ENTRY_SIZE = 64;

const ID_TRADITIONAL = 0x01;
const ID_DMA = 0x02;

const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;
const DMA_DESCRIPTOR_SIZE = 16;
const DMA_CHUNK = 0x10000;
/** Longest stretch of zeros read beyond the end of an item; a longer one is an error of the guest, not work for the host. */
const MAX_BEYOND = 1 << 20;

/** "QEMU CFG": what the DMA address register reads. */
const DMA_SIGNATURE = [0x51, 0x45, 0x4d, 0x55, 0x20, 0x43, 0x46, 0x47] as const;

/** Selector, position in the item, and the latched high half of the DMA address. Items are configuration, not state. */
export type FwCfgState = { selector: number; position: number; dmaHigh: number };

/** Bytes of a number, least significant first. */
export function littleEndian(value: number, size: 2 | 4 | 8): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
}

/** The device. Items are added before the machine starts. */
export class FwCfg implements BusDevice, Persist<FwCfgState> {
  readonly #memory: GuestMemory;
  readonly #items = new Map<number, Uint8Array>();
  readonly #files: { name: string; key: number }[] = [];
  #selector = 0;
  #position = 0;
  #dmaHigh = 0;

  /** @param memory what DMA reaches. */
  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#items.set(FW_CFG.SIGNATURE, Uint8Array.from([0x51, 0x45, 0x4d, 0x55]));
    this.#items.set(FW_CFG.ID, littleEndian(ID_TRADITIONAL | ID_DMA, 4));
    this.#makeDirectory();
  }

  /** Claims ports 510h, 511h and 514h to 51Bh. */
  attach(ports: PortBus): void {
    ports.register(0x510, 2, this, "fw_cfg", 2);
    const dma: BusDevice = { read: (offset, size) => this.#readSignature(offset, size), write: (offset, size, value) => this.#writeDma(offset, size, value) };
    ports.register(0x514, 8, dma, "fw_cfg DMA", 4);
  }

  /** Sets an item without a name, see `FW_CFG`. */
  setItem(key: number, data: Uint8Array): void {
    this.#items.set(key & KEY_BITS, data);
  }

  /**
   * Adds a named item, or replaces it.
   *
   * @throws DoppelError `FW_CFG_NAME` for a name that is empty, longer than 55 bytes, or not ASCII.
   * @example
   * fwCfg.addFile("opt/example/greeting", Uint8Array.from([72, 105]));
   */
  addFile(name: string, data: Uint8Array): void {
    if (name.length === 0 || name.length >= NAME_SIZE || /[^\x20-\x7e]/.test(name)) {
      throw new DoppelError("FW_CFG_NAME", `"${name}" cannot name a firmware file; use 1 to 55 printable ASCII characters.`);
    }
    let file = this.#files.find((other) => other.name === name);
    if (file === undefined) {
      file = { name, key: FIRST_FILE + this.#files.length };
      this.#files.push(file);
    }
    this.#items.set(file.key, data);
    this.#makeDirectory();
  }

  /** Names of the files, in the order of the directory. */
  files(): string[] {
    return this.#files.map(({ name }) => name);
  }

  /** Power-on state; items stay. */
  reset(): void {
    this.#selector = 0;
    this.#position = 0;
    this.#dmaHigh = 0;
  }

  read(_offset: number, size: AccessSize): number {
    return size === 1 ? this.#next() : 0;
  }

  write(_offset: number, size: AccessSize, value: number): void {
    if (size === 2) this.#select(value);
  }

  save(): FwCfgState {
    return { selector: this.#selector, position: this.#position, dmaHigh: this.#dmaHigh };
  }

  restore(state: FwCfgState): void {
    const { selector, position, dmaHigh } = conform(state, this.save());
    this.#selector = selector;
    this.#position = position;
    this.#dmaHigh = dmaHigh;
  }

  #select(selector: number): void {
    this.#selector = selector & KEY_BITS;
    this.#position = 0;
  }

  #item(): Uint8Array | undefined {
    return this.#items.get(this.#selector);
  }

  /** The next byte; zeros beyond the end and from items that do not exist. */
  #next(): number {
    const item = this.#item();
    if (item === undefined || this.#position >= item.length) return 0;
    return item[this.#position++];
  }

  /** Count, then for each file size and key (big-endian) and the name. */
  #makeDirectory(): void {
    const directory = new Uint8Array(4 + ENTRY_SIZE * this.#files.length);
    const view = new DataView(directory.buffer);
    view.setUint32(0, this.#files.length);
    this.#files.forEach(({ name, key }, i) => {
      const at = 4 + ENTRY_SIZE * i;
      view.setUint32(at, this.#items.get(key)?.length ?? 0);
      view.setUint16(at + 4, key);
      for (let k = 0; k < name.length; k++) directory[at + 8 + k] = name.charCodeAt(k);
    });
    this.#items.set(FW_CFG.FILE_DIR, directory);
  }

  /** The register is big-endian, so its lowest port holds the first letter. */
  #readSignature(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= DMA_SIGNATURE[offset + i] << (8 * i);
    return value >>> 0;
  }

  #writeDma(offset: number, size: AccessSize, value: number): void {
    if (size !== 4) return;
    const swapped = ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
    if (offset === 0) this.#dmaHigh = swapped;
    else if (offset === 4) {
      const address = this.#dmaHigh * 2 ** 32 + swapped;
      this.#dmaHigh = 0;
      this.#transfer(address);
    }
  }

  /** Descriptor: control, length (32 bits each) and address (64 bits), big-endian. Control is cleared when it is done. */
  #transfer(descriptor: number): void {
    const bytes = new Uint8Array(DMA_DESCRIPTOR_SIZE);
    this.#memory.readBytes(descriptor, bytes);
    const view = new DataView(bytes.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const address = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    if ((control & DMA_SELECT) !== 0) this.#select(control >>> 16);
    let failed = false;
    if ((control & DMA_READ) !== 0) failed = !this.#readTo(address, length);
    else if ((control & DMA_WRITE) !== 0) failed = true;
    else if ((control & DMA_SKIP) !== 0) this.#position = Math.min(this.#position + length, this.#item()?.length ?? 0);
    const result = new Uint8Array(4);
    result[3] = failed ? DMA_ERROR : 0;
    this.#memory.writeBytes(descriptor, result);
  }

  #readTo(address: number, length: number): boolean {
    const item = this.#item() ?? new Uint8Array(0);
    const available = Math.max(0, Math.min(length, item.length - this.#position));
    if (length - available > MAX_BEYOND) return false;
    if (available > 0) this.#memory.writeBytes(address, item.subarray(this.#position, this.#position + available));
    for (let done = available; done < length; done += DMA_CHUNK) {
      this.#memory.writeBytes(address + done, new Uint8Array(Math.min(DMA_CHUNK, length - done)));
    }
    this.#position += available;
    return true;
  }
}
