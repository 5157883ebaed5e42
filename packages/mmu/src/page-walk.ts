/**
 * Guest page walks: linear to physical, as SDM volume 3, chapter 4 "Paging" has them. The walk reads every level, decides
 * (present, reserved bits, rights), and only then sets accessed and dirty bits, so a fault leaves the tables as they were.
 *
 *   32-bit   10 | 10 | 12      32-bit entries, 4 MiB pages with CR4.PSE (PSE-36: bits 13-20 are address bits 32-39)
 *   PAE       2 | 9 | 9 | 12   64-bit entries, the four PDPTEs are registers, 2 MiB pages
 *   4-level   9 | 9 | 9 | 9 | 12   64-bit entries, 2 MiB and 1 GiB pages
 */
import type { TableMemory } from "./physical.ts";

/** Kinds of access. */
export const READ = 0;
export const WRITE = 1;
export const EXECUTE = 2;
export type Access = typeof READ | typeof WRITE | typeof EXECUTE;

/** Page-fault error code bits (SDM 4.7). */
export const PF_P = 1;
export const PF_W = 2;
export const PF_U = 4;
export const PF_RSVD = 8;
export const PF_I = 16;

const PTE_P = 1 << 0;
const PTE_W = 1 << 1;
const PTE_U = 1 << 2;
const PTE_A = 1 << 5;
const PTE_D = 1 << 6;
const PTE_PS = 1 << 7;
const PTE_G = 1 << 8;
const PTE_XD_HIGH = 1 << 31;

const TWO_32 = 0x1_0000_0000;

/** The control-register bits that decide how a linear address is translated. All false is "no paging". */
export interface PagingMode {
  /** CR0.PG */
  paging: boolean;
  /** CR0.WP: supervisor writes respect R/W. */
  writeProtect: boolean;
  /** CR4.PSE: 4 MiB pages in 32-bit paging. */
  pageSizeExtension: boolean;
  /** CR4.PAE */
  physicalAddressExtension: boolean;
  /** CR4.PGE */
  globalPages: boolean;
  /** EFER.NXE */
  noExecute: boolean;
  /** EFER.LMA: 4-level paging. */
  longMode: boolean;
  /** 1 GiB pages exist; without them PS in a PDPTE is reserved. */
  gigabytePages: boolean;
  /** CR4.SMEP: no fetches from user pages with supervisor privilege. */
  executionPrevention: boolean;
  /** CR4.SMAP: no data accesses of user pages with supervisor privilege, unless {@link accessOpen}. */
  accessPrevention: boolean;
  /** EFLAGS.AC lifts SMAP for the access at hand. */
  accessOpen: boolean;
  /** CR3, as a number. */
  root: number;
  /** MAXPHYADDR, 32 to 52. */
  physicalBits: number;
  /** PAE paging: the PDPTE registers as low and high halves, index 2i and 2i+1. */
  readonly pdptes: Int32Array;
}

/** A paging mode as after reset. */
export function createPagingMode(): PagingMode {
  return {
    paging: false, writeProtect: false, pageSizeExtension: false, physicalAddressExtension: false,
    globalPages: false, noExecute: false, longMode: false, gigabytePages: false, executionPrevention: false, accessPrevention: false,
    accessOpen: false, root: 0, physicalBits: 36, pdptes: new Int32Array(8),
  };
}

/** The result of a walk. One object is reused, so that a walk allocates nothing. */
export class Translation {
  /** Physical address of the byte asked for. */
  physical = 0;
  /** log2 of the page's size: 12, 21, 22 or 30. */
  pageShift = 12;
  /** R/W of all levels. */
  write = false;
  /** U/S of all levels. */
  user = false;
  /** Instructions may be fetched (no XD on any level, or EFER.NXE clear). */
  execute = false;
  /** G of the leaf, with CR4.PGE. */
  global = false;
  /** D of the leaf after this access. */
  dirty = false;
  /** Page-fault error code after a failed walk. */
  faultCode = 0;
}

function refuse(mode: PagingMode, access: Access, user: boolean, bits: number, out: Translation): false {
  const fetch = access === EXECUTE && (mode.executionPrevention || (mode.noExecute && mode.physicalAddressExtension));
  out.faultCode = bits | (access === WRITE ? PF_W : 0) | (user ? PF_U : 0) | (fetch ? PF_I : 0);
  return false;
}

