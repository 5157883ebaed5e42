/**
 * Model-specific registers (SDM volume 4, chapter 2): which exist, which values they take, and what a write sets off. One
 * that does not exist, and a reserved bit, is #GP(0).
 */
import {
  APIC_BASE_BSP, APIC_BASE_EN, CPUID_7_EBX_TSC_ADJUST, CPUID_7_ECX_RDPID, CPUID_80000001_EDX_LM, CPUID_80000001_EDX_NX, CPUID_80000001_EDX_RDTSCP, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, IA32_APIC_BASE,
  IA32_ARCH_CAPABILITIES, IA32_BIOS_SIGN_ID, IA32_BIOS_UPDT_TRIG, IA32_CSTAR, IA32_DEBUGCTL, IA32_EFER, IA32_FMASK, IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_LSTAR,
  IA32_MC0_CTL, IA32_MCG_CAP, IA32_MCG_STATUS, IA32_MISC_ENABLE, IA32_MTRRCAP, IA32_MTRR_DEF_TYPE, IA32_MTRR_FIX16K_80000,
  IA32_MTRR_FIX16K_A0000, IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, IA32_MTRR_FIX64K_00000, IA32_MTRR_PHYSBASE0, IA32_P5_MC_ADDR,
  IA32_P5_MC_TYPE, IA32_PAT, IA32_PLATFORM_ID, IA32_PRED_CMD, IA32_SPEC_CTRL, IA32_STAR, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP,
  IA32_TIME_STAMP_COUNTER, IA32_TSC_ADJUST, IA32_TSC_AUX, MSR_EBL_CR_POWERON, PAT_RESET_HALF,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import type { HotState } from "../hot-state.ts";
import { FMASK, FS, GS, KERNEL_GS_BASE, LSTAR, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP } from "../state-layout.ts";
import { CPUID_7_EDX_ARCH_CAPABILITIES, CPUID_7_EDX_IBRS } from "./cpu-model.ts";
import { canonicalHalves } from "./non-canonical.ts";

const IA32_MCG_CTL = 0x17b;
/** Banks of the machine-check architecture. */
const BANKS = 10;
/** Variable-range MTRRs. */
const RANGES = 8;
/**
 * IA32_ARCH_CAPABILITIES: a processor that does not speculate is immune to what leaks through speculation, so guests need not pay for
 * their ways around it. RDCL_NO, IBRS_ALL (indirect calls need no detour), SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO,
 * BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO; in the upper half ITS_NO.
 */
const IMMUNITIES = 0x0d10e17b;
const IMMUNITIES_HIGH = 1 << 30;
/** IBRS, STIBP and BHI_DIS_S of IA32_SPEC_CTRL: kept, and without an effect. */
const SPEC_CTRL_BITS = 0x403;
/** IBPB, which is all that IA32_PRED_CMD has. */
const PRED_CMD_IBPB = 1;
/** Eight ranges, fixed ranges, write combining. */
const MTRRCAP = RANGES | (1 << 8) | (1 << 10);
const TWO_32 = 0x1_0000_0000;

/** A register that belongs to a part outside the processor core, such as the local APIC. */
export interface ForeignRegister {
  read(): { low: number; high: number };
  /** False makes the write #GP(0). */
  write(low: number, high: number): boolean;
}

const memoryType = (type: number): boolean => type === 0 || type === 1 || (type >= 4 && type <= 6);
const everyByte = (value: number, valid: (byte: number) => boolean): boolean => {
  for (let shift = 0; shift < 32; shift += 8) if (!valid((value >>> shift) & 0xff)) return false;
  return true;
};

/** Registers that generated code reads and writes, by number, and where they are in the hot state. */
const HOMES: ReadonlyMap<number, number> = new Map([
  [IA32_SYSENTER_CS, SYSENTER_CS], [IA32_SYSENTER_ESP, SYSENTER_ESP], [IA32_SYSENTER_EIP, SYSENTER_EIP], [IA32_STAR | 0, STAR], [IA32_LSTAR | 0, LSTAR], [IA32_FMASK | 0, FMASK],
  [IA32_KERNEL_GS_BASE | 0, KERNEL_GS_BASE],
]);

function inHotState(state: HotState, at: number): { low: number; high: number } {
  return {
    get low() {
      return state.word(at);
    },
    set low(value) {
      state.setWord(at, value);
    },
    get high() {
      return state.word(at + 4);
    },
    set high(value) {
      state.setWord(at + 4, value);
    },
  };
}

/** The MSRs of one vCPU. */
export class ModelSpecificRegisters {
  /** Low half of the last {@link read}. */
  low = 0;
  /** High half of the last {@link read}. */
  high = 0;
  /** What RDTSC adds to the time stamp: a write of IA32_TIME_STAMP_COUNTER sets it. */
  tscOffset = 0;
  /** Registers of other parts, by number; the machine puts them in. */
  readonly foreign = new Map<number, ForeignRegister>();
  /** Told when IA32_APIC_BASE has been written. */
  onApicBase: ((low: number, high: number) => void) | undefined;
  /** Told when IA32_TIME_STAMP_COUNTER has been written. */
  onTimeStamp: (() => void) | undefined;
  readonly #cpu: Cpu;
  /** By number as a signed 32-bit integer, which is quicker to look up than C0000080h. */
  readonly #values = new Map<number, { low: number; high: number }>();

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** Values after power-on. */
  reset(): void {
    const values = this.#values;
    values.clear();
    this.tscOffset = -this.#cpu.timestamp();
    const zero = [
      IA32_P5_MC_ADDR, IA32_P5_MC_TYPE, IA32_PLATFORM_ID, MSR_EBL_CR_POWERON, IA32_BIOS_SIGN_ID, IA32_SYSENTER_CS, IA32_SYSENTER_ESP,
      IA32_SYSENTER_EIP, IA32_MCG_STATUS, IA32_DEBUGCTL, IA32_MTRR_DEF_TYPE, IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX16K_80000,
      IA32_MTRR_FIX16K_A0000,
    ];
    for (const register of zero) this.set(register, 0, 0);
    for (let i = IA32_MTRR_FIX4K_C0000; i <= IA32_MTRR_FIX4K_F8000; i += 1) this.set(i, 0, 0);
    for (let i = 0; i < 2 * RANGES; i += 1) this.set(IA32_MTRR_PHYSBASE0 + i, 0, 0);
    for (let i = 0; i < 4 * BANKS; i += 1) this.set(IA32_MC0_CTL + i, 0, 0);
    this.set(IA32_APIC_BASE, 0xfee00000 | (this.#cpu.apicId === 0 ? APIC_BASE_BSP : 0) | APIC_BASE_EN, 0);
    this.set(IA32_MTRRCAP, MTRRCAP, 0);
    this.set(IA32_MCG_CAP, BANKS | (1 << 8), 0);
    this.set(IA32_MCG_CTL, -1, -1);
    this.set(IA32_MISC_ENABLE, 1, 0);
    this.set(IA32_PAT, PAT_RESET_HALF, PAT_RESET_HALF);
    const { extendedEdx, structuredEbx, structuredEcx, structuredEdx } = this.#cpu.model.features;
    if (this.#long) for (const register of [IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK, IA32_KERNEL_GS_BASE]) this.set(register, 0, 0);
    if (extendedEdx & CPUID_80000001_EDX_RDTSCP || structuredEcx & CPUID_7_ECX_RDPID) this.set(IA32_TSC_AUX, 0, 0);
    if (structuredEbx & CPUID_7_EBX_TSC_ADJUST) this.set(IA32_TSC_ADJUST, 0, 0);
    if (structuredEdx & CPUID_7_EDX_IBRS) this.set(IA32_SPEC_CTRL, 0, 0);
    if (structuredEdx & CPUID_7_EDX_ARCH_CAPABILITIES) this.set(IA32_ARCH_CAPABILITIES, IMMUNITIES, IMMUNITIES_HIGH);
  }

  /**
   * What a BIOS leaves in the MTRRs: memory is write-back, A0000h to BFFFFh and the last 512 MiB below 4 GiB are
   * uncacheable, C0000h to FFFFFh is write-protected. For machines that boot a kernel without a BIOS.
   */
  presetMemoryTypes(): void {
    const back = 0x06060606;
    const protect = 0x05050505;
    this.set(IA32_MTRR_FIX64K_00000, back, back);
    this.set(IA32_MTRR_FIX16K_80000, back, back);
    this.set(IA32_MTRR_FIX16K_A0000, 0, 0);
    for (let i = IA32_MTRR_FIX4K_C0000; i <= IA32_MTRR_FIX4K_F8000; i += 1) this.set(i, protect, protect);
    this.set(IA32_MTRR_PHYSBASE0, 0xe0000000, 0);
    this.set(IA32_MTRR_PHYSBASE0 + 1, 0xe0000800, 2 ** (this.#cpu.model.physicalBits - 32) - 1);
    this.set(IA32_MTRR_DEF_TYPE, 0xc06, 0);
  }

  get #long(): boolean {
    return (this.#cpu.model.features.extendedEdx & CPUID_80000001_EDX_LM) !== 0;
  }

  /** The low half of a stored register, unsigned. */
  value(register: number): number {
    return (this.#values.get(register | 0)?.low ?? 0) >>> 0;
  }

  /** The upper half of a stored register, unsigned. */
  high32(register: number): number {
    return (this.#values.get(register | 0)?.high ?? 0) >>> 0;
  }

  /** A stored register that holds a canonical address, as a signed number. */
  address(register: number): number {
    return (this.high32(register) | 0) * TWO_32 + this.value(register);
  }

  /** Stores a canonical address. */
  setAddress(register: number, address: number): void {
    this.set(register, address | 0, Math.floor(address / TWO_32));
  }

  /** Stores a register without any check. */
  set(register: number, low: number, high: number): void {
    const stored = this.#values.get(register | 0);
    if (stored === undefined) {
      const home = HOMES.get(register | 0);
      const value = home === undefined ? { low: 0, high: 0 } : inHotState(this.#cpu.state, home);
      value.low = low | 0;
      value.high = high | 0;
      this.#values.set(register | 0, value);
    } else {
      stored.low = low | 0;
      stored.high = high | 0;
    }
  }

  /** The time-stamp counter now: an integer, modulo 2^53. */
  get tsc(): number {
    return this.#cpu.timestamp() + this.tscOffset;
  }

  /** RDMSR: false when there is no such register; else `low` and `high`. */
  read(register: number): boolean {
    register >>>= 0;
    const foreign = this.foreign.get(register);
    if (foreign) return this.#give(foreign.read());
    if (register === IA32_TIME_STAMP_COUNTER) return this.#give({ low: this.tsc % TWO_32, high: Math.floor(this.tsc / TWO_32) });
    if (register === IA32_EFER && this.#eferMask !== 0) return this.#give({ low: this.#cpu.efer, high: 0 });
    if ((register === IA32_FS_BASE || register === IA32_GS_BASE) && this.#long) {
      const base = this.#cpu.state.segmentBase(register === IA32_FS_BASE ? FS : GS);
      return this.#give({ low: base | 0, high: Math.floor(base / TWO_32) });
    }
    const stored = this.#values.get(register | 0);
    return stored !== undefined && this.#give(stored);
  }

  /** WRMSR: false for #GP(0). */
  write(register: number, low: number, high: number): boolean {
    register >>>= 0;
    low |= 0;
    high |= 0;
    const foreign = this.foreign.get(register);
    if (foreign) return foreign.write(low, high);
    switch (register) {
      case IA32_TIME_STAMP_COUNTER:
        this.#moveTimeStamp((high >>> 0) % 0x20_0000 * TWO_32 + (low >>> 0) - this.tsc);
        return true;
      case IA32_TSC_ADJUST:
        if (!this.#values.has(register)) return false;
        this.#moveTimeStamp(high * TWO_32 + (low >>> 0) - this.address(register));
        return this.#store(register, low, high);
      case IA32_EFER: return this.#writeEfer(low, high);
      case IA32_BIOS_UPDT_TRIG: return true;
      case IA32_BIOS_SIGN_ID: return true;
      case IA32_APIC_BASE: return this.#writeApicBase(low, high);
      case IA32_MTRRCAP:
      case IA32_MCG_CAP:
      case IA32_ARCH_CAPABILITIES:
      case IA32_PLATFORM_ID: return false;
      case IA32_FS_BASE:
      case IA32_GS_BASE:
        if (!this.#long || !canonicalHalves(low, high)) return false;
        this.#cpu.state.setSegmentBase(register === IA32_FS_BASE ? FS : GS, high * TWO_32 + (low >>> 0));
        return true;
      case IA32_LSTAR:
      case IA32_CSTAR:
      case IA32_KERNEL_GS_BASE: return canonicalHalves(low, high) && this.#keep(register, low, high);
      case IA32_SYSENTER_ESP:
      case IA32_SYSENTER_EIP: return (!this.#long || canonicalHalves(low, high)) && this.#store(register, low, high);
      case IA32_SPEC_CTRL: return high === 0 && (low & ~SPEC_CTRL_BITS) === 0 && this.#keep(register, low, high);
      // Nothing is stored: it cannot be read.
      case IA32_PRED_CMD: return high === 0 && (low & ~PRED_CMD_IBPB) === 0 && (this.#cpu.model.features.structuredEdx & CPUID_7_EDX_IBRS) !== 0;
      case IA32_FMASK:
      case IA32_TSC_AUX: return high === 0 && this.#keep(register, low, high);
      case IA32_DEBUGCTL: return high === 0 && (low & ~3) === 0 && this.#store(register, low, high);
      case IA32_PAT: {
        const valid = (type: number): boolean => memoryType(type) || type === 7;
        return everyByte(low, valid) && everyByte(high, valid) && this.#store(register, low, high);
      }
      case IA32_MTRR_DEF_TYPE:
        return high === 0 && (low & ~0xcff) === 0 && memoryType(low & 0xff) && this.#store(register, low, high);
    }
    if (register >= IA32_MTRR_FIX64K_00000 && register <= IA32_MTRR_FIX4K_F8000 && this.#values.has(register | 0)) {
      return everyByte(low, memoryType) && everyByte(high, memoryType) && this.#store(register, low, high);
    }
    if (register >= IA32_MTRR_PHYSBASE0 && register < IA32_MTRR_PHYSBASE0 + 2 * RANGES) {
      const wide = high >>> 0 >= 2 ** (this.#cpu.model.physicalBits - 32);
      const bad = register & 1 ? low & 0x7ff : low & 0xf00 || !memoryType(low & 0xff);
      return !wide && !bad && this.#store(register, low, high);
    }
    if (register >= IA32_MC0_CTL && register < IA32_MC0_CTL + 4 * BANKS) {
      // Status, address and miscellaneous information may only be cleared.
      return ((register & 3) === 0 || (low | high) === 0) && this.#store(register, low, high);
    }
    return this.#values.has(register | 0) && this.#store(register, low, high);
  }

  /** All stored registers, for a save. */
  entries(): { register: number; low: number; high: number }[] {
    return [...this.#values].map(([register, { low, high }]) => ({ register: register >>> 0, low, high })).sort((a, b) => a.register - b.register);
  }

  #give(value: { low: number; high: number }): true {
    this.low = value.low | 0;
    this.high = value.high | 0;
    return true;
  }

  /** Stores a register if this model has it. */
  #keep(register: number, low: number, high: number): boolean {
    return this.#values.has(register | 0) && this.#store(register, low, high);
  }

  #store(register: number, low: number, high: number): true {
    this.set(register, low, high);
    return true;
  }

  get #eferMask(): number {
    const { extendedEdx } = this.#cpu.model.features;
    return (extendedEdx & CPUID_80000001_EDX_NX ? EFER_NXE : 0) | (this.#long ? EFER_SCE | EFER_LME : 0);
  }

  #writeEfer(low: number, high: number): boolean {
    const cpu = this.#cpu;
    const mask = this.#eferMask;
    if (mask === 0 || high !== 0 || low & ~(mask | EFER_LMA)) return false;
    if ((low ^ cpu.efer) & EFER_LME && cpu.cr0 < 0) return false;
    const changed = (low ^ cpu.efer) & EFER_NXE;
    cpu.efer = (low & mask) | (cpu.efer & EFER_LMA);
    if (changed) cpu.applyPaging();
    cpu.updateMode();
    return true;
  }

  /** Adds to the time-stamp counter, and to IA32_TSC_ADJUST, which keeps the sum of all that was added (SDM volume 3, 18.17.3). */
  #moveTimeStamp(counts: number): void {
    this.tscOffset += counts;
    if (this.#values.has(IA32_TSC_ADJUST)) this.setAddress(IA32_TSC_ADJUST, this.address(IA32_TSC_ADJUST) + counts);
    this.onTimeStamp?.();
  }

  #writeApicBase(low: number, high: number): boolean {
    if (low & 0x6ff || high >>> 0 >= 2 ** (this.#cpu.model.physicalBits - 32)) return false;
    this.set(IA32_APIC_BASE, low, high);
    this.onApicBase?.(low, high);
    return true;
  }
}
