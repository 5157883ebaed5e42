/**
 * Flags that a region has not made words of: which instruction set them, by a number, and its operands. While code is written straight on, the
 * operands are in locals and the number is known; where ways meet they stand in memory, so that no loop carries them in registers. A region
 * goes on to another with them there, too. Only who leaves for the interpreter makes the two words.
 */
import { type GeneratedModule, isStaticCondition, type KeptFlags, layout, pushStaticCondition } from "@doppel/cpu";
import type { Size } from "@doppel/semantics";
import { type FunctionBuilder, OP, type Signature } from "@doppel/wasm";

const { STATE, STATE_SIZE, FLAG_RESULT, FLAG_AUX } = layout;
/** In memory, behind the state: i32 number, i32 carries, i64 result, i64 a, i64 b. Outside of regions the number is `IN_WORDS`. */
const NUMBER = STATE + STATE_SIZE;
const CARRIES = NUMBER + 4;
const OPERANDS = [NUMBER + 8, NUMBER + 16, NUMBER + 24] as const;
/** Bit of a number: CF and OF are others than the operands say, those of the carries. */
const TURNED = 64;
const CARRY_BITS = 0xc000_0000 | 0;
/** The flags stand in the words. */
const IN_WORDS = 0;
/** What `exit` is told when number and operands are in memory already. */
const IN_MEMORY = -1;
const SIZES: readonly Size[] = [1, 2, 4, 8];
/** Those that set all flags come before those that keep CF, which is in the auxiliary word then. */
const RULES = ["logic", "add", "sub", "bits", "inc", "dec"] as const;
type Rule = (typeof RULES)[number];
const KEEPS_CARRY = 1 + SIZES.length * RULES.indexOf("inc");

const numberFor = (rule: Rule, size: Size): number => 1 + SIZES.length * RULES.indexOf(rule) + SIZES.indexOf(size);

/** Pairs of conditions: those of CF, ZF and SF alone. */
const [CARRY, ZERO, SIGN] = [1, 2, 4] as const;

const WORDS = "flagWords";
const carriesName = (rule: Rule, size: Size): string => `carries ${rule} ${size}`;
const carriesSignature = (size: Size): Signature => {
  const type = size === 8 ? "i64" : "i32";
  return { parameters: [type, type, type, "i32"], results: ["i32"] };
};
type CarryingRule = Exclude<Rule, "logic" | "bits">;
const plainRule = (rule: Exclude<KeptFlags["rule"], "logic" | "bits">): CarryingRule => (rule === "adc" ? "add" : rule === "sbb" ? "sub" : rule);

/** What is known, at some place in the code, of the flags: their words are right, an instruction's operands are in locals, or all is in memory. */
export type FlagState = "words" | "memory" | { readonly number: number; readonly kept: KeptFlags; readonly turned: boolean };

/** The flags of one region. */
export class KeptFlagLocals {
  /** Changes as code is written. */
  state: FlagState = "memory";
  private readonly f: FunctionBuilder;
  private readonly long: boolean;
  private readonly generated: GeneratedModule;
  /** What `exit` finds. */
  private readonly number: number;
  private readonly carries: number;
  /** Result, a and b, of up to 32 bits, and of 64. */
  private readonly operands: readonly number[];
  private readonly wide: readonly number[];

  constructor(f: FunctionBuilder, generated: GeneratedModule, long: boolean) {
    this.f = f;
    this.generated = generated;
    this.long = long;
    this.number = f.local("i32", "flags");
    this.carries = f.local("i32", "carries");
    this.operands = [f.local("i32", "result"), f.local("i32", "a"), f.local("i32", "b")];
    this.wide = long ? [f.local("i64", "result64"), f.local("i64", "a64"), f.local("i64", "b64")] : [];
  }

