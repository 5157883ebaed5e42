/**
 * Runs of a fuzzed program that must all end alike: instruction by instruction, in slices, in one piece, and from an image taken
 * midway. The first of them also counts which forms retired and which faulted.
 */
import { type CodeSize, CR0_PG, decode, EFLAGS_TF, type Form, Instruction, instructionText, OK, PREFIX_REP, PREFIX_REPNE, VECTOR_DB } from "@doppel/x86";
import { layout } from "@doppel/cpu";
import { Random } from "../host-vectors-random.ts";
import type { Coverage, FormCounts } from "./coverage.ts";
import type { FuzzMachine, MachineDigest, MachineImage } from "./fuzz-machine.ts";
import type { FuzzProgram } from "./fuzz-program.ts";
import { RAM } from "./image-layout.ts";

/** Instructions of a program's leg. */
const LEG_BUDGET = 160;
/** Of a program for regions, one in so many is run one instruction at a time. */
const STEPPED_REGIONS = 4;
const DEFAULT_BIG = 0x4000;
const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);

/** A point of a program at which a machine was saved. */
export interface SavePoint {
  readonly image: MachineImage;
  readonly count: number;
  readonly leg: number;
  readonly legCount: number;
  /** Hash of the registers, and of data that the next leg draws anew, at the ends of the legs before. */
  readonly registers: number;
}

/** How a run is to be done. */
export interface RunPlan {
  /** Retired instructions after which the machine is saved, in place. */
  readonly saveAt: number;
  /** Instructions per call of the engine: one, some, or as many as there are. */
  readonly slices: "one" | "some" | "whole";
  readonly from?: SavePoint;
  readonly coverage?: Coverage;
  /** Called before each instruction of a run in slices of one. */
  readonly trace?: (line: string) => void;
  /** Called after each slice. */
  readonly watch?: () => void;
  /** Ends the run after so many instructions; the whole program when absent. */
  readonly budget?: number;
}

/** What a run ended with. */
export interface RunResult {
  readonly digest: MachineDigest;
  /** Hash of the registers at the end of every leg, and of data that the next one draws anew. */
  readonly registers: number;
  readonly save: SavePoint | undefined;
  readonly count: number;
}

/** A run that is not what it must be; the message says which program and how. */
export class FuzzError extends Error {}

const scratch = new Instruction();
const window = new Uint8Array(15);
const NO_INSTRUCTION = -1;

/** Bytes of the default operand size. */
function codeSize({ cpu }: FuzzMachine): CodeSize {
  return cpu.longMode ? 8 : (cpu.state.segmentAttributes(layout.CS) & (DEFAULT_BIG << 8)) !== 0 ? 4 : 2;
}

/** The instruction that comes next, or undefined where it cannot be seen. */
function upcoming(machine: FuzzMachine): { form: Form; repeated: boolean } | undefined {
  const { cpu, linear, ram } = machine;
  if (!fetch(machine, linear, ram)) return undefined;
  if (decode(window, 0, window.length, codeSize(machine), scratch) !== OK) return undefined;
  let form: Form | undefined = scratch.form;
  while (form !== undefined && !cpu.hasFeature(form.feature)) form = form.fallback;
  if (form === undefined) return undefined;
  return { form, repeated: STRINGS.has(form.mnemonic) && (scratch.prefixes & (PREFIX_REP | PREFIX_REPNE)) !== 0 };
}

function fetch({ cpu }: FuzzMachine, linear: number, ram: Uint8Array): boolean {
  const at = cpu.mmu.peek(linear);
  if (at < 0 || at >= RAM) return false;
  const here = Math.min(window.length, 4096 - (linear & 0xfff));
  window.fill(0);
  window.set(ram.subarray(at, at + here));
  if (here < window.length) {
    const next = cpu.mmu.peek(cpu.wrap(linear + here));
    if (next >= 0 && next < RAM) window.set(ram.subarray(next, next + window.length - here), here);
  }
  return true;
}

function describe(machine: FuzzMachine): string {
  const { cpu, linear } = machine;
  const { state } = cpu;
  const found = upcoming(machine);
  const text = found === undefined ? "(no instruction)" : instructionText(scratch, codeSize(machine), state.rip);
  const registers = Array.from({ length: cpu.ia32e ? 16 : 8 }, (_, n) => state.gprAddress(n).toString(16)).join(" ");
  return `${linear.toString(16)} mode ${state.mode.toString(16)} flags ${(state.eflags >>> 0).toString(16)} [${registers}] ${Array.from(window.subarray(0, found === undefined ? 8 : scratch.length), (b) => b.toString(16).padStart(2, "0")).join(" ")}  ${text}`;
}

