/** Lets machines of the host vectors execute their instruction in a region of the translator instead of interpreting it. */
import { Translator } from "@doppel/translator";
import type { BareMachine } from "./bare-machine.ts";

/** INT3, which fills the page around a vector's code. */
const INT3 = 3;
/** Instructions that raise their exception by themselves: what stands behind them is not looked at. */
const RAISING: readonly number[] = [0xcc, 0xcd, 0xce, 0xf1];

/** A run of vectors in regions. */
export interface RegionRun {
  /** Every so many-th case of a group is executed. */
  readonly each: number;
  /** Instructions that retired in regions: set by the run. */
  retired: number;
}

/** Executes single instructions in regions. */
export class RegionSteps {
  private readonly machine: BareMachine;
  private readonly view: DataView;
  private readonly retiredAt: number;

  constructor(machine: BareMachine) {
    this.machine = machine;
    const { arena } = machine.physical.frames;
    this.view = arena.view;
    this.retiredAt = arena.reserve(16);
    const spare = this.retiredAt + 8;
    new Translator({ engine: machine.engine, memory: arena.memory, threshold: 0, tally: (what) => (what === "retired" ? this.retiredAt : spare) });
  }

  /** Instructions that retired in regions. */
  get retired(): number {
    return this.view.getInt32(this.retiredAt, true);
  }

  /**
   * Executes the instruction at RIP, whose first byte is `opcode`. A budget of one instruction is interpreted, so that it gets two.
   * @param vector of the exception that was noted since
   * @returns whether the instruction completed, whatever was noted of the one behind it
   */
  step(opcode: number, vector: () => number): boolean {
    const { cpu, engine } = this.machine;
    if (RAISING.includes(opcode)) {
      engine.run(1);
      return false;
    }
    const start = cpu.state.rip;
    const before = engine.retired;
    engine.run(2);
    if (engine.retired === before || cpu.state.rip === start) return false;
    if (engine.retired === before + 2 && vector() === INT3) cpu.state.rip -= 1;
    return true;
  }
}
