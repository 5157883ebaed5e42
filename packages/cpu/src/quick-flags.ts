/** CLI and PUSHF (SDM volume 2), with which a kernel begins what must not be interrupted, and the check in front of IN and OUT. */
import { OP } from "@doppel/wasm";
import { EFLAGS_IF, EFLAGS_IOPL, EFLAGS_IOPL_SHIFT, EFLAGS_RF, EFLAGS_VM } from "@doppel/x86";
import { MODE_PROTECTED } from "./mode.ts";
import { pushEflags } from "./quick-transfers.ts";
import type { QuickWriter } from "./quick-writer.ts";
import { CPL, EFLAGS_REST, MODE, SCRATCH } from "./state-layout.ts";

/** () */
export function writeCli(q: QuickWriter): void {
  q.load(CPL);
  q.leaveIf();
  q.store(EFLAGS_REST, () => q.load(EFLAGS_REST).i32(~EFLAGS_IF).op(OP.i32_and));
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
