/**
 * Encodes one instruction of the assembly language: matches its operands against the forms of the tables and writes the shortest encoding
 * (SDM volume 2, chapter 2).
 */
import { evaluate, type Expression, type Lookup, SourceProblem } from "./assembly-expression.ts";
import { meaningsOf, type Meaning } from "./assembly-mnemonics.ts";
import type { MemorySyntax, OperandSyntax } from "./assembly-operand.ts";
import type { Form, Operand } from "./form.ts";
import { generalWidth } from "./register-names.ts";

/** Prefix words before a mnemonic. Sizes are 0 when absent. */
export interface PrefixSyntax {
  readonly lock: boolean;
  /** 0xf2, 0xf3 or 0. */
  readonly repeat: number;
  /** Segment register number, or -1. */
  readonly segment: number;
  readonly operandSize: number;
  readonly addressSize: number;
}

/** What the encoder must know about the place of the instruction. */
export interface EncodingContext {
  readonly bits: 16 | 32 | 64;
  readonly address: bigint;
  readonly lookup: Lookup;
  /** Every value must be known and in range: the last pass. */
  readonly final: boolean;
  /** A jump that was found not to reach with one byte stays long. */
  readonly long: boolean;
}

/** Encoded bytes, and whether a jump had to be long. */
export interface Encoding {
  readonly bytes: number[];
  readonly long: boolean;
}

