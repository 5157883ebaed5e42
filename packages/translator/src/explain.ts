/**
 * Says what the translator makes of code: the guest's instructions, what each means (IR), the WebAssembly that a region of them becomes, where
 * control goes from there, and how often each of this happened. In the words of Adams and Agesen (2006), what is taken from the guest is a
 * translation unit, what comes of it a compiled code fragment, and fragments that lead to each other are chained.
 */
import { type Cpu, layout, MODE_CODE32, MODE_FLAT, MODE_LONG, shapeOf } from "@doppel/cpu";
import { TLB_EXEC_TAG } from "@doppel/mmu";
import { DEFINITIONS, InstructionBuilder, irText, stateName } from "@doppel/semantics";
import { functionTexts } from "@doppel/wasm";
import { decode, Instruction, instructionText, OK, PAGE_SIZE, REGISTER_NAMES } from "@doppel/x86";
import { placeOffset } from "./effects.ts";
import { ExplainError } from "./explain-error.ts";
import { exportName, regionModule } from "./region-code.ts";
import type { CountedRegion, RegionCounter } from "./region-counts.ts";
import { formRegion, type Region, type RegionBlock } from "./region.ts";
import { sensitivityOf, NO_ACCESS } from "./sensitivity.ts";
import type { Translator } from "./translator.ts";

/** Where a region's flags wait; see `kept-flags.ts`. */
const KEPT_FLAGS = layout.STATE + layout.STATE_SIZE;
const KEPT_FLAGS_SIZE = 40;
/** What happens in a region that is no way out of it. */
const INSIDE = new Set(["entered", "retired", "block"]);

/** One instruction of a translation unit. Addresses are linear, in hexadecimal. */
export interface ExplainedInstruction {
  readonly address: string;
  readonly text: string;
  /** It reads or changes what belongs to the machine; else it is innocuous. */
  readonly sensitive: boolean;
  /** Why it is left to the interpreter; absent where it is part of the fragment. */
  readonly left?: string;
  /** What has a fragment leave it to the interpreter now and then. */
  readonly sometimes: readonly string[];
  /** What is to be said of it beside its kind: who executes it where the fragment does not. That an access may miss the TLB goes without saying. */
  readonly note?: string;
  readonly ir: readonly string[];
}

/** A basic block. */
export interface ExplainedBlock {
  readonly address: string;
  /** How often it stands in the fragment: once for each call of the function that it is part of. */
  readonly copies: number;
  readonly executed?: number;
  readonly instructions: readonly ExplainedInstruction[];
  /** Blocks of the same fragment that it goes on to. */
  readonly next: readonly string[];
}

/** A way out of a fragment. */
export interface WayOut {
  /** "edge": a direct jump; "join": straight on; "jump RET": where the instruction says; "leave CPUID": in front of it; "miss MOV": one time in front of it... */
  readonly what: string;
  readonly from: string;
  /** Where it leads, when that is the same each time. */
  readonly to?: string;
  /** Whether a fragment begins there. */
  readonly chained?: boolean;
  /** The instruction there, where no fragment can begin with it, and why. */
  readonly stop?: string;
  /** Where it leads, in words: "chained to the fragment at 0x1000", "to the interpreter"... */
  readonly where: string;
  readonly count?: number;
}

/** A region that is in use. */
export interface RegionSummary {
  /** Linear address of its first entry when it was made, in hexadecimal. */
  readonly address: string;
  readonly bits: 32 | 64;
  /** Instructions in it, with those of the functions that it takes in. */
  readonly instructions: number;
  /** How often control came to it, and instructions that retired in it; absent where it does not count. */
  readonly entered?: number;
  readonly retired?: number;
}

