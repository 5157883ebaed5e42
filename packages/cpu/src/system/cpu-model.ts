/**
 * What a processor model says of itself: CPUID's leaves as data (SDM volume 2, CPUID), and what follows from the feature
 * bits for CR4 and the MSRs.
 */
import * as x86 from "@doppel/x86";

/** One processor model. */
export interface CpuModel {
  readonly name: string;
  /** Twelve characters. */
  readonly vendor: string;
  /** At most 48 characters. */
  readonly brand: string;
  /** CPUID.1:EAX, and EDX after reset: stepping, model, family. */
  readonly signature: number;
  readonly physicalBits: number;
  readonly linearBits: number;
  /** Highest basic leaf. */
  readonly level: number;
  /** CPUID.1:EDX, CPUID.1:ECX, CPUID.80000001:EDX and ECX. */
  readonly features: { readonly edx: number; readonly ecx: number; readonly extendedEdx: number; readonly extendedEcx: number };
  /** CR4 bits that may be set. */
  readonly cr4: number;
}

const I686_EDX = x86.CPUID_1_EDX_FPU | x86.CPUID_1_EDX_VME | x86.CPUID_1_EDX_DE | x86.CPUID_1_EDX_PSE | x86.CPUID_1_EDX_TSC
  | x86.CPUID_1_EDX_MSR | x86.CPUID_1_EDX_PAE | x86.CPUID_1_EDX_MCE | x86.CPUID_1_EDX_CX8 | x86.CPUID_1_EDX_APIC
  | x86.CPUID_1_EDX_SEP | x86.CPUID_1_EDX_MTRR | x86.CPUID_1_EDX_PGE | x86.CPUID_1_EDX_MCA | x86.CPUID_1_EDX_CMOV
  | x86.CPUID_1_EDX_PAT | x86.CPUID_1_EDX_PSE36 | x86.CPUID_1_EDX_CLFSH | x86.CPUID_1_EDX_MMX | x86.CPUID_1_EDX_FXSR
  | x86.CPUID_1_EDX_SSE | x86.CPUID_1_EDX_SSE2;

/** A 32-bit processor of family 6 with everything up to SSE3, PAE and NX. */
export const MODEL_I686: CpuModel = {
  name: "i686",
  vendor: "GenuineIntel",
  brand: "Doppel Virtual CPU i686",
  signature: 0x663,
  physicalBits: 36,
  linearBits: 32,
  // Up to the frequencies: a guest that knows them need not measure the counter against a timer, which a busy host spoils.
  level: 0x16,
  // The hypervisor bit keeps guests from looking for what no virtual machine has: performance counters, microcode.
  features: { edx: I686_EDX, ecx: x86.CPUID_1_ECX_SSE3 | x86.CPUID_1_ECX_HYPERVISOR, extendedEdx: x86.CPUID_80000001_EDX_NX, extendedEcx: 0 },
  cr4: x86.CR4_VME | x86.CR4_PVI | x86.CR4_TSD | x86.CR4_DE | x86.CR4_PSE | x86.CR4_PAE | x86.CR4_MCE | x86.CR4_PGE
    | x86.CR4_PCE | x86.CR4_OSFXSR | x86.CR4_OSXMMEXCPT,
};

/** EAX, EBX, ECX and EDX of a leaf. */
export type CpuidResult = readonly [number, number, number, number];

/** The leaf that names a hypervisor, and the name. */
const HYPERVISOR_LEAF = 0x40000000;
const HYPERVISOR = "DoppelDoppel";

/** Counts of the time-stamp counter and of the local APIC's timer in a second, and the same in MHz. */
const TSC_HZ = 1_000_000_000;
const TSC_MHZ = TSC_HZ / 1_000_000;

/** Highest extended leaf. */
const EXTENDED_LEVEL = 0x80000008;

function word(text: string, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i -= 1) value = value * 256 + ((at + i < text.length ? text.charCodeAt(at + i) : 0) & 0xff);
  return value;
}

/** Leaf 4: a cache of 64-byte lines; kind 1 data, 2 instruction, 3 unified. */
function cache(kind: number, level: number, ways: number, sets: number): CpuidResult {
  return [kind | (level << 5) | (1 << 8), ((ways - 1) << 22) | 63, sets - 1, 0];
}

const CACHES: readonly CpuidResult[] = [cache(1, 1, 8, 64), cache(2, 1, 8, 64), cache(3, 2, 16, 2048)];

/**
 * The leaf that CPUID gives. A leaf above the highest one gives what the highest basic leaf does, as Intel's processors do.
 *
 * @param apic whether IA32_APIC_BASE enables the local APIC: CPUID.1:EDX.APIC follows it
 */
export function cpuidLeaf(model: CpuModel, leaf: number, subleaf: number, apic: boolean): CpuidResult {
  leaf >>>= 0;
  if (leaf === HYPERVISOR_LEAF && model.features.ecx & x86.CPUID_1_ECX_HYPERVISOR) {
    return [HYPERVISOR_LEAF, word(HYPERVISOR, 0), word(HYPERVISOR, 4), word(HYPERVISOR, 8)];
  }
  const extended = leaf >= 0x80000000;
  if (extended ? leaf > EXTENDED_LEVEL : leaf > model.level) leaf = model.level;
  switch (leaf) {
    case 0: return [model.level, word(model.vendor, 0), word(model.vendor, 8), word(model.vendor, 4)];
    // Line size 8 quadwords, one logical processor, APIC ID 0.
    case 1: return [model.signature, 0x0001_0800, model.features.ecx, model.features.edx & ~(apic ? 0 : x86.CPUID_1_EDX_APIC)];
    // 32 KiB level-1 caches, 2 MiB level-2 cache.
    case 2: return [1, 0, 0, 0x002c307d];
    case 4: return subleaf < CACHES.length ? CACHES[subleaf] : [0, 0, 0, 0];
    // The counter runs at once the rate of the crystal, which is the APIC timer's input clock.
    case 0x15: return [1, 1, TSC_HZ, 0];
    case 0x16: return [TSC_MHZ, TSC_MHZ, TSC_MHZ, 0];
    case 0x80000000: return [EXTENDED_LEVEL, 0, 0, 0];
    case 0x80000001: return [0, 0, model.features.extendedEcx, model.features.extendedEdx];
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const at = (leaf - 0x80000002) * 16;
      return [word(model.brand, at), word(model.brand, at + 4), word(model.brand, at + 8), word(model.brand, at + 12)];
    }
    // 2 MiB, 16 ways (code 8), 64-byte lines.
    case 0x80000006: return [0, 0, (2048 << 16) | (8 << 12) | 64, 0];
    case 0x80000008: return [model.physicalBits | (model.linearBits << 8), 0, 0, 0];
    default: return [0, 0, 0, 0];
  }
}
