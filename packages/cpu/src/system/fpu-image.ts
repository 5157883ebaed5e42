/**
 * Memory images of the x87 and SSE state: FXSAVE/FXRSTOR, FSTENV/FLDENV and FSAVE/FRSTOR in their four layouts (SDM volume
 * 1, 8.1.10, figures 8-9 to 8-12, and 10.5.1).
 */
import { CR0_EM, CR0_TS, CR4_OSFXSR, FCW_RESET, FSW_B, FSW_ES, MXCSR_WRITABLE, VECTOR_GP, VECTOR_NM } from "@doppel/x86";
import type { Cpu } from "../cpu.ts";

/** Bytes of FXSAVE's image, and of the legacy area of XSAVE's. */
export const LEGACY_SIZE = 512;
const TWO_32 = 0x1_0000_0000;
/** Bytes that FXSAVE leaves alone begin here: the reserved and the software area. */
const FXSAVE_WRITTEN = 416;
const EXCEPTIONS = 0x3f;

/** A control word as the register holds it: bits that do not exist are zero, bit 6 is one. */
function controlWord(word: number): number {
  return (word & 0x1f3f) | 0x40;
}

function top(status: number): number {
  return (status >>> 11) & 7;
}

/** ES and B follow from the unmasked exceptions (SDM volume 1, 8.1.3.3). */
function withSummary(status: number, control: number): number {
  const summary = FSW_ES | FSW_B;
  return status & ~control & EXCEPTIONS ? status | summary : status & ~summary;
}

function available(cpu: Cpu): boolean {
  return !(cpu.cr0 & (CR0_EM | CR0_TS)) || cpu.fault(VECTOR_NM);
}

/** Bytes of FXSAVE's image that hold registers: eight XMM registers, or sixteen in 64-bit mode. */
function registerBytes(cpu: Cpu): number {
  return cpu.longMode ? FXSAVE_WRITTEN : FXSAVE_WRITTEN - 128;
}

/** The registers as FXSAVE writes them. With operand size 8, the x87 pointers have 64 bits and no selectors. */
export function legacyImage(cpu: Cpu, size: number): Uint8Array {
  const { state } = cpu;
  const bytes = new Uint8Array(registerBytes(cpu));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, state.fpuControl, true);
  view.setUint16(2, state.fpuStatus, true);
  view.setUint8(4, state.fpuTags);
  view.setUint16(6, state.fpuOpcode, true);
  view.setUint32(8, state.fpuIp >>> 0, true);
  view.setUint32(16, state.fpuDp >>> 0, true);
  if (size === 8) {
    view.setInt32(12, Math.floor(state.fpuIp / TWO_32), true);
    view.setInt32(20, Math.floor(state.fpuDp / TWO_32), true);
  } else {
    view.setUint16(12, state.fpuCs, true);
    view.setUint16(20, state.fpuDs, true);
  }
  view.setUint32(24, state.mxcsr, true);
  view.setUint32(28, MXCSR_WRITABLE, true);
  for (let i = 0; i < 8; i += 1) state.readFpr((top(state.fpuStatus) + i) & 7, bytes, 32 + 16 * i);
  bytes.set(state.xmms((bytes.length - 160) / 16), 160);
  return bytes;
}

/** Takes the x87 state from an image of FXSAVE's form. */
export function loadX87(cpu: Cpu, bytes: Uint8Array, size: number): void {
  const { state } = cpu;
  const view = new DataView(bytes.buffer);
  state.fpuControl = controlWord(view.getUint16(0, true));
  state.fpuStatus = withSummary(view.getUint16(2, true), state.fpuControl);
  state.fpuTags = view.getUint8(4);
  state.fpuOpcode = view.getUint16(6, true);
  const pointer = (at: number): number => (size === 8 ? view.getInt32(at + 4, true) * TWO_32 : 0) + view.getUint32(at, true);
  const selector = (at: number): number => (size === 8 ? 0 : view.getUint16(at, true));
  state.setFpuPointers(pointer(8), selector(12), pointer(16), selector(20));
  for (let i = 0; i < 8; i += 1) state.writeFpr((top(state.fpuStatus) + i) & 7, bytes, 32 + 16 * i);
}

