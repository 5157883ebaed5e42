/**
 * The usual way of exceptions, interrupts and INT n into a kernel, from its programs or from itself: through an interrupt or a trap gate to flat code of
 * level 0, in 32-bit protected mode and in 64-bit mode (SDM volume 3, 6.12 and 6.14; volume 2, INT n).
 */
import { PAGE_SIZE } from "@doppel/memory";
import { TLB_READ_TAG, TLB_WRITE_TAG } from "@doppel/mmu";
import { type FunctionBuilder, OP } from "@doppel/wasm";
import { DESCRIPTOR_DPL, EFLAGS_IF, TYPE_INTERRUPT_GATE32 } from "@doppel/x86";
import { MODE_USER } from "./mode.ts";
import { hideBase, LONG_MODE, pushWide, requireCanonical, setFixed, wide } from "./quick-calls.ts";
import { setNullStack } from "./quick-long-return.ts";
import { enterLevel, pushEflags, setLow, USUAL_MODE } from "./quick-transfers.ts";
import { type QuickWriter, UNUSUAL_FLAGS } from "./quick-writer.ts";
import {
  CPL, CS, EFLAGS_REST, GPR, IDTR_BASE, IDTR_LIMIT, MODE, RIP, SEGMENT, SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SS, TLB_VIEW, TR,
} from "./state-layout.ts";
import { ESP, FLAT_CODE, FLAT_DATA, LONG_CODE } from "./system/architecture.ts";

/** P, S and type of a gate, without the bit that makes it a trap gate: a 32-bit interrupt gate. */
const GATE_KIND = 0x9e00;
const INTERRUPT_GATE = 0x8000 | (TYPE_INTERRUPT_GATE32 << 8);
const TRAP_GATE = 1 << 8;
const TSS_32 = 0x800;
/** Where the 32-bit TSS has ESP0, and SS0 behind it. */
const ESP0 = 4;

/** What is delivered, as parameters of the function. */
interface QuickEvent {
  readonly vector: number;
  /** The error code or -1, and flags that are pushed set; RIP in the state is what the handler returns to. */
  readonly hardware?: { readonly code: number; readonly resume: number };
  /** The kind of instruction, and both halves of RIP behind it. */
  readonly software?: { readonly kind: number; readonly low: number; readonly high: number };
}
/** (vector, error code or -1, flags to push set) */
export const EVENT: QuickEvent = { vector: 0, hardware: { code: 1, resume: 2 } };
/** (vector, kind, both halves of RIP behind the instruction) */
export const SOFT_INTERRUPT: QuickEvent = { vector: 0, software: { kind: 1, low: 2, high: 3 } };
/** Kind of INT1, which no DPL holds back. */
const INT1 = 3;
/** Where the 64-bit TSS has RSP0, and eight bytes in front of IST1. */
const RSP0 = 4;
const IST0 = 28;

function isUser(q: QuickWriter): FunctionBuilder {
  return q.load(MODE).i32(MODE_USER).op(OP.i32_and);
}

/** Pushes whether there is an error code. */
function hasCode(q: QuickWriter, { hardware }: QuickEvent): FunctionBuilder {
  return hardware === undefined ? q.f.i32(0) : q.f.get(hardware.code).i32(0).op(OP.i32_ge_s);
}

/** Leaves unless the processor is in a mode, at level 0 or 3, memory is accessed as it is there, no flag is unusual, and the IDT has the vector. */
function requireEither(q: QuickWriter, { vector, software }: QuickEvent, mode: number, gateSize: number): void {
  const { f, views } = q;
  q.load(MODE).i32(~MODE_USER).op(OP.i32_and).i32(mode).op(OP.i32_ne);
  q.load(CPL).i32(1).op(OP.i32_add).i32(2).op(OP.i32_and).op(OP.i32_or);
  f.i32(views.user).i32(views.supervisor);
  isUser(q).op(OP.select);
  q.load(TLB_VIEW).op(OP.i32_ne).op(OP.i32_or);
  q.load(EFLAGS_REST).i32(UNUSUAL_FLAGS).op(OP.i32_and).op(OP.i32_or);
  f.get(vector).i32(gateSize).op(OP.i32_mul).i32(gateSize - 1).op(OP.i32_add);
  q.load(IDTR_LIMIT).op(OP.i32_gt_u).op(OP.i32_or);
  if (software !== undefined) f.get(software.kind).i32(INT1).op(OP.i32_eq).op(OP.i32_or);
  q.leaveIf();
  if (software !== undefined) q.requireNoResume();
}

