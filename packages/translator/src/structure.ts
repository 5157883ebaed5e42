/**
 * Structures a region's control flow for WebAssembly, which has blocks and loops and no jumps: N. Ramsey, "Beyond Relooper" (ICFP 2022).
 * A block's code stands inside the constructs of the blocks that dominate it; a loop begins where an edge leads back, and a block that
 * several edges lead forward to stands behind a `block` that they break out of. An edge into the middle of a loop (irreducible flow) is not
 * kept: control leaves the region there, and may enter it again by another entry.
 */
import { type Region, successors } from "./region.ts";

/** A region's blocks in an order in which every edge that is no loop's leads forward. Blocks are named by their numbers. */
export interface Structure {
  /** The blocks in reverse postorder; the entry is the first. */
  readonly order: readonly number[];
  /** Place in the order. */
  readonly place: ReadonlyMap<number, number>;
  readonly loopHeaders: ReadonlySet<number>;
  readonly mergeNodes: ReadonlySet<number>;
  /** Blocks that each block dominates immediately and that are merge nodes, the last in the order first. */
  mergesBelow(block: number): readonly number[];
  /** Whether an edge is kept. */
  isKept(from: number, to: number): boolean;
}

function postorder(entry: number, edges: ReadonlyMap<number, readonly number[]>): number[] {
  const out: number[] = [];
  const seen = new Set<number>();
  const visit = (at: number): void => {
    if (seen.has(at)) return;
    seen.add(at);
    for (const next of edges.get(at)!) visit(next);
    out.push(at);
  };
  visit(entry);
  return out;
}

/** Immediate dominators by place in reverse postorder (Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm"). */
function dominators(order: readonly number[], place: ReadonlyMap<number, number>, edges: ReadonlyMap<number, readonly number[]>): number[] {
  const before: number[][] = order.map(() => []);
  for (const from of order) for (const to of edges.get(from)!) before[place.get(to)!]!.push(place.get(from)!);
  const idom = order.map(() => -1);
  idom[0] = 0;
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (a > b) a = idom[a]!;
      while (b > a) b = idom[b]!;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let n = 1; n < order.length; n++) {
      const known = before[n]!.filter((p) => idom[p]! >= 0);
      const next = known.reduce(meet);
      if (idom[n] === next) continue;
      idom[n] = next;
      changed = true;
    }
  }
  return idom;
}

/** Finds loops and merges. */
export function structureOf(region: Region): Structure {
  let edges = new Map([...region.blocks].map(([id, block]) => [id, [...new Set(successors(block))]] as const));
  for (;;) {
    const order = postorder(region.entry.id, edges).reverse();
    const place = new Map(order.map((at, n) => [at, n]));
    const idom = dominators(order, place, edges);
    const dominates = (a: number, b: number): boolean => {
      while (b > a) b = idom[b]!;
      return a === b;
    };
    const leadsBack = (from: number, to: number): boolean => place.get(to)! <= place.get(from)!;
    const isBad = (from: number, to: number): boolean => leadsBack(from, to) && !dominates(place.get(to)!, place.get(from)!);
    if (order.some((from) => edges.get(from)!.some((to) => isBad(from, to)))) {
      edges = new Map([...edges].filter(([from]) => place.has(from)).map(([from, to]) => [from, to.filter((next) => !isBad(from, next))]));
      continue;
    }
    const forward = new Map<number, number>();
    const loopHeaders = new Set<number>();
    for (const from of order) {
      for (const to of edges.get(from)!) {
        if (leadsBack(from, to)) loopHeaders.add(to);
        else forward.set(to, (forward.get(to) ?? 0) + 1);
      }
    }
    const mergeNodes = new Set([...forward].filter(([, count]) => count > 1).map(([at]) => at));
    const below = new Map<number, number[]>();
    for (let n = order.length - 1; n > 0; n--) {
      if (!mergeNodes.has(order[n]!)) continue;
      const over = order[idom[n]!]!;
      below.set(over, [...(below.get(over) ?? []), order[n]!]);
    }
    const kept = edges;
    return {
      order, place, loopHeaders, mergeNodes, mergesBelow: (block) => below.get(block) ?? [], isKept: (from, to) => kept.get(from)?.includes(to) ?? false,
    };
  }
}
