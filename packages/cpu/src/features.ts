/**
 * Which features of the opcode tables a processor model has, by the names the tables use. A form of a feature that is
 * missing is its fallback, or #UD.
 */
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
};

/** The features of a model by name; the empty name is what every i486 has. */
export function featuresOf(model: CpuModel): ReadonlySet<string> {
  const out = new Set([""]);
  for (const [name, [word, bit]] of Object.entries(WHERE)) if ((model.features[word] & bit) !== 0) out.add(name);
  return out;
}
