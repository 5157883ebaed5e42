/**
 * A bare machine that looks to user code like the oracle's process: flat 32-bit segments behind the same selectors, the same pages
 * mapped, level 3. It runs one record and writes what became of it into another; an exception is noted, not delivered.
 */
import { ACTIVE, layout } from "@doppel/cpu";
import {
  CR0_AM, CR0_ET, CR0_MP, CR0_NE, CR0_PE, CR0_PG, CR0_WP, CR4_OSFXSR, CR4_OSXMMEXCPT, PTE_P, PTE_RW, PTE_US, VECTOR_PF,
} from "@doppel/x86";
import { type BareMachine, bareMachine } from "./bare-machine.ts";
import {
  ADDRESS, type CaseRecord, CODE, CODE_ADDRESS, CODE_SELECTOR, COMPLETED, DATA, DATA_WINDOW, EFLAGS, EIP, ERROR, FCW, FSW, FTW, LENGTH,
  MXCSR, READ_ONLY, readOnlyByte, SELECTORS, ST, STACK, STACK_FLOOR, STACK_WINDOW, VECTOR, WINDOW_SIZE, XMM,
} from "./host-vectors-record.ts";
import { RegionSteps } from "./region-steps.ts";

const PAGE = 4096;
const DIRECTORY = 0x20000;
const TABLE = 0x21000;
const GDT = 0x22000;
const TSS = 0x23000;
const GREATEST_LIMIT = 0xffffffff;
/** Second doublewords of the descriptors, masked as the hot state keeps them. */
const CODE_ATTRIBUTES = 0x00c0fb00;
const DATA_ATTRIBUTES = 0x00c0f300;
const UNUSABLE = 1;
const SHADOW_NONE = 0;
/** The descriptors that Linux gives a process: kernel code and data, user code and data. */
const DESCRIPTORS: readonly (readonly [selector: number, high: number])[] = [
  [0x08, 0x00cf9b00], [0x10, 0x00af9b00], [0x18, 0x00cf9300], [0x20, 0x00cffb00], [0x28, 0x00cff300],
];
/** The longest REP of the tests, and some room. */
const MOST_STEPS = 64;
const { ES, CS, SS, DS, FS, GS } = layout;
/** Segment registers in the order of `SELECTORS`, FS last. */
const SEGMENTS = [DS, ES, SS, GS, FS] as const;
const SELECTOR_AT = [SELECTORS, SELECTORS + 2, SELECTORS + 4, SELECTORS + 6, SELECTORS + 12] as const;

/** The machine that host vectors run on. */
export class VectorMachine {
  private readonly machine: BareMachine;
  private readonly windows: readonly (readonly [at: number, ram: Uint8Array])[];
  private readonly code = new Uint8Array(15);
  private readonly limit: number;
  private vector = COMPLETED;
  private error = 0;
  /** Where instructions are executed, when they are not interpreted. */
  readonly regions: RegionSteps | undefined;

  /**
   * @param limit limit of every segment; any but the greatest makes the interpreter use the variants that check segments, which must
   * do the same to operands that lie within
   */
  constructor(limit = GREATEST_LIMIT, inRegions = false) {
    this.limit = limit;
    const note = (vector: number): number => {
      this.vector = vector;
      return 1;
    };
    this.machine = bareMachine({ ram: 1 << 18, helpers: { softInterrupt: (vector, _kind, low) => this.trap(vector!, low!, note) } });
    const { cpu, physical } = this.machine;
    // Every instruction of the tables; which model has which is the models' own test.
    cpu.hasFeature = () => true;
    cpu.deliverFault = () => {
      this.vector = cpu.state.faultVector;
      this.error = cpu.state.faultCode;
      return "triple-fault";
    };
    for (let page = GDT / PAGE; page <= TSS / PAGE; page++) physical.write32(TABLE + 4 * page, page * PAGE | PTE_P | PTE_RW);
    for (const page of [1, 2, 4, 5, STACK_FLOOR / PAGE, STACK_FLOOR / PAGE + 1]) physical.write32(TABLE + 4 * page, page * PAGE | PTE_P | PTE_RW | PTE_US);
    physical.write32(TABLE + 4 * (READ_ONLY / PAGE), READ_ONLY | PTE_P | PTE_US);
    physical.write32(DIRECTORY, TABLE | PTE_P | PTE_RW | PTE_US);
    for (const [selector, high] of DESCRIPTORS) {
      physical.write32(GDT + selector, 0xffff);
      physical.write32(GDT + selector + 4, high);
    }
    physical.load(READ_ONLY, Uint8Array.from({ length: PAGE }, (_, n) => readOnlyByte(n)));
    physical.load(0x1000, new Uint8Array(2 * PAGE).fill(0xcc));
    this.windows = [[DATA, DATA_WINDOW], [STACK, STACK_WINDOW]].flatMap(([at, linear]) => [0, 1].map((half) => {
      const from = linear! + half * (WINDOW_SIZE / 2);
      const host = physical.hostAddress(Math.floor(from / PAGE)) + (from % PAGE);
      return [at! + half * (WINDOW_SIZE / 2), new Uint8Array(cpuBuffer(this.machine), host, WINDOW_SIZE / 2)] as const;
    }));
    this.enterUserMode();
    if (inRegions) this.regions = new RegionSteps(this.machine);
  }

