/**
 * What a definition sees of the instruction it defines: the constants of its shape (form, sizes, register or memory
 * operand, REP, mode) and its operands as IR values. A TypeScript `if` in a definition tests only these constants.
 */
import type { Form, Operand } from "@doppel/x86";
import { Builder, SemanticsError } from "./builder.ts";
import { GPR, RSP, SS, STACK_MASK } from "./layout.ts";
import type { Address, Place, Size, Value } from "./ir.ts";

/** Everything about an instruction that is constant while its definition runs. */
export interface Shape {
  readonly form: Form;
  /** Effective size of `v` operands: 2, 4 or 8. */
  readonly operandSize: 2 | 4 | 8;
  /** Effective address size; in code that is not flat, generic code may serve several sizes and the mask is a value. */
  readonly addressSize: 2 | 4 | 8;
  /** The ModRM (or moffs) operand is in memory. */
  readonly memory: boolean;
  /** REP prefix of string instructions: none, F3 or F2. */
  readonly rep: "" | "rep" | "repne";
  /** Condition of Jcc, SETcc, CMOVcc. */
  readonly condition: number;
  /** 64-bit mode. */
  readonly long: boolean;
  /** ES, CS, SS and DS have base 0 and limit 4 GiB, the stack is 32-bit: no segment checks; always so in 64-bit mode. */
  readonly flat: boolean;
  /** The memory operand itself needs no segment base or check: flat, and not through FS or GS. */
  readonly flatOperand: boolean;
  /** The address of the memory operand may have an index register. */
  readonly indexed: boolean;
  /** The displacement counts from the next instruction (64-bit mode). */
  readonly ripRelative: boolean;
}

/** Writes the IR of one instruction. */
export type Definition = (i: InstructionBuilder) => void;

/** The place of a general register. */
export function gpr(register: number): Place {
  return { at: GPR + 8 * register };
}

function operandBytes(operand: Operand, operandSize: number): Size {
  switch (operand.size) {
    case "b": case "sb": return 1;
    case "w": return 2;
    case "d": case "ss": return 4;
    case "q": case "sd": return 8;
    case "z": return Math.min(operandSize, 4) as Size;
    case "y": return operandSize === 8 ? 8 : 4;
    case "dq": case "ps": case "pd": case "x": return 16;
    default: return operandSize as Size;
  }
}

/** A builder for one instruction: adds its operands and its stack to `Builder`. */
export class InstructionBuilder extends Builder {
  readonly shape: Shape;
  private memoryOperand: Address | undefined;

  constructor(shape: Shape) {
    super({ long: shape.long, flat: shape.flat });
    this.shape = shape;
  }

  get mnemonic(): string {
    return this.shape.form.mnemonic;
  }
  /** Size of `v` operands. */
  get operandSize(): 2 | 4 | 8 {
    return this.shape.operandSize;
  }
  get operandCount(): number {
    return this.shape.form.operands.length;
  }
  /** Size of an operand in bytes. */
  size(n: number): Size {
    return operandBytes(this.shape.form.operands[n]!, this.shape.operandSize);
  }
  /** Whether an operand is in memory. */
  inMemory(n: number): boolean {
    const kind = this.shape.form.operands[n]!.kind;
    return kind === "M" || kind === "O" || (this.shape.memory && (kind === "E" || kind === "W" || kind === "Q"));
  }

  /** The memory operand's address, computed once. */
  memory(): Address {
    // The offset of a moffs operand has 64 bits in 64-bit code, more than a displacement.
    const offset = (): Value => (this.long && this.shape.form.operands.some(({ kind }) => kind === "O") ? this.field("immediate64") : this.effectiveAddress());
    this.memoryOperand ??= this.address("record", offset(), !this.shape.flatOperand);
    return this.memoryOperand;
  }

