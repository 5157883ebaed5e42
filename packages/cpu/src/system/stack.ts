/**
 * Stacks as control transfers use them: frames that are checked as a whole before a byte is written, and pops that leave
 * rSP alone until the instruction can no longer fault (SDM volume 3, 5.8.5, 6.12.1 and, for 64-bit mode, 6.14).
 */
import { DESCRIPTOR_DB, DESCRIPTOR_EXPAND_DOWN, VECTOR_SS } from "@doppel/x86";
import { READ, WRITE } from "@doppel/mmu";
import type { Cpu } from "../cpu.ts";
import { GPR, SS } from "../state-layout.ts";
import { ESP, UNUSABLE } from "./architecture.ts";
import type { Descriptor } from "./descriptor.ts";
import { isCanonical } from "./non-canonical.ts";
import { withinLimit } from "./segmentation.ts";

/** Bytes of the stack pointer that a stack segment uses outside 64-bit mode. */
function widthOf(attributes: number): number {
  return attributes & DESCRIPTOR_DB ? 4 : 2;
}

/** The most values of a frame: those of a call gate with 31 parameters. */
const MOST_VALUES = 40;

/**
 * A stack that values are pushed to or popped from, without touching the registers until {@link Stack.commit}. A processor has two, which
 * are used again and again: the one in use, and one that an inner level brings.
 */
