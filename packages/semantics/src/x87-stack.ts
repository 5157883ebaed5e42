/**
 * The x87 register stack and its exceptions (SDM volume 1, sections 8.1 and 8.5), as IR functions over the hot state. A
 * stack index is relative to TOP. Definitions check availability and memory first, then call one of these, which cannot fault:
 * an unmasked exception only sets ES, and the next waiting instruction raises #MF.
 */
import { FCW_RC_SHIFT, FPU_DE, FPU_IE, FPU_ZE, FSW_B, FSW_C1, FSW_ES, FSW_SF, FSW_TOP, FSW_TOP_SHIFT } from "@doppel/x86";
import { irFunction, type Builder } from "./builder.ts";
import { FLOAT_FLAGS, FLOAT_SE, INDEFINITE, INDEFINITE_SE } from "./float/scratch.ts";
import type { InstructionBuilder } from "./instruction.ts";
import type { Value } from "./ir.ts";
import {
  FPR, FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_STATUS, FPU_TAGS, FPU_TRAP, SEGMENT, SEGMENT_STRIDE, SEG_SELECTOR, CS,
} from "./layout.ts";

/** Bits of FPU_TRAP that stop x87 instructions, MMX, SSE and FWAIT. */
export const TRAP_X87 = 1;
export const TRAP_MMX = 2 | 32;
export const TRAP_SSE = 4 | 8;
export const TRAP_WAIT = 16;

/** #NM or #UD when the unit is off; for waiting instructions then #MF (or FERR) when an unmasked exception is pending. */
export function checkUnit(i: InstructionBuilder, traps: number, waits: boolean): void {
  const trap = (): void => i.helper("fpuTrap", [i.i32(traps), i.i32(waits ? 1 : 0)]);
  i.stopIf(`unit ${traps}`, i.and(i.state("i32_load", FPU_TRAP), traps), trap);
  if (waits) i.if(i.and(i.state("i32_load", FPU_STATUS), FSW_ES), trap, undefined, false);
}

/** Notes instruction and operand pointers, as every instruction but control ones does (SDM volume 1, 8.1.8). */
export function notePointers(i: InstructionBuilder): void {
  const { form, memory } = i.shape;
  const selector = SEGMENT + SEG_SELECTOR;
  i.setState("i64_store", FPU_IP, i.extendU(i.ip()));
  i.setState("i32_store", FPU_CS, i.state("i32_load", selector + SEGMENT_STRIDE * CS));
  const upper = (form.opcodeByte & 7) << 8;
  const modrm = memory ? i.or(i.field("rm"), upper) : form.stackRegister ? i.or(i.field("rm"), upper | form.fixedModrm) : i.i32(upper | form.fixedModrm);
  i.setState("i32_store", FPU_OPCODE, modrm);
  if (!memory) return;
  i.setState("i64_store", FPU_DP, i.extendU(i.memory().offset));
  i.setState("i32_store", FPU_DS, i.state("i32_load", SEG_SELECTOR, i.recordSegment()));
}

// ---- pieces of IR functions ----

