/**
 * What runs a vCPU: the `Engine` says how instructions are executed (interpreter, translator), the `InterruptSource` what may
 * break in, the closed `Exit` union why a run came back.
 */

/** Where external interrupts come from: the local APIC, or a bare 8259. Who drives it tells the engine when one becomes pending; see `Interpreter.attend`. */
export interface InterruptSource {
  /** A vector could be delivered now, whatever EFLAGS.IF says. */
  pending(): boolean;
  /** The interrupt-acknowledge cycle: the vector to deliver. */
  acknowledge(): number;
}

/** Why a run ended. A guest event is never an exception of the host. */
export type Exit =
  /** The budget is used up. */
  | { readonly reason: "budget" }
  /** HLT or MWAIT, and no interrupt to wake it. */
  | { readonly reason: "halted" }
  /** A fault while delivering a double fault: only a reset helps. */
  | { readonly reason: "shutdown" }
  /** `requestExit` was called from outside or by a device; or fault follows fault, thousands of them, and no instruction retires. */
  | { readonly reason: "requested" }
  /** A host breakpoint stands at RIP, and nothing of the instruction has been executed; or the last instruction met a watchpoint. */
  | { readonly reason: "breakpoint" };

/** Executes instructions of one vCPU. */
export interface Engine {
  /** Runs until `budget` instructions have retired, or something else ends the run. Exact: never more than `budget`. */
  run(budget: number): Exit;
  /** Instructions retired since construction or restore: one each, one per iteration of REP, none for a fault. */
  retired: number;
  /** Ends the run at the next instruction boundary; callable from devices while it runs. */
  requestExit(): void;
}