/** SDM 4.6.1: does the combination of all levels' bits allow this access? */
function allowed(mode: PagingMode, access: Access, user: boolean, out: Translation): boolean {
  if (user && !out.user) return false;
  if (!user && out.user && (access === EXECUTE ? mode.executionPrevention : mode.accessPrevention && !mode.accessOpen)) return false;
  if (access === WRITE) return out.write || (!user && !mode.writeProtect);
  return access !== EXECUTE || out.execute;
}

/** Bits 63:32 that must be zero in a 64-bit entry. */
export function reservedHigh(mode: PagingMode): number {
  const address = mode.physicalBits >= 52 ? 0 : (0xfffff << (mode.physicalBits - 32)) & 0xfffff;
  // Bits 62:52 are ignored with 4-level paging and reserved with PAE paging (tables 4-10 and 4-11).
  return address | (mode.longMode ? 0 : 0x7ff00000) | (mode.noExecute ? 0 : PTE_XD_HIGH);
}

function walk32(memory: TableMemory, mode: PagingMode, linear: number, access: Access, user: boolean, out: Translation): boolean {
  const pdeAddress = (mode.root & 0xfffff000) + ((linear >>> 22) << 2) >>> 0;
  const pde = memory.read32(pdeAddress);
  if (!(pde & PTE_P)) return refuse(mode, access, user, 0, out);
  out.execute = true;
  if (pde & PTE_PS && mode.pageSizeExtension) {
    const addressBits = Math.min(mode.physicalBits, 40) - 32;
    const reserved = 0x3fe000 & ~(((1 << addressBits) - 1) << 13);
    if (pde & reserved) return refuse(mode, access, user, PF_P | PF_RSVD, out);
    out.write = (pde & PTE_W) !== 0;
    out.user = (pde & PTE_U) !== 0;
    if (!allowed(mode, access, user, out)) return refuse(mode, access, user, PF_P, out);
    const marked = pde | PTE_A | (access === WRITE ? PTE_D : 0);
    if (marked !== (pde | 0)) memory.write32(pdeAddress, marked);
    out.pageShift = 22;
    out.global = (pde & PTE_G) !== 0 && mode.globalPages;
    out.dirty = (marked & PTE_D) !== 0;
    out.physical = ((pde >>> 13) & 0xff) * TWO_32 + ((pde & 0xffc00000) >>> 0) + (linear & 0x3fffff);
    return true;
  }
  const pteAddress = (pde & 0xfffff000) + (((linear >>> 12) & 0x3ff) << 2) >>> 0;
  const pte = memory.read32(pteAddress);
  if (!(pte & PTE_P)) return refuse(mode, access, user, 0, out);
  out.write = (pde & pte & PTE_W) !== 0;
  out.user = (pde & pte & PTE_U) !== 0;
  if (!allowed(mode, access, user, out)) return refuse(mode, access, user, PF_P, out);
  if (!(pde & PTE_A)) memory.write32(pdeAddress, pde | PTE_A);
  const marked = pte | PTE_A | (access === WRITE ? PTE_D : 0);
  if (marked !== (pte | 0)) memory.write32(pteAddress, marked);
  out.pageShift = 12;
  out.global = (pte & PTE_G) !== 0 && mode.globalPages;
  out.dirty = (marked & PTE_D) !== 0;
  out.physical = ((pte & 0xfffff000) >>> 0) + (linear & 0xfff);
  return true;
}

/** Addresses and values of the entries that a walk went through, for the accessed bits. */
const passed = new Float64Array(4);
const passedLow = new Int32Array(4);

