/** The processor models by the names that users give. */
import { CPU_MODELS } from "@doppel/cpu";

/** Names of the processor models. */
export type CpuName = keyof typeof CPU_MODELS;
/** The names, from the oldest processor to the newest. */
export const CPU_NAMES = Object.keys(CPU_MODELS) as readonly CpuName[];
/** The model of a machine that asks for none: it runs 16-, 32- and 64-bit systems. */
export const DEFAULT_CPU: CpuName = "x86-64";
/** The model for hosts whose WebAssembly has no SIMD. */
export const PLAIN_CPU: CpuName = "pentium-pro";
