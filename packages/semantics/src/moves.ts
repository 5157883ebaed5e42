/**
 * Data movement and the stack: MOV in all its forms, LEA, extensions, XCHG, XLAT, PUSH, POP, PUSHA, POPA, ENTER, LEAVE, far
 * pointer loads, BOUND, SETcc, CMOVcc (SDM volume 2). Moves to segment, control and debug registers are helpers of `cpu`.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import { RAX, RBP, RBX, RSP, SCRATCH, SEGMENT, SEGMENT_STRIDE, SEG_SELECTOR } from "./layout.ts";
import type { Address, Size, Value } from "./ir.ts";
import { VECTOR_BR, VECTOR_UD } from "./vectors.ts";

/** Selector of the segment register that an operand names. */
function selector(i: InstructionBuilder, n: number): Value {
  const operand = i.shape.form.operands[n]!;
  const place = SEGMENT + SEG_SELECTOR;
  if (operand.kind === "seg") return i.state("i32_load", place + SEGMENT_STRIDE * operand.register);
  return i.state("i32_load", place, i.mul(i.field("reg"), SEGMENT_STRIDE));
}

/** Halves of a value of the native register width, as i32 arguments of a helper. */
function halves(i: InstructionBuilder, value: Value): [Value, Value] {
  return value.type === "i64" ? [i.wrap(value), i.wrap(i.shrU(value, 32))] : [value, i.i32(0)];
}

const mov: Definition = (i) => {
  const [to, from] = i.shape.form.operands;
  const width: Size = i.long ? 8 : 4;
  if (to!.kind === "S") {
    i.helper("loadSegment", [i.field("reg"), i.zeroExtend(i.read(1), 2)]);
    return i.leave("next");
  }
  if (from!.kind === "S") return i.write(0, i.size(0) === 8 ? i.extendU(selector(i, 1)) : selector(i, 1));
  if (to!.kind === "C" || to!.kind === "D") {
    i.helper(to!.kind === "C" ? "writeControl" : "writeDebug", [i.field("reg"), ...halves(i, i.place({ field: "rm" }, width))]);
    return i.leave("next");
  }
  if (from!.kind === "C" || from!.kind === "D") {
    i.helper(from!.kind === "C" ? "readControl" : "readDebug", [i.field("reg")]);
    return i.setPlace({ field: "rm" }, width, i.state(i.long ? "i64_load" : "i32_load", SCRATCH));
  }
  i.write(0, i.read(1));
};

const lea: Definition = (i) => {
  const offset = i.effectiveAddress();
  i.write(0, i.size(0) === 8 ? offset : i.wrap(offset));
};

const extend = (signed: boolean): Definition => (i) => {
  const [to, from] = [i.size(0), i.size(1)];
  const value = i.read(1);
  i.write(0, signed ? i.signExtendTo(value, from, to) : to === 8 ? i.extendU(value) : value);
};

const xchg: Definition = (i) => {
  const a = i.readForUpdate(0);
  const b = i.read(1);
  i.write(0, b);
  i.write(1, a);
};

/** XLAT reads [segment:rBX + AL]; the record gives no effective address for it. */
const xlat: Definition = (i) => {
  const size = i.shape.addressSize;
  const sum = i.add(nativeRegister(i, RBX, size), i.long ? i.extendU(i.register(RAX, 1)) : i.register(RAX, 1));
  const offset = size === 2 ? i.and(sum, 0xffff) : i.long && size === 4 ? i.and(sum, 0xffff_ffff) : sum;
  i.setRegister(RAX, 1, i.load(i.address("record", offset, !i.shape.flatOperand), 1));
};

/** A register as an address of the given size, in the native width. */
function nativeRegister(i: InstructionBuilder, register: number, size: Size): Value {
  const value = i.register(register, size);
  return i.long ? i.extendU(value) : value;
}

const push: Definition = (i) => {
  const kind = i.shape.form.operands[0]!.kind;
  const size = i.operandSize;
  if (kind === "I") return i.push(size === 8 ? i.field("immediate64") : i.field("immediate"), size);
  if (kind === "seg") {
    const value = selector(i, 0);
    return i.push(size === 8 ? i.extendU(value) : value, size);
  }
  i.push(i.read(0), size);
};

const pop: Definition = (i) => {
  const operand = i.shape.form.operands[0]!;
  const { value, popped } = i.peek(i.operandSize);
  if (operand.kind === "seg") {
    // The pointer moves by the width the stack had before a new SS.
    const pointer = i.mergedStackPointer(popped);
    i.helper("loadSegment", [i.i32(operand.register), i.and(i.wrap(value), 0xffff)]);
    i.setRegister(RSP, i.long ? 8 : 4, pointer);
    return i.leave("next");
  }
  if (i.inMemory(0)) {
    i.write(0, value);
    return i.setStackPointer(popped);
  }
  i.setStackPointer(popped);
  i.write(0, value);
};

