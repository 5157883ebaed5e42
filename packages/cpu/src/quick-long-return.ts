/** The usual IRET of 64-bit kernels: to 64-bit code of the kernel or of a program (SDM volume 2, IRET; volume 3, 6.14.3). */
import { OP } from "@doppel/wasm";
import { DESCRIPTOR_DPL } from "@doppel/x86";
import { MODE_USER } from "./mode.ts";
import { hideBase, LONG_MODE, pushWide, requireCanonical, setFixed, wide } from "./quick-calls.ts";
import { enterLevel, requireImage, requireOuterData, takeImage } from "./quick-transfers.ts";
import type { QuickWriter } from "./quick-writer.ts";
import {
  CPL, CS, GPR, RIP, SEGMENT, SEGMENT_STRIDE, SEG_ATTRIBUTES, SEG_LIMIT, SEG_READ_LENGTH, SEG_SELECTOR, SEG_WRITE_LENGTH, SS,
} from "./state-layout.ts";
import { EFLAGS_DEFINED, ESP, FLAT_DATA, LONG_CODE, UNUSABLE } from "./system/architecture.ts";

/** RIP, CS, RFLAGS, RSP and SS. */
const FRAME = 40;

/** Puts the null selector of level 0 into SS. */
export function setNullStack(q: QuickWriter): void {
  const { f } = q;
  const at = SEGMENT + SS * SEGMENT_STRIDE;
  for (const [offset, value] of [[SEG_SELECTOR, 0], [SEG_LIMIT, 0], [SEG_ATTRIBUTES, UNUSABLE]] as const) q.store(at + offset, () => f.i32(value));
  for (const offset of [SEG_READ_LENGTH, SEG_WRITE_LENGTH]) wide(q, at + offset, () => f.i64(0));
  hideBase(q, SS);
}

/** (operand size, 0, 0): from the kernel to a program, or within the kernel. */
export function writeLongReturn(q: QuickWriter): void {
  const { f, views } = q;
  const [size] = [0];
  q.requireUsual(LONG_MODE, views.supervisor);
  f.get(size).i32(8).op(OP.i32_ne);
  q.load(CPL).op(OP.i32_or);
  q.leaveIf();
  const frame = q.lookWide(() => void pushWide(q, GPR + 8 * ESP), FRAME);
  const [image, selector, stackSelector] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.get(frame).memory(OP.i32_load, 16).i32(EFLAGS_DEFINED).op(OP.i32_and).i32(2).op(OP.i32_or).set(image);
  requireImage(q, image);
  requireCanonical(q, () => void f.get(frame).memory(OP.i64_load));
  f.get(frame).memory(OP.i32_load16_u, 8).set(selector);
  f.get(frame).memory(OP.i32_load16_u, 32).tee(stackSelector).get(selector).op(OP.i32_xor).i32(3).op(OP.i32_and);
  q.leaveIf();
  const load = (segment: number, local: number, attributes: number, level: number): void => {
    setFixed(q, segment, () => f.get(local), attributes, level);
    hideBase(q, segment);
  };
  f.get(selector).i32(3).op(OP.i32_and).op(OP.i32_eqz).if();
  {
    q.requireFlat(q.lookDescriptor(selector, true), LONG_CODE, 0);
    f.get(stackSelector).if();
    q.requireFlat(q.lookDescriptor(stackSelector, true), FLAT_DATA, 0);
    load(SS, stackSelector, FLAT_DATA, 0);
    f.else();
    setNullStack(q);
    f.end();
    load(CS, selector, LONG_CODE, 0);
  }
  f.else();
  {
    f.get(selector).i32(3).op(OP.i32_and).i32(3).op(OP.i32_ne);
    requireOuterData(q);
    q.requireFlat(q.lookDescriptor(selector, true), LONG_CODE | DESCRIPTOR_DPL, 0);
    q.requireFlat(q.lookDescriptor(stackSelector, true), FLAT_DATA | DESCRIPTOR_DPL, 0);
    load(SS, stackSelector, FLAT_DATA, 3);
    load(CS, selector, LONG_CODE, 3);
    enterLevel(q, 3, LONG_MODE | MODE_USER, views.user);
  }
  f.end();
  wide(q, GPR + 8 * ESP, () => f.get(frame).memory(OP.i64_load, 24));
  wide(q, RIP, () => f.get(frame).memory(OP.i64_load));
  takeImage(q, image);
}
