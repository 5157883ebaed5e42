/**
 * Control and debug registers, EFER and XCR0 (SDM volume 3, sections 2.2.1, 2.5, 2.6 and 18.2).
 */

/** Protected mode. */
export const CR0_PE = 1 << 0;
/** Monitor coprocessor: WAIT obeys TS. */
export const CR0_MP = 1 << 1;
/** Emulation: x87 instructions raise #NM. */
export const CR0_EM = 1 << 2;
/** Task switched: x87, MMX and SSE instructions raise #NM. */
export const CR0_TS = 1 << 3;
/** Extension type, always one. */
export const CR0_ET = 1 << 4;
/** Numeric errors raise #MF, not an external interrupt. */
export const CR0_NE = 1 << 5;
/** Supervisor writes obey read-only pages. */
export const CR0_WP = 1 << 16;
/** EFLAGS.AC can enable alignment checks. */
export const CR0_AM = 1 << 18;
/** Not write-through. */
export const CR0_NW = 1 << 29;
/** Caches disabled. */
export const CR0_CD = 1 << 30;
/** Bit 31; negative as an i32. */
export const CR0_PG = 1 << 31;

/** Write-through of the top paging structure. */
export const CR3_PWT = 1 << 3;
/** Caching of the top paging structure disabled. */
export const CR3_PCD = 1 << 4;

/** Virtual-8086 mode extensions. */
export const CR4_VME = 1 << 0;
/** Protected-mode virtual interrupts. */
export const CR4_PVI = 1 << 1;
/** RDTSC is for CPL 0 only. */
export const CR4_TSD = 1 << 2;
/** Debugging extensions: DR4 and DR5 are undefined, I/O breakpoints exist. */
export const CR4_DE = 1 << 3;
/** Large pages in 32-bit paging. */
export const CR4_PSE = 1 << 4;
/** Physical address extension. */
export const CR4_PAE = 1 << 5;
/** Machine-check exceptions. */
export const CR4_MCE = 1 << 6;
/** Global pages. */
export const CR4_PGE = 1 << 7;
/** RDPMC at any CPL. */
export const CR4_PCE = 1 << 8;
/** The operating system saves SSE state: SSE instructions are allowed. */
export const CR4_OSFXSR = 1 << 9;
/** Unmasked SSE exceptions raise #XM, not #UD. */
export const CR4_OSXMMEXCPT = 1 << 10;
/** SGDT, SIDT, SLDT, SMSW and STR are for CPL 0 only. */
export const CR4_UMIP = 1 << 11;
/** Five-level paging. */
export const CR4_LA57 = 1 << 12;
/** VMX instructions are allowed. */
export const CR4_VMXE = 1 << 13;
/** SMX instructions are allowed. */
export const CR4_SMXE = 1 << 14;
/** RDFSBASE and its like are allowed. */
export const CR4_FSGSBASE = 1 << 16;
/** Process-context identifiers. */
export const CR4_PCIDE = 1 << 17;
/** XSAVE and extended states are allowed. */
export const CR4_OSXSAVE = 1 << 18;
/** Supervisor does not execute user pages. */
export const CR4_SMEP = 1 << 20;
/** Supervisor does not access user pages unless EFLAGS.AC is set. */
export const CR4_SMAP = 1 << 21;
/** Protection keys of user pages. */
export const CR4_PKE = 1 << 22;
/** Control-flow enforcement. */
export const CR4_CET = 1 << 23;

/** SYSCALL is enabled. */
export const EFER_SCE = 1 << 0;
/** Long mode is enabled when paging is. */
export const EFER_LME = 1 << 8;
/** Long mode is active. */
export const EFER_LMA = 1 << 10;
/** Execute-disable bits are enabled. */
export const EFER_NXE = 1 << 11;

/** Condition of DR0 met. */
export const DR6_B0 = 1 << 0;
/** Condition of DR1 met. */
export const DR6_B1 = 1 << 1;
/** Condition of DR2 met. */
export const DR6_B2 = 1 << 2;
/** Condition of DR3 met. */
export const DR6_B3 = 1 << 3;
/** Debug register accessed while DR7.GD was set. */
export const DR6_BD = 1 << 13;
/** Single step. */
export const DR6_BS = 1 << 14;
/** Task switch with the debug trap flag. */
export const DR6_BT = 1 << 15;
/** Value after reset, which is also the bits that read as one. */
export const DR6_RESET = 0xffff0ff0 | 0;

/** Local enable of breakpoint 0. Those of breakpoint n stand at bits 2n (local) and 2n+1 (global); R/W at 16+4n, LEN at 18+4n. */
export const DR7_L0 = 1 << 0;
/** Global enable of breakpoint 0. */
export const DR7_G0 = 1 << 1;
/** Local exact breakpoints, without effect. */
export const DR7_LE = 1 << 8;
/** Global exact breakpoints, without effect. */
export const DR7_GE = 1 << 9;
/** General detect: an access to a debug register raises #DB. */
export const DR7_GD = 1 << 13;
/** Position of the R/W field of breakpoint 0. */
export const DR7_RW_SHIFT = 16;
/** Position of the LEN field of breakpoint 0. */
export const DR7_LEN_SHIFT = 18;
/** Value after reset: only the bit that is always one. */
export const DR7_RESET = 0x400;
/** R/W field of a breakpoint: break on execution. */
export const DR7_RW_EXECUTE = 0;
/** Break on data writes. */
export const DR7_RW_WRITE = 1;
/** Break on I/O, when CR4.DE is set. */
export const DR7_RW_IO = 2;
/** Break on data reads and writes. */
export const DR7_RW_ACCESS = 3;

/** x87 state, always one. */
export const XCR0_X87 = 1 << 0;
/** XMM registers and MXCSR. */
export const XCR0_SSE = 1 << 1;
/** Upper halves of the YMM registers. */
export const XCR0_AVX = 1 << 2;
