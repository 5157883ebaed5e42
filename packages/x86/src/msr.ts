/**
 * Model-specific register numbers (SDM volume 4, chapter 2).
 */
export const IA32_P5_MC_ADDR = 0x0;
export const IA32_P5_MC_TYPE = 0x1;
export const IA32_TIME_STAMP_COUNTER = 0x10;
export const IA32_PLATFORM_ID = 0x17;
export const IA32_APIC_BASE = 0x1b;
export const MSR_EBL_CR_POWERON = 0x2a;
export const IA32_FEATURE_CONTROL = 0x3a;
export const IA32_TSC_ADJUST = 0x3b;
export const IA32_SPEC_CTRL = 0x48;
export const IA32_PRED_CMD = 0x49;
export const IA32_BIOS_UPDT_TRIG = 0x79;
export const IA32_BIOS_SIGN_ID = 0x8b;
export const IA32_PMC0 = 0xc1;
export const IA32_MTRRCAP = 0xfe;
export const IA32_ARCH_CAPABILITIES = 0x10a;
export const IA32_SYSENTER_CS = 0x174;
export const IA32_SYSENTER_ESP = 0x175;
export const IA32_SYSENTER_EIP = 0x176;
export const IA32_MCG_CAP = 0x179;
export const IA32_MCG_STATUS = 0x17a;
export const IA32_PERFEVTSEL0 = 0x186;
export const IA32_MISC_ENABLE = 0x1a0;
export const IA32_DEBUGCTL = 0x1d9;
export const IA32_MTRR_PHYSBASE0 = 0x200;
export const IA32_MTRR_PHYSMASK0 = 0x201;
export const IA32_MTRR_FIX64K_00000 = 0x250;
export const IA32_MTRR_FIX16K_80000 = 0x258;
export const IA32_MTRR_FIX16K_A0000 = 0x259;
export const IA32_MTRR_FIX4K_C0000 = 0x268;
export const IA32_MTRR_FIX4K_F8000 = 0x26f;
export const IA32_PAT = 0x277;
export const IA32_MTRR_DEF_TYPE = 0x2ff;
export const IA32_MC0_CTL = 0x400;
export const IA32_VMX_BASIC = 0x480;
export const IA32_TSC_DEADLINE = 0x6e0;
export const IA32_X2APIC_FIRST = 0x800;
export const IA32_X2APIC_LAST = 0x8ff;
export const IA32_EFER = 0xc0000080;
export const IA32_STAR = 0xc0000081;
export const IA32_LSTAR = 0xc0000082;
export const IA32_CSTAR = 0xc0000083;
export const IA32_FMASK = 0xc0000084;
export const IA32_FS_BASE = 0xc0000100;
export const IA32_GS_BASE = 0xc0000101;
export const IA32_KERNEL_GS_BASE = 0xc0000102;
export const IA32_TSC_AUX = 0xc0000103;

/** Bits of IA32_APIC_BASE. */
export const APIC_BASE_BSP = 1 << 8;
export const APIC_BASE_EXTD = 1 << 10;
export const APIC_BASE_EN = 1 << 11;
/** PAT after reset: WB WT UC- UC, twice; both 32-bit halves are the same. */
export const PAT_RESET_HALF = 0x00070406;
