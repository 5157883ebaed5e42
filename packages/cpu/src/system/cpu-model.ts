/**
 * What a processor model says of itself: CPUID's leaves as data (SDM volume 2, CPUID), and what follows from the feature
 * bits for CR4 and the MSRs.
 */
import * as x86 from "@doppel/x86";
import { announced } from "../features.ts";

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
  /** CPUID.1:EDX and ECX, CPUID.80000001:EDX and ECX, CPUID.7:EBX, ECX and EDX, CPUID.(D,1):EAX. */
  readonly features: {
    readonly edx: number; readonly ecx: number; readonly extendedEdx: number; readonly extendedEcx: number;
    readonly structuredEbx: number; readonly structuredEcx: number; readonly structuredEdx: number; readonly xsaveEax: number;
  };
  /** CR4 bits that may be set. */
  readonly cr4: number;
}

const I686_EDX = x86.CPUID_1_EDX_FPU | x86.CPUID_1_EDX_VME | x86.CPUID_1_EDX_DE | x86.CPUID_1_EDX_PSE | x86.CPUID_1_EDX_TSC
  | x86.CPUID_1_EDX_MSR | x86.CPUID_1_EDX_PAE | x86.CPUID_1_EDX_MCE | x86.CPUID_1_EDX_CX8 | x86.CPUID_1_EDX_APIC
  | x86.CPUID_1_EDX_SEP | x86.CPUID_1_EDX_MTRR | x86.CPUID_1_EDX_PGE | x86.CPUID_1_EDX_MCA | x86.CPUID_1_EDX_CMOV
  | x86.CPUID_1_EDX_PAT | x86.CPUID_1_EDX_PSE36 | x86.CPUID_1_EDX_CLFSH | x86.CPUID_1_EDX_MMX | x86.CPUID_1_EDX_FXSR
  | x86.CPUID_1_EDX_SSE | x86.CPUID_1_EDX_SSE2;

/** CR4 bits that every model has. */
const CR4_ALWAYS = x86.CR4_VME | x86.CR4_PVI | x86.CR4_TSD | x86.CR4_DE | x86.CR4_PSE | x86.CR4_PAE | x86.CR4_MCE | x86.CR4_PGE
  | x86.CR4_PCE;

/** IA32_SPEC_CTRL and IA32_PRED_CMD exist. */
export const CPUID_7_EDX_IBRS = 1 << 26;
/** STIBP of IA32_SPEC_CTRL. */
const CPUID_7_EDX_STIBP = 1 << 27;
/** IA32_ARCH_CAPABILITIES exists. */
export const CPUID_7_EDX_ARCH_CAPABILITIES = 1 << 29;
/** Of leaf 7, subleaf 2: BHI_DIS_S of IA32_SPEC_CTRL. */
const CPUID_7_2_EDX_BHI_CTRL = 1 << 4;
/** What tells guests that they need no way around leaks through speculation. */
const IMMUNE = CPUID_7_EDX_IBRS | CPUID_7_EDX_STIBP | CPUID_7_EDX_ARCH_CAPABILITIES;
/** SHA extensions. */
const CPUID_7_EBX_SHA = 1 << 29;
/** XSAVEOPT. */
const CPUID_D_1_EAX_XSAVEOPT = 1 << 0;

const NO_FEATURES: CpuModel["features"] = {
  edx: 0, ecx: 0, extendedEdx: 0, extendedEcx: 0, structuredEbx: 0, structuredEcx: 0, structuredEdx: 0, xsaveEax: 0,
};

/** CR4 bits that come with features. */
function cr4Of({ edx, ecx, structuredEbx, structuredEcx }: CpuModel["features"]): number {
  return CR4_ALWAYS | (edx & x86.CPUID_1_EDX_FXSR ? x86.CR4_OSFXSR : 0) | (edx & x86.CPUID_1_EDX_SSE ? x86.CR4_OSXMMEXCPT : 0)
    | (ecx & x86.CPUID_1_ECX_XSAVE ? x86.CR4_OSXSAVE : 0) | (ecx & x86.CPUID_1_ECX_PCID ? x86.CR4_PCIDE : 0)
    | (structuredEbx & x86.CPUID_7_EBX_FSGSBASE ? x86.CR4_FSGSBASE : 0) | (structuredEbx & x86.CPUID_7_EBX_SMEP ? x86.CR4_SMEP : 0)
    | (structuredEbx & x86.CPUID_7_EBX_SMAP ? x86.CR4_SMAP : 0) | (structuredEcx & x86.CPUID_7_ECX_UMIP ? x86.CR4_UMIP : 0);
}

