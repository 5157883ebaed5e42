/** SYSENTER and SYSEXIT of 32-bit kernels, SYSCALL, SYSRET and SWAPGS of 64-bit ones (SDM volume 2; volume 3, 5.8.7 and 5.8.8). */
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { DESCRIPTOR_DPL_SHIFT, EFER_SCE, EFLAGS_IF, EFLAGS_RF } from "@doppel/x86";
import { MODE_FLAT, MODE_IA32E, MODE_LONG, MODE_PROTECTED, MODE_USER } from "./mode.ts";
import { enterLevel, pushEflags, setLow, takeEflags, USUAL_MODE } from "./quick-transfers.ts";
import { type QuickWriter, UNUSUAL_FLAGS } from "./quick-writer.ts";
import {
  CPL, CS, EFER, EFLAGS_REST, FMASK, GPR, GS, HIDDEN_BASES, KERNEL_GS_BASE, LSTAR, MODE, RIP, SEGMENT, SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_BASE, SEG_LIMIT, SEG_READ_LENGTH, SEG_SELECTOR,
  SEG_WRITE_LENGTH, SS, STAR, STATE, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP,
} from "./state-layout.ts";
import { ECX, EDX, ESP, FLAT_CODE, FLAT_DATA, LONG_CODE, R11, SYSRET_FLAGS } from "./system/architecture.ts";

export const LONG_MODE = MODE_PROTECTED | MODE_IA32E | MODE_LONG | MODE_FLAT;
const FLAT_LENGTH = 2 ** 32;

export function wide(q: QuickWriter, offset: number, push: () => void): void {
  q.f.i32(0);
  push();
  q.f.memory(OP.i64_store, STATE + offset);
}

export function pushWide(q: QuickWriter, offset: number): FunctionBuilder {
  return q.f.i32(0).memory(OP.i64_load, STATE + offset);
}

/** Loads CS or SS as these instructions do: flat, whatever it was. @param selector its RPL is replaced by the level */
export function setFixed(q: QuickWriter, segment: number, selector: () => void, attributes: number, level: number): void {
  const { f } = q;
  const at = SEGMENT + segment * SEGMENT_STRIDE;
  q.store(at + SEG_SELECTOR, () => {
    selector();
    f.i32(0xfffc).op(OP.i32_and).i32(level).op(OP.i32_or);
  });
  q.store(at + SEG_LIMIT, () => f.i32(-1));
  q.store(at + SEG_ATTRIBUTES, () => f.i32(attributes | (level << DESCRIPTOR_DPL_SHIFT)));
  wide(q, at + SEG_READ_LENGTH, () => f.i64(FLAT_LENGTH));
  wide(q, at + SEG_WRITE_LENGTH, () => f.i64(segment === CS ? 0 : FLAT_LENGTH));
}

/** ... and its base, which 64-bit mode hides. */
export function hideBase(q: QuickWriter, segment: number): void {
  wide(q, HIDDEN_BASES + 8 * segment, () => q.f.i64(0));
}

/** Leaves unless a 64-bit number is a canonical address. */
export function requireCanonical(q: QuickWriter, push: () => void): void {
  const { f } = q;
  push();
  f.i64(16).op(OP.i64_shl).i64(16).op(OP.i64_shr_s);
  push();
  f.op(OP.i64_ne);
  q.leaveIf();
}

/** () */
export function writeSysenter(q: QuickWriter): void {
  const { views } = q;
  q.requireUsual(USUAL_MODE | MODE_USER, views.user);
  q.load(SYSENTER_CS).i32(0xfffc).op(OP.i32_and).op(OP.i32_eqz);
  q.leaveIf();
  setFixed(q, CS, () => q.load(SYSENTER_CS), FLAT_CODE, 0);
  setFixed(q, SS, () => q.load(SYSENTER_CS).i32(0xfffc).op(OP.i32_and).i32(8).op(OP.i32_add), FLAT_DATA, 0);
  setLow(q, GPR + 8 * ESP, () => q.load(SYSENTER_ESP));
  setLow(q, RIP, () => q.load(SYSENTER_EIP));
  q.store(EFLAGS_REST, () => q.load(EFLAGS_REST).i32(~EFLAGS_IF).op(OP.i32_and));
  enterLevel(q, 0, USUAL_MODE, views.supervisor);
}

