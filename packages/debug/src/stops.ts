/**
 * Where a debugger wants the machine to stop: breakpoints and watchpoints of the host (packets Z0 to Z4), which the guest cannot see:
 * its memory and its debug registers stay as they are. Software and hardware breakpoints are the same thing here.
 */
import type { HostWatchpoint, Multiprocessor } from "@doppel/cpu";

/** Types of the Z packets. */
const SOFTWARE = 0;
const HARDWARE = 1;
const KINDS: Record<number, HostWatchpoint["on"]> = { 2: "write", 3: "read", 4: "access" };
/** Watched pages are slow, so a watch of everything is not offered. */
const LONGEST_WATCH = 4096;
const MOST = 4096;

/** The breakpoints and watchpoints that one debugger has set. Setting one twice is setting it once. */
export class Stops {
  private readonly processors: Multiprocessor;
  private readonly breakpoints = new Map<number, Set<number>>();
  private readonly watchpoints = new Map<string, HostWatchpoint>();

  /** @param processors that stop: all of them, wherever a guest moves its code */
  constructor(processors: Multiprocessor) {
    this.processors = processors;
  }

  /** Whether a Z packet's type exists. */
  knows(type: number): boolean {
    return type === SOFTWARE || type === HARDWARE || KINDS[type] !== undefined;
  }

  /** Sets one; false when it cannot be had. */
  insert(type: number, linear: number, length: number): boolean {
    if (this.breakpoints.size + this.watchpoints.size >= MOST) return false;
    const on = KINDS[type];
    if (on === undefined) {
      const types = this.breakpoints.get(linear) ?? new Set();
      if (types.size === 0) for (const { engine } of this.processors.processors) engine.addBreakpoint(linear);
      this.breakpoints.set(linear, types.add(type));
      return true;
    }
    if (length < 1 || length > LONGEST_WATCH) return false;
    this.watchpoints.set(`${type} ${linear} ${length}`, { linear, length, on });
    this.watch();
    return true;
  }

  /** Takes one away; one that is not there is let be. */
  remove(type: number, linear: number, length: number): void {
    if (KINDS[type] === undefined) {
      const types = this.breakpoints.get(linear);
      if (types?.delete(type) !== true || types.size > 0) return;
      this.breakpoints.delete(linear);
      for (const { engine } of this.processors.processors) engine.removeBreakpoint(linear);
    } else if (this.watchpoints.delete(`${type} ${linear} ${length}`)) {
      this.watch();
    }
  }

  /** The type of a breakpoint at an address. */
  at(linear: number): "swbreak" | "hwbreak" | undefined {
    const types = this.breakpoints.get(linear);
    return types === undefined ? undefined : types.has(SOFTWARE) ? "swbreak" : "hwbreak";
  }

  /** Takes all away. */
  clear(): void {
    for (const linear of this.breakpoints.keys()) for (const { engine } of this.processors.processors) engine.removeBreakpoint(linear);
    this.breakpoints.clear();
    if (this.watchpoints.size === 0) return;
    this.watchpoints.clear();
    this.watch();
  }

  private watch(): void {
    const points = [...this.watchpoints.values()];
    for (const n of this.processors.processors.keys()) this.processors.with(n, ({ engine }) => engine.watch(points));
  }
}
