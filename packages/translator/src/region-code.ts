/** Writes regions as WebAssembly: several functions of one module, which compiles faster than as many modules (engine.md). */
import { GeneratedModule } from "@doppel/cpu";
import type { Label } from "@doppel/wasm";
import { OP } from "@doppel/wasm";
import type { BlockEnd, Edge, Region, RegionBlock } from "./region.ts";
import { RegionFrame, type Tally } from "./region-frame.ts";
import { RegionTarget } from "./region-target.ts";
import { ROOT, type Structure, structureOf } from "./structure.ts";
import type { WindowRule } from "./windows.ts";

/** Name under which a module exports its nth region. */
export const exportName = (n: number): string => `region${n}`;

/** A region that is to be written. */
export interface Order {
  readonly region: Region;
  /** The number by which it tells that what it assumes is not so: windows, the TLB view; without one it assumes nothing. */
  readonly name?: number | undefined;
  /** Which windows it may have: not those that were missed too often. */
  readonly windows?: WindowRule;
}

/** How a module of regions is made. */
export interface RegionModuleOptions {
  /**
   * For code of 32 bits and of 64 bits, the handler number of the table's first entry, where regions are to go on to each other by
   * tail calls; the module imports the table then.
   */
  readonly first?: readonly [number, number] | undefined;
  readonly tally?: Tally | undefined;
}

/** A module with one function for each region. */
export function regionModule(orders: readonly Order[], options: RegionModuleOptions = {}): GeneratedModule {
  const generated = new GeneratedModule();
  if (options.first !== undefined) generated.module.importTable("doppel", "table", 0);
  for (const [n, order] of orders.entries()) writeRegion(generated, order, n, options);
  return generated;
}

function writeRegion(generated: GeneratedModule, { region, name, windows }: Order, n: number, { first, tally }: RegionModuleOptions): void {
  const signature = { parameters: ["i32", region.long ? "i64" : "i32"], results: ["i32"] } as const;
  const { builder } = generated.module.function(signature, exportName(n));
  builder.localNames.set(0, "record").set(1, "delta");
  const chain = first === undefined ? undefined : { type: generated.module.type(signature), first: first[Number(region.long)]! };
  const structure = structureOf(region);
  const checks = budgetChecks(region, structure);
  const frame = new RegionFrame(builder, generated, { region, needs: checks.needs, chaining: chain, tally, name });
  const target = new RegionTarget(frame, generated, checks, structure, windows);
  frame.enter();
  new BlockWriter(structure, frame, target).tree(ROOT);
  frame.exit();
}

/** Where a way through the region is longer than this, the budget is looked at on it: what is left of it at an interrupt is interpreted. */
const LONGEST_WAY = 64;

/** Where the budget is looked at, loops' headers among it, and how much of it may be used from each block to the next look, or out. */
export interface BudgetChecks {
  readonly checked: ReadonlySet<number>;
  readonly needs: ReadonlyMap<number, number>;
}

function budgetChecks(region: Region, { order, loopHeaders }: Structure): BudgetChecks {
  const checked = new Set(loopHeaders);
  const needs = new Map<number, number>();
  for (const id of [...order].reverse()) {
    const block = region.blocks.get(id);
    if (block === undefined) continue;
    let behind = 0;
    for (const to of block.successors) {
      if (checked.has(to)) continue;
      const need = needs.get(to)!;
      if (block.count + need > LONGEST_WAY) checked.add(to);
      else behind = Math.max(behind, need);
    }
    needs.set(id, block.count + behind);
  }
  return { checked, needs };
}

/** Writes blocks in the nesting that their structure asks for. */
class BlockWriter {
  private readonly region: Region;
  private readonly structure: Structure;
  private readonly frame: RegionFrame;
  private readonly target: RegionTarget;
  private readonly loops = new Map<number, Label>();
  private readonly merges = new Map<number, Label>();

  constructor(structure: Structure, frame: RegionFrame, target: RegionTarget) {
    this.region = frame.region;
    this.structure = structure;
    this.frame = frame;
    this.target = target;
  }

  /** A block and everything that it dominates; `ROOT` is all. @param arrives control that comes from above is not on its way to another block */
  tree(id: number, arrives = false): void {
    const { f } = this.target;
    const isLoop = this.structure.loopHeaders.has(id);
    if (isLoop) {
      this.target.meet(arrives ? id : undefined);
      this.target.beginLoop(id);
      this.loops.set(id, f.loop());
      this.target.flagState = "memory";
    }
    this.within(id, this.structure.mergesBelow(id), 0);
    if (isLoop) f.op(OP.unreachable).end();
    this.target.close(id);
  }

