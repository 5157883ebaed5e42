/** CLI and PUSHF (SDM volume 2), with which a kernel begins what must not be interrupted. */
import { OP } from "@doppel/wasm";
import { EFLAGS_IF, EFLAGS_RF, EFLAGS_VM } from "@doppel/x86";
import { pushEflags } from "./quick-transfers.ts";
import type { QuickWriter } from "./quick-writer.ts";
import { CPL, EFLAGS_REST, SCRATCH } from "./state-layout.ts";

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
