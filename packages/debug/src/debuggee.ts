/** What a debugger needs of the machine's owner: to stop its time, to let it go on, and to end it. */
import type { Processor } from "@doppel/cpu";
import { HostPace, type VirtualMachine } from "@doppel/vmm";

/** A machine that somebody runs. `Vm` of the package `doppel` is one. */
export interface Debuggee {
  readonly machine: VirtualMachine;
  /** Stops the guest's time; resolves when it stands still, or has ended. */
  pause(): Promise<void>;
  /** Lets the guest go on. */
  resume(): void;
  /** Ends the machine. */
  stop(): void;
}

/** The processor whose turn it is, and whose hot state therefore stands in memory. */
export function currentProcessor({ processors }: VirtualMachine): Processor {
  return processors.processors[processors.current]!;
}

/** The longest wait before a halted machine's timers are looked at again, in milliseconds. */
const LONGEST_WAIT = 50;
/** Steps between two turns of the host. */
const TURN = 500;

/** Executes single instructions of a machine that stands still. */
export class Stepper {
  private readonly machine: VirtualMachine;
  private readonly pace = new HostPace();
  private cancelled = false;

  constructor(machine: VirtualMachine) {
    this.machine = machine;
  }

  /**
   * Executes one instruction, or enters the handler of its fault. In real time interrupts wait meanwhile, so that a user steps
   * through the code in front of him; in deterministic time they come when they are due, and a fault's handler begins with the same
   * step, so that stepping changes nothing. A halted machine waits for what wakes it, or for {@link cancel}, and says whether it was that.
   */
  async step(): Promise<boolean> {
    const { machine } = this;
    this.cancelled = false;
    machine.clock.resume();
    try {
      if (!machine.isHalted && machine.options.deterministic !== true) {
        this.quietly();
        return false;
      }
      for (;;) {
        if (machine.options.deterministic === true) this.exactly();
        else machine.step();
        if (!machine.isHalted || this.cancelled) return this.cancelled;
        await this.pace.sleep(Math.max(0, Math.min(LONGEST_WAIT, (machine.clock.nextDeadline() - machine.clock.now()) / 1e6)));
      }
    } finally {
      machine.clock.pause();
    }
  }

  /** Steps, at least once, while `goOn` says so; true when {@link cancel} ended it. */
  async stepWhile(goOn: () => boolean): Promise<boolean> {
    for (let n = 1; ; n++) {
      if (await this.step()) return true;
      if (!goOn()) return false;
      // Whoever wants to cancel must get a turn.
      if (n % TURN === 0) {
        this.cancelled = false;
        await this.pace.yield();
        if (this.cancelled) return true;
      }
    }
  }

  /** Ends a wait. */
  cancel(): void {
    this.cancelled = true;
    this.pace.wake();
  }

  /** One instruction in the machine's own time. A breakpoint that stands there stops it once. */
  private exactly(): void {
    const { machine } = this;
    const { retired } = machine.processors;
    const stop = machine.runExactly(1);
    if (stop.kind === "breakpoint" && machine.processors.retired === retired) machine.runExactly(1);
  }

  private quietly(): void {
    const { machine } = this;
    const { engine } = currentProcessor(machine);
    const { interrupts } = engine;
    engine.interrupts = undefined;
    machine.step();
    engine.interrupts = interrupts;
  }
}
