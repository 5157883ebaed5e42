/**
 * CPUID feature bits (SDM volume 2, CPUID). The name says leaf, register and feature: `CPUID_1_EDX_FPU` is leaf 1, EDX.
 */

/** x87. */
export const CPUID_1_EDX_FPU = 1 << 0;
/** Virtual-8086 mode extensions. */
export const CPUID_1_EDX_VME = 1 << 1;
/** Debugging extensions. */
export const CPUID_1_EDX_DE = 1 << 2;
/** Large pages. */
export const CPUID_1_EDX_PSE = 1 << 3;
/** Time-stamp counter. */
export const CPUID_1_EDX_TSC = 1 << 4;
/** RDMSR and WRMSR. */
export const CPUID_1_EDX_MSR = 1 << 5;
/** Physical address extension. */
export const CPUID_1_EDX_PAE = 1 << 6;
/** Machine-check exception. */
export const CPUID_1_EDX_MCE = 1 << 7;
/** CMPXCHG8B. */
export const CPUID_1_EDX_CX8 = 1 << 8;
/** Local APIC. */
export const CPUID_1_EDX_APIC = 1 << 9;
/** SYSENTER and SYSEXIT. */
export const CPUID_1_EDX_SEP = 1 << 11;
/** Memory type range registers. */
export const CPUID_1_EDX_MTRR = 1 << 12;
/** Global pages. */
export const CPUID_1_EDX_PGE = 1 << 13;
/** Machine-check architecture. */
export const CPUID_1_EDX_MCA = 1 << 14;
/** CMOVcc, and FCMOVcc and FCOMI with x87. */
export const CPUID_1_EDX_CMOV = 1 << 15;
/** Page attribute table. */
export const CPUID_1_EDX_PAT = 1 << 16;
/** 36-bit large pages. */
export const CPUID_1_EDX_PSE36 = 1 << 17;
/** Processor serial number. */
export const CPUID_1_EDX_PSN = 1 << 18;
/** CLFLUSH. */
export const CPUID_1_EDX_CLFSH = 1 << 19;
/** Debug store. */
export const CPUID_1_EDX_DS = 1 << 21;
/** Thermal monitor and clock control. */
export const CPUID_1_EDX_ACPI = 1 << 22;
/** MMX. */
export const CPUID_1_EDX_MMX = 1 << 23;
/** FXSAVE and FXRSTOR. */
export const CPUID_1_EDX_FXSR = 1 << 24;
/** SSE. */
export const CPUID_1_EDX_SSE = 1 << 25;
/** SSE2. */
export const CPUID_1_EDX_SSE2 = 1 << 26;
/** Self snoop. */
export const CPUID_1_EDX_SS = 1 << 27;
/** Several logical processors. */
export const CPUID_1_EDX_HTT = 1 << 28;
/** Thermal monitor. */
export const CPUID_1_EDX_TM = 1 << 29;
/** Pending break enable. */
export const CPUID_1_EDX_PBE = 1 << 31;

/** SSE3. */
export const CPUID_1_ECX_SSE3 = 1 << 0;
/** Carry-less multiplication. */
export const CPUID_1_ECX_PCLMULQDQ = 1 << 1;
/** 64-bit debug store. */
export const CPUID_1_ECX_DTES64 = 1 << 2;
/** MONITOR and MWAIT. */
export const CPUID_1_ECX_MONITOR = 1 << 3;
/** Virtual machine extensions. */
export const CPUID_1_ECX_VMX = 1 << 5;
/** SSSE3. */
export const CPUID_1_ECX_SSSE3 = 1 << 9;
/** CMPXCHG16B. */
export const CPUID_1_ECX_CMPXCHG16B = 1 << 13;
/** Process-context identifiers. */
export const CPUID_1_ECX_PCID = 1 << 17;
/** SSE4.1. */
export const CPUID_1_ECX_SSE4_1 = 1 << 19;
/** SSE4.2. */
export const CPUID_1_ECX_SSE4_2 = 1 << 20;
/** X2APIC mode. */
export const CPUID_1_ECX_X2APIC = 1 << 21;
/** MOVBE. */
export const CPUID_1_ECX_MOVBE = 1 << 22;
/** POPCNT. */
export const CPUID_1_ECX_POPCNT = 1 << 23;
/** TSC deadline of the local APIC's timer. */
export const CPUID_1_ECX_TSC_DEADLINE = 1 << 24;
/** AES instructions. */
export const CPUID_1_ECX_AESNI = 1 << 25;
/** XSAVE and XRSTOR. */
export const CPUID_1_ECX_XSAVE = 1 << 26;
/** Copy of CR4.OSXSAVE. */
export const CPUID_1_ECX_OSXSAVE = 1 << 27;
/** AVX. */
export const CPUID_1_ECX_AVX = 1 << 28;
/** RDRAND. */
export const CPUID_1_ECX_RDRAND = 1 << 30;
/** Reserved by Intel and AMD for hypervisors. */
export const CPUID_1_ECX_HYPERVISOR = 1 << 31;

