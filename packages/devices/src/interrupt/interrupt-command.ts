/**
 * The interrupt command register of a local APIC (SDM volume 3, section "Interrupt Command Register"): how a CPU sends an interrupt to
 * others or to itself.
 *
 *   low:  7:0 vector  10:8 delivery mode  11 logical  14 assert  15 level  19:18 shorthand     high: 31:24 destination
 */

import { DELIVERY } from "./apic-message.ts";
import type { ApicMessage } from "./apic-message.ts";

/** Bits of the low half that are kept. */
export const ICR_WRITABLE = 0x000c_cfff;
/** Vectors below this one cannot be sent or received. */
export const FIRST_LEGAL_VECTOR = 16;

const LOGICAL = 0x800;
const ASSERT = 0x4000;
const LEVEL = 0x8000;
const SHORTHANDS = ["destination", "self", "all", "others"] as const;

/** A message and whom it is for; nothing for a command without effect, or one with a vector that cannot be sent. */
export type InterruptCommand =
  | { readonly kind: "send"; readonly to: (typeof SHORTHANDS)[number]; readonly message: ApicMessage }
  | { readonly kind: "nothing" }
  | { readonly kind: "illegal-vector" };

/** What the two halves of the register ask for. */
export function interruptCommand(high: number, low: number): InterruptCommand {
  const delivery = (low >> 8) & 7;
  const vector = low & 0xff;
  // INIT level de-assert only synchronised arbitration IDs of old.
  if (delivery === DELIVERY.INIT && (low & LEVEL) !== 0 && (low & ASSERT) === 0) return { kind: "nothing" };
  const hasVector = delivery === DELIVERY.FIXED || delivery === DELIVERY.LOWEST_PRIORITY;
  if (hasVector && vector < FIRST_LEGAL_VECTOR) return { kind: "illegal-vector" };
  const message: ApicMessage = { delivery, vector, level: false, destination: high >>> 24, logical: (low & LOGICAL) !== 0 };
  return { kind: "send", to: SHORTHANDS[(low >> 18) & 3], message };
}
