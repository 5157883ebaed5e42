/** Writes regions as WebAssembly: several functions of one module, which compiles faster than as many modules (engine.md). */
import { GeneratedModule } from "@doppel/cpu";
import type { Label } from "@doppel/wasm";
import { OP } from "@doppel/wasm";
import { type Edge, type Region, type RegionBlock, successors } from "./region.ts";
import { RegionTarget, type Tally } from "./region-target.ts";
import { type Structure, structureOf } from "./structure.ts";

/** Name under which a module exports its nth region. */
export const exportName = (n: number): string => `region${n}`;

/** How a module of regions is made. */
export interface RegionModuleOptions {
  /**
   * For code of 32 bits and of 64 bits, the handler number of the table's first entry, where regions are to go on to each other by
   * tail calls; the module imports the table then.
   */
  readonly first?: (long: boolean) => number;
  readonly tally?: Tally;
}

/** A module with one function for each region. */
export function regionModule(regions: readonly Region[], options: RegionModuleOptions = {}): GeneratedModule {
  const generated = new GeneratedModule();
  if (options.first !== undefined) generated.module.importTable("doppel", "table", 0);
  for (const [n, region] of regions.entries()) writeRegion(generated, region, exportName(n), options);
  return generated;
}

function writeRegion(generated: GeneratedModule, region: Region, name: string, { first, tally }: RegionModuleOptions): void {
  const signature = { parameters: ["i32", region.long ? "i64" : "i32"], results: ["i32"] } as const;
  const { builder } = generated.module.function(signature, name);
  builder.localNames.set(0, "record").set(1, "delta");
  const chain = first === undefined ? undefined : { type: generated.module.type(signature), first: first(region.long) };
  const structure = structureOf(region);
  const target = new RegionTarget(builder, generated, region, longestWays(region, structure), chain, tally);
  target.enter();
  new BlockWriter(region, structure, target).tree(region.entry.id);
  target.exit();
}

/** Instructions on the longest way from each block to the next loop, or out. */
function longestWays(region: Region, structure: Structure): Map<number, number> {
  const ways = new Map<number, number>();
  for (const id of [...structure.order].reverse()) {
    const block = region.blocks.get(id)!;
    const behind = successors(block).filter((to) => structure.isKept(id, to) && !structure.loopHeaders.has(to)).map((to) => ways.get(to)!);
    ways.set(id, block.count + Math.max(0, ...behind));
  }
  return ways;
}

/** Writes blocks in the nesting that their structure asks for. */
class BlockWriter {
  private readonly region: Region;
  private readonly structure: Structure;
  private readonly target: RegionTarget;
  private readonly loops = new Map<number, Label>();
  private readonly merges = new Map<number, Label>();

  constructor(region: Region, structure: Structure, target: RegionTarget) {
    this.region = region;
    this.structure = structure;
    this.target = target;
  }

  /** A block and everything that it dominates. */
  tree(id: number): void {
    const { f } = this.target;
    const isLoop = this.structure.loopHeaders.has(id);
    if (isLoop) {
      this.target.meet();
      this.loops.set(id, f.loop());
      this.target.flagState = "memory";
    }
    this.within(id, this.structure.mergesBelow(id));
    if (isLoop) f.op(OP.unreachable).end();
  }

  private within(id: number, merges: readonly number[]): void {
    const { f } = this.target;
    const [merge, ...rest] = merges;
    if (merge === undefined) return this.block(this.region.blocks.get(id)!);
    this.merges.set(merge, f.block());
    this.within(id, rest);
    f.op(OP.unreachable).end();
    this.target.flagState = "memory";
    this.tree(merge);
  }

  private block(block: RegionBlock): void {
    const { target } = this;
    target.begin(block, this.structure.loopHeaders.has(block.id));
    const { end } = block;
    const last = end.kind === "call" || end.kind === "return" ? block.instructions.at(-1) : undefined;
    for (const one of block.instructions) {
      target.lower(one, one !== last ? undefined : end.kind === "call" ? () => this.go(block, end.to) : (to) => this.goBack(block, (end as { to: Edge }).to, to));
    }
    if (end.kind === "branch") {
      target.blockCondition(end.condition);
      this.fork(() => this.go(block, end.to), () => this.go(block, end.otherwise));
    } else if (end.kind === "goto") this.go(block, end.to);
    else if (end.kind === "leave") target.leaveAt(end.at, 0, `leave ${end.why}`);
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

  /** Returns to where the call was, if the guest's stack says the same. */
  private goBack(block: RegionBlock, to: Edge, target: () => void): void {
    this.target.isExpected(target, to);
    this.fork(() => this.go(block, to), () => this.target.leaveElsewhere());
  }

  private go(from: RegionBlock, to: Edge): void {
    const { structure, target } = this;
    if (to.block < 0) {
      if (to.foreign && "jump" in from.end) target.checkTarget(to.at, from.end.jump);
      return target.leaveAt(to.at, 0, "edge");
    }
    if (to.foreign) target.checkPage(to);
    if (!structure.isKept(from.id, to.block)) return target.leaveAt(to.at, 0, "irreducible");
    const place = structure.place.get(to.block)!;
    const label = place <= structure.place.get(from.id)! ? this.loops.get(to.block) : this.merges.get(to.block);
    if (label === undefined || !(place <= structure.place.get(from.id)! || structure.mergeNodes.has(to.block))) return this.tree(to.block);
    target.meet();
    target.f.br(label);
  }
}