/** The APIC timer always runs. */
export const CPUID_6_EAX_ARAT = 1 << 2;

/** RDFSBASE and its like. */
export const CPUID_7_EBX_FSGSBASE = 1 << 0;
/** IA32_TSC_ADJUST. */
export const CPUID_7_EBX_TSC_ADJUST = 1 << 1;
/** Bit manipulation, TZCNT. */
export const CPUID_7_EBX_BMI1 = 1 << 3;
/** AVX2. */
export const CPUID_7_EBX_AVX2 = 1 << 5;
/** Supervisor-mode execution prevention. */
export const CPUID_7_EBX_SMEP = 1 << 7;
/** Bit manipulation, second set. */
export const CPUID_7_EBX_BMI2 = 1 << 8;
/** Fast REP MOVSB and STOSB. */
export const CPUID_7_EBX_ERMS = 1 << 9;
/** INVPCID. */
export const CPUID_7_EBX_INVPCID = 1 << 10;
/** RDSEED. */
export const CPUID_7_EBX_RDSEED = 1 << 18;
/** ADCX and ADOX. */
export const CPUID_7_EBX_ADX = 1 << 19;
/** Supervisor-mode access prevention. */
export const CPUID_7_EBX_SMAP = 1 << 20;
/** CLFLUSHOPT. */
export const CPUID_7_EBX_CLFLUSHOPT = 1 << 23;
/** CLWB. */
export const CPUID_7_EBX_CLWB = 1 << 24;
/** User-mode instruction prevention. */
export const CPUID_7_ECX_UMIP = 1 << 2;
/** RDPID. */
export const CPUID_7_ECX_RDPID = 1 << 22;

/** SYSCALL and SYSRET. */
export const CPUID_80000001_EDX_SYSCALL = 1 << 11;
/** Execute-disable bits. */
export const CPUID_80000001_EDX_NX = 1 << 20;
/** 1 GiB pages. */
export const CPUID_80000001_EDX_PAGE1GB = 1 << 26;
/** RDTSCP. */
export const CPUID_80000001_EDX_RDTSCP = 1 << 27;
/** Long mode. */
export const CPUID_80000001_EDX_LM = 1 << 29;
/** LAHF and SAHF in 64-bit mode. */
export const CPUID_80000001_ECX_LAHF = 1 << 0;
/** LZCNT. */
export const CPUID_80000001_ECX_LZCNT = 1 << 5;
/** PREFETCHW. */
export const CPUID_80000001_ECX_PREFETCHW = 1 << 8;
/** The time-stamp counter runs at one rate in every state. */
export const CPUID_80000007_EDX_INVARIANT_TSC = 1 << 8;
/** Features of KVM (Linux documentation, "KVM CPUID bits"): the paravirtual clock by its first MSRs. */
export const KVM_FEATURE_CLOCKSOURCE = 1 << 0;
/** Port accesses need no delay. */
export const KVM_FEATURE_NOP_IO_DELAY = 1 << 1;
/** The paravirtual clock by its later MSRs. */
export const KVM_FEATURE_CLOCKSOURCE2 = 1 << 3;
/** The flag in the paravirtual clock's page that readings of all CPUs are in order is to be believed. */
export const KVM_FEATURE_CLOCKSOURCE_STABLE_BIT = 1 << 24;