const pusha: Definition = (i) => {
  const size = i.operandSize;
  const pointer = i.stackPointer;
  const slots: Address[] = [];
  for (let n = 1; n <= 8; n++) slots.push(i.stackAt(i.sub(pointer, n * size)));
  for (const slot of slots) i.probe(slot, size);
  for (const [n, slot] of slots.entries()) i.store(slot, size, n === RSP ? pointer : i.register(n, size));
  i.setStackPointer(i.sub(pointer, 8 * size));
};

const popa: Definition = (i) => {
  const size = i.operandSize;
  const pointer = i.stackPointer;
  const values: Value[] = [];
  for (let n = 0; n < 8; n++) values.push(i.load(i.stackAt(i.add(pointer, n * size)), size));
  for (let n = 0; n < 8; n++) if (7 - n !== RSP) i.setRegister(7 - n, size, values[n]!);
  i.setStackPointer(i.add(pointer, 8 * size));
};

const enter: Definition = (i) => {
  const size = i.operandSize;
  const width: Size = i.long ? 8 : 4;
  const native = (v: Value): Value => (i.long ? i.extendU(v) : v);
  const level = i.and(i.field("immediate2"), 31);
  const start = i.stackPointer;
  const frame = i.sub(start, size);
  const bottom = i.sub(i.sub(frame, i.mul(native(level), size)), native(i.and(i.field("immediate"), 0xffff)));
  // Nothing is committed before every push and the new top of stack are known to be writable; the copies are stores to probed slots.
  i.probe(i.stackAt(bottom), size);
  const top = i.stackAt(frame);
  i.probe(top, size);
  const outer = i.register(RBP, size);
  const basePointer = i.register(RBP, width);
  i.allowEarlyCommit();
  // Before the copies: the outer frame's display may lie where this is pushed.
  i.store(top, size, outer);
  i.if(level, () => {
    const n = i.variable(i.i32(1));
    i.loop(() => {
      i.breakIf(i.geU(i.get(n), level));
      const distance = i.mul(native(i.get(n)), size);
      const value = i.load(i.stackAt(i.sub(basePointer, distance)), size);
      i.store(i.stackAt(i.sub(frame, distance)), size, value);
      i.setVariable(n, i.add(i.get(n), 1));
    });
    const distance = i.mul(native(level), size);
    i.store(i.stackAt(i.sub(frame, distance)), size, i.narrow(frame, size));
  });
  i.setRegister(RBP, size, i.narrow(frame, size));
  i.setStackPointer(bottom);
};

const leave: Definition = (i) => {
  const size = i.operandSize;
  const pointer = i.register(RBP, i.long ? 8 : 4);
  const value = i.load(i.stackAt(pointer), size);
  i.setStackPointer(i.add(pointer, size));
  i.setRegister(RBP, size, value);
};

/** LES, LDS, LSS, LFS, LGS: offset first, selector behind it. */
const farPointer = (segment: number): Definition => (i) => {
  const size = i.operandSize;
  const operand = i.memory();
  const offset = i.load(operand, size);
  const value = i.load(i.further(operand, size), 2);
  i.helper("loadSegment", [i.i32(segment), value]);
  i.setPlace({ field: "reg" }, size, offset);
  i.leave("next");
};

const bound: Definition = (i) => {
  const size = i.operandSize;
  const operand = i.memory();
  const index = i.signExtend(i.place({ field: "reg" }, size), size);
  const lower = i.signExtend(i.load(operand, size), size);
  const upper = i.signExtend(i.load(i.further(operand, size), size), size);
  i.faultIf(i.or(i.ltS(index, lower), i.gtS(index, upper)), VECTOR_BR);
};

const setcc: Definition = (i) => i.write(0, i.condition(i.shape.condition));

/** CMOVcc reads its source, and may fault, whatever the condition; a 4-byte one clears the upper half in any case. */
const cmovcc: Definition = (i) => {
  const value = i.read(1);
  i.write(0, i.select(i.condition(i.shape.condition), value, i.read(0)));
};

export const MOVES: Record<string, Definition> = {
  MOV: mov,
  LEA: lea,
  MOVZX: extend(false),
  MOVSX: extend(true),
  MOVSXD: extend(true),
  XCHG: xchg,
  XLAT: xlat,
  PUSH: push,
  POP: pop,
  PUSHA: pusha,
  POPA: popa,
  ENTER: enter,
  LEAVE: leave,
  LES: farPointer(0),
  LSS: farPointer(2),
  LDS: farPointer(3),
  LFS: farPointer(4),
  LGS: farPointer(5),
  BOUND: bound,
  SETcc: setcc,
  CMOVcc: cmovcc,
  NOP: () => {},
  PAUSE: () => {},
  ENDBR32: () => {},
  ENDBR64: () => {},
  PREFETCHW: () => {},
  UD0: (i) => i.fault(VECTOR_UD),
  UD1: (i) => i.fault(VECTOR_UD),
  UD2: (i) => i.fault(VECTOR_UD),
};
