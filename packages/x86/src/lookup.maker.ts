/** Flattens the opcode tables for the decoder; the package's build puts the result into `lookup.made.ts`. */
import { FORMS, type Form } from "./form.ts";
import {
  A_CONDITION, A_DEFAULT64, A_FORCED64, A_LOCKABLE, A_MASK_REG, A_MASK_RM, A_VVVV, C_CONTROL, C_DEBUG, C_NONE, C_SEGMENT_LOAD, C_SEGMENT_STORE, I_BYTE,
  I_ENTER, I_FAR, I_NONE, I_OFFSET, I_SIGNED_BYTE, I_V, I_WORD, I_Z, MAPS, NO_FORM,
} from "./lookup-classes.ts";

/** The tables as numbers; `lookup.ts` says what they are. */
export interface Lookup {
  readonly entries: readonly number[];
  readonly modrm: readonly number[];
  readonly blocks: readonly number[];
  readonly wide: readonly number[];
  readonly attributes: readonly number[];
  readonly immediates: readonly number[];
  readonly checks: readonly number[];
  readonly implicitMemory: readonly number[];
}

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

/** Makes entries, and the blocks that they point into. */
class Entries {
  readonly blocks: number[] = [];
  private readonly starts = new Map<string, number>();
  /** By the ids of the candidates: most opcodes mean the same with every prefix and in both modes. */
  private readonly known = new Map<string, number>();

  of(candidates: readonly Form[]): number {
    if (candidates.length === 0) return NO_FORM;
    const key = candidates.map((form) => form.id).join();
    let entry = this.known.get(key);
    if (entry === undefined) this.known.set(key, (entry = this.fresh(candidates.toSorted((a, b) => specificity(b) - specificity(a)))));
    return entry;
  }

  private fresh(candidates: readonly Form[]): number {
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
    let start = this.starts.get(key);
    if (start === undefined) {
      start = this.blocks.length;
      this.blocks.push(...block);
      this.starts.set(key, start);
    }
    return ~start;
  }
}

function immediateClass(form: Form): number {
  const notation = form.operands.filter((o) => "IJAO".includes(o.kind)).map((o) => o.kind + o.size).join();
  const classes: Record<string, number> = {
    "": I_NONE, "Ib": I_BYTE, "Ibs": I_SIGNED_BYTE, "Jb": I_SIGNED_BYTE, "Iw": I_WORD, "Iz": I_Z, "Jz": I_Z, "Iv": I_V,
    "Ap": I_FAR, "Ob": I_OFFSET, "Ov": I_OFFSET, "Iw,Ib": I_ENTER,
  };
  const found = classes[notation];
  if (found === undefined) throw new Error(`opcode table: no immediate class for "${notation}"`);
  return found;
}

function registerCheck(form: Form): number {
  const kind = form.operands.find((o) => "SCD".includes(o.kind))?.kind;
  if (kind === "S") return form.operands[0]!.kind === "S" ? C_SEGMENT_LOAD : C_SEGMENT_STORE;
  return kind === "C" ? C_CONTROL : kind === "D" ? C_DEBUG : C_NONE;
}

function attributesOf(form: Form): number {
  return (form.lockable ? A_LOCKABLE : 0) | (form.default64 ? A_DEFAULT64 : 0) | (form.forced64 ? A_FORCED64 : 0) |
    (form.operands.some((o) => o.kind === "P" || o.kind === "S") ? A_MASK_REG : 0) |
    (form.operands.some((o) => o.kind === "Q" || o.kind === "N" || o.kind === "STi") ? A_MASK_RM : 0) |
    (form.range === "cc" ? A_CONDITION : 0) | (form.operands.some((o) => o.kind === "B") ? A_VVVV : 0);
}

/** Makes them. */
export function make(): Lookup {
  const entries = new Array<number>(2 * MAPS * 256 * 4).fill(NO_FORM);
  const modrm = new Array<number>(2 * MAPS * 256).fill(0);
  const wide = FORMS.map((form) => form.id);
  const made = new Entries();
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
      if (hasModrm) modrm[index] = rows.some((form) => form.ignoresMod) ? 2 : 1;
      for (let slot = 0; slot < 4; slot++) {
        entries[index * 4 + slot] = made.of(rows.filter((form) => !form.rexW && SLOTS[form.mandatoryPrefix]!.includes(slot)));
      }
    }
  }
  for (const form of FORMS.filter((other) => other.rexW)) {
    const base = FORMS.find((other) => !other.rexW && other.map === form.map && other.opcodeByte === form.opcodeByte &&
      other.digit === form.digit && other.mandatoryPrefix === form.mandatoryPrefix && other.memoryOnly === form.memoryOnly);
    if (base === undefined) throw new Error(`opcode table: no form without REX.W for ${form.mnemonic}`);
    wide[base.id] = form.id;
  }
  return {
    entries, modrm, blocks: made.blocks, wide, attributes: FORMS.map(attributesOf), immediates: FORMS.map(immediateClass), checks: FORMS.map(registerCheck),
    implicitMemory: FORMS.map((form) => form.mnemonic === "XLAT" || form.operands.some((o) => "XYO".includes(o.kind)) ? 1 : 0),
  };
}
