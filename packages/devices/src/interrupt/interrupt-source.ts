/**
 * The CPU's side of an interrupt controller: the INTR pin and the acknowledge cycle (SDM volume 3, "Interrupt and Exception
 * Handling").
 */

/** What a CPU takes external interrupts from. */
export interface InterruptSource {
  /** Whether a vector could be delivered now, EFLAGS.IF left out of account. */
  pending(): boolean;
  /** The acknowledge cycle: takes the interrupt into service and gives its vector, 0 to 255. Gives a spurious one when none is pending. */
  acknowledge(): number;
}

/** Interrupts that are not vectors from a controller. Each is an edge. */
export interface CpuEvents {
  nmi(): void;
  init(): void;
  /** Start-up: real mode at `page` * 4096. */
  sipi(page: number): void;
  smi(): void;
}
