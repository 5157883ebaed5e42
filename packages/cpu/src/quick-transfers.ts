/**
 * The usual segment load and return of 32-bit protected mode: flat segments, accessed already, between levels 3 and 0 (SDM volume 3, 3.4, 5.2
 * to 5.7; volume 2, MOV, IRET).
 */
import { PAGE_SIZE } from "@doppel/memory";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { DESCRIPTOR_DPL, DESCRIPTOR_DPL_SHIFT, DESCRIPTOR_G, EFLAGS_RF } from "@doppel/x86";
import { EFLAGS_ARITHMETIC } from "./hot-state.ts";
import { MODE_CODE32, MODE_FLAT, MODE_IA32E, MODE_PROTECTED, MODE_STACK32, MODE_STEP, MODE_USER } from "./mode.ts";
import { AVL, type QuickWriter, UNUSUAL_FLAGS } from "./quick-writer.ts";
import {
  AUX_AF, AUX_CIN, AUX_PFX_SHIFT, AUX_SFX, CPL, CS, DS, EFLAGS_REST, ES, FLAG_AUX, FLAG_RESULT, FS, GPR, GS, MODE, RESUME_FLAG_AT, RESUME_FLAG_SHOWN, RIP, SEGMENT,
  SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_BASE, SEG_LIMIT, SEG_READ_LENGTH, SEG_SELECTOR, SEG_WRITE_LENGTH, SS, STATE, STATUS_OK, TLB_VIEW,
} from "./state-layout.ts";
import { ATTRIBUTES_MASK, EFLAGS_DEFINED, ESP, FLAT_CODE, FLAT_DATA, UNUSABLE } from "./system/architecture.ts";

/** The mode of the kernels and programs that this is for; programs have `MODE_USER` as well. */
export const USUAL_MODE = MODE_PROTECTED | MODE_CODE32 | MODE_STACK32 | MODE_FLAT;
/** P, S and type of a descriptor, DPL left out: data that may be written, accessed, not expand-down. */
const KIND = 0x9f00;
const DATA_KIND = 0x9300;
/** EIP, CS, EFLAGS; and of another level ESP and SS. */
const INNER_FRAME = 12;
const FRAME = 20;

/** (segment, selector) */
export function writeLoadSegment(q: QuickWriter): void {
  const { f, views } = q;
  const [segment, selector] = [0, 1];
  const [at, second, limit] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const wide = (offset: number, push: () => void): void => {
    f.get(at);
    push();
    f.memory(OP.i64_store, STATE + SEGMENT + offset);
  };
  const narrow = (offset: number, push: () => void): void => {
    f.get(at);
    push();
    f.memory(OP.i32_store, STATE + SEGMENT + offset);
  };
  q.load(MODE).i32(MODE_PROTECTED | MODE_IA32E | MODE_STEP).op(OP.i32_and).i32(MODE_PROTECTED).op(OP.i32_ne);
  f.i32(views.user).i32(views.supervisor);
  q.load(MODE).i32(MODE_USER).op(OP.i32_and).op(OP.select);
  q.load(TLB_VIEW).op(OP.i32_ne).op(OP.i32_or);
  f.get(segment).i32(SS).op(OP.i32_eq).op(OP.i32_or);
  q.leaveIf();
  f.get(segment).i32(SEGMENT_STRIDE).op(OP.i32_mul).set(at);
  f.get(selector).i32(0xffff).op(OP.i32_and).tee(selector).i32(3).op(OP.i32_le_u).if();
  {
    // A null selector. That of ES or DS changes the mode.
    f.get(segment).i32(FS).op(OP.i32_lt_u);
    q.leaveIf();
    for (const offset of [SEG_BASE, SEG_READ_LENGTH, SEG_WRITE_LENGTH]) wide(offset, () => f.i64(0));
    narrow(SEG_LIMIT, () => f.i32(0));
    narrow(SEG_ATTRIBUTES, () => f.i32(UNUSABLE));
    narrow(SEG_SELECTOR, () => f.get(selector));
    f.i32(STATUS_OK).op(OP.return);
  }
  f.end();
  const host = q.lookDescriptor(selector);
  f.get(host).memory(OP.i32_load, 4).tee(second).i32(KIND).op(OP.i32_and).i32(DATA_KIND).op(OP.i32_ne);
  const dpl = (): FunctionBuilder => f.get(second).i32(DESCRIPTOR_DPL_SHIFT).op(OP.i32_shr_u).i32(3).op(OP.i32_and);
  dpl().get(selector).i32(3).op(OP.i32_and).op(OP.i32_lt_u).op(OP.i32_or);
  dpl();
  q.load(CPL).op(OP.i32_lt_u).op(OP.i32_or);
  q.leaveIf();
  f.get(segment).i32(FS).op(OP.i32_lt_u).if();
  {
    // One that takes a flat one's place and is not flat, or the other way round, changes the mode.
    const length = (offset: number): FunctionBuilder => f.get(at).memory(OP.i64_load, STATE + SEGMENT + offset);
    length(SEG_BASE);
    for (const offset of [SEG_READ_LENGTH, SEG_WRITE_LENGTH]) length(offset).i64(2 ** 32).op(OP.i64_xor).op(OP.i64_or);
    f.op(OP.i64_eqz);
    q.leaveUnless();
    q.requireFlat(host, FLAT_DATA, AVL | DESCRIPTOR_DPL);
    narrow(SEG_SELECTOR, () => f.get(selector));
    narrow(SEG_ATTRIBUTES, () => f.get(second).i32(ATTRIBUTES_MASK).op(OP.i32_and));
    f.i32(STATUS_OK).op(OP.return);
  }
  f.end();
  const low = (): FunctionBuilder => f.get(host).memory(OP.i32_load);
  const raw = f.local("i32");
  low().i32(0xffff).op(OP.i32_and).get(second).i32(0xf0000).op(OP.i32_and).op(OP.i32_or).set(raw);
  f.get(raw).i32(12).op(OP.i32_shl).i32(0xfff).op(OP.i32_or).get(raw).get(second).i32(DESCRIPTOR_G).op(OP.i32_and).op(OP.select).set(limit);
  wide(SEG_BASE, () => {
    low().i32(16).op(OP.i32_shr_u).get(second).i32(0xff).op(OP.i32_and).i32(16).op(OP.i32_shl).op(OP.i32_or);
    f.get(second).i32(0xff000000 | 0).op(OP.i32_and).op(OP.i32_or).op(OP.i64_extend_i32_u);
  });
  for (const offset of [SEG_READ_LENGTH, SEG_WRITE_LENGTH]) wide(offset, () => f.get(limit).op(OP.i64_extend_i32_u).i64(1).op(OP.i64_add));
  narrow(SEG_LIMIT, () => f.get(limit));
  narrow(SEG_ATTRIBUTES, () => f.get(second).i32(ATTRIBUTES_MASK).op(OP.i32_and));
  narrow(SEG_SELECTOR, () => f.get(selector));
}

