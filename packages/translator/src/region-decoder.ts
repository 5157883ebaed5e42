/** Decodes the code that a region is formed from, as far as it may be part of one. */
import { shapeOf } from "@doppel/cpu";
import { decode, Instruction, OK, PAGE_SIZE } from "@doppel/x86";
import { type Meaning, meaningOf, type Registers, registersOf } from "./effects.ts";

/** Pages that a region lies in at most: sets of them are bits of a number. */
const MOST_PAGES = 30;
/** Instructions behind which control does not come back. */
const GOES = new Set(["IRET", "RETF", "JMPF", "SYSENTER", "SYSEXIT", "SYSRET", "RSM", "UD0", "UD1", "UD2"]);
/** Bytes that a region reaches from its entry's page at most: places in it are numbers of 32 bits with a sign. */
const FARTHEST = 2 ** 30;

/** One instruction of a region. */
export interface RegionInstruction {
  readonly instruction: Instruction;
  readonly meaning: Meaning;
  readonly registers: Registers;
  /** From the beginning of the entry's page. */
  readonly at: number;
}

/** What code is formed from. */
export interface CodeSource {
  readonly bytes: Uint8Array;
  readonly long: boolean;
  /** Address of the TLB view with which it is executed. */
  readonly view: number;
  hasFeature(name: string): boolean;
  /** Where in `bytes` the page is that lies so many pages behind the entry's, when that is at hand. */
  pageAt(distance: number): number | undefined;
  /** Whether code at this place in `bytes` has been executed. */
  isKnown(host: number): boolean;
  /** Whether code at a place in `bytes` has been executed so seldom, beside another place, that it does not count. */
  isRare(host: number, beside: number): boolean;
  /** Whether control comes back behind calls and behind instructions that are not for regions; nobody can tell of code that never ran. */
  readonly comesBack: boolean;
  /** Whether a function that has a region of its own begins at this place in `bytes`: what jumps there goes on to it. */
  isFunction(host: number): boolean;
  /** Whether a full region has an entry at this place in `bytes`: whoever comes there goes on to it. */
  isElsewhere(host: number): boolean;
  /** Distances from an indirect call or jump at this place in `bytes` to where it usually leads; undefined while that is not known. Without it, nobody asks. */
  usualTargets?(host: number): readonly number[] | undefined;
}

/** An instruction, and how control goes on behind it. */
export interface Decoded extends RegionInstruction {
  readonly next: number;
  /** "loop" is a branch that does more than jump; "away" comes back behind it, "gone" does not. */
  readonly flow: "on" | "jump" | "branch" | "loop" | "call" | "return" | "away" | "gone";
  /** Of a direct jump or call. */
  readonly target: number;
  /** Of an indirect call or jump: where it usually leads. */
  readonly targets: readonly number[];
  /** It is to tell where it leads. */
  readonly asks: boolean;
}

/** Number of the page that a place lies in, from the first entry's. */
export const pageOf = (at: number): number => Math.floor(at / PAGE_SIZE);

function flowOf({ mnemonic }: Instruction["form"], direct: boolean): Decoded["flow"] {
  switch (mnemonic) {
    case "JMP": return direct ? "jump" : "gone";
    case "CALL": return direct ? "call" : "away";
    case "Jcc": return direct ? "branch" : "on";
    case "LOOP": case "LOOPE": case "LOOPNE": case "JCXZ": return direct ? "loop" : "on";
    case "RET": return "return";
    default: return "on";
  }
}

/** Decodes the code around an entry. */
export class Decoder {
  readonly pages = new Map<number, number>();
  private readonly source: CodeSource;
  private readonly known = new Map<number, Decoded | undefined>();

  constructor(source: CodeSource) {
    this.source = source;
  }

  at(at: number): Decoded | undefined {
    let one = this.known.get(at);
    if (one === undefined && !this.known.has(at)) this.known.set(at, (one = this.decode(at)));
    return one;
  }

  get comesBack(): boolean {
    return this.source.comesBack;
  }

