/**
 * The opcode tables flattened for the decoder. The entry of (long mode, map (two more for VEX), opcode byte, prefix slot) is a form id, or, when ModRM takes
 * part in the choice, the complement of the start of a 72-entry block: 8 entries for memory by ModRM.reg, then 64 for registers by
 * reg and rm. -1 in a block and `NO_FORM` in the entries mean #UD. Prefix slots: 0 none, 1 66, 2 F3, 3 F2.
 */

import { FORMS, type Form } from "./form.ts";

/** Entry of an opcode that has no form. */
export const NO_FORM = 0x7fff;
/** Opcode maps, by `Form.map`. */
export const MAPS = 6;
/** Index: ((long * MAPS + map) * 256 + opcode) * 4 + slot. */
export const ENTRIES = new Int32Array(2 * MAPS * 256 * 4).fill(NO_FORM);
/** Index: (long * MAPS + map) * 256 + opcode. 1: a ModRM byte follows; 2: it does and its mod is taken as 3. */
export const MODRM = new Uint8Array(2 * MAPS * 256);
/** The form that REX.W selects instead of a form, or the form itself. */
export const WIDE = Int16Array.from(FORMS, (form) => form.id);

/** Bits of `ATTRIBUTES`. */
export const A_LOCKABLE = 1, A_DEFAULT64 = 2, A_FORCED64 = 4, A_MASK_REG = 8, A_MASK_RM = 16, A_CONDITION = 32, A_VVVV = 64;
/** Bits `A_*` by form id. */
export const ATTRIBUTES = Uint8Array.from(FORMS, (form) =>
  (form.lockable ? A_LOCKABLE : 0) | (form.default64 ? A_DEFAULT64 : 0) | (form.forced64 ? A_FORCED64 : 0) |
  (form.operands.some((o) => o.kind === "P" || o.kind === "S") ? A_MASK_REG : 0) |
  (form.operands.some((o) => o.kind === "Q" || o.kind === "N" || o.kind === "STi") ? A_MASK_RM : 0) |
  (form.range === "cc" ? A_CONDITION : 0) | (form.operands.some((o) => o.kind === "B") ? A_VVVV : 0));

/** Immediate classes of `IMMEDIATES`. */
export const I_NONE = 0, I_BYTE = 1, I_SIGNED_BYTE = 2, I_WORD = 3, I_Z = 4, I_V = 5, I_FAR = 6, I_OFFSET = 7, I_ENTER = 8;
/** Immediate class by form id. */
export const IMMEDIATES = Uint8Array.from(FORMS, (form) => {
  const notation = form.operands.filter((o) => "IJAO".includes(o.kind)).map((o) => o.kind + o.size).join();
  const classes: Record<string, number> = {
    "": I_NONE, "Ib": I_BYTE, "Ibs": I_SIGNED_BYTE, "Jb": I_SIGNED_BYTE, "Iw": I_WORD, "Iz": I_Z, "Jz": I_Z, "Iv": I_V,
    "Ap": I_FAR, "Ob": I_OFFSET, "Ov": I_OFFSET, "Iw,Ib": I_ENTER,
  };
  const found = classes[notation];
  if (found === undefined) throw new Error(`opcode table: no immediate class for "${notation}"`);
  return found;
});

/** Register checks of `CHECKS`: which ModRM.reg values raise #UD. */
export const C_NONE = 0, C_SEGMENT_LOAD = 1, C_SEGMENT_STORE = 2, C_CONTROL = 3, C_DEBUG = 4;
/** Register check by form id. */
export const CHECKS = Uint8Array.from(FORMS, (form) => {
  const kind = form.operands.find((o) => "SCD".includes(o.kind))?.kind;
  if (kind === "S") return form.operands[0]!.kind === "S" ? C_SEGMENT_LOAD : C_SEGMENT_STORE;
  return kind === "C" ? C_CONTROL : kind === "D" ? C_DEBUG : C_NONE;
});
/** 1 for the string forms and XLAT and moffs, whose operand is in memory without a ModRM byte. */
export const IMPLICIT_MEMORY = Uint8Array.from(FORMS, (form) =>
  form.mnemonic === "XLAT" || form.operands.some((o) => "XYO".includes(o.kind)) ? 1 : 0);

const SLOTS: Record<string, readonly number[]> = { "": [0, 1, 2, 3], NP: [0], NFx: [0, 1], "66": [1], F3: [2], F2: [3] };