  /** @param from of the merge nodes, those from there on */
  private within(id: number, merges: readonly number[], from: number): void {
    const { f } = this.target;
    const merge = merges[from];
    if (merge === undefined) return id === ROOT ? this.entries() : this.block(this.region.blocks.get(id)!);
    this.merges.set(merge, f.block());
    this.within(id, merges, from + 1);
    f.op(OP.unreachable).end();
    this.target.flagState = "memory";
    this.tree(merge);
  }

  /** Goes on where the region was entered. */
  private entries(): void {
    this.frame.forEachEntry(({ id }) => this.follow(ROOT, id));
  }

  private block(block: RegionBlock): void {
    const { frame, target } = this;
    this.sendOn(block.id);
    target.begin(block);
    const { end } = block;
    const onJump = this.onJump(block);
    const last = onJump && block.instructions.at(-1);
    for (const one of block.instructions) target.lower(one, one === last ? onJump : undefined);
    if (end.kind === "branch") {
      target.blockCondition(end.condition);
      this.fork(() => this.go(block, end.to), () => this.go(block, end.otherwise));
    } else if (end.kind === "loop") this.go(block, end.otherwise);
    else if (end.kind === "goto") this.go(block, end.to);
    else if (end.kind === "leave") frame.leaveAt(end.at, 0, `leave ${end.why}`);
  }

  /** What only comes through a loop's header goes on to where it leads. */
  private sendOn(id: number): void {
    const { frame, target, structure } = this;
    const onwards = structure.onwards(id);
    if (onwards.length === 0) return;
    frame.ifUnderWay(() => {
      for (const { to, hop } of onwards) {
        frame.ifUnderWayTo(to, hop === to, () => this.jump(id, hop, false));
        target.flagState = "memory";
      }
    });
  }

  /** Two ways, by the condition on the stack, neither of which comes back. */
  private fork(then: () => void, otherwise: () => void): void {
    const { f, flagState } = this.target;
    f.if();
    then();
    f.else();
    this.target.flagState = flagState;
    otherwise();
    f.end().op(OP.unreachable);
  }

  /** How a block goes on whose last instruction jumps; it is given what pushes where that wants to go. */
  private onJump(block: RegionBlock): ((target: () => void) => void) | undefined {
    const { end } = block;
    switch (end.kind) {
      case "call": case "loop": return () => this.go(block, end.to);
      case "indirect": return (target) => this.goToOneOf(block, end, target);
      case "return": return (target) => this.goBack(block, end.to, target);
      default: return undefined;
    }
  }

  /** Goes on to where an indirect jump or call leads, if that is in the region. */
  private goToOneOf(block: RegionBlock, { ways, asks }: BlockEnd & { kind: "indirect" }, target: () => void): void {
    const { frame } = this;
    const { at, instruction } = block.instructions.at(-1)!;
    frame.holdTarget(target);
    if (asks) frame.tellTarget(at);
    const rest = (n: number): void => {
      if (n === ways.length) return frame.leaveElsewhere(`jump ${instruction.form.mnemonic}`, at);
      frame.isHeld(ways[n]!);
      this.fork(() => this.go(block, ways[n]!), () => rest(n + 1));
    };
    rest(0);
  }

  /** Returns to where the call was, if the guest's stack says the same. */
  private goBack(block: RegionBlock, to: Edge, target: () => void): void {
    this.frame.holdTarget(target);
    this.frame.isHeld(to);
    this.fork(() => this.go(block, to), () => this.frame.leaveElsewhere("return elsewhere", block.instructions.at(-1)!.at));
  }

  private go(from: RegionBlock, to: Edge): void {
    const { frame } = this;
    const isKnown = this.region.knowsPage(from, to.at);
    if (to.block < 0) {
      if (!isKnown && "jump" in from.end && from.end.jump !== undefined) frame.checkTarget(to.at, from.end.jump);
      return frame.leaveAt(to.at, 0, "edge");
    }
    if (!isKnown) frame.checkPage(to);
    this.follow(from.id, to.block);
  }

  private follow(from: number, to: number): void {
    const hop = this.structure.firstHop(from, to);
    if (hop !== to) this.frame.setOut(to);
    this.jump(from, hop, hop === to);
  }

  /** @param arrives control is not on its way to another block */
  private jump(from: number, to: number, arrives: boolean): void {
    const { structure, target } = this;
    const isBack = structure.place.get(to)! <= structure.place.get(from)!;
    const label = isBack ? this.loops.get(to) : structure.mergeNodes.has(to) ? this.merges.get(to) : undefined;
    if (label === undefined) return this.tree(to, arrives);
    target.meet(arrives ? to : undefined);
    target.f.br(label);
  }
}
