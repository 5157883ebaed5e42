/**
 * Forms regions (engine.md, item 4): from an entry, the instructions that direct jumps reach in the same page, as basic blocks. Indirect
 * jumps, calls, returns and jumps to other pages leave the region; so does an instruction that only the interpreter executes.
 */
import { shapeOf } from "@doppel/cpu";
import { DEFINITIONS, InstructionBuilder, type Block as Statements, type Shape } from "@doppel/semantics";
import { decode, Instruction, OK } from "@doppel/x86";
import { effectsOf, type Effects } from "./effects.ts";

/** Instructions of a region at most (engine.md: 500 to 2000; a page of code has fewer that belong together). */
const MOST_INSTRUCTIONS = 400;
const PAGE_SIZE = 4096;
/** An instruction that may cross the page's end is left to the interpreter. */
const LONGEST = 15;

/** One instruction of a region. */
export interface RegionInstruction {
  readonly instruction: Instruction;
  readonly shape: Shape;
  readonly statements: Statements;
  readonly effects: Effects;
  /** In the page. */
  readonly offset: number;
}

/** How a block ends: by going on at an offset, at one of two, or by leaving before the instruction at `offset`, or as its last instruction says. */
export type BlockEnd =
  | { readonly kind: "goto"; readonly target: number }
  | { readonly kind: "branch"; readonly condition: number; readonly target: number; readonly otherwise: number }
  | { readonly kind: "leave"; readonly offset: number }
  | { readonly kind: "gone" };

/** A basic block. */
export interface RegionBlock {
  readonly start: number;
  readonly instructions: readonly RegionInstruction[];
  /** Instructions that retire when it runs to its end: those above, and a jump that became its end. */
  readonly count: number;
  /** Bytes of all of them. */
  readonly length: number;
  readonly end: BlockEnd;
}

/** Blocks by their offset in the page; the first one is the entry. */
export interface Region {
  readonly entry: number;
  readonly long: boolean;
  readonly blocks: ReadonlyMap<number, RegionBlock>;
}

/** What a page offers: its bytes, the kind of its code, and which features the processor has. */
export interface CodePage {
  readonly bytes: Uint8Array;
  /** Where the page begins in `bytes`. */
  readonly base: number;
  readonly long: boolean;
  hasFeature(name: string): boolean;
}

interface Decoded extends RegionInstruction {
  readonly next: number;
  /** Where a direct jump within the page leads, and whether there is another way. */
  readonly jump: { readonly target: number; readonly conditional: boolean } | undefined;
  readonly ends: boolean;
}

/** Instructions behind which nothing follows in the region. */
const ENDS = new Set(["JMP", "CALL", "RET"]);

function decodeAt(page: CodePage, offset: number): Decoded | undefined {
  if (offset < 0 || offset > PAGE_SIZE - LONGEST) return undefined;
  const instruction = new Instruction();
  if (decode(page.bytes, page.base + offset, page.base + PAGE_SIZE, page.long ? 8 : 4, instruction) !== OK) return undefined;
  let form: Instruction["form"] | undefined = instruction.form;
  while (form !== undefined && !page.hasFeature(form.feature)) form = form.fallback;
  const define = form === undefined ? undefined : DEFINITIONS.get(form.mnemonic);
  if (form === undefined || define === undefined) return undefined;
  instruction.form = form;
  const shape = shapeOf(instruction, page.long, true);
  const builder = new InstructionBuilder(shape);
  define(builder);
  const effects = effectsOf(builder.root, instruction);
  if (effects === undefined) return undefined;
  const next = offset + instruction.length;
  const conditional = form.mnemonic === "Jcc";
  const direct = (conditional || form.mnemonic === "JMP") && form.operands.at(-1)!.kind === "J" && instruction.operandSize !== 2;
  const target = next + instruction.immediate;
  const inside = direct && target >= 0 && target < PAGE_SIZE;
  return {
    instruction, shape, statements: builder.root, effects, offset, next, jump: inside ? { target, conditional } : undefined, ends: ENDS.has(form.mnemonic),
  };
}

/** The region that begins at an offset of the page, or undefined where the first instruction is not for it. */
export function formRegion(page: CodePage, entry: number): Region | undefined {
  const decoded = new Map<number, Decoded>();
  const leaders = new Set([entry]);
  const open = [entry];
  while (open.length > 0) {
    let at = open.pop()!;
    for (;;) {
      if (decoded.has(at) || decoded.size >= MOST_INSTRUCTIONS) break;
      const one = decodeAt(page, at);
      if (one === undefined) break;
      decoded.set(at, one);
      if (one.jump !== undefined) {
        leaders.add(one.jump.target);
        open.push(one.jump.target);
        if (!one.jump.conditional) break;
        leaders.add(one.next);
      } else if (one.ends) break;
      at = one.next;
    }
  }
  if (!decoded.has(entry)) return undefined;
  const blocks = new Map<number, RegionBlock>();
  for (const leader of leaders) {
    const block = blockAt(leader, decoded, leaders);
    if (block !== undefined) blocks.set(leader, block);
  }
  return { entry, long: page.long, blocks: ordered(entry, blocks) };
}

function blockAt(start: number, decoded: ReadonlyMap<number, Decoded>, leaders: ReadonlySet<number>): RegionBlock | undefined {
  const instructions: RegionInstruction[] = [];
  let at = start;
  for (;;) {
    const one = decoded.get(at);
    if (one === undefined) return instructions.length === 0 ? undefined : { start, instructions, count: instructions.length, length: at - start, end: { kind: "leave", offset: at } };
    if (one.jump !== undefined) {
      const { target, conditional } = one.jump;
      const end: BlockEnd = conditional && target !== one.next ? { kind: "branch", condition: one.instruction.condition, target, otherwise: one.next } : { kind: "goto", target };
      return { start, instructions, count: instructions.length + 1, length: one.next - start, end };
    }
    instructions.push(one);
    if (one.ends) return { start, instructions, count: instructions.length, length: one.next - start, end: { kind: "gone" } };
    at = one.next;
    if (leaders.has(at)) return { start, instructions, count: instructions.length, length: at - start, end: { kind: "goto", target: at } };
  }
}

/** The blocks that can be reached, the entry first. */
function ordered(entry: number, blocks: ReadonlyMap<number, RegionBlock>): Map<number, RegionBlock> {
  const out = new Map<number, RegionBlock>();
  const open = [entry];
  while (open.length > 0) {
    const at = open.pop()!;
    const block = blocks.get(at);
    if (block === undefined || out.has(at)) continue;
    out.set(at, block);
    open.push(...successors(block));
  }
  return out;
}

/** Offsets at which a block may go on. */
export function successors({ end }: RegionBlock): number[] {
  return end.kind === "goto" ? [end.target] : end.kind === "branch" ? [end.target, end.otherwise] : [];
}
