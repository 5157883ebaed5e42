/** Writes regions as WebAssembly: several functions of one module, which compiles faster than as many modules (engine.md). */
import { GeneratedModule } from "@doppel/cpu";
import type { Label } from "@doppel/wasm";
import { OP } from "@doppel/wasm";
import type { Region, RegionBlock } from "./region.ts";
import { RegionTarget } from "./region-target.ts";
import { type Structure, structureOf } from "./structure.ts";

/** Name under which a module exports its nth region. */
export const exportName = (n: number): string => `region${n}`;

/**
 * A module with one function for each region.
 * @param first for code of 32 bits and of 64 bits, the handler number of the table's first entry, where regions are to go on to each other by
 * tail calls; the module imports the table then
 */
export function regionModule(regions: readonly Region[], first?: (long: boolean) => number): GeneratedModule {
  const generated = new GeneratedModule();
  if (first !== undefined) generated.module.importTable("doppel", "table", 0);
  for (const [n, region] of regions.entries()) writeRegion(generated, region, exportName(n), first);
  return generated;
}

function writeRegion(generated: GeneratedModule, region: Region, name: string, first: ((long: boolean) => number) | undefined): void {
  const signature = { parameters: ["i32", region.long ? "i64" : "i32"], results: ["i32"] } as const;
  const { builder } = generated.module.function(signature, name);
  const chain = first === undefined ? undefined : { type: generated.module.type(signature), first: first(region.long) };
  const target = new RegionTarget(builder, generated, region, chain);
  target.enter(region.blocks.get(region.entry)!.count);
  new BlockWriter(region, structureOf(region), target).tree(region.entry);
  target.exit();
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
  tree(at: number): void {
    const { f } = this.target;
    const isLoop = this.structure.loopHeaders.has(at);
    if (isLoop) this.loops.set(at, f.loop());
    this.within(at, this.structure.mergesBelow(at));
    if (isLoop) f.op(OP.unreachable).end();
  }

  private within(at: number, merges: readonly number[]): void {
    const { f } = this.target;
    const [merge, ...rest] = merges;
    if (merge === undefined) return this.block(this.region.blocks.get(at)!);
    this.merges.set(merge, f.block());
    this.within(at, rest);
    f.op(OP.unreachable).end();
    this.tree(merge);
  }

  private block(block: RegionBlock): void {
    const { target } = this;
    const { f } = target;
    const { end } = block;
    target.begin(block);
    for (const one of block.instructions) target.lower(one);
    if (end.kind === "branch") {
      target.blockCondition(end.condition);
      target.endBlock();
      f.if();
      this.go(block.start, end.target);
      f.else();
      this.go(block.start, end.otherwise);
      f.end().op(OP.unreachable);
      return;
    }
    target.endBlock();
    if (end.kind === "goto") this.go(block.start, end.target);
    else if (end.kind === "leave") target.leaveAt(end.offset, 0);
  }

  private go(from: number, to: number): void {
    const { structure, target } = this;
    if (!structure.isKept(from, to)) return target.leaveAt(to, 0);
    if (structure.place.get(to)! <= structure.place.get(from)!) target.f.br(this.loops.get(to)!);
    else if (structure.mergeNodes.has(to)) target.f.br(this.merges.get(to)!);
    else this.tree(to);
  }
}