/** Runs a program from its beginning or from an image, on a machine that may have run others before. */
export function runProgram(machine: FuzzMachine, program: FuzzProgram, plan: RunPlan): RunResult {
  const { engine, cpu } = machine;
  const budget = plan.budget ?? program.budget;
  const legBudget = program.legBudget ?? LEG_BUDGET;
  const random = new Random(`slices ${program.seed}`);
  const { coverage, from } = plan;
  let count = from?.count ?? 0;
  let legCount = from?.legCount ?? 0;
  // A leg begins with new registers: what went wrong in those of the leg before would be lost.
  let registers = from?.registers ?? 0;
  let save: SavePoint | undefined;
  if (from === undefined) machine.load(program);
  else machine.restore(from.image);
  for (let leg = from?.leg ?? 0; leg < program.legs.length && count < budget; leg++) {
    if (from === undefined || leg !== from.leg) {
      legCount = 0;
      machine.begin(program, program.legs[leg]!);
    }
    let last = NO_INSTRUCTION;
    while (legCount < legBudget && count < budget) {
      if (count === plan.saveAt && save === undefined && from === undefined) save = { image: machine.save(), count, leg, legCount, registers };
      let limit = Math.min(legBudget - legCount, budget - count);
      if (plan.saveAt > count) limit = Math.min(limit, plan.saveAt - count);
      if (plan.slices !== "whole") limit = Math.min(limit, plan.slices === "one" ? 1 : 1 + random.below(program.regions && random.oneIn(2) ? 100 : 9));
      const traced = coverage !== undefined && !machine.inHandler ? upcoming(machine) : undefined;
      const counts: FormCounts | undefined = traced === undefined ? undefined : coverage?.of(machine.model, machine.codeKind);
      const { linear, faults } = machine;
      const stepping = (cpu.state.systemFlags & EFLAGS_TF) !== 0;
      const before = engine.retired;
      plan.trace?.(describe(machine));
      const exit = engine.run(limit);
      const done = engine.retired - before;
      plan.watch?.();
      count += done;
      legCount += done;
      if (coverage !== undefined) coverage.executed += done;
      if (done > limit || (exit.reason === "budget" && done !== limit)) throw new FuzzError(`${program.seed}: asked for ${limit} instructions, ${done} retired (${exit.reason})`);
      if (coverage !== undefined && traced !== undefined && counts !== undefined) {
        const { form, repeated } = traced;
        if (machine.faults === faults || (machine.faults === faults + 1 && done === 1 && stepping && cpu.state.faultVector === VECTOR_DB)) {
          if (done === 1 && !(repeated && last === linear)) {
            counts.retired[form.id]!++;
            coverage.instructions++;
          }
        } else counts.faulted[form.id]!++;
        last = linear;
      } else last = NO_INSTRUCTION;
      if (exit.reason !== "budget") break;
    }
    registers = (Math.imul(registers, 31) + machine.registers() + (program.pool === undefined ? 0 : machine.data())) | 0;
  }
  return { digest: machine.digest(), registers, save, count };
}

function same(a: RunResult, b: RunResult): boolean {
  return differences(a, b) === "";
}

/** What differs between two runs, in words. */
function differences(a: RunResult, b: RunResult): string {
  const parts: string[] = (["cpu", "ram", "device"] as const).filter((part) => a.digest[part] !== b.digest[part]);
  if (a.registers !== b.registers) parts.push("registers of a leg");
  if (a.count !== b.count) parts.push(`count (${a.count}, ${b.count})`);
  return parts.join(", ");
}

/** Whether a program changes page tables that it goes on to use. */
function usesStaleTables(machine: FuzzMachine, program: FuzzProgram, saveAt: number, budget: number): boolean {
  let found = false;
  const watch = (): void => {
    found ||= (machine.cpu.cr0 & CR0_PG) !== 0 && machine.tablesChanged;
  };
  runProgram(machine, program, { saveAt, slices: "one", budget, watch });
  return found;
}

/**
 * Runs a program in every way and compares. Gives undefined when all agree, else the names of two runs that differ.
 * @param machines two machines; which of them runs what makes no difference
 */