/** Leaves unless a gate is present and for interrupts or traps, and a program may call it where it does; its second dword in a new local. */
function lookGate(q: QuickWriter, { software }: QuickEvent, gate: number): number {
  const { f } = q;
  const second = f.local("i32");
  f.get(gate).memory(OP.i32_load, 4).tee(second).i32(GATE_KIND).op(OP.i32_and).i32(INTERRUPT_GATE).op(OP.i32_ne);
  if (software !== undefined) {
    f.get(second).i32(DESCRIPTOR_DPL).op(OP.i32_and).i32(DESCRIPTOR_DPL).op(OP.i32_ne);
    isUser(q).i32(0).op(OP.i32_ne).op(OP.i32_and).op(OP.i32_or);
  }
  q.leaveIf();
  return second;
}

/** Leaves where a frame that begins at an address, whose low half is on the stack, runs into the next page. */
function requirePage(q: QuickWriter, size: number): void {
  q.f.i32(PAGE_SIZE - 1).op(OP.i32_and).get(size).op(OP.i32_add).i32(PAGE_SIZE).op(OP.i32_gt_u);
  q.leaveIf();
}

/** Writes the error code, if there is one, at a frame's beginning, which is then behind it. */
function pushCode(q: QuickWriter, { hardware }: QuickEvent, frame: number, size: 4 | 8): void {
  const { f } = q;
  if (hardware === undefined) return;
  f.get(hardware.code).i32(0).op(OP.i32_ge_s).if();
  f.get(frame).get(hardware.code);
  if (size === 8) f.op(OP.i64_extend_i32_u).memory(OP.i64_store);
  else f.memory(OP.i32_store);
  f.get(frame).i32(size).op(OP.i32_add).set(frame);
  f.end();
}

/** Pushes the image of the flags. */
function pushFlags(q: QuickWriter, { hardware }: QuickEvent): void {
  pushEflags(q);
  if (hardware !== undefined) q.f.get(hardware.resume).op(OP.i32_or);
}

/** A trap gate leaves IF as it is. */
function clearFlags(q: QuickWriter, second: number): void {
  q.store(EFLAGS_REST, () => {
    q.load(EFLAGS_REST);
    q.f.get(second).i32(TRAP_GATE).op(OP.i32_and).op(OP.i32_eqz).i32(Math.log2(EFLAGS_IF)).op(OP.i32_shl).i32(-1).op(OP.i32_xor).op(OP.i32_and);
  });
}

/** In 32-bit protected mode. */
export function writeDelivery(q: QuickWriter, event: QuickEvent): void {
  const { f, views } = q;
  requireEither(q, event, USUAL_MODE, 8);
  const gate = q.look(() => void q.load(IDTR_BASE).get(event.vector).i32(8).op(OP.i32_mul).op(OP.i32_add), 8);
  const second = lookGate(q, event, gate);
  const [codeSelector, stackSelector, data, pointer, size, target] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  f.get(gate).memory(OP.i32_load16_u, 2).set(codeSelector);
  const code = q.requireFlat(q.lookDescriptor(codeSelector), FLAT_CODE);
  f.get(second).i32(0xffff0000 | 0).op(OP.i32_and).get(gate).memory(OP.i32_load16_u).op(OP.i32_or).set(target);
  isUser(q).if();
  {
    q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_ATTRIBUTES).i32(TSS_32).op(OP.i32_and).op(OP.i32_eqz);
    q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_LIMIT).i32(ESP0 + 5).op(OP.i32_lt_u).op(OP.i32_or);
    q.leaveIf();
    const task = q.look(() => void q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_BASE).i32(ESP0).op(OP.i32_add), 8);
    f.get(task).memory(OP.i32_load16_u, 4).tee(stackSelector).i32(3).op(OP.i32_and);
    q.leaveIf();
    f.get(q.requireFlat(q.lookDescriptor(stackSelector), FLAT_DATA)).set(data);
    f.get(task).memory(OP.i32_load).set(pointer);
    f.i32(20).set(size);
  }
  f.else();
  q.load(GPR + 8 * ESP).set(pointer);
  f.i32(12).set(size);
  f.end();
  f.get(size);
  hasCode(q, event).i32(2).op(OP.i32_shl).op(OP.i32_add).set(size);
  f.get(pointer).get(size).op(OP.i32_sub).tee(pointer);
  requirePage(q, size);
  const frame = q.look(() => void f.get(pointer), 4, TLB_WRITE_TAG);
  const push = (at: number, value: () => void): void => {
    f.get(frame);
    value();
    f.memory(OP.i32_store, at);
  };
  pushCode(q, event, frame, 4);
  push(0, () => (event.software === undefined ? q.load(RIP) : f.get(event.software.low)));
  push(4, () => q.load(SEGMENT + CS * SEGMENT_STRIDE + SEG_SELECTOR));
  push(8, () => pushFlags(q, event));
  isUser(q).if();
  push(12, () => q.load(GPR + 8 * ESP));
  push(16, () => q.load(SEGMENT + SS * SEGMENT_STRIDE + SEG_SELECTOR));
  q.setFlat(SS, data, () => f.get(stackSelector));
  f.end();
  q.setFlat(CS, code, () => f.get(codeSelector).i32(~3).op(OP.i32_and));
  setLow(q, GPR + 8 * ESP, () => f.get(pointer));
  setLow(q, RIP, () => f.get(target));
  clearFlags(q, second);
  enterLevel(q, 0, USUAL_MODE, views.supervisor);
}

