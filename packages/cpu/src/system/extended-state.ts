/**
 * XSAVE and its kin for x87 and SSE state (SDM volume 1, chapter 13): which states XCR0 enables, and the standard form of the image.
 *
 *   0 legacy area, as FXSAVE's   512 XSTATE_BV   520 XCOMP_BV   528..575 zero
 *
 * Both states count as in use at any time: XSAVE saves what it is asked for, and XSAVEOPT does the same.
 */
import {
  CPUID_1_ECX_XSAVE, CR0_TS, CR4_OSXSAVE, FCW_RESET, MXCSR_WRITABLE, VECTOR_GP, VECTOR_NM, VECTOR_UD, XCR0_SSE, XCR0_X87,
} from "@doppel/x86";
import type { Cpu } from "../cpu.ts";
import { EAX, ECX, EDX } from "./architecture.ts";
import { requireSupervisor } from "./control-registers.ts";
import { legacyImage, loadSse, loadX87, LEGACY_SIZE } from "./fpu-image.ts";

const HEADER_SIZE = 64;
const ALIGNMENT = 64;
const XSTATE_BV = 512;
const XCOMP_BV = 520;
const KNOWN = XCR0_X87 | XCR0_SSE;
/** Where MXCSR, the x87 registers and the XMM registers stand in the legacy area. */
const MXCSR_AT = 24;
const ST0_AT = 32;
const XMM0_AT = 160;
/** The software area of the legacy area. */
const SOFTWARE_AT = 416;

/** #UD while CR4.OSXSAVE is clear. */
function enabled(cpu: Cpu): boolean {
  return ((cpu.model.features.ecx & CPUID_1_ECX_XSAVE) !== 0 && (cpu.cr4 & CR4_OSXSAVE) !== 0) || cpu.fault(VECTOR_UD);
}

/** #UD, #NM, and #GP(0) for an image that is not aligned. */
function available(cpu: Cpu, linear: number): boolean {
  if (!enabled(cpu)) return false;
  if (cpu.cr0 & CR0_TS) return cpu.fault(VECTOR_NM);
  return linear % ALIGNMENT === 0 || cpu.fault(VECTOR_GP, 0);
}

/** XGETBV. #UD, #GP(0) for any register but XCR0. */
export function readExtendedControl(cpu: Cpu): boolean {
  if (!enabled(cpu)) return false;
  if (cpu.state.gpr32(ECX) !== 0) return cpu.fault(VECTOR_GP, 0);
  cpu.state.setScratch64(cpu.xcr0, 0);
  return true;
}

/** XSETBV. #UD, #GP(0) outside level 0, for any register but XCR0, without x87, and for states that there are not. */
export function writeExtendedControl(cpu: Cpu): boolean {
  const { state } = cpu;
  if (!enabled(cpu) || !requireSupervisor(cpu)) return false;
  const value = state.gpr32(EAX);
  if (state.gpr32(ECX) !== 0 || state.gpr32(EDX) !== 0 || !(value & XCR0_X87) || value & ~KNOWN) return cpu.fault(VECTOR_GP, 0);
  cpu.xcr0 = value;
  return true;
}

/** XSAVE and XSAVEOPT: of the image, only the states asked for by EDX:EAX, and their bits in XSTATE_BV, are written. */
export function saveStates(cpu: Cpu, linear: number, size: number): boolean {
  if (!available(cpu, linear)) return false;
  const { state } = cpu;
  const user = state.cpl === 3;
  const mask = state.gpr32(EAX) & cpu.xcr0;
  const whole = new Uint8Array(LEGACY_SIZE + HEADER_SIZE);
  if (!cpu.linear.readBytes(linear, whole, user)) return false;
  const image = legacyImage(cpu, size);
  const pieces: readonly (readonly [boolean, number, number])[] = [
    [(mask & XCR0_X87) !== 0, 0, MXCSR_AT], [(mask & XCR0_SSE) !== 0, MXCSR_AT, ST0_AT], [(mask & XCR0_X87) !== 0, ST0_AT, XMM0_AT],
    [(mask & XCR0_SSE) !== 0, XMM0_AT, Math.min(image.length, SOFTWARE_AT)],
  ];
  for (const [wanted, from, to] of pieces) if (wanted) whole.set(image.subarray(from, to), from);
  const view = new DataView(whole.buffer);
  view.setUint32(XSTATE_BV, view.getUint32(XSTATE_BV, true) | mask, true);
  return cpu.linear.writeBytes(linear, whole.subarray(0, XCOMP_BV), user);
}

/** XRSTOR of the standard form. A state that is asked for and not in XSTATE_BV gets its initial value. #GP(0) for reserved bits. */
export function restoreStates(cpu: Cpu, linear: number, size: number): boolean {
  if (!available(cpu, linear)) return false;
  const { state } = cpu;
  const bytes = new Uint8Array(LEGACY_SIZE + HEADER_SIZE);
  if (!cpu.linear.readBytes(linear, bytes, state.cpl === 3)) return false;
  const view = new DataView(bytes.buffer);
  const held = view.getUint32(XSTATE_BV, true);
  let reserved = view.getUint32(XSTATE_BV + 4, true) | (held & ~cpu.xcr0);
  for (let at = XCOMP_BV; at < XCOMP_BV + 16; at += 4) reserved |= view.getUint32(at, true);
  if (reserved) return cpu.fault(VECTOR_GP, 0);
  const mask = state.gpr32(EAX) & cpu.xcr0;
  if (mask & XCR0_SSE) {
    const mxcsr = view.getUint32(MXCSR_AT, true);
    if (mxcsr & ~MXCSR_WRITABLE) return cpu.fault(VECTOR_GP, 0);
    state.mxcsr = mxcsr;
    loadSse(cpu, held & XCR0_SSE ? bytes : new Uint8Array(LEGACY_SIZE));
  }
  if (mask & XCR0_X87) {
    const initial = new Uint8Array(LEGACY_SIZE);
    new DataView(initial.buffer).setUint16(0, FCW_RESET, true);
    loadX87(cpu, held & XCR0_X87 ? bytes : initial, size);
  }
  return true;
}
