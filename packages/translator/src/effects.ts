/**
 * What an instruction does to the state that a region keeps in locals: general registers and the flag words, read or written. Instructions
 * whose every execution needs the interpreter (a TypeScript helper, a repeated string instruction, a change of mode) have no place in a region.
 */
import { fieldOffset } from "@doppel/cpu";
import type { Block, Place, Statement, Value } from "@doppel/semantics";
import type { Instruction } from "@doppel/x86";

/** Registers are numbers 0 to 15. */
export interface Effects {
  readonly reads: ReadonlySet<number>;
  readonly writes: ReadonlySet<number>;
  readonly readsFlags: boolean;
  readonly setsFlags: boolean;
}

/** State offsets of the general registers end here. */
const GENERAL_END = 0x80;

/** State offset of a register operand; general registers come first. */
export function placeOffset(place: Place, instruction: Instruction): number {
  return "at" in place ? place.at : fieldOffset(instruction, place.field) + (place.plus ?? 0);
}

/** Number of the general register at a state offset, or -1. */
export function registerAt(offset: number): number {
  return offset < GENERAL_END ? offset >> 3 : -1;
}

/** Collects effects; undefined where the instruction is not for regions. */
export function effectsOf(root: Block, instruction: Instruction): Effects | undefined {
  const reads = new Set<number>();
  const writes = new Set<number>();
  const found = { readsFlags: false, setsFlags: false };
  const seen = new Set<Value>();
  const value = (v: Value): void => {
    if (seen.has(v)) return;
    seen.add(v);
    if (v.op === "place") {
      const register = registerAt(placeOffset((v.data as { place: Place }).place, instruction));
      if (register >= 0) reads.add(register);
    } else if (v.op === "effectiveAddress") {
      for (const register of [instruction.base, instruction.index]) if (register >= 0) reads.add(register);
    } else if (v.op === "flag" || v.op === "condition" || v.op === "arithmeticFlags") found.readsFlags = true;
    v.args.forEach(value);
  };
  const statements = (block: Block, always: boolean): boolean => block.statements.every((s) => statement(s, always));
  const statement = (s: Statement, always: boolean): boolean => {
    for (const part of Object.values(s) as unknown[]) if (isValue(part)) value(part);
    if ("address" in s) value(s.address.offset);
    if ("args" in s) s.args.forEach(value);
    switch (s.kind) {
      case "bulk": case "again": case "leave": return false;
      case "helper": return !always;
      case "setPlace": {
        const register = registerAt(placeOffset(s.place, instruction));
        if (register >= 0) writes.add(register);
        return true;
      }
      case "flags":
        found.setsFlags = true;
        for (const part of Object.values(s.update) as unknown[]) if (isValue(part)) value(part);
        // Some updates keep a flag.
        if (["inc", "dec", "carry", "carry-overflow"].includes(s.update.rule) || s.when !== undefined) found.readsFlags = true;
        return true;
      case "if": return statements(s.then, false) && (s.otherwise === undefined || statements(s.otherwise, false));
      case "loop": return statements(s.body, always);
      default: return true;
    }
  };
  return statements(root, true) ? { reads, writes, ...found } : undefined;
}

function isValue(part: unknown): part is Value {
  return typeof part === "object" && part !== null && "op" in part && "args" in part && "uses" in part;
}