export class Stack {
  /** The stack pointer so far; only the bits of the mask are meaningful. */
  pointer = 0;
  readonly #cpu: Cpu;
  #base = 0;
  #limit = 0;
  #attributes = 0;
  /** Bytes of the stack pointer: 2, 4 or 8. */
  #width = 4;
  #user = false;
  #code = 0;
  /** Every offset is allowed: a supervisor's segment of 4 GiB. */
  #open = false;
  /** Values pushed. */
  #count = 0;
  /** Bytes of every value, or 0 when they differ. */
  #size = 0;
  readonly #offsets = new Float64Array(MOST_VALUES);
  readonly #values = new Int32Array(MOST_VALUES);
  readonly #highs = new Int32Array(MOST_VALUES);
  readonly #sizes = new Uint8Array(MOST_VALUES);

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  #use(base: number, limit: number, attributes: number, pointer: number, user: boolean, code: number, width: number): this {
    this.#base = base;
    this.#limit = limit;
    this.#attributes = attributes;
    this.#width = width;
    this.#user = user;
    this.#code = code;
    this.#open = width === 4 && limit === 0xffffffff && !user && (attributes & (UNUSABLE | DESCRIPTOR_EXPAND_DOWN)) === 0;
    this.pointer = pointer;
    this.#count = this.#size = 0;
    return this;
  }

  /** The stack that SS:rSP points to now. Limit violations are #SS(EXT). */
  static current(cpu: Cpu): Stack {
    const { state } = cpu;
    const user = state.cpl === 3;
    if (cpu.longMode) return Stack.long(cpu, state.gprAddress(ESP), user);
    const attributes = state.segmentAttributes(SS);
    return cpu.stack.#use(state.segmentBase(SS), state.segmentLimit(SS), attributes, state.gpr32(ESP), user, cpu.external, widthOf(attributes));
  }

  /** A stack of 64-bit mode: no base, no limit; an address that is not canonical is #SS(EXT). */
  static long(cpu: Cpu, pointer: number, user: boolean): Stack {
    return cpu.stack.#use(0, 0, 0, pointer, user, cpu.external, 8);
  }

  /** A stack that is not loaded yet, for privilege `cpl`. Limit violations are #SS(selector + EXT). */
  static of(cpu: Cpu, selector: number, descriptor: Descriptor, pointer: number, cpl: number): Stack {
    const { attributes } = descriptor;
    return cpu.innerStack.#use(descriptor.base, descriptor.limit, attributes, pointer, cpl === 3, (selector & 0xfffc) | cpu.external, widthOf(attributes));
  }

  /** Notes a value for {@link commit}: an integer that a number holds exactly. */
  push(size: number, value: number): void {
    this.pushHalves(size, value | 0, size === 8 ? Math.floor(value / 0x1_0000_0000) : 0);
  }

  /** The same for any 64 bits. */
  pushHalves(size: number, low: number, high: number): void {
    const n = this.#count;
    this.pointer = this.#mask(this.pointer - size);
    this.#offsets[n] = this.pointer;
    this.#values[n] = low;
    this.#highs[n] = high;
    this.#sizes[n] = size;
    this.#size = n === 0 || size === this.#size ? size : 0;
    this.#count = n + 1;
  }

  /** Checks every push against limit and pages; nothing is written. */
  check(): boolean {
    const whole = this.#whole();
    if (!Number.isNaN(whole)) return this.#cpu.linear.probe(whole, this.#size * this.#count, WRITE, this.#user) || this.#firstPush();
    for (let i = 0; i < this.#count; i += 1) {
      if (!this.#allow(this.#offsets[i], this.#sizes[i])) return false;
    }
    for (let i = 0; i < this.#count; i += 1) {
      if (!this.#cpu.linear.probe(this.#linear(this.#offsets[i]), this.#sizes[i], WRITE, this.#user)) return false;
    }
    return true;
  }

  /** Checks and then writes every push. ESP is the caller's to set, with {@link setPointer}. */
  commit(): boolean {
    const whole = this.#whole();
    if (!Number.isNaN(whole)) return this.#cpu.linear.writeFrame(whole, this.#size, this.#count, this.#values, this.#highs, this.#user) || this.#firstPush();
    if (!this.check()) return false;
    for (let i = 0; i < this.#count; i += 1) {
      if (!this.#cpu.linear.write(this.#linear(this.#offsets[i]), this.#sizes[i], this.#values[i], this.#user, this.#highs[i])) return false;
    }
    return true;
  }

  /** Reads the value at the pointer into `cpu.linear.value` and moves on. */
  pop(size: number): boolean {
    if (!this.peek(0, size)) return false;
    this.pointer = this.#mask(this.pointer + size);
    return true;
  }

  /** Reads the value `distance` bytes above the pointer into `cpu.linear.value`. */
  peek(distance: number, size: number): boolean {
    const offset = this.#mask(this.pointer + distance);
    return this.#allow(offset, size) && this.#cpu.linear.read(this.#linear(offset), size, this.#user);
  }

  /** Checks that a value above the pointer could be read. */
  probe(distance: number, size: number): boolean {
    const offset = this.#mask(this.pointer + distance);
    return this.#allow(offset, size) && this.#cpu.linear.probe(this.#linear(offset), size, READ, this.#user);
  }

  /** Drops bytes, as RET n does. */
  release(bytes: number): void {
    this.pointer = this.#mask(this.pointer + bytes);
  }

  /** Puts the pointer into RSP or ESP, or into SP when the stack is a 16-bit one. */
  setPointer(): void {
    if (this.#width === 8) this.#cpu.state.setAddress(GPR + 8 * ESP, this.pointer);
    else if (this.#width === 4) this.#cpu.state.setGpr32(ESP, this.pointer);
    else this.#cpu.state.setGpr16(ESP, this.pointer);
  }

  /**
   * Linear address of the frame, where one look decides over all of it, as with nearly every frame: aligned values as wide as the stack
   * pointer, in one page and within the segment. NaN otherwise, and while somebody watches single accesses.
   */
  #whole(): number {
    const { pointer } = this;
    const size = this.#size;
    const bytes = size * this.#count;
    if (bytes === 0 || size === 2 || size !== this.#width || this.#offsets[0] !== pointer + bytes - size || this.#cpu.dataBreakpoints) return NaN;
    const linear = this.#linear(pointer);
    if ((linear & (size - 1)) !== 0 || (linear & 0xfff) + bytes > 4096) return NaN;
    const allowed = size === 8 ? isCanonical(pointer) : !(this.#attributes & UNUSABLE) && withinLimit(this.#attributes, this.#limit, pointer, bytes);
    return allowed ? linear : NaN;
  }

  /** A page fault of the whole frame is that of its first push. */
  #firstPush(): false {
    this.#cpu.state.faultAddress = this.#linear(this.#offsets[0]);
    return false;
  }

  #mask(offset: number): number {
    return this.#width === 8 ? offset : this.#width === 4 ? offset >>> 0 : offset & 0xffff;
  }

  #linear(offset: number): number {
    return this.#width === 8 ? offset : (this.#base + offset) >>> 0;
  }

  #allow(offset: number, size: number): boolean {
    if (this.#open) return true;
    offset = this.#mask(offset);
    const usable = this.#width === 8
      ? isCanonical(offset) && isCanonical(offset + size - 1)
      : !(this.#attributes & UNUSABLE) && withinLimit(this.#attributes, this.#limit, offset, size);
    if (!usable) return this.#cpu.fault(VECTOR_SS, this.#code);
    return !this.#user || this.#cpu.aligned(this.#linear(offset), size);
  }
}
