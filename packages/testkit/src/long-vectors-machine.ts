/**
 * A bare machine that looks to 64-bit user code like the oracle's process: the same pages mapped above and below 4 GiB, level 3. It runs one
 * record and writes what became of it into another; an exception is noted, not delivered.
 */
import { ACTIVE, layout } from "@doppel/cpu";
import {
  CR0_ET, CR0_MP, CR0_NE, CR0_PE, CR0_PG, CR0_WP, CR4_OSFXSR, CR4_OSXMMEXCPT, CR4_PAE, PTE_P, PTE_RW, PTE_US, VECTOR_PF,
} from "@doppel/x86";
import { type BareMachine, bareMachine } from "./bare-machine.ts";
import { readOnlyByte } from "./host-vectors-record.ts";
import { RegionSteps } from "./region-steps.ts";
import {
  ADDRESS, CODE, CODE_OFFSET, COMPLETED, DATA, DATA_WINDOW, EFLAGS, ERROR, FCW, FSW, FTW, HIGH, LENGTH, LOW, type LongRecord, MXCSR, READ_ONLY,
  RIP, ST, STACK, STACK_FLOOR, STACK_WINDOW, VECTOR, WINDOW_SIZE, XMM,
} from "./long-vectors-record.ts";

const PAGE = 4096;
/** Tables of paging, one page each. */
const [PML4, PDPT, DIRECTORY, TABLE] = [0x20000, 0x21000, 0x22000, 0x23000];
const USER = PTE_P | PTE_RW | PTE_US;
const EFER_LONG = 0x500;
const TWO_32 = 0x1_0000_0000;
const CODE64 = 0x00a0fb00;
const STACK_ATTRIBUTES = 0x00c0f300;
const UNUSABLE = 1;
const MOST_STEPS = 64;
const { ES, CS, SS, DS, FS, GS, TR, LDTR } = layout;

/** The machine that 64-bit host vectors run on. */
export class LongMachine {
  private readonly machine: BareMachine;
  private readonly windows: readonly (readonly [at: number, ram: Uint8Array])[];
  private readonly code = new Uint8Array(15);
  private vector = COMPLETED;
  private error = 0;
  /** Where instructions are executed, when they are not interpreted. */
  readonly regions: RegionSteps | undefined;