interface Value {
  readonly value: bigint;
  /** Known without addresses, so that its size may choose the encoding. */
  readonly constant: boolean;
  /** False in an early pass, before a label further down has an address. */
  readonly known: boolean;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const ANY_SIZE = new Set(["", "p", "s", "a", "env", "save", "fx"]);

/** Bytes of an operand with size notation `size` under operand size `operandSize`; 0 where the notation has no plain size. */
export function sizeOf(size: string, operandSize: number): number {
  switch (size) {
    case "b": case "bs": return 1;
    case "w": return 2;
    case "v": return operandSize;
    case "z": return operandSize === 2 ? 2 : 4;
    case "y": return operandSize === 8 ? 8 : 4;
    case "d": case "ss": return 4;
    case "q": case "sd": return 8;
    case "t": return 10;
    case "dq": case "ps": case "pd": return 16;
    default: return 0;
  }
}

interface Match {
  readonly form: Form;
  readonly operandSize: number;
  readonly meaning: Meaning;
  /** Bytes of memory when the source does not say how many, else 0. */
  readonly assumedSize: number;
  /** Operands in the order of the form; an implied one is `undefined`. */
  readonly operands: readonly (OperandSyntax | undefined)[];
}

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

function isFar(operand: OperandSyntax): boolean {
  return operand.distance === "far" || operand.selector !== undefined;
}

/** Ways to lay the written operands over a form's: all, without ST0 and XMM0, with ST1 implied, or none of a string instruction. */
function arrangements(form: Form, written: readonly OperandSyntax[]): (OperandSyntax | undefined)[][] {
  const implied = form.operands.map((o) => o.kind === "ST0" || o.kind === "XMM0");
  const ways: (OperandSyntax | undefined)[][] = [];
  if (form.operands.length === written.length) ways.push([...written]);
  if (implied.includes(true) && written.length === implied.filter((i) => !i).length) {
    let next = 0;
    ways.push(implied.map((i) => (i ? undefined : written[next++])));
  }
  if (written.length === 0 && form.operands.length === 2 && (form.stackRegister || form.operands.some((o) => o.kind === "X" || o.kind === "Y"))) ways.push([undefined, undefined]);
  if (written.length === form.operands.length - 1 && form.operands.at(-1)!.kind === "I") ways.push([...written, undefined]);
  if ((form.mnemonic === "XCHG" || form.mnemonic === "TEST") && written.length === 2 && form.operands.length === 2) ways.push([written[1], written[0]]);
  if (form.mnemonic === "IMUL" && form.operands.length === 3 && written.length === 2) ways.push([written[0], written[0], written[1]]);
  return ways;
}

function matchForm(form: Form, operands: (OperandSyntax | undefined)[], meaning: Meaning, prefix: PrefixSyntax, context: EncodingContext): Match[] {
  if (form.operands.at(-1)?.kind === "I" && (operands.at(-1) === undefined) !== (meaning.predicate >= 0)) return [];
  const codeSize = context.bits / 8;
  const standard = context.bits === 64 ? (form.forced64 || form.default64 || form.rexW ? 8 : 4) : codeSize;
  const sizes = context.bits === 64 ? (form.forced64 || form.rexW ? [8] : form.default64 ? [8, 2] : [4, 2, 8]) : codeSize === 4 ? [4, 2] : [2, 4];
  const wanted = meaning.operandSize !== 0 ? meaning.operandSize : prefix.operandSize;
  const found: Match[] = [];
  for (const operandSize of sizes) {
    if (wanted !== 0 && wanted !== operandSize) continue;
    const evidence = { operandSize: wanted !== 0 || operandSize === standard, assumedSize: 0 };
    const fits = form.operands.every((operand, n) => matchOperand(operand, operands[n], operandSize, evidence, form, context));
    if (fits && evidence.operandSize) found.push({ form, operandSize, meaning, assumedSize: evidence.assumedSize, operands });
  }
  return found;
}

const SCALABLE = new Set(["v", "z", "y"]);

function matchOperand(
  operand: Operand, written: OperandSyntax | undefined, operandSize: number, evidence: { operandSize: boolean; assumedSize: number }, form: Form,
  context: EncodingContext,
): boolean {
  if (written === undefined) return true;
  const size = sizeOf(operand.size, operandSize);
  const { register, memory } = written;
  const scalable = SCALABLE.has(operand.size);
  if (memory !== undefined) {
    if (!"EMQWO".includes(operand.kind)) return false;
    if (operand.kind === "O" && (memory.base !== undefined || memory.index !== undefined || memory.relative)) return false;
    if (operand.size === "p") {
      if ((written.distance === "far") !== (form.mnemonic === "JMPF" || form.mnemonic === "CALLF")) return false;
      if (written.size !== 0) evidence.operandSize = true;
      return written.size === 0 || written.size === operandSize;
    }
    if (written.distance === "far") return false;
    if (written.size === 0) {
      evidence.assumedSize = size;
      return true;
    }
    if (scalable && written.size === size) evidence.operandSize = true;
    return ANY_SIZE.has(operand.size) || written.size === size;
  }
  if (register !== undefined) {
    if (register.number > 7 && context.bits !== 64) return false;
    switch (operand.kind) {
      case "E": case "R": case "G": case "Z": case "reg": {
        const width = generalWidth(register.class);
        if (operand.kind === "reg" && (register.class === "high8" || register.number !== operand.register)) return false;
        if (operand.size === "w" && (form.operands.some((o) => o.kind === "S") || form.mnemonic === "LLDT" || form.mnemonic === "LTR")) return width >= 2;
        if (width === 0 || width !== size) return false;
        if (scalable) evidence.operandSize = true;
        return true;
      }
      case "S": case "seg": return register.class === "seg" && (operand.kind === "S" || register.number === operand.register);
      case "C": return register.class === "cr" && [0, 2, 3, 4, 8].includes(register.number);
      case "D": return register.class === "dr" && register.number < 8;
      case "P": case "Q": case "N": return register.class === "mmx";
      case "V": case "W": case "U": return register.class === "xmm";
      case "XMM0": return register.class === "xmm" && register.number === 0;
      case "ST0": return register.class === "st" && register.number === 0;
      case "STi": return register.class === "st";
      default: return false;
    }
  }
  const immediate = written.immediate!;
  if (operand.kind === "A") {
    if (written.selector === undefined) return false;
    if (written.size !== 0) evidence.operandSize = true;
    return written.size === 0 || written.size === operandSize;
  }
  if (written.selector !== undefined || written.distance === "far") return false;
  if (operand.kind === "J") {
    if (written.size !== 0 && written.size !== operandSize) return false;
    if (written.size !== 0) evidence.operandSize = true;
    return written.distance === "" || (written.distance === "short") === (operand.size === "b");
  }
  if (operand.kind === "1") {
    const value = evaluate(immediate, context.lookup);
    return value !== undefined && value.constant && value.value === 1n;
  }
  if (operand.kind !== "I") return false;
  if (written.size === 0) return true;
  if (written.size > 1 && scalable) evidence.operandSize = true;
  if (written.size === 1) return size === 1;
  if (operand.size === "bs") {
    evidence.operandSize ||= written.size === operandSize;
    return written.size === operandSize;
  }
  return size !== 1 && (written.size === size || written.size === operandSize);
}

/** Collects the bytes after the opcode. */
class Tail {
  readonly bytes: number[] = [];

