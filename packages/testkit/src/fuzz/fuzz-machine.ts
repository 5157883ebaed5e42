/**
 * The machine that fuzzed programs run on: a CPU, an interpreter, RAM and devices. It runs one program after another, is saved and
 * restored, and gives a hash of everything that its guest could see.
 */
import { Cpu, Interpreter, layout } from "@doppel/cpu";
import { Arena, Frames, PAGE_SIZE, PhysicalMap } from "@doppel/memory";
import { TLB_SIZE } from "@doppel/mmu";
import { decode, encode, type PersistValue } from "@doppel/persist";
import { type Region, Translator } from "@doppel/translator";
import { decode as decodeInstruction, type Form, Instruction, OK } from "@doppel/x86";
import { Random } from "../host-vectors-random.ts";
import { beginLeg } from "./begin-leg.ts";
import type { CodeKind } from "./form-classes.ts";
import { FuzzDevices } from "./fuzz-devices.ts";
import type { Leg } from "./fuzz-leg.ts";
import { FUZZ_MODELS, type FuzzModel } from "./fuzz-modes.ts";
import type { FuzzProgram } from "./fuzz-program.ts";
import { CODE, CODE_BYTES, DATA, DATA_END, DIRECTORY, HANDLERS, NEXT, NEXT_ENTRIES, RAM, TABLES_END } from "./image-layout.ts";

const RECORDS = 1 << 22;
/** Instructions of a region at most, by turns: programs are short, and what follows them is none of them. */
const REGIONS = [20, 60, 1200];
/** One machine of so many has regions that return to the dispatch function, as they do where there are no tail calls. */
const WITHOUT_TAIL_CALLS = 4;
/** Bytes for counters of blocks in regions, eight each. */
const COUNTERS = 1 << 20;
const MULTIPLIER = 0x9e3779b1;
/** Faults in a row without an instruction that retires: the guest would take them for ever. */
const MOST_FAULTS = 64;
const TSC_START = 1000;
const ACCESSED_DIRTY = 0x60;
const scratch = new Instruction();
/** Of a linear address, what is the same at every place where IA-32e mode sees memory. */
const WITHIN_PLACE = 0x7fffffff;

/** Everything about a machine that its guest could see. */
export interface MachineImage {
  readonly cpu: ReturnType<Cpu["save"]>;
  readonly ram: Uint8Array;
  readonly device: readonly [hash: number, lines: number, nmi: number];
}

/** How a machine that translates forms regions. */
export interface RegionOptions {
  /** Instructions of one at most. */
  readonly longest: number;
  /** Whether they go on to each other by tail calls. */
  readonly tailCalls: boolean;
  /** Executions of a block before it gets one; the translator's own when absent. */
  readonly threshold?: number;
}

/** A machine for one program after another. */
export class FuzzMachine {
  readonly model: FuzzModel;
  readonly cpu: Cpu;
  readonly engine: Interpreter;
  readonly ram: Uint8Array;
  private readonly physical: PhysicalMap;
  private readonly words: Int32Array;
  private readonly devices: FuzzDevices;
  private streak = 0;
  private streakAt = -1;
  /** Faults delivered since construction. */
  faults = 0;
  /** Pairs of instructions that were decoded into one handler: its number, below zero in 64-bit code. */
  readonly pairs = new Set<number>();
  /** The page tables as they were at the last flush of the TLB, less what the processor writes itself. */
  private readonly tables = new Int32Array((TABLES_END - DIRECTORY) >> 2);

  /** Address of the counter of what retires in regions; those of their blocks' executions stand behind it. */
  private readonly counter: number;
  private readonly blocks: (readonly Form[])[] = [];
  private readonly arena: Arena;

