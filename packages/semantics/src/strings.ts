/**
 * String instructions with and without REP (SDM volume 1 section 7.3.9, volume 2). One execution is one iteration: a REP
 * commits it and then repeats the instruction, so that an interrupt or fault midway finds the registers as the manual says.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import { EFLAGS_REST, ES, RAX, RCX, RDI, RDX, RSI, SCRATCH } from "./layout.ts";
import type { Address, Size, Value } from "./ir.ts";

/** A pointer register as an offset in the native width. */
function pointer(i: InstructionBuilder, register: number): Value {
  const value = i.register(register, i.shape.addressSize);
  return i.long ? i.extendU(value) : value;
}

function source(i: InstructionBuilder): Address {
  return i.address("record", pointer(i, RSI), !i.shape.flatOperand);
}

function destination(i: InstructionBuilder): Address {
  return i.address(ES, pointer(i, RDI));
}

/** Moves a pointer register by one element, down when DF is set. */
function advance(i: InstructionBuilder, register: number, size: Size): void {
  const width = i.shape.addressSize;
  const down = i.and(i.shrU(i.state("i32_load", EFLAGS_REST), 10), 1);
  const distance = i.sub(i.i32(size), i.mul(down, 2 * size));
  i.setRegister(register, width, i.add(i.register(register, width), width === 8 ? i.extendS(distance) : distance));
}

/** Runs one iteration; with REP only while rCX is not zero, and again while it stays so and `goOn` holds. */
function repeated(i: InstructionBuilder, iteration: () => Value | undefined): void {
  if (i.shape.rep === "") {
    iteration();
    return;
  }
  const width = i.shape.addressSize;
  i.if(i.ne(i.register(RCX, width), 0), () => {
    const goOn = iteration();
    const count = i.zeroExtend(i.sub(i.register(RCX, width), 1), width);
    i.setRegister(RCX, width, count);
    const more = i.ne(count, 0);
    i.if(goOn === undefined ? more : i.and(more, goOn), () => i.again());
  });
}

const movs: Definition = (i) => {
  const size = i.size(0);
  if (i.shape.rep !== "") i.bulk("movs", size, i.shape.addressSize);
  repeated(i, () => {
    i.store(destination(i), size, i.load(source(i), size));
    advance(i, RSI, size);
    advance(i, RDI, size);
    return undefined;
  });
};

const stos: Definition = (i) => {
  const size = i.size(0);
  if (i.shape.rep !== "") i.bulk("stos", size, i.shape.addressSize);
  repeated(i, () => {
    i.store(destination(i), size, i.register(RAX, size));
    advance(i, RDI, size);
    return undefined;
  });
};

const lods: Definition = (i) => {
  const size = i.size(0);
  repeated(i, () => {
    i.setRegister(RAX, size, i.load(source(i), size));
    advance(i, RSI, size);
    return undefined;
  });
};

/** Whether REPE or REPNE goes on after comparing a with b. */
function compareAndGoOn(i: InstructionBuilder, size: Size, a: Value, b: Value): Value {
  const result = i.sub(a, b);
  i.setFlags({ rule: "sub", size, a, b, result });
  return i.shape.rep === "repne" ? i.ne(a, b) : i.eq(a, b);
}

const cmps: Definition = (i) => {
  const size = i.size(0);
  repeated(i, () => {
    const a = i.load(source(i), size);
    const b = i.load(destination(i), size);
    advance(i, RSI, size);
    advance(i, RDI, size);
    return compareAndGoOn(i, size, a, b);
  });
};

const scas: Definition = (i) => {
  const size = i.size(0);
  repeated(i, () => {
    const a = i.register(RAX, size);
    const b = i.load(destination(i), size);
    advance(i, RDI, size);
    return compareAndGoOn(i, size, a, b);
  });
};

/** INS and OUTS check the port, then memory, and only then touch the device: a read may not happen twice. */
const ins: Definition = (i) => {
  const size = i.size(0);
  repeated(i, () => {
    const port = i.register(RDX, 2);
    i.helper("checkPort", [port, i.i32(size)]);
    const to = destination(i);
    i.probe(to, size);
    i.helper("portIn", [port, i.i32(size)]);
    i.store(to, size, i.state("i32_load", SCRATCH));
    advance(i, RDI, size);
    return undefined;
  });
  i.leave("next");
};

const outs: Definition = (i) => {
  const size = i.size(1);
  repeated(i, () => {
    const port = i.register(RDX, 2);
    i.helper("checkPort", [port, i.i32(size)]);
    const value = i.load(source(i), size);
    i.helper("portOut", [port, i.i32(size), value]);
    advance(i, RSI, size);
    return undefined;
  });
  i.leave("next");
};

export const STRINGS: Record<string, Definition> = { MOVS: movs, STOS: stos, LODS: lods, CMPS: cmps, SCAS: scas, INS: ins, OUTS: outs };
