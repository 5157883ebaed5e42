/**
 * Makes the bytes of a 64-bit instruction from a line of the opcode tables and a choice of registers, addressing mode and REX (SDM volume
 * 2, 2.2), and sets registers so that a memory operand means a given address.
 */
import type { Form } from "@doppel/x86";
import type { Random } from "./host-vectors-random.ts";
import { CODE_OFFSET, HIGH, type LongRecord } from "./long-vectors-record.ts";

const MASK64 = (1n << 64n) - 1n;
const MASK32 = 0xffff_ffffn;

/** A memory operand. Registers are numbers or -1. */
export interface LongMemory {
  readonly relative: boolean;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacementBytes: 0 | 1 | 4;
  readonly displacement: bigint;
}

/** Everything that a form leaves open. */
export interface LongChoice {
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 4 | 8;
  /** Legacy prefixes besides 66 and 67. */
  readonly prefixes: readonly number[];
  /** A REX prefix stands there even when no bit of it is needed. */
  readonly rex: boolean;
  readonly reg: number;
  readonly rm: number;
  readonly vvvv: number;
  readonly memory: LongMemory | undefined;
  readonly condition: number;
  readonly immediate: bigint;
}

/** One of the addressing modes. */
export function chooseLongMemory(random: Random): LongMemory {
  const kind = random.below(8);
  if (kind === 0 || kind === 1) return { relative: true, base: -1, index: -1, scale: 0, displacementBytes: 4, displacement: 0n };
  if (kind === 2) return { relative: false, base: -1, index: -1, scale: 0, displacementBytes: 4, displacement: 0n };
  const base = random.below(16);
  let index = random.oneIn(2) ? random.below(16) : -1;
  if (index === 4 || index === base) index = -1;
  let displacementBytes = random.pick([0, 1, 4] as const);
  if ((base & 7) === 5 && displacementBytes === 0) displacementBytes = 1;
  const value = BigInt(random.next() | 0);
  const displacement = displacementBytes === 0 ? 0n : displacementBytes === 1 ? BigInt.asIntN(8, value) : random.oneIn(2) ? value : BigInt.asIntN(12, value);
  return { relative: false, base, index, scale: index < 0 ? 0 : random.below(4), displacementBytes, displacement };
}

/** Bytes of the immediates of a form. */
export function longImmediateSize({ form, operandSize, addressSize }: { form: Form; operandSize: number; addressSize: number }): number {
  if (form.mnemonic === "ENTER") return 3;
  const wide = operandSize === 2 ? 2 : 4;
  for (const { kind, size } of form.operands) {
    if (kind === "O") return addressSize;
    if (kind === "I" || kind === "J") return size === "b" || size === "bs" ? 1 : size === "w" ? 2 : size === "v" ? operandSize : wide;
  }
  return 0;
}

function push(bytes: number[], value: bigint, size: number): void {
  for (let n = 0; n < size; n++) bytes.push(Number((value >> BigInt(8 * n)) & 0xffn));
}

/** The instruction's bytes; a relative or absolute memory operand means `target`. */
export function encodeLong(form: Form, choice: LongChoice, target: bigint): number[] {
  const { memory, operandSize, addressSize } = choice;
  const head = [...choice.prefixes];
  if (addressSize === 4) head.push(0x67);
  if (!form.vex) {
    if (form.mandatoryPrefix === "66" || (operandSize === 2 && !form.forced64)) head.push(0x66);
    if (form.mandatoryPrefix === "F3") head.push(0xf3);
    if (form.mandatoryPrefix === "F2") head.push(0xf2);
  }
  const body: number[] = [];
  const { reg, rm } = choice;
  let rex = operandSize === 8 && (form.rexW || (!form.forced64 && !form.default64)) ? 8 : 0;
  if (form.digit < 0 && reg > 7) rex |= 4;
  if (form.range === "r" || (form.hasModrm && memory === undefined)) rex |= rm > 7 ? 1 : 0;
  else if (memory !== undefined) rex |= (memory.base > 7 ? 1 : 0) | (memory.index > 7 ? 2 : 0);
  const opcode = form.opcodeByte + (form.range === "r" ? rm & 7 : form.range === "cc" ? choice.condition : 0);
  if (form.vex) {
    const vvvv = form.operands.some(({ kind }) => kind === "B") ? choice.vvvv : 0;
    const pp = ["NP", "66", "F3", "F2"].indexOf(form.mandatoryPrefix);
    body.push(0xc4, ((~rex & 7) << 5) | (form.map - 2), ((rex & 8) << 4) | ((~vvvv & 15) << 3) | pp, opcode);
  } else {
    if (rex !== 0 || choice.rex) body.push(0x40 | rex);
    if (form.map > 0) body.push(0x0f);
    if (form.map > 1) body.push(form.map === 2 ? 0x38 : 0x3a);
    body.push(opcode);
  }
  let relativeAt = -1;
  if (form.hasModrm) {
    const field = (form.digit >= 0 ? form.digit : reg & 7) << 3;
    if (form.fixedModrm >= 0) body.push(form.fixedModrm + (form.stackRegister ? rm & 7 : 0));
    else if (memory === undefined) body.push(0xc0 | field | (rm & 7));
    else if (memory.relative) {
      body.push(field | 5);
      relativeAt = body.length;
      push(body, 0n, 4);
    } else if (memory.base < 0) {
      body.push(field | 4, 0x25);
      push(body, target, 4);
    } else {
      const mod = memory.displacementBytes === 0 ? 0 : memory.displacementBytes === 1 ? 0x40 : 0x80;
      if (memory.index >= 0 || (memory.base & 7) === 4) {
        body.push(mod | field | 4, (memory.scale << 6) | ((memory.index < 0 ? 4 : memory.index & 7) << 3) | (memory.base & 7));
      } else body.push(mod | field | (memory.base & 7));
      push(body, memory.displacement, memory.displacementBytes);
    }
  }
  push(body, choice.immediate, longImmediateSize({ form, operandSize, addressSize }));
  const bytes = [...head, ...body];
  if (relativeAt >= 0) {
    const distance: number[] = [];
    push(distance, target - (HIGH + BigInt(CODE_OFFSET + bytes.length)), 4);
    for (const [n, byte] of distance.entries()) bytes[head.length + relativeAt + n] = byte;
  }
  return bytes;
}

/** Sets the base register of a memory operand so that it means `target`; a 32-bit address leaves its upper half as it is. */
export function aimLong(record: LongRecord, { memory, addressSize }: LongChoice, target: bigint): void {
  if (memory === undefined || memory.base < 0) return;
  const { base, index, scale, displacement } = memory;
  const rest = target - displacement - (index < 0 ? 0n : record.gpr(index) << BigInt(scale));
  record.setGpr(base, addressSize === 8 ? rest & MASK64 : (record.gpr(base) & ~MASK32 & MASK64) | (rest & MASK32));
}
