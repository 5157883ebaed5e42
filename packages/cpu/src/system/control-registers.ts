/**
 * Control registers (SDM volume 3, 2.5; volume 2, MOV - Move to/from Control Registers): which changes are allowed, and
 * what follows from them for paging, segments and the mode.
 */
import {
  CR0_AM, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NE, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, DESCRIPTOR_L,
  EFER_LMA, EFER_LME, VECTOR_GP, VECTOR_UD,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { CS } from "../state-layout.ts";

const CR0_DEFINED = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
const TWO_32 = 0x1_0000_0000;

/** #GP(0) outside privilege level 0. */
export function requireSupervisor(cpu: Cpu): boolean {
  return cpu.state.cpl === 0 || cpu.fault(VECTOR_GP, 0);
}

/** MOV from CRn: the value goes to SCRATCH. */
export function readControl(cpu: Cpu, index: number): boolean {
  if (index !== 0 && index !== 2 && index !== 3 && index !== 4) return cpu.fault(VECTOR_UD);
  if (!requireSupervisor(cpu)) return false;
  const value = index === 0 ? cpu.cr0 : index === 2 ? cpu.cr2 : index === 3 ? cpu.cr3 : cpu.cr4;
  cpu.state.setScratch64(value | 0, index === 0 ? 0 : Math.floor(value / TWO_32));
  return true;
}

/** MOV to CRn. #UD, #GP(0). */
export function writeControl(cpu: Cpu, index: number, low: number, high: number): boolean {
  if (index !== 0 && index !== 2 && index !== 3 && index !== 4) return cpu.fault(VECTOR_UD);
  if (!requireSupervisor(cpu)) return false;
  if (!cpu.longMode) high = 0;
  switch (index) {
    case 0: return high === 0 ? writeCr0(cpu, low | 0) : cpu.fault(VECTOR_GP, 0);
    case 2:
      cpu.cr2 = high * TWO_32 + (low >>> 0);
      return true;
    case 3: return writeCr3(cpu, high * TWO_32 + (low >>> 0));
    default: return high === 0 ? writeCr4(cpu, low | 0) : cpu.fault(VECTOR_GP, 0);
  }
}

/** True when the PDPTE registers are in use. */
function threeLevel(cr0: number, cr4: number, efer: number): boolean {
  return (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0 && !(efer & EFER_LME);
}

function writeCr0(cpu: Cpu, value: number): boolean {
  value = (value & CR0_DEFINED) | CR0_ET;
  if (value & CR0_PG && !(value & CR0_PE)) return cpu.fault(VECTOR_GP, 0);
  if (value & CR0_NW && !(value & CR0_CD)) return cpu.fault(VECTOR_GP, 0);
  const changed = cpu.cr0 ^ value;
  const long = (cpu.efer & EFER_LME) !== 0;
  if (changed & CR0_PG && long) {
    const code64 = (cpu.state.segmentAttributes(CS) & DESCRIPTOR_L) !== 0;
    if (value & CR0_PG ? !(cpu.cr4 & CR4_PAE) || code64 : code64) return cpu.fault(VECTOR_GP, 0);
  }
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

function writeCr3(cpu: Cpu, value: number): boolean {
  if (value >= 2 ** cpu.model.physicalBits && cpu.efer & EFER_LMA) return cpu.fault(VECTOR_GP, 0);
  if (threeLevel(cpu.cr0, cpu.cr4, cpu.efer) && !cpu.mmu.loadPdptes(value)) return cpu.fault(VECTOR_GP, 0);
  cpu.cr3 = value;
  cpu.mmu.setRoot(value);
  return true;
}

function writeCr4(cpu: Cpu, value: number): boolean {
  if (value & ~cpu.model.cr4) return cpu.fault(VECTOR_GP, 0);
  const changed = cpu.cr4 ^ value;
  if (changed & CR4_PAE && cpu.efer & EFER_LMA) return cpu.fault(VECTOR_GP, 0);
  const paging = changed & (CR4_PAE | CR4_PSE | CR4_PGE);
  if (paging && threeLevel(cpu.cr0, value, cpu.efer) && !cpu.mmu.loadPdptes(cpu.cr3)) return cpu.fault(VECTOR_GP, 0);
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
