/**
 * Flags that a region has not made words of: which instruction set them, by a number, and its operands. While code is written straight on, the
 * operands are in locals and the number is known; where ways meet they stand in memory, so that no loop carries them in registers, or which
 * registers tell of them does (`told-flags.ts`). A region goes on to another with them there, too. Only who leaves for the interpreter makes the two words.
 */
import { type GeneratedModule, isStaticCondition, type KeptFlags, layout, pushStaticCondition } from "@doppel/cpu";
import type { Size } from "@doppel/semantics";
import { type FunctionBuilder, OP, type Signature, type ValueType } from "@doppel/wasm";
import { pushTold, type ToldFlags } from "./told-flags.ts";

const { STATE, STATE_SIZE, FLAG_RESULT, FLAG_AUX } = layout;
/** In memory, behind the state: i32 number, i32 carries, i64 result, i64 a, i64 b, i64 result of an INC or DEC. Outside of regions the number is `IN_WORDS`. */
const NUMBER = STATE + STATE_SIZE;
const CARRIES = NUMBER + 4;
const OPERANDS = [NUMBER + 8, NUMBER + 16, NUMBER + 24] as const;
const OVER = NUMBER + 32;
/** Bit of a number: CF and OF are others than the operands say, those of the carries. */
const TURNED = 64;
/** Upper bits of a number: that of an INC or DEC which came behind all that the lower ones say, and has kept its CF. */
const OVER_SHIFT = 8;
const UNDER = 0xff;
const CARRY_BITS = 0xc000_0000 | 0;
/** From here on numbers say which registers tell of the flags: they mean something inside of one region only. */
const TOLD = 1 << 16;
/** The flags stand in the words. */
const IN_WORDS = 0;
/** What `exit` is told when number and operands are in memory already. */
const IN_MEMORY = -1;
const SIZES: readonly Size[] = [1, 2, 4, 8];
/** Those that set all flags come before those that keep CF, which is in the auxiliary word then. */
const RULES = ["logic", "add", "sub", "bits", "shl", "shr", "sar", "inc", "dec"] as const;
type Rule = (typeof RULES)[number];
const KEEPS_CARRY = 1 + SIZES.length * RULES.indexOf("inc");

const numberFor = (rule: Rule, size: Size): number => 1 + SIZES.length * RULES.indexOf(rule) + SIZES.indexOf(size);

/** Pairs of conditions: those of CF, ZF and SF alone. */
const [CARRY, ZERO, SIGN] = [1, 2, 4] as const;

const WORDS = "flagWords";
/** Takes CF and OF, as the two upper bits of an auxiliary word, beside what is in memory. */
const TURN = "turnFlags";
const TURN_SIGNATURE: Signature = { parameters: ["i32"], results: [] };
const carriesName = (rule: Rule, size: Size): string => `carries ${rule} ${size}`;
const carriesSignature = (size: Size): Signature => {
  const type = size === 8 ? "i64" : "i32";
  return { parameters: [type, type, type, "i32"], results: ["i32"] };
};
type CarryingRule = Exclude<Rule, "logic" | "bits">;
const plainRule = (rule: Exclude<KeptFlags["rule"], "logic" | "bits">): CarryingRule => (rule === "adc" ? "add" : rule === "sbb" ? "sub" : rule);

/** Where CF is that INC and DEC keep: in the auxiliary word, in what is to be made of the other flags in memory, or in the local for it. */
type Carry = "auxiliary" | "memory" | "local";

/**
 * What is known, at some place in the code, of the flags: their words are right, an instruction's operands are in locals, or all is in memory; "turned", but for
 * CF and OF, which a local has.
 */
export type FlagState = "words" | "memory" | "turned" | { readonly number: number; readonly kept: KeptFlags; readonly turned: boolean; readonly carry: Carry; readonly told: ToldFlags | undefined };

/** The flags of one region. */
export class KeptFlagLocals {
  /** Changes as code is written. */
  state: FlagState = "memory";
  private readonly f: FunctionBuilder;
  private readonly long: boolean;
  private readonly generated: GeneratedModule;
  private readonly number: number;
  private readonly carries: number;
  private readonly carry: number;
  /** Pushes a part of a register. */
  private readonly pushRegister: (offset: number, size: Size) => void;
  /** What registers tell of at places where ways meet, by what it is. */
  private readonly told = new Map<string, { readonly number: number; readonly flags: ToldFlags }>();
  /** Result, a and b, of up to 32 bits, and of 64. */
  private readonly operands: readonly number[];
  private readonly wide: readonly number[];

