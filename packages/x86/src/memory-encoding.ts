/**
 * ModRM, SIB and displacement bytes of a memory operand (SDM volume 2, sections 2.1.3 to 2.1.5), and the values that go into
 * displacements and immediates.
 */
import { evaluate, type Expression, firstUnknown, SourceProblem } from "./assembly-expression.ts";
import type { MemorySyntax } from "./assembly-operand.ts";
import type { EncodingContext } from "./operand-match.ts";

/** The value of an expression in the pass that runs. */
export interface Value {
  readonly value: bigint;
  /** Known without addresses, so that its size may choose the encoding. */
  readonly constant: boolean;
  /** False in an early pass, before a label further down has an address. */
  readonly known: boolean;
}

/** Collects the bytes after ModRM and SIB: displacement, then immediates. */
export class Tail {
  readonly bytes: number[] = [];

  /** Appends the low `size` bytes of `value`, lowest first. */
  push(value: bigint, size: number): void {
    for (let n = 0; n < size; n++) this.bytes.push(Number((value >> BigInt(8 * n)) & 0xffn));
  }
}

/** The low `bytes` bytes of `value` as a signed number. */
export function signed(value: bigint, bytes: number): bigint {
  return BigInt.asIntN(bytes * 8, value);
}

/** Whether `value` is a signed or unsigned number of `bytes` bytes. */
export function inRange(value: bigint, bytes: number): boolean {
  const bits = BigInt(bytes * 8);
  return value >= -(1n << (bits - 1n)) && value < 1n << bits;
}

/** Computes an expression; an unknown name is a problem in the last pass only. */
export function valueOf(expression: Expression, context: EncodingContext): Value {
  const value = evaluate(expression, context.lookup);
  if (value !== undefined) return { ...value, known: true };
  if (context.final) throw new SourceProblem(`the name "${firstUnknown(expression, context.lookup)}" is not defined`);
  return { value: 0n, constant: false, known: false };
}

const RM16: Readonly<Record<string, number>> = { "3,6": 0, "3,7": 1, "5,6": 2, "5,7": 3, "6,": 4, "7,": 5, "5,": 6, "3,": 7 };

/** Appends ModRM and SIB to `body` and the displacement to `tail`; gives back the target when it is relative to the next instruction. */
export function encodeMemory(memory: MemorySyntax, addressSize: number, reg: number, body: number[], tail: Tail, context: EncodingContext): { value: bigint } | undefined {
  const { base, index } = memory;
  const value: Value = memory.displacement === undefined ? { value: 0n, constant: true, known: true } : valueOf(memory.displacement, context);
  if ((value.constant || context.final) && !inRange(value.value, addressSize)) throw new SourceProblem("a displacement is out of range");
  const displacement = signed(value.value, addressSize);
  const full = addressSize === 2 ? 2 : 4;
  if (addressSize === 8 && (value.constant || context.final) && displacement !== signed(displacement, 4)) throw new SourceProblem("a displacement does not fit 32 bits");
  if (memory.relative) {
    if (context.bits !== 64) throw new SourceProblem("only 64-bit code has addresses relative to the instruction");
    body.push((reg << 3) | 5);
    tail.push(0n, 4);
    return { value: value.value };
  }
  if (base === undefined && index === undefined) {
    if (addressSize === 2) body.push((reg << 3) | 6);
    else if (context.bits === 64) body.push((reg << 3) | 4, 0x25);
    else body.push((reg << 3) | 5);
    tail.push(displacement, full);
    return undefined;
  }
  const shortDisplacement = displacement >= -128n && displacement <= 127n && (value.constant || memory.displacementSize === 1);
  let rm: number;
  let sib: number | undefined;
  let mustHaveDisplacement: boolean;
  if (addressSize === 2) {
    let key = `${base?.number ?? ""},${index?.number ?? ""}`;
    if (index !== undefined && RM16[key] === undefined) key = `${index.number},${base?.number ?? ""}`;
    if (memory.scale !== 1 || RM16[key] === undefined) throw new SourceProblem("16-bit addresses are made of BX or BP, and SI or DI");
    rm = RM16[key]!;
    mustHaveDisplacement = rm === 6;
  } else if (base === undefined) {
    body.push((reg << 3) | 4, (Math.log2(memory.scale) << 6) | ((index!.number & 7) << 3) | 5);
    tail.push(displacement, 4);
    return undefined;
  } else {
    rm = base.number & 7;
    mustHaveDisplacement = rm === 5;
    if (index !== undefined || rm === 4) {
      sib = (Math.log2(memory.scale) << 6) | ((index === undefined ? 4 : index.number & 7) << 3) | rm;
      rm = 4;
    }
  }
  const bytes = memory.displacement !== undefined && !shortDisplacement ? full : displacement !== 0n || mustHaveDisplacement || memory.displacementSize === 1 ? 1 : 0;
  body.push(((bytes === 0 ? 0 : bytes === 1 ? 1 : 2) << 6) | (reg << 3) | rm);
  if (sib !== undefined) body.push(sib);
  tail.push(displacement, bytes);
  return undefined;
}