export function control(b: Builder): Value {
  return b.state("i32_load", FPU_CONTROL);
}
export function status(b: Builder): Value {
  return b.state("i32_load", FPU_STATUS);
}
/** Physical number of a stack index. */
export function physical(b: Builder, index: Value | number): Value {
  return b.and(b.add(b.shrU(status(b), FSW_TOP_SHIFT), index), 7);
}
/** 1 when the register at a stack index is empty. */
export function isEmpty(b: Builder, index: Value | number): Value {
  return b.eqz(b.and(b.shrU(b.state("i32_load", FPU_TAGS), physical(b, index)), 1));
}
/** Significand and sign+exponent of a register. */
export function readStack(b: Builder, index: Value | number): { significand: Value; se: Value } {
  const at = b.shl(physical(b, index), 4);
  return { significand: b.state("i64_load", FPR, at), se: b.state("i32_load16_u", FPR + 8, at) };
}
/** Writes a register and marks it as not empty. */
export function writeStack(b: Builder, index: Value | number, significand: Value, se: Value): void {
  const number = physical(b, index);
  const at = b.shl(number, 4);
  const tags = b.or(b.state("i32_load", FPU_TAGS), b.shl(b.i32(1), number));
  b.setState("i64_store", FPR, significand, at);
  b.setState("i32_store16", FPR + 8, se, at);
  b.setState("i32_store", FPU_TAGS, tags);
}
/** Marks a register as empty. */
export function freeStack(b: Builder, index: Value | number): void {
  const bit = b.shl(b.i32(1), physical(b, index));
  b.setState("i32_store", FPU_TAGS, b.and(b.state("i32_load", FPU_TAGS), b.not(bit)));
}
/** Moves TOP by 1 or -1. */
export function moveTop(b: Builder, by: number): void {
  const word = status(b);
  const top = b.and(b.add(word, by * (1 << FSW_TOP_SHIFT)), FSW_TOP);
  b.setState("i32_store", FPU_STATUS, b.or(b.and(word, ~FSW_TOP), top));
}
/** Empties the top `count` registers, a constant or 0..2 at run time. */
export function popStack(b: Builder, count: Value | number): void {
  const once = (): void => {
    freeStack(b, 0);
    moveTop(b, 1);
  };
  if (typeof count === "number") for (let n = 0; n < count; n++) once();
  else {
    b.if(count, () => {
      once();
      b.if(b.eq(count, 2), once);
    });
  }
}
/** Replaces bits of the status word. */
export function setStatusBits(b: Builder, mask: number, bits: Value | number): void {
  const kept = b.and(status(b), ~mask);
  b.setState("i32_store", FPU_STATUS, typeof bits === "number" ? (bits === 0 ? kept : b.or(kept, bits)) : b.or(kept, bits));
}
/** No soft-float exception yet. */
export function clearFloatFlags(b: Builder): void {
  b.setState("i32_store", FLOAT_FLAGS, b.i32(0));
}
/** Flags that soft float has raised. */
export function floatFlags(b: Builder): Value {
  return b.state("i32_load", FLOAT_FLAGS);
}
export function resultSe(b: Builder): Value {
  return b.state("i32_load", FLOAT_SE);
}
export function indefinite(b: Builder): { significand: Value; se: Value } {
  return { significand: b.i64(INDEFINITE), se: b.i32(INDEFINITE_SE) };
}
/** Control word with another rounding mode. */
export function withRounding(b: Builder, word: Value, rounding: number): Value {
  return b.or(b.and(word, ~(3 << FCW_RC_SHIFT)), rounding << FCW_RC_SHIFT);
}

/** Takes soft float's flags into the status word, C1 too. 1 when the destination may be written: no unmasked IE, DE or ZE. */
export const commitFlags = irFunction("x87_commit_flags", [], "i32", (b) => {
  const flags = floatFlags(b);
  const unmasked = b.and(b.and(flags, 0x3f), b.not(control(b)));
  b.if(b.eqz(unmasked), () => {
    setStatusBits(b, FSW_C1, flags);
    b.return(b.i32(1));
  }, undefined, true);
  const before = b.and(unmasked, FPU_IE | FPU_DE | FPU_ZE);
  // The operation was not carried out: no overflow, underflow or rounding has happened.
  setStatusBits(b, FSW_C1, b.or(b.select(before, b.and(flags, FPU_IE | FPU_DE | FPU_ZE), flags), FSW_ES | FSW_B));
  b.return(b.eqz(before));
});

/** A stack fault: (1 for overflow, 0 for underflow). 1 when it is masked, and the indefinite is to be written. */
export const stackFault = irFunction("x87_stack_fault", ["i32"], "i32", (b, overflow) => {
  setStatusBits(b, FSW_C1, b.or(b.i32(FPU_IE | FSW_SF), b.shl(overflow, 9)));
  const masked = b.and(control(b), FPU_IE);
  b.if(b.eqz(masked), () => setStatusBits(b, 0, FSW_ES | FSW_B));
  b.return(masked);
});

/** Pushes (significand, se), with the flags that its conversion raised; a stack overflow takes precedence over them. */
export const push = irFunction("x87_push", ["i64", "i32"], "i32", (b, significand, se) => {
  b.if(b.eqz(isEmpty(b, 7)), () => {
    b.if(b.call(stackFault, [b.i32(1)]), () => {
      moveTop(b, -1);
      const nan = indefinite(b);
      writeStack(b, 0, nan.significand, nan.se);
    });
    b.return(b.i32(0));
  }, undefined, false);
  // A load is not refused for a denormal.
  const refused = b.and(b.and(floatFlags(b), FPU_IE), b.not(control(b)));
  b.call(commitFlags, []);
  b.if(b.eqz(refused), () => {
    moveTop(b, -1);
    writeStack(b, 0, significand, se);
  });
  b.return(b.i32(0));
});