export function checkProgram(machines: readonly [FuzzMachine, FuzzMachine], program: FuzzProgram, coverage?: Coverage, budget: number = program.budget): string | undefined {
  const saveAt = new Random(`save ${program.seed}`).below(program.budget);
  if (program.regions) return checkRegions(machines, program, saveAt, budget, coverage);
  // Two of three programs run in one piece on the first machine, which executes pairs.
  const [b, a] = saveAt % 3 === 0 ? [machines[1], machines[0]] : machines;
  try {
    const stepped = runCovered(a, program, saveAt, budget, coverage);
    const whole = runProgram(b, program, { saveAt, slices: "whole", budget });
    if (coverage !== undefined) {
      coverage.executed += whole.count;
      for (const pair of machines[0].pairs) coverage.pairs.add(pair);
    }
    const { save } = whole;
    const sliced = save === undefined ? whole : runProgram(a, program, { saveAt, slices: "some", from: save, budget });
    if (same(stepped, whole) && same(sliced, whole)) return undefined;
    if (usesStaleTables(a, program, saveAt, budget)) return checkStale(a, program, saveAt, budget, coverage);
    const again = runProgram(a, program, { saveAt, slices: "whole", budget });
    if (!same(again, whole)) return `two runs alike: ${differences(whole, again)}`;
    const restored = save === undefined ? whole : runProgram(a, program, { saveAt, slices: "whole", from: save, budget });
    if (!same(restored, whole)) return `saved in place and restored: ${differences(whole, restored)}`;
    const other = same(stepped, whole) ? sliced : stepped;
    return `${other === stepped ? "one by one" : "in slices"} and in one piece: ${differences(other, whole)}`;
  } catch (error) {
    return thrown(error);
  }
}

function thrown(error: unknown): string {
  if (error instanceof FuzzError) return error.message;
  return `the host threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** Runs a program one instruction at a time, and counts what it reaches. */
function runCovered(machine: FuzzMachine, program: FuzzProgram, saveAt: number, budget: number, coverage: Coverage | undefined): RunResult {
  const faultsBefore = machine.faults;
  const instructionsBefore = coverage?.instructions ?? 0;
  const stepped = runProgram(machine, program, { saveAt, slices: "one", budget, ...(coverage === undefined ? {} : { coverage }) });
  if (coverage !== undefined) {
    coverage.faults += machine.faults - faultsBefore;
    coverage.programs++;
    const mode = `${program.model}: ${program.mode.name}${program.paging === "none" || program.mode.ia32e ? "" : `, ${program.paging}`}`;
    coverage.modes.set(mode, (coverage.modes.get(mode) ?? 0) + coverage.instructions - instructionsBefore);
  }
  return stepped;
}

/**
 * What is decoded already is not translated again, and pairs are decoded otherwise at the end of a slice: the choice is the same only on one
 * machine that has decoded nothing.
 */
function checkStale(machine: FuzzMachine, program: FuzzProgram, saveAt: number, budget: number, coverage: Coverage | undefined): string | undefined {
  if (coverage !== undefined) coverage.stale++;
  const [first, second] = [0, 1].map(() => {
    machine.engine.reset();
    return runProgram(machine, program, { saveAt, slices: "whole", budget });
  });
  return same(first!, second!) ? undefined : `two runs alike: ${differences(first!, second!)}`;
}

/** The second machine translates: in one piece, and in slices from where it was saved, it must end as the first one does, which interprets. */
function checkRegions([plain, translating]: readonly [FuzzMachine, FuzzMachine], program: FuzzProgram, saveAt: number, budget: number, coverage?: Coverage): string | undefined {
  try {
    const isStepped = coverage !== undefined && (program.pool !== undefined || saveAt % STEPPED_REGIONS === 0);
    const expected = isStepped ? runCovered(plain, program, saveAt, budget, coverage) : runProgram(plain, program, { saveAt, slices: "whole", budget });
    const regionsBefore = translating.retiredInRegions;
    translating.takeForms(() => undefined);
    const whole = runProgram(translating, program, { saveAt, slices: "whole", budget });
    if (coverage !== undefined) {
      coverage.translated += whole.count;
      coverage.inRegions += translating.retiredInRegions - regionsBefore;
      const { inRegions } = coverage.of(program.model, program.mode.codeSize === 8 ? "64-bit" : program.mode.ia32e ? "compatibility" : "legacy");
      translating.takeForms((form, count) => void (inRegions[form.id]! += count));
    }
    const { save } = whole;
    const sliced = save === undefined ? whole : runProgram(translating, program, { saveAt, slices: "some", from: save, budget });
    if (coverage !== undefined) coverage.executed += 2 * whole.count + sliced.count - (save?.count ?? sliced.count);
    if (same(expected, whole) && same(sliced, whole)) return undefined;
    if (usesStaleTables(plain, program, saveAt, budget)) return checkStale(translating, program, saveAt, budget, coverage);
    return same(expected, whole) ? `in slices and in one piece: ${differences(sliced, whole)}` : `interpreted and translated: ${differences(expected, whole)}`;
  } catch (error) {
    return thrown(error);
  }
}
