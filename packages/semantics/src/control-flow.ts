/**
 * Control flow: near and far jumps, calls and returns, loops, interrupts and their returns (SDM volume 2; volume 3 chapter 6).
 * Near transfers are IR; everything that loads CS is a helper of `cpu` and leaves the visit, since the mode may change.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import { RCX, CS, SEGMENT, SEGMENT_STRIDE, SEG_LIMIT } from "./layout.ts";
import type { Size, Value } from "./ir.ts";
import { VECTOR_GP } from "./vectors.ts";

/** #GP(0) when a near target lies outside the code segment, or is not canonical. */
function checkTarget(i: InstructionBuilder, target: Value): void {
  if (i.long) i.faultIf(i.ne(i.shrS(i.shl(target, 16), 16), target), VECTOR_GP, 0);
  else if (!i.flat) i.faultIf(i.gtU(target, i.state("i32_load", SEGMENT + SEGMENT_STRIDE * CS + SEG_LIMIT)), VECTOR_GP, 0);
}

const jmp: Definition = (i) => {
  const direct = i.shape.form.operands[0]!.kind === "J";
  const target = direct ? i.relativeTarget() : i.nearTarget(i.read(0));
  checkTarget(i, target);
  i.jump(target, direct);
};

function jumpIf(i: InstructionBuilder, condition: Value, commit?: () => void): void {
  const target = i.relativeTarget();
  if (!i.flat || i.long) i.if(condition, () => checkTarget(i, target));
  commit?.();
  i.if(condition, () => i.jump(target, true));
}

const jcc: Definition = (i) => jumpIf(i, i.condition(i.shape.condition));

const loop = (zero: number | undefined): Definition => (i) => {
  const size = i.shape.addressSize as Size;
  const count = i.zeroExtend(i.sub(i.register(RCX, size), 1), size);
  const left = i.ne(count, 0);
  const condition = zero === undefined ? left : i.and(left, i.eq(i.flag("ZF"), zero));
  jumpIf(i, condition, () => i.setRegister(RCX, size, count));
};

const jcxz: Definition = (i) => jumpIf(i, i.eqz(i.register(RCX, i.shape.addressSize as Size)));

const call: Definition = (i) => {
  const direct = i.shape.form.operands[0]!.kind === "J";
  const target = direct ? i.relativeTarget() : i.nearTarget(i.read(0));
  checkTarget(i, target);
  i.push(i.nextIp(), i.operandSize);
  i.jump(target, direct);
};

const ret: Definition = (i) => {
  const { value, popped } = i.peek(i.operandSize);
  const target = i.nearTarget(value);
  checkTarget(i, target);
  const extra = i.operandCount > 0 ? i.and(i.field("immediate"), 0xffff) : undefined;
  i.setStackPointer(extra === undefined ? popped : i.add(popped, i.long ? i.extendU(extra) : extra));
  i.jump(target, false);
};

/** Selector and offset (low, high) of a far transfer's target. */
function farTarget(i: InstructionBuilder): [Value, Value, Value] {
  if (i.shape.form.operands[0]!.kind === "A") return [i.field("immediate2"), i.field("immediate"), i.i32(0)];
  const size = i.operandSize;
  const operand = i.memory();
  const offset = i.load(operand, size);
  const selector = i.load(i.further(operand, size), 2);
  return [selector, i.wrap(offset), size === 8 ? i.wrap(i.shrU(offset, 32)) : i.i32(0)];
}

function leaveFor(i: InstructionBuilder, helper: string, args: readonly Value[]): void {
  i.helper(helper, args);
  i.leave("rip");
}

/** The next instruction's offset as two i32 arguments. */
function next(i: InstructionBuilder): [Value, Value] {
  const ip = i.nextIp();
  return i.long ? [i.wrap(ip), i.wrap(i.shrU(ip, 32))] : [ip, i.i32(0)];
}

const softwareInterrupt = (kind: number, vector?: number): Definition => (i) => {
  const n = vector === undefined ? i.and(i.field("immediate"), 0xff) : i.i32(vector);
  const raise = (): void => leaveFor(i, "softInterrupt", [n, i.i32(kind), ...next(i)]);
  if (i.mnemonic === "INTO") i.if(i.flag("OF"), raise);
  else raise();
};

export const CONTROL_FLOW: Record<string, Definition> = {
  JMP: jmp,
  Jcc: jcc,
  LOOP: loop(undefined),
  LOOPE: loop(1),
  LOOPNE: loop(0),
  JCXZ: jcxz,
  CALL: call,
  RET: ret,
  JMPF: (i) => leaveFor(i, "farJump", [i.i32(i.operandSize), ...farTarget(i), ...next(i)]),
  CALLF: (i) => leaveFor(i, "farCall", [i.i32(i.operandSize), ...farTarget(i), ...next(i)]),
  RETF: (i) => leaveFor(i, "farReturn", [i.i32(i.operandSize), i.operandCount > 0 ? i.and(i.field("immediate"), 0xffff) : i.i32(0)]),
  IRET: (i) => leaveFor(i, "iret", [i.i32(i.operandSize), ...next(i)]),
  SYSCALL: (i) => leaveFor(i, "syscall", next(i)),
  SYSRET: (i) => leaveFor(i, "sysret", [i.i32(i.operandSize)]),
  INT: softwareInterrupt(0),
  INT3: softwareInterrupt(1, 3),
  INTO: softwareInterrupt(2, 4),
  INT1: softwareInterrupt(3, 1),
};
