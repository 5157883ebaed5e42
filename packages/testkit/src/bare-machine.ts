/**
 * The least machine that runs code: a CPU, an interpreter and RAM, with a bus that records port writes. Tests put bytes into
 * memory, set registers, and run an exact number of instructions.
 */
import { type Bus, Cpu, type CpuModel, Interpreter, type InterpreterOptions, layout } from "@doppel/cpu";
import { Arena, Frames, PAGE_SIZE, PhysicalMap } from "@doppel/memory";
import { TLB_SIZE } from "@doppel/mmu";
import { Translator } from "@doppel/translator";
import { CR0_ET, CR0_PE, DESCRIPTOR_L, EFER_LMA, EFER_LME } from "@doppel/x86";

/** What a bare machine is made of. */
export interface BareMachineOptions {
  /** Bytes of RAM from physical address 0; 1 MiB when absent. */
  readonly ram?: number;
  readonly bus?: Bus;
  readonly recordsSize?: number;
  readonly interrupts?: InterpreterOptions["interrupts"];
  /** Functions that take the place of the processor's own helpers, by name. */
  readonly helpers?: InterpreterOptions["helpers"];
  /** The processor's model; `i686` when absent. */
  readonly model?: CpuModel;
  /** Has hot code translated: the translator's threshold, 0 for every block at once. */
  readonly translate?: number;
  /** Whether pairs of instructions have handlers of their own from the first instruction on; true when absent. */
  readonly pairs?: boolean;
}

/** A CPU with RAM and nothing else. */
export interface BareMachine {
  readonly cpu: Cpu;
  readonly engine: Interpreter;
  readonly physical: PhysicalMap;
  readonly translator: Translator | undefined;
  /** Port writes in order: port, size, value. */
  readonly written: number[][];
}

/** Makes a bare machine in its power-on state. Ports and devices read all ones. */
export function bareMachine(options: BareMachineOptions = {}): BareMachine {
  const ram = options.ram ?? 1 << 20;
  const recordsSize = options.recordsSize ?? 1 << 20;
  const written: number[][] = [];
  const bus: Bus = options.bus ?? {
    readPort: (_port, size) => (size === 4 ? 0xffff_ffff : size === 2 ? 0xffff : 0xff),
    writePort: (port, size, value) => void written.push([port, size, value]),
    readMmio: (_physical, size) => (size === 4 ? 0xffff_ffff : size === 2 ? 0xffff : 0xff),
    writeMmio: () => {},
  };
  const arena = new Arena(ram + recordsSize + TLB_SIZE + (2 << 20));
  arena.reserve(PAGE_SIZE); // the hot state, at STATE
  const tlbBase = arena.reserve(TLB_SIZE);
  const frames = new Frames(arena, ram / PAGE_SIZE);
  const physical = new PhysicalMap(frames, ram / PAGE_SIZE);
  physical.addRam(0, ram);
  const cpu = new Cpu({ buffer: arena.buffer, tlbBase, physical, bus, ...(options.model === undefined ? {} : { model: options.model }) });
  const engine = new Interpreter({
    cpu, frames, recordsSize, pairsAtOnce: options.pairs ?? true, ...(options.interrupts === undefined ? {} : { interrupts: options.interrupts }),
    ...(options.helpers === undefined ? {} : { helpers: options.helpers }),
  });
  const translator = options.translate === undefined ? undefined : new Translator({ engine, memory: arena.memory, threshold: options.translate });
  return { cpu, engine, physical, translator, written };
}

/** Puts a processor into protected mode at level 0, or into 64-bit mode, with flat segments and without paging: state that no instruction could have made, for short programs. */
export function enterFlatMode(cpu: Cpu, bits: 32 | 64): void {
  const long = bits === 64;
  for (let segment = 0; segment < 6; segment++) {
    cpu.state.setSegmentBase(segment, 0);
    cpu.state.setSegmentLimit(segment, 0xffff_ffff);
    cpu.state.setSegmentAttributes(segment, segment === layout.CS ? (long ? 0x008f9b00 | DESCRIPTOR_L : 0x00cf9b00) : 0x00cf9300);
  }
  cpu.cr0 = CR0_PE | CR0_ET;
  if (long) cpu.efer = EFER_LME | EFER_LMA;
  cpu.deriveSegments();
}