  constructor(f: FunctionBuilder, generated: GeneratedModule, long: boolean, pushRegister: (offset: number, size: Size) => void) {
    this.f = f;
    this.pushRegister = pushRegister;
    this.generated = generated;
    this.long = long;
    this.number = f.local("i32", "flags");
    this.carries = f.local("i32", "carries");
    this.carry = f.local("i32", "carry");
    this.operands = [f.local("i32", "result"), f.local("i32", "a"), f.local("i32", "b")];
    this.wide = long ? [f.local("i64", "result64"), f.local("i64", "a64"), f.local("i64", "b64")] : [];
  }

  /** Takes an update; INC and DEC keep CF. @param told what registers tell of it behind the instruction */
  keep(kept: KeptFlags, told?: ToldFlags): void {
    const { f } = this;
    const { rule, size } = kept;
    const carry = rule === "inc" || rule === "dec" ? this.keepCarry() : "auxiliary";
    const locals = size === 8 ? this.wide : this.operands;
    const pushes = [kept.result, kept.a, kept.b].slice(0, operandsOf(rule));
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
    this.state = { number, kept: { rule, size, result: operand(0), a: rule === "bits" ? auxiliary : operand(1), b: operand(2) }, turned: false, carry, told };
  }

  /** Takes an update of CF and OF alone. */
  keepCarries(push: () => void): void {
    const { f, state } = this;
    if (state === "words") f.i32(0).i32(IN_WORDS).memory(OP.i32_store, NUMBER);
    push();
    f.set(this.carries);
    this.state = typeof state === "object" ? { ...state, turned: true } : "turned";
  }

  /** The carries beside what is in memory. */
  private turnMemory(): void {
    this.f.get(this.carries).call(this.helper(TURN, TURN_SIGNATURE));
  }

  /** Whoever needs CF later pays for it: mostly nobody does. */
  private keepCarry(): Carry {
    const { f, state } = this;
    if (state === "words") return "auxiliary";
    if (state === "memory") return "memory";
    if (state !== "turned" && !state.turned && state.number >= KEEPS_CARRY) return state.carry;
    if (!this.knows(2)) {
      this.toWords();
      return "auxiliary";
    }
    this.pushCondition(2);
    f.set(this.carry);
    return "local";
  }

  /** CF to the auxiliary word, where an INC or DEC has kept it elsewhere. */
  private settleCarry(): void {
    const { f, state } = this;
    if (typeof state !== "object" || state.turned) return;
    if (state.carry === "local") f.i32(0).get(this.carry).i32(31).op(OP.i32_shl).memory(OP.i32_store, STATE + FLAG_AUX);
    else if (state.carry === "memory") this.memoryToWords();
  }

  private memoryToWords(): void {
    const { f } = this;
    f.i32(0).memory(OP.i32_load, NUMBER).if();
    this.makeWords();
    f.end();
  }

  /** Stores the result of an INC or DEC beside what is in memory, if its CF is to be made of that. */
  private storeOver(): boolean {
    const { f, state } = this;
    if (typeof state !== "object" || state.turned || state.carry !== "memory") return false;
    const wide = state.kept.size === 8;
    f.i32(0).get((wide ? this.wide : this.operands)[0]!).memory(wide ? OP.i64_store : OP.i32_store, OVER);
    f.i32(0).i32(0).memory(OP.i32_load, NUMBER).i32(UNDER).op(OP.i32_and).i32(state.number << OVER_SHIFT).op(OP.i32_or).memory(OP.i32_store, NUMBER);
    return true;
  }

  /** Whether a condition follows from what is kept. */
  knows(code: number): boolean {
    const { state } = this;
    const pair = code >> 1;
    if (typeof state !== "object") return state === "turned" && pair === CARRY;
    if (pair === CARRY && state.carry === "local") return true;
    return state.turned ? pair === CARRY || ((pair === ZERO || pair === SIGN) && isStaticCondition(state.kept, code)) : isStaticCondition(state.kept, code);
  }

  /** Pushes a condition that `knows` knows. */
  pushCondition(code: number): void {
    const { f } = this;
    const state = this.state as Exclude<FlagState, "words" | "memory">;
    const isTurned = state === "turned" || state.turned;
    if (state !== "turned" && (code >> 1 !== CARRY || !(isTurned || state.carry === "local"))) return pushStaticCondition(f, state.kept, code);
    if (isTurned) f.get(this.carries).i32(31).op(OP.i32_shr_u);
    else f.get(this.carry);
    if (code & 1) f.op(OP.i32_eqz);
  }