/** Takes the XMM registers from an image of FXSAVE's form: as many as the mode has. */
export function loadSse(cpu: Cpu, bytes: Uint8Array): void {
  cpu.state.xmms((registerBytes(cpu) - 160) / 16).set(bytes.subarray(160, registerBytes(cpu)));
}

/** FXSAVE at a linear address. #NM, #GP(0) unless 16-byte aligned, #PF. */
export function saveExtended(cpu: Cpu, linear: number, size = 4): boolean {
  if (!available(cpu)) return false;
  if (linear & 15) return cpu.fault(VECTOR_GP, 0);
  return cpu.linear.writeBytes(linear, legacyImage(cpu, size), cpu.state.cpl === 3);
}

/** FXRSTOR. #NM, #GP(0) for alignment and for reserved bits of MXCSR, #PF. Without CR4.OSFXSR the SSE state stays. */
export function restoreExtended(cpu: Cpu, linear: number, size = 4): boolean {
  if (!available(cpu)) return false;
  if (linear & 15) return cpu.fault(VECTOR_GP, 0);
  const bytes = new Uint8Array(LEGACY_SIZE);
  if (!cpu.linear.readBytes(linear, bytes, cpu.state.cpl === 3)) return false;
  const sse = (cpu.cr4 & CR4_OSFXSR) !== 0;
  const mxcsr = new DataView(bytes.buffer).getUint32(24, true);
  if (sse && mxcsr & ~MXCSR_WRITABLE) return cpu.fault(VECTOR_GP, 0);
  loadX87(cpu, bytes, size);
  if (!sse) return true;
  cpu.state.mxcsr = mxcsr;
  loadSse(cpu, bytes);
  return true;
}

/** The two-bit tags of FSTENV: 0 valid, 1 zero, 2 special, 3 empty. */
export function fullTags(cpu: Cpu): number {
  let tags = 0;
  for (let i = 0; i < 8; i += 1) {
    let tag = 3;
    if ((cpu.state.fpuTags >>> i) & 1) {
      const register = cpu.state.fpr(i);
      const exponent = register[8] | ((register[9] & 0x7f) << 8);
      const zero = register.subarray(0, 8).every((byte) => byte === 0);
      tag = exponent === 0 && zero ? 1 : exponent === 0 || exponent === 0x7fff || !(register[7] & 0x80) ? 2 : 0;
    }
    tags |= tag << (2 * i);
  }
  return tags;
}

/** Bytes of an environment. */
function environmentSize(size: number): number {
  return size === 2 ? 14 : 28;
}

function environment(cpu: Cpu, size: number): Uint8Array {
  const { state } = cpu;
  const bytes = new Uint8Array(environmentSize(size));
  const view = new DataView(bytes.buffer);
  const put = (index: number, value: number, upper = 0xffff): void => {
    view.setUint16(index * (size === 2 ? 2 : 4), value, true);
    if (size !== 2) view.setUint16(index * 4 + 2, upper, true);
  };
  put(0, state.fpuControl);
  put(1, state.fpuStatus);
  put(2, fullTags(cpu));
  if (cpu.protectedMode) {
    put(3, state.fpuIp, state.fpuIp >>> 16);
    put(4, state.fpuCs, state.fpuOpcode);
    put(5, state.fpuDp, state.fpuDp >>> 16);
    put(6, state.fpuDs);
  } else {
    const ip = state.fpuIp + state.fpuCs * 16;
    const dp = state.fpuDp + state.fpuDs * 16;
    put(3, ip);
    put(4, ((ip >>> 16) << 12) | state.fpuOpcode, ip >>> 20);
    put(5, dp);
    put(6, (dp >>> 16) << 12, dp >>> 20);
  }
  return bytes;
}