/** A model from what it would like to announce; what has no definition is left out. */
function model(name: string, signature: number, physicalBits: number, linearBits: number, wish: Partial<CpuModel["features"]>): CpuModel {
  const features = announced({ ...NO_FEATURES, ...wish });
  return {
    name, vendor: "GenuineIntel", brand: `Doppel Virtual CPU ${name}`, signature, physicalBits, linearBits,
    // Up to the frequencies: a guest that knows them need not measure the counter against a timer, which a busy host spoils.
    level: 0x16, features, cr4: cr4Of(features),
  };
}

// The hypervisor bit keeps guests from looking for what no virtual machine has: performance counters, microcode. With the TSC deadline a guest need not
// measure the local APIC's timer, which Linux takes a tenth of a second of waiting for. With random numbers it need not wait for its entropy either: a
// virtual machine has little of its own, and a kernel without makes each random number anew from all that it has met.
const EVERY_ECX = x86.CPUID_1_ECX_HYPERVISOR | x86.CPUID_1_ECX_TSC_DEADLINE | x86.CPUID_1_ECX_RDRAND;
const EVERY_STRUCTURED_EBX = x86.CPUID_7_EBX_RDSEED;
const LONG_STRUCTURED_EBX = EVERY_STRUCTURED_EBX | x86.CPUID_7_EBX_TSC_ADJUST;
const I686_ECX = x86.CPUID_1_ECX_SSE3 | EVERY_ECX;
const LONG_EDX = x86.CPUID_80000001_EDX_SYSCALL | x86.CPUID_80000001_EDX_NX | x86.CPUID_80000001_EDX_LM;
const V2_ECX = I686_ECX | x86.CPUID_1_ECX_SSSE3 | x86.CPUID_1_ECX_CMPXCHG16B | x86.CPUID_1_ECX_SSE4_1 | x86.CPUID_1_ECX_SSE4_2
  | x86.CPUID_1_ECX_POPCNT;

/** The first of family 6: no MMX and no SSE, so that a host without vectors can execute all that it has. */
export const MODEL_PENTIUM_PRO: CpuModel = model("pentium-pro", 0x619, 36, 32, {
  edx: I686_EDX & ~(x86.CPUID_1_EDX_CLFSH | x86.CPUID_1_EDX_MMX | x86.CPUID_1_EDX_FXSR | x86.CPUID_1_EDX_SSE | x86.CPUID_1_EDX_SSE2),
  ecx: EVERY_ECX, structuredEbx: EVERY_STRUCTURED_EBX,
});

/** A 32-bit processor of family 6 with everything up to SSE3, PAE and NX. */
export const MODEL_I686: CpuModel = model("i686", 0x663, 36, 32, {
  edx: I686_EDX, ecx: I686_ECX, extendedEdx: x86.CPUID_80000001_EDX_NX, structuredEbx: EVERY_STRUCTURED_EBX, structuredEdx: IMMUNE,
});

/** The 64-bit baseline of the psABI, with NX. */
export const MODEL_X86_64: CpuModel = model("x86-64", 0x663, 40, 48, {
  edx: I686_EDX, ecx: EVERY_ECX, extendedEdx: LONG_EDX, structuredEbx: LONG_STRUCTURED_EBX, structuredEdx: IMMUNE,
});

/** The psABI's second level: up to SSE4.2, POPCNT, CMPXCHG16B, LAHF and SAHF. */
export const MODEL_X86_64_V2: CpuModel = model("x86-64-v2", 0x663, 40, 48, {
  edx: I686_EDX, ecx: V2_ECX, extendedEdx: LONG_EDX, extendedEcx: x86.CPUID_80000001_ECX_LAHF, structuredEbx: LONG_STRUCTURED_EBX, structuredEdx: IMMUNE,
});

