/**
 * x87 control instructions (SDM volume 2, FNINIT to FXRSTOR's neighbours; volume 1, 8.1.11): they note no pointers, and those with N in their name do not
 * wait for pending exceptions.
 */
import { FCW_RESET, FSW_B, FSW_C1, FSW_ES, FSW_SF } from "@doppel/x86";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Value } from "./ir.ts";
import { FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_STATUS, FPU_TAGS, RAX } from "./layout.ts";
import { checkUnit, control, freeStack, moveTop, popStack, setStatusBits, status, TRAP_WAIT, TRAP_X87 } from "./x87-stack.ts";

/** Bits of the control word that exist (bit 12 is the 287's infinity control, without effect); bit 6 reads as one. */
const FCW_BITS = 0x1f3f;

/** Sets ES and B from the unmasked exceptions among the flags. */
function summarize(i: InstructionBuilder, word: Value): Value {
  const pending = i.and(i.and(status(i), 0x3f), i.not(word));
  const kept = i.and(status(i), ~(FSW_ES | FSW_B));
  return i.select(pending, i.or(kept, FSW_ES | FSW_B), kept);
}

/** An image in memory that a helper of `cpu` reads or writes. */
const image = (helper: string, waits: boolean): Definition => (i) => {
  checkUnit(i, TRAP_X87, waits);
  const environment = i.operandSize === 2 ? 14 : 28;
  i.checkSegment(i.memory(), environment + (/^F(NSAVE|RSTOR)$/.test(i.mnemonic) ? 80 : 0), i.mnemonic.startsWith("FN"));
  const linear = i.linearAddress(i.memory());
  const halves = i.long ? [i.wrap(linear), i.wrap(i.shrU(linear, 32))] : [linear, i.i32(0)];
  i.helper(helper, [...halves, i.i32(i.operandSize)]);
};

const fninit: Definition = (i) => {
  checkUnit(i, TRAP_X87, false);
  i.setState("i32_store", FPU_CONTROL, i.i32(FCW_RESET));
  for (const word of [FPU_STATUS, FPU_TAGS, FPU_OPCODE, FPU_CS, FPU_DS]) i.setState("i32_store", word, i.i32(0));
  i.setState("i64_store", FPU_IP, i.i64(0));
  i.setState("i64_store", FPU_DP, i.i64(0));
};

const fldcw: Definition = (i) => {
  checkUnit(i, TRAP_X87, true);
  const word = i.or(i.and(i.load(i.memory(), 2), FCW_BITS), 0x40);
  i.setState("i32_store", FPU_CONTROL, word);
  i.setState("i32_store", FPU_STATUS, summarize(i, word));
};

const fnstcw: Definition = (i) => {
  checkUnit(i, TRAP_X87, false);
  i.store(i.memory(), 2, control(i));
};

const fnstsw: Definition = (i) => {
  checkUnit(i, TRAP_X87, false);
  if (i.shape.memory) i.store(i.memory(), 2, status(i));
  else i.setRegister(RAX, 2, status(i));
};

const fnclex: Definition = (i) => {
  checkUnit(i, TRAP_X87, false);
  setStatusBits(i, 0x3f | FSW_SF | FSW_ES | FSW_B, 0);
};

/** FNENI, FNDISI, FNSETPM: no effect since the 387. */
const nothing: Definition = (i) => checkUnit(i, TRAP_X87, false);

const move = (by: number): Definition => (i) => {
  checkUnit(i, TRAP_X87, true);
  moveTop(i, by);
  setStatusBits(i, FSW_C1, 0);
};

const ffree = (pops: number): Definition => (i) => {
  checkUnit(i, TRAP_X87, true);
  freeStack(i, i.field("rm"));
  popStack(i, pops);
};

export const X87_CONTROL: Record<string, Definition> = {
  FWAIT: (i) => checkUnit(i, TRAP_WAIT, true),
  FNOP: (i) => checkUnit(i, TRAP_X87, true),
  FNINIT: fninit,
  FNCLEX: fnclex,
  FLDCW: fldcw,
  FNSTCW: fnstcw,
  FNSTSW: fnstsw,
  FNENI: nothing,
  FNDISI: nothing,
  FNSETPM: nothing,
  FLDENV: image("fldenv", true),
  FNSTENV: image("fstenv", false),
  FNSAVE: image("fsave", false),
  FRSTOR: image("frstor", true),
  FINCSTP: move(1),
  FDECSTP: move(-1),
  FFREE: ffree(0),
  FFREEP: ffree(1),
};
