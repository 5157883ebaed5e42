/**
 * Debug registers, single step and what is looked at between two instructions (SDM volume 3, 17.2 and 17.3). The engine
 * calls {@link beforeInstruction} and {@link afterInstruction} while the mode key has MODE_STEP, and only then.
 */
import { CR4_DE, DR6_BD, DR6_BS, DR7_GD, EFLAGS_RF, EFLAGS_TF, VECTOR_DB, VECTOR_GP, VECTOR_UD } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { SHADOW_NONE, SHADOW_STACK } from "../activity.ts";
import { CS } from "../state-layout.ts";
import { hostWatchedPages, noteHostAccess } from "./host-watchpoints.ts";

/** Bits of DR6 that read as one, and bits that read as zero. */
const DR6_ONES = 0xffff0ff0;
const DR6_ZEROS = 1 << 12;
const DR7_ONES = 1 << 10;
const DR7_ZEROS = (1 << 11) | (1 << 12) | (1 << 14) | (1 << 15);

const ON_EXECUTE = 0;
const ON_WRITE = 1;
const ON_IO = 2;
const ON_ACCESS = 3;

/** Bookkeeping around one instruction. */
export interface DebugState {
  /** DR6 bits that the running instruction earned; they trap when it ends. */
  pending: number;
  /** TF was set when the instruction began. */
  trap: boolean;
  /** RF was set when the instruction began. */
  resume: boolean;
  /** The instruction loaded RF itself (IRET, a task switch). */
  resumeLoaded: boolean;
  /** The interrupt shadow when the instruction began. */
  shadow: number;
}

/** The bookkeeping after reset. */
export function noDebugState(): DebugState {
  return { pending: 0, trap: false, resume: false, resumeLoaded: false, shadow: SHADOW_NONE };
}

function enabled(cpu: Cpu, index: number): boolean {
  return ((cpu.dr[7] >>> (2 * index)) & 3) !== 0;
}

function condition(cpu: Cpu, index: number): number {
  return (cpu.dr[7] >>> (16 + 4 * index)) & 3;
}

function length(cpu: Cpu, index: number): number {
  return [1, 2, 8, 4][(cpu.dr[7] >>> (18 + 4 * index)) & 3];
}

/** Records #DB with more bits in DR6. Returns false. */
function raiseDebug(cpu: Cpu, bits: number): false {
  cpu.dr[6] = (cpu.dr[6] | bits) >>> 0;
  return cpu.fault(VECTOR_DB);
}

/** Looks before an instruction: pending traps of the one before, then instruction breakpoints. False: #DB is recorded. */
export function beforeInstruction(cpu: Cpu): boolean {
  const { state, debug } = cpu;
  if (debug.pending && cpu.shadow !== SHADOW_STACK) {
    const bits = debug.pending;
    debug.pending = 0;
    cpu.updateMode();
    return raiseDebug(cpu, bits);
  }
  debug.trap = (state.systemFlags & EFLAGS_TF) !== 0;
  debug.resume = (state.systemFlags & EFLAGS_RF) !== 0;
  debug.resumeLoaded = false;
  debug.shadow = cpu.shadow;
  if (debug.resume || !(cpu.dr[7] & 0xff) || cpu.shadow === SHADOW_STACK) return true;
  const linear = cpu.wrap(state.segmentBase(CS) + state.rip);
  let hit = 0;
  for (let i = 0; i < 4; i += 1) {
    if (enabled(cpu, i) && condition(cpu, i) === ON_EXECUTE && cpu.dr[i] === linear) hit |= 1 << i;
  }
  return hit === 0 || raiseDebug(cpu, hit);
}

/** Looks after an instruction that did not fault: RF and the shadow end, and traps are recorded. False: #DB. */
export function afterInstruction(cpu: Cpu): boolean {
  const { state, debug } = cpu;
  if (debug.resume && !debug.resumeLoaded) state.systemFlags &= ~EFLAGS_RF;
  if (debug.shadow !== SHADOW_NONE) cpu.shadow = SHADOW_NONE;
  const held = cpu.shadow === SHADOW_STACK;
  // MOV SS holds data breakpoints back for one instruction, and loses the single step.
  const bits = held ? 0 : debug.pending | (debug.trap ? DR6_BS : 0);
  if (!held) debug.pending = 0;
  debug.trap = debug.resume = debug.resumeLoaded = false;
  debug.shadow = SHADOW_NONE;
  cpu.updateMode();
  return bits === 0 || raiseDebug(cpu, bits);
}

