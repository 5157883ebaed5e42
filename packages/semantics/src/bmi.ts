/**
 * BMI1, BMI2 and ADX (SDM volume 1, 5.1.16; volume 2): bit fields, deposits, shifts without flags, and additions with two separate
 * carries. The VEX forms name a third register (operand kind B) and are #UD in real-address and virtual-8086 mode.
 */
import { multiplyHigh } from "./arithmetic.ts";
import { irFunction } from "./builder.ts";
import type { Definition, InstructionBuilder } from "./instruction.ts";
import type { Size, Value } from "./ir.ts";
import { MODE, MODE_PROTECTED, RDX } from "./layout.ts";
import { VECTOR_UD } from "./vectors.ts";

/** #UD for VEX outside protected mode. */
function beginVex(i: InstructionBuilder): void {
  if (!i.long) i.faultIf(i.eqz(i.and(i.state("i32_load", MODE), MODE_PROTECTED)), VECTOR_UD);
}

function bitsOf(i: InstructionBuilder): number {
  return 8 * i.size(0);
}

/** A result with its SF and ZF; OF is clear. */
function finish(i: InstructionBuilder, result: Value, cf: Value = i.i32(0)): void {
  i.write(0, result);
  i.setFlags({ rule: "result", size: i.size(0), result, cf, of: i.i32(0), af: i.i32(0) });
}

const andn: Definition = (i) => {
  beginVex(i);
  const source = i.read(2);
  finish(i, i.and(i.not(i.read(1)), source));
};

/** The low `count` bits set; all of them where the count reaches the size. */
function ones(i: InstructionBuilder, like: Value, count: Value): Value {
  const size = bitsOf(i);
  const mask = i.sub(i.shl(i.like(like, 1), count), 1);
  return i.select(i.ltU(count, size), mask, i.like(like, -1));
}

const bextr: Definition = (i) => {
  beginVex(i);
  const source = i.read(1);
  const control = i.read(2);
  const start = i.and(control, 0xff);
  const length = i.and(i.shrU(control, 8), 0xff);
  const moved = i.select(i.ltU(start, bitsOf(i)), i.shrU(source, start), i.like(source, 0));
  finish(i, i.and(moved, ones(i, source, length)));
};

const bzhi: Definition = (i) => {
  beginVex(i);
  const source = i.read(1);
  const count = i.and(i.read(2), 0xff);
  finish(i, i.and(source, ones(i, source, count)), i.geU(count, bitsOf(i)));
};

/** BLSI, BLSMSK, BLSR: the lowest set bit alone, up to it, and gone. */
const lowestBit = (operation: (i: InstructionBuilder, x: Value) => Value, carryWhenZero: boolean): Definition => (i) => {
  beginVex(i);
  const source = i.read(1);
  finish(i, operation(i, source), carryWhenZero ? i.eqz(source) : i.ne(source, 0));
};

/** MULX: the low half is written first, so that the high half stays where both name one register. */
const mulx: Definition = (i) => {
  beginVex(i);
  const size = i.size(0);
  const y = i.read(2);
  const x = i.register(RDX, size);
  if (size === 8) {
    const high = multiplyHigh(i, x, y, false);
    const low = i.mul(x, y);
    i.write(1, low);
    return i.write(0, high);
  }
  const product = i.mul(i.extendU(x), i.extendU(y));
  i.write(1, i.wrap(product));
  i.write(0, i.wrap(i.shrU(product, 32)));
};

/** (source, mask): the source's low bits go to the places that the mask has. */
const deposit = irFunction("bits_deposit", ["i64", "i64"], "i64", (b, source, mask) => {
  const [rest, left, result] = [b.variable(source), b.variable(mask), b.variable(b.i64(0))];
  b.loop(() => {
    const places = b.get(left);
    b.breakIf(b.eqz(places));
    const place = b.and(places, b.sub(b.i64(0), places));
    b.setVariable(result, b.or(b.get(result), b.and(b.sub(b.i64(0), b.and(b.get(rest), b.i64(1))), place)));
    b.setVariable(rest, b.shrU(b.get(rest), b.i64(1)));
    b.setVariable(left, b.xor(places, place));
  });
  b.return(b.get(result));
});

/** (source, mask): the source's bits at the mask's places, next to each other. */
const extract = irFunction("bits_extract", ["i64", "i64"], "i64", (b, source, mask) => {
  const [next, left, result] = [b.variable(b.i64(1)), b.variable(mask), b.variable(b.i64(0))];
  b.loop(() => {
    const places = b.get(left);
    b.breakIf(b.eqz(places));
    const place = b.and(places, b.sub(b.i64(0), places));
    b.setVariable(result, b.or(b.get(result), b.select(b.eqz(b.and(source, place)), b.i64(0), b.get(next))));
    b.setVariable(next, b.shl(b.get(next), b.i64(1)));
    b.setVariable(left, b.xor(places, place));
  });
  b.return(b.get(result));
});

const throughMask = (callee: typeof deposit): Definition => (i) => {
  beginVex(i);
  const mask = i.read(2);
  const result = i.call(callee, [i.extendU(i.read(1)), i.extendU(mask)]);
  i.write(0, i.narrow(result, i.size(0)));
};

/** SARX, SHLX, SHRX: WebAssembly masks the count as they do. */
const shift = (operation: "shl" | "shrU" | "shrS"): Definition => (i) => {
  beginVex(i);
  const source = i.read(1);
  i.write(0, i[operation](source, i.read(2)));
};

const rorx: Definition = (i) => {
  beginVex(i);
  const source = i.read(1);
  const count = i.and(i.field("immediate"), 63);
  i.write(0, i.rotr(source, source.type === "i64" ? i.extendU(count) : count));
};

/** Sum and carry of two numbers and a carry. */
function addWithCarry(i: InstructionBuilder, x: Value, y: Value, carry: Value, size: Size): { sum: Value; carry: Value } {
  if (size === 4) {
    const wide = i.add(i.add(i.extendU(x), i.extendU(y)), i.extendU(carry));
    return { sum: i.wrap(wide), carry: i.wrap(i.shrU(wide, 32)) };
  }
  const first = i.add(x, y);
  const sum = i.add(first, i.extendU(carry));
  return { sum, carry: i.or(i.ltU(first, x), i.ltU(sum, first)) };
}

/** ADCX and ADOX: CF or OF is the carry in and out; no other flag changes. */
const addCarry = (flag: "CF" | "OF"): Definition => (i) => {
  const source = i.read(1);
  const { sum, carry } = addWithCarry(i, i.read(0), source, i.flag(flag), i.size(0));
  const cf = i.flag("CF");
  i.write(0, sum);
  if (flag === "CF") i.setFlags({ rule: "carry", cf: carry });
  else i.setFlags({ rule: "carry-overflow", cf, of: carry });
};

export const BMI: Record<string, Definition> = {
  ANDN: andn,
  BEXTR: bextr,
  BLSI: lowestBit((i, x) => i.and(x, i.sub(i.like(x, 0), x)), false),
  BLSMSK: lowestBit((i, x) => i.xor(x, i.sub(x, 1)), true),
  BLSR: lowestBit((i, x) => i.and(x, i.sub(x, 1)), true),
  BZHI: bzhi,
  MULX: mulx,
  PDEP: throughMask(deposit),
  PEXT: throughMask(extract),
  RORX: rorx,
  SARX: shift("shrS"),
  SHLX: shift("shl"),
  SHRX: shift("shrU"),
  ADCX: addCarry("CF"),
  ADOX: addCarry("OF"),
};