  constructor(inRegions = false) {
    this.machine = bareMachine({
      ram: 1 << 18,
      helpers: {
        softInterrupt: (vector, _kind, low, high) => {
          this.machine.cpu.state.rip = high! * TWO_32 + (low! >>> 0);
          this.vector = vector!;
          this.machine.engine.requestExit();
          return 0;
        },
      },
    });
    const { cpu, physical } = this.machine;
    // Every instruction of the tables; which model has which is the models' own test.
    cpu.hasFeature = () => true;
    cpu.deliverFault = () => {
      cpu.settleFault();
      this.vector = cpu.state.faultVector;
      this.error = cpu.state.faultCode;
      return "triple-fault";
    };
    physical.write32(PML4, PDPT | USER);
    for (const base of [LOW, HIGH]) physical.write32(PDPT + 8 * Number(base >> 30n), DIRECTORY | USER);
    physical.write32(DIRECTORY, TABLE | USER);
    for (const page of [1, 2, 4, 5, STACK_FLOOR / PAGE, STACK_FLOOR / PAGE + 1]) physical.write32(TABLE + 8 * page, (page * PAGE) | USER);
    physical.write32(TABLE + 8 * (READ_ONLY / PAGE), READ_ONLY | PTE_P | PTE_US);
    physical.load(READ_ONLY, Uint8Array.from({ length: PAGE }, (_, n) => readOnlyByte(n)));
    physical.load(0x1000, new Uint8Array(2 * PAGE).fill(0xcc));
    this.windows = [[DATA, DATA_WINDOW], [STACK, STACK_WINDOW]].flatMap(([at, linear]) => [0, 1].map((half) => {
      const from = linear! + half * (WINDOW_SIZE / 2);
      const host = physical.hostAddress(Math.floor(from / PAGE)) + (from % PAGE);
      return [at! + half * (WINDOW_SIZE / 2), new Uint8Array(physical.frames.arena.buffer, host, WINDOW_SIZE / 2)] as const;
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

  private enterUserMode(): void {
    const { cpu } = this.machine;
    const { state } = cpu;
    cpu.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    cpu.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu.efer = EFER_LONG;
    cpu.cr3 = PML4;
    for (const segment of [ES, CS, SS, DS, FS, GS]) {
      state.setSegmentBase(segment, 0);
      state.setSegmentLimit(segment, 0xffffffff);
      state.setSelector(segment, segment === CS ? 0x33 : segment === SS ? 0x2b : 0);
      state.setSegmentAttributes(segment, segment === CS ? CODE64 : segment === SS ? STACK_ATTRIBUTES : UNUSABLE);
    }
    state.setSegmentAttributes(LDTR, UNUSABLE);
    state.setSegmentLimit(TR, 0);
    state.cpl = 3;
    cpu.applyPaging();
    cpu.mmu.setRoot(PML4);
    cpu.deriveSegments();
    cpu.updateMode();
  }

  private get state(): DataView {
    return this.machine.physical.frames.arena.view;
  }

  /** Executes the record's instruction; `output` becomes the state after it, x87 registers in physical order. */
  run(input: LongRecord, output: LongRecord): void {
    const { cpu, physical } = this.machine;
    const { state } = cpu;
    const length = input.bytes[LENGTH]!;
    for (let n = 0; n < 15; n++) {
      if (this.code[n] === (n < length ? input.bytes[CODE + n]! : 0xcc)) continue;
      this.code.fill(0xcc);
      this.code.set(input.bytes.subarray(CODE, CODE + length));
      physical.load(CODE_OFFSET, this.code);
      break;
    }
    for (let n = 0; n < 16; n++) this.state.setBigUint64(layout.STATE + layout.GPR + 8 * n, input.gpr(n), true);
    state.eflags = input.u32(EFLAGS);
    const start = Number(HIGH) + CODE_OFFSET;
    state.rip = start;
    state.fpuControl = input.u16(FCW);
    const status = input.u16(FSW);
    state.fpuStatus = status;
    state.fpuTags = input.bytes[FTW]!;
    state.mxcsr = input.u32(MXCSR);
    for (let n = 0; n < 8; n++) state.fpr(((status >> 11) + n) & 7).set(input.bytes.subarray(ST + 16 * n, ST + 16 * n + 10));
    for (let n = 0; n < 16; n++) state.xmm(n).set(input.bytes.subarray(XMM + 16 * n, XMM + 16 * n + 16));
    for (const [at, ram] of this.windows) ram.set(input.bytes.subarray(at, at + ram.length));
    cpu.activity = ACTIVE;
    cpu.shadow = 0;
    state.cpl = 3;
    cpu.updateMode();
    this.vector = COMPLETED;
    this.error = 0;
    for (let n = 0; n < MOST_STEPS && this.vector === COMPLETED && state.rip === start; n++) this.step(input.bytes[CODE]!);
    this.read(input, output);
  }

  private read(input: LongRecord, output: LongRecord): void {
    const { state } = this.machine.cpu;
    output.bytes.set(input.bytes);
    for (let n = 0; n < 16; n++) output.setGpr(n, this.state.getBigUint64(layout.STATE + layout.GPR + 8 * n, true));
    output.setU32(EFLAGS, state.eflags);
    output.setU64(RIP, this.state.getBigUint64(layout.STATE + layout.RIP, true));
    output.setU32(VECTOR, this.vector);
    output.setU32(ERROR, this.vector !== COMPLETED && this.error > 0 ? this.error : 0);
    output.setU64(ADDRESS, this.vector === VECTOR_PF ? this.state.getBigUint64(layout.STATE + layout.FAULT_ADDRESS, true) : 0n);
    output.setU16(FCW, state.fpuControl);
    output.setU16(FSW, state.fpuStatus);
    output.bytes[FTW] = state.fpuTags;
    output.setU32(MXCSR, state.mxcsr);
    for (let n = 0; n < 8; n++) output.bytes.set(state.fpr(n), ST + 16 * n);
    for (let n = 0; n < 16; n++) output.bytes.set(state.xmm(n), XMM + 16 * n);
    for (const [at, ram] of this.windows) output.bytes.set(ram, at);
  }
}
