/**
 * Bit tests and scans, byte swaps and counts (SDM volume 2, BT to BSR, BSWAP, POPCNT, LZCNT, TZCNT), and the single-flag
 * instructions.
 */
import type { Definition, InstructionBuilder } from "./instruction.ts";
import { EFLAGS_REST, RAX } from "./layout.ts";
import type { Size, Value } from "./ir.ts";

function bitOperands(i: InstructionBuilder, update: boolean): { value: Value; by: Value; write: (v: Value) => void } {
  const size = i.size(0);
  const bits = size * 8;
  if (i.shape.form.operands[1]!.kind === "I") {
    const value = update ? i.readForUpdate(0) : i.read(0);
    return { value, by: i.and(i.immediate(size), bits - 1), write: (v) => i.write(0, v) };
  }
  const offset = i.read(1);
  const by = i.and(offset, bits - 1);
  if (!i.inMemory(0)) return { value: i.read(0), by, write: (v) => i.write(0, v) };
  // A register bit offset reaches 2^31 (2^63) bits to either side of the address.
  const units = i.shrS(i.signExtend(offset, size), Math.log2(bits));
  const distance = i.mul(i.long ? i.extendS(units) : i.wrap(units), size);
  const operand = i.memory();
  const address = i.address(operand.segment, i.and(i.add(operand.offset, distance), i.addressMask()), operand.checked);
  const value = update ? i.loadForUpdate(address, size) : i.load(address, size);
  return { value, by, write: (v) => i.store(address, size, v) };
}

const bitTest = (change?: "or" | "andNot" | "xor"): Definition => (i) => {
  const { value, by, write } = bitOperands(i, change !== undefined);
  const cf = i.wrap(i.and(i.shrU(value, by), 1));
  const mask = i.shl(i.like(value, 1), by);
  if (change === "or") write(i.or(value, mask));
  else if (change === "xor") write(i.xor(value, mask));
  else if (change === "andNot") write(i.and(value, i.not(mask)));
  i.setFlags({ rule: "carry", cf });
};

/** BSF and BSR leave the destination alone when the source is zero, its upper half too, as all processors do. */
const bitScan = (forward: boolean): Definition => (i) => {
  const size = i.size(0);
  const source = i.read(1);
  const found = forward ? i.op(`${source.type}_ctz`, [source]) : i.sub(i.like(source, size === 8 ? 63 : 31), i.op(`${source.type}_clz`, [source]));
  if (i.long && size === 4) i.if(source, () => i.write(0, found));
  else i.write(0, i.select(i.eqz(source), i.read(0), found));
  i.setFlags({ rule: "logic", size, result: source });
};

const popcnt: Definition = (i) => {
  const source = i.read(1);
  const count = i.op(`${source.type}_popcnt`, [source]);
  i.write(0, count);
  i.setFlags({ rule: "image", image: i.shl(i.eqz(source), 6) });
};

const zeroCount = (trailing: boolean): Definition => (i) => {
  const size = i.size(0);
  const bits = size * 8;
  const source = i.read(1);
  // Narrow operands get a guard bit above (trailing), or lose the 16 zero bits above them (leading).
  const count = trailing
    ? i.op(`${source.type}_ctz`, [size === 2 ? i.or(source, 0x10000) : source])
    : i.sub(i.op(`${source.type}_clz`, [source]), size === 2 ? 16 : 0);
  i.write(0, count);
  const zero = i.i32(0);
  i.setFlags({ rule: "result", size, result: count, cf: i.wrap(i.eq(count, bits)), of: zero, af: zero });
};

const bswap: Definition = (i) => {
  const size = i.operandSize;
  const value = i.read(0);
  i.write(0, size === 2 ? i.i32(0) : swapBytes(i, value, size));
};

/** Reverses the bytes of a number. */
function swapBytes(i: InstructionBuilder, value: Value, size: Size): Value {
  if (size === 2) return i.or(i.shl(i.and(value, 0xff), 8), i.shrU(value, 8));
  if (size === 4) return i.or(i.and(i.rotl(value, 8), 0x00ff00ff), i.and(i.rotr(value, 8), 0xff00ff00 | 0));
  const bytes = i.i64(0x00ff_00ff_00ff_00ffn);
  const pairs = i.or(i.shl(i.and(value, bytes), 8), i.and(i.shrU(value, 8), bytes));
  const halves = i.or(i.shl(i.and(pairs, i.i64(0x0000_ffff_0000_ffffn)), 16), i.and(i.shrU(pairs, 16), i.i64(0x0000_ffff_0000_ffffn)));
  return i.rotl(halves, 32);
}

const movbe: Definition = (i) => i.write(0, swapBytes(i, i.read(1), i.size(0)));

const DF = 1 << 10;

const setDirection = (on: boolean): Definition => (i) => {
  const flags = i.state("i32_load", EFLAGS_REST);
  i.setState("i32_store", EFLAGS_REST, on ? i.or(flags, DF) : i.and(flags, ~DF));
};

const lahf: Definition = (i) => {
  const flags = i.or(i.and(i.arithmeticFlags(), 0xd5), 2);
  i.setPlace({ at: 8 * RAX + 1 }, 1, flags);
};

const sahf: Definition = (i) => {
  const image = i.place({ at: 8 * RAX + 1 }, 1);
  i.setFlags({ rule: "image", image: i.or(i.and(image, 0xd5), i.shl(i.flag("OF"), 11)) });
};

export const BITS: Record<string, Definition> = {
  BT: bitTest(),
  BTS: bitTest("or"),
  BTR: bitTest("andNot"),
  BTC: bitTest("xor"),
  BSF: bitScan(true),
  BSR: bitScan(false),
  POPCNT: popcnt,
  TZCNT: zeroCount(true),
  LZCNT: zeroCount(false),
  BSWAP: bswap,
  MOVBE: movbe,
  CMC: (i) => i.setFlags({ rule: "carry", cf: i.xor(i.flag("CF"), 1) }),
  CLC: (i) => i.setFlags({ rule: "carry", cf: i.i32(0) }),
  STC: (i) => i.setFlags({ rule: "carry", cf: i.i32(1) }),
  CLD: setDirection(false),
  STD: setDirection(true),
  LAHF: lahf,
  SAHF: sahf,
};
