/** What CPUID announces beside instructions is there: MSRs that belong to the machine around a processor, and to the processor (SDM volume 2, CPUID). */
import { cpuidLeaf } from "@doppel/cpu";
import {
  CPUID_1_ECX_TSC_DEADLINE, CPUID_7_EBX_TSC_ADJUST, CPUID_80000001_EDX_LM, CPUID_80000007_EDX_INVARIANT_TSC, IA32_LSTAR, IA32_TIME_STAMP_COUNTER, IA32_TSC_ADJUST, IA32_TSC_DEADLINE,
  MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW,
} from "@doppel/x86";
import { describe, expect, test } from "vitest";
import { CPU_NAMES } from "./cpu-name.ts";
import { VirtualMachine } from "./index.ts";

const KVM_SIGNATURE_LEAF = 0x40000100;

describe.each(CPU_NAMES)("%s", (name) => {
  const { processors } = new VirtualMachine({ memory: 16 << 20, cpu: name, cpus: 3, deterministic: true, bios: new Uint8Array(0x10000) });
  const { cpu } = processors.processors[2]!;
  const { msr, model } = cpu;
  const now = { apic: true, osxsave: false, long: false, cores: cpu.cores, apicId: cpu.apicId, kvmClock: msr.foreign.has(MSR_KVM_SYSTEM_TIME_NEW) };
  const leaf = (number: number, subleaf = 0): readonly number[] => cpuidLeaf(model, number, subleaf, now);

  test("registers that a feature bit stands for exist with it, and without it do not", () => {
    const pairs: readonly (readonly [boolean, number])[] = [
      [(leaf(1)[2]! & CPUID_1_ECX_TSC_DEADLINE) !== 0, IA32_TSC_DEADLINE], [(leaf(7)[1]! & CPUID_7_EBX_TSC_ADJUST) !== 0, IA32_TSC_ADJUST],
      [(leaf(0x80000001)[3]! & CPUID_80000001_EDX_LM) !== 0, IA32_LSTAR],
    ];
    for (const [announced, register] of pairs) expect([register, msr.read(register)]).toEqual([register, announced]);
  });

  test("KVM's clock is announced, by both numbers, and its registers take and give values", () => {
    expect(String.fromCharCode(...new Uint8Array(Int32Array.from(leaf(KVM_SIGNATURE_LEAF).slice(1)).buffer))).toBe("KVMKVMKVM\0\0\0");
    expect(leaf(KVM_SIGNATURE_LEAF + 1)[0]).toBe(0x0100_000b);
    for (const [first, second] of [[MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK_NEW], [MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME_NEW]] as const) {
      expect([msr.write(second, 0x5000, 0), msr.read(first), msr.low]).toEqual([true, true, 0x5000]);
    }
  });

  test("a write of the TSC deadline, or of the counter, makes the timer nearer, and tells the clock's owner", () => {
    const machine = new VirtualMachine({ memory: 16 << 20, cpu: name, cpus: 3, deterministic: true, bios: new Uint8Array(0x10000) });
    let told = 0;
    machine.clock.onSooner = () => told++;
    const registers = machine.processors.processors[2]!.cpu.msr;
    const apic = machine.chipset.apics[2]!;
    apic.write(0xf0, 4, 0x1ff);
    apic.write(0x320, 4, 0x40030); // in TSC-deadline mode
    expect([registers.write(IA32_TSC_DEADLINE, 5000, 0), told, registers.write(IA32_TIME_STAMP_COUNTER, 1000, 0), told]).toEqual([true, 1, true, 2]);
  });

  test("an invariant counter counts alike on every processor", () => {
    if (!(leaf(0x80000007)[3]! & CPUID_80000007_EDX_INVARIANT_TSC)) return;
    expect(new Set(processors.processors.map((one) => one.cpu.msr.tsc)).size).toBe(1);
  });

  test("the processors are the cores of one package", () => {
    expect([(leaf(1)[1]! >> 16) & 0xff, leaf(1)[1]! >>> 24, leaf(0xb, 1)[1], leaf(0xb)[3]]).toEqual([3, 2, 3, 2]);
  });
});
