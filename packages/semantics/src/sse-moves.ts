/**
 * Moves of MMX and SSE, MXCSR, masked and non-temporal stores, EMMS, prefetches (SDM volume 2). Non-temporal hints and prefetches have no
 * effect here: stores are in program order.
 */
import { FSW_TOP } from "@doppel/x86";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Address, Size, Value } from "./ir.ts";
import { FPU_STATUS, FPU_TAGS, MXCSR, RDI } from "./layout.ts";
import { beginVector, enterMmx, floatOfSize, isMmx, lowLane, partOf, readMmx, readVector, usesMmx, writeMmx, writeVector } from "./sse-operands.ts";
import { VECTOR_GP } from "./vectors.ts";
import { checkUnit, status, TRAP_MMX, TRAP_SSE } from "./x87-stack.ts";

const whole = (unaligned: boolean): Definition => (i) => {
  beginVector(i);
  writeVector(i, 0, readVector(i, 1, unaligned), unaligned);
};

/** MOVSS, MOVSD: a load clears the rest of the register, a move between registers keeps it. */
const scalar = (size: Size): Definition => (i) => {
  beginVector(i);
  if (i.inMemory(1)) return writeVector(i, 0, i.load(i.memory(), size, "v128"));
  const value = i.place(i.placeOf(1), size, floatOfSize(size));
  if (i.inMemory(0)) i.store(i.memory(), size, value);
  else i.setPlace(i.placeOf(0), size, value);
};

/** MOVLPS, MOVHPS and their register forms: eight bytes at `to` of the destination from `from` of the source. */
const half = (to: number, from: number): Definition => (i) => {
  beginVector(i);
  const value = i.inMemory(1) ? i.load(i.memory(), 8, "f64") : i.place(partOf(i, 1, from), 8, "f64");
  if (i.inMemory(0)) i.store(i.memory(), 8, value);
  else i.setPlace(partOf(i, 0, to), 8, value);
};

const movd: Definition = (i) => {
  beginVector(i);
  const toVector = "PV".includes(i.shape.form.operands[0]!.kind);
  if (toVector) {
    const value = i.read(1);
    if (!isMmx(i, 0)) return writeVector(i, 0, lowLane(i, value));
    enterMmx(i);
    return writeMmx(i, 0, i.extendU(value));
  }
  const value = i.place(i.placeOf(1), i.size(0));
  if (isMmx(i, 1) && i.inMemory(0)) i.probe(i.memory(), i.size(0));
  if (isMmx(i, 1)) enterMmx(i);
  i.write(0, value);
};

const movq: Definition = (i) => {
  beginVector(i);
  if (usesMmx(i)) {
    const value = readMmx(i, 1);
    if (i.inMemory(0)) i.probe(i.memory(), 8);
    enterMmx(i);
    if (i.inMemory(0)) i.store(i.memory(), 8, value);
    else writeMmx(i, 0, value);
    return;
  }
  if (i.inMemory(1)) return writeVector(i, 0, i.load(i.memory(), 8, "v128"));
  const value = i.place(i.placeOf(1), 8, "f64");
  if (i.inMemory(0)) i.store(i.memory(), 8, value);
  else writeVector(i, 0, i.op("f64x2_replace_lane", [i.v128(new Uint8Array(16)), value], 0));
};

const movdq2q: Definition = (i) => {
  beginVector(i);
  const value = i.place(i.placeOf(1), 8);
  enterMmx(i);
  writeMmx(i, 0, value);
};
const movq2dq: Definition = (i) => {
  beginVector(i);
  const value = readMmx(i, 1);
  enterMmx(i);
  writeVector(i, 0, lowLane(i, value));
};

/** MASKMOVQ, MASKMOVDQU: bytes whose mask has its sign set go to DS:rDI; only those are accessed. */
const maskedMove: Definition = (i) => {
  beginVector(i);
  const mmx = isMmx(i, 0);
  const value = mmx ? lowLane(i, readMmx(i, 0)) : readVector(i, 0);
  const mask = mmx ? lowLane(i, readMmx(i, 1)) : readVector(i, 1);
  const bits = i.op("i8x16_bitmask", [mask]);
  const size = i.shape.addressSize;
  const register = i.register(RDI, i.long ? 8 : 4);
  const cut = (offset: Value): Value => (size === 2 ? i.and(offset, 0xffff) : i.long && size === 4 ? i.and(offset, 0xffff_ffff) : offset);
  const addresses: Address[] = [];
  for (let n = 0; n < (mmx ? 8 : 16); n++) {
    const address = i.address("record", cut(i.add(register, n)), true);
    i.if(i.and(bits, 1 << n), () => i.probe(address, 1));
    addresses.push(address);
  }
  for (const [n, address] of addresses.entries()) {
    i.if(i.and(bits, 1 << n), () => i.store(address, 1, i.op("i8x16_extract_lane_u", [value], n)));
  }
  if (mmx) enterMmx(i);
};

/** MOVNTI. */
const movnti: Definition = (i) => i.write(0, i.read(1));

const ldmxcsr: Definition = (i) => {
  checkUnit(i, TRAP_SSE, false);
  const word = i.load(i.memory(), 4);
  i.faultIf(i.and(word, ~0xffff), VECTOR_GP, 0);
  i.setState("i32_store", MXCSR, word);
};
const stmxcsr: Definition = (i) => {
  checkUnit(i, TRAP_SSE, false);
  i.store(i.memory(), 4, i.state("i32_load", MXCSR));
};

const emms: Definition = (i) => {
  checkUnit(i, TRAP_MMX, true);
  i.setState("i32_store", FPU_TAGS, i.i32(0));
  i.setState("i32_store", FPU_STATUS, i.and(status(i), ~FSW_TOP));
};

/** Stores eight bytes of an MMX register. */
const movntq: Definition = (i: InstructionBuilder) => {
  beginVector(i);
  i.probe(i.memory(), 8);
  const value = readMmx(i, 1);
  enterMmx(i);
  i.store(i.memory(), 8, value);
};

export const SSE_MOVES: Record<string, Definition> = {
  MOVAPS: whole(false),
  MOVAPD: whole(false),
  MOVDQA: whole(false),
  MOVNTPS: whole(false),
  MOVNTPD: whole(false),
  MOVNTDQ: whole(false),
  MOVUPS: whole(true),
  MOVUPD: whole(true),
  MOVDQU: whole(true),
  LDDQU: whole(true),
  MOVSS: scalar(4),
  MOVSD: scalar(8),
  MOVLPS: half(0, 0),
  MOVLPD: half(0, 0),
  MOVHLPS: half(0, 8),
  MOVHPS: half(8, 8),
  MOVHPD: half(8, 8),
  MOVLHPS: half(8, 0),
  MOVD: movd,
  MOVQ: movq,
  MOVDQ2Q: movdq2q,
  MOVQ2DQ: movq2dq,
  MASKMOVQ: maskedMove,
  MASKMOVDQU: maskedMove,
  MOVNTI: movnti,
  MOVNTQ: movntq,
  LDMXCSR: ldmxcsr,
  STMXCSR: stmxcsr,
  EMMS: emms,
  PREFETCHNTA: () => {},
  PREFETCHT0: () => {},
  PREFETCHT1: () => {},
  PREFETCHT2: () => {},
};