  /**
   * @param pairs whether pairs of instructions are executed by one handler, rather than by those of the two
   * @param translates how regions are formed; the machine does not translate when absent
   */
  constructor(model: FuzzModel, pairs = true, translates?: RegionOptions) {
    this.model = model;
    const arena = new Arena(RAM + RECORDS + TLB_SIZE + COUNTERS + (2 << 20));
    arena.reserve(PAGE_SIZE); // the hot state, at STATE
    const tlbBase = arena.reserve(TLB_SIZE);
    this.arena = arena;
    this.counter = arena.reserve(COUNTERS);
    const frames = new Frames(arena, RAM / PAGE_SIZE);
    this.physical = new PhysicalMap(frames, RAM / PAGE_SIZE);
    this.physical.addRam(0, RAM);
    const base = this.physical.hostAddress(0);
    for (let page = 1; page < RAM / PAGE_SIZE; page++) {
      if (this.physical.hostAddress(page) !== base + page * PAGE_SIZE) throw new Error("the fuzzer's RAM is expected to lie in one piece");
    }
    this.ram = arena.u8.subarray(base, base + RAM);
    this.words = arena.i32.subarray(base >> 2, (base + RAM) >> 2);
    this.devices = new FuzzDevices({
      nmi: () => void (this.engine.nmiPending = true),
      a20: (open) => this.cpu.mmu.setA20(open),
      dma: (value) => this.physical.write8(CODE + (value & (CODE_BYTES - 1)), value >>> 11),
      attend: () => this.engine.attend(),
    });
    const cpu = new Cpu({
      buffer: arena.buffer, tlbBase, physical: this.physical,
      bus: this.devices,
      model: FUZZ_MODELS[model],
      timestamp: () => TSC_START + (this.engine?.count ?? 0),
    });
    this.cpu = cpu;
    cpu.priority = this.devices;
    const { tlb } = cpu.mmu;
    const flush = tlb.flush.bind(tlb);
    tlb.flush = () => {
      flush();
      for (let n = 0; n < this.tables.length; n++) this.tables[n] = this.words[(DIRECTORY >> 2) + n]! & ~ACCESSED_DIRTY;
    };
    const deliver = cpu.deliverFault.bind(cpu);
    cpu.deliverFault = () => {
      this.faults++;
      if (this.streakAt !== this.engine.count) this.streak = 0;
      this.streakAt = this.engine.count;
      if (++this.streak >= MOST_FAULTS) this.engine.requestExit();
      return deliver();
    };
    const engine = new Interpreter({ cpu, frames, recordsSize: RECORDS, interrupts: this.devices, pairsAtOnce: pairs });
    this.engine = engine;
    if (translates !== undefined) {
      new Translator({
        engine, memory: arena.memory, ...translates, growsAtOnce: translates.threshold === 0,
        tally: (what, region, at) => (what === "retired" ? this.counter : what === "block" ? this.blockCounter(region, at!) : undefined),
      });
    }
    const { handlers } = engine;
    const fused = handlers.fused.bind(handlers);
    handlers.fused = (first, second, long) => {
      const number = fused(first, second, long);
      if (number > 0) this.pairs.add(long ? -number : number);
      return number;
    };
  }

  /** Instructions that retired in regions since construction. */
  get retiredInRegions(): number {
    return (this.arena.i32[this.counter >> 2]! >>> 0) + this.arena.i32[(this.counter >> 2) + 1]! * 2 ** 32;
  }

  /** Address of a new counter of a block of a region; undefined when there is no room for it. */
  private blockCounter(region: Region, start: number): number | undefined {
    const at = 8 * (this.blocks.length + 1);
    const block = [...region.blocks.values()].find((one) => one.start === start);
    if (at >= COUNTERS || block === undefined) return undefined;
    const forms = block.instructions.map(({ instruction }) => instruction.form);
    const jump = "jump" in block.end ? block.end.jump : undefined;
    if (jump !== undefined) {
      const page = Math.floor(jump / PAGE_SIZE);
      const host = region.pages.get(page)! + jump - page * PAGE_SIZE;
      if (decodeInstruction(this.arena.u8, host, host + 15, region.long ? 8 : 4, scratch) === OK) forms.push(scratch.form);
    }
    this.blocks.push(forms);
    this.arena.i32.fill(0, (this.counter + at) >> 2, (this.counter + at + 8) >> 2);
    return this.counter + at;
  }

  /** How often forms were executed in regions since the last call: as often as their blocks were entered. */
  takeForms(add: (form: Form, count: number) => void): void {
    for (const [n, forms] of this.blocks.entries()) {
      const at = (this.counter >> 2) + 2 * (n + 1);
      const count = this.arena.i32[at]! >>> 0;
      this.arena.i32[at] = 0;
      if (count > 0) for (const form of forms) add(form, count);
    }
  }

  /** Puts a program's image into RAM, whole, and forgets what ran before. */
  load(program: FuzzProgram): void {
    this.write(program.image, 0, RAM);
    this.devices.history = 0;
    this.devices.lines = 0;
    this.streak = 0;
    this.streakAt = -1;
  }

  /** Writes the pages of a range that differ, as a device would. */
  private write(image: Uint8Array, from: number, to: number): void {
    const wanted = new Int32Array(image.buffer, image.byteOffset, image.byteLength >> 2);
    for (let page = from; page < to; page += PAGE_SIZE) {
      for (let at = page >> 2; at < (page + PAGE_SIZE) >> 2; at++) {
        if (this.words[at] === wanted[at]) continue;
        this.physical.load(page, image.subarray(page, page + PAGE_SIZE));
        break;
      }
    }
  }

  /** Begins a leg: fresh tables, handlers and code, the leg's registers; data stays as the program left it. */
  begin(program: FuzzProgram, leg: Leg): void {
    this.write(program.image, 0, TABLES_END);
    this.write(program.image, 0x10000, 0x12000);
    this.write(program.image, HANDLERS, NEXT + (program.mode.ia32e ? 8 : 4) * NEXT_ENTRIES);
    if (program.pool !== undefined) this.draw(program.pool, leg);
    this.engine.nmiPending = false;
    beginLeg(this.cpu, this.words, program, leg);
    this.streak = 0;
  }

