/**
 * One vCPU: the hot state in linear memory, the registers that generated code never reads, and the parts that act on
 * them. What instructions do to the system registers stands in `system/`; the interpreter and translator only call there.
 */
import {
  CPUID_80000001_EDX_PAGE1GB, CR0_AM, CR0_EM, CR0_ET, CR0_MP, CR0_PE, CR0_TS, CR4_OSFXSR, CR4_SMAP, CR4_SMEP, DESCRIPTOR_DB, DESCRIPTOR_L,
  EFER_LMA, EFLAGS_AC, EFLAGS_IF, EFLAGS_RF, EFLAGS_TF, EFLAGS_VM, VECTOR_AC, VECTOR_PF, XCR0_X87,
} from "@doppel/x86";
import { Mmu, VIEW_CHECKED, VIEW_NONE, VIEW_OPEN, VIEW_SUPERVISOR, VIEW_USER } from "@doppel/mmu";
import type { PhysicalMap } from "@doppel/mmu";
import { ACTIVE, SHADOW_NONE, SHADOW_STACK, SHUTDOWN } from "./activity.ts";
import type { Bus } from "./bus.ts";
import { featuresOf } from "./features.ts";
import { HotState } from "./hot-state.ts";
import { MODE_CODE32, MODE_FLAT, MODE_IA32E, MODE_LONG, MODE_PROTECTED, MODE_STACK32, MODE_STEP, MODE_USER, MODE_V86 } from "./mode.ts";
import { CS, DS, EFER, ES, FS, GDTR_BASE, GDTR_LIMIT, GS, HIDDEN_BASES, IDTR_BASE, IDTR_LIMIT, LDTR, SS, STATE, STATUS_FAULT, TR } from "./state-layout.ts";
import { EDX } from "./system/architecture.ts";
import { MODEL_I686 } from "./system/cpu-model.ts";
import type { CpuModel } from "./system/cpu-model.ts";
import { afterInstruction, applyBreakpoints, beforeInstruction, noDebugState } from "./system/debug-registers.ts";
import type { HostWatchpoint } from "./system/host-watchpoints.ts";
import { deliver, enterEvent, EXTERNAL_INTERRUPT, NON_MASKABLE } from "./system/delivery.ts";
import type { Delivery } from "./system/delivery.ts";
import { LinearMemory } from "./system/linear-memory.ts";
import { ModelSpecificRegisters } from "./system/model-specific-registers.ts";
import { settleNonCanonical } from "./system/non-canonical.ts";
import { restoreCpu, saveCpu } from "./system/save-image.ts";
import type { CpuImage } from "./system/save-image.ts";
import { deriveLengths } from "./system/segmentation.ts";
import { Stack } from "./system/stack.ts";


/** What a vCPU is made of. */
export interface CpuOptions {
  /** The buffer of the one linear memory; the hot state stands in it at `STATE`. */
  buffer: ArrayBufferLike;
  /** Address of `TLB_SIZE` bytes for the TLB. */
  tlbBase: number;
  physical: PhysicalMap;
  bus: Bus;
  /** Ticks of the time-stamp counter since power-on; an integer below 2^53. Constant zero when absent. */
  timestamp?: () => number;
  /** What CPUID and the MSRs say. */
  model?: CpuModel;
  /** The local APIC's initial ID, which CPUID tells; 0 is the boot processor. */
  apicId?: number;
  /** Cores of the package, all of the machine's; 1 when absent. */
  cores?: number;
  /** 32 random bits for RDRAND and RDSEED. When absent, a generator whose state is saved with the processor. */
  entropy?: () => number;
}

/** The task-priority register behind CR8; the local APIC has it. */
export interface TaskPriority {
  /** 0 to 15. */
  taskPriority: number;
}

/** A descriptor-table register. */
export interface TableRegister {
  base: number;
  limit: number;
}

/** GDTR or IDTR in the hot state. */
function tableRegister(state: HotState, base: number, limit: number): TableRegister {
  return {
    get base() {
      return state.address(base);
    },
    set base(value) {
      state.setAddress(base, value);
    },
    get limit() {
      return state.word(limit);
    },
    set limit(value) {
      state.setWord(limit, value);
    },
  };
}