/** What a region is made from and of. */
export interface TranslationUnit {
  readonly address: string;
  readonly bits: 32 | 64;
  /** There is a compiled fragment; or there would be one if the code ran more often; or nothing of it has been executed, and it was looked at all the same. */
  readonly state: "translated" | "interpreted" | "never executed";
  readonly entered?: number;
  /** Instructions that retired in it. */
  readonly retired?: number;
  readonly blocks: readonly ExplainedBlock[];
  readonly waysOut: readonly WayOut[];
  /** The fragment as text, without what counts; empty where the unit has no instruction for it. */
  readonly wasm: string;
}

/** Explains the code of one translator's processor. */
export class Explainer {
  private readonly translator: Translator;
  private readonly cpu: Cpu;
  private readonly bytes: Uint8Array;
  /** The regions that are there, and where they begin; one may begin where nothing is mapped now. */
  private readonly counted: readonly CountedRegion[];
  private readonly entries: ReadonlySet<number>;

  constructor(translator: Translator) {
    this.translator = translator;
    this.cpu = translator.engine.cpu;
    this.bytes = new Uint8Array(translator.memory.buffer);
    this.counted = translator.counts?.all() ?? [];
    this.entries = new Set(translator.inUse().map(({ linear }) => linear));
  }

  /** The regions in use: those first in which most instructions retired; with a translator that does not count, those that a sample met last. */
  regions(): RegionSummary[] {
    if (this.translator.counts === undefined) return this.translator.inUse().map(({ linear, long, instructions }) => ({ address: hex(linear, long), bits: long ? 64 : 32, instructions }));
    return this.counted.map(({ region, linear, counters }) => {
      const count = (name: string): number => counters.find(({ what }) => what === name)?.count ?? 0;
      const instructions = [...region.blocks.values()].reduce((total, block) => total + block.count, 0);
      return { address: hex(linear, region.long), bits: region.long ? 64 : 32, instructions, entered: count("entered"), retired: count("retired") };
    });
  }

  /** Whether a region was made for a linear address. */
  isRegion(linear: number): boolean {
    return this.entries.has(linear);
  }

  /** The units in which most instructions retired, of those that are in use; a translator without `counts` knows none. */
  hottest(count: number): TranslationUnit[] {
    return this.counted.slice(0, count).map((one) => this.fragment(one));
  }

  /**
   * The unit that begins at a linear address; else one that contains it; else the one that would begin there.
   * @throws {ExplainError} `EXPLAIN_NOT_MAPPED` where no memory is mapped, `EXPLAIN_CODE` where no region can begin
   */
  at(linear: number): TranslationUnit {
    const known = this.counted.find((one) => one.linear === linear) ?? this.counted.find((one) => contains(one, linear));
    if (known !== undefined) return this.fragment(known);
    // Its address space need not be the one in use.
    const one = this.translator.inUse().find((region) => region.linear === linear);
    if (one !== undefined) return this.formed(linear, one.host, one.long, one.pages);
    const { mode } = this.cpu.state;
    const long = (mode & MODE_LONG) !== 0;
    if (!long && (mode & (MODE_FLAT | MODE_CODE32)) !== (MODE_FLAT | MODE_CODE32)) {
      throw new ExplainError("EXPLAIN_CODE", "the processor executes 16-bit code, or code with segments of its own, now, and the translator leaves both to the interpreter; choose a later moment");
    }
    const host = this.hostOf(linear);
    if (host === undefined) {
      throw new ExplainError("EXPLAIN_NOT_MAPPED", `nothing is mapped at ${hex(linear, long)} in the address space that is in use now; name another address, or a moment when its program runs`);
    }
    return this.formed(linear, host, long);
  }

  private fragment({ region, linear, counters }: CountedRegion): TranslationUnit {
    return this.unit(region, linear, "translated", counters);
  }