/** (operand size, 0, 0): from the kernel to a program, or within the kernel. */
export function writeReturn(q: QuickWriter): void {
  const { f, views } = q;
  const [size] = [0];
  q.requireUsual(USUAL_MODE, views.supervisor);
  f.get(size).i32(4).op(OP.i32_ne);
  q.load(CPL).op(OP.i32_or);
  q.leaveIf();
  const frame = q.look(() => void q.load(GPR + 8 * ESP), INNER_FRAME);
  const [selector, image] = [f.local("i32"), f.local("i32")];
  f.get(frame).memory(OP.i32_load, 8).i32(EFLAGS_DEFINED).op(OP.i32_and).i32(2).op(OP.i32_or).set(image);
  requireImage(q, image);
  f.get(frame).memory(OP.i32_load16_u, 4).set(selector);
  const code = q.lookDescriptor(selector);
  const second = f.local("i32");
  const level = (local: number): FunctionBuilder => f.get(local).i32(3).op(OP.i32_and);
  level(selector).op(OP.i32_eqz).if();
  {
    f.get(q.requireFlat(code, FLAT_CODE)).set(second);
    setLow(q, GPR + 8 * ESP, () => q.load(GPR + 8 * ESP).i32(INNER_FRAME).op(OP.i32_add));
  }
  f.else();
  {
    level(selector).i32(3).op(OP.i32_ne);
    requireOuterData(q);
    q.load(GPR + 8 * ESP).i32(PAGE_SIZE - 1).op(OP.i32_and).i32(PAGE_SIZE - FRAME).op(OP.i32_gt_u);
    q.leaveIf();
    f.get(q.requireFlat(code, FLAT_CODE | DESCRIPTOR_DPL)).set(second);
    const stackSelector = f.local("i32");
    f.get(frame).memory(OP.i32_load16_u, 16).set(stackSelector);
    level(stackSelector).i32(3).op(OP.i32_ne);
    q.leaveIf();
    const data = q.requireFlat(q.lookDescriptor(stackSelector), FLAT_DATA | DESCRIPTOR_DPL);
    q.setFlat(SS, data, () => f.get(stackSelector));
    setLow(q, GPR + 8 * ESP, () => f.get(frame).memory(OP.i32_load, 12));
    enterLevel(q, 3, USUAL_MODE | MODE_USER, views.user);
  }
  f.end();
  q.setFlat(CS, second, () => f.get(selector));
  setLow(q, RIP, () => f.get(frame).memory(OP.i32_load));
  takeImage(q, image);
}

