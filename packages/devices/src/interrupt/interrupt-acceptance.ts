/**
 * Acceptance and priorities in a local APIC (SDM volume 3, sections "Interrupt Acceptance for Fixed Interrupts" and "Task and Processor
 * Priorities"): a vector is requested in IRR, taken into service in ISR when its class is above the processor's priority, and leaves at EOI.
 */

import { conform } from "@doppel/persist";
import type { Persist } from "@doppel/persist";
import { emptyVectors, hasVector, highestVector, putVector } from "./vector-set.ts";
import type { VectorSet } from "./vector-set.ts";

/** Requested, in service, and which of them are level-triggered. */
export type InterruptAcceptanceState = { irr: VectorSet; isr: VectorSet; tmr: VectorSet };

/** The larger class wins; within the task's own class its register is given whole. */
function priority(tpr: number, vector: number): number {
  return tpr >> 4 >= vector >> 4 ? tpr : vector & 0xf0;
}

/** The three vector registers. */
export class InterruptAcceptance implements Persist<InterruptAcceptanceState> {
  #irr = emptyVectors();
  #isr = emptyVectors();
  #tmr = emptyVectors();

  reset(): void {
    this.#irr = emptyVectors();
    this.#isr = emptyVectors();
    this.#tmr = emptyVectors();
  }

  /** A register of ISR (0 to 7), TMR (8 to 15) or IRR (16 to 23). */
  read(register: number): number {
    return (register < 8 ? this.#isr : register < 16 ? this.#tmr : this.#irr)[register & 7];
  }

  request(vector: number, level: boolean): void {
    putVector(this.#irr, vector, true);
    putVector(this.#tmr, vector, level);
  }

  /** PPR. */
  processorPriority(tpr: number): number {
    return priority(tpr, highestVector(this.#isr));
  }

  /** APR: what the old arbitration over the APIC bus compared. */
  arbitrationPriority(tpr: number): number {
    const requested = highestVector(this.#irr);
    return tpr >> 4 >= requested >> 4 ? tpr : Math.max(this.processorPriority(tpr), requested & 0xf0);
  }

  /** The requested vector that the processor's priority lets through, or -1. */
  deliverable(tpr: number): number {
    const vector = highestVector(this.#irr);
    return vector >= 0 && vector >> 4 > this.processorPriority(tpr) >> 4 ? vector : -1;
  }

  /** Takes a requested vector into service. */
  take(vector: number): void {
    putVector(this.#irr, vector, false);
    putVector(this.#isr, vector, true);
  }

  /** EOI. @returns the vector that was ended and whether it is level-triggered, or undefined when none was in service. */
  end(): { vector: number; level: boolean } | undefined {
    const vector = highestVector(this.#isr);
    if (vector < 0) return undefined;
    putVector(this.#isr, vector, false);
    return { vector, level: hasVector(this.#tmr, vector) };
  }

  save(): InterruptAcceptanceState {
    return { irr: [...this.#irr], isr: [...this.#isr], tmr: [...this.#tmr] };
  }

  restore(state: InterruptAcceptanceState): void {
    const { irr, isr, tmr } = conform(state, this.save());
    this.#irr = irr;
    this.#isr = isr;
    this.#tmr = tmr;
  }
}
