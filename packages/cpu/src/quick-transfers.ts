/**
 * The usual segment load, gate and return of 32-bit protected mode: flat segments, accessed already, between levels 3 and 0 (SDM volume 3, 3.4, 5.2
 * to 5.7 and 6.12; volume 2, MOV, INT n, IRET).
 */
import { TLB_WRITE_TAG } from "@doppel/mmu";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { DESCRIPTOR_DPL, DESCRIPTOR_DPL_SHIFT, DESCRIPTOR_G, EFLAGS_IF, TYPE_INTERRUPT_GATE32 } from "@doppel/x86";
import { EFLAGS_ARITHMETIC } from "./hot-state.ts";
import { MODE_CODE32, MODE_FLAT, MODE_IA32E, MODE_PROTECTED, MODE_STACK32, MODE_STEP, MODE_USER } from "./mode.ts";
import { AVL, type QuickWriter, UNUSUAL_FLAGS } from "./quick-writer.ts";
import {
  AUX_AF, AUX_CIN, AUX_PFX_SHIFT, AUX_SFX, CPL, CS, DS, EFLAGS_REST, ES, FLAG_AUX, FLAG_RESULT, FS, GPR, GS, IDTR_BASE, IDTR_LIMIT, MODE, RIP, SEGMENT,
  SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_BASE, SEG_LIMIT, SEG_READ_LENGTH, SEG_SELECTOR, SEG_WRITE_LENGTH, SS, STATE, STATUS_OK, TLB_VIEW, TR,
} from "./state-layout.ts";
import { ATTRIBUTES_MASK, EFLAGS_DEFINED, ESP, FLAT_CODE, FLAT_DATA, UNUSABLE } from "./system/architecture.ts";

/** The mode of the kernels and programs that this is for; programs have `MODE_USER` as well. */
export const USUAL_MODE = MODE_PROTECTED | MODE_CODE32 | MODE_STACK32 | MODE_FLAT;
/** P, S and type of a descriptor, DPL left out: data that may be written, accessed, not expand-down. */
const KIND = 0x9f00;
const DATA_KIND = 0x9300;
/** P, S and type of a gate, without the bit that makes it a trap gate: a 32-bit interrupt gate. */
export const GATE_KIND = 0x9e00;
export const INTERRUPT_GATE = 0x8000 | (TYPE_INTERRUPT_GATE32 << 8);
export const TRAP_GATE = 1 << 8;
export const TSS_32 = 0x800;
/** Where the 32-bit TSS has ESP0, and SS0 behind it. */
export const ESP0 = 4;
const INT1 = 3;
/** EIP, CS, EFLAGS, and of another level ESP and SS. */
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