/** Leaves where a local has flags that IRET is seldom to load. */
export function requireImage(q: QuickWriter, image: number): void {
  const { f } = q;
  f.get(image).i32(UNUSUAL_FLAGS & ~EFLAGS_RF).op(OP.i32_and);
  q.load(RESUME_FLAG_AT).i32(RESUME_FLAG_SHOWN).op(OP.i32_eq).i32(Math.log2(EFLAGS_RF)).op(OP.i32_shl).get(image).op(OP.i32_and).op(OP.i32_or);
  q.leaveIf();
}

/** Takes such flags. RF holds for the next instruction, and is not to end the visit before it: no breakpoint is enabled that it could hold back. */
export function takeImage(q: QuickWriter, image: number): void {
  const { f } = q;
  f.get(image).i32(EFLAGS_RF).op(OP.i32_and).if();
  q.store(RESUME_FLAG_AT, () => q.pushLeft());
  f.get(image).i32(~EFLAGS_RF).op(OP.i32_and).set(image);
  f.end();
  takeEflags(q, image);
}

/** Leaves where the condition on the stack holds, or a data segment would be taken away because a program may not use it. */
export function requireOuterData(q: QuickWriter): void {
  for (const segment of [ES, DS, FS, GS]) {
    const attributes = (): FunctionBuilder => q.load(SEGMENT + segment * SEGMENT_STRIDE + SEG_ATTRIBUTES);
    attributes().i32(UNUSABLE).op(OP.i32_and).op(OP.i32_eqz);
    attributes().i32(DESCRIPTOR_DPL).op(OP.i32_and).i32(DESCRIPTOR_DPL).op(OP.i32_ne).op(OP.i32_and).op(OP.i32_or);
  }
  q.leaveIf();
}

/** Puts the processor into a level: its mode, and what memory it accesses. */
export function enterLevel(q: QuickWriter, cpl: number, mode: number, view: number): void {
  q.store(CPL, () => q.f.i32(cpl));
  q.store(MODE, () => q.f.i32(mode));
  q.store(TLB_VIEW, () => q.f.i32(view));
}

/** A 64-bit register whose upper half becomes zero. */
export function setLow(q: QuickWriter, offset: number, push: () => void): void {
  q.f.i32(0);
  push();
  q.f.op(OP.i64_extend_i32_u).memory(OP.i64_store, STATE + offset);
}

/** Pushes all of EFLAGS; see `HotState.eflags`. */
export function pushEflags(q: QuickWriter): void {
  const { f } = q;
  const parity = f.local("i32");
  const bit = (push: () => void, to: number): void => {
    push();
    f.i32(to).op(OP.i32_shl).op(OP.i32_or);
  };
  const aux = (shift: number): FunctionBuilder => q.load(FLAG_AUX).i32(shift).op(OP.i32_shr_u);
  q.load(FLAG_RESULT);
  aux(AUX_PFX_SHIFT).op(OP.i32_xor).i32(0xff).op(OP.i32_and).op(OP.i32_popcnt).set(parity);
  q.load(EFLAGS_REST).i32(~EFLAGS_ARITHMETIC).op(OP.i32_and);
  aux(31).op(OP.i32_or);
  bit(() => f.get(parity).i32(-1).op(OP.i32_xor).i32(1).op(OP.i32_and), 2);
  bit(() => aux(Math.log2(AUX_AF)).i32(1).op(OP.i32_and), 4);
  bit(() => f.i32(0).memory(OP.i64_load, STATE + FLAG_RESULT).op(OP.i64_eqz), 6);
  bit(() => q.load(FLAG_RESULT + 4).i32(31).op(OP.i32_shr_u).i32(0).memory(OP.i32_load, STATE + FLAG_AUX).i32(AUX_SFX).op(OP.i32_and).op(OP.i32_xor), 7);
  bit(() => {
    aux(31);
    aux(30).op(OP.i32_xor).i32(1).op(OP.i32_and);
  }, 11);
  f.release(parity);
}

/** Takes all of EFLAGS from a local; see `HotState.eflags`. */
export function takeEflags(q: QuickWriter, image: number): void {
  const { f } = q;
  const flag = (n: number): FunctionBuilder => f.get(image).i32(n).op(OP.i32_shr_u).i32(1).op(OP.i32_and);
  const to = (bit: number): FunctionBuilder => f.i32(bit).op(OP.i32_shl).op(OP.i32_or);
  f.i32(0);
  flag(6).i32(1).op(OP.i32_xor).op(OP.i64_extend_i32_u).memory(OP.i64_store, STATE + FLAG_RESULT);
  q.store(FLAG_AUX, () => {
    flag(0).i32(31).op(OP.i32_shl);
    flag(0);
    flag(11).op(OP.i32_xor);
    to(Math.log2(AUX_CIN));
    flag(4);
    to(Math.log2(AUX_AF));
    flag(7);
    to(Math.log2(AUX_SFX));
    flag(6);
    flag(2).op(OP.i32_xor);
    to(AUX_PFX_SHIFT);
  });
  q.store(EFLAGS_REST, () => f.get(image).i32(~EFLAGS_ARITHMETIC).op(OP.i32_and));
}