/** Tells observers of an access, and notes data breakpoints that an access of `size` bytes hits. */
export function noteDataAccess(cpu: Cpu, linear: number, size: number, write: boolean): void {
  cpu.onAccess?.(linear, size, write);
  if (cpu.watchpoints.length > 0) noteHostAccess(cpu, linear, size, write);
  for (let i = 0; i < 4; i += 1) {
    const kind = condition(cpu, i);
    if (!enabled(cpu, i) || !(kind === ON_ACCESS || (kind === ON_WRITE && write))) continue;
    if (overlaps(cpu, i, linear, size)) cpu.debug.pending |= 1 << i;
  }
}

/** Notes I/O breakpoints (CR4.DE) that an access of a port hits. */
export function notePortAccess(cpu: Cpu, port: number, size: number): void {
  if (!(cpu.dr[7] & 0xff) || !(cpu.cr4 & CR4_DE)) return;
  for (let i = 0; i < 4; i += 1) {
    if (enabled(cpu, i) && condition(cpu, i) === ON_IO && overlaps(cpu, i, port, size)) cpu.debug.pending |= 1 << i;
  }
}

function overlaps(cpu: Cpu, index: number, from: number, size: number): boolean {
  const bytes = length(cpu, index);
  const start = cpu.dr[index] - (((cpu.dr[index] % bytes) + bytes) % bytes);
  return from < start + bytes && start < from + size;
}

/** DR4 and DR5 are DR6 and DR7, unless CR4.DE is set: #UD. #GP(0) outside level 0, #DB with BD under general detect. */
function select(cpu: Cpu, index: number): number {
  if (index >= 8 || ((index === 4 || index === 5) && cpu.cr4 & CR4_DE)) {
    cpu.fault(VECTOR_UD);
    return -1;
  }
  if (cpu.state.cpl !== 0) {
    cpu.fault(VECTOR_GP, 0);
    return -1;
  }
  if (cpu.dr[7] & DR7_GD) {
    raiseDebug(cpu, DR6_BD);
    return -1;
  }
  return index === 4 || index === 5 ? index + 2 : index;
}

/** MOV from DRn: the value goes to SCRATCH. */
export function readDebug(cpu: Cpu, index: number): boolean {
  const n = select(cpu, index);
  if (n < 0) return false;
  cpu.state.setScratch64(cpu.dr[n] | 0, Math.floor(cpu.dr[n] / 0x1_0000_0000));
  return true;
}

/** MOV to DRn. */
export function writeDebug(cpu: Cpu, index: number, low: number, high: number): boolean {
  const n = select(cpu, index);
  if (n < 0) return false;
  if (cpu.longMode && n >= 6 && high !== 0) return cpu.fault(VECTOR_GP, 0);
  if (n === 6) cpu.dr[6] = ((low & ~DR6_ZEROS) | DR6_ONES) >>> 0;
  else if (n === 7) cpu.dr[7] = ((low & ~DR7_ZEROS) | DR7_ONES) >>> 0;
  else cpu.dr[n] = cpu.longMode ? high * 0x1_0000_0000 + (low >>> 0) : low >>> 0;
  applyBreakpoints(cpu);
  return true;
}

/** Tells the MMU which pages may not be accessed inline, and recomputes the mode. */
export function applyBreakpoints(cpu: Cpu): void {
  const pages = new Set<number>(hostWatchedPages(cpu));
  for (let i = 0; i < 4; i += 1) {
    const kind = condition(cpu, i);
    if (enabled(cpu, i) && (kind === ON_WRITE || kind === ON_ACCESS)) pages.add(cpu.dr[i] - (cpu.dr[i] & 0xfff));
  }
  if (pages.size > 0 || cpu.mmu.isWatching) cpu.mmu.watch([...pages]);
  cpu.mmu.isObserved = cpu.onAccess !== undefined;
  cpu.dataBreakpoints = pages.size > 0 || cpu.onAccess !== undefined;
  cpu.updateMode();
}