  /** Forms a region at an address as the translator would: of code that was executed, unless nothing there was. */
  private formed(linear: number, host: number, long: boolean, pages?: Region["pages"]): TranslationUnit {
    const { engine } = this.translator;
    const base = host - (host % PAGE_SIZE);
    const page = linear - (host % PAGE_SIZE);
    const form = (all: boolean): Region | undefined => formRegion({
      bytes: this.bytes, long, view: this.cpu.mmu.tlb.viewAddress(0), comesBack: !all, hasFeature: (name) => this.cpu.hasFeature(name), isKnown: (at) => all || engine.code.isKnown(at), isFunction: (at) => this.translator.isFunction(at), isElsewhere: () => false, isRare: () => all,
      pageAt: (distance) => (distance === 0 ? base : pages?.get(distance) ?? this.hostOf(page + distance * PAGE_SIZE)),
    }, host % PAGE_SIZE);
    const region = form(false);
    if (region !== undefined) return this.unit(region, linear, this.translator.isEntry(host) ? "translated" : "interpreted", []);
    const whole = form(true);
    if (whole !== undefined) return this.unit(whole, linear, "never executed", []);
    const instruction = this.decodeAt(host, long);
    const text = instruction === undefined ? "no instruction" : instructionText(instruction, long ? 8 : 4, BigInt(linear));
    const left = instruction === undefined ? "" : `: ${sensitivityOf(shapeOf(instruction, long, true)).left ?? "it reaches into another page"}`;
    throw new ExplainError("EXPLAIN_CODE", `no region begins at ${hex(linear, long)}, where ${text} stands${left}; name the address of code behind it`);
  }

  /** Where in linear memory a byte of code is; nothing is filled, and no accessed bit set. */
  private hostOf(linear: number): number | undefined {
    const { cpu } = this;
    const at = cpu.wrap(linear);
    const hit = cpu.mmu.tlb.lookup(cpu.mmu.viewOf(cpu.state.cpl === 3), at, TLB_EXEC_TAG);
    if (hit >= 0) return hit;
    const physical = cpu.mmu.peek(at);
    const page = physical < 0 ? -1 : cpu.physical.hostAddress(Math.floor(physical / PAGE_SIZE));
    return page < 0 ? undefined : page + (physical % PAGE_SIZE);
  }

  private isEntry(linear: number): boolean {
    const host = this.hostOf(linear);
    return this.entries.has(linear) || (host !== undefined && this.translator.isEntry(host));
  }

  private decodeAt(host: number, long: boolean): Instruction | undefined {
    const instruction = new Instruction();
    return decode(this.bytes, host, host - (host % PAGE_SIZE) + PAGE_SIZE, long ? 8 : 4, instruction) === OK ? instruction : undefined;
  }

  private unit(region: Region, linear: number, state: TranslationUnit["state"], counters: readonly RegionCounter[]): TranslationUnit {
    const { long } = region;
    const place = new Places(region, linear);
    const count = (what: string, at?: number): number | undefined => counters.find((one) => one.what === what && one.at === at)?.count;
    const [entered, retired] = [count("entered"), count("retired")];
    const all = [...region.blocks.values()];
    const starts = [...new Set(all.map((block) => block.start))].sort((a, b) => a - b);
    const blocks = starts.map((start): ExplainedBlock => {
      const copies = all.filter((block) => block.start === start);
      const executed = count("block", start);
      return {
        address: place.text(start), copies: copies.length, ...(executed === undefined ? {} : { executed }),
        instructions: this.instructionsOf(region, copies[0]!, place), next: [...new Set(copies.flatMap((block) => inside(region, block).map((at) => place.text(at))))],
      };
    });
    return {
      address: hex(linear, long), bits: long ? 64 : 32, state,
      ...(entered === undefined ? {} : { entered }), ...(retired === undefined ? {} : { retired }),
      blocks, waysOut: this.waysOut(region, place, counters), wasm: this.wasmOf(region),
    };
  }