/**
 * The processor. Helpers return false, or `STATUS_FAULT` to generated code, when they recorded a fault with
 * {@link Cpu.fault}; the engine then calls {@link Cpu.deliver}.
 */
export class Cpu {
  readonly state: HotState;
  readonly mmu: Mmu;
  readonly physical: PhysicalMap;
  readonly bus: Bus;
  readonly linear: LinearMemory;
  /** Where control transfers push and pop: the stack in use, and that of an inner level. */
  readonly stack = new Stack(this);
  readonly innerStack = new Stack(this);
  readonly msr: ModelSpecificRegisters;
  readonly model: CpuModel;
  readonly timestamp: () => number;
  readonly apicId: number;
  readonly cores: number;
  readonly entropy: (() => number) | undefined;

  cr0 = 0;
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  /** Extended states that are enabled: x87, and SSE. */
  xcr0 = XCR0_X87;
  /** State of the generator behind RDRAND when there is no source of entropy. */
  random = 0x2545f491;
  /** CR8: the local APIC's, or a register that nothing looks at. */
  priority: TaskPriority = { taskPriority: 0 };
  /** Bases of ES, CS, SS and DS while 64-bit mode takes them as zero; compatibility mode finds them again. */
  readonly hiddenBases: Float64Array;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
  /** DR0 to DR3 and DR6, DR7; entries 4 and 5 are not used. Addresses as numbers. */
  readonly dr = [0, 0, 0, 0, 0, 0, 0, 0];
  /** `ACTIVE`, `HALTED` or `SHUTDOWN`. */
  activity: number = ACTIVE;
  /** `SHADOW_NONE`, `SHADOW_STI` or `SHADOW_STACK`. */
  shadow: number = SHADOW_NONE;
  /** NMIs wait until the next IRET. */
  nmiBlocked = false;
  /** The EXT bit of error codes: 1 while an external event or exception is being delivered. */
  external = 0;
  /** EIP of the new task, when a task switch faulted past its commit point and the fault is not delivered yet. */
  resumeAt: number | undefined;
  /** The bookkeeping between two instructions; see `debug-registers.ts`. */
  readonly debug = noDebugState();
  /** True when DR7, the host or an observer watches data: every access of the watched pages, or of all, takes the slow path. */
  dataBreakpoints = false;
  /** What the host watches; change it through the engine. */
  watchpoints: readonly HostWatchpoint[] = [];
  /** Called when an access of `size` bytes meets one of them; set by the engine. */
  onWatch: ((point: HostWatchpoint, linear: number, size: number) => void) | undefined;
  /** Told of every access of data, when somebody watches them all; change it through the engine. */
  onAccess: ((linear: number, size: number, write: boolean) => void) | undefined;
  /** CR0.PE set and EFLAGS.VM clear. */
  protectedMode = false;
  /** 64-bit mode. */
  longMode = false;
  /** The last fault came from an address that is not canonical: #GP(0), or #SS(0) where the access was one of the stack. */
  nonCanonical = false;
  /** Its address, as a signed number; the nearest one where it needs more than 53 bits. */
  nonCanonicalAddress = 0;
  /** Called when an x87 exception is pending and CR0.NE is clear: FERR#, which a PC wires to IRQ 13. */
  onFpuError: (() => void) | undefined;
  /** Called when a wake-up or a mode change asks the engine to look up from its run; set by the engine. */
  onActivity: (() => void) | undefined;
  readonly #features: ReadonlySet<string>;

  constructor(options: CpuOptions) {
    this.state = new HotState(options.buffer);
    this.hiddenBases = new Float64Array(options.buffer, STATE + HIDDEN_BASES, 4);
    this.gdtr = tableRegister(this.state, GDTR_BASE, GDTR_LIMIT);
    this.idtr = tableRegister(this.state, IDTR_BASE, IDTR_LIMIT);
    this.mmu = new Mmu(options.buffer, options.tlbBase, options.physical);
    this.physical = options.physical;
    this.bus = options.bus;
    this.linear = new LinearMemory(this, options.buffer);
    this.model = options.model ?? MODEL_I686;
    this.#features = featuresOf(this.model);
    this.timestamp = options.timestamp ?? (() => 0);
    this.apicId = options.apicId ?? 0;
    this.cores = options.cores ?? 1;
    this.entropy = options.entropy;
    this.random ^= Math.imul(this.apicId, 0x9e3779b9);
    this.msr = new ModelSpecificRegisters(this);
    this.reset();
  }

