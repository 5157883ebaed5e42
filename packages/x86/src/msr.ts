/**
 * Model-specific register numbers (SDM volume 4, chapter 2).
 */

/** Machine-check address of the Pentium. */
export const IA32_P5_MC_ADDR = 0x0;
/** Machine-check type of the Pentium. */
export const IA32_P5_MC_TYPE = 0x1;
/** Time-stamp counter. */
export const IA32_TIME_STAMP_COUNTER = 0x10;
/** Platform identification. */
export const IA32_PLATFORM_ID = 0x17;
/** Base and enables of the local APIC. */
export const IA32_APIC_BASE = 0x1b;
/** Bus configuration of the P6 family. */
export const MSR_EBL_CR_POWERON = 0x2a;
/** Lock and enables of VMX and SMX. */
export const IA32_FEATURE_CONTROL = 0x3a;
/** Offset added to the time-stamp counter. */
export const IA32_TSC_ADJUST = 0x3b;
/** Speculation control. */
export const IA32_SPEC_CTRL = 0x48;
/** Prediction commands. */
export const IA32_PRED_CMD = 0x49;
/** Microcode update trigger. */
export const IA32_BIOS_UPDT_TRIG = 0x79;
/** Microcode revision, in the high half. */
export const IA32_BIOS_SIGN_ID = 0x8b;
/** First performance counter. */
export const IA32_PMC0 = 0xc1;
/** MTRR capabilities. */
export const IA32_MTRRCAP = 0xfe;
/** Enumeration of immunities. */
export const IA32_ARCH_CAPABILITIES = 0x10a;
/** CS of SYSENTER. */
export const IA32_SYSENTER_CS = 0x174;
/** Stack pointer of SYSENTER. */
export const IA32_SYSENTER_ESP = 0x175;
/** Instruction pointer of SYSENTER. */
export const IA32_SYSENTER_EIP = 0x176;
/** Machine-check capabilities. */
export const IA32_MCG_CAP = 0x179;
/** Machine-check status. */
export const IA32_MCG_STATUS = 0x17a;
/** First performance event select. */
export const IA32_PERFEVTSEL0 = 0x186;
/** Miscellaneous enables. */
export const IA32_MISC_ENABLE = 0x1a0;
/** Debug control. */
export const IA32_DEBUGCTL = 0x1d9;
/** Base of the first variable MTRR; its mask follows, then the next pair. */
export const IA32_MTRR_PHYSBASE0 = 0x200;
/** Mask of the first variable MTRR. */
export const IA32_MTRR_PHYSMASK0 = 0x201;
/** Fixed MTRR of 00000 to 7FFFF. */
export const IA32_MTRR_FIX64K_00000 = 0x250;
/** Fixed MTRR of 80000 to 9FFFF. */
export const IA32_MTRR_FIX16K_80000 = 0x258;
/** Fixed MTRR of A0000 to BFFFF. */
export const IA32_MTRR_FIX16K_A0000 = 0x259;
/** First of the eight fixed MTRRs of C0000 to FFFFF. */
export const IA32_MTRR_FIX4K_C0000 = 0x268;
/** Last of the eight fixed MTRRs of C0000 to FFFFF. */
export const IA32_MTRR_FIX4K_F8000 = 0x26f;
/** Page attribute table. */
export const IA32_PAT = 0x277;
/** Default memory type and MTRR enables. */
export const IA32_MTRR_DEF_TYPE = 0x2ff;
/** First register of the machine-check banks. */
export const IA32_MC0_CTL = 0x400;
/** First of the VMX capability registers. */
export const IA32_VMX_BASIC = 0x480;
/** TSC deadline of the local APIC's timer. */
export const IA32_TSC_DEADLINE = 0x6e0;
/** Paravirtual wall clock, and system time of a CPU (Linux documentation, "KVM-specific MSRs"), by their first numbers. */
export const MSR_KVM_WALL_CLOCK = 0x11;
export const MSR_KVM_SYSTEM_TIME = 0x12;
/** The same by the numbers that no processor uses. */
export const MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00;
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01;
/** First register of the x2APIC range. */
export const IA32_X2APIC_FIRST = 0x800;
/** Last register of the x2APIC range. */
export const IA32_X2APIC_LAST = 0x8ff;
/** Extended features; the bits are `EFER_*`. */
export const IA32_EFER = 0xc0000080;
/** Selectors of SYSCALL and SYSRET. */
export const IA32_STAR = 0xc0000081;
/** Target of SYSCALL in 64-bit mode. */
export const IA32_LSTAR = 0xc0000082;
/** Target of SYSCALL in compatibility mode (AMD). */
export const IA32_CSTAR = 0xc0000083;
/** EFLAGS bits that SYSCALL clears. */
export const IA32_FMASK = 0xc0000084;
/** Base of FS. */
export const IA32_FS_BASE = 0xc0000100;
/** Base of GS. */
export const IA32_GS_BASE = 0xc0000101;
/** Base that SWAPGS exchanges with GS. */
export const IA32_KERNEL_GS_BASE = 0xc0000102;
/** What RDTSCP and RDPID return. */
export const IA32_TSC_AUX = 0xc0000103;

/** Bit of IA32_APIC_BASE: this is the bootstrap processor. */
export const APIC_BASE_BSP = 1 << 8;
/** x2APIC mode. */
export const APIC_BASE_EXTD = 1 << 10;
/** The local APIC is enabled. */
export const APIC_BASE_EN = 1 << 11;
/** PAT after reset: WB WT UC- UC, twice; both 32-bit halves are the same. */
export const PAT_RESET_HALF = 0x00070406;