  private step(opcode: number): void {
    if (this.regions === undefined) this.machine.engine.run(1);
    else if (this.regions.step(opcode, () => this.vector)) {
      this.vector = COMPLETED;
      this.error = 0;
    }
  }

  private trap(vector: number, next: number, note: (vector: number) => number): number {
    this.machine.cpu.state.rip = next >>> 0;
    note(vector);
    this.machine.engine.requestExit();
    return 0;
  }

  private enterUserMode(): void {
    const { cpu, physical } = this.machine;
    cpu.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu.cr3 = DIRECTORY;
    cpu.gdtr.base = GDT;
    cpu.gdtr.limit = 0x2f;
    cpu.state.setSegmentBase(layout.TR, TSS);
    cpu.state.setSegmentLimit(layout.TR, 103);
    physical.write16(TSS + 102, 104); // no I/O permission bitmap
    cpu.state.setSegmentAttributes(layout.LDTR, UNUSABLE);
    cpu.applyPaging();
    cpu.mmu.setRoot(DIRECTORY);
    cpu.state.cpl = 3;
    cpu.state.setSegmentBase(CS, 0);
    cpu.state.setSelector(CS, CODE_SELECTOR);
    cpu.updateMode();
  }

  private setSegments(input: CaseRecord): void {
    const { state } = this.machine.cpu;
    state.setSelector(CS, CODE_SELECTOR);
    state.setSegmentLimit(CS, this.limit);
    state.setSegmentAttributes(CS, CODE_ATTRIBUTES);
    state.setSegmentLengths(CS, this.limit + 1, 0);
    for (const [n, segment] of SEGMENTS.entries()) {
      const selector = input.u16(SELECTOR_AT[n]!);
      const length = selector === 0 ? 0 : this.limit + 1;
      state.setSelector(segment, selector);
      state.setSegmentBase(segment, 0);
      state.setSegmentLimit(segment, selector === 0 ? 0 : this.limit);
      state.setSegmentAttributes(segment, selector === 0 ? UNUSABLE : DATA_ATTRIBUTES);
      state.setSegmentLengths(segment, length, length);
    }
  }

  /** Executes the record's instruction; `output` becomes the state after it, x87 registers in physical order. */
  run(input: CaseRecord, output: CaseRecord): void {
    const { cpu, physical } = this.machine;
    const { state } = cpu;
    const length = input.bytes[LENGTH]!;
    for (let n = 0; n < 15; n++) {
      if (this.code[n] === (n < length ? input.bytes[CODE + n]! : 0xcc)) continue;
      this.code.fill(0xcc);
      this.code.set(input.bytes.subarray(CODE, CODE + length));
      physical.load(CODE_ADDRESS, this.code);
      break;
    }
    this.setSegments(input);
    for (let n = 0; n < 8; n++) state.setGpr32(n, input.gpr(n));
    state.eflags = input.u32(EFLAGS);
    state.rip = CODE_ADDRESS;
    state.fpuControl = input.u16(FCW);
    const status = input.u16(FSW);
    state.fpuStatus = status;
    state.fpuTags = input.bytes[FTW]!;
    state.mxcsr = input.u32(MXCSR);
    for (let n = 0; n < 8; n++) {
      state.fpr(((status >> 11) + n) & 7).set(input.bytes.subarray(ST + 16 * n, ST + 16 * n + 10));
      state.xmm(n).set(input.bytes.subarray(XMM + 16 * n, XMM + 16 * n + 16));
    }
    for (const [at, ram] of this.windows) ram.set(input.bytes.subarray(at, at + ram.length));
    cpu.activity = ACTIVE;
    cpu.shadow = SHADOW_NONE;
    state.cpl = 3;
    cpu.updateMode();
    this.vector = COMPLETED;
    this.error = 0;
    for (let n = 0; n < MOST_STEPS && this.vector === COMPLETED && state.rip === CODE_ADDRESS; n++) this.step(input.bytes[CODE]!);
    this.read(input, output);
  }

  private read(input: CaseRecord, output: CaseRecord): void {
    const { state } = this.machine.cpu;
    output.bytes.set(input.bytes);
    for (let n = 0; n < 8; n++) output.setGpr(n, state.gpr32(n));
    output.setU32(EFLAGS, state.eflags);
    output.setU32(EIP, state.rip);
    output.setU32(VECTOR, this.vector);
    output.setU32(ERROR, this.vector !== COMPLETED && this.error > 0 ? this.error : 0);
    output.setU32(ADDRESS, this.vector === VECTOR_PF ? state.faultAddress : 0);
    for (const [n, segment] of SEGMENTS.entries()) output.setU16(SELECTOR_AT[n]!, state.selector(segment));
    output.setU16(FCW, state.fpuControl);
    output.setU16(FSW, state.fpuStatus);
    output.bytes[FTW] = state.fpuTags;
    output.setU32(MXCSR, state.mxcsr);
    for (let n = 0; n < 8; n++) {
      output.bytes.set(state.fpr(n), ST + 16 * n);
      output.bytes.set(state.xmm(n), XMM + 16 * n);
    }
    for (const [at, ram] of this.windows) output.bytes.set(ram, at);
  }
}

function cpuBuffer({ physical }: BareMachine): ArrayBufferLike {
  return physical.frames.arena.buffer;
}
