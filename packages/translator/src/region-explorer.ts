/** Finds what belongs to a region: a function from an entry on, what it calls, and where control comes back to it. */
import { type Decoded, type Decoder, pageOf } from "./region-decoder.ts";

/** Instructions of a called function at most, and how many calls stand in each other. */
const MOST_CALLED = 300;
const MOST_CALLS = 6;
/** Bytes of a jump that hardly leads to another function. */
const SHORT_JUMP = 2;
/** Instructions of a function that is part of what jumps to it or calls it, whatever else is. */
const SHORT_FUNCTION = 4;
/** Entries at most. */
const MOST_ENTRIES = 100;

/** A function that is called, at one call. */
export interface Call {
  readonly caller: Call | undefined;
  readonly returnsTo: number;
  readonly target: number;
  readonly depth: number;
  readonly leaders: Set<number>;
  /** Where the region may be entered, of the outermost function. */
  readonly entries: Set<number>;
  readonly code: Map<number, Decoded>;
  /** Calls of others that were not looked at. */
  readonly open: Decoded[];
  /** Calls of others that are part of the region, by the place behind the call. */
  readonly callees: Map<number, Call[]>;
  readonly numbers: Map<number, number>;
  returns: boolean;
}

/** Finds what belongs to a region. */
export class Explorer {
  private readonly decoder: Decoder;
  private readonly most: number;
  private readonly calls: Call[] = [];
  /** Places behind indirect calls and behind instructions that are not for regions. */
  private readonly resumed: number[] = [];
  private total = 0;
  private blocks = 0;

  constructor(decoder: Decoder, most: number) {
    this.decoder = decoder;
    this.most = most;
  }

  explore(entry: number, others: readonly number[]): readonly Call[] {
    const own = this.call(undefined, NaN, entry);
    this.calls.push(own);
    own.entries.add(entry);
    this.walk(own, entry, this.most);
    for (;;) {
      this.follow(own);
      const at = this.resumed.pop();
      if (at === undefined) break;
      this.comeBack(own, at);
    }
    for (const other of others) this.comeBack(own, other);
    if (this.decoder.comesBack) enterLoops(own);
    for (const call of this.calls) for (const leader of call.leaders) if (call.code.has(leader)) call.numbers.set(leader, this.blocks++);
    return this.calls;
  }

  private call(caller: Call | undefined, returnsTo: number, target: number): Call {
    return { caller, returnsTo, target, depth: caller === undefined ? 0 : caller.depth + 1, entries: new Set(), leaders: new Set(), code: new Map(), open: [], callees: new Map(), numbers: new Map(), returns: false };
  }

  private enterAt(own: Call, at: number): void {
    if (own.entries.size >= MOST_ENTRIES) return;
    own.leaders.add(at);
    own.entries.add(at);
  }

  /** Takes functions in that are called, or lets control come back from them, and adds what stands behind the calls. */
  private follow(own: Call): void {
    for (let one = own.open.shift(); one !== undefined; one = own.open.shift()) {
      const taken = this.takeIn(own, one, Math.min(this.total + MOST_CALLED, this.most));
      // Behind an indirect call control comes back anyway.
      if (taken === undefined && one.flow === "away") continue;
      this.calls.push(...(taken ?? this.takeStub(own, one)));
      if (taken === undefined) this.comeBack(own, one.next);
      else this.walk(own, one.next, this.most);
    }
  }

  /**
   * Makes a function part of the region, with all that it calls: one that control leaves in the middle is better a region of its own, as
   * control comes back there. Returns the function and those that it calls, or undefined where there would be more than `limit` instructions.
   */
  private takeIn(caller: Call, { next, target }: Decoded, limit: number): Call[] | undefined {
    const callee = this.call(caller, next, target);
    const taken = [callee];
    const before = this.total;
    let fits = callee.depth <= MOST_CALLS && !isOpen(caller, target) && this.walk(callee, target, limit);
    for (let one = callee.open.shift(); fits && one !== undefined; one = callee.open.shift()) {
      const inner = this.takeIn(callee, one, limit);
      taken.push(...(inner ?? []));
      fits = inner !== undefined && this.walk(callee, one.next, limit);
    }
    if (fits && callee.returns) {
      addCallee(caller, next, callee);
      return taken;
    }
    this.total = before;
    return undefined;
  }