  /** Whether a function with a region of its own begins at a place. */
  isFunction(at: number): boolean {
    const page = this.page(pageOf(at));
    return page !== undefined && this.source.isFunction(page + at - pageOf(at) * PAGE_SIZE);
  }

  /** Whether a full region has an entry at a place. */
  isElsewhere(at: number): boolean {
    const page = this.page(pageOf(at));
    return page !== undefined && this.source.isElsewhere(page + at - pageOf(at) * PAGE_SIZE);
  }

  /** Whether code at a place has been executed. */
  isKnown(at: number): boolean {
    const page = this.page(pageOf(at));
    return page !== undefined && this.source.isKnown(page + at - pageOf(at) * PAGE_SIZE);
  }

  /** Whether code at a place has been executed seldom, beside another place. */
  isRare(at: number, beside: number): boolean {
    const [page, other] = [this.page(pageOf(at)), this.page(pageOf(beside))];
    return page !== undefined && other !== undefined && this.source.isRare(page + at - pageOf(at) * PAGE_SIZE, other + beside - pageOf(beside) * PAGE_SIZE);
  }

  /** Where an instruction ends that is not for regions, if control comes back there. */
  behind(at: number): number | undefined {
    const page = this.page(pageOf(at));
    const instruction = new Instruction();
    if (page === undefined || decode(this.source.bytes, page + at - pageOf(at) * PAGE_SIZE, page + PAGE_SIZE, this.source.long ? 8 : 4, instruction) !== OK) return undefined;
    return GOES.has(instruction.form.mnemonic) ? undefined : at + instruction.length;
  }

  /** Why there is nothing at a place, for statistics: the instruction there, or that it was not looked for. */
  why(at: number): string {
    const { bytes, long } = this.source;
    const page = this.pages.get(pageOf(at));
    if (page === undefined) return "page";
    const instruction = new Instruction();
    const host = page + at - pageOf(at) * PAGE_SIZE;
    if (!this.source.isKnown(host)) return "never ran";
    return decode(bytes, host, page + PAGE_SIZE, long ? 8 : 4, instruction) === OK ? instruction.form.mnemonic : "no instruction";
  }

  private page(distance: number): number | undefined {
    let host = this.pages.get(distance);
    if (host === undefined) {
      host = this.pages.size < MOST_PAGES ? this.source.pageAt(distance) : undefined;
      if (host !== undefined) this.pages.set(distance, host);
    }
    return host;
  }

  private decode(at: number): Decoded | undefined {
    const { bytes, long } = this.source;
    const page = this.page(pageOf(at));
    if (page === undefined) return undefined;
    const host = page + at - pageOf(at) * PAGE_SIZE;
    const instruction = new Instruction();
    if (!this.source.isKnown(host) || decode(bytes, host, page + PAGE_SIZE, long ? 8 : 4, instruction) !== OK) return undefined;
    let form: Instruction["form"] | undefined = instruction.form;
    while (form !== undefined && !this.source.hasFeature(form.feature)) form = form.fallback;
    if (form === undefined) return undefined;
    instruction.form = form;
    const meaning = meaningOf(shapeOf(instruction, long, true));
    if (meaning === undefined) return undefined;
    const next = at + instruction.length;
    const target = next + instruction.immediate;
    const direct = form.operands.at(-1)?.kind === "J" && instruction.operandSize !== 2 && Math.abs(target) < FARTHEST;
    const isIndirect = (form.mnemonic === "CALL" || form.mnemonic === "JMP") && !direct && instruction.operandSize !== 2 && this.source.usualTargets !== undefined;
    const usual = isIndirect ? this.source.usualTargets!(host) : [];
    const targets = (usual ?? []).map((distance) => at + distance).filter((one) => Math.abs(one) < FARTHEST);
    return { instruction, meaning, registers: registersOf(meaning, instruction), at, next, targets, asks: usual === undefined, flow: meaning.remaps ? "away" : meaning.transfers ? (GOES.has(form.mnemonic) ? "gone" : "away") : flowOf(form, direct), target: direct ? target : NaN };
  }
}
