/**
 * Structures a region's control flow for WebAssembly, which has blocks and loops and no jumps: N. Ramsey, "Beyond Relooper" (ICFP 2022).
 * A block's code stands inside the constructs of the blocks that dominate it; a loop begins where an edge leads back, and a block that
 * several edges lead forward to stands behind a `block` that they break out of.
 *
 * A region may be entered in the middle of a loop, and a guest's jumps may lead there. Such ways go through the loop's header: they note
 * where they lead, and the header sends them on.
 */
import type { Region } from "./region.ts";

/** In place of a block, for where the region is entered: from there all entries are reached. */
export const ROOT = -1;

/** How a header sends on what only comes through it. */
export interface Onward {
  /** Where it leads. */
  readonly to: number;
  /** The next block on the way. */
  readonly hop: number;
}

/** Blocks that each lead to all others of them; control comes from elsewhere to the header only. */
export interface Loop {
  readonly header: number;
  readonly body: ReadonlySet<number>;
}

/** A region's blocks in an order in which every edge that is no loop's leads forward. Blocks are named by their numbers. */
export interface Structure {
  /** `ROOT` and the blocks in reverse postorder. */
  readonly order: readonly number[];
  /** Place in the order. */
  readonly place: ReadonlyMap<number, number>;
  readonly loopHeaders: ReadonlySet<number>;
  readonly mergeNodes: ReadonlySet<number>;
  /** Blocks that each block dominates immediately and that are merge nodes, the last in the order first. */
  mergesBelow(block: number): readonly number[];
  /** The block that dominates another one immediately, or `ROOT`. */
  dominator(block: number): number;
  /** The blocks that control comes to a block from, `ROOT` among them. */
  before(block: number): readonly number[];
  /** Whether a loop's header sends control on to a block. */
  isSentTo(block: number): boolean;
  /** The innermost loop that a block is in. */
  loopAround(block: number): Loop | undefined;
  /** The first block on the way from one to another: that one, or the header of a loop around it. */
  firstHop(from: number, to: number): number;
  /** What a block sends on. */
  onwards(block: number): readonly Onward[];
}

type Edges = ReadonlyMap<number, readonly number[]>;

function postorder(entry: number, edges: Edges): number[] {
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
function dominators(order: readonly number[], before: readonly (readonly number[])[]): number[] {
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

/** The sets of nodes each of which reaches all others of its set (R. Tarjan, "Depth-First Search and Linear Graph Algorithms"), where there is a way around. */
function cycles(nodes: ReadonlySet<number>, edges: Edges): Set<number>[] {
  const out: Set<number>[] = [];
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const stack: number[] = [];
  const onStack = new Set<number>();
  const visit = (at: number): void => {
    index.set(at, index.size);
    low.set(at, index.get(at)!);
    stack.push(at);
    onStack.add(at);
    for (const next of edges.get(at)!) {
      if (!nodes.has(next)) continue;
      if (!index.has(next)) {
        visit(next);
        low.set(at, Math.min(low.get(at)!, low.get(next)!));
      } else if (onStack.has(next)) low.set(at, Math.min(low.get(at)!, index.get(next)!));
    }
    if (low.get(at) !== index.get(at)) return;
    const found = new Set<number>();
    for (let one = NaN; one !== at;) {
      one = stack.pop()!;
      onStack.delete(one);
      found.add(one);
    }
    if (found.size > 1 || edges.get(at)!.includes(at)) out.push(found);
  };
  for (const node of nodes) if (!index.has(node)) visit(node);
  return out;
}

/** The loops that each block is in, the outermost first. A loop that may be entered at several blocks has the first of them in reverse postorder as its header. */
function loopNest(edges: Edges): Map<number, Loop[]> {
  const order = postorder(ROOT, edges).reverse();
  const loops = new Map(order.map((at) => [at, [] as Loop[]]));
  const find = (nodes: ReadonlySet<number>): void => {
    for (const body of cycles(nodes, edges)) {
      const entered = new Set(order.flatMap((from) => (body.has(from) ? [] : edges.get(from)!.filter((to) => body.has(to)))));
      const header = order.find((at) => entered.has(at))!;
      for (const block of body) loops.get(block)!.push({ header, body });
      find(new Set([...body].filter((block) => block !== header)));
    }
  };
  find(new Set(order));
  return loops;
}

/** Finds loops and merges. */
export function structureOf(region: Region): Structure {
  const wanted = new Map<number, readonly number[]>();
  for (const [id, block] of region.blocks) wanted.set(id, block.successors);
  wanted.set(ROOT, region.entries.map(({ id }) => id));
  const loops = loopNest(wanted);
  const firstHop = (from: number, to: number): number => {
    for (const { header, body } of loops.get(to)!) if (!body.has(from)) return header;
    return to;
  };
  /** All blocks on the way from one to another, the latter included. */
  const way = (from: number, to: number): number[] => {
    const hops = loops.get(to)!.filter(({ body }) => !body.has(from)).map(({ header }) => header);
    return hops.at(-1) === to ? hops : [...hops, to];
  };
  const onwards = new Map<number, Onward[]>();
  const edges = new Map<number, number[]>();
  for (const [from, targets] of wanted) edges.set(from, targets.map((to) => firstHop(from, to)));
  for (const [from, targets] of wanted) {
    for (const to of targets) {
      if (firstHop(from, to) === to) continue;
      const hops = way(from, to);
      for (const [n, hop] of hops.slice(1).entries()) {
        const at = hops[n]!;
        const known = onwards.get(at) ?? [];
        if (known.some((one) => one.to === to)) continue;
        onwards.set(at, [...known, { to, hop }]);
        edges.get(at)!.push(hop);
      }
    }
  }
  const order = postorder(ROOT, edges).reverse();
  const place = new Map(order.map((at, n) => [at, n]));
  const before: number[][] = order.map(() => []);
  for (const from of order) for (const to of edges.get(from)!) before[place.get(to)!]!.push(place.get(from)!);
  const idom = dominators(order, before);
  const sentTo = new Set([...onwards.values()].flatMap((ways) => ways.map(({ hop }) => hop)));
  const forward = new Map<number, number>();
  const loopHeaders = new Set<number>();
  for (const from of order) {
    for (const to of edges.get(from)!) {
      if (place.get(to)! <= place.get(from)!) loopHeaders.add(to);
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
  return {
    order, place, loopHeaders, mergeNodes, mergesBelow: (block) => below.get(block) ?? [],
    dominator: (block) => order[idom[place.get(block)!]!]!, before: (block) => before[place.get(block)!]!.map((n) => order[n]!), isSentTo: (block) => sentTo.has(block),
    loopAround: (block) => loops.get(block)!.at(-1),
    firstHop, onwards: (block) => onwards.get(block) ?? [],
  };
}
