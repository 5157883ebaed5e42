/**
 * The local vector table of a local APIC (SDM volume 3, section "Local Vector Table"): how each of its own interrupt sources is
 * delivered.
 *
 *   bits 7:0 vector  10:8 delivery mode  14 remote IRR  15 level  16 masked  18:17 timer mode
 */

import type { Persist } from "@doppel/persist";
import { DELIVERY } from "./apic-message.ts";

/** Entries in the order of their registers, 320h to 370h. */
export const LVT = { TIMER: 0, THERMAL: 1, PERFORMANCE: 2, LINT0: 3, LINT1: 4, ERROR: 5 } as const;

const DELIVERY_MODE = 0x700;
const MASKED = 0x10000;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff] as const;

/** What an entry says. Timer and error have no delivery mode and are fixed; only the two pins can be level-triggered. */
export type LocalVector = { readonly isMasked: boolean; readonly delivery: number; readonly vector: number; readonly level: boolean };

/** Six entries. */
export class LocalVectorTable implements Persist<number[]> {
  readonly #isBoot: boolean;
  #entries: number[] = [];

  /** @param isBoot whether LINT0 passes the 8259 from power-on. */
  constructor(isBoot: boolean) {
    this.#isBoot = isBoot;
    this.reset();
  }

  reset(): void {
    this.#entries = WRITABLE.map((_, index) => (index === LVT.LINT0 && this.#isBoot ? DELIVERY.EXT_INT << 8 : MASKED));
  }

  read(index: number): number {
    return this.#entries[index];
  }

  /** @param masked whether the APIC is switched off by software, which keeps every entry masked. */
  write(index: number, value: number, masked: boolean): void {
    const kept = (value & LEVEL) !== 0 ? this.#entries[index] & REMOTE_IRR : 0;
    this.#entries[index] = (value & WRITABLE[index]) | kept | (masked ? MASKED : 0);
  }

  maskAll(): void {
    this.#entries = this.#entries.map((entry) => entry | MASKED);
  }

  entry(index: number): LocalVector {
    const entry = this.#entries[index];
    const isPin = index === LVT.LINT0 || index === LVT.LINT1;
    const hasMode = index !== LVT.TIMER && index !== LVT.ERROR;
    return {
      isMasked: (entry & MASKED) !== 0, delivery: hasMode ? (entry >> 8) & 7 : DELIVERY.FIXED, vector: entry & 0xff,
      level: isPin && (entry & LEVEL) !== 0,
    };
  }

  /** Whether LINT0 passes the 8259 through. */
  get passesExternal(): boolean {
    return (this.#entries[LVT.LINT0] & (MASKED | DELIVERY_MODE)) === DELIVERY.EXT_INT << 8;
  }

  /** A level-triggered pin was accepted. */
  setRemoteIrr(index: number): void {
    this.#entries[index] |= REMOTE_IRR;
  }

  /** A vector was ended. @returns whether this pin had delivered it. */
  endRemoteIrr(index: number, vector: number): boolean {
    const entry = this.#entries[index];
    if ((entry & REMOTE_IRR) === 0 || (entry & 0xff) !== vector) return false;
    this.#entries[index] = entry & ~REMOTE_IRR;
    return true;
  }

  save(): number[] {
    return [...this.#entries];
  }

  restore(entries: number[]): void {
    this.#entries = [...entries];
  }
}
