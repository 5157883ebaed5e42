/**
 * Makes the bytes of an instruction from a line of the opcode tables and a choice of registers, addressing mode and immediate
 * (SDM volume 2, chapter 2). Unlike the assembler it can be told to use each encoding, also those no assembler would choose.
 */
import type { Form } from "@doppel/x86";
import type { CaseRecord } from "./host-vectors-record.ts";
import type { Random } from "./host-vectors-random.ts";

/** A memory operand: registers by number or -1, with the bytes of ModRM, SIB and displacement. */
export interface MemoryChoice {
  readonly addressSize: 2 | 4;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  readonly mod: number;
  readonly rm: number;
  readonly displacementBytes: number;
}

/** Everything that a form leaves open. */
export interface EncodingChoice {
  readonly operandSize: 2 | 4;
  readonly addressSize: 2 | 4;
  readonly prefixes: readonly number[];
  readonly reg: number;
  readonly rm: number;
  readonly memory: MemoryChoice | undefined;
  readonly condition: number;
  readonly immediate: number;
  readonly immediate2: number;
}

const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1];

function signedDisplacement(random: Random, bytes: number): number {
  const value = random.next();
  return bytes === 0 ? 0 : bytes === 1 ? (value << 24) >> 24 : bytes === 2 ? (value << 16) >> 16 : random.oneIn(2) ? value | 0 : (value << 20) >> 20;
}

/** One of the addressing modes; an address without registers gets its displacement from {@link absolute}. */
export function chooseMemory(random: Random, addressSize: 2 | 4): MemoryChoice {
  const mod = random.below(3);
  if (addressSize === 2) {
    const rm = random.below(8);
    if (mod === 0 && rm === 6) return { addressSize, base: -1, index: -1, scale: 0, displacement: 0, mod, rm, displacementBytes: 2 };
    const displacementBytes = mod;
    return { addressSize, base: BASE16[rm]!, index: INDEX16[rm]!, scale: 0, displacement: signedDisplacement(random, displacementBytes), mod, rm, displacementBytes };
  }
  const base = random.below(8);
  const withSib = base === 4 || random.oneIn(2);
  const scale = random.below(4);
  // Index 4 says that there is none; a base that is its own index could not be solved for an address.
  let index = withSib ? random.below(8) : -1;
  if (index === 4 || index === base) index = -1;
  const none = mod === 0 && base === 5;
  const displacementBytes = none ? 4 : mod === 0 ? 0 : mod === 1 ? 1 : 4;
  // A scaled index alone can make the address exact only when the displacement leaves a multiple of its scale.
  const displacement = none ? (index < 0 ? 0 : signedDisplacement(random, displacementBytes) & ~15) : signedDisplacement(random, displacementBytes);
  return { addressSize, base: none ? -1 : base, index, scale: index < 0 ? 0 : scale, displacement, mod, rm: withSib ? 4 : base, displacementBytes };
}

/** The same operand with the displacement that makes `linear`, when no register takes part. */
export function absolute(memory: MemoryChoice, linear: number): MemoryChoice {
  return memory.base < 0 && memory.index < 0 ? { ...memory, displacement: linear } : memory;
}

/** Sets the registers of a memory operand so that it means `offset`; the index keeps what the record says. */
export function aim(record: CaseRecord, memory: MemoryChoice, offset: number): void {
  const { base, index, scale, displacement } = memory;
  if (memory.addressSize === 2) {
    const rest = offset - displacement - (index < 0 ? 0 : record.gpr(index));
    if (base >= 0) record.setRegister(base, 2, rest & 0xffff);
    return;
  }
  if (base >= 0) record.setGpr(base, (offset - displacement - (index < 0 ? 0 : record.gpr(index) << scale)) >>> 0);
  else if (index >= 0) record.setGpr(index, ((offset - displacement) >>> scale) >>> 0);
}

/** The linear offset that a memory operand means with the record's registers. */
export function effectiveOffset(record: CaseRecord, memory: MemoryChoice): number {
  const { base, index, scale, displacement } = memory;
  const sum = displacement + (base < 0 ? 0 : record.gpr(base)) + (index < 0 ? 0 : record.gpr(index) << scale);
  return memory.addressSize === 2 ? sum & 0xffff : sum >>> 0;
}

function push(bytes: number[], value: number, size: number): void {
  for (let n = 0; n < size; n++) bytes.push((value >>> (8 * n)) & 0xff);
}

/** Bytes of the immediates of a form. */
export function immediateSizes(form: Form, operandSize: number, addressSize: number): number[] {
  const wide = operandSize === 2 ? 2 : 4;
  return form.operands.flatMap(({ kind, size }) => {
    if (kind === "O") return [addressSize];
    if (kind === "A") return [wide, 2];
    if (kind !== "I" && kind !== "J") return [];
    return [size === "b" || size === "bs" ? 1 : size === "w" ? 2 : wide];
  });
}

/** The instruction's bytes. */
export function encode(form: Form, choice: EncodingChoice): number[] {
  const bytes = [...choice.prefixes];
  if (choice.addressSize === 2) bytes.push(0x67);
  if (form.mandatoryPrefix === "66" || choice.operandSize === 2) bytes.push(0x66);
  if (form.mandatoryPrefix === "F3") bytes.push(0xf3);
  if (form.mandatoryPrefix === "F2") bytes.push(0xf2);
  if (form.map > 0) bytes.push(0x0f);
  if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
  bytes.push(form.opcodeByte + (form.range === "r" ? choice.rm : form.range === "cc" ? choice.condition : 0));
  if (form.hasModrm) {
    const reg = form.digit >= 0 ? form.digit : choice.reg;
    const { memory } = choice;
    if (form.fixedModrm >= 0) bytes.push(form.fixedModrm + (form.stackRegister ? choice.rm : 0));
    else if (memory === undefined) bytes.push(0xc0 | (reg << 3) | choice.rm);
    else {
      bytes.push((memory.mod << 6) | (reg << 3) | memory.rm);
      if (memory.addressSize === 4 && memory.rm === 4) {
        bytes.push((memory.scale << 6) | ((memory.index < 0 ? 4 : memory.index) << 3) | (memory.base < 0 ? 5 : memory.base));
      }
      push(bytes, memory.displacement, memory.displacementBytes);
    }
  }
  for (const [n, size] of immediateSizes(form, choice.operandSize, choice.addressSize).entries()) push(bytes, n === 0 ? choice.immediate : choice.immediate2, size);
  return bytes;
}
