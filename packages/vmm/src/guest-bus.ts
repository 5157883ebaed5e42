/**
 * The CPU's way to devices: ports and memory-mapped registers of the chipset, and the pages of the BIOS area that read ROM and
 * write RAM.
 */
import type { Bus } from "@doppel/cpu";
import type { AccessSize, PcChipset } from "@doppel/devices";
import type { PcMemory } from "./pc-memory.ts";

/** Joins a chipset and a PC's memory to one bus, and counts its accesses. */
export class GuestBus implements Bus {
  /** Port reads, port writes, memory-mapped reads and writes. */
  readonly counts = { portReads: 0, portWrites: 0, mmioReads: 0, mmioWrites: 0 };
  private readonly chipset: PcChipset;
  private readonly memory: PcMemory;

  constructor(chipset: PcChipset, memory: PcMemory) {
    this.chipset = chipset;
    this.memory = memory;
  }

  readPort(port: number, size: number): number {
    this.counts.portReads++;
    return this.chipset.ports.read(port, size as AccessSize);
  }

  writePort(port: number, size: number, value: number): void {
    this.counts.portWrites++;
    this.chipset.ports.write(port, size as AccessSize, value);
  }

  readMmio(physical: number, size: number): number {
    this.counts.mmioReads++;
    if (this.memory.isSplit(physical)) return this.memory.readSplit(physical, size);
    return this.chipset.memory.read(physical, size as AccessSize);
  }

  writeMmio(physical: number, size: number, value: number): void {
    this.counts.mmioWrites++;
    if (this.memory.isSplit(physical)) this.memory.writeSplit(physical, size, value);
    else this.chipset.memory.write(physical, size as AccessSize, value);
  }
}
