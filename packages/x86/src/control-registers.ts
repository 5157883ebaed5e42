/**
 * Control and debug registers, EFER and XCR0 (SDM volume 3, sections 2.2.1, 2.5, 2.6 and 18.2).
 */
export const CR0_PE = 1 << 0;
export const CR0_MP = 1 << 1;
export const CR0_EM = 1 << 2;
export const CR0_TS = 1 << 3;
export const CR0_ET = 1 << 4;
export const CR0_NE = 1 << 5;
export const CR0_WP = 1 << 16;
export const CR0_AM = 1 << 18;
export const CR0_NW = 1 << 29;
export const CR0_CD = 1 << 30;
/** Bit 31; negative as an i32. */
export const CR0_PG = 1 << 31;

export const CR3_PWT = 1 << 3;
export const CR3_PCD = 1 << 4;

export const CR4_VME = 1 << 0;
export const CR4_PVI = 1 << 1;
export const CR4_TSD = 1 << 2;
export const CR4_DE = 1 << 3;
export const CR4_PSE = 1 << 4;
export const CR4_PAE = 1 << 5;
export const CR4_MCE = 1 << 6;
export const CR4_PGE = 1 << 7;
export const CR4_PCE = 1 << 8;
export const CR4_OSFXSR = 1 << 9;
export const CR4_OSXMMEXCPT = 1 << 10;
export const CR4_UMIP = 1 << 11;
export const CR4_LA57 = 1 << 12;
export const CR4_VMXE = 1 << 13;
export const CR4_SMXE = 1 << 14;
export const CR4_FSGSBASE = 1 << 16;
export const CR4_PCIDE = 1 << 17;
export const CR4_OSXSAVE = 1 << 18;
export const CR4_SMEP = 1 << 20;
export const CR4_SMAP = 1 << 21;
export const CR4_PKE = 1 << 22;
export const CR4_CET = 1 << 23;

export const EFER_SCE = 1 << 0;
export const EFER_LME = 1 << 8;
export const EFER_LMA = 1 << 10;
export const EFER_NXE = 1 << 11;

/** DR6: breakpoint condition met, one bit for each of DR0 to DR3. */
export const DR6_B0 = 1 << 0;
export const DR6_B1 = 1 << 1;
export const DR6_B2 = 1 << 2;
export const DR6_B3 = 1 << 3;
export const DR6_BD = 1 << 13;
export const DR6_BS = 1 << 14;
export const DR6_BT = 1 << 15;
/** Value after reset, which is also the bits that read as one. */
export const DR6_RESET = 0xffff0ff0 | 0;

/** DR7: local and global enables of breakpoint n stand at bits 2n and 2n+1; R/W at 16+4n, LEN at 18+4n. */
export const DR7_L0 = 1 << 0;
export const DR7_G0 = 1 << 1;
export const DR7_LE = 1 << 8;
export const DR7_GE = 1 << 9;
export const DR7_GD = 1 << 13;
export const DR7_RW_SHIFT = 16;
export const DR7_LEN_SHIFT = 18;
export const DR7_RESET = 0x400;
/** R/W field of a breakpoint. */
export const DR7_RW_EXECUTE = 0;
export const DR7_RW_WRITE = 1;
export const DR7_RW_IO = 2;
export const DR7_RW_ACCESS = 3;

export const XCR0_X87 = 1 << 0;
export const XCR0_SSE = 1 << 1;
export const XCR0_AVX = 1 << 2;
