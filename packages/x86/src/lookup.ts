/**
 * The opcode tables flattened for the decoder. The entry of (long mode, map (two more for VEX), opcode byte, prefix slot) is a form id, or, when ModRM takes
 * part in the choice, the complement of the start of a 72-entry block: 8 entries for memory by ModRM.reg, then 64 for registers by
 * reg and rm. -1 in a block and `NO_FORM` in the entries mean #UD. Prefix slots: 0 none, 1 66, 2 F3, 3 F2.
 */
import { FORMS } from "./form.ts";
import { MADE } from "./lookup.made.ts";
import { make } from "./lookup.maker.ts";

const tables = MADE ?? make();

/** Index: ((long * MAPS + map) * 256 + opcode) * 4 + slot. */
export const ENTRIES = Int32Array.from(tables.entries);
/** Index: (long * MAPS + map) * 256 + opcode. 1: a ModRM byte follows; 2: it does and its mod is taken as 3. */
export const MODRM = Uint8Array.from(tables.modrm);
/** The 72-entry blocks that negative entries point into. */
export const BLOCKS = Int16Array.from(tables.blocks);
/** The form that REX.W selects instead of a form, or the form itself. */
export const WIDE = Int16Array.from(tables.wide);
/** Bits `A_*` by form id. */
export const ATTRIBUTES = Uint8Array.from(tables.attributes);
/** Immediate class by form id. */
export const IMMEDIATES = Uint8Array.from(tables.immediates);
/** Register check by form id. */
export const CHECKS = Uint8Array.from(tables.checks);
/** 1 for the string forms and XLAT and moffs, whose operand is in memory without a ModRM byte. */
export const IMPLICIT_MEMORY = Uint8Array.from(tables.implicitMemory);
/** Form id of 90: XCHG of rAX with itself. */
export const NOP_FORM = FORMS.findIndex((form) => form.opcode === "90");
/** Form id of what REX.B makes of 90: XCHG of rAX with R8. */
export const XCHG_FORM = FORMS.findIndex((form) => form.opcode === "90+r");
