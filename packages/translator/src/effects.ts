/**
 * What an instruction does to the state that a region keeps in locals: general and XMM registers and the flag words, read or written. Instructions
 * whose every execution needs the interpreter (most TypeScript helpers) have no place in a region.
 */
import { fieldOffset, FLAG_CONDITIONS, layout, shapeKey } from "@doppel/cpu";
import { type Block, DEFINITIONS, InstructionBuilder, type Place, type Shape, type Statement, type Value } from "@doppel/semantics";
import type { Instruction } from "@doppel/x86";
import { vectorAt } from "./vector-locals.ts";

const { MXCSR } = layout;

/** What every instruction of a shape does. */
export interface Meaning {
  readonly statements: Block;
  readonly reads: readonly Place[];
  readonly writes: readonly Place[];
  /** Its operand's address is computed. */
  readonly addresses: boolean;
  /** Conditions that it reads. */
  readonly conditions: readonly number[];
  /** It needs the flag words themselves: it reads a flag, keeps others than CF or those that a rotate keeps, or sets them on some of its ways only. */
  readonly needsFlagWords: boolean;
  readonly setsFlags: boolean;
  /** All six, each time that it sets any, whatever they were before. */
  readonly setsAllFlags: boolean;
  /** It sets flags when this is not zero, as shifts do; else each time. */
  readonly counted: Value | undefined;
  /** It calls a TypeScript helper each time. */
  readonly calls: boolean;
  /** It does no more than compute: it accesses no memory, and has no fault. */
  readonly computes: boolean;
  /** That helper accesses a device. */
  readonly device: boolean;
  /** That helper may change where memory is: the region is left behind it. */
  readonly remaps: boolean;
  /** That helper says where control goes. */
  readonly transfers: boolean;
  /** With REP: it may have to be executed again. */
  readonly repeats: boolean;
  /** That helper loads the XMM registers. */
  readonly loadsVectors: boolean;
  /** It notes facts of registers. */
  readonly notes: boolean;
  /** It changes what steady values are made of. */
  readonly changesSteady: boolean;
}

/** Helpers that may change where memory is, or the mode: a region ends with one. */
const REMAPS = new Set(["invlpg", "writeControl", "clts", "wrmsr"]);
/** Helpers that access a device, which wants to know what executes. */
const DEVICE = new Set(["portIn", "portOut"]);
/**
 * Helpers that a region calls, those that kernels need most often: they write no memory but an image of registers, a frame on the stack and accessed
 * bits, a fault leaves everything as it was, and of what a region takes for granted they change nothing but what it looks at behind them.
 */
const CALLED = new Set([
  ...DEVICE, ...REMAPS, "checkPort",
  "loadSegment", "checkProtected", "verr", "verw", "lar", "lsl", "cli", "sti", "pushFlags", "popFlags", "accessFlag", "rdtsc", "rdmsr", "readControl", "readBase", "writeBase", "swapgs",
  "softInterrupt", "iret", "sysenter", "sysexit", "syscall", "sysret", "fxsave", "fxrstor",
]);
/** Those that read or write the arithmetic flags. */
const FLAGGED = new Set(["pushFlags", "popFlags", "softInterrupt", "iret", "syscall", "sysret"]);

/** Updates of all six flags. */
const SETS_ALL = new Set(["add", "sub", "shl", "shr", "sar", "logic", "result", "image"]);

/** Statements that a region is never left in. */
const COMPUTES = new Set<Statement["kind"]>(["let", "setPlace", "flags", "note"]);

/** Whether a region calls a helper. */
export const isCalled = (helper: string): boolean => CALLED.has(helper);

/** The registers that an instruction reads and writes: bits by their numbers, as `registerAt` counts them. */
export interface Registers {
  readonly reads: number;
  readonly writes: number;
}

/** State offsets of the general registers end here, and their numbers; those of XMM registers follow. */
const GENERAL_END = 0x80;
export const FIRST_VECTOR = 16;

const meanings = new Map<number, Meaning | undefined>();

/** What instructions of a shape mean, or undefined where they are not for regions. */
export function meaningOf(shape: Shape): Meaning | undefined {
  const key = shapeKey(shape);
  if (!meanings.has(key)) meanings.set(key, findMeaning(shape));
  return meanings.get(key);
}

/** State offset of a register operand; general registers come first. */
export function placeOffset(place: Place, instruction: Instruction): number {
  return "at" in place ? place.at : fieldOffset(instruction, place.field) + (place.plus ?? 0);
}

