/**
 * The devices of a fuzzed machine: every answer depends on all accesses before it, so that an access too many, too few or out of
 * order shows in the state. Writes to some ports raise interrupts or an NMI, switch A20, or write memory as DMA does.
 */
import type { Bus, InterruptSource } from "@doppel/cpu";

const MULTIPLIER = 0x9e3779b1;
const FIRST_VECTOR = 0x20;
/** What a port does when it is written, by the low four bits of its number; all others do nothing. */
const PORT_INTERRUPT = 0, PORT_NMI = 1, PORT_A20 = 2, PORT_DMA = 3;

/** What the devices do to the machine. */
export interface DeviceEffects {
  nmi(): void;
  a20(open: boolean): void;
  dma(value: number): void;
  /** An interrupt may have become pending. */
  attend(): void;
}

/** Ports, memory-mapped registers and the interrupt lines. */
export class FuzzDevices implements Bus, InterruptSource {
  /** Hash of all accesses. */
  history = 0;
  /** Interrupts that wait: bit n is vector 20h + n. */
  lines = 0;
  /** CR8: interrupts of its class of vectors and of those below wait. */
  taskPriority = 0;
  private readonly effects: DeviceEffects;

  constructor(effects: DeviceEffects) {
    this.effects = effects;
  }

  private note(value: number, kind: number): void {
    this.history = (Math.imul(this.history ^ value ^ (kind << 24), MULTIPLIER) + kind) | 0;
  }

  private answer(place: number, size: number, kind: number): number {
    this.note(place, kind + size);
    const value = this.history ^ (this.history >>> 15);
    return size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
  }

  readPort(port: number, size: number): number {
    return this.answer(port, size, 1);
  }

  writePort(port: number, size: number, value: number): void {
    this.note(port, size);
    this.note(value, 2);
    switch (port & 15) {
      case PORT_INTERRUPT:
        this.lines |= (1 << (value & 0x1f)) | ((value & 0x20) !== 0 ? 1 << ((value >>> 8) & 0x1f) : 0);
        break;
      case PORT_NMI: this.effects.nmi(); break;
      case PORT_A20: this.effects.a20((value & 1) !== 0); break;
      case PORT_DMA: this.effects.dma(value); break;
    }
    this.effects.attend();
  }

  readMmio(physical: number, size: number): number {
    return this.answer(physical, size, 3);
  }

  writeMmio(physical: number, size: number, value: number): void {
    this.note(physical, size + 4);
    this.note(value, 5);
  }

  pending(): boolean {
    return this.lines !== 0 && this.highest() >> 4 > this.taskPriority;
  }

  acknowledge(): number {
    const vector = this.highest();
    this.lines &= ~(1 << (vector - FIRST_VECTOR));
    return vector;
  }

  private highest(): number {
    return FIRST_VECTOR + 31 - Math.clz32(this.lines);
  }
}
