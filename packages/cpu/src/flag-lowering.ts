/**
 * Lowers the arithmetic flags: an update stores the last result and its carries (the layout of the two words stands in
 * `state-layout.ts` of `semantics`, the reasons in docs/decisions/0001), a read works a flag out of them. With `retain`, the operands
 * of the last update stay in locals, and a condition is worked out of those instead.
 */
import { OP, type FunctionBuilder } from "@doppel/wasm";
import type { FlagUpdate, Size, Value } from "@doppel/semantics";
import { AUX_PFX_SHIFT, FLAG_AUX, FLAG_RESULT, STATE } from "./state-layout.ts";
import type { CarryRule, FlagLoad, FlagWords, KeptFlags, Target, ValueSource } from "./target.ts";

/** Comparing the operands tells what an addition or a subtraction left only when no carry went in. */
function keptRule(update: FlagUpdate & { rule: CarryRule }): KeptFlags["rule"] {
  if (!("carry" in update) || update.carry !== true) return update.rule;
  return update.rule === "sub" ? "sbb" : "adc";
}

/** The flag words where they stand in the state. */
function stateFlagWords(f: FunctionBuilder): FlagWords {
  return {
    load: (op, offset) => void f.i32(0).memory(OP[op], STATE + offset),
    begin: () => void f.i32(0),
    end: (word) => void (word === "result" ? f.memory(OP.i64_store, STATE + FLAG_RESULT) : f.memory(OP.i32_store, STATE + FLAG_AUX)),
  };
}

/** Rules whose CF follows from the operands. */
const FROM_OPERANDS = new Set<KeptFlags["rule"]>(["add", "bits", "shl", "shr", "sar"]);

/** A rule and a pair of conditions, as `pushStaticCondition` tells them apart. */
function staticKey({ rule }: KeptFlags, code: number): string {
  return rule === "sub" || rule === "logic" || (code >> 1 === 1 && FROM_OPERANDS.has(rule)) ? `${rule}${code >> 1}` : `${code >> 1}`;
}

const STATIC = new Set(["add1", "bits1", "shl1", "shr1", "sar1", "sub1", "sub2", "sub3", "sub6", "sub7", "sub4", "logic1", "logic4", "logic6", "4", "logic2", "logic3", "2", "logic7"]);

/** Whether a condition follows from the operands of an update with less work than from the flag words. */
export function isStaticCondition(kept: KeptFlags, code: number): boolean {
  return STATIC.has(staticKey(kept, code));
}

/** Pushes such a condition, 0 or 1: the static form of lazy flags (engine.md, item 1). */
export function pushStaticCondition(f: FunctionBuilder, kept: KeptFlags, code: number): void {
  const wide = kept.size === 8;
  const shift = wide ? 0 : 32 - 8 * kept.size;
  const signed = (push: () => void): void => {
    push();
    if (shift > 0) f.i32(shift).op(OP.i32_shl);
  };
  const zero = (): void => {
    signed(kept.result);
    f.op(wide ? OP.i64_eqz : OP.i32_eqz);
  };
  const compare = (a: () => void, b: () => void, op: number, wideOp: number): void => {
    signed(a);
    signed(b);
    f.op(wide ? wideOp : op);
  };
  switch (staticKey(kept, code)) {
    case "add1": compare(kept.result, kept.a, OP.i32_lt_u, OP.i64_lt_u); break;
    case "sub1": compare(kept.a, kept.b, OP.i32_lt_u, OP.i64_lt_u); break;
    case "sub2": compare(kept.a, kept.b, OP.i32_eq, OP.i64_eq); break;
    case "sub3": compare(kept.a, kept.b, OP.i32_le_u, OP.i64_le_u); break;
    case "sub6": compare(kept.a, kept.b, OP.i32_lt_s, OP.i64_lt_s); break;
    case "sub7": compare(kept.a, kept.b, OP.i32_le_s, OP.i64_le_s); break;
    case "logic1": f.i32(0); break;
    case "bits1":
      kept.a();
      f.i32(31).op(OP.i32_shr_u);
      break;
    case "shl1": case "shr1": case "sar1": pushShiftCarry(f, kept); break;
    case "sub4": case "logic4": case "logic6": case "4":
      signed(kept.result);
      if (wide) f.i64(0).op(OP.i64_lt_s);
      else f.i32(31).op(OP.i32_shr_u);
      break;
    case "logic7":
      signed(kept.result);
      if (wide) f.i64(0).op(OP.i64_le_s);
      else f.i32(0).op(OP.i32_le_s);
      break;
    default: zero();
  }
  if (code & 1) f.op(OP.i32_eqz);
}