  /** Brings the words up to date. */
  toWords(): void {
    const { f, state } = this;
    if (state === "turned") this.turnMemory();
    if (state === "memory" || state === "turned") this.memoryToWords();
    else if (state !== "words") {
      const { rule, size, result, a, b } = state.kept;
      this.settleCarry();
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

  /** Registers have changed. */
  changed(registers: number): void {
    const { state } = this;
    if (typeof state === "object" && state.told !== undefined && (state.told.registers & registers) !== 0) this.state = { ...state, told: undefined };
  }

  /**
   * Ways meet behind this: what is known goes to memory.
   * @param changed registers that change there before all flags are set anew, which nothing asks for until then; undefined where that is not so
   */
  meet(changed?: number): void {
    const { f, state } = this;
    if (changed !== undefined && typeof state === "object" && !state.turned && state.told !== undefined && (state.told.registers & changed) === 0) {
      f.i32(0).i32(this.numberOf(state.told)).memory(OP.i32_store, NUMBER);
      return;
    }
    if (state === "turned") this.turnMemory();
    if (state === "memory" || state === "turned" || this.storeOver()) return;
    if (state !== "words") {
      this.settleCarry();
      const { rule, size } = state.kept;
      const [locals, store] = size === 8 ? [this.wide, OP.i64_store] : [this.operands, OP.i32_store];
      for (const [n, local] of locals.slice(0, operandsOf(rule)).entries()) f.i32(0).get(local).memory(store, OPERANDS[n]!);
      this.storeCarries();
    }
    f.i32(0).i32(state === "words" ? IN_WORDS : turnedNumber(state)).memory(OP.i32_store, NUMBER);
  }

  /** What stands in memory in place of a number whose operands registers tell. */
  private numberOf(flags: ToldFlags): number {
    const { told } = this;
    const key = JSON.stringify(flags, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
    let known = told.get(key);
    if (known === undefined) told.set(key, (known = { number: TOLD + told.size, flags }));
    return known.number;
  }

  private storeCarries(): void {
    const { state } = this;
    if (typeof state === "object" && state.turned) this.f.i32(0).get(this.carries).memory(OP.i32_store, CARRIES);
  }

  /** What `pushForExit` pushes. */
  get exitTypes(): readonly ValueType[] {
    const type = this.long ? "i64" : "i32";
    return ["i32", type, type, type];
  }

  /** For the place where the region is left, its number and operands: no loop carries them there in registers. */
  pushForExit(): void {
    const { f, long, state } = this;
    if (state === "turned") this.turnMemory();
    const isOver = this.storeOver();
    const kept = typeof state === "object" && !isOver ? state.kept : undefined;
    if (kept !== undefined) {
      this.settleCarry();
      this.storeCarries();
    }
    f.i32(state === "words" ? IN_WORDS : kept !== undefined ? turnedNumber(state as Exclude<FlagState, string>) : IN_MEMORY);
    for (const n of OPERANDS.keys()) {
      if (kept !== undefined && n < operandsOf(kept.rule)) {
        f.get((kept.size === 8 ? this.wide : this.operands)[n]!);
        if (long && kept.size < 8) f.op(OP.i64_extend_i32_u);
      } else if (long) f.i64(0);
      else f.i32(0);
    }
  }

  /** At that place: all goes to memory. */
  exit(): void {
    const { f, long } = this;
    const operands = (long ? this.wide : this.operands).toReversed();
    for (const local of operands) f.set(local);
    f.tee(this.number).i32(IN_MEMORY).op(OP.i32_ne).if();
    f.i32(0).get(this.number).memory(OP.i32_store, NUMBER);
    for (const [n, local] of operands.toReversed().entries()) f.i32(0).get(local).memory(long ? OP.i64_store : OP.i32_store, OPERANDS[n]!);
    if (this.told.size > 0) {
      f.else();
      this.askRegisters();
    }
    f.end();
  }

  /** Has memory say what registers tell of, if that is what stands there. */
  private askRegisters(): void {
    const { f } = this;
    const told = [...this.told.values()];
    const end = f.block();
    const arms = told.map(() => f.block()).reverse();
    f.i32(0).memory(OP.i32_load, NUMBER).i32(TOLD).op(OP.i32_sub).brTable(arms, end);
    for (const { flags } of told) {
      f.end();
      const wide = flags.size === 8;
      for (let n = 0; n < operandsOf(flags.rule); n++) {
        f.i32(0);
        pushTold(flags, n, {
          register: this.pushRegister,
          number: (value) => void (wide ? f.i64(value) : f.i32(Number(value))),
          operate: (operation) => void f.op(OP[`${wide ? "i64" : "i32"}_${operation}`]),
        });
        f.memory(wide ? OP.i64_store : OP.i32_store, OPERANDS[n]!);
      }
      f.i32(0).i32(numberFor(flags.rule, flags.size)).memory(OP.i32_store, NUMBER).br(end);
    }
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

function turnedNumber({ number, turned }: Exclude<FlagState, string>): number {
  return number + (turned ? TURNED : 0);
}

/** How many of result, a and b the flags are made of. */
function operandsOf(rule: KeptFlags["rule"]): number {
  return rule === "logic" ? 1 : rule === "bits" ? 2 : 3;
}

function extend(f: FunctionBuilder, size: Size): void {
  if (size === 1) f.op(OP.i32_extend8_s);
  else if (size === 2) f.op(OP.i32_extend16_s);
  if (size < 8) f.op(OP.i64_extend_i32_s);
}

/** Writes the functions that make flag words. */
export function writeFlagHelpers(generated: GeneratedModule): void {
  for (const rule of RULES) for (const size of SIZES) if (rule !== "logic" && rule !== "bits") generated.module.export(carriesName(rule, size), generated.carries(rule, size));
  const words = writeWords(generated);
  const { builder: f } = generated.module.function(TURN_SIGNATURE, TURN);
  // An INC or DEC came before.
  f.i32(0).memory(OP.i32_load, NUMBER).i32(UNDER).op(OP.i32_gt_u).if(undefined, false);
  f.call(words).end();
  f.i32(0).get(0).memory(OP.i32_store, CARRIES);
  f.i32(0).i32(0).memory(OP.i32_load, NUMBER).i32(TURNED).op(OP.i32_or).memory(OP.i32_store, NUMBER);
}

/** A function that makes the words from what is in memory; its index. */
function writeWords(generated: GeneratedModule): number {
  const { builder: f, index } = generated.module.function({ parameters: [], results: [] }, WORDS);
  const auxiliary = (): FunctionBuilder => f.i32(0).memory(OP.i32_load, STATE + FLAG_AUX);
  const shapes = RULES.flatMap((rule) => SIZES.map((size) => ({ rule, size })));
  /** Goes to the arm of a number, from `base` on; `words` writes it. */
  const choose = (push: () => void, base: number, words: (rule: Rule, size: Size) => void): void => {
    const end = f.block();
    const chosen = shapes.slice(base - 1);
    const arms = chosen.map(() => f.block()).reverse();
    push();
    if (base > 1) f.i32(base - 1).op(OP.i32_sub);
    f.brTable([end, ...arms], end);
    for (const { rule, size } of chosen) {
      f.end();
      words(rule, size);
      f.br(end);
    }
    f.end();
  };
  const store = (size: Size, aux: () => void, result: () => void): void => {
    f.i32(0);
    aux();
    f.memory(OP.i32_store, STATE + FLAG_AUX).i32(0);
    result();
    extend(f, size);
    f.memory(OP.i64_store, STATE + FLAG_RESULT);
  };
  const loadOf = (size: Size, at: number) => (): void => void f.i32(0).memory(size === 8 ? OP.i64_load : OP.i32_load, at);
  choose(() => f.i32(0).memory(OP.i32_load, NUMBER).i32(TURNED - 1).op(OP.i32_and), 1, (rule, size) => {
    const [result, a, b] = OPERANDS.map((at) => loadOf(size, at)) as [() => void, () => void, () => void];
    store(size, () => {
      if (rule === "logic") f.i32(0);
      else if (rule === "bits") f.i32(0).memory(OP.i32_load, OPERANDS[1]);
      else {
        a();
        b();
        result();
        auxiliary().call(generated.carries(rule, size));
      }
    }, result);
  });
  f.i32(0).memory(OP.i32_load, NUMBER).i32(TURNED).op(OP.i32_and).if();
  f.i32(0);
  auxiliary().i32(~CARRY_BITS).op(OP.i32_and).i32(0).memory(OP.i32_load, CARRIES).op(OP.i32_or).memory(OP.i32_store, STATE + FLAG_AUX);
  f.end();
  choose(() => f.i32(0).memory(OP.i32_load, NUMBER).i32(OVER_SHIFT).op(OP.i32_shr_u), KEEPS_CARRY, (rule, size) => {
    const result = loadOf(size, OVER);
    const one = (): FunctionBuilder => (size === 8 ? f.i64(1) : f.i32(1));
    store(size, () => {
      result();
      one().op(size === 8 ? (rule === "inc" ? OP.i64_sub : OP.i64_add) : rule === "inc" ? OP.i32_sub : OP.i32_add);
      one();
      result();
      auxiliary().call(generated.carries(rule as "inc" | "dec", size));
    }, result);
  });
  f.i32(0).i32(IN_WORDS).memory(OP.i32_store, NUMBER);
  return index;
}