/** In 64-bit mode. */
export function writeLongDelivery(q: QuickWriter, event: QuickEvent): void {
  const { f, views } = q;
  requireEither(q, event, LONG_MODE, 16);
  const at = (register: number, offset: () => void): void => {
    pushWide(q, register);
    offset();
    f.op(OP.i64_extend_i32_u).op(OP.i64_add);
  };
  const gate = q.lookWide(() => at(IDTR_BASE, () => f.get(event.vector).i32(16).op(OP.i32_mul)), 16, TLB_READ_TAG, views.supervisor);
  const second = lookGate(q, event, gate);
  const [selector, ist, size, target, pointer] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i64"), f.local("i64")];
  f.get(gate).memory(OP.i64_load32_u, 8).i64(32).op(OP.i64_shl);
  f.get(second).i32(0xffff0000 | 0).op(OP.i32_and).get(gate).memory(OP.i32_load16_u).op(OP.i32_or).op(OP.i64_extend_i32_u).op(OP.i64_or).set(target);
  requireCanonical(q, () => f.get(target));
  f.get(gate).memory(OP.i32_load16_u, 2).set(selector);
  q.requireFlat(q.lookDescriptor(selector, true, views.supervisor), LONG_CODE, 0);
  f.get(second).i32(7).op(OP.i32_and).tee(ist);
  isUser(q).op(OP.i32_or).if();
  {
    f.i32(IST0).get(ist).i32(8).op(OP.i32_mul).op(OP.i32_add).i32(RSP0).get(ist).op(OP.select).tee(ist);
    f.i32(7).op(OP.i32_add);
    q.load(SEGMENT + TR * SEGMENT_STRIDE + SEG_LIMIT).op(OP.i32_gt_u);
    q.leaveIf();
    const task = q.lookWide(() => at(SEGMENT + TR * SEGMENT_STRIDE + SEG_BASE, () => f.get(ist)), 8, TLB_READ_TAG, views.supervisor);
    f.get(task).memory(OP.i64_load).set(pointer);
    requireCanonical(q, () => f.get(pointer));
  }
  f.else();
  pushWide(q, GPR + 8 * ESP).set(pointer);
  f.end();
  f.i32(40);
  hasCode(q, event).i32(3).op(OP.i32_shl).op(OP.i32_add).set(size);
  f.get(pointer).i64(-16).op(OP.i64_and).get(size).op(OP.i64_extend_i32_u).op(OP.i64_sub).tee(pointer).op(OP.i32_wrap_i64);
  requirePage(q, size);
  const frame = q.lookWide(() => void f.get(pointer), 8, TLB_WRITE_TAG, views.supervisor);
  const push = (place: number, value: () => void): void => {
    f.get(frame);
    value();
    f.memory(OP.i64_store, place);
  };
  const selectorOf = (segment: number): FunctionBuilder => q.load(SEGMENT + segment * SEGMENT_STRIDE + SEG_SELECTOR).op(OP.i64_extend_i32_u);
  pushCode(q, event, frame, 8);
  push(0, () => {
    if (event.software === undefined) pushWide(q, RIP);
    else f.get(event.software.low).op(OP.i64_extend_i32_u).get(event.software.high).op(OP.i64_extend_i32_u).i64(32).op(OP.i64_shl).op(OP.i64_or);
  });
  push(8, () => selectorOf(CS));
  push(16, () => {
    pushFlags(q, event);
    f.op(OP.i64_extend_i32_u);
  });
  push(24, () => pushWide(q, GPR + 8 * ESP));
  push(32, () => selectorOf(SS));
  isUser(q).if();
  setNullStack(q);
  f.end();
  setFixed(q, CS, () => f.get(selector), LONG_CODE, 0);
  hideBase(q, CS);
  wide(q, GPR + 8 * ESP, () => f.get(pointer));
  wide(q, RIP, () => f.get(target));
  clearFlags(q, second);
  enterLevel(q, 0, LONG_MODE, views.supervisor);
}