/** Walks 64-bit entries from `table` downwards; `shift` is the first level's. */
function walk64(
  memory: TableMemory, mode: PagingMode, linear: number, access: Access, user: boolean, out: Translation,
  table: number, shift: number,
): boolean {
  const low = linear | 0;
  const high = Math.floor(linear / TWO_32);
  const reserved = reservedHigh(mode);
  let count = 0;
  let write = PTE_W, writeUser = PTE_U, executeNever = 0;
  for (;;) {
    const index = shift >= 32 ? (high >>> (shift - 32)) & 0x1ff
      : shift > 23 ? ((low >>> shift) | (high << (32 - shift))) & 0x1ff
      : (low >>> shift) & 0x1ff;
    const address = table + index * 8;
    const entry = memory.read32(address);
    if (!(entry & PTE_P)) return refuse(mode, access, user, 0, out);
    const entryHigh = memory.read32(address + 4);
    const large = (shift === 21 || (shift === 30 && mode.gigabytePages)) && (entry & PTE_PS) !== 0;
    let bad = (entryHigh & reserved) !== 0 || (shift > 21 && !large && (entry & PTE_PS) !== 0);
    if (large) bad ||= shift === 21 ? (entry & 0x1fe000) !== 0 : (entry & 0x3fffe000) !== 0;
    if (bad) return refuse(mode, access, user, PF_P | PF_RSVD, out);
    write &= entry;
    writeUser &= entry;
    executeNever |= entryHigh & PTE_XD_HIGH;
    passed[count] = address;
    passedLow[count] = entry;
    count += 1;
    table = (entryHigh & 0xfffff) * TWO_32 + ((entry & 0xfffff000) >>> 0);
    if (!large && shift > 12) {
      shift -= 9;
      continue;
    }
    out.write = write !== 0;
    out.user = writeUser !== 0;
    out.execute = executeNever === 0;
    if (!allowed(mode, access, user, out)) return refuse(mode, access, user, PF_P, out);
    for (let i = 0; i < count; i += 1) {
      const leaf = i === count - 1;
      const wanted = PTE_A | (leaf && access === WRITE ? PTE_D : 0);
      if ((passedLow[i] & wanted) === wanted) continue;
      memory.write32(passed[i], memory.read32(passed[i]) | wanted);
    }
    const size = 1 << shift;
    out.pageShift = shift;
    out.global = (entry & PTE_G) !== 0 && mode.globalPages;
    out.dirty = access === WRITE || (entry & PTE_D) !== 0;
    out.physical = table - (table % size) + (low & (size - 1));
    return true;
  }
}

/**
 * Translates a linear address. Returns false for a page fault, with `out.faultCode`; the tables are then unchanged.
 *
 * @param linear unsigned below 2^32, or with `longMode` a canonical address as a signed number
 * @param user true for an access with user privilege
 */
export function walk(memory: TableMemory, mode: PagingMode, linear: number, access: Access, user: boolean, out: Translation): boolean {
  if (!mode.paging) {
    out.physical = linear;
    out.pageShift = 12;
    out.write = out.user = out.execute = out.dirty = true;
    out.global = false;
    return true;
  }
  if (!mode.physicalAddressExtension) return walk32(memory, mode, linear, access, user, out);
  if (mode.longMode) return walk64(memory, mode, linear, access, user, out, mode.root - (mode.root % 4096), 39);
  const index = linear >>> 30;
  const pdpte = mode.pdptes[2 * index];
  if (!(pdpte & PTE_P)) return refuse(mode, access, user, 0, out);
  const table = (mode.pdptes[2 * index + 1] & 0xfffff) * TWO_32 + ((pdpte & 0xfffff000) >>> 0);
  return walk64(memory, mode, linear, access, user, out, table, 21);
}

/**
 * Loads the four PDPTE registers from the table at CR3 (SDM 4.4.1). Returns false, with the registers unchanged, when a
 * present entry has a reserved bit set: MOV to CR0, CR3 or CR4 then raises #GP(0).
 */
export function loadPdptes(memory: TableMemory, mode: PagingMode, root: number): boolean {
  const base = root - (root % 32);
  const halves = new Int32Array(8);
  const addressHigh = mode.physicalBits >= 64 ? 0 : ~((1 << (mode.physicalBits - 32)) - 1);
  for (let i = 0; i < 4; i += 1) {
    const low = memory.read32(base + 8 * i);
    const high = memory.read32(base + 8 * i + 4);
    if (low & PTE_P && (low & 0x1e6 || high & addressHigh)) return false;
    halves[2 * i] = low;
    halves[2 * i + 1] = high;
  }
  mode.pdptes.set(halves);
  return true;
}