  /** Fills the pages of data from a pool, from other places in it for every leg and page. */
  private draw(pool: Uint8Array, leg: Leg): void {
    const random = new Random(`data ${leg.vectors}`);
    for (let page = DATA; page < DATA_END; page += PAGE_SIZE) this.physical.load(page, pool.subarray(random.below((pool.length - PAGE_SIZE) >> 2) << 2).subarray(0, PAGE_SIZE));
  }

  /** The linear address of the next instruction. */
  get linear(): number {
    return this.cpu.wrap(this.cpu.state.segmentBase(layout.CS) + this.cpu.state.rip);
  }

  /**
   * Whether the page tables were changed and the TLB not flushed since: which translation is used is the processor's choice then
   * (SDM volume 3, 4.10.2.3), and runs in other slices may choose otherwise.
   */
  get tablesChanged(): boolean {
    for (let n = 0; n < this.tables.length; n++) if (this.tables[n] !== (this.words[(DIRECTORY >> 2) + n]! & ~ACCESSED_DIRTY)) return true;
    return false;
  }

  /** What the code that runs now is. */
  get codeKind(): CodeKind {
    return this.cpu.longMode ? "64-bit" : this.cpu.ia32e ? "compatibility" : "legacy";
  }

  /** Whether the next instruction is a fault handler's. */
  get inHandler(): boolean {
    const place = this.linear & WITHIN_PLACE;
    return place >= HANDLERS && place < HANDLERS + PAGE_SIZE;
  }

  save(): MachineImage {
    return { cpu: this.cpu.save(), ram: this.ram.slice(), device: [this.devices.history, this.devices.lines, this.engine.nmiPending ? 1 : 0] };
  }

  restore(image: MachineImage): void {
    this.write(image.ram, 0, RAM);
    // By way of the codec, as a saved file would come.
    this.cpu.restore(decode(encode(image.cpu as unknown as PersistValue)) as unknown as MachineImage["cpu"]);
    [this.devices.history, this.devices.lines] = image.device;
    this.engine.nmiPending = image.device[2] === 1;
    this.streak = 0;
    this.streakAt = -1;
  }

  /** A number for the registers without the MSRs: much quicker than {@link digest}. */
  registers(): number {
    const { cpu } = this;
    const { state } = cpu;
    const numbers = [cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer, cpu.xcr0, cpu.activity, state.eflags, state.cpl, ...cpu.dr, ...wide(cpu.cr2), ...wide(state.rip)];
    for (let register = 0; register < 16; register++) numbers.push(state.gpr32(register), state.gprHigh(register));
    for (let segment = layout.ES; segment <= layout.TR; segment++) {
      numbers.push(state.selector(segment), state.segmentLimit(segment), state.segmentAttributes(segment), ...wide(state.segmentBase(segment)));
    }
    // The tables as well, for their accessed and dirty bits: the next leg finds them fresh.
    return hash(Int32Array.from(numbers)) ^ hash(new Int32Array(state.numericImage().buffer)) ^ hash(this.words.subarray(DIRECTORY >> 2, TABLES_END >> 2));
  }

  /** A number for the pages of data. */
  data(): number {
    return hash(this.words.subarray(DATA >> 2, DATA_END >> 2));
  }

  /** A number for everything that the guest could see, and one for each part. */
  digest(): MachineDigest {
    const bytes = encode(this.cpu.save() as unknown as PersistValue);
    const padded = new Uint8Array((bytes.length + 3) & ~3);
    padded.set(bytes);
    return { cpu: hash(new Int32Array(padded.buffer)), ram: hash(this.words), device: hash(Int32Array.of(this.devices.history, this.devices.lines, this.engine.nmiPending ? 1 : 0)) };
  }
}

/** Hashes of a machine's parts. */
export interface MachineDigest {
  readonly cpu: number;
  readonly ram: number;
  readonly device: number;
}

/** Both halves of a signed number. */
const wide = (value: number): [number, number] => [value, Math.floor(value / 0x1_0000_0000)];

function hash(words: Int32Array): number {
  let h = 0x811c9dc5;
  for (let n = 0; n < words.length; n++) h = Math.imul(h ^ words[n]! ^ (h >>> 15), MULTIPLIER);
  return h >>> 0;
}

/** Two machines for each model: one that executes pairs of instructions as such, and one that does not. */
export type FuzzMachines = Readonly<Record<FuzzModel, readonly [FuzzMachine, FuzzMachine]>>;

/**
 * New machines of every model; with `translate`, the second one of each translates.
 * @param threshold executions of a block before it gets a region; with 0 every block gets one at once
 */
export function fuzzMachines(translate = false, turn = 0, threshold: number | undefined = 0): FuzzMachines {
  const options: RegionOptions | undefined = translate ? { longest: REGIONS[turn % REGIONS.length]!, tailCalls: turn % WITHOUT_TAIL_CALLS !== WITHOUT_TAIL_CALLS - 1, ...(threshold === undefined ? {} : { threshold }) } : undefined;
  const two = (model: FuzzModel): readonly [FuzzMachine, FuzzMachine] => [new FuzzMachine(model, true), new FuzzMachine(model, false, options)];
  return { i686: two("i686"), max: two("max") };
}
