/**
 * Pages that a block has found in the TLB: for each base register the one that was last accessed through it, for reading and for writing, in
 * locals. While the TLB stays as it is, another access there needs only the comparison. Which register it was is a guess, and no more: the
 * comparison is with the address itself.
 */
import type { Target } from "@doppel/cpu";
import type { Value } from "@doppel/semantics";
import type { FunctionBuilder } from "@doppel/wasm";
import type { Instruction } from "@doppel/x86";
import { placeOffset, registerAt } from "./effects.ts";

/** Instructions that leave a register near to where it was. */
const STEPS = new Set(["ADD", "SUB", "INC", "DEC", "PUSH", "POP", "CALL", "RET"]);
/** Of addresses without a register. */
const NONE = -1;

interface Page {
  readonly register: number;
  readonly tag: number;
  readonly host: number;
}

type KeptPage = ReturnType<NonNullable<Target["keptPage"]>>;

/** The pages of one region. */
export class KeptPages {
  private readonly f: FunctionBuilder;
  private readonly long: boolean;
  private readonly pages = new Map<string, Page>();
  private readonly set = new Set<string>();
  /** -1 when the TLB was filled since the first page was set, else 0. */
  private readonly stale: number;

  constructor(f: FunctionBuilder, long: boolean) {
    this.f = f;
    this.long = long;
    this.stale = f.local(long ? "i64" : "i32", "stale");
  }

  /** Another block begins, or the TLB is no longer what it was. */
  clear(): void {
    this.set.clear();
  }

  /** The TLB has been filled on this way through an instruction. */
  filled(): void {
    this.setStale(-1);
  }

  private setStale(value: number): void {
    if (this.long) this.f.i64(value);
    else this.f.i32(value);
    this.f.set(this.stale);
  }

  /** The page for an address of an instruction; undefined where an index makes it any page. It is set behind the access. */
  at(offset: Value, write: boolean, instruction: Instruction): KeptPage {
    const register = anchor(offset, instruction);
    if (register === undefined) return undefined;
    const key = `${register} ${write}`;
    const isSet = this.set.has(key);
    if (this.set.size === 0) this.setStale(0);
    this.set.add(key);
    let page = this.pages.get(key);
    if (page === undefined) {
      page = { register, tag: this.f.local(this.long ? "i64" : "i32"), host: this.f.local("i32") };
      this.pages.set(key, page);
    }
    return { ...page, stale: this.stale, isSet };
  }

  /** An instruction has written a general register: the next access through it may be anywhere. */
  wrote(register: number, { form }: Instruction): void {
    if (STEPS.has(form.mnemonic)) return;
    for (const [key, page] of this.pages) if (page.register === register) this.set.delete(key);
  }
}

/** The register that an address is near to. */
function anchor(offset: Value, instruction: Instruction): number | undefined {
  switch (offset.op) {
    case "effectiveAddress": return instruction.index >= 0 ? undefined : instruction.ripRelative ? NONE : instruction.base;
    case "place": return registerAt(placeOffset((offset.data as { place: { at: number } }).place, instruction));
    case "i32_add": case "i32_sub": case "i64_add": case "i64_sub": return offset.args[1]!.op === "const" ? anchor(offset.args[0]!, instruction) : undefined;
    default: return undefined;
  }
}