/** (operand size) */
export function writeSysexit(q: QuickWriter): void {
  const { f, views } = q;
  q.requireUsual(USUAL_MODE, views.supervisor);
  q.load(SYSENTER_CS).i32(0xfffc).op(OP.i32_and).op(OP.i32_eqz);
  q.load(CPL).op(OP.i32_or);
  f.get(0).i32(8).op(OP.i32_eq).op(OP.i32_or);
  q.leaveIf();
  const selector = (distance: number) => (): void => void q.load(SYSENTER_CS).i32(0xfffc).op(OP.i32_and).i32(distance).op(OP.i32_add);
  setFixed(q, CS, selector(16), FLAT_CODE, 3);
  setFixed(q, SS, selector(24), FLAT_DATA, 3);
  setLow(q, GPR + 8 * ESP, () => q.load(GPR + 8 * ECX));
  setLow(q, RIP, () => q.load(GPR + 8 * EDX));
  enterLevel(q, 3, USUAL_MODE | MODE_USER, views.user);
}

/** (both halves of RIP behind the instruction) */
export function writeSyscall(q: QuickWriter): void {
  const { f, views } = q;
  q.requireUsual(LONG_MODE | MODE_USER, views.user);
  q.requireNoResume();
  q.load(EFER).i32(EFER_SCE).op(OP.i32_and).op(OP.i32_eqz);
  q.leaveIf();
  const [flags, image] = [f.local("i32"), f.local("i32")];
  pushEflags(q);
  f.set(flags);
  f.get(flags);
  q.load(FMASK).i32(EFLAGS_RF).op(OP.i32_or).i32(-1).op(OP.i32_xor).op(OP.i32_and).i32(2).op(OP.i32_or).set(image);
  wide(q, GPR + 8 * ECX, () => f.get(0).op(OP.i64_extend_i32_u).get(1).op(OP.i64_extend_i32_u).i64(32).op(OP.i64_shl).op(OP.i64_or));
  setLow(q, GPR + 8 * R11, () => f.get(flags));
  takeEflags(q, image);
  setFixed(q, CS, () => q.load(STAR + 4), LONG_CODE, 0);
  setFixed(q, SS, () => q.load(STAR + 4).i32(0xfffc).op(OP.i32_and).i32(8).op(OP.i32_add), FLAT_DATA, 0);
  hideBase(q, CS);
  hideBase(q, SS);
  wide(q, RIP, () => pushWide(q, LSTAR));
  enterLevel(q, 0, LONG_MODE, views.supervisor);
}

/** (operand size) */
export function writeSysret(q: QuickWriter): void {
  const { f, views } = q;
  const image = f.local("i32");
  q.requireUsual(LONG_MODE, views.supervisor);
  q.load(EFER).i32(EFER_SCE).op(OP.i32_and).op(OP.i32_eqz);
  q.load(CPL).op(OP.i32_or);
  f.get(0).i32(8).op(OP.i32_ne).op(OP.i32_or);
  q.load(GPR + 8 * R11).i32(SYSRET_FLAGS).op(OP.i32_and).i32(2).op(OP.i32_or).tee(image).i32(UNUSUAL_FLAGS).op(OP.i32_and).op(OP.i32_or);
  q.leaveIf();
  requireCanonical(q, () => pushWide(q, GPR + 8 * ECX));
  const selector = (distance: number) => (): void => void q.load(STAR + 4).i32(16).op(OP.i32_shr_u).i32(distance).op(OP.i32_add);
  takeEflags(q, image);
  setFixed(q, CS, selector(16), LONG_CODE, 3);
  setFixed(q, SS, selector(8), FLAT_DATA, 3);
  hideBase(q, CS);
  hideBase(q, SS);
  wide(q, RIP, () => pushWide(q, GPR + 8 * ECX));
  enterLevel(q, 3, LONG_MODE | MODE_USER, views.user);
}

/** () */
export function writeSwapgs(q: QuickWriter): void {
  const { f } = q;
  const base = SEGMENT + GS * SEGMENT_STRIDE + SEG_BASE;
  const kept = f.local("i64");
  q.load(MODE).i32(LONG_MODE).op(OP.i32_ne);
  q.load(CPL).op(OP.i32_or);
  q.leaveIf();
  pushWide(q, base).set(kept);
  wide(q, base, () => pushWide(q, KERNEL_GS_BASE));
  wide(q, KERNEL_GS_BASE, () => f.get(kept));
}
