/**
 * Windows on the stack: accesses of a block that lie at known distances from where the stack pointer, or the frame pointer, was at one place in
 * it. The TLB is looked at once for all of them, and each is one host instruction then. What is looked at there is only looked at:
 * a window whose bytes are not on one page that the TLB has leaves the region, and the interpreter makes the accesses.
 *
 * The distances come from the instructions' own meanings, so that PUSH, POP, CALL, RET, LEA and additions need no rules of their own.
 */
import { displacementOf } from "@doppel/cpu";
import type { Place, Size, Statement, Value } from "@doppel/semantics";
import type { Instruction } from "@doppel/x86";
import { placeOffset, registerAt } from "./effects.ts";
import type { RegionInstruction } from "./region-decoder.ts";

/** Numbers of the registers that frames are accessed through: rSP and rBP. */
const FRAME_REGISTERS = [4, 5] as const;
const FRAME_BITS = (1 << 4) | (1 << 5);
/** Bytes from the first to the last access of a window at most. */
const WIDEST = 1024;

/** The value of a register in front of an instruction of the block. */
interface Root {
  readonly register: number;
  /** Number of that instruction in the block. */
  readonly at: number;
}

/** A value that lies at a distance from a root, or a number where there is no root. */
interface Distance {
  readonly root: Root | undefined;
  readonly bytes: number;
}

interface Access {
  readonly instruction: number;
  readonly statement: Statement;
  readonly bytes: number;
  readonly size: Size;
  readonly write: boolean;
}

/** Bytes at a distance from a register that several accesses lie in. */
export interface FrameWindow {
  readonly register: number;
  /** Number of the instruction in front of which the register has the value that distances count from. */
  readonly at: number;
  readonly low: number;
  readonly length: number;
  /** Some access writes. */
  readonly write: boolean;
}

/** Where an access lies in its window. */
export interface InWindow {
  readonly window: FrameWindow;
  readonly offset: number;
}

/** The windows of a block, and which accesses of which instruction lie in them. */
export interface BlockWindows {
  readonly windows: readonly FrameWindow[];
  readonly accesses: ReadonlyMap<number, ReadonlyMap<Statement, InWindow>>;
}

/** Finds the windows of a block. */
export function windowsOf(instructions: readonly RegionInstruction[], long: boolean): BlockWindows {
  const byRoot = new Walk(instructions, long).accesses;
  const windows: FrameWindow[] = [];
  const accesses = new Map<number, Map<Statement, InWindow>>();
  for (const [{ register, at }, found] of byRoot) {
    // One access alone looks itself up.
    if (found.length < 2) continue;
    const low = Math.min(...found.map(({ bytes }) => bytes));
    const length = Math.max(...found.map(({ bytes, size }) => bytes + size)) - low;
    if (length > WIDEST) continue;
    const window = { register, at, low, length, write: found.some(({ write }) => write) };
    windows.push(window);
    for (const { instruction, statement, bytes } of found) {
      let own = accesses.get(instruction);
      if (own === undefined) accesses.set(instruction, (own = new Map()));
      own.set(statement, { window, offset: bytes - low });
    }
  }
  return { windows, accesses };
}

/** Goes through a block once. */
class Walk {
  readonly accesses = new Map<Root, Access[]>();
  private readonly native: Size;
  /** Where the stack and frame pointers are; nothing while an instruction that moves one to an unknown place has not ended. */
  private readonly registers = new Map<number, Distance | undefined>();
  private readonly values = new Map<Value, Distance | undefined>();
  private instruction!: Instruction;
  private index = 0;