  push(value: bigint, size: number): void {
    for (let n = 0; n < size; n++) this.bytes.push(Number((value >> BigInt(8 * n)) & 0xffn));
  }
}

function signed(value: bigint, bytes: number): bigint {
  return BigInt.asIntN(bytes * 8, value);
}

/** Whether `value` is a signed or unsigned number of `bytes` bytes. */
function inRange(value: bigint, bytes: number): boolean {
  const bits = BigInt(bytes * 8);
  return value >= -(1n << (bits - 1n)) && value < 1n << bits;
}

function valueOf(expression: Expression, context: EncodingContext): Value {
  const value = evaluate(expression, context.lookup);
  if (value !== undefined) return { ...value, known: true };
  if (context.final) throw new SourceProblem(`the name "${firstUnknown(expression, context.lookup)}" is not defined`);
  return { value: 0n, constant: false, known: false };
}

/** The name that keeps an expression from having a value. */
export function firstUnknown(expression: Expression, lookup: Lookup): string {
  if (expression.kind === "symbol") return lookup(expression.name) === undefined ? expression.name : "";
  if (expression.kind === "unary") return firstUnknown(expression.operand, lookup);
  if (expression.kind === "binary") return firstUnknown(expression.left, lookup) || firstUnknown(expression.right, lookup);
  return "";
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
  if (form.mandatoryPrefix === "66") head.push(0x66);
  else if (usesSize && (long64 ? operandSize === 2 : operandSize !== codeSize)) head.push(0x66);
  if (form.mandatoryPrefix === "F3") head.push(0xf3);
  if (form.mandatoryPrefix === "F2") head.push(0xf2);
  if (prefix.repeat !== 0) head.push(prefix.repeat);
  if (prefix.lock) {
    if (!form.lockable || memory === undefined) throw new SourceProblem("LOCK needs an instruction that reads and writes memory");
    head.push(0xf0);
  }
  if (meaning.wait) head.unshift(0x9b);
  if (operandSize === 8 && long64 && !form.forced64 && !form.default64 && (form.rexW || form.operands.some((o) => SCALABLE.has(o.size)) || usesSize)) rex |= 8;

  const body: number[] = form.map === 0 ? [] : form.map === 1 ? [0x0f] : form.map === 2 ? [0x0f, 0x38] : [0x0f, 0x3a];
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
  if (rex !== 0 || needsRex) {
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
  if (bytes.length - (meaning.wait ? 1 : 0) > 15) throw new SourceProblem("the instruction would be longer than 15 bytes");
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

const RM16: Readonly<Record<string, number>> = { "3,6": 0, "3,7": 1, "5,6": 2, "5,7": 3, "6,": 4, "7,": 5, "5,": 6, "3,": 7 };

/** Appends ModRM and SIB to `body` and the displacement to `tail`; gives back the target when it is relative to the next instruction. */
function encodeMemory(memory: MemorySyntax, addressSize: number, reg: number, body: number[], tail: Tail, context: EncodingContext): { value: bigint } | undefined {
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