/** Everything there is. */
export const MODEL_MAX: CpuModel = model("max", 0x663, 40, 48, {
  edx: I686_EDX,
  ecx: V2_ECX | x86.CPUID_1_ECX_PCLMULQDQ | x86.CPUID_1_ECX_PCID | x86.CPUID_1_ECX_MOVBE | x86.CPUID_1_ECX_AESNI | x86.CPUID_1_ECX_XSAVE,
  extendedEdx: LONG_EDX | x86.CPUID_80000001_EDX_PAGE1GB | x86.CPUID_80000001_EDX_RDTSCP,
  extendedEcx: x86.CPUID_80000001_ECX_LAHF | x86.CPUID_80000001_ECX_LZCNT | x86.CPUID_80000001_ECX_PREFETCHW,
  structuredEbx: LONG_STRUCTURED_EBX | x86.CPUID_7_EBX_FSGSBASE | x86.CPUID_7_EBX_BMI1 | x86.CPUID_7_EBX_SMEP | x86.CPUID_7_EBX_BMI2 | x86.CPUID_7_EBX_INVPCID
    | x86.CPUID_7_EBX_ADX | x86.CPUID_7_EBX_SMAP | x86.CPUID_7_EBX_CLFLUSHOPT | x86.CPUID_7_EBX_CLWB | CPUID_7_EBX_SHA,
  structuredEcx: x86.CPUID_7_ECX_UMIP | x86.CPUID_7_ECX_RDPID,
  structuredEdx: IMMUNE,
  xsaveEax: CPUID_D_1_EAX_XSAVEOPT,
});

/** The models that can be chosen by name. */
export const CPU_MODELS = { "pentium-pro": MODEL_PENTIUM_PRO, "i686": MODEL_I686, "x86-64": MODEL_X86_64, "x86-64-v2": MODEL_X86_64_V2, "max": MODEL_MAX } as const;

/** EAX, EBX, ECX and EDX of a leaf. */
export type CpuidResult = readonly [number, number, number, number];

/** The leaf that names a hypervisor, and the name. */
const HYPERVISOR_LEAF = 0x40000000;
const HYPERVISOR = "DoppelDoppel";
/** The leaf that names the paravirtual interface, whose features stand in the next one. */
const KVM_LEAF = 0x40000100;
const KVM_FEATURE_LEAF = KVM_LEAF + 1;
const KVM = "KVMKVMKVM\0\0\0";
const KVM_FEATURES = x86.KVM_FEATURE_CLOCKSOURCE | x86.KVM_FEATURE_NOP_IO_DELAY | x86.KVM_FEATURE_CLOCKSOURCE2 | x86.KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;

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

/** What CPUID takes from the processor's state. */
export interface CpuidState {
  /** IA32_APIC_BASE enables the local APIC: CPUID.1:EDX.APIC follows it. */
  readonly apic: boolean;
  /** CR4.OSXSAVE: CPUID.1:ECX.OSXSAVE follows it. */
  readonly osxsave: boolean;
  /** 64-bit mode. */
  readonly long: boolean;
  /** Cores of the package, and which of them this one is. */
  readonly cores: number;
  readonly apicId: number;
  /** The machine has given the processor the MSRs of the paravirtual clock. */
  readonly kvmClock: boolean;
}

/** Bytes of XSAVE's image: 512 of FXSAVE and the header. */
const XSAVE_SIZE = 576;

/**
 * The leaf that CPUID gives. A leaf above the highest one gives what the highest basic leaf does, as Intel's processors do.
 *
 * @param now what follows the processor's state rather than its model
 */