  /** The instructions of a block, a jump that became its end, and the one in front of which it is left. */
  private instructionsOf(region: Region, block: RegionBlock, place: Places): ExplainedInstruction[] {
    const out = block.instructions.map(({ instruction, at }) => explained(instruction, place, at));
    const { end } = block;
    const behind = end.kind === "leave" ? end.at : "jump" in end ? end.jump : undefined;
    const host = behind === undefined ? undefined : place.host(behind);
    const instruction = host === undefined ? undefined : this.decodeAt(host, region.long);
    if (instruction === undefined) return out;
    const last = explained(instruction, place, behind!);
    if (end.kind !== "leave" || last.left !== undefined) return [...out, last];
    return this.isEntry(place.linear(behind!)) ? out : [...out, { ...last, left: end.why, note: `left to the interpreter: ${end.why}` }];
  }

  private waysOut(region: Region, place: Places, counters: readonly RegionCounter[]): WayOut[] {
    const ways = new Map<string, { what: string; at: number; to?: number }>();
    const add = (what: string, at: number, to?: number): void => void ways.set(`${what} ${at}`, { what, at, ...(to === undefined ? {} : { to }) });
    for (const { end, instructions } of region.blocks.values()) {
      if (end.kind === "leave") add(`leave ${end.why}`, end.at, end.at);
      for (const edge of "otherwise" in end ? [end.to, end.otherwise] : end.kind === "goto" ? [end.to] : []) if (edge.block < 0) add("edge", edge.at, edge.at);
      const last = instructions.at(-1);
      if ((end.kind !== "gone" && end.kind !== "indirect") || last === undefined) continue;
      const { form: { mnemonic, operands }, immediate, length, operandSize } = last.instruction;
      const direct = operands.at(-1)?.kind === "J" && operandSize !== 2;
      add(`jump ${mnemonic}`, last.at, direct ? last.at + length + immediate : undefined);
    }
    // Others are known only when they were taken.
    for (const { what, at, count } of counters) if (at !== undefined && count > 0 && !INSIDE.has(what) && !ways.has(`${what} ${at}`)) add(what, at);
    return [...ways.values()].map(({ what, at, to }) => {
      const count = counters.find((one) => one.what === what && one.at === at)?.count;
      const chained = to !== undefined && this.isEntry(place.linear(to));
      const way = {
        what: chained && what.startsWith("leave") ? "join" : what, from: place.text(at), ...(to === undefined ? {} : { to: place.text(to), chained, ...(chained ? {} : this.stopAt(place, to)) }),
      };
      return { ...way, where: whereTo(way), ...(count === undefined ? {} : { count }) };
    }).sort((a, b) => (b.count ?? 0) - (a.count ?? 0));
  }

  /** Says what stands at a place, if that is the interpreter's. */
  private stopAt(place: Places, at: number): { stop?: string } {
    const host = place.host(at);
    const instruction = host === undefined ? undefined : this.decodeAt(host, place.long);
    if (instruction === undefined) return {};
    const { text, left } = explained(instruction, place, at);
    return left === undefined ? {} : { stop: `${text}: ${left}` };
  }

  private wasmOf(region: Region): string {
    const { module } = regionModule([{ region }], { first: this.translator.firstOutlined });
    return functionTexts(module.encode(true), { comment }).find(({ name }) => name === exportName(0))?.text ?? "";
  }
}

/** Addresses of a region's places, which count from the beginning of its entry's page. */
class Places {
  private readonly region: Region;
  private readonly base: number;

  constructor(region: Region, linear: number) {
    this.region = region;
    this.base = linear - region.entries[0]!.start;
  }

  linear(at: number): number {
    return this.region.long ? this.base + at : (this.base + at) >>> 0;
  }

  text(at: number): string {
    return hex(this.linear(at), this.region.long);
  }

  /** Where in linear memory, when the region has its page. */
  host(at: number): number | undefined {
    const distance = Math.floor(at / PAGE_SIZE);
    const page = this.region.pages.get(distance);
    return page === undefined ? undefined : page + at - distance * PAGE_SIZE;
  }