  /** Takes an update; INC and DEC leave CF in the auxiliary word. */
  keep(kept: KeptFlags): void {
    const { f } = this;
    const { rule, size } = kept;
    if (rule === "inc" || rule === "dec") this.keepCarry();
    const locals = size === 8 ? this.wide : this.operands;
    const pushes = rule === "logic" ? [kept.result] : rule === "bits" ? [kept.result, kept.a] : [kept.result, kept.a, kept.b];
    for (const [n, push] of pushes.entries()) {
      push();
      if (n > 0 && rule === "bits" && size === 8) f.op(OP.i64_extend_i32_u);
      f.set(locals[n]!);
    }
    const operand = (n: number) => (): void => void f.get(locals[n]!);
    const auxiliary = (): void => {
      f.get(locals[1]!);
      if (size === 8) f.op(OP.i32_wrap_i64);
    };
    const number = numberFor(rule === "logic" || rule === "bits" ? rule : plainRule(rule), size);
    this.state = { number, kept: { rule, size, result: operand(0), a: rule === "bits" ? auxiliary : operand(1), b: operand(2) }, turned: false };
  }

  /** Whether `keepCarries` takes what it is given. */
  get keepsCarries(): boolean {
    return typeof this.state === "object";
  }

  /** Takes an update of CF and OF alone. */
  keepCarries(push: () => void): boolean {
    const { state } = this;
    if (typeof state !== "object") return false;
    push();
    this.f.set(this.carries);
    this.state = { ...state, turned: true };
    return true;
  }

  private keepCarry(): void {
    const { f, state } = this;
    if (state === "words") return;
    if (state === "memory") {
      f.i32(0).memory(OP.i32_load, NUMBER).i32(1).op(OP.i32_sub).tee(this.number).i32(KEEPS_CARRY - 1).op(OP.i32_lt_u).get(this.number).i32(TURNED - 1).op(OP.i32_ge_s).op(OP.i32_or).if();
      this.makeWords();
      f.end();
    } else if (state.turned || state.number < KEEPS_CARRY) {
      if (!this.knows(2)) return this.toWords();
      f.i32(0);
      this.pushCondition(2);
      f.i32(31).op(OP.i32_shl).memory(OP.i32_store, STATE + FLAG_AUX);
    }
  }

  /** Whether a condition follows from what is kept. */
  knows(code: number): boolean {
    const { state } = this;
    if (typeof state !== "object") return false;
    const pair = code >> 1;
    return state.turned ? pair === CARRY || ((pair === ZERO || pair === SIGN) && isStaticCondition(state.kept, code)) : isStaticCondition(state.kept, code);
  }

  /** Pushes a condition that `knows` knows. */
  pushCondition(code: number): void {
    const { f } = this;
    const { kept, turned } = this.state as { kept: KeptFlags; turned: boolean };
    if (!turned || code >> 1 !== CARRY) return pushStaticCondition(f, kept, code);
    f.get(this.carries).i32(31).op(OP.i32_shr_u);
    if (code & 1) f.op(OP.i32_eqz);
  }

  /** Brings the words up to date. */
  toWords(): void {
    const { f, state } = this;
    if (state === "memory") {
      f.i32(0).memory(OP.i32_load, NUMBER).if();
      this.makeWords();
      f.end();
    } else if (state !== "words") {
      const { rule, size, result, a, b } = state.kept;
      f.i32(0);
      if (rule === "logic") f.i32(0);
      else if (rule === "bits") a();
      else {
        a();
        b();
        result();
        f.i32(0).memory(OP.i32_load, STATE + FLAG_AUX).call(this.helper(carriesName(plainRule(rule), size), carriesSignature(size)));
      }
      if (state.turned) f.i32(~CARRY_BITS).op(OP.i32_and).get(this.carries).op(OP.i32_or);
      f.memory(OP.i32_store, STATE + FLAG_AUX).i32(0);
      result();
      extend(f, size);
      f.memory(OP.i64_store, STATE + FLAG_RESULT);
    }
    this.state = "words";
  }

  /** Ways meet behind this: what is known goes to memory. */
  meet(): void {
    const { f, state } = this;
    if (state === "memory") return;
    if (state !== "words") {
      this.store(state.kept.size === 8, state.kept.rule === "logic" ? 1 : 3);
      if (state.turned) f.i32(0).get(this.carries).memory(OP.i32_store, CARRIES);
      // Nobody is to keep them in registers for an exit behind.
      for (const local of this.operands) f.i32(0).set(local);
      for (const local of this.wide) f.i64(0).set(local);
    }
    f.i32(0).i32(state === "words" ? IN_WORDS : turnedNumber(state)).memory(OP.i32_store, NUMBER);
  }

