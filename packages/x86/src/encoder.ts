/**
 * Encodes one instruction of the assembly language: of the forms that its operands fit, the one with the fewest bytes
 * (SDM volume 2, chapter 2).
 */
import { type Expression, SourceProblem } from "./assembly-expression.ts";
import { meaningsOf } from "./assembly-mnemonics.ts";
import type { MemorySyntax, OperandSyntax } from "./assembly-operand.ts";
import { MAXIMUM_LENGTH } from "./decoder.ts";
import { type Form, type Operand, sizeOf } from "./form.ts";
import { encodeMemory, inRange, signed, Tail, type Value, valueOf } from "./memory-encoding.ts";
import { arrangements, type EncodingContext, isFar, type Match, matchForm, type PrefixSyntax, SCALABLE } from "./operand-match.ts";
import { generalWidth } from "./register-names.ts";

/** Encoded bytes, and whether a jump had to be long. */
export interface Encoding {
  readonly bytes: number[];
  readonly long: boolean;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** VEX.pp of the mandatory prefixes. */
const VEX_PP: Readonly<Record<string, number>> = { NP: 0, 66: 1, F3: 2, F2: 3 };

/** Encodes `mnemonic operands` with its prefix words. Throws `SourceProblem` with a plain sentence. */
export function encode(mnemonic: string, written: readonly OperandSyntax[], prefix: PrefixSyntax, context: EncodingContext): Encoding {
  const meanings = meaningsOf(mnemonic);
  if (meanings === undefined) throw new SourceProblem(`there is no instruction "${mnemonic}"`);
  const matches: Match[] = [];
  for (const meaning of meanings) {
    if (meaning.bare && written.length > 0) continue;
    for (const form of meaning.forms) {
      if (context.bits === 64 ? form.invalid64 : form.only64) continue;
      if ((form.mnemonic === "JMPF" || form.mnemonic === "CALLF") && !mnemonic.endsWith("f") && !written.some(isFar)) continue;
      for (const operands of arrangements(form, written)) matches.push(...matchForm(form, operands, meaning, prefix, context));
    }
  }
  if (matches.length === 0) throw new SourceProblem(`no form of "${mnemonic}" takes these operands in ${context.bits}-bit code`);
  if (new Set(matches.map((match) => match.assumedSize)).size > 1 && matches.some((match) => match.assumedSize !== 0)) {
    throw new SourceProblem(`the size of the memory operand of "${mnemonic}" is not clear: write byte, word, dword or qword before it`);
  }
  let best: Encoding | undefined;
  let problem: SourceProblem | undefined;
  for (const match of matches) {
    let encoding: Encoding | undefined;
    try {
      encoding = encodeMatch(match, prefix, context);
    } catch (error) {
      if (!(error instanceof SourceProblem)) throw error;
      problem ??= error; // another form may do
    }
    if (encoding !== undefined && (best === undefined || encoding.bytes.length < best.bytes.length)) best = encoding;
  }
  if (best === undefined) {
    throw problem ?? new SourceProblem(written.some((operand) => operand.distance === "short" || operand.immediate !== undefined) && !context.long
      ? `an operand of "${mnemonic}" is out of reach or range` : `"${mnemonic}" cannot be encoded with these operands`);
  }
  return best;
}

function encodeMatch(match: Match, prefix: PrefixSyntax, context: EncodingContext): Encoding | undefined {
  const { form, operandSize, operands, meaning } = match;
  const long64 = context.bits === 64;
  const codeSize = context.bits / 8;
  let rex = 0;
  let needsRex = false;
  let refusesRex = false;
  let reg = Math.max(form.digit, 0);
  let rm: number | undefined;
  let low = 0;
  let third = 0;
  let memory: OperandSyntax | undefined;
  let offset: MemorySyntax | undefined;
  form.operands.forEach((operand, n) => {
    const written = operands[n];
    if (operand.kind === "STi") rm = written?.register?.number ?? 1;
    if (written?.memory !== undefined) {
      if (operand.kind === "O") offset = written.memory;
      else memory = written;
    }
    const register = written?.register;
    if (register === undefined) return;
    if (register.class === "r8" && register.number >= 4 && register.number < 8) needsRex = true;
    if (register.class === "high8") refusesRex = true;
    if ("GPVSCD".includes(operand.kind)) reg = register.number;
    else if (operand.kind === "B") third = register.number;
    else if (operand.kind === "Z") low = register.number;
    else if ("ERNUQW".includes(operand.kind)) rm = register.number;
  });
  if (form.mnemonic === "MOV" && form.operands[0]?.kind === "S" && reg === 1) throw new SourceProblem("CS cannot be loaded by MOV");
  if (form.opcode === "90+r" && long64 && low === 0 && operandSize === 4) return undefined; // 90 is NOP there and would not clear the upper half

  const address = memory?.memory ?? offset;
  let addressSize = prefix.addressSize !== 0 ? prefix.addressSize : meaning.addressSize !== 0 ? meaning.addressSize : codeSize;
  const part = address?.base ?? address?.index;
  if (part !== undefined) addressSize = generalWidth(part.class);
  else if (address !== undefined && address.displacementSize !== 0 && address.displacementSize !== 1) addressSize = address.displacementSize;
  if (addressSize === 2 && long64 || addressSize === 8 && !long64) throw new SourceProblem(`an address of ${addressSize * 8} bits cannot be used in ${context.bits}-bit code`);

  const head: number[] = [];
  const segment = address !== undefined && address.segment >= 0 ? address.segment : prefix.segment;
  if (segment >= 0) head.push(SEGMENT_PREFIXES[segment]!);
  if (addressSize !== codeSize) head.push(0x67);
  const usesSize = form.operands.some((o) => ["v", "z", "p", "a", "bs"].includes(o.size)) || prefix.operandSize !== 0 || meaning.operandSize !== 0;
  if (form.vex) {
    // VEX.pp says it
  } else if (form.mandatoryPrefix === "66") head.push(0x66);
  else if (usesSize && (long64 ? operandSize === 2 : operandSize !== codeSize)) head.push(0x66);
  if (form.mandatoryPrefix === "F3" && !form.vex) head.push(0xf3);
  if (form.mandatoryPrefix === "F2" && !form.vex) head.push(0xf2);
  if (prefix.repeat !== 0) head.push(prefix.repeat);
  if (prefix.lock) {
    if (!form.lockable || memory === undefined) throw new SourceProblem("LOCK needs an instruction that reads and writes memory");
    head.push(0xf0);
  }
  if (meaning.wait) head.unshift(0x9b);
  if (operandSize === 8 && long64 && !form.forced64 && !form.default64 && (form.rexW || form.operands.some((o) => SCALABLE.has(o.size)) || usesSize)) rex |= 8;

  const body: number[] = form.map === 0 || form.vex ? [] : form.map === 1 ? [0x0f] : form.map === 2 ? [0x0f, 0x38] : [0x0f, 0x3a];
  body.push(form.opcodeByte + (form.range === "r" ? low & 7 : form.range === "cc" ? meaning.condition : 0));
  if (low > 7) rex |= 1;
  const tail = new Tail();
  let patchRelative: { value: bigint } | undefined;
  if (form.fixedModrm >= 0) body.push(form.fixedModrm + (form.stackRegister ? rm! & 7 : 0));
  else if (form.hasModrm) {
    if (reg > 7) rex |= 4;
    if (memory === undefined) {
      if ((rm ?? 0) > 7) rex |= 1;
      body.push(0xc0 | ((reg & 7) << 3) | ((rm ?? 0) & 7));
    } else {
      const { base, index } = memory.memory!;
      if (base !== undefined && base.number > 7) rex |= 1;
      if (index !== undefined && index.number > 7) rex |= 2;
      patchRelative = encodeMemory(memory.memory!, addressSize, reg & 7, body, tail, context);
    }
  } else if (offset !== undefined) {
    const value = valueOf(offset.displacement ?? { kind: "number", value: 0n }, context);
    if (long64 && addressSize === 8 && offset.displacementSize !== 8) return undefined;
    if (context.final && !inRange(value.value, addressSize)) return undefined;
    tail.push(value.value, addressSize);
  }
  if (form.vex) {
    if (!long64 && (rex !== 0 || third > 7)) return undefined;
    // R, X, B and vvvv are inverted; L is 0.
    body.unshift(0xc4, ((~rex & 7) << 5) | (form.map - 2), ((rex & 8) << 4) | ((~third & 15) << 3) | VEX_PP[form.mandatoryPrefix]!);
  } else if (rex !== 0 || needsRex) {
    if (refusesRex) throw new SourceProblem("AH, CH, DH and BH cannot be used in an instruction that needs a REX prefix");
    if (!long64) return undefined;
    body.unshift(0x40 | rex);
  }
  const start = head.length + body.length;
  let long = context.long;
  for (let n = 0; n < form.operands.length; n++) {
    const operand = form.operands[n]!;
    if (!"IJA".includes(operand.kind)) continue;
    const written = operands[n];
    const expression: Expression = written?.immediate ?? { kind: "number", value: BigInt(Math.max(meaning.predicate, 0)) };
    if (operand.kind === "J") {
      const relaxable = written!.distance === "" && (form.mnemonic === "JMP" || form.mnemonic === "Jcc");
      if (operand.size === "b" && relaxable && context.long) return undefined;
      const bytes = sizeOf(operand.size, operandSize);
      const target = valueOf(expression, context);
      const distance = signed(target.value - (context.address + BigInt(start + tail.bytes.length + bytes)), operandSize);
      if (operand.size === "b" && target.known && (distance < -128n || distance > 127n)) {
        if (relaxable || context.final) return undefined;
      }
      if (operand.size === "z" && relaxable) long = true;
      tail.push(distance, bytes);
    } else if (operand.kind === "A") {
      tail.push(valueOf(expression, context).value, operandSize);
      tail.push(valueOf(written!.selector!, context).value, 2);
    } else if (!pushImmediate(operand, written, valueOf(expression, context), operandSize, form, memory !== undefined, tail, context)) return undefined;
  }
  const bytes = [...head, ...body, ...tail.bytes];
  if (patchRelative !== undefined) {
    const distance = patchRelative.value - (context.address + BigInt(bytes.length));
    const at = head.length + body.length;
    for (let n = 0; n < 4; n++) bytes[at + n] = Number((distance >> BigInt(8 * n)) & 0xffn);
  }
  if (bytes.length - (meaning.wait ? 1 : 0) > MAXIMUM_LENGTH) throw new SourceProblem(`the instruction would be longer than ${MAXIMUM_LENGTH} bytes`);
  return { bytes, long };
}

function pushImmediate(
  operand: Operand, written: OperandSyntax | undefined, { value, constant }: Value, operandSize: number, form: Form, inMemory: boolean, tail: Tail,
  context: EncodingContext,
): boolean {
  const size = sizeOf(operand.size, operandSize);
  if (operand.size === "bs") {
    if (!inRange(value, operandSize)) return false;
    const narrow = signed(value, operandSize);
    if (written?.size !== 1 && (!constant || narrow < -128n || narrow > 127n)) return false;
    if (context.final && (narrow < -128n || narrow > 127n)) return false;
  } else if (constant || context.final) {
    if (!inRange(value, size)) return false;
    if (operand.size === "z" && operandSize === 8 && value >= 1n << 31n) return false; // it would be sign-extended
  }
  if (!constant && operand.size === "z" && operandSize === 8 && form.mnemonic === "MOV" && written?.size !== 4 && !inMemory) return false; // an address gets all its 64 bits
  tail.push(value, size);
  return true;
}