  /** The place of a register operand. */
  placeOf(n: number): Place {
    const operand = this.shape.form.operands[n]!;
    switch (operand.kind) {
      case "G": case "P": case "V": return { field: "reg" };
      case "B": return { field: "vvvv" };
      case "E": case "R": case "Q": case "N": case "W": case "U": case "Z": return { field: "rm" };
      case "reg": {
        const high = operand.size === "b" && operand.register >= 4;
        return { at: GPR + 8 * (high ? operand.register - 4 : operand.register) + (high ? 1 : 0) };
      }
      default:
        throw new SemanticsError("SEMANTICS_OPERAND", `operand ${n} of ${this.mnemonic} is not a register`);
    }
  }

  /** Reads an operand. Narrow numbers are zero-extended; immediates are cut to the size of operand 0. */
  read(n: number): Value {
    return this.readOperand(n, false);
  }
  /** Reads an operand that `write` will write back. */
  readForUpdate(n: number): Value {
    return this.readOperand(n, true);
  }
  private readOperand(n: number, update: boolean): Value {
    const operand = this.shape.form.operands[n]!;
    const size = this.size(n);
    if (this.inMemory(n)) return update ? this.loadForUpdate(this.memory(), size) : this.load(this.memory(), size);
    if (operand.kind === "I") return this.immediate(this.size(0));
    if (operand.kind === "1") return this.i32(1);
    return this.place(this.placeOf(n), size);
  }
  /** Writes an operand. */
  write(n: number, value: Value): void {
    if (this.inMemory(n)) this.store(this.memory(), this.size(n), value);
    else this.setPlace(this.placeOf(n), this.size(n), value);
  }
  /** The immediate as an operand of this size. */
  immediate(size: Size): Value {
    return size === 8 ? this.field("immediate64") : this.zeroExtend(this.field("immediate"), size);
  }

  /** Reads a general register. */
  register(register: number, size: Size): Value {
    return this.place(gpr(register), size);
  }
  /** Writes a general register. */
  setRegister(register: number, size: Size, value: Value): void {
    this.setPlace(gpr(register), size, value);
  }

  // ---- the stack ----

  /** Size of a stack slot that `v` pushes use; the same as the operand size. */
  get stackPointer(): Value {
    return this.register(RSP, this.long ? 8 : 4);
  }
  private get stackMask(): Value | undefined {
    return this.flat ? undefined : this.state("i32_load", STACK_MASK);
  }
  /** Address of the stack slot at a value of the stack pointer (cut to the stack's width). */
  stackAt(pointer: Value): Address {
    const mask = this.stackMask;
    return this.address(SS, mask === undefined ? pointer : this.and(pointer, mask));
  }
  /** What rSP becomes for a new stack pointer: only its low 16 bits change when the stack is 16-bit. */
  mergedStackPointer(pointer: Value): Value {
    const mask = this.stackMask;
    return mask === undefined ? pointer : this.or(this.and(pointer, mask), this.and(this.stackPointer, this.not(mask)));
  }
  /** Commits a new stack pointer. */
  setStackPointer(pointer: Value): void {
    this.setRegister(RSP, this.long ? 8 : 4, this.mergedStackPointer(pointer));
  }
  /** A number of the native width as an operand of this size. */
  narrow(value: Value, size: Size): Value {
    return size === 8 ? value : this.wrap(value);
  }
  /** Pushes one value: store, then stack pointer. */
  push(value: Value, size: Size, slot: Size = size): void {
    const pointer = this.sub(this.stackPointer, slot);
    this.store(this.stackAt(pointer), size, value);
    this.setStackPointer(pointer);
  }
  /** Reads the value on top of the stack; `popped` is the stack pointer after it. */
  peek(size: Size): { value: Value; popped: Value } {
    const pointer = this.stackPointer;
    return { value: this.load(this.stackAt(pointer), size), popped: this.add(pointer, size) };
  }

  /** A near target from an offset: cut to the operand size, and to the width of the instruction pointer. */
  nearTarget(offset: Value): Value {
    if (this.long) return this.extendU(offset);
    return this.operandSize === 2 ? this.and(offset, 0xffff) : offset;
  }
  /** Target of a relative branch. */
  relativeTarget(): Value {
    const displacement = this.field("immediate");
    return this.long ? this.add(this.nextIp(), this.extendS(displacement)) : this.nearTarget(this.add(this.nextIp(), displacement));
  }
}
