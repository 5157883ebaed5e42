/**
 * The functions that generated code calls by name, with i32 arguments, and an i32 status back. A 64-bit number comes as two
 * halves; a value goes back through SCRATCH. Each is a line: what it does stands in the files beside this one.
 */
import {
  APIC_BASE_EN, CPUID_1_ECX_MONITOR, CPUID_80000001_EDX_RDTSCP, CR4_OSXSAVE, CR4_PCE, CR4_TSD, IA32_APIC_BASE, IA32_TSC_AUX, MSR_KVM_SYSTEM_TIME_NEW, VECTOR_GP, VECTOR_UD,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { HALTED, SHADOW_NONE } from "../activity.ts";
import { LDTR, STATUS_FAULT, STATUS_OK, TR } from "../state-layout.ts";
import { fpuTranscendental } from "../float/fpu-transcendental.ts";
import { fpuTrap, simdException } from "../float/fpu-trap.ts";
import { EAX, ECX, EDX } from "./architecture.ts";
import { clearTaskSwitched, loadMachineStatus, readControl, requireSupervisor, requireUserPermission, writeControl } from "./control-registers.ts";
import { cpuidLeaf } from "./cpu-model.ts";
import { notePortAccess, readDebug, writeDebug } from "./debug-registers.ts";
import { enterEvent, PRIVILEGED_SOFTWARE_EXCEPTION, SOFTWARE_EXCEPTION, SOFTWARE_INTERRUPT, softInterrupt } from "./delivery.ts";
import { randomNumber } from "./entropy.ts";
import { readExtendedControl, restoreStates, saveStates, writeExtendedControl } from "./extended-state.ts";
import { farCall, farJump, farReturn } from "./far-transfer.ts";
import { swapGsBase, systemCall, systemEnter, systemExit, systemReturn } from "./fast-calls.ts";
import { clearInterruptFlag, flagsToPush, popFlags, setAccessFlag, setInterruptFlag } from "./flag-instructions.ts";
import { readEnvironment, restoreExtended, restoreFpu, saveExtended, saveFpu, storeEnvironment } from "./fpu-image.ts";
import { interruptReturn } from "./interrupt-return.ts";
import { checkPort } from "./io-permission.ts";
import { isCanonical } from "./non-canonical.ts";
import { invalidateContext } from "./process-context.ts";
import { readSegmentBase, writeSegmentBase } from "./segment-base.ts";
import { loadSegment, segmentCheck } from "./segmentation.ts";
import { loadAccessRights, loadLocalTable, loadSegmentLimit, loadTaskRegister, requireProtected, verifySegment } from "./task-registers.ts";
import { wideDivide } from "./wide-division.ts";

const TWO_32 = 0x1_0000_0000;
/** Kinds of software interrupt in generated code: INT n, INT3, INTO, INT1. */
const INTERRUPT_KINDS = [SOFTWARE_INTERRUPT, SOFTWARE_EXCEPTION, SOFTWARE_EXCEPTION, PRIVILEGED_SOFTWARE_EXCEPTION];

/** One vCPU's helpers. Methods are bound, so that the object serves as an import object of a WebAssembly module. */
export class SystemHelpers {
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  // ---- memory and segments ----

  readonly loadSlow = (low: number, high: number, size: number): number => this.#status(this.#cpu.linear.loadSlow(low, high, size));
  readonly storeSlow = (low: number, high: number, size: number): number => this.#status(this.#cpu.linear.storeSlow(low, high, size));
  readonly probeWrite = (low: number, high: number, size: number): number => this.#status(this.#cpu.linear.probeWrite(low, high, size));
  readonly segmentCheck = (segment: number, low: number, high: number, size: number, write: number): number =>
    this.#status(segmentCheck(this.#cpu, segment, this.#number(low, high), size, write !== 0));
  readonly loadSegment = (segment: number, selector: number): number => this.#status(loadSegment(this.#pastShadow(), segment, selector));

  // ---- control transfer: RIP is the new address afterwards ----

  readonly farJump = (size: number, selector: number, low: number, high: number, nextLow: number, nextHigh: number): number =>
    this.#status(farJump(this.#pastShadow(), selector, this.#number(low, high), size, this.#number(nextLow, nextHigh)));
  readonly farCall = (size: number, selector: number, low: number, high: number, nextLow: number, nextHigh: number): number =>
    this.#status(farCall(this.#pastShadow(), selector, this.#number(low, high), size, this.#number(nextLow, nextHigh)));
  readonly farReturn = (size: number, popBytes: number): number => this.#status(farReturn(this.#pastShadow(), size, popBytes));
  readonly iret = (size: number, nextLow: number, nextHigh: number): number =>
    this.#status(interruptReturn(this.#pastShadow(), size, this.#number(nextLow, nextHigh)));
  readonly enterEvent = (vector: number, code: number, resume: number): number => this.#status(enterEvent(this.#cpu, vector, code, resume));
  /** @param kind 0 INT n, 1 INT3, 2 INTO, 3 INT1 */
  readonly softInterrupt = (vector: number, kind: number, nextLow: number, nextHigh: number): number =>
    this.#status(softInterrupt(this.#pastShadow(), vector, this.#number(nextLow, nextHigh), INTERRUPT_KINDS[kind]));
  readonly sysenter = (): number => this.#status(systemEnter(this.#pastShadow()));
  readonly sysexit = (size: number): number => this.#status(systemExit(this.#pastShadow(), size));
  readonly syscall = (nextLow: number, nextHigh: number): number => this.#status(systemCall(this.#pastShadow(), this.#number(nextLow, nextHigh)));
  readonly sysret = (size: number): number => this.#status(systemReturn(this.#pastShadow(), size));

  // ---- tables and descriptors ----

  readonly lgdt = (limit: number, low: number, high: number): number => this.#setTable(this.#cpu.gdtr, limit, low, high);
  readonly lidt = (limit: number, low: number, high: number): number => this.#setTable(this.#cpu.idtr, limit, low, high);
  readonly sgdt = (): number => (requireUserPermission(this.#cpu) ? this.#giveTable(this.#cpu.gdtr) : STATUS_FAULT);
  readonly sidt = (): number => (requireUserPermission(this.#cpu) ? this.#giveTable(this.#cpu.idtr) : STATUS_FAULT);
  readonly lldt = (selector: number): number => this.#status(loadLocalTable(this.#cpu, selector & 0xffff));
  readonly ltr = (selector: number): number => this.#status(loadTaskRegister(this.#cpu, selector & 0xffff));
  readonly sldt = (): number => this.#status(requireProtected(this.#cpu) && requireUserPermission(this.#cpu) && this.#give(this.#cpu.state.selector(LDTR)));
  readonly str = (): number => this.#status(requireProtected(this.#cpu) && requireUserPermission(this.#cpu) && this.#give(this.#cpu.state.selector(TR)));
  readonly lar = (selector: number): number => this.#status(loadAccessRights(this.#cpu, selector & 0xffff));
  readonly lsl = (selector: number): number => this.#status(loadSegmentLimit(this.#cpu, selector & 0xffff));
  readonly verr = (selector: number): number => this.#status(verifySegment(this.#cpu, selector & 0xffff, false));
  readonly verw = (selector: number): number => this.#status(verifySegment(this.#cpu, selector & 0xffff, true));
  /** #UD in real and virtual-8086 mode (ARPL). */
  readonly checkProtected = (): number => this.#status(requireProtected(this.#cpu));

  // ---- control, debug and model-specific registers ----

  readonly readControl = (index: number): number => this.#status(readControl(this.#cpu, index));
  readonly writeControl = (index: number, low: number, high: number): number => this.#status(writeControl(this.#pastShadow(), index, low, high));
  readonly readDebug = (index: number): number => this.#status(readDebug(this.#cpu, index));
  readonly writeDebug = (index: number, low: number, high: number): number => this.#status(writeDebug(this.#pastShadow(), index, low, high));
  readonly lmsw = (value: number): number => this.#status(loadMachineStatus(this.#cpu, value));
  readonly smsw = (): number => this.#status(requireUserPermission(this.#cpu) && this.#give(this.#cpu.cr0));
  readonly clts = (): number => this.#status(clearTaskSwitched(this.#cpu));
  readonly invlpg = (low: number, high: number): number => {
    const cpu = this.#cpu;
    if (!requireSupervisor(cpu)) return STATUS_FAULT;
    // An address that is not canonical has no translation to forget.
    const linear = this.#linear(low, high);
    if (isCanonical(linear)) cpu.mmu.flushPage(linear);
    return STATUS_OK;
  };
  readonly invpcid = (low: number, high: number, context: number, contextHigh: number, addressLow: number, addressHigh: number): number =>
    this.#status(invalidateContext(this.#cpu, low, high, context, contextHigh, addressLow, addressHigh));
  readonly readBase = (segment: number): number => this.#status(readSegmentBase(this.#cpu, segment));
  readonly writeBase = (segment: number, low: number, high: number): number => this.#status(writeSegmentBase(this.#cpu, segment, low, high));
  readonly swapgs = (): number => this.#status(swapGsBase(this.#cpu));
  readonly xgetbv = (): number => this.#status(readExtendedControl(this.#cpu));
  readonly xsetbv = (): number => this.#status(writeExtendedControl(this.#cpu));
  readonly random = (size: number): number => this.#status(randomNumber(this.#cpu, size));
  readonly rdpid = (): number => this.#status(this.#give(this.#cpu.msr.value(IA32_TSC_AUX)));
  readonly wbinvd = (): number => this.#status(requireSupervisor(this.#cpu));
  readonly rdmsr = (): number => {
    const cpu = this.#cpu;
    if (!requireSupervisor(cpu)) return STATUS_FAULT;
    if (!cpu.msr.read(cpu.state.gpr32(ECX))) return cpu.raise(VECTOR_GP, 0);
    cpu.state.setScratch64(cpu.msr.low, cpu.msr.high);
    return STATUS_OK;
  };
  readonly wrmsr = (): number => {
    const cpu = this.#pastShadow();
    const { state } = cpu;
    if (!requireSupervisor(cpu)) return STATUS_FAULT;
    return cpu.msr.write(state.gpr32(ECX), state.gpr32(EAX), state.gpr32(EDX)) ? STATUS_OK : cpu.raise(VECTOR_GP, 0);
  };
  readonly rdtsc = (): number => {
    const cpu = this.#cpu;
    if (cpu.cr4 & CR4_TSD && cpu.state.cpl !== 0) return cpu.raise(VECTOR_GP, 0);
    const { tsc } = cpu.msr;
    const high = Math.floor(tsc / TWO_32);
    cpu.state.setScratch64(tsc - high * TWO_32, high);
    return STATUS_OK;
  };
  readonly rdtscp = (): number => {
    const cpu = this.#cpu;
    if (!(cpu.model.features.extendedEdx & CPUID_80000001_EDX_RDTSCP)) return cpu.raise(VECTOR_UD);
    const status = this.rdtsc();
    cpu.state.setScratch(2, cpu.msr.value(IA32_TSC_AUX));
    return status;
  };
  /** Two general counters that count nothing. */
  readonly rdpmc = (): number => {
    const cpu = this.#cpu;
    if ((!(cpu.cr4 & CR4_PCE) && cpu.state.cpl !== 0) || cpu.state.gpr32(ECX) > 1) return cpu.raise(VECTOR_GP, 0);
    cpu.state.setScratch64(0, 0);
    return STATUS_OK;
  };
  readonly cpuid = (): number => {
    const cpu = this.#cpu;
    const apic = cpu.msr.read(IA32_APIC_BASE) && (cpu.msr.low & APIC_BASE_EN) !== 0;
    const now = { apic, osxsave: (cpu.cr4 & CR4_OSXSAVE) !== 0, long: cpu.longMode, cores: cpu.cores, apicId: cpu.apicId, kvmClock: cpu.msr.foreign.has(MSR_KVM_SYSTEM_TIME_NEW) };
    const leaf = cpuidLeaf(cpu.model, cpu.state.gpr32(EAX), cpu.state.gpr32(ECX), now);
    for (let i = 0; i < 4; i += 1) cpu.state.setScratch(i, leaf[i]);
    return STATUS_OK;
  };

  // ---- flags, waiting, ports ----

  readonly cli = (): number => this.#status(clearInterruptFlag(this.#cpu));
  readonly sti = (): number => this.#status(setInterruptFlag(this.#pastShadow()));
  readonly pushFlags = (size: number): number => this.#status(flagsToPush(this.#cpu, size));
  /** STAC and CLAC: EFLAGS.AC. */
  readonly accessFlag = (set: number): number => this.#status(setAccessFlag(this.#cpu, set !== 0));
  readonly popFlags = (value: number, size: number): number => this.#status(popFlags(this.#pastShadow(), value, size));
  readonly hlt = (): number => {
    if (!requireSupervisor(this.#cpu)) return STATUS_FAULT;
    return this.#halt();
  };
  readonly monitor = (): number => this.#monitor();
  readonly mwait = (): number => (this.#monitor() === STATUS_OK ? this.#halt() : STATUS_FAULT);
  readonly checkPort = (port: number, size: number): number => this.#status(checkPort(this.#cpu, port & 0xffff, size));
  readonly portIn = (port: number, size: number): number => {
    const cpu = this.#cpu;
    port &= 0xffff;
    notePortAccess(cpu, port, size);
    const value = cpu.bus.readPort(port, size);
    cpu.state.setScratch64(size === 4 ? value : value & (size === 2 ? 0xffff : 0xff), 0);
    return STATUS_OK;
  };
  readonly portOut = (port: number, size: number, value: number): number => {
    const cpu = this.#cpu;
    port &= 0xffff;
    notePortAccess(cpu, port, size);
    cpu.bus.writePort(port, size, size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff));
    return STATUS_OK;
  };

  // ---- the FPU and its images ----

  readonly fpuTrap = (traps: number, waits: number): number => this.#status(fpuTrap(this.#cpu, traps, waits !== 0));
  /** Operands and results stand in the float scratch area. */
  readonly fpuTranscendental = (number: number): number => {
    fpuTranscendental(this.#cpu.state, number);
    return STATUS_OK;
  };
  readonly simdException = (flags: number): number => this.#status(simdException(this.#cpu, flags));

  readonly fxsave = (low: number, high: number, size: number): number => this.#status(saveExtended(this.#cpu, this.#linear(low, high), size));
  readonly fxrstor = (low: number, high: number, size: number): number => this.#status(restoreExtended(this.#cpu, this.#linear(low, high), size));
  readonly xsave = (low: number, high: number, size: number): number => this.#status(saveStates(this.#cpu, this.#linear(low, high), size));
  readonly xrstor = (low: number, high: number, size: number): number => this.#status(restoreStates(this.#cpu, this.#linear(low, high), size));
  readonly fstenv = (low: number, high: number, size: number): number => this.#status(storeEnvironment(this.#cpu, this.#linear(low, high), size));
  readonly fldenv = (low: number, high: number, size: number): number => this.#status(readEnvironment(this.#cpu, this.#linear(low, high), size));
  readonly fsave = (low: number, high: number, size: number): number => this.#status(saveFpu(this.#cpu, this.#linear(low, high), size));
  readonly frstor = (low: number, high: number, size: number): number => this.#status(restoreFpu(this.#cpu, this.#linear(low, high), size));

  // ---- 64-bit arithmetic ----

  readonly div128 = (low: number, high: number): number => this.#status(wideDivide(this.#cpu, low, high, false));
  readonly idiv128 = (low: number, high: number): number => this.#status(wideDivide(this.#cpu, low, high, true));

  /** The shadow of an earlier instruction covered the boundary before this one, and has ended. */
  #pastShadow(): Cpu {
    this.#cpu.shadow = SHADOW_NONE;
    return this.#cpu;
  }

  #status(ok: boolean): number {
    return ok ? STATUS_OK : STATUS_FAULT;
  }

  #number(low: number, high: number): number {
    return high * TWO_32 + (low >>> 0);
  }

  #linear(low: number, high: number): number {
    return this.#cpu.longMode ? this.#number(low, high) : low >>> 0;
  }

  #give(value: number): true {
    this.#cpu.state.setScratch64(value, 0);
    return true;
  }

  #setTable(table: { base: number; limit: number }, limit: number, low: number, high: number): number {
    const cpu = this.#cpu;
    if (!requireSupervisor(cpu)) return STATUS_FAULT;
    const base = this.#linear(low, high);
    if (!isCanonical(base)) return cpu.raise(VECTOR_GP, 0);
    table.limit = limit & 0xffff;
    table.base = base;
    return STATUS_OK;
  }

  #giveTable(table: { base: number; limit: number }): number {
    const { state } = this.#cpu;
    state.setScratch64(table.limit, 0);
    state.setScratch(2, table.base | 0);
    state.setScratch(3, Math.floor(table.base / TWO_32));
    return STATUS_OK;
  }

  #halt(): number {
    this.#cpu.activity = HALTED;
    this.#cpu.onActivity?.();
    return STATUS_OK;
  }

  /** MONITOR and MWAIT: #UD where CPUID does not name them and outside level 0, #GP(0) for an unknown extension in ECX. */
  #monitor(): number {
    const cpu = this.#cpu;
    if (!(cpu.model.features.ecx & CPUID_1_ECX_MONITOR) || cpu.state.cpl !== 0) return cpu.raise(VECTOR_UD);
    return cpu.state.gpr32(ECX) === 0 ? STATUS_OK : cpu.raise(VECTOR_GP, 0);
  }
}
