/** CLI, STI, PUSHF and POPF (SDM volume 2), between which a kernel is not to be interrupted, and the check in front of IN and OUT. */
import { OP } from "@doppel/wasm";
import {
  EFLAGS_AC, EFLAGS_ARITHMETIC, EFLAGS_DF, EFLAGS_FIXED, EFLAGS_ID, EFLAGS_IF, EFLAGS_IOPL, EFLAGS_IOPL_SHIFT, EFLAGS_NT, EFLAGS_RF, EFLAGS_TF, EFLAGS_VIF, EFLAGS_VIP, EFLAGS_VM,
} from "@doppel/x86";
import { MODE_PROTECTED, MODE_STEP } from "./mode.ts";
import { pushEflags, takeEflags } from "./quick-transfers.ts";
import { type QuickWriter, UNUSUAL_FLAGS } from "./quick-writer.ts";
import { ATTENTION, CPL, EFLAGS_REST, MODE, SCRATCH, STI_AT } from "./state-layout.ts";

/** () */
export function writeCli(q: QuickWriter): void {
  q.load(CPL);
  q.leaveIf();
  q.store(EFLAGS_REST, () => q.load(EFLAGS_REST).i32(~EFLAGS_IF).op(OP.i32_and));
}

/** (): where nothing becomes deliverable. */
export function writeSti(q: QuickWriter): void {
  const { f } = q;
  requireRunningKernel(q);
  q.load(EFLAGS_REST).i32(EFLAGS_IF).op(OP.i32_and).op(OP.i32_eqz).if();
  q.load(ATTENTION);
  q.leaveIf();
  q.store(STI_AT, () => q.pushLeft());
  q.store(EFLAGS_REST, () => q.load(EFLAGS_REST).i32(EFLAGS_IF).op(OP.i32_or));
  f.end();
}

/** (image, operand size): of four bytes and more, without what changes how the next instruction runs or memory is accessed. */
export function writePopFlags(q: QuickWriter): void {
  const { f } = q;
  const [image, size] = [0, 1];
  requireRunningKernel(q);
  f.get(size).i32(2).op(OP.i32_eq);
  q.load(EFLAGS_REST).i32(UNUSUAL_FLAGS).op(OP.i32_and).op(OP.i32_or);
  f.get(image).i32(EFLAGS_TF | EFLAGS_AC | EFLAGS_NT).op(OP.i32_and).op(OP.i32_or);
  f.get(image).i32(EFLAGS_IF).op(OP.i32_and).op(OP.i32_eqz).op(OP.i32_eqz);
  q.load(ATTENTION).op(OP.i32_eqz).op(OP.i32_eqz).op(OP.i32_and).op(OP.i32_or);
  q.leaveIf();
  f.get(image).i32(EFLAGS_ARITHMETIC | EFLAGS_DF | EFLAGS_ID | EFLAGS_IOPL | EFLAGS_IF).op(OP.i32_and);
  q.load(EFLAGS_REST).i32(EFLAGS_VIF | EFLAGS_VIP).op(OP.i32_and).op(OP.i32_or).i32(EFLAGS_FIXED).op(OP.i32_or).set(image);
  takeEflags(q, image);
}

/** Leaves unless it is a kernel that does not single-step, which IOPL binds in no mode. */
function requireRunningKernel(q: QuickWriter): void {
  q.load(CPL);
  q.load(MODE).i32(MODE_STEP).op(OP.i32_and).op(OP.i32_or);
  q.leaveIf();
}

/** (operand size) */
export function writePushFlags(q: QuickWriter): void {
  const { f } = q;
  q.load(EFLAGS_REST).i32(EFLAGS_VM).op(OP.i32_and);
  q.leaveIf();
  q.store(SCRATCH, () => {
    pushEflags(q);
    f.i32(~EFLAGS_RF).op(OP.i32_and);
    f.i32(0xffff).i32(-1).get(0).i32(2).op(OP.i32_eq).op(OP.select).op(OP.i32_and);
  });
  q.store(SCRATCH + 4, () => f.i32(0));
}

/** (port, size): at a level that IOPL permits. */
export function writeCheckPort(q: QuickWriter): void {
  q.load(MODE).i32(MODE_PROTECTED).op(OP.i32_and).op(OP.i32_eqz);
  q.load(EFLAGS_REST).i32(EFLAGS_VM).op(OP.i32_and).op(OP.i32_or);
  q.load(CPL);
  q.load(EFLAGS_REST).i32(EFLAGS_IOPL).op(OP.i32_and).i32(EFLAGS_IOPL_SHIFT).op(OP.i32_shr_u).op(OP.i32_gt_u).op(OP.i32_or);
  q.leaveIf();
}
