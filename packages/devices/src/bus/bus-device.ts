/**
 * What a device is to the machine: registers behind offsets, and nothing else. Which bus carries it, and at what address, is
 * decided by whoever composes the machine.
 */

/** Width of one access in bytes. */
export type AccessSize = 1 | 2 | 4;

/**
 * Registers that can be read and written. Offsets count from the start of the registered range. A device sees only accesses
 * that lie within its range and are no wider than it registered for; values are unsigned. No access may throw.
 */
export interface BusDevice {
  /** The value at `offset`, `size` bytes wide; what the device does not know reads all ones. */
  read(offset: number, size: AccessSize): number;
  /** Stores `value`; what the device does not know is dropped. */
  write(offset: number, size: AccessSize, value: number): void;
}

/** An input pin of an interrupt controller, or of something that stands before one. */
export interface InterruptLine {
  /** Drives the pin; true is asserted, whatever the voltage. */
  set(level: boolean): void;
}

/** Guest-physical memory as a bus master sees it. */
export interface GuestMemory {
  /** Fills `into` from `physical` on; addresses with no RAM give 0xff. */
  readBytes(physical: number, into: Uint8Array): void;
  /** Stores `from` at `physical`; bytes without RAM are dropped. */
  writeBytes(physical: number, from: Uint8Array): void;
}

/** A range that is claimed on a bus, for people to look at. */
export type BusRange = { readonly first: number; readonly size: number; readonly name: string };

/** Value with all bits of an access set: what an undriven bus reads. */
export function allOnes(size: AccessSize): number {
  return size === 4 ? 0xffff_ffff : size === 2 ? 0xffff : 0xff;
}