/** The more exactly a row names its bytes, the higher: an explicit prefix, a fixed ModRM byte, a digit, a single opcode. */
function specificity(form: Form): number {
  return (form.mandatoryPrefix === "" ? 0 : 8) + (form.fixedModrm < 0 ? 0 : form.stackRegister ? 3 : 4) +
    (form.digit < 0 ? 0 : 2) + (form.range === "" ? 1 : 0);
}

function coversCell(form: Form, cell: number): boolean {
  const memory = cell < 8;
  const reg = memory ? cell : (cell - 8) >> 3;
  if (memory ? form.registerOnly : form.memoryOnly) return false;
  if (form.fixedModrm >= 0) {
    const modrm = 0xc0 | (cell - 8);
    return form.stackRegister ? (modrm & 0xf8) === form.fixedModrm : modrm === form.fixedModrm;
  }
  return form.digit < 0 || form.digit === reg;
}

function coversAll(form: Form): boolean {
  return !form.registerOnly && !form.memoryOnly && form.digit < 0 && form.fixedModrm < 0;
}

const blocks: number[] = [];
const blockStarts = new Map<string, number>();
/** By the ids of the candidates: most opcodes mean the same with every prefix and in both modes. */
const known = new Map<string, number>();

function entryOf(candidates: readonly Form[]): number {
  if (candidates.length === 0) return NO_FORM;
  const key = candidates.map((form) => form.id).join();
  let entry = known.get(key);
  if (entry === undefined) known.set(key, (entry = newEntry(candidates.toSorted((a, b) => specificity(b) - specificity(a)))));
  return entry;
}

function newEntry(candidates: readonly Form[]): number {
  const first = candidates[0]!;
  if (!first.hasModrm || (candidates.length === 1 && coversAll(first))) return first.id;
  const block: number[] = [];
  for (let cell = 0; cell < 72; cell++) {
    const hits = candidates.filter((form) => coversCell(form, cell));
    if (hits.length > 1 && specificity(hits[0]!) === specificity(hits[1]!)) {
      throw new Error(`opcode table: ${hits[0]!.opcode} ${hits[0]!.mnemonic} and ${hits[1]!.mnemonic} claim the same bytes`);
    }
    block.push(hits[0]?.id ?? -1);
  }
  if (block.every((id) => id === block[0]) && block[0]! >= 0) return block[0]!;
  const key = block.join();
  let start = blockStarts.get(key);
  if (start === undefined) {
    start = blocks.length;
    blocks.push(...block);
    blockStarts.set(key, start);
  }
  return ~start;
}

/** Forms by map and opcode. */
const rowsOf: Form[][] = Array.from({ length: MAPS * 256 }, () => []);
for (const form of FORMS) {
  const count = form.range === "r" ? 8 : form.range === "cc" ? 16 : 1;
  for (let n = 0; n < count; n++) rowsOf[form.map * 256 + form.opcodeByte + n]!.push(form);
}
for (let long = 0; long < 2; long++) {
  for (const [opcode, all] of rowsOf.entries()) {
    const rows = all.filter((form) => !(long ? form.invalid64 : form.only64));
    if (rows.length === 0) continue;
    const index = long * MAPS * 256 + opcode;
    const { hasModrm } = rows[0]!;
    if (rows.some((form) => form.hasModrm !== hasModrm)) throw new Error(`opcode table: ${rows[0]!.opcode} has and has not ModRM`);
    if (hasModrm) MODRM[index] = rows.some((form) => form.ignoresMod) ? 2 : 1;
    for (let slot = 0; slot < 4; slot++) {
      ENTRIES[index * 4 + slot] = entryOf(rows.filter((form) => !form.rexW && SLOTS[form.mandatoryPrefix]!.includes(slot)));
    }
  }
}
for (const form of FORMS.filter((wide) => wide.rexW)) {
  const base = FORMS.find((other) => !other.rexW && other.map === form.map && other.opcodeByte === form.opcodeByte &&
    other.digit === form.digit && other.mandatoryPrefix === form.mandatoryPrefix && other.memoryOnly === form.memoryOnly);
  if (base === undefined) throw new Error(`opcode table: no form without REX.W for ${form.mnemonic}`);
  WIDE[base.id] = form.id;
}

/** The 72-entry blocks that negative entries point into. */
export const BLOCKS = Int16Array.from(blocks);
/** Form id of 90: XCHG of rAX with itself. */
export const NOP_FORM = FORMS.findIndex((form) => form.opcode === "90");
/** Form id of what REX.B makes of 90: XCHG of rAX with R8. */
export const XCHG_FORM = FORMS.findIndex((form) => form.opcode === "90+r");