/** Pushes the last bit that a shift has moved out. */
function pushShiftCarry(f: FunctionBuilder, { rule, size, a, b }: KeptFlags): void {
  const wide = size === 8;
  const number = (n: number): FunctionBuilder => (wide ? f.i64(n) : f.i32(n));
  if (rule !== "shl") {
    a();
    b();
    number(1).op(wide ? OP.i64_sub : OP.i32_sub);
    if (rule === "shr") f.op(wide ? OP.i64_shr_u : OP.i32_shr_u);
    else f.op(wide ? OP.i64_shr_s : OP.i32_shr_s);
  } else if (size < 4) {
    a();
    b();
    f.op(OP.i32_shl).i32(8 * size).op(OP.i32_shr_u);
  } else {
    a();
    number(8 * size);
    b();
    f.op(wide ? OP.i64_sub : OP.i32_sub).op(wide ? OP.i64_shr_u : OP.i32_shr_u);
  }
  if (wide) f.op(OP.i32_wrap_i64);
  f.i32(1).op(OP.i32_and);
}

/** Conditions of Jcc that are one flag. */
export const FLAG_CONDITIONS: Readonly<Record<string, number | undefined>> = { OF: 0, CF: 2, ZF: 4, SF: 8, PF: 10 };

/** Flags of one instruction. */
export class FlagLowering {
  private readonly t: Target;
  private readonly f: FunctionBuilder;
  private readonly values: ValueSource;
  private readonly retain: boolean;
  private readonly words: FlagWords;
  private kept: KeptFlags | undefined;

  constructor(target: Target, values: ValueSource, retain: boolean) {
    this.t = target;
    this.f = target.f;
    this.values = values;
    this.retain = retain;
    this.words = target.flagWords ?? stateFlagWords(target.f);
  }

  /** Gives an update to a tier that keeps it for later, if it is of a kind that can wait. */
  offer(update: FlagUpdate): boolean {
    const { t } = this;
    if (t.keepFlags === undefined) return false;
    const shared = (value: Value): (() => void) => this.values.shared(value).push;
    if (update.rule === "carry-overflow") {
      t.keepCarries?.(this.carriesOf(shared(update.cf), shared(update.of)));
      return t.keepCarries !== undefined;
    }
    if (update.rule === "result") {
      const [carries, af] = [this.carriesOf(shared(update.cf), shared(update.of)), shared(update.af)];
      const a = (): void => {
        carries();
        af();
        this.f.i32(3).op(OP.i32_shl).op(OP.i32_or);
      };
      t.keepFlags({ rule: "bits", size: update.size, result: shared(update.result), a, b: a });
      return true;
    }
    if (!("a" in update || update.rule === "logic")) return false;
    const result = shared(update.result);
    t.keepFlags({
      rule: "a" in update ? keptRule(update) : update.rule, size: update.size, result,
      a: "a" in update ? shared(update.a) : result, b: "a" in update ? shared(update.b) : result, update,
    });
    return true;
  }

  /** What pushes the two upper bits of the auxiliary word, CF and CF xor OF. */
  private carriesOf(cf: () => void, of: () => void): () => void {
    const { f } = this;
    return () => {
      cf();
      f.i32(31).op(OP.i32_shl);
      cf();
      of();
      f.op(OP.i32_xor).i32(30).op(OP.i32_shl).op(OP.i32_or);
    };
  }

  private state(op: FlagLoad, offset: number): void {
    this.words.load(op, offset);
  }

  /** Pushes a flag, 0 or 1. */
  flag(name: string): void {
    const { f } = this;
    switch (name) {
      case "CF":
        this.state("i32_load", FLAG_AUX);
        f.i32(31).op(OP.i32_shr_u);
        return;
      case "ZF":
        this.state("i64_load", FLAG_RESULT);
        f.op(OP.i64_eqz);
        return;
      case "SF":
        this.state("i32_load", FLAG_RESULT + 4);
        f.i32(31).op(OP.i32_shr_u);
        this.state("i32_load", FLAG_AUX);
        f.i32(1).op(OP.i32_and).op(OP.i32_xor);
        return;
      case "PF":
        this.state("i32_load8_u", FLAG_RESULT);
        this.state("i32_load8_u", FLAG_AUX + AUX_PFX_SHIFT / 8);
        f.op(OP.i32_xor).op(OP.i32_popcnt).i32(1).op(OP.i32_and).op(OP.i32_eqz);
        return;
      case "AF":
        this.state("i32_load", FLAG_AUX);
        f.i32(3).op(OP.i32_shr_u).i32(1).op(OP.i32_and);
        return;
      default: {
        const aux = f.local("i32");
        this.state("i32_load", FLAG_AUX);
        f.tee(aux).get(aux).i32(1).op(OP.i32_shl).op(OP.i32_xor).i32(31).op(OP.i32_shr_u);
        f.release(aux);
      }
    }
  }

