/**
 * Flags that a region has not made words of: which instruction set them, by a number, and its operands in locals. The number is mostly known
 * while code is written; where ways meet it stands in a local, too, and an exit makes the two words from whatever it says.
 */
import { type GeneratedModule, isStaticCondition, type KeptFlags, pushStaticCondition } from "@doppel/cpu";
import type { Size } from "@doppel/semantics";
import { type FunctionBuilder, OP } from "@doppel/wasm";

/** The flags stand in the words. */
export const IN_WORDS = 0;
const RULES = ["add", "sub", "inc", "dec", "logic"] as const;
type Rule = (typeof RULES)[number];
const SIZES: readonly Size[] = [1, 2, 4, 8];

function numberOf({ rule, size }: KeptFlags): number {
  const plain = rule === "adc" ? "add" : rule === "sbb" ? "sub" : rule;
  return 1 + SIZES.length * RULES.indexOf(plain) + SIZES.indexOf(size);
}

/** What is known, at some place in the code, of the flags: the instruction, the words, or only that a local says it. */
export type FlagState = { readonly number: number; readonly kept?: KeptFlags } | "local";

/** The locals of one region, and what stands in them where code is being written. */
export class KeptFlagLocals {
  /** Changes as code is written; a place that is reached in several ways starts with "local". */
  state: FlagState = { number: IN_WORDS };
  readonly result: number;
  readonly aux: number;
  private readonly f: FunctionBuilder;
  private readonly long: boolean;
  private readonly generated: GeneratedModule;
  private readonly number: number;
  private readonly operands: readonly number[];
  private readonly wideOperands: readonly number[];

  constructor(f: FunctionBuilder, generated: GeneratedModule, long: boolean) {
    this.f = f;
    this.generated = generated;
    this.long = long;
    this.result = f.local("i64");
    this.aux = f.local("i32");
    this.number = f.local("i32");
    this.operands = [f.local("i32"), f.local("i32"), f.local("i32")];
    this.wideOperands = long ? [f.local("i64"), f.local("i64"), f.local("i64")] : [];
  }

  /** Takes an update; INC and DEC leave CF in the auxiliary word. */
  keep(kept: KeptFlags): void {
    const { f } = this;
    if (kept.rule === "inc" || kept.rule === "dec") this.keepCarry();
    const locals = kept.size === 8 ? this.wideOperands : this.operands;
    const pushes = kept.rule === "logic" ? [kept.result] : [kept.result, kept.a, kept.b];
    for (const [n, push] of pushes.entries()) {
      push();
      f.set(locals[n]!);
    }
    const operand = (n: number) => (): void => void f.get(locals[n]!);
    this.state = { number: numberOf(kept), kept: { rule: kept.rule, size: kept.size, result: operand(0), a: operand(1), b: operand(2) } };
  }

  private keepCarry(): void {
    const kept = this.state === "local" ? undefined : this.state.kept;
    if (kept?.rule === "inc" || kept?.rule === "dec") return;
    if (kept === undefined || !isStaticCondition(kept, 2)) return this.toWords();
    pushStaticCondition(this.f, kept, 2);
    this.f.i32(31).op(OP.i32_shl).set(this.aux);
  }

  /** Whether a condition follows from what is kept. */
  knows(code: number): boolean {
    return this.state !== "local" && this.state.kept !== undefined && isStaticCondition(this.state.kept, code);
  }

  /** Pushes a condition that `knows` knows. */
  pushCondition(code: number): void {
    pushStaticCondition(this.f, (this.state as { kept: KeptFlags }).kept, code);
  }

  /** Brings the words up to date. */
  toWords(): void {
    if (this.state !== "local" && this.state.number === IN_WORDS) return;
    this.fixNumber();
    this.call();
    this.state = { number: IN_WORDS };
  }

  /** Has the local say what is known: another place is going to ask. */
  fixNumber(): void {
    if (this.state !== "local") this.f.i32(this.state.number).set(this.number);
  }

  /** Makes the words from what the locals say. */
  call(): void {
    const { f, long } = this;
    f.get(this.number);
    for (const local of [...this.operands, ...this.wideOperands]) f.get(local);
    f.get(this.result).get(this.aux).call(this.generated.shared(`flag words ${long}`, () => writeWords(this.generated, long)));
    f.set(this.aux).set(this.result);
  }
}

/** A function of (number, operands, words) that gives the words anew. */
function writeWords(generated: GeneratedModule, long: boolean): number {
  const operands = ["i32", "i32", "i32", ...(long ? (["i64", "i64", "i64"] as const) : [])] as const;
  const { builder: f, index } = generated.module.function({ parameters: ["i32", ...operands, "i64", "i32"], results: ["i64", "i32"] });
  const words = 1 + operands.length;
  const write = (rule: Rule, size: Size): void => {
    const first = size === 8 ? 4 : 1;
    f.get(first);
    if (size === 1) f.op(OP.i32_extend8_s);
    else if (size === 2) f.op(OP.i32_extend16_s);
    if (size < 8) f.op(OP.i64_extend_i32_s);
    if (rule === "logic") f.i32(0);
    else f.get(first + 1).get(first + 2).get(first).get(words + 1).call(generated.carries(rule, size));
    f.op(OP.return);
  };
  for (const rule of RULES) {
    for (const size of SIZES) {
      if (size === 8 && !long) continue;
      f.get(0).i32(1 + SIZES.length * RULES.indexOf(rule) + SIZES.indexOf(size)).op(OP.i32_eq).if();
      write(rule, size);
      f.end();
    }
  }
  f.get(words).get(words + 1);
  return index;
}
