/** The processors of a machine: their regions in the arena, each vCPU with its interpreter, and what joins it to its local APIC. */
import { type Bus, Cpu, type CpuModel, Interpreter, Multiprocessor } from "@doppel/cpu";
import type { KvmClock, PcChipset } from "@doppel/devices";
import type { Arena, Frames, PhysicalMap } from "@doppel/memory";
import { TLB_SIZE } from "@doppel/mmu";
import {
  CPUID_1_ECX_TSC_DEADLINE, IA32_TSC_DEADLINE, MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW, PAGE_SIZE,
} from "@doppel/x86";

/** Bytes for decoded records (and jump caches) of the only vCPU, and of each of several. */
const CODE_SIZE = 48 << 20;
const CODE_SIZE_EACH = 24 << 20;

function codeSize(count: number): number {
  return count === 1 ? CODE_SIZE : CODE_SIZE_EACH;
}

/** Bytes of the arena that so many processors need beside RAM. */
export function regionsSize(count: number): number {
  return PAGE_SIZE + count * (TLB_SIZE + codeSize(count) + PAGE_SIZE);
}

/** A processor's regions. */
export interface Region {
  readonly tlb: number;
  readonly code: { readonly base: number; readonly size: number };
}

/** Reserves hot state, TLBs and code caches, before the frames take the rest of the arena. */
export function reserveRegions(arena: Arena, count: number): Region[] {
  arena.reserve(PAGE_SIZE); // the hot state, at STATE
  return Array.from({ length: count }, () => {
    const tlb = arena.reserve(TLB_SIZE);
    return { tlb, code: { base: arena.reserve(codeSize(count)), size: codeSize(count) } };
  });
}

/** What all processors of a machine share. */
export interface Surroundings {
  readonly frames: Frames;
  readonly physical: PhysicalMap;
  readonly bus: Bus;
  readonly timestamp: () => number;
  readonly model: CpuModel;
  /** 32 random bits for RDRAND; when absent, each processor has a generator of its own. */
  readonly entropy?: () => number;
  readonly selected: (index: number) => void;
}

/** Makes the processors in power-on state. */
export function makeProcessors(regions: readonly Region[], around: Surroundings): Multiprocessor {
  const { arena } = around.frames;
  return new Multiprocessor(arena, regions.length, (n) => {
    const { tlb, code } = regions[n]!;
    const cpu = new Cpu({
      buffer: arena.buffer, tlbBase: tlb, physical: around.physical, model: around.model, timestamp: around.timestamp, bus: around.bus, apicId: n, cores: regions.length,
      ...(around.entropy === undefined ? {} : { entropy: around.entropy }),
    });
    return { cpu, engine: new Interpreter({ cpu, frames: around.frames, region: code }) };
  }, around.selected);
}

/** Interrupts, FERR#, and the MSRs that are registers of the local APIC. */
export function joinChipset({ processors }: Multiprocessor, chipset: PcChipset): void {
  for (const [n, { cpu, engine }] of processors.entries()) {
    engine.interrupts = chipset.interrupts(n);
    cpu.onFpuError = () => chipset.raiseNumericError();
    cpu.msr.onTimeStamp = () => chipset.timeStampWritten(n);
    joinKvmClock(cpu, n, chipset.kvmClock);
    const apic = chipset.apics[n];
    if (apic === undefined) continue;
    cpu.priority = apic;
    if (cpu.model.features.ecx & CPUID_1_ECX_TSC_DEADLINE) {
      cpu.msr.foreign.set(IA32_TSC_DEADLINE, {
        read: () => apic.tscDeadline,
        write: (low, high) => {
          apic.setTscDeadline(high >>> 0, low >>> 0);
          return true;
        },
      });
    }
    cpu.msr.onApicBase = (low, high) => apic.setBase(high, low);
  }
}

/** The paravirtual clock's MSRs, by their old numbers and their new ones. */
function joinKvmClock({ msr }: Cpu, n: number, clock: KvmClock): void {
  const wall = { read: () => clock.wallClock, write: (low: number, high: number) => (clock.setWallClock(low, high), true) };
  const system = { read: () => clock.systemTime(n), write: (low: number, high: number) => (clock.setSystemTime(n, low, high), true) };
  for (const number of [MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW]) msr.foreign.set(number, wall);
  for (const number of [MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW]) msr.foreign.set(number, system);
}
