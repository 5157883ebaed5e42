/**
 * Which features of the opcode tables a processor model has, by the names the tables use. A form of a feature that is
 * missing is its fallback, or #UD.
 */
import { DEFINITIONS } from "@doppel/semantics";
import * as x86 from "@doppel/x86";
import type { CpuModel } from "./system/cpu-model.ts";

type Word = keyof CpuModel["features"];

/** Feature name of the tables: where CPUID says so. */
const WHERE: Record<string, readonly [Word, number]> = {
  FPU: ["edx", x86.CPUID_1_EDX_FPU],
  CX8: ["edx", x86.CPUID_1_EDX_CX8],
  SEP: ["edx", x86.CPUID_1_EDX_SEP],
  CMOV: ["edx", x86.CPUID_1_EDX_CMOV],
  CLFSH: ["edx", x86.CPUID_1_EDX_CLFSH],
  MMX: ["edx", x86.CPUID_1_EDX_MMX],
  FXSR: ["edx", x86.CPUID_1_EDX_FXSR],
  SSE: ["edx", x86.CPUID_1_EDX_SSE],
  SSE2: ["edx", x86.CPUID_1_EDX_SSE2],
  SSE3: ["ecx", x86.CPUID_1_ECX_SSE3],
  MONITOR: ["ecx", x86.CPUID_1_ECX_MONITOR],
  PCLMULQDQ: ["ecx", x86.CPUID_1_ECX_PCLMULQDQ],
  SSSE3: ["ecx", x86.CPUID_1_ECX_SSSE3],
  CX16: ["ecx", x86.CPUID_1_ECX_CMPXCHG16B],
  SSE4_1: ["ecx", x86.CPUID_1_ECX_SSE4_1],
  SSE4_2: ["ecx", x86.CPUID_1_ECX_SSE4_2],
  MOVBE: ["ecx", x86.CPUID_1_ECX_MOVBE],
  POPCNT: ["ecx", x86.CPUID_1_ECX_POPCNT],
  AESNI: ["ecx", x86.CPUID_1_ECX_AESNI],
  XSAVE: ["ecx", x86.CPUID_1_ECX_XSAVE],
  RDRAND: ["ecx", x86.CPUID_1_ECX_RDRAND],
  FSGSBASE: ["structuredEbx", x86.CPUID_7_EBX_FSGSBASE],
  BMI1: ["structuredEbx", x86.CPUID_7_EBX_BMI1],
  BMI2: ["structuredEbx", x86.CPUID_7_EBX_BMI2],
  INVPCID: ["structuredEbx", x86.CPUID_7_EBX_INVPCID],
  RDSEED: ["structuredEbx", x86.CPUID_7_EBX_RDSEED],
  ADX: ["structuredEbx", x86.CPUID_7_EBX_ADX],
  SMAP: ["structuredEbx", x86.CPUID_7_EBX_SMAP],
  CLFLUSHOPT: ["structuredEbx", x86.CPUID_7_EBX_CLFLUSHOPT],
  CLWB: ["structuredEbx", x86.CPUID_7_EBX_CLWB],
  SHA: ["structuredEbx", 1 << 29],
  RDPID: ["structuredEcx", x86.CPUID_7_ECX_RDPID],
  XSAVEOPT: ["xsaveEax", 1 << 0],
  SYSCALL: ["extendedEdx", x86.CPUID_80000001_EDX_SYSCALL],
  RDTSCP: ["extendedEdx", x86.CPUID_80000001_EDX_RDTSCP],
  LM: ["extendedEdx", x86.CPUID_80000001_EDX_LM],
  LZCNT: ["extendedEcx", x86.CPUID_80000001_ECX_LZCNT],
  PREFETCHW: ["extendedEcx", x86.CPUID_80000001_ECX_PREFETCHW],
};

/**
 * The bits of a wish that may be announced: those that no opcode table names, and those whose forms all have a definition. So CPUID
 * follows the definitions, and never announces an instruction that is not there.
 */
export function announced(wish: CpuModel["features"]): CpuModel["features"] {
  const out = { ...wish };
  for (const [name, [word, bit]] of Object.entries(WHERE)) {
    const forms = x86.FORMS.filter((form) => form.feature === name);
    if (forms.length === 0 || forms.some((form) => !DEFINITIONS.has(form.mnemonic))) out[word] &= ~bit;
  }
  return out;
}

/** The features of a model by name; the empty name is what every i486 has. */
export function featuresOf(model: CpuModel): ReadonlySet<string> {
  const out = new Set([""]);
  for (const [name, [word, bit]] of Object.entries(WHERE)) if ((model.features[word] & bit) !== 0) out.add(name);
  return out;
}
