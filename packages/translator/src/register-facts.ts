/**
 * What is known of XMM registers while a block runs: that a register's number is not denormal needs no second look. Nearly always it is so,
 * and where an instruction took its exact way and found otherwise, a local says that nothing is known any more.
 */
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { vectorAt } from "./vector-locals.ts";

/** Facts about registers, by the state offset of each. */
export class RegisterFacts {
  private readonly f: FunctionBuilder;
  private readonly known = new Map<number, Set<string>>();
  /** Of the instruction in hand, for what comes behind it. */
  private readonly noted: [register: number, fact: string][] = [];
  /** Not zero when a fact did not come true. */
  private readonly wrong: number;

  constructor(f: FunctionBuilder) {
    this.f = f;
    this.wrong = f.local("i32", "wrong");
  }

  /** Nothing is known. */
  clear(): void {
    this.known.clear();
  }

  /** In front of instructions that note facts. */
  begin(): void {
    this.f.i32(0).set(this.wrong);
  }

  /** Pushes whether a fact holds; false when it is not known. */
  push(offset: number, fact: string): boolean {
    if (this.known.get(vectorAt(offset))?.has(fact) !== true) return false;
    this.f.get(this.wrong).op(OP.i32_eqz);
    return true;
  }

  /** A fact that will be known behind the instruction; `push` says whether it holds on this way through it. */
  note(offset: number, fact: string, push: () => void): void {
    const { f } = this;
    push();
    f.op(OP.i32_eqz).get(this.wrong).op(OP.i32_or).set(this.wrong);
    this.noted.push([vectorAt(offset), fact]);
  }

  /** A register is written. */
  forget(offset: number): void {
    this.known.delete(vectorAt(offset));
  }

  /** A register has become the same as another. */
  copy(to: number, from: number): void {
    const facts = this.known.get(vectorAt(from));
    if (facts !== undefined && vectorAt(to) >= 0) this.known.set(vectorAt(to), new Set(facts));
  }

  instructionEnds(): void {
    for (const [register, fact] of this.noted) this.known.set(register, (this.known.get(register) ?? new Set()).add(fact));
    this.noted.length = 0;
  }
}