  /** Power-on state (SDM volume 3, table 9-1): CS:IP is F000:FFF0 with base FFFF0000. */
  reset(): void {
    this.#powerOn(false);
  }

  /** INIT: power-on state, but MSRs, x87 and SSE registers and the time stamp stay (SDM volume 3, table 9-1). */
  init(): void {
    this.#powerOn(true);
  }

  /** A start-up message: real mode at `page` * 4096. */
  startUp(page: number): void {
    this.state.setSelector(CS, page << 8);
    this.state.setSegmentBase(CS, page << 12);
    this.state.rip = 0;
    this.activity = ACTIVE;
    this.updateMode();
  }

  #powerOn(init: boolean): void {
    const { state } = this;
    const numeric = init ? state.numericImage() : undefined;
    // Some of them stand in what is about to be cleared.
    const registers = this.msr.entries();
    state.clear();
    this.cr0 = 0x60000010 | CR0_ET;
    this.cr2 = this.cr3 = this.cr4 = this.efer = 0;
    this.gdtr.base = this.idtr.base = 0;
    this.gdtr.limit = this.idtr.limit = 0xffff;
    this.xcr0 = XCR0_X87;
    this.longMode = this.nonCanonical = false;
    this.hiddenBases.fill(0);
    this.priority.taskPriority = 0;
    this.dr.fill(0);
    this.dr[6] = 0xffff0ff0;
    this.dr[7] = 0x400;
    this.activity = ACTIVE;
    this.shadow = SHADOW_NONE;
    this.nmiBlocked = false;
    this.external = 0;
    this.resumeAt = undefined;
    Object.assign(this.debug, noDebugState());
    state.eflags = 2;
    for (let segment = ES; segment <= TR; segment += 1) {
      state.setSegmentLimit(segment, 0xffff);
      state.setSegmentAttributes(segment, segment === CS ? 0x9b00 : segment === LDTR ? 0x8200 : segment === TR ? 0x8b00 : 0x9300);
    }
    state.setSelector(CS, 0xf000);
    state.setSegmentBase(CS, 0xffff0000);
    state.rip = 0xfff0;
    state.setGpr32(EDX, this.model.signature);
    if (numeric === undefined) {
      state.fpuControl = 0x40;
      state.mxcsr = 0x1f80;
      this.msr.reset();
    } else {
      state.setNumericImage(numeric);
      for (const { register, low, high } of registers) this.msr.set(register, low, high);
    }
    this.applyPaging();
    this.mmu.setRoot(0);
    applyBreakpoints(this);
    this.deriveSegments();
  }

  /** Records a fault for generated code; `code` -1 for none. Returns `STATUS_FAULT`. */
  raise(vector: number, code = -1): number {
    this.state.setFault(vector, code);
    return STATUS_FAULT;
  }

  /** Records a fault with an error code (the EXT bit is the caller's), or without one when `code` is -1. Returns false. */
  fault(vector: number, code = -1): false {
    this.state.setFault(vector, code);
    return false;
  }

  /** Records a fault whose error code is a selector, with EXT. */
  selectorFault(vector: number, selector: number): false {
    return this.fault(vector, (selector & 0xfffc) | this.external);
  }

  /** Records a page fault. */
  pageFault(linear: number, code: number): false {
    this.state.faultAddress = linear;
    return this.fault(VECTOR_PF, code);
  }

  /** #AC(0) for a user access that is not a multiple of its size, with CR0.AM and EFLAGS.AC (SDM volume 3, 6.15). */
  aligned(linear: number, size: number): boolean {
    const checked = (this.cr0 & CR0_AM) !== 0 && (this.state.systemFlags & EFLAGS_AC) !== 0;
    return !checked || (linear & (size - 1)) === 0 || this.fault(VECTOR_AC, 0);
  }

  /** Cuts a computed linear address to the mode's width. */
  wrap(linear: number): number {
    return this.longMode ? linear : linear >>> 0;
  }

  /** EFER, in the hot state. */
  get efer(): number {
    return this.state.word(EFER);
  }

  set efer(value: number) {
    this.state.setWord(EFER, value);
  }

  /** EFER.LMA: 64-bit mode or compatibility mode. */
  get ia32e(): boolean {
    return (this.efer & EFER_LMA) !== 0;
  }

  /** Cuts the address of an entry of a descriptor table or TSS: their bases have 64 bits in compatibility mode, too. */
  wrapTable(linear: number): number {
    return this.ia32e ? linear : linear >>> 0;
  }

  /** Sets the base of a segment register; 64-bit mode takes those of ES, CS, SS and DS as zero. */
  setBase(segment: number, base: number): void {
    if (this.longMode && segment <= DS) this.hiddenBases[segment] = base;
    else this.state.setSegmentBase(segment, base);
  }

  /** Does the model have the CPUID feature that an opcode table names? */
  hasFeature(feature: string): boolean {
    return this.#features.has(feature);
  }

  /** Enters the handler of an event. RIP in the state is what it returns to; false when that faults. An engine may put something quicker here. */
  enterEvent = (vector: number, code: number, resume: number): boolean => enterEvent(this, vector, code, resume);

  /** Delivers an exception or interrupt, with double and triple faults; see `delivery.ts`. */
  deliver(vector: number, code: number, kind: number): Delivery {
    return deliver(this, vector, code, kind);
  }

  /** Decides between #GP(0) and #SS(0) where the recorded fault came from an address that is not canonical. */
  settleFault(): void {
    if (this.nonCanonical) settleNonCanonical(this);
  }

  /** Delivers the fault that a helper recorded. */
  deliverFault(): Delivery {
    this.settleFault();
    return deliver(this, this.state.faultVector, this.state.faultCode, 0);
  }

  /** True when a maskable interrupt may be delivered before the next instruction. */
  get interruptible(): boolean {
    return (this.state.systemFlags & EFLAGS_IF) !== 0 && this.shadow === SHADOW_NONE && this.activity !== SHUTDOWN;
  }

  /** Delivers an external interrupt. The caller looked at {@link interruptible} before it acknowledged the vector. */
  interrupt(vector: number): Delivery {
    return deliver(this, vector, -1, EXTERNAL_INTERRUPT);
  }

  /** True when an NMI may be delivered before the next instruction. */
  get nmiDeliverable(): boolean {
    return !this.nmiBlocked && this.shadow !== SHADOW_STACK && this.activity !== SHUTDOWN;
  }

  /** Delivers an NMI. */
  nmi(): Delivery {
    return deliver(this, 2, -1, NON_MASKABLE);
  }

  /** To be called before each instruction while MODE has MODE_STEP: false when an instruction breakpoint faults. */
  beforeInstruction(): boolean {
    return beforeInstruction(this);
  }

  /** To be called after each instruction that began with MODE_STEP: false when a debug trap is recorded. */
  afterInstruction(): boolean {
    return afterInstruction(this);
  }

  /** MOV SS and POP SS: the next instruction runs before interrupts and debug traps. */
  shadowStack(): void {
    this.shadow = SHADOW_STACK;
  }

  /** Hands the control registers' paging bits to the MMU and flushes the TLB. */
  applyPaging(): void {
    const { cr0, cr4, efer } = this;
    this.mmu.configure({
      paging: cr0 < 0, writeProtect: (cr0 & 0x10000) !== 0, pageSizeExtension: (cr4 & 0x10) !== 0,
      physicalAddressExtension: (cr4 & 0x20) !== 0, globalPages: (cr4 & 0x80) !== 0,
      noExecute: (efer & 0x800) !== 0, longMode: (efer & EFER_LMA) !== 0, physicalBits: this.model.physicalBits,
      gigabytePages: (this.model.features.extendedEdx & CPUID_80000001_EDX_PAGE1GB) !== 0,
      executionPrevention: (cr4 & CR4_SMEP) !== 0, accessPrevention: (cr4 & CR4_SMAP) !== 0,
    });
  }

  /** Works out the lengths of all segments again: CR0.PE or EFLAGS.VM changed. */
  deriveSegments(): void {
    this.updateMode();
    for (let segment = ES; segment <= GS; segment += 1) deriveLengths(this, segment);
    this.updateMode();
  }

  /** A data segment was loaded in protected mode: the mode is worked out anew unless it cannot have changed. */
  segmentLoaded(segment: number): void {
    if (segment >= FS || ((this.state.mode & MODE_FLAT) !== 0 && segment !== SS && this.state.flat)) return;
    this.updateMode();
  }

  /** Works out MODE, TLB_VIEW, STACK_MASK and FPU_TRAP. To be called after every change of what they depend on. */
  updateMode(): void {
    const { state, cr0, cr4 } = this;
    const flags = state.systemFlags;
    const virtual = (cr0 & CR0_PE) !== 0 && (flags & EFLAGS_VM) !== 0;
    const code = state.segmentAttributes(CS);
    this.protectedMode = (cr0 & CR0_PE) !== 0 && !virtual;
    this.#changeLongMode((this.efer & EFER_LMA) !== 0 && (code & DESCRIPTOR_L) !== 0);
    let mode = this.protectedMode ? MODE_PROTECTED : virtual ? MODE_V86 : 0;
    if (this.efer & EFER_LMA) mode |= MODE_IA32E;
    if (this.longMode) mode |= MODE_LONG | MODE_FLAT;
    else if (code & DESCRIPTOR_DB) mode |= MODE_CODE32;
    const stack32 = (state.segmentAttributes(SS) & DESCRIPTOR_DB) !== 0;
    // In 64-bit mode SS.B says nothing, and differs between SYSCALL and an interrupt: one kernel would be decoded and translated twice.
    if (stack32 && !this.longMode) mode |= MODE_STACK32;
    const user = state.cpl === 3;
    if (user) mode |= MODE_USER;
    if (this.protectedMode && !this.longMode && state.flat) mode |= MODE_FLAT;
    if (flags & (EFLAGS_TF | EFLAGS_RF) || this.dr[7] & 0xff || this.debug.pending) mode |= MODE_STEP;
    state.mode = mode;
    state.stackMask = this.longMode ? -1 : stack32 ? 0xffffffff : 0xffff;
    this.updateView();
    const task = (cr0 & CR0_TS) !== 0;
    const emulate = (cr0 & CR0_EM) !== 0;
    state.fpuTrap = (task || emulate ? 1 : 0) | (task ? 6 : 0) | (emulate || !(cr4 & CR4_OSFXSR) ? 8 : 0)
      | (task && cr0 & CR0_MP ? 16 : 0) | (emulate ? 32 : 0);
  }

  /** Works out TLB_VIEW alone: only EFLAGS.AC changed. */
  updateView(): void {
    const { state, mmu, cr0, cr4 } = this;
    const user = state.cpl === 3;
    const flag = (state.systemFlags & EFLAGS_AC) !== 0;
    mmu.userView = flag && cr0 & CR0_AM ? VIEW_CHECKED : VIEW_USER;
    mmu.supervisorView = flag && cr4 & CR4_SMAP && !user ? VIEW_OPEN : VIEW_SUPERVISOR;
    state.tlbView = mmu.tlb.viewAddress(this.onAccess === undefined ? mmu.viewOf(user) : VIEW_NONE);
  }

  /** All registers as a plain object for `@doppel/persist`. The TLB is flushed, also in the machine that goes on. */
  save(): CpuImage {
    return saveCpu(this);
  }

  /** Takes all registers from {@link save}. */
  restore(image: CpuImage): void {
    restoreCpu(this, image);
  }

  /** Bases of ES, CS, SS and DS go out of sight when 64-bit mode begins, and come back when it ends. */
  #changeLongMode(long: boolean): void {
    if (long === this.longMode) return;
    this.longMode = long;
    const { state, hiddenBases } = this;
    for (const segment of [ES, CS, SS, DS]) {
      if (long) hiddenBases[segment] = state.segmentBase(segment);
      state.setSegmentBase(segment, long ? 0 : hiddenBases[segment]);
    }
  }
}