  get long(): boolean {
    return this.region.long;
  }
}

function contains({ region, linear }: CountedRegion, address: number): boolean {
  const at = address - (linear - region.entries[0]!.start);
  return [...region.blocks.values()].some(({ start, length }) => at >= start && at < start + length);
}

function inside({ blocks }: Region, block: RegionBlock): number[] {
  return block.successors.map((id) => blocks.get(id)!.start);
}

function explained(instruction: Instruction, place: Places, at: number): ExplainedInstruction {
  const shape = shapeOf(instruction, place.long, true);
  const { sensitive, left, sometimes } = sensitivityOf(shape);
  const text = instructionText(instruction, place.long ? 8 : 4, BigInt.asUintN(64, BigInt(place.linear(at))));
  const rare = sometimes.filter((why) => why !== NO_ACCESS);
  const note = left !== undefined ? { left, note: `left to the interpreter: ${left}` } : rare.length > 0 ? { note: `the interpreter's on ${rare.join(", ")}` } : {};
  return { address: place.text(at), text, sensitive, sometimes, ...note, ir: irOf(instruction, place, at) };
}

function whereTo({ what, to, chained, stop }: Omit<WayOut, "where">): string {
  if (what.startsWith("miss") || what.startsWith("leave") || what === "budget") return "to the interpreter";
  if (to === undefined) return "to wherever it says: by the jump cache";
  return chained === true ? `chained to the fragment at ${to}` : `to ${to}, ${stop === undefined ? "which has no fragment" : `to the interpreter; ${stop}`}`;
}

/** What an instruction means, with its own operands. */
function irOf(instruction: Instruction, place: Places, at: number): string[] {
  const shape = shapeOf(instruction, place.long, true);
  const define = DEFINITIONS.get(shape.form.mnemonic);
  if (define === undefined) return [];
  const builder = new InstructionBuilder(shape);
  define(builder);
  const next = place.text(at + instruction.length);
  return irText(builder.root, {
    place: (one, size) => stateName(placeOffset(one, instruction), size) ?? ("field" in one ? one.field : ""),
    field: (name) => number(name === "immediate2" ? instruction.immediate2 : name === "reg" ? instruction.reg : name === "rm" ? instruction.rm : instruction.immediate),
    effectiveAddress: addressText(instruction, next), segment: REGISTER_NAMES.seg[instruction.segment]!, ip: place.text(at), nextIp: next,
  });
}

function addressText({ base, index, scale, displacement, addressSize, ripRelative }: Instruction, next: string): string {
  const names = REGISTER_NAMES[addressSize === 2 ? "r16" : addressSize === 4 ? "r32" : "r64"];
  const parts = ripRelative ? [next] : base >= 0 ? [names[base]!] : [];
  if (index >= 0) parts.push(scale > 0 ? `${names[index]!}*${1 << scale}` : names[index]!);
  if (parts.length === 0) return number(displacement >>> 0);
  const sum = parts.join(" + ");
  return displacement === 0 ? sum : `${sum} ${displacement < 0 ? "-" : "+"} ${number(Math.abs(displacement))}`;
}

function number(value: number): string {
  return Math.abs(value) < 10 ? `${value}` : value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** A linear address as people write it. */
function hex(linear: number, long: boolean): string {
  return `0x${BigInt.asUintN(long ? 64 : 32, BigInt(linear)).toString(16)}`;
}

/** What a load or store of generated code accesses, where that is in the state. */
function comment(offset: number, instruction: string): string | undefined {
  if (offset >= KEPT_FLAGS && offset < KEPT_FLAGS + KEPT_FLAGS_SIZE) return `kept flags +${offset - KEPT_FLAGS}`;
  const [, type, bits] = /^.(\d+)\.(?:load|store)(\d*)/.exec(instruction)!;
  return stateName(offset - layout.STATE, Number(bits === "" ? type : bits) / 8);
}
