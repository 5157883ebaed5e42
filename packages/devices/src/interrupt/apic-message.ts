/** What travels between I/O APICs and local APICs (SDM volume 3, "Advanced Programmable Interrupt Controller", section "Interrupt Command Register"). */

/** Delivery modes, as in the ICR, the LVT and the I/O APIC's redirection table. */
export const DELIVERY = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, NMI: 4, INIT: 5, START_UP: 6, EXT_INT: 7 } as const;

/** An interrupt message. */
export type ApicMessage = {
  readonly delivery: number;
  readonly vector: number;
  /** Level-triggered: the acceptor's EOI is told to the I/O APICs. */
  readonly level: boolean;
  /** Destination field, 8 bits. */
  readonly destination: number;
  /** Logical destination mode, else physical. */
  readonly logical: boolean;
};
