/**
 * CPUID feature bits (SDM volume 2, CPUID). The name says leaf, register and feature: `CPUID_1_EDX_FPU` is leaf 1, EDX.
 */
export const CPUID_1_EDX_FPU = 1 << 0;
export const CPUID_1_EDX_VME = 1 << 1;
export const CPUID_1_EDX_DE = 1 << 2;
export const CPUID_1_EDX_PSE = 1 << 3;
export const CPUID_1_EDX_TSC = 1 << 4;
export const CPUID_1_EDX_MSR = 1 << 5;
export const CPUID_1_EDX_PAE = 1 << 6;
export const CPUID_1_EDX_MCE = 1 << 7;
export const CPUID_1_EDX_CX8 = 1 << 8;
export const CPUID_1_EDX_APIC = 1 << 9;
export const CPUID_1_EDX_SEP = 1 << 11;
export const CPUID_1_EDX_MTRR = 1 << 12;
export const CPUID_1_EDX_PGE = 1 << 13;
export const CPUID_1_EDX_MCA = 1 << 14;
export const CPUID_1_EDX_CMOV = 1 << 15;
export const CPUID_1_EDX_PAT = 1 << 16;
export const CPUID_1_EDX_PSE36 = 1 << 17;
export const CPUID_1_EDX_PSN = 1 << 18;
export const CPUID_1_EDX_CLFSH = 1 << 19;
export const CPUID_1_EDX_DS = 1 << 21;
export const CPUID_1_EDX_ACPI = 1 << 22;
export const CPUID_1_EDX_MMX = 1 << 23;
export const CPUID_1_EDX_FXSR = 1 << 24;
export const CPUID_1_EDX_SSE = 1 << 25;
export const CPUID_1_EDX_SSE2 = 1 << 26;
export const CPUID_1_EDX_SS = 1 << 27;
export const CPUID_1_EDX_HTT = 1 << 28;
export const CPUID_1_EDX_TM = 1 << 29;
export const CPUID_1_EDX_PBE = 1 << 31;

export const CPUID_1_ECX_SSE3 = 1 << 0;
export const CPUID_1_ECX_PCLMULQDQ = 1 << 1;
export const CPUID_1_ECX_DTES64 = 1 << 2;
export const CPUID_1_ECX_MONITOR = 1 << 3;
export const CPUID_1_ECX_VMX = 1 << 5;
export const CPUID_1_ECX_SSSE3 = 1 << 9;
export const CPUID_1_ECX_CMPXCHG16B = 1 << 13;
export const CPUID_1_ECX_PCID = 1 << 17;
export const CPUID_1_ECX_SSE4_1 = 1 << 19;
export const CPUID_1_ECX_SSE4_2 = 1 << 20;
export const CPUID_1_ECX_X2APIC = 1 << 21;
export const CPUID_1_ECX_MOVBE = 1 << 22;
export const CPUID_1_ECX_POPCNT = 1 << 23;
export const CPUID_1_ECX_TSC_DEADLINE = 1 << 24;
export const CPUID_1_ECX_AESNI = 1 << 25;
export const CPUID_1_ECX_XSAVE = 1 << 26;
export const CPUID_1_ECX_OSXSAVE = 1 << 27;
export const CPUID_1_ECX_AVX = 1 << 28;
export const CPUID_1_ECX_RDRAND = 1 << 30;
/** Reserved by Intel and AMD for hypervisors. */
export const CPUID_1_ECX_HYPERVISOR = 1 << 31;

export const CPUID_6_EAX_ARAT = 1 << 2;

export const CPUID_7_EBX_FSGSBASE = 1 << 0;
export const CPUID_7_EBX_TSC_ADJUST = 1 << 1;
export const CPUID_7_EBX_BMI1 = 1 << 3;
export const CPUID_7_EBX_AVX2 = 1 << 5;
export const CPUID_7_EBX_SMEP = 1 << 7;
export const CPUID_7_EBX_BMI2 = 1 << 8;
export const CPUID_7_EBX_ERMS = 1 << 9;
export const CPUID_7_EBX_INVPCID = 1 << 10;
export const CPUID_7_EBX_RDSEED = 1 << 18;
export const CPUID_7_EBX_ADX = 1 << 19;
export const CPUID_7_EBX_SMAP = 1 << 20;
export const CPUID_7_EBX_CLFLUSHOPT = 1 << 23;
export const CPUID_7_EBX_CLWB = 1 << 24;
export const CPUID_7_ECX_UMIP = 1 << 2;
export const CPUID_7_ECX_RDPID = 1 << 22;

export const CPUID_80000001_EDX_SYSCALL = 1 << 11;
export const CPUID_80000001_EDX_NX = 1 << 20;
export const CPUID_80000001_EDX_PAGE1GB = 1 << 26;
export const CPUID_80000001_EDX_RDTSCP = 1 << 27;
export const CPUID_80000001_EDX_LM = 1 << 29;
export const CPUID_80000001_ECX_LAHF = 1 << 0;
export const CPUID_80000001_ECX_LZCNT = 1 << 5;
export const CPUID_80000001_ECX_PREFETCHW = 1 << 8;