export function cpuidLeaf(model: CpuModel, leaf: number, subleaf: number, now: CpuidState): CpuidResult {
  const { features } = model;
  leaf >>>= 0;
  if (leaf === HYPERVISOR_LEAF && features.ecx & x86.CPUID_1_ECX_HYPERVISOR) {
    return [HYPERVISOR_LEAF, word(HYPERVISOR, 0), word(HYPERVISOR, 4), word(HYPERVISOR, 8)];
  }
  if (now.kvmClock && leaf === KVM_LEAF) return [KVM_FEATURE_LEAF, word(KVM, 0), word(KVM, 4), word(KVM, 8)];
  if (now.kvmClock && leaf === KVM_FEATURE_LEAF) return [KVM_FEATURES, 0, 0, 0];
  const extended = leaf >= 0x80000000;
  if (extended ? leaf > EXTENDED_LEVEL : leaf > model.level) leaf = model.level;
  switch (leaf) {
    case 0: return [model.level, word(model.vendor, 0), word(model.vendor, 8), word(model.vendor, 4)];
    // Line size 8 quadwords, logical processors of the package, initial APIC ID.
    case 1: {
      const ecx = (features.ecx & ~(now.apic ? 0 : x86.CPUID_1_ECX_TSC_DEADLINE)) | (now.osxsave ? x86.CPUID_1_ECX_OSXSAVE : 0);
      const edx = (features.edx & ~(now.apic ? 0 : x86.CPUID_1_EDX_APIC)) | (now.cores > 1 ? x86.CPUID_1_EDX_HTT : 0);
      return [model.signature, 0x0000_0800 | (now.cores << 16) | (now.apicId << 24), ecx, edx];
    }
    // 32 KiB level-1 caches, 2 MiB level-2 cache.
    case 2: return [1, 0, 0, 0x002c307d];
    case 4: {
      if (subleaf >= CACHES.length) return [0, 0, 0, 0];
      const [eax, ...rest] = CACHES[subleaf]!;
      return [eax | ((now.cores - 1) << 26), ...rest];
    }
    case 7: {
      // There is a second subleaf where IA32_SPEC_CTRL has a bit from it.
      const last = features.structuredEdx & CPUID_7_EDX_IBRS ? 2 : 0;
      if (subleaf === 0) return [last, features.structuredEbx, features.structuredEcx, features.structuredEdx];
      return [0, 0, 0, last === 2 && subleaf === 2 ? CPUID_7_2_EDX_BHI_CTRL : 0];
    }
    // Topology: one thread a core, and the cores; ECX is the level's number and type, EDX the x2APIC ID.
    case 0xb: {
      const level: CpuidResult[] = [[0, 1, 0x100, 0], [32 - Math.clz32(now.cores - 1), now.cores, 0x200, 0]];
      const [shift, count, type] = level[subleaf] ?? [0, 0, 0, 0];
      return [shift, count, type | (subleaf & 0xff), now.apicId];
    }
    // The states that XSAVE knows; both lie in the legacy area, so the image is that and the header.
    case 0xd: {
      if (!(features.ecx & x86.CPUID_1_ECX_XSAVE)) return [0, 0, 0, 0];
      return subleaf === 0 ? [x86.XCR0_X87 | x86.XCR0_SSE, XSAVE_SIZE, XSAVE_SIZE, 0] : [subleaf === 1 ? features.xsaveEax : 0, 0, 0, 0];
    }
    // The counter runs at once the rate of the crystal, which is the APIC timer's input clock.
    case 0x15: return [1, 1, TSC_HZ, 0];
    case 0x16: return [TSC_MHZ, TSC_MHZ, TSC_MHZ, 0];
    case 0x80000000: return [EXTENDED_LEVEL, 0, 0, 0];
    // SYSCALL is announced in 64-bit mode only, where it is.
    case 0x80000001: return [0, 0, features.extendedEcx, features.extendedEdx & ~(now.long ? 0 : x86.CPUID_80000001_EDX_SYSCALL)];
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const at = (leaf - 0x80000002) * 16;
      return [word(model.brand, at), word(model.brand, at + 4), word(model.brand, at + 8), word(model.brand, at + 12)];
    }
    // 2 MiB, 16 ways (code 8), 64-byte lines.
    case 0x80000006: return [0, 0, (2048 << 16) | (8 << 12) | 64, 0];
    case 0x80000007: return [0, 0, 0, features.extendedEdx & x86.CPUID_80000001_EDX_LM ? x86.CPUID_80000007_EDX_INVARIANT_TSC : 0];
    case 0x80000008: return [model.physicalBits | (model.linearBits << 8), 0, 0, 0];
    default: return [0, 0, 0, 0];
  }
}