  /** Takes in what a call leads to if it only leads on from there to where memory says, as the entries of a procedure linkage table do. */
  private takeStub(caller: Call, { next, target }: Decoded): Call[] {
    const stub = this.call(caller, next, target);
    stub.leaders.add(target);
    for (let at = target; stub.code.size < SHORT_FUNCTION && this.total + stub.code.size < this.most;) {
      const one = this.decoder.at(at);
      if (one?.flow !== "on" && one?.flow !== "gone") break;
      stub.code.set(at, one);
      at = one.next;
      if (one.flow === "on") continue;
      this.total += stub.code.size;
      addCallee(caller, next, stub);
      return [stub];
    }
    return [];
  }

  /** Control comes back here from elsewhere, if it has done so before. */
  private comeBack(own: Call, at: number): void {
    if (!this.decoder.comesBack || this.decoder.at(at) === undefined) return;
    if (!own.code.has(at)) this.walk(own, at, this.most);
    if (own.code.has(at)) this.enterAt(own, at);
  }

  /** Whether another function begins where a jump leads: that is not this one's business. One that is called must come back, though. */
  private leadsAway({ instruction, target }: Decoded): boolean {
    return instruction.length !== SHORT_JUMP && this.decoder.isFunction(target) && !this.returnsSoon(target);
  }

  /** Whether there is little more than a return, as in a kernel that returns by jumps to one place. */
  private returnsSoon(at: number): boolean {
    for (let n = 0; n < SHORT_FUNCTION; n++) {
      const one = this.decoder.at(at);
      if (one?.flow !== "on") return one?.flow === "return";
      at = one.next;
    }
    return false;
  }

  /** Adds what jumps reach; false when the region would have more than `limit` instructions, and for a called function when control leaves it otherwise. */
  private walk(call: Call, entry: number, limit: number): boolean {
    const open = [entry];
    call.leaders.add(entry);
    while (open.length > 0) {
      let at = open.pop()!;
      for (;;) {
        if (call.code.has(at) || (at !== entry && call.depth === 0 && this.decoder.isElsewhere(at))) break;
        if (this.total >= limit) return false;
        const one = this.decoder.at(at);
        if (one === undefined) {
          if (!this.decoder.isKnown(at)) break;
          if (call.depth > 0) {
            if (this.decoder.isRare(at, call.target)) break;
            return false;
          }
          const next = this.decoder.behind(at);
          if (next !== undefined) this.resumed.push(next);
          break;
        }
        call.code.set(at, one);
        this.total++;
        if (one.flow === "return") call.returns = true;
        if (one.flow === "call") call.open.push(one);
        if (call.depth > 0 && (one.flow === "away" || (one.flow === "gone" && one.targets.length === 0))) return false;
        if (one.flow === "away") this.resumed.push(one.next);
        for (const target of one.targets) {
          if (one.flow === "away") call.open.push({ ...one, target });
          else if (call.depth > 0 || !this.decoder.isFunction(target)) {
            call.leaders.add(target);
            open.push(target);
          }
        }
        const forks = one.flow === "branch" || one.flow === "loop";
        if (one.flow === "jump" || forks) {
          call.leaders.add(one.target);
          if (forks || call.depth > 0 || !this.leadsAway(one)) open.push(one.target);
        }
        if (forks || pageOf(one.next) !== pageOf(at)) call.leaders.add(one.next);
        if (one.flow !== "on" && !forks) break;
        at = one.next;
      }
    }
    return call.code.has(entry);
  }
}

function addCallee({ callees }: Call, next: number, callee: Call): void {
  const there = callees.get(next);
  if (there === undefined) callees.set(next, [callee]);
  else there.push(callee);
}

/** What leaves in the middle of a loop, as for a page that the TLB does not have, comes back with its next round. */
function enterLoops({ code, leaders, entries }: Call): void {
  for (const one of code.values()) {
    if ((one.flow === "branch" || one.flow === "loop" || one.flow === "jump") && one.target <= one.at && code.has(one.target) && leaders.has(one.target) && entries.size < MOST_ENTRIES) entries.add(one.target);
  }
}

/** Whether a function is being called already: it calls itself. */
function isOpen(call: Call, target: number): boolean {
  for (let one: Call | undefined = call; one !== undefined; one = one.caller) if (one.target === target) return true;
  return false;
}