  /** Pushes a condition of Jcc, 0 or 1, from the stored flags. */
  condition(code: number): void {
    const { f } = this;
    switch (code >> 1) {
      case 0: this.flag("OF"); break;
      case 1: this.flag("CF"); break;
      case 2: this.flag("ZF"); break;
      case 3:
        this.flag("CF");
        this.flag("ZF");
        f.op(OP.i32_or);
        break;
      case 4: this.flag("SF"); break;
      case 5: this.flag("PF"); break;
      default:
        this.flag("SF");
        this.flag("OF");
        f.op(OP.i32_xor);
        if (code >> 1 === 7) {
          this.flag("ZF");
          f.op(OP.i32_or);
        }
    }
    if (code & 1) f.op(OP.i32_eqz);
  }

  /** Pushes the six flags in their EFLAGS places. */
  arithmeticFlags(): void {
    const { f } = this;
    this.flag("CF");
    for (const [name, bit] of [["PF", 2], ["AF", 4], ["ZF", 6], ["SF", 7], ["OF", 11]] as const) {
      this.flag(name);
      f.i32(bit).op(OP.i32_shl).op(OP.i32_or);
    }
  }

  /** Computes the operands of an update now: what stores it may stand in a branch. */
  shareOperands(update: FlagUpdate): void {
    for (const part of Object.values(update)) if (typeof part === "object") this.values.materialize(part);
  }

  /** Stores the result word, sign-extended from the operand's size; `push` pushes the result. */
  private storeResult(size: Size, push: () => void): void {
    const { f } = this;
    this.words.begin();
    push();
    if (size === 1) f.op(OP.i32_extend8_s);
    else if (size === 2) f.op(OP.i32_extend16_s);
    if (size < 8) f.op(OP.i64_extend_i32_s);
    this.words.end("result");
  }

  private keep(kept: KeptFlags): void {
    if (this.retain) this.kept = kept;
  }

  /** Pushes a condition, 0 or 1, from the operands of the flag update just lowered where that is shorter than from the flags it stored. */
  staticCondition(code: number): void {
    if (this.kept !== undefined && isStaticCondition(this.kept, code)) pushStaticCondition(this.f, this.kept, code);
    else this.condition(code);
  }