  constructor(instructions: readonly RegionInstruction[], long: boolean) {
    this.native = long ? 8 : 4;
    for (const register of FRAME_REGISTERS) this.renew(register, 0);
    for (const [index, { instruction, meaning, registers }] of instructions.entries()) {
      if (((registers.reads | registers.writes) & FRAME_BITS) === 0 && !meaning.calls) continue;
      this.instruction = instruction;
      this.index = index;
      this.values.clear();
      for (const statement of meaning.statements.statements) this.statement(statement);
      // A helper may change what the TLB has.
      for (const register of FRAME_REGISTERS) if (meaning.calls || this.registers.get(register) === undefined) this.renew(register, index + 1);
    }
  }

  private renew(register: number, at: number): void {
    this.registers.set(register, { root: { register, at }, bytes: 0 });
  }

  private statement(s: Statement): void {
    switch (s.kind) {
      case "let":
        this.distance(s.value);
        return;
      case "load":
        return this.access(s, s.size, s.update);
      case "probe":
        return this.access(s, s.size, true);
      case "store":
        // Behind a probe the place is known.
        return s.address.probed?.address === s.address ? undefined : this.access(s, s.size, true);
      case "setPlace":
        return this.wrote(s.place, s.size, this.distance(s.value));
      case "if":
        for (const one of [...s.then.statements, ...(s.otherwise?.statements ?? [])]) this.perhaps(one);
        return;
      case "loop":
        for (const one of s.body.statements) this.perhaps(one);
    }
  }

  /** What stands on some ways only moves a register to an unknown place. */
  private perhaps(s: Statement): void {
    if (s.kind === "setPlace") this.wrote(s.place, s.size, undefined);
    else if (s.kind === "if" || s.kind === "loop") this.statement(s);
  }

  private wrote(place: Place, size: Size, distance: Distance | undefined): void {
    const register = registerAt(placeOffset(place, this.instruction));
    if (this.registers.has(register)) this.registers.set(register, size === this.native && distance?.root !== undefined ? distance : undefined);
  }

  private access(statement: Statement & { address: { offset: Value; checked: boolean } }, size: Size, write: boolean): void {
    const distance = this.distance(statement.address.offset);
    if (distance?.root === undefined || statement.address.checked) return;
    const access = { instruction: this.index, statement, bytes: distance.bytes, size, write };
    const there = this.accesses.get(distance.root);
    if (there === undefined) this.accesses.set(distance.root, [access]);
    else there.push(access);
  }

  private wideImmediate(): Distance | undefined {
    const { immediate, immediateHigh } = this.instruction;
    return immediateHigh === immediate >> 31 ? { root: undefined, bytes: immediate } : undefined;
  }

  private distance(value: Value): Distance | undefined {
    let distance = this.values.get(value);
    if (distance === undefined && !this.values.has(value)) this.values.set(value, (distance = this.find(value)));
    return distance;
  }

  private find({ op, args, data }: Value): Distance | undefined {
    switch (op) {
      case "const": return { root: undefined, bytes: Number(data) };
      case "field": return data === "immediate" ? { root: undefined, bytes: this.instruction.immediate } : data === "immediate64" ? this.wideImmediate() : undefined;
      case "i64_extend_i32_s": {
        const number = this.distance(args[0]!);
        return number?.root === undefined ? number : undefined;
      }
      case "place": {
        const { place, size } = data as { place: Place; size: Size };
        return size === this.native ? this.registers.get(registerAt(placeOffset(place, this.instruction))) : undefined;
      }
      case "effectiveAddress": {
        const { base, index, ripRelative, addressSize } = this.instruction;
        const from = index >= 0 || ripRelative || addressSize !== this.native ? undefined : this.registers.get(base);
        return from === undefined ? undefined : { root: from.root, bytes: from.bytes + displacementOf(this.instruction) };
      }
      case "i32_add": case "i64_add": case "i32_sub": case "i64_sub": {
        const [a, b] = [this.distance(args[0]!), this.distance(args[1]!)];
        if (a === undefined || b === undefined || b.root !== undefined) return undefined;
        return { root: a.root, bytes: op.endsWith("add") ? a.bytes + b.bytes : a.bytes - b.bytes };
      }
      default: return undefined;
    }
  }
}