  private store(wide: boolean, count: number): void {
    const { f } = this;
    for (const [n, local] of (wide ? this.wide : this.operands).slice(0, count).entries()) f.i32(0).get(local).memory(wide ? OP.i64_store : OP.i32_store, OPERANDS[n]!);
  }

  /** On the way to the place where the region is left. */
  beforeExit(): void {
    const { f, state } = this;
    f.i32(state === "words" ? IN_WORDS : state === "memory" ? IN_MEMORY : turnedNumber(state)).set(this.number);
  }

  /** At that place: all goes to memory. */
  exit(): void {
    const { f, long } = this;
    f.get(this.number).i32(IN_MEMORY).op(OP.i32_ne).if();
    f.i32(0).get(this.number).memory(OP.i32_store, NUMBER);
    f.i32(0).get(this.carries).memory(OP.i32_store, CARRIES);
    if (long) {
      // Operands of 64 bits have the numbers that are divisible by four.
      f.get(this.number).i32(SIZES.length - 1).op(OP.i32_and).op(OP.i32_eqz).if();
      this.store(true, 3);
      f.else();
      this.store(false, 3);
      f.end();
    } else this.store(false, 3);
    f.end();
  }

  /** Makes the words from what is in memory, for the interpreter. */
  makeWords(): void {
    this.f.call(this.helper(WORDS, { parameters: [], results: [] }));
  }

  private helper(name: string, signature: Signature): number {
    return this.generated.shared(name, () => this.generated.module.importFunction("helpers", name, signature));
  }
}

function turnedNumber({ number, turned }: { number: number; turned: boolean }): number {
  return number + (turned ? TURNED : 0);
}

function extend(f: FunctionBuilder, size: Size): void {
  if (size === 1) f.op(OP.i32_extend8_s);
  else if (size === 2) f.op(OP.i32_extend16_s);
  if (size < 8) f.op(OP.i64_extend_i32_s);
}

/** Writes the functions that make flag words. */
export function writeFlagHelpers(generated: GeneratedModule): void {
  for (const rule of RULES) for (const size of SIZES) if (rule !== "logic" && rule !== "bits") generated.module.export(carriesName(rule, size), generated.carries(rule, size));
  writeWords(generated);
}

/** A function that makes the words from what is in memory. */
function writeWords(generated: GeneratedModule): void {
  const { builder: f } = generated.module.function({ parameters: [], results: [] }, WORDS);
  const end = f.block();
  const shapes = RULES.flatMap((rule) => SIZES.map((size) => ({ rule, size })));
  const arms = shapes.map(() => f.block()).reverse();
  f.i32(0).memory(OP.i32_load, NUMBER).i32(TURNED - 1).op(OP.i32_and).brTable([end, ...arms], end);
  for (const { rule, size } of shapes) {
    f.end();
    const load = (n: number): FunctionBuilder => f.i32(0).memory(size === 8 ? OP.i64_load : OP.i32_load, OPERANDS[n]!);
    f.i32(0);
    if (rule === "logic") f.i32(0);
    else if (rule === "bits") f.i32(0).memory(OP.i32_load, OPERANDS[1]);
    else {
      load(1);
      load(2);
      load(0);
      f.i32(0).memory(OP.i32_load, STATE + FLAG_AUX).call(generated.carries(rule, size));
    }
    f.memory(OP.i32_store, STATE + FLAG_AUX).i32(0);
    load(0);
    extend(f, size);
    f.memory(OP.i64_store, STATE + FLAG_RESULT).br(end);
  }
  f.end();
  f.i32(0).memory(OP.i32_load, NUMBER).i32(TURNED).op(OP.i32_and).if();
  f.i32(0).i32(0).memory(OP.i32_load, STATE + FLAG_AUX).i32(~CARRY_BITS).op(OP.i32_and).i32(0).memory(OP.i32_load, CARRIES).op(OP.i32_or).memory(OP.i32_store, STATE + FLAG_AUX);
  f.end();
  f.i32(0).i32(IN_WORDS).memory(OP.i32_store, NUMBER);
}
