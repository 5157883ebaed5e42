/**
 * Control registers (SDM volume 3, 2.5; volume 2, MOV - Move to/from Control Registers): which changes are allowed, and
 * what follows from them for paging, segments and the mode. Entering and leaving IA-32e mode: volume 3, 9.8.5.
 */
import {
  CR0_AM, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PSE, CR4_SMAP,
  CR4_SMEP, CR4_UMIP, DESCRIPTOR_L, DESCRIPTOR_TYPE, EFER_LMA, EFER_LME, TYPE_TSS16_AVAILABLE, TYPE_TSS16_BUSY, VECTOR_GP, VECTOR_UD,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS, TR } from "../state-layout.ts";

const CR0_DEFINED = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
/** MOV to CR3: do not forget the translations of the new process context. */
const CR3_KEEP_HIGH = 1 << 31;
const CR3_PCID = 0xfff;
const TWO_32 = 0x1_0000_0000;

/** #GP(0) outside privilege level 0. */
export function requireSupervisor(cpu: Cpu): boolean {
  return cpu.state.cpl === 0 || cpu.fault(VECTOR_GP, 0);
}

/** #GP(0) outside privilege level 0 while CR4.UMIP keeps SGDT, SIDT, SLDT, SMSW and STR for it. */
export function requireUserPermission(cpu: Cpu): boolean {
  return !(cpu.cr4 & CR4_UMIP) || requireSupervisor(cpu);
}

/** CR0, CR2, CR3, CR4 and CR8; the others are #UD. */
function exists(index: number): boolean {
  return index === 0 || (index >= 2 && index <= 4) || index === 8;
}

/** MOV from CRn: the value goes to SCRATCH. */
export function readControl(cpu: Cpu, index: number): boolean {
  if (!exists(index)) return cpu.fault(VECTOR_UD);
  if (!requireSupervisor(cpu)) return false;
  if (index === 8) {
    cpu.state.setScratch64(cpu.priority.taskPriority, 0);
    return true;
  }
  const value = index === 0 ? cpu.cr0 : index === 2 ? cpu.cr2 : index === 3 ? cpu.cr3 : cpu.cr4;
  cpu.state.setScratch64(value | 0, index === 0 || index === 4 ? 0 : Math.floor(value / TWO_32));
  return true;
}

/** MOV to CRn. #UD, #GP(0). */
export function writeControl(cpu: Cpu, index: number, low: number, high: number): boolean {
  if (!exists(index)) return cpu.fault(VECTOR_UD);
  if (!requireSupervisor(cpu)) return false;
  if (!cpu.longMode) high = 0;
  switch (index) {
    case 0: return high === 0 ? writeCr0(cpu, low | 0) : cpu.fault(VECTOR_GP, 0);
    case 2:
      cpu.cr2 = high * TWO_32 + (low >>> 0);
      return true;
    case 3: return writeCr3(cpu, low >>> 0, high);
    case 8:
      if (high !== 0 || low >>> 0 > 15) return cpu.fault(VECTOR_GP, 0);
      cpu.priority.taskPriority = low;
      return true;
    default: return high === 0 ? writeCr4(cpu, low | 0) : cpu.fault(VECTOR_GP, 0);
  }
}