/** #NM, then #AC(0) for a user image that is not aligned to the operand size (SDM volume 3, table 6-7). */
function accessible(cpu: Cpu, linear: number, size: number): boolean {
  return available(cpu) && (cpu.state.cpl !== 3 || cpu.aligned(linear, size));
}

function loadEnvironment(cpu: Cpu, bytes: Uint8Array, size: number): void {
  const { state } = cpu;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const half = (index: number): number => view.getUint16(index * (size === 2 ? 2 : 4), true);
  const upper = (index: number): number => (size === 2 ? 0 : view.getUint16(index * 4 + 2, true));
  const tags = half(2);
  let present = 0;
  for (let i = 0; i < 8; i += 1) if (((tags >>> (2 * i)) & 3) !== 3) present |= 1 << i;
  state.fpuControl = controlWord(half(0));
  state.fpuStatus = withSummary(half(1), state.fpuControl);
  state.fpuTags = present;
  if (cpu.protectedMode) {
    state.setFpuPointers(half(3) + upper(3) * 0x10000, half(4), half(5) + upper(5) * 0x10000, half(6));
    if (size !== 2) state.fpuOpcode = upper(4);
  } else {
    const ip = half(3) + ((half(4) >>> 12) + upper(4) * 16) * 0x10000;
    const dp = half(5) + ((half(6) >>> 12) + upper(6) * 16) * 0x10000;
    state.setFpuPointers(ip, 0, dp, 0);
    state.fpuOpcode = half(4);
  }
}

/** FNSTENV: afterwards every exception is masked. */
export function storeEnvironment(cpu: Cpu, linear: number, size: number): boolean {
  const { state } = cpu;
  if (!accessible(cpu, linear, size) || !cpu.linear.writeBytes(linear, environment(cpu, size), state.cpl === 3)) return false;
  state.fpuControl |= EXCEPTIONS;
  state.fpuStatus = withSummary(state.fpuStatus, state.fpuControl);
  return true;
}

/** FLDENV. */
export function readEnvironment(cpu: Cpu, linear: number, size: number): boolean {
  const bytes = new Uint8Array(environmentSize(size));
  if (!accessible(cpu, linear, size) || !cpu.linear.readBytes(linear, bytes, cpu.state.cpl === 3)) return false;
  loadEnvironment(cpu, bytes, size);
  return true;
}

/** FNSAVE: the environment and eight registers, then FNINIT. */
export function saveFpu(cpu: Cpu, linear: number, size: number): boolean {
  const { state } = cpu;
  if (!accessible(cpu, linear, size)) return false;
  const length = environmentSize(size);
  const bytes = new Uint8Array(length + 80);
  bytes.set(environment(cpu, size));
  for (let i = 0; i < 8; i += 1) state.readFpr((top(state.fpuStatus) + i) & 7, bytes, length + 10 * i);
  if (!cpu.linear.writeBytes(linear, bytes, state.cpl === 3)) return false;
  state.fpuControl = FCW_RESET;
  state.fpuStatus = 0;
  state.fpuTags = 0;
  state.fpuOpcode = 0;
  state.setFpuPointers(0, 0, 0, 0);
  return true;
}

/** FRSTOR. */
export function restoreFpu(cpu: Cpu, linear: number, size: number): boolean {
  const { state } = cpu;
  const length = environmentSize(size);
  const bytes = new Uint8Array(length + 80);
  if (!accessible(cpu, linear, size) || !cpu.linear.readBytes(linear, bytes, state.cpl === 3)) return false;
  loadEnvironment(cpu, bytes, size);
  for (let i = 0; i < 8; i += 1) state.writeFpr((top(state.fpuStatus) + i) & 7, bytes, length + 10 * i);
  return true;
}