  /** Stores what an update makes of the flags. */
  set(update: FlagUpdate): void {
    const { f } = this;
    const CARRIES = 0xc000_0000 | 0;
    switch (update.rule) {
      case "logic": {
        const result = this.values.shared(update.result);
        this.storeResult(update.size, result.push);
        this.keep({ rule: "logic", size: update.size, result: result.push, a: result.push, b: result.push });
        if (!this.retain) result.done();
        this.words.begin();
        f.i32(0);
        this.words.end("aux");
        return;
      }
      case "result": {
        const result = this.values.shared(update.result);
        this.storeResult(update.size, result.push);
        result.done();
        const cf = this.values.shared(update.cf);
        this.words.begin();
        this.carriesOf(cf.push, () => this.values.push(update.of))();
        this.values.push(update.af);
        f.i32(3).op(OP.i32_shl).op(OP.i32_or);
        this.words.end("aux");
        cf.done();
        return;
      }
      case "carry": {
        // Flipping CF and CIN together keeps OF.
        const aux = f.local("i32");
        this.words.begin();
        this.state("i32_load", FLAG_AUX);
        f.tee(aux).i32(0).get(aux).i32(31).op(OP.i32_shr_u);
        this.values.push(update.cf);
        f.op(OP.i32_xor).op(OP.i32_sub).i32(CARRIES).op(OP.i32_and).op(OP.i32_xor);
        this.words.end("aux");
        f.release(aux);
        return;
      }
      case "carry-overflow": {
        const cf = this.values.shared(update.cf);
        this.words.begin();
        this.state("i32_load", FLAG_AUX);
        f.i32(~CARRIES).op(OP.i32_and);
        this.carriesOf(cf.push, () => this.values.push(update.of))();
        f.op(OP.i32_or);
        this.words.end("aux");
        cf.done();
        return;
      }
      case "image": {
        const image = this.values.shared(update.image);
        const bit = (n: number): void => {
          image.push();
          f.i32(n).op(OP.i32_shr_u).i32(1).op(OP.i32_and);
        };
        this.words.begin();
        bit(6);
        f.op(OP.i32_eqz).op(OP.i64_extend_i32_u);
        this.words.end("result");
        this.words.begin();
        bit(0);
        f.i32(31).op(OP.i32_shl);
        bit(0);
        bit(11);
        f.op(OP.i32_xor).i32(30).op(OP.i32_shl).op(OP.i32_or);
        bit(4);
        f.i32(3).op(OP.i32_shl).op(OP.i32_or);
        bit(7);
        f.op(OP.i32_or);
        // The result word is 0 (even parity) or 1 (odd): PFX mends it where PF differs from ZF.
        bit(2);
        bit(6);
        f.op(OP.i32_xor).i32(AUX_PFX_SHIFT).op(OP.i32_shl).op(OP.i32_or);
        this.words.end("aux");
        image.done();
        return;
      }
      case "shl": case "shr": case "sar": {
        const [a, b, result] = [this.values.shared(update.a), this.values.shared(update.b), this.values.shared(update.result)];
        const kept: KeptFlags = { rule: update.rule, size: update.size, result: result.push, a: a.push, b: b.push };
        const top = (below: number): void => {
          result.push();
          if (update.size === 8) f.i64(63 - below).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
          else f.i32(8 * update.size - 1 - below).op(OP.i32_shr_u);
          f.i32(1).op(OP.i32_and);
        };
        this.storeResult(update.size, result.push);
        this.words.begin();
        pushShiftCarry(f, kept);
        f.i32(31).op(OP.i32_shl);
        // CF xor OF: an overflow is a change of sign to the left, and a sign that was there to the right.
        if (update.rule === "shl") top(0);
        else {
          pushShiftCarry(f, kept);
          if (update.rule === "shr") {
            top(0);
            top(1);
            f.op(OP.i32_xor).op(OP.i32_xor);
          }
        }
        f.i32(30).op(OP.i32_shl).op(OP.i32_or);
        this.words.end("aux");
        this.keep(kept);
        if (this.retain) return;
        for (const operand of [a, b, result]) operand.done();
        return;
      }
      default: {
        const a = this.values.shared(update.a);
        const b = this.values.shared(update.b);
        const result = this.values.shared(update.result);
        const wide = update.size === 8;
        const W = wide
          ? { and: OP.i64_and, or: OP.i64_or, xor: OP.i64_xor }
          : { and: OP.i32_and, or: OP.i32_or, xor: OP.i32_xor };
        const ones = (): void => void (wide ? f.i64(-1) : f.i32(-1));
        const subtracts = update.rule === "sub" || update.rule === "dec";
        // Carry (borrow) out of every bit: add (a & b) | ((a | b) & ~r), sub (~a & b) | (~(a ^ b) & r).
        const carries = (): void => {
          if (subtracts) {
            a.push();
            ones();
            f.op(W.xor);
            b.push();
            f.op(W.and);
            a.push();
            b.push();
            f.op(W.xor);
            ones();
            f.op(W.xor);
            result.push();
          } else {
            a.push();
            b.push();
            f.op(W.and);
            a.push();
            b.push();
            f.op(W.or);
            result.push();
            ones();
            f.op(W.xor);
          }
          f.op(W.and).op(W.or);
        };
        // INC and DEC overflow exactly at one result; their carries are those of +1, of which only AF is kept.
        const keepsCarry = update.rule === "inc" || update.rule === "dec";
        const vector = f.local(wide ? "i64" : "i32");
        carries();
        f.set(vector);
        const top = f.local("i32");
        f.get(vector);
        if (wide) f.i64(32).op(OP.i64_shr_u).op(OP.i32_wrap_i64);
        else if (update.size < 4) f.i32(32 - 8 * update.size).op(OP.i32_shl);
        f.set(top);
        const adjust = (): void => {
          f.get(vector);
          if (wide) f.op(OP.i32_wrap_i64);
          f.i32(8).op(OP.i32_and);
        };
        this.words.begin();
        if (keepsCarry) {
          const old = f.local("i32");
          this.state("i32_load", FLAG_AUX);
          f.i32(1 << 31).op(OP.i32_and).tee(old);
          f.get(top).get(top).i32(1).op(OP.i32_shl).op(OP.i32_xor).get(old).op(OP.i32_xor);
          f.i32(1 << 31).op(OP.i32_and).i32(1).op(OP.i32_shr_u).op(OP.i32_or);
          f.release(old);
        } else f.get(top).i32(CARRIES).op(OP.i32_and);
        adjust();
        f.op(OP.i32_or);
        this.words.end("aux");
        f.release(top);
        f.release(vector);
        this.storeResult(update.size, result.push);
        this.keep({ rule: keptRule(update), size: update.size, result: result.push, a: a.push, b: b.push });
        if (this.retain) return;
        a.done();
        b.done();
        result.done();
      }
    }
  }
}