/** True when the PDPTE registers are in use. */
function threeLevel(cr0: number, cr4: number, efer: number): boolean {
  return (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0 && !(efer & EFER_LME);
}

/** May paging be turned on, or off, with EFER.LME set? */
function switchesLongMode(cpu: Cpu, on: boolean): boolean {
  const { state } = cpu;
  if (state.segmentAttributes(CS) & DESCRIPTOR_L) return false;
  if (!on) return true;
  const task = (state.segmentAttributes(TR) & DESCRIPTOR_TYPE) >> 8;
  return (cpu.cr4 & CR4_PAE) !== 0 && task !== TYPE_TSS16_AVAILABLE && task !== TYPE_TSS16_BUSY;
}

function writeCr0(cpu: Cpu, value: number): boolean {
  value = (value & CR0_DEFINED) | CR0_ET;
  if (value & CR0_PG && !(value & CR0_PE)) return cpu.fault(VECTOR_GP, 0);
  if (value & CR0_NW && !(value & CR0_CD)) return cpu.fault(VECTOR_GP, 0);
  if (!(value & CR0_PG) && cpu.cr4 & CR4_PCIDE) return cpu.fault(VECTOR_GP, 0);
  const changed = cpu.cr0 ^ value;
  const long = (cpu.efer & EFER_LME) !== 0;
  if (changed & CR0_PG && long && !switchesLongMode(cpu, (value & CR0_PG) !== 0)) return cpu.fault(VECTOR_GP, 0);
  if (changed & (CR0_PG | CR0_CD | CR0_NW) && threeLevel(value, cpu.cr4, cpu.efer) && !cpu.mmu.loadPdptes(cpu.cr3)) {
    return cpu.fault(VECTOR_GP, 0);
  }
  cpu.cr0 = value;
  if (changed & CR0_PG && long) cpu.efer = value & CR0_PG ? cpu.efer | EFER_LMA : cpu.efer & ~EFER_LMA;
  if (changed & (CR0_PG | CR0_PE | CR0_WP)) cpu.applyPaging();
  if (changed & CR0_PE) cpu.deriveSegments();
  else cpu.updateMode();
  return true;
}

/**
 * With process contexts (CR4.PCIDE) bit 63 is no part of the value. The TLB holds one context at a time: another one begins empty,
 * as the manual allows at any time, and bit 63 keeps what belongs to the same one.
 */
function writeCr3(cpu: Cpu, low: number, high: number): boolean {
  const contexts = (cpu.cr4 & CR4_PCIDE) !== 0;
  const keep = contexts && (high & CR3_KEEP_HIGH) !== 0;
  if (contexts) high &= ~CR3_KEEP_HIGH;
  const value = (high >>> 0) * TWO_32 + low;
  if (value >= 2 ** cpu.model.physicalBits && cpu.ia32e) return cpu.fault(VECTOR_GP, 0);
  if (threeLevel(cpu.cr0, cpu.cr4, cpu.efer) && !cpu.mmu.loadPdptes(value)) return cpu.fault(VECTOR_GP, 0);
  const same = ((cpu.cr3 ^ value) & CR3_PCID) === 0;
  cpu.cr3 = value;
  cpu.mmu.setRoot(value, keep && same);
  return true;
}

function writeCr4(cpu: Cpu, value: number): boolean {
  if (value & ~cpu.model.cr4) return cpu.fault(VECTOR_GP, 0);
  const changed = cpu.cr4 ^ value;
  if (changed & CR4_PAE && cpu.ia32e) return cpu.fault(VECTOR_GP, 0);
  if (changed & value & CR4_PCIDE && (!cpu.ia32e || cpu.cr3 & CR3_PCID)) return cpu.fault(VECTOR_GP, 0);
  const paging = changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP);
  if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP) && threeLevel(cpu.cr0, value, cpu.efer) && !cpu.mmu.loadPdptes(cpu.cr3)) {
    return cpu.fault(VECTOR_GP, 0);
  }
  cpu.cr4 = value;
  if (paging) cpu.applyPaging();
  cpu.updateMode();
  return true;
}

/** LMSW: PE may be set but not cleared. */
export function loadMachineStatus(cpu: Cpu, value: number): boolean {
  if (!requireSupervisor(cpu)) return false;
  const mask = CR0_MP | CR0_EM | CR0_TS;
  return writeCr0(cpu, (cpu.cr0 & ~mask) | (value & (mask | CR0_PE)));
}

/** CLTS. */
export function clearTaskSwitched(cpu: Cpu): boolean {
  if (!requireSupervisor(cpu)) return false;
  cpu.cr0 &= ~CR0_TS;
  cpu.updateMode();
  return true;
}