/** (vector, kind, RIP behind the instruction, 0): from a program to the kernel, by an interrupt or a trap gate. */
export function writeSoftInterrupt(q: QuickWriter): void {
  const { f, views } = q;
  const [vector, kind, next] = [0, 1, 2];
  q.requireUsual(USUAL_MODE | MODE_USER, views.user);
  f.get(kind).i32(INT1).op(OP.i32_eq);
  f.get(vector).i32(8).op(OP.i32_mul).i32(7).op(OP.i32_add);
  q.load(IDTR_LIMIT).op(OP.i32_gt_u).op(OP.i32_or);
  q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_ATTRIBUTES).i32(TSS_32).op(OP.i32_and).op(OP.i32_eqz).op(OP.i32_or);
  q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_LIMIT).i32(ESP0 + 5).op(OP.i32_lt_u).op(OP.i32_or);
  q.leaveIf();
  const gate = q.look(() => void q.load(IDTR_BASE).get(vector).i32(8).op(OP.i32_mul).op(OP.i32_add), 8);
  const second = f.local("i32");
  f.get(gate).memory(OP.i32_load, 4).tee(second).i32(GATE_KIND | DESCRIPTOR_DPL).op(OP.i32_and).i32(INTERRUPT_GATE | DESCRIPTOR_DPL).op(OP.i32_ne);
  q.leaveIf();
  const codeSelector = f.local("i32");
  f.get(gate).memory(OP.i32_load16_u, 2).set(codeSelector);
  const code = q.requireFlat(q.lookDescriptor(codeSelector), FLAT_CODE);
  const task = q.look(() => void q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_BASE).i32(ESP0).op(OP.i32_add), 8);
  const [stackSelector, pointer] = [f.local("i32"), f.local("i32")];
  f.get(task).memory(OP.i32_load16_u, 4).tee(stackSelector).i32(3).op(OP.i32_and);
  q.leaveIf();
  const data = q.requireFlat(q.lookDescriptor(stackSelector), FLAT_DATA);
  const offset = f.local("i32");
  f.get(second).i32(0xffff0000 | 0).op(OP.i32_and).get(gate).memory(OP.i32_load16_u).op(OP.i32_or).set(offset);
  f.get(task).memory(OP.i32_load).i32(FRAME).op(OP.i32_sub).set(pointer);
  const frame = q.look(() => void f.get(pointer), FRAME, TLB_WRITE_TAG);
  const push = (at: number, value: () => void): void => {
    f.get(frame);
    value();
    f.memory(OP.i32_store, at);
  };
  push(0, () => f.get(next));
  push(4, () => q.load(SEGMENT + CS * SEGMENT_STRIDE + SEG_SELECTOR));
  push(8, () => pushEflags(q));
  push(12, () => q.load(GPR + 8 * ESP));
  push(16, () => q.load(SEGMENT + SS * SEGMENT_STRIDE + SEG_SELECTOR));
  q.setFlat(SS, data, () => f.get(stackSelector));
  q.setFlat(CS, code, () => f.get(codeSelector).i32(~3).op(OP.i32_and));
  setLow(q, GPR + 8 * ESP, () => f.get(pointer));
  setLow(q, RIP, () => f.get(offset));
  // A trap gate leaves IF as it is.
  q.store(EFLAGS_REST, () => {
    q.load(EFLAGS_REST);
    f.get(second).i32(TRAP_GATE).op(OP.i32_and).op(OP.i32_eqz).i32(Math.log2(EFLAGS_IF)).op(OP.i32_shl).i32(-1).op(OP.i32_xor).op(OP.i32_and);
  });
  enterLevel(q, 0, USUAL_MODE, views.supervisor);
}

/** (operand size, 0, 0): from the kernel to a program, or within the kernel. */
export function writeReturn(q: QuickWriter): void {
  const { f, views } = q;
  const [size] = [0];
  q.requireUsual(USUAL_MODE, views.supervisor);
  f.get(size).i32(4).op(OP.i32_ne);
  q.load(CPL).op(OP.i32_or);
  q.leaveIf();
  const frame = q.look(() => void q.load(GPR + 8 * ESP), FRAME);
  const [selector, image] = [f.local("i32"), f.local("i32")];
  f.get(frame).memory(OP.i32_load, 8).i32(EFLAGS_DEFINED).op(OP.i32_and).i32(2).op(OP.i32_or).tee(image).i32(UNUSUAL_FLAGS).op(OP.i32_and);
  q.leaveIf();
  f.get(frame).memory(OP.i32_load16_u, 4).set(selector);
  const code = q.lookDescriptor(selector);
  const second = f.local("i32");
  const level = (local: number): FunctionBuilder => f.get(local).i32(3).op(OP.i32_and);
  level(selector).op(OP.i32_eqz).if();
  {
    f.get(q.requireFlat(code, FLAT_CODE)).set(second);
    setLow(q, GPR + 8 * ESP, () => q.load(GPR + 8 * ESP).i32(12).op(OP.i32_add));
  }
  f.else();
  {
    level(selector).i32(3).op(OP.i32_ne);
    requireOuterData(q);
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
