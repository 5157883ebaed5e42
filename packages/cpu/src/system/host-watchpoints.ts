/**
 * Watchpoints of the host: a debugger sees accesses of data without the guest's debug registers knowing. Like theirs, they take the
 * watched pages off the inline path (`Mmu.watch`), so that each access comes by here.
 */
import { PAGE_SIZE } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";

/** Bytes that a debugger watches. */
export interface HostWatchpoint {
  /** Linear address of the first byte. */
  readonly linear: number;
  /** Bytes. */
  readonly length: number;
  readonly on: "read" | "write" | "access";
}

/** Tells the engine of an access that meets a watchpoint; the access itself goes on. */
export function noteHostAccess(cpu: Cpu, linear: number, size: number, write: boolean): void {
  for (const point of cpu.watchpoints) {
    if (point.on !== "access" && (point.on === "write") !== write) continue;
    if (linear < point.linear + point.length && point.linear < linear + size) cpu.onWatch?.(point, linear, size);
  }
}

/** The linear addresses of the pages that watchpoints lie in. */
export function* hostWatchedPages(cpu: Cpu): Generator<number> {
  for (const { linear, length } of cpu.watchpoints) {
    for (let page = linear - (linear & (PAGE_SIZE - 1)); page < linear + length; page += PAGE_SIZE) yield page;
  }
}