/** Number of the register at a state offset: of a general one, or 16 and that of an XMM register; else -1. */
export function registerAt(offset: number): number {
  if (offset < GENERAL_END) return offset >> 3;
  const vector = vectorAt(offset);
  return vector < 0 ? -1 : FIRST_VECTOR + vector;
}

/** The registers of one instruction. */
export function registersOf(meaning: Meaning, instruction: Instruction): Registers {
  const address = meaning.addresses ? bitOf(instruction.base) | bitOf(instruction.index) : 0;
  return { reads: bitsOf(meaning.reads, instruction) | address, writes: bitsOf(meaning.writes, instruction) };
}

/** Bit of a register's number; none of -1. */
function bitOf(register: number): number {
  return register < 0 ? 0 : 1 << register;
}

function bitsOf(places: readonly Place[], instruction: Instruction): number {
  let bits = 0;
  for (const place of places) bits |= bitOf(registerAt(placeOffset(place, instruction)));
  return bits;
}

function findMeaning(shape: Shape): Meaning | undefined {
  const define = DEFINITIONS.get(shape.form.mnemonic);
  if (define === undefined) return undefined;
  const builder = new InstructionBuilder(shape);
  define(builder);
  const reads: Place[] = [];
  const writes: Place[] = [];
  const conditions: number[] = [];
  const found = { addresses: false, needsFlagWords: false, setsFlags: false, setsAllFlags: false, calls: false, device: false, remaps: false, accesses: false, transfers: false, loadsVectors: false, notes: false, changesSteady: false, repeats: false, counted: undefined as Value | undefined };
  const seen = new Set<Value>();
  const value = (v: Value): void => {
    if (seen.has(v)) return;
    seen.add(v);
    if (v.op === "place") reads.push((v.data as { place: Place }).place);
    else if (v.op === "effectiveAddress") found.addresses = true;
    else if (v.op === "condition") conditions.push(v.data as number);
    else if (v.op === "flag" && FLAG_CONDITIONS[v.data as string] !== undefined) conditions.push(FLAG_CONDITIONS[v.data as string]!);
    else if (v.op === "flag" || v.op === "arithmeticFlags") found.needsFlagWords = true;
    v.args.forEach(value);
  };
  const statements = (block: Block, always: boolean): boolean => block.statements.every((s) => statement(s, always));
  const statement = (s: Statement, always: boolean): boolean => {
    for (const part of Object.values(s) as unknown[]) if (isValue(part)) value(part);
    if ("address" in s) {
      value(s.address.offset);
      found.accesses = true;
    }
    if ("args" in s) s.args.forEach(value);
    switch (s.kind) {
      case "again":
        found.repeats = true;
        return true;
      case "helper":
        if (!always) return true;
        found.calls = true;
        found.device ||= DEVICE.has(s.name);
        found.remaps ||= REMAPS.has(s.name);
        if (FLAGGED.has(s.name)) found.needsFlagWords = true;
        if (s.name === "fxrstor") found.loadsVectors = found.changesSteady = true;
        return isCalled(s.name);
      case "leave":
        found.transfers = s.at === "rip";
        return always && found.calls && s.at !== "again";
      case "setPlace":
        writes.push(s.place);
        return true;
      case "note":
        found.notes = true;
        return true;
      case "setState":
        if (s.offset === MXCSR) found.changesSteady = true;
        return true;
      case "flags":
        if (found.setsFlags || !always || s.update.rule === "carry") found.needsFlagWords = true;
        found.counted = s.when;
        found.setsFlags = true;
        found.setsAllFlags = always && SETS_ALL.has(s.update.rule);
        for (const part of Object.values(s.update) as unknown[]) if (isValue(part)) value(part);
        return true;
      case "if": return statements(s.then, false) && (s.otherwise === undefined || statements(s.otherwise, false));
      case "loop": return statements(s.body, always);
      default: return true;
    }
  };
  // An access of memory that misses leaves in front of the instruction, which would access the device again.
  return statements(builder.root, true) && !(found.device && found.accesses) ? { statements: builder.root, reads, writes, conditions, computes: builder.root.statements.every(({ kind }) => COMPUTES.has(kind)), ...found } : undefined;
}

function isValue(part: unknown): part is Value {
  return typeof part === "object" && part !== null && "op" in part && "args" in part && "uses" in part;
}
